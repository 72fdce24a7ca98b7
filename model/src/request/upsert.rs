//! `upsert`: writes points.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Durability, check_collection_name, check_ids};
use crate::error::{Error, Result};
use crate::id::Ids;
use crate::limits::BATCH_BYTES_MAX;
use crate::metadata::{MetadataColumn, visit_leaves};
use crate::vectors::Vectors;

/// Points as columns: ids, one row-major matrix, and metadata.
///
/// ```
/// use nearfield_model::{Batch, MetadataColumn};
/// let metadata = MetadataColumn::try_from(&[serde_json::json!({"year": 1961}), serde_json::json!(null)][..])?;
/// let batch = Batch::new(&[1, 2], &[0.1, 0.2, 0.3, 0.4]).metadata(metadata);
/// assert_eq!(batch.len(), 2);
/// # Ok::<(), nearfield_model::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<'a> {
    /// One id per point. Where an id occurs twice, the last of its points counts.
    pub ids: Ids<'a>,
    /// All components: `ids.len()` rows of the collection's dimension.
    pub values: Cow<'a, [f32]>,
    /// One row per point; `None` where no point has any.
    pub metadata: Option<MetadataColumn<'a>>,
}

impl<'a> Batch<'a> {
    /// Points without metadata: `values` holds `ids.len()` vectors, one after the other.
    pub fn new<V: AsRef<[f32]> + ?Sized>(ids: impl Into<Ids<'a>>, values: &'a V) -> Self {
        Batch {
            ids: ids.into(),
            values: Cow::Borrowed(values.as_ref()),
            metadata: None,
        }
    }

    /// Points from a matrix.
    pub fn from_vectors(ids: impl Into<Ids<'a>>, vectors: &'a Vectors<'_>) -> Self {
        Batch::new(ids, vectors.values())
    }

    /// Points that own their components.
    pub fn from_values(ids: impl Into<Ids<'a>>, values: Vec<f32>) -> Self {
        Batch {
            ids: ids.into(),
            values: Cow::Owned(values),
            metadata: None,
        }
    }

    /// Adds a metadata column.
    pub fn metadata(mut self, metadata: MetadataColumn<'a>) -> Self {
        self.metadata = Some(metadata);
        self
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no points.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The same batch, borrowed.
    pub fn borrowed(&self) -> Batch<'_> {
        Batch {
            ids: self.ids.borrowed(),
            values: Cow::Borrowed(&self.values),
            metadata: self.metadata.as_ref().map(MetadataColumn::borrowed),
        }
    }

    /// The same batch, owned.
    pub fn into_owned(self) -> Batch<'static> {
        Batch {
            ids: self.ids.into_owned(),
            values: Cow::Owned(self.values.into_owned()),
            metadata: self.metadata.map(MetadataColumn::into_owned),
        }
    }

    /// Bytes that count against [`BATCH_BYTES_MAX`].
    pub fn byte_len(&self) -> usize {
        self.ids.byte_len()
            + self.values.len() * 4
            + self
                .metadata
                .as_ref()
                .map_or(0, |column| column.text().len())
    }

    fn check(&self) -> Result<()> {
        check_ids(&self.ids)?;
        if self.byte_len() > BATCH_BYTES_MAX {
            return Err(Error::too_large(format!(
                "the batch has {} bytes; at most {BATCH_BYTES_MAX} are allowed, so send fewer points per upsert",
                self.byte_len()
            )));
        }
        let rows = self.len();
        if self.values.is_empty() || !self.values.len().is_multiple_of(rows) {
            return Err(Error::invalid(format!(
                "{rows} ids and {} components do not make {rows} vectors of one length",
                self.values.len()
            ))
            .in_field("vectors"));
        }
        match &self.metadata {
            Some(column) if column.len() != rows => Err(Error::invalid(format!(
                "{rows} ids and {} rows of metadata are given; give one row per id, null where there is none",
                column.len()
            ))
            .in_field("metadata")),
            _ => Ok(()),
        }
    }

    /// Refuses the batch if a row's metadata is not a JSON object within the limits. The
    /// engine checks metadata while it reads it for the index, so doors need not call this.
    pub fn check_metadata(&self) -> Result<()> {
        for (row, text) in self
            .metadata
            .iter()
            .flat_map(MetadataColumn::iter)
            .enumerate()
        {
            if let Some(text) = text {
                visit_leaves(text, &mut |_, _| {})
                    .map_err(|error| error.at_row(row).in_field("metadata"))?;
            }
        }
        Ok(())
    }
}

/// Writes points; a point whose id is there already is replaced, metadata included.
/// All of the batch is written, or nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Upsert<'a> {
    /// The collection.
    pub collection: String,
    /// The points.
    pub batch: Batch<'a>,
    /// How durable the points are when this is answered.
    pub durability: Durability,
}

impl<'a> Upsert<'a> {
    /// Writes `batch` with `sync` durability.
    pub fn new(collection: impl Into<String>, batch: Batch<'a>) -> Self {
        Upsert {
            collection: collection.into(),
            batch,
            durability: Durability::default(),
        }
    }

    /// Sets the durability.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check_collection_name(&self.collection)?;
        self.batch.check()
    }
}

/// The points are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Upserted {
    /// Points in the batch.
    pub upserted: u64,
    /// The number of this write.
    pub sequence: u64,
}
