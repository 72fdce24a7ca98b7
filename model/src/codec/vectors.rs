//! Matrices as JSON: lists of numbers, or base64 of little-endian `f32`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::matrix::{ComponentFault, FIELD, Matrix, MatrixBuilder, Shape, component_fault};
use super::members::{Members, typed};
use crate::decimal;
use crate::error::{Error, Result};

/// Reads a matrix.
pub(super) fn read_matrix(json: &RawValue) -> Result<Matrix> {
    if json.get().starts_with('{') {
        return from_base64(json);
    }
    let elements: Vec<&RawValue> = typed(json, FIELD)?;
    let mut builder = MatrixBuilder::default();
    if elements
        .first()
        .is_some_and(|first| !first.get().starts_with('['))
    {
        append(&mut builder, &elements)?;
        return Ok(Matrix {
            values: builder.into_values(),
            shape: Shape::One,
        });
    }
    for (row, element) in elements.iter().enumerate() {
        let components: Vec<&RawValue> =
            typed(element, FIELD).map_err(|error| error.at_row(row))?;
        if row == 0 {
            builder.expect(elements.len().saturating_mul(components.len()));
        }
        append(&mut builder, &components).map_err(|error| error.at_row(row))?;
        builder.end_row()?;
    }
    Ok(builder.into_rows())
}

fn append(builder: &mut MatrixBuilder, components: &[&RawValue]) -> Result<()> {
    for (position, component) in components.iter().enumerate() {
        let fault = match decimal::read(component) {
            Some(value) if value.is_finite() => {
                builder.values().push(value);
                continue;
            }
            Some(_) => ComponentFault::BeyondRange,
            None => ComponentFault::NotNumber,
        };
        return Err(component_fault(position, component.get(), fault));
    }
    builder.check()
}

fn from_base64(json: &RawValue) -> Result<Matrix> {
    let members = Members::read(json.get(), FIELD).map_err(|error| error.in_field(FIELD))?;
    members.allow(FIELD, MATRIX_FIELDS)?;
    let text: String = members.required("f32")?;
    let bytes = STANDARD.decode(text).map_err(|_| not_base64())?;
    let (components, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(not_whole("f32", bytes.len()));
    }
    let values: Vec<f32> = components
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    Matrix::of_bytes(values, members.optional::<usize>("dimension")?)
}

/// The members of a matrix of bytes.
pub(super) const MATRIX_FIELDS: &[&str] = &["f32", "dimension"];

/// The refusal of text that is not base64.
pub fn not_base64() -> Error {
    Error::invalid("this is not base64 of the standard alphabet, padded").in_field("f32")
}

/// The refusal of bytes that do not make whole components.
pub fn not_whole(field: &str, bytes: usize) -> Error {
    Error::invalid(format!("{bytes} bytes do not make whole f32; each takes 4")).in_field(field)
}

/// Writes a matrix: as lists if `dimension` cuts it into rows, otherwise as base64.
pub(super) struct Rows<'r> {
    pub(super) values: &'r [f32],
    pub(super) dimension: usize,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.dimension > 0 && self.values.len().is_multiple_of(self.dimension) {
            return serializer.collect_seq(self.values.chunks_exact(self.dimension));
        }
        let bytes: Vec<u8> = self
            .values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let mut members = serializer.serialize_map(Some(1))?;
        members.serialize_entry("f32", &STANDARD.encode(bytes))?;
        members.end()
    }
}
