//! Distances, rotations and code scans: one scalar reference, one leaf per instruction set.
//!
//! `scalar` says what each operation means. `distance`, `hadamard`, `moments`, `table`, `mask` and
//! `tiles` say it again over the small trait `Lanes`; `avx2`, `avx512` and `neon` are thin leaves
//! under that trait, with a code scan of their own each. Unsafe code of the engine's arithmetic lives in
//! this room alone, and every operation is tested against `scalar`.
mod block;
mod dispatch;
mod distance;
mod floats;
mod group;
mod hadamard;
mod huge;
mod keys;
mod lanes;
mod line;
mod mask;
mod moments;
mod prefetch;
mod scalar;
mod table;
#[cfg(test)]
mod tests;
mod tiles;
mod trim;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

pub use block::{BLOCK_ROWS, BlockFactors, BlockRef, block_bytes};
pub use dispatch::{Kernel, kernel};
pub use floats::Floats;
pub use group::{Factors, GROUP_ROWS, Scan, Terms};
pub(crate) use huge::Huge;
pub use keys::Keys;
pub use line::Line;
pub use moments::Moments;
pub use prefetch::prefetch;
pub(crate) use prefetch::prefetch_bytes;
pub use tiles::{TILE, fill_tiles};
pub(crate) use trim::give_memory_back;
