//! Vectors that are written where the door takes them from.

use std::fmt;

use nearfield_model::{Batch, Ids, Reserved, Upsert};

use crate::collection::{Call, Collection};

/// Rows in the door's own memory, made by [`Collection::reserve`]. Zero until written; may be
/// written and committed again and again; given back when dropped.
///
/// ```
/// # fn main() -> nearfield::Result<()> {
/// let db = nearfield::connect(":memory:")?;
/// let albums = db.create_collection("albums", 2, nearfield::Metric::Euclidean)?;
/// let mut reservation = albums.reserve(2)?;
/// reservation.values_mut().copy_from_slice(&[0., 0.,  3., 4.]);
/// reservation.commit(["blue", "red"]).run()?;
/// assert_eq!(albums.count().run()?.count, 2);
/// # Ok(())
/// # }
/// ```
pub struct Reservation {
    collection: Collection,
    memory: Box<dyn Reserved>,
    dimension: usize,
}

impl Reservation {
    pub(crate) fn new(collection: Collection, memory: Box<dyn Reserved>, dimension: usize) -> Self {
        Reservation {
            collection,
            memory,
            dimension,
        }
    }

    /// Components per row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.values().len() / self.dimension
    }

    /// The components, row after row.
    pub fn values(&self) -> &[f32] {
        self.memory.values()
    }

    /// The components, row after row, to be written.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.memory.values_mut()
    }

    /// Prepares the upsert of the first rows, one per id.
    pub fn commit<'a>(&'a self, ids: impl Into<Ids<'a>>) -> Call<'a, Upsert<'a>> {
        let ids = ids.into();
        let components = ids.len().saturating_mul(self.dimension);
        // Too many ids are refused by the request's own check.
        let values = self.values();
        let values = values.get(..components).unwrap_or(values);
        let batch = Batch::new(ids, values);
        self.collection
            .prepare(Upsert::new(self.collection.name(), batch))
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("collection", &self.collection.name())
            .field("rows", &self.rows())
            .field("dimension", &self.dimension)
            .finish_non_exhaustive()
    }
}
