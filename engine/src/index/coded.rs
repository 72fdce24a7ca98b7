//! Rows on their way into lists: which list, and their codes.
use nearfield_model::Result;

use super::Rotation;
use super::cell::RowFactors;
use super::fine::Piece;
use super::model::Model;
use crate::kernel::Floats;
use crate::points::View;
use crate::storage::Schema;

/// Rows that were assigned to lists and coded, in ascending order.
#[derive(Debug, Default)]
pub(crate) struct CodedRows {
    pub(crate) rows: Vec<u32>,
    pub(crate) lists: Vec<u16>,
    pub(crate) factors: Vec<RowFactors>,
    /// An eighth of `padded` bytes per row.
    pub(crate) bits: Vec<u8>,
}

impl CodedRows {
    /// Codes the live rows of a view from `first` to `end`, exclusive.
    pub(crate) fn code(
        model: &Model,
        schema: &Schema,
        view: &View,
        first: u32,
        end: u32,
        fine: Option<&mut Piece>,
    ) -> Result<CodedRows> {
        let live: Vec<u32> = (first..end).filter(|row| view.is_live(*row)).collect();
        CodedRows::code_some(model, schema, view, &live, fine)
    }

    /// Codes these rows, in this order; also in 8 bits if `fine` is given to take those.
    pub(crate) fn code_some(
        model: &Model,
        schema: &Schema,
        view: &View,
        rows: &[u32],
        fine: Option<&mut Piece>,
    ) -> Result<CodedRows> {
        let padded = model.padded();
        let mut coded = CodedRows::default();
        let mut rotated = Floats::zeros(rows.len() * padded);
        view.visit_vectors(schema, rows.iter().copied(), |row, vector, scale| {
            let to = &mut rotated[coded.rows.len() * padded..][..padded];
            rotate(&model.rotation, vector, scale, to);
            coded.rows.push(row);
            Ok(())
        })?;
        let rotated = &mut rotated[..coded.rows.len() * padded];
        if let Some(fine) = fine {
            for (row, rotated) in coded.rows.iter().zip(rotated.chunks_exact(padded)) {
                fine.put(*row, rotated, model.rotation.kernel());
            }
        }
        model.assign(rotated, &mut coded.lists);
        coded.bits.resize(coded.rows.len() * padded / 8, 0);
        let rows = rotated.chunks_exact_mut(padded);
        for ((row, bits), list) in rows
            .zip(coded.bits.chunks_exact_mut(padded / 8))
            .zip(&coded.lists)
        {
            let cell = model.cell(usize::from(*list));
            for (value, centroid) in row.iter_mut().zip(cell.centroid) {
                *value -= centroid;
            }
            coded.factors.push(cell.code(row, bits));
        }
        Ok(coded)
    }
}

/// Rotates a vector, multiplied by its scale.
pub(crate) fn rotate(rotation: &Rotation, vector: &[f32], scale: f32, to: &mut [f32]) {
    let (head, rest) = to.split_at_mut(vector.len());
    for (to, value) in head.iter_mut().zip(vector) {
        *to = value * scale;
    }
    rest.fill(0.0);
    rotation.apply_in_place(to);
}
