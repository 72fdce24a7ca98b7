//! The table of operations, and which table this machine gets.
#![allow(
    unsafe_code,
    reason = "calls functions compiled for instruction sets found at run time"
)]
use super::{BLOCK_ROWS, BlockRef, Factors, GROUP_ROWS, Moments, Scan, TILE, Terms, scalar};
use std::sync::OnceLock;

type Estimates = [f32; GROUP_ROWS];
type Bits = [u64; GROUP_ROWS / 64];
type BlockKeys = [f32; BLOCK_ROWS];
/// See [`Kernel::scan_block`].
type ScanBlock =
    unsafe fn(&[u8], &Terms, &BlockRef<'_>, f32, &mut BlockKeys, &mut BlockKeys) -> u64;

/// The arithmetic of the engine for one instruction set. Results of one kernel depend on the
/// arguments alone; those of two kernels differ by rounding.
pub struct Kernel {
    pub(super) name: &'static str,
    pub(super) detected: fn() -> bool,
    pub(super) dot: unsafe fn(&[f32], &[f32]) -> f32,
    pub(super) dot_i8: unsafe fn(&[i8], &[f32]) -> f32,
    pub(super) squared_euclidean: unsafe fn(&[f32], &[f32]) -> f32,
    pub(super) first_non_finite: unsafe fn(&[f32]) -> Option<usize>,
    pub(super) hadamard: unsafe fn(&mut [f32]),
    pub(super) flip_hadamard: unsafe fn(&mut [f32], &[f32]),
    pub(super) multiply: unsafe fn(&mut [f32], &[f32]),
    pub(super) butterfly: unsafe fn(&mut [f32], &mut [f32]),
    pub(super) residual: unsafe fn(&[f32], f32, &[f32], &mut [f32]),
    pub(super) moments: unsafe fn(&[f32], &[f32], &mut [u8]) -> Moments,
    pub(super) fill_table: unsafe fn(&[f32], &mut [u8]) -> f32,
    pub(super) scan_group: unsafe fn(&Scan<'_>, &mut Estimates, &mut Estimates),
    pub(super) scan_block: ScanBlock,
    pub(super) mask_below: unsafe fn(&Estimates, f32) -> Bits,
    pub(super) tile_products: unsafe fn(&[f32], usize, &[f32], &mut [f32]),
}

/// The kernel of this process: the widest that the processor offers, or the one named by
/// `NEARFIELD_KERNEL` (`scalar`, `avx2`, `avx512`, `avx512vbmi`, `neon`) if the processor offers that.
pub fn kernel() -> &'static Kernel {
    static CHOSEN: OnceLock<&'static Kernel> = OnceLock::new();
    CHOSEN.get_or_init(|| choose(std::env::var("NEARFIELD_KERNEL").ok().as_deref()))
}

/// The supported kernel of that name, else the widest.
pub(super) fn choose(name: Option<&str>) -> &'static Kernel {
    let supported = Kernel::all_supported();
    let named = supported.iter().find(|kernel| Some(kernel.name) == name);
    named
        .or(supported.last())
        .copied()
        .unwrap_or(&scalar::KERNEL)
}

