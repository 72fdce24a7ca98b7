//! A query, prepared for scanning the codes of one quantizer.
use super::codes::CodeGroup;
use super::quantizer::Quantizer;
use crate::kernel::{BLOCK_ROWS, BlockRef, Floats, GROUP_ROWS, Kernel, Scan, Terms, kernel};

/// Standard errors between an estimate and its lower bound that RaBitQ's authors recommend: about
/// 97 rows in 100 are no nearer than their bound.
pub const EPSILON: f32 = 1.9;

/// Tables of partial sums and a few numbers, for one query and one quantizer.
#[derive(Clone, Debug)]
pub struct QueryCode {
    pub(super) kernel: &'static Kernel,
    pub(super) residual: Floats,
    pub(super) bits: Vec<u8>,
    pub(super) table: Vec<u8>,
    pub(super) terms: Terms,
    /// The query is too large to estimate with.
    pub(super) beyond: bool,
}

impl Default for QueryCode {
    /// The code of no query, to be filled by [`Quantizer::query_into`].
    fn default() -> Self {
        Self {
            kernel: kernel(),
            residual: Floats::default(),
            bits: Vec::new(),
            table: Vec::new(),
            terms: Terms::default(),
            beyond: true,
        }
    }
}

impl Quantizer {
    /// Prepares a query: `rotated` (`padded` components) has been through this quantizer's
    /// rotation, and for cosine has norm 1. Lower bounds lie `epsilon` (see [`EPSILON`]) standard
    /// errors below the estimates.
    pub fn query(&self, rotated: &[f32], epsilon: f32) -> QueryCode {
        let mut code = QueryCode::default();
        self.query_into(rotated, epsilon, &mut code);
        code
    }

    /// As [`Quantizer::query`], into the memory of an earlier `code`.
    pub fn query_into(&self, rotated: &[f32], epsilon: f32, code: &mut QueryCode) {
        self.cell().query_into(rotated, epsilon, code);
    }
}

impl QueryCode {
    /// Estimates the key of each row of `group`, coded by the same quantizer, and bounds it from
    /// below. Rows that cannot be estimated have the lower bound minus infinity; places without a
    /// row have infinity in both. No lower bound is NaN. The upper bound is
    /// `2 * estimate - lower`.
    pub fn scan(
        &self,
        group: &CodeGroup,
        estimates: &mut [f32; GROUP_ROWS],
        lower: &mut [f32; GROUP_ROWS],
    ) {
        assert_eq!(group.padded(), self.residual.len());
        if self.beyond {
            estimates.fill(0.0);
            lower.fill(f32::NEG_INFINITY);
        } else {
            let scan = Scan {
                table: &self.table,
                codes: &group.codes,
                factors: &group.factors,
                terms: self.terms,
            };
            self.kernel.scan_group(&scan, estimates, lower);
        }
        estimates[group.rows()..].fill(f32::INFINITY);
        lower[group.rows()..].fill(f32::INFINITY);
    }

    /// As [`QueryCode::scan`], of a block; bit `i` of what it gives is set where row `i` may be
    /// within `threshold`. Places without a row are the caller's to leave out.
    pub(crate) fn scan_block(
        &self,
        block: &BlockRef<'_>,
        threshold: f32,
        estimates: &mut [f32; BLOCK_ROWS],
        lower: &mut [f32; BLOCK_ROWS],
    ) -> u64 {
        if self.beyond {
            estimates.fill(0.0);
            lower.fill(f32::NEG_INFINITY);
            return u64::MAX;
        }
        self.kernel
            .scan_block(&self.table, &self.terms, block, threshold, estimates, lower)
    }

    /// Bit `i % 64` of word `i / 64` is set where `lower[i] <= threshold`.
    pub fn near(&self, lower: &[f32; GROUP_ROWS], threshold: f32) -> [u64; GROUP_ROWS / 64] {
        self.kernel.mask_below(lower, threshold)
    }
}
