//! What an instruction set must offer for the shared algorithms: a register of `f32` lanes.
#![allow(
    unsafe_code,
    reason = "each method needs an instruction set that the caller vouches for"
)]

/// A register of [`Lanes::COUNT`] `f32` values.
///
/// # Safety
/// Every method may be called only where the instruction set of the implementor is present, and
/// only from code that is inlined into a function compiled for it. `COUNT` must divide 64.
pub(super) unsafe trait Lanes: Copy {
    /// Lanes of a register; a power of two.
    const COUNT: usize;

    /// `value` in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// `COUNT` values from `from`, which must be readable that far; any alignment.
    unsafe fn load(from: *const f32) -> Self;
    /// `count < COUNT` values from `from`, zero in the other lanes; reads no further.
    unsafe fn load_first(from: *const f32, count: usize) -> Self;
    /// Writes `COUNT` values to `to`, which must be writable that far; any alignment.
    unsafe fn store(self, to: *mut f32);
    /// `self + other`.
    unsafe fn add(self, other: Self) -> Self;
    /// `self - other`.
    unsafe fn sub(self, other: Self) -> Self;
    /// `self * other`.
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * factor + addend`, rounded once.
    unsafe fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// Absolute values.
    unsafe fn abs(self) -> Self;
    /// The sum of all lanes, in an order fixed by the implementor.
    unsafe fn sum(self) -> f32;
    /// Walsh-Hadamard transform of the lanes, unnormalised, closest lanes first.
    unsafe fn hadamard(self) -> Self;
    /// Writes each lane, from 0 to 255, as a byte without its fraction; `to` must be writable for
    /// `COUNT` bytes.
    unsafe fn store_bytes(self, to: *mut u8);
    /// Bit `i` is the sign bit of lane `i`.
    unsafe fn negative(self) -> u16;
    /// Bit `i` is set where lane `i` is at most that of `bound`; never for NaN.
    unsafe fn at_most(self, bound: Self) -> u16;
}

/// Makes the functions and the table of one instruction set: `leaf!(name, Lanes, features,
/// detected)`, where `scan_group` and `scan_block` are in scope. `detected` must be true only where
/// all `features` are present.
macro_rules! leaf {
    ($name:literal, $lanes:ty, $features:literal, $detected:expr) => {
        /// The operations of this instruction set.
        pub(super) const KERNEL: Kernel = Kernel {
            name: $name,
            detected: || $detected,
            dot: leaf::dot,
            dot_i8: leaf::dot_i8,
            squared_euclidean: leaf::squared_euclidean,
            first_non_finite: leaf::first_non_finite,
            hadamard: leaf::hadamard,
            flip_hadamard: leaf::flip_hadamard,
            multiply: leaf::multiply,
            butterfly: leaf::butterfly,
            residual: leaf::residual,
            moments: leaf::moments,
            fill_table: leaf::fill_table,
            scan_group,
            scan_block,
            mask_below: leaf::mask_below,
            tile_products: leaf::tile_products,
        };

        /// The shared algorithms, compiled for this instruction set.
        mod leaf {
            use crate::kernel::lanes::Lanes;
            use crate::kernel::{GROUP_ROWS, Moments, TILE};
            use crate::kernel::{distance, hadamard, mask, moments, scalar, table, tiles};

            #[target_feature(enable = $features)]
            pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
                // SAFETY: compiled for the instruction set; lengths checked by `Kernel`.
                unsafe { distance::dot::<$lanes>(a, b) }
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn dot_i8(codes: &[i8], vector: &[f32]) -> f32 {
                scalar::dot_i8(codes, vector)
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn squared_euclidean(a: &[f32], b: &[f32]) -> f32 {
                // SAFETY: compiled for the instruction set; lengths checked by `Kernel`.
                unsafe { distance::squared_euclidean::<$lanes>(a, b) }
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn first_non_finite(values: &[f32]) -> Option<usize> {
                scalar::first_non_finite(values)
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn hadamard(values: &mut [f32]) {
                // SAFETY: compiled for the instruction set; length checked by `Kernel`.
                unsafe { hadamard::hadamard::<$lanes, false>(values, &[]) }
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn flip_hadamard(values: &mut [f32], diagonal: &[f32]) {
                // SAFETY: compiled for the instruction set; lengths checked by `Kernel`.
                unsafe { hadamard::hadamard::<$lanes, true>(values, diagonal) }
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn multiply(values: &mut [f32], factors: &[f32]) {
                scalar::multiply(values, factors)
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn butterfly(a: &mut [f32], b: &mut [f32]) {
                scalar::butterfly(a, b)
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn residual(v: &[f32], scale: f32, c: &[f32], out: &mut [f32]) {
                scalar::residual(v, scale, c, out)
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn moments(r: &[f32], c: &[f32], bits: &mut [u8]) -> Moments {
                // SAFETY: compiled for the instruction set; lengths checked by `Kernel`.
                unsafe { moments::moments::<$lanes>(r, c, bits) }
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn fill_table(residual: &[f32], table: &mut [u8]) -> f32 {
                // SAFETY: compiled for the instruction set; lengths checked by `Kernel`.
                unsafe { table::fill_table::<$lanes>(residual, table) }
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn mask_below(
                values: &[f32; GROUP_ROWS],
                threshold: f32,
            ) -> [u64; GROUP_ROWS / 64] {
                // SAFETY: compiled for the instruction set.
                unsafe { mask::mask_below::<$lanes>(values, threshold) }
            }
            #[target_feature(enable = $features)]
            pub(super) unsafe fn tile_products(
                rows: &[f32],
                dimension: usize,
                tiles: &[f32],
                out: &mut [f32],
            ) {
                const REGISTERS: usize = TILE / <$lanes as Lanes>::COUNT;
                // SAFETY: compiled for the instruction set; lengths checked by `Kernel`.
                unsafe { tiles::tile_products::<$lanes, REGISTERS>(rows, dimension, tiles, out) }
            }
        }
    };
}
pub(super) use leaf;
