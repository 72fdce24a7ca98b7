//! The matrix of a body while it is read: components one after another, cut into rows.

use crate::error::{Error, Result};
use crate::limits::BATCH_BYTES_MAX;

/// The field that a matrix comes in.
pub(super) const FIELD: &str = "vectors";

/// A matrix as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// All components, row after row.
    pub values: Vec<f32>,
    /// What was said about rows.
    pub shape: Shape,
}

/// What a body says about the rows of its matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many rows of one length.
    Rows {
        /// How many.
        rows: usize,
        /// Components of each.
        dimension: usize,
    },
    /// One list of numbers.
    One,
    /// Bytes without a dimension: one row per id, or one vector.
    Unknown,
}

impl Matrix {
    /// A matrix of bytes, with the dimension that was given beside them.
    ///
    /// # Errors
    /// `InvalidArgument` if the components do not make rows of that dimension.
    pub fn of_bytes(values: Vec<f32>, dimension: Option<usize>) -> Result<Matrix> {
        let shape = match dimension {
            None => Shape::Unknown,
            Some(dimension) if dimension > 0 && values.len().is_multiple_of(dimension) => {
                Shape::Rows {
                    rows: values.len() / dimension,
                    dimension,
                }
            }
            Some(dimension) => {
                return Err(Error::invalid(format!(
                    "{} components do not make rows of {dimension}",
                    values.len()
                ))
                .in_field(FIELD));
            }
        };
        Ok(Matrix { values, shape })
    }
}

/// A matrix whose rows come one after another.
#[derive(Debug, Default)]
pub struct MatrixBuilder {
    values: Vec<f32>,
    rows: usize,
    dimension: usize,
}

impl MatrixBuilder {
    /// Components so far; more are pushed at the end.
    pub fn values(&mut self) -> &mut Vec<f32> {
        &mut self.values
    }

    /// Rows that have ended, and so the position of the one that is read.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Components of the row that is read.
    pub fn position(&self) -> usize {
        self.values.len() - self.rows * self.dimension
    }

    /// Components that may still come before the matrix alone is over [`BATCH_BYTES_MAX`].
    pub fn room(&self) -> usize {
        (BATCH_BYTES_MAX / 4).saturating_sub(self.values.len())
    }

    /// Makes room for `count` components, as far as a matrix may have so many and a length that
    /// was only announced may be believed.
    pub fn expect(&mut self, count: usize) {
        self.values
            .reserve(count.min(EXPECTED_MAX).min(self.room()));
    }

    /// Refuses a matrix that is over [`BATCH_BYTES_MAX`].
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn check(&self) -> Result<()> {
        if self.values.len() > BATCH_BYTES_MAX / 4 {
            return Err(over_batch_bytes());
        }
        Ok(())
    }

    /// Ends a row.
    ///
    /// # Errors
    /// `InvalidArgument` with the row if it has another length than the rows before.
    pub fn end_row(&mut self) -> Result<()> {
        let length = self.position();
        if self.rows == 0 {
            self.dimension = length;
        }
        if length != self.dimension {
            return Err(Error::invalid(format!(
                "a vector has {length} components and the one before {}; all rows need the same length",
                self.dimension
            ))
            .at_row(self.rows)
            .in_field(FIELD));
        }
        self.rows += 1;
        Ok(())
    }

    /// The matrix of all rows.
    pub fn into_rows(self) -> Matrix {
        let shape = Shape::Rows {
            rows: self.rows,
            dimension: self.dimension,
        };
        Matrix {
            values: self.values,
            shape,
        }
    }

    /// The components, without rows.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

/// Components that are made room for on the word of a length that was announced.
const EXPECTED_MAX: usize = 1 << 20;

/// The refusal of a component, given as it was written.
pub fn component_fault(position: usize, shown: &str, fault: ComponentFault) -> Error {
    let shown: String = shown.chars().take(40).collect();
    let fault = match fault {
        ComponentFault::NotNumber => "not a number",
        ComponentFault::BeyondRange => "beyond the range of f32",
    };
    Error::invalid(format!("component {position}, {shown}, is {fault}")).in_field(FIELD)
}

/// What is wrong about a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentFault {
    /// It is not a number.
    NotNumber,
    /// It rounds to an infinite `f32`.
    BeyondRange,
}

/// The refusal of a batch that is over [`BATCH_BYTES_MAX`].
pub(super) fn over_batch_bytes() -> Error {
    Error::too_large(format!(
        "the body has more than {BATCH_BYTES_MAX} bytes of points; send fewer per request"
    ))
}
