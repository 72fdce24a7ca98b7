//! The scalars of a batch's metadata, laid out flat: checked and parsed once, outside of
//! any lock.

use nearfield_model::metadata::visit_leaves;
use nearfield_model::{MetadataColumn, Number, Result, ValueRef};

/// The scalars of a batch, in row order.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    text: String,
    leaves: Vec<Leaf>,
}

#[derive(Debug)]
struct Leaf {
    row: u32,
    path: (u32, u32),
    value: LeafValue,
}

#[derive(Debug)]
enum LeafValue {
    Bool(bool),
    Number(Number),
    String(u32, u32),
}

impl Leaves {
    /// Reads and checks the metadata of a batch, `step` rows to a part.
    ///
    /// # Errors
    /// `InvalidArgument` or `TooLarge`, with the row.
    pub(crate) fn read_in_steps(column: &MetadataColumn<'_>, step: usize) -> Result<Vec<Leaves>> {
        let mut parts = Vec::new();
        for (row, text) in column.iter().enumerate() {
            if row % step == 0 {
                parts.push(Leaves::default());
            }
            if let (Some(part), Some(text)) = (parts.last_mut(), text) {
                part.read_row(row as u32, text)
                    .map_err(|error| error.at_row(row).in_field("metadata"))?;
            }
        }
        parts.retain(|part| !part.leaves.is_empty());
        Ok(parts)
    }

    /// Reads and checks the metadata of one row.
    pub(crate) fn read_row(&mut self, row: u32, text: &str) -> Result<()> {
        visit_leaves(text, &mut |path, value| {
            let path = self.put(path);
            let value = match value {
                ValueRef::Bool(flag) => LeafValue::Bool(flag),
                ValueRef::Number(number) => LeafValue::Number(number),
                ValueRef::String(text) => {
                    let (start, end) = self.put(text);
                    LeafValue::String(start, end)
                }
            };
            self.leaves.push(Leaf { row, path, value });
        })
    }

    /// Batches are limited to 64 MiB, so positions fit.
    fn put(&mut self, text: &str) -> (u32, u32) {
        let start = self.text.len();
        self.text.push_str(text);
        (start as u32, self.text.len() as u32)
    }

    fn text(&self, (start, end): (u32, u32)) -> &str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The row within the batch, path and value of each scalar.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &str, ValueRef<'_>)> {
        self.leaves.iter().map(|leaf| {
            let value = match leaf.value {
                LeafValue::Bool(flag) => ValueRef::Bool(flag),
                LeafValue::Number(number) => ValueRef::Number(number),
                LeafValue::String(start, end) => ValueRef::String(self.text((start, end))),
            };
            (leaf.row, self.text(leaf.path), value)
        })
    }
}
