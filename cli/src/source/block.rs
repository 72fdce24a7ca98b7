//! Points that were read and go into one batch.

use nearfield::limits::METADATA_BYTES_MAX;
use nearfield::{Batch, Ids, MetadataColumn};

use crate::failure::{Failure, Outcome};
use crate::show::number;

/// Points that were read, ready to be written.
pub(crate) struct Block {
    /// The row of the first one, counted from 0.
    pub(crate) first_row: u64,
    /// Bytes of the file up to here, where rows are not known beforehand.
    pub(crate) bytes_read: u64,
    /// The ids.
    pub(super) ids: Ids<'static>,
    /// The vectors, one after the other.
    pub(super) values: Vec<f32>,
    /// The metadata, if there are any.
    pub(super) metadata: Option<MetadataColumn<'static>>,
    /// Line numbers, where the file has lines.
    pub(super) lines: Vec<u64>,
}

impl Block {
    /// The number of points.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The points.
    pub(crate) fn batch(&self) -> Batch<'_> {
        let batch = Batch::new(self.ids.borrowed(), &self.values);
        match &self.metadata {
            Some(metadata) => batch.metadata(metadata.borrowed()),
            None => batch,
        }
    }

    /// The ids.
    pub(crate) fn ids(&self) -> &Ids<'static> {
        &self.ids
    }

    /// The vectors, one after the other.
    pub(crate) fn values(&self) -> &[f32] {
        &self.values
    }

    /// Where a person finds a row of the block: `line 7`, or `row 6`.
    pub(crate) fn place(&self, row: usize) -> String {
        match self.lines.get(row) {
            Some(line) => format!("line {}", number(*line)),
            None => format!("row {}", number(self.first_row + row as u64)),
        }
    }
}

/// Metadata on its way into a column.
#[derive(Default)]
pub(super) struct Joined {
    pub(super) text: String,
    ends: Vec<u32>,
}

impl Joined {
    pub(super) fn push(&mut self, text: &str) -> Outcome {
        if text.len() > METADATA_BYTES_MAX {
            return Err(Failure::input(format!(
                "its metadata has {} bytes; {} are possible",
                number(text.len() as u64),
                number(METADATA_BYTES_MAX as u64)
            )));
        }
        self.text.push_str(text);
        let end = u32::try_from(self.text.len()).map_err(|_| {
            Failure::input("a batch holds over 4 GB of metadata").hint("use a smaller --batch")
        })?;
        self.ends.push(end);
        Ok(())
    }

    pub(super) fn finish(self) -> Outcome<MetadataColumn<'static>> {
        MetadataColumn::from_parts(self.text, self.ends)
            .map_err(|error| Failure::input(error.message()))
    }
}
