//! A matrix of vectors: one row per vector, row after row.

use std::borrow::Cow;

use crate::error::{Error, Result};

/// A row-major matrix of `f32`: `len()` rows of `dimension()` components.
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors<'a> {
    values: Cow<'a, [f32]>,
    dimension: usize,
}

impl<'a> Vectors<'a> {
    /// A matrix over `values`, whose length must be a multiple of `dimension`.
    pub fn new(values: impl Into<Cow<'a, [f32]>>, dimension: usize) -> Result<Self> {
        let values = values.into();
        if dimension == 0 || !values.len().is_multiple_of(dimension) {
            return Err(Error::invalid(format!(
                "{} components do not make rows of {dimension}",
                values.len()
            ))
            .in_field("vectors"));
        }
        Ok(Vectors { values, dimension })
    }

    /// A matrix of one row.
    pub fn one(vector: impl Into<Cow<'a, [f32]>>) -> Self {
        let values = vector.into();
        let dimension = values.len();
        Vectors { values, dimension }
    }

    /// Rows of equal length, copied into one matrix.
    pub fn from_rows<R: AsRef<[f32]>>(rows: &[R]) -> Result<Vectors<'static>> {
        let dimension = rows.first().map_or(0, |row| row.as_ref().len());
        let mut values = Vec::with_capacity(rows.len() * dimension);
        for (position, row) in rows.iter().enumerate() {
            let row = row.as_ref();
            if row.len() != dimension {
                return Err(Error::invalid(format!(
                    "a vector has {} components and the one before {dimension}; all rows need the same length",
                    row.len()
                ))
                .at_row(position)
                .in_field("vectors"));
            }
            values.extend_from_slice(row);
        }
        Ok(Vectors {
            values: Cow::Owned(values),
            dimension,
        })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.dimension).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Components per row.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// All components, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The row at `position`, if there is one.
    pub fn get(&self, position: usize) -> Option<&[f32]> {
        let start = position.checked_mul(self.dimension)?;
        self.values.get(start..start.checked_add(self.dimension)?)
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimension.max(1))
    }

    /// The same matrix, borrowed.
    pub fn borrowed(&self) -> Vectors<'_> {
        Vectors {
            values: Cow::Borrowed(&self.values),
            dimension: self.dimension,
        }
    }

    /// The same matrix, owned.
    pub fn into_owned(self) -> Vectors<'static> {
        Vectors {
            values: Cow::Owned(self.values.into_owned()),
            dimension: self.dimension,
        }
    }
}

impl<'a> From<&'a [f32]> for Vectors<'a> {
    fn from(vector: &'a [f32]) -> Self {
        Vectors::one(vector)
    }
}

impl<'a> From<&'a Vec<f32>> for Vectors<'a> {
    fn from(vector: &'a Vec<f32>) -> Self {
        Vectors::one(vector.as_slice())
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Vectors<'a> {
    fn from(vector: &'a [f32; N]) -> Self {
        Vectors::one(vector.as_slice())
    }
}
