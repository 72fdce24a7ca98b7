//! Matrices as JSON: lists of numbers, or base64 of little-endian `f32`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::members::{Members, typed};
use crate::decimal;
use crate::error::{Error, Result};

const FIELD: &str = "vectors";

/// A matrix as it was read.
pub(super) struct Matrix {
    pub(super) values: Vec<f32>,
    pub(super) shape: Shape,
}

/// What the JSON said about rows.
pub(super) enum Shape {
    /// So many rows of one length.
    Rows { rows: usize, dimension: usize },
    /// One list of numbers.
    One,
    /// Base64 without a dimension.
    Unknown,
}

impl Matrix {
    pub(super) fn read(json: &RawValue) -> Result<Matrix> {
        if json.get().starts_with('{') {
            return from_base64(json);
        }
        let elements: Vec<&RawValue> = typed(json, FIELD)?;
        let mut values = Vec::new();
        if elements
            .first()
            .is_some_and(|first| !first.get().starts_with('['))
        {
            append(&mut values, &elements)?;
            return Ok(Matrix {
                values,
                shape: Shape::One,
            });
        }
        let mut dimension = 0;
        for (row, element) in elements.iter().enumerate() {
            let components: Vec<&RawValue> =
                typed(element, FIELD).map_err(|error| error.at_row(row))?;
            if row == 0 {
                dimension = components.len();
                values.reserve(elements.len().saturating_mul(dimension));
            }
            if components.len() != dimension {
                return Err(Error::invalid(format!(
                    "a vector has {} components and the one before {dimension}; all rows need the same length",
                    components.len()
                ))
                .at_row(row)
                .in_field(FIELD));
            }
            append(&mut values, &components).map_err(|error| error.at_row(row))?;
        }
        Ok(Matrix {
            values,
            shape: Shape::Rows {
                rows: elements.len(),
                dimension,
            },
        })
    }
}

fn append(values: &mut Vec<f32>, components: &[&RawValue]) -> Result<()> {
    for (position, component) in components.iter().enumerate() {
        let fault = match decimal::read(component) {
            Some(value) if value.is_finite() => {
                values.push(value);
                continue;
            }
            Some(_) => "beyond the range of f32",
            None => "not a number",
        };
        let shown: String = component.get().chars().take(40).collect();
        return Err(
            Error::invalid(format!("component {position}, {shown}, is {fault}")).in_field(FIELD),
        );
    }
    Ok(())
}

fn from_base64(json: &RawValue) -> Result<Matrix> {
    let members = Members::read(json.get(), FIELD).map_err(|error| error.in_field(FIELD))?;
    members.allow(FIELD, &["f32", "dimension"])?;
    let text: String = members.required("f32")?;
    let bytes = STANDARD
        .decode(text)
        .map_err(|error| Error::invalid(format!("this is not base64: {error}")).in_field("f32"))?;
    let (components, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Error::invalid(format!(
            "{} bytes do not make whole f32; each takes 4",
            bytes.len()
        ))
        .in_field("f32"));
    }
    let values: Vec<f32> = components
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let shape = match members.optional::<usize>("dimension")? {
        None => Shape::Unknown,
        Some(dimension) if dimension > 0 && values.len().is_multiple_of(dimension) => Shape::Rows {
            rows: values.len() / dimension,
            dimension,
        },
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
