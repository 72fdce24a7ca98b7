//! The rows that a model is trained on.
use nearfield_model::{Error, Result};

use super::Rotation;
use super::coded::rotate;
use crate::kernel::Floats;
use crate::points::View;
use crate::storage::Schema;

/// Rows of a view. They are read when they are needed, and again when they are needed again:
/// all of them at once would be the largest piece of memory that an index ever takes.
pub(crate) struct Sample<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) view: &'a View,
    pub(crate) rotation: &'a Rotation,
    /// The rows, ascending.
    pub(crate) rows: Vec<u32>,
}

impl Sample<'_> {
    /// Reads some of the rows, rotated: `padded` components each.
    ///
    /// # Errors
    /// As reading the log.
    pub(crate) fn read(&self, rows: impl ExactSizeIterator<Item = u32>) -> Result<Floats> {
        let padded = self.rotation.padded();
        let mut read = Floats::zeros(rows.len() * padded);
        let mut places = read.chunks_exact_mut(padded);
        self.view
            .visit_vectors(self.schema, rows, |_, vector, scale| {
                if let Some(to) = places.next() {
                    rotate(self.rotation, vector, scale, to);
                }
                Ok(())
            })?;
        match places.next() {
            None => Ok(read),
            Some(_) => Err(Error::internal("a row is gone from its view")),
        }
    }
}