impl Kernel {
    /// Every kernel that this processor can run, narrowest first.
    pub fn all_supported() -> Vec<&'static Kernel> {
        let all: [&'static Kernel; _] = [
            &scalar::KERNEL,
            #[cfg(target_arch = "x86_64")]
            &super::avx2::KERNEL,
            #[cfg(target_arch = "x86_64")]
            &super::avx512::KERNEL,
            #[cfg(target_arch = "x86_64")]
            &super::avx512::KERNEL_VBMI,
            #[cfg(target_arch = "aarch64")]
            &super::neon::KERNEL,
        ];
        all.into_iter()
            .filter(|kernel| (kernel.detected)())
            .collect()
    }

    /// `scalar`, `avx2`, `avx512`, `avx512vbmi` or `neon`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The inner product of two vectors of one length, in a fixed order of summation.
    #[inline]
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        // SAFETY: a kernel is handed out only where its instruction set is present; lengths agree.
        unsafe { (self.dot)(a, b) }
    }

    /// The squared euclidean distance of two vectors of one length, in a fixed order of summation.
    #[inline]
    pub fn squared_euclidean(&self, a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        // SAFETY: a kernel is handed out only where its instruction set is present; lengths agree.
        unsafe { (self.squared_euclidean)(a, b) }
    }

    /// Position of the first infinity or NaN.
    #[inline]
    pub fn first_non_finite(&self, values: &[f32]) -> Option<usize> {
        // SAFETY: a kernel is handed out only where its instruction set is present.
        unsafe { (self.first_non_finite)(values) }
    }

    /// Walsh-Hadamard transform in place, unnormalised; the length must be a power of two.
    #[inline]
    pub fn hadamard(&self, values: &mut [f32]) {
        assert!(values.len().is_power_of_two());
        // SAFETY: a kernel is handed out only where its instruction set is present; the length is
        // a power of two.
        unsafe { (self.hadamard)(values) }
    }

    /// [`Kernel::multiply`], then [`Kernel::hadamard`].
    #[inline]
    pub fn flip_hadamard(&self, values: &mut [f32], diagonal: &[f32]) {
        assert!(values.len().is_power_of_two() && values.len() == diagonal.len());
        // SAFETY: a kernel is handed out only where its instruction set is present; the length is
        // a power of two and the diagonal as long.
        unsafe { (self.flip_hadamard)(values, diagonal) }
    }

    /// `values[i] *= factors[i]`, for slices of one length.
    #[inline]
    pub fn multiply(&self, values: &mut [f32], factors: &[f32]) {
        assert_eq!(values.len(), factors.len());
        // SAFETY: a kernel is handed out only where its instruction set is present.
        unsafe { (self.multiply)(values, factors) }
    }

    /// `(a[i], b[i])` becomes `(a[i] + b[i], a[i] - b[i])`, for slices of one length.
    #[inline]
    pub fn butterfly(&self, a: &mut [f32], b: &mut [f32]) {
        assert_eq!(a.len(), b.len());
        // SAFETY: a kernel is handed out only where its instruction set is present.
        unsafe { (self.butterfly)(a, b) }
    }

    /// `out[i] = vector[i] * scale - centroid[i]`, for slices of one length.
    #[inline]
    pub fn residual(&self, vector: &[f32], scale: f32, centroid: &[f32], out: &mut [f32]) {
        assert!(vector.len() == centroid.len() && vector.len() == out.len());
        // SAFETY: a kernel is handed out only where its instruction set is present.
        unsafe { (self.residual)(vector, scale, centroid, out) }
    }

    /// Sums and sign bits of a rotated residual, whose length is a multiple of 64: bit `i % 8` of
    /// `bits[i / 8]` is 1 where `residual[i]` has no sign bit. `centroid` is as long as `residual`,
    /// `bits` an eighth of it.
    #[inline]
    pub fn moments(&self, residual: &[f32], centroid: &[f32], bits: &mut [u8]) -> Moments {
        let length = residual.len();
        assert!(length.is_multiple_of(64) && centroid.len() == length && bits.len() * 8 == length);
        // SAFETY: a kernel is handed out only where its instruction set is present; lengths are as
        // `moments` wants them.
        unsafe { (self.moments)(residual, centroid, bits) }
    }

    /// The inner product of 8-bit components and a vector of the same length, a multiple of 64.
    #[inline]
    pub fn dot_i8(&self, codes: &[i8], vector: &[f32]) -> f32 {
        assert!(codes.len() == vector.len() && codes.len().is_multiple_of(64));
        // SAFETY: a kernel is handed out only where its instruction set is present.
        unsafe { (self.dot_i8)(codes, vector) }
    }

    /// Fills a table of 16 partial sums, in units of the returned step, per four components of a
    /// rotated residual: `table` has four bytes per component. An entry is the sum of the four
    /// components, `+` where its index has their bit and `-` elsewhere, less the smallest such sum;
    /// entries of the eight tables of 32 components add up to no more than 255.
    /// A step of 0 says that the components are too small for a table.
    #[inline]
    pub fn fill_table(&self, residual: &[f32], table: &mut [u8]) -> f32 {
        assert_eq!(residual.len() * 4, table.len());
        // SAFETY: a kernel is handed out only where its instruction set is present.
        unsafe { (self.fill_table)(residual, table) }
    }

    /// The estimated key of each row of a group, and its lower bound; see
    /// [`Terms`] for the formula.
    #[inline]
    pub fn scan_group(&self, scan: &Scan<'_>, estimates: &mut Estimates, lower: &mut Estimates) {
        assert!(scan.codes.len().is_multiple_of(32) && scan.table.len() == scan.codes.len() * 8);
        // SAFETY: a kernel is handed out only where its instruction set is present; the table has
        // 32 entries for every four lines, of which there are a multiple of 32.
        unsafe { (self.scan_group)(scan, estimates, lower) }
    }

    /// [`Kernel::scan_group`] of a block, whose rows' estimated keys and lower bounds it writes. Bit
    /// `i` of the returned word is set where `lower[i] <= threshold`, never for NaN. `table` has 32
    /// entries per line of the block's codes.
    #[inline]
    pub fn scan_block(
        &self,
        table: &[u8],
        terms: &Terms,
        block: &BlockRef<'_>,
        threshold: f32,
        estimates: &mut [f32; BLOCK_ROWS],
        lower: &mut [f32; BLOCK_ROWS],
    ) -> u64 {
        let columns = block.codes.len();
        assert!(columns.is_multiple_of(8) && table.len() == columns * 32);
        // SAFETY: a kernel is handed out only where its instruction set is present; the table has
        // 32 entries for every line, of which there are a multiple of eight.
        unsafe { (self.scan_block)(table, terms, block, threshold, estimates, lower) }
    }

    /// Bit `i % 64` of word `i / 64` is set where `values[i] <= threshold`.
    #[inline]
    pub fn mask_below(&self, values: &Estimates, threshold: f32) -> Bits {
        // SAFETY: a kernel is handed out only where its instruction set is present.
        unsafe { (self.mask_below)(values, threshold) }
    }

    /// The inner product of each of `rows`, of `dimension` components, with each of the vectors in
    /// `tiles` (see [`fill_tiles`](super::fill_tiles)); `out` has a run of [`TILE`] products per tile
    /// for each row in turn. A product depends on its two vectors alone, not on what is beside them
    /// or where they are; its order of summation is not that of [`Kernel::dot`].
    #[inline]
    pub fn tile_products(&self, rows: &[f32], dimension: usize, tiles: &[f32], out: &mut [f32]) {
        assert!(dimension > 0 && rows.len().is_multiple_of(dimension));
        assert!(tiles.len().is_multiple_of(dimension * TILE));
        assert_eq!(
            out.len(),
            rows.len() / dimension * (tiles.len() / dimension)
        );
        // SAFETY: a kernel is handed out only where its instruction set is present; the slices are
        // whole rows, whole tiles, and a product for every pair.
        unsafe { (self.tile_products)(rows, dimension, tiles, out) }
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kernel").field(&self.name).finish()
    }
}

// The scan's arrays are read with vector loads at these offsets.
const _: () = assert!(size_of::<Factors>() == GROUP_ROWS * 10);
