//! A pseudo-random rotation in `n log n` steps.
//!
//! ```text
//! n = padded size, p = largest power of two <= n
//! p = n, 3 rounds:  flip random signs; Hadamard
//! p < n, 4 rounds:  flip random signs; Hadamard on the first (even rounds) or last (odd rounds)
//!                   p components; (x, y) -> (x + y, x - y) / sqrt 2 for the halves x, y of all n
//! ```
//! Each step is orthonormal. Three rounds of signs and Hadamard are as good as a random rotation in
//! practice (Andoni et al., NeurIPS 2015); the second form, with a step of Kac's walk, is that of
//! the RaBitQ library.
use super::random::SplitMix;
use crate::kernel::{Floats, Kernel, kernel};

/// Sizes are rounded up to a multiple of this.
const PAD: usize = 64;

/// An orthonormal map from vectors of [`dimension`](Rotation::dimension) components to
/// [`padded`](Rotation::padded) ones, fixed by its seed.
#[derive(Clone, Debug)]
pub struct Rotation {
    dimension: usize,
    padded: usize,
    /// Length of a Hadamard transform: the largest power of two up to `padded`.
    span: usize,
    /// One factor per component and round: a sign, times what makes the round orthonormal.
    diagonals: Floats,
    kernel: &'static Kernel,
}

impl Rotation {
    /// The rotation of vectors of `dimension` (1 to 65,536) components that belongs to `seed`.
    /// It is the same for all kernels, bit by bit.
    pub fn new(dimension: usize, seed: u64) -> Self {
        Self::with_kernel(dimension, seed, kernel())
    }

    /// As [`Rotation::new`], computed by `kernel`; quantizers of this rotation use it too.
    pub fn with_kernel(dimension: usize, seed: u64, kernel: &'static Kernel) -> Self {
        assert!((1..=65_536).contains(&dimension));
        let padded = dimension.next_multiple_of(PAD);
        let span = 1 << padded.ilog2();
        let mut random = SplitMix(seed);
        let rounds = if span == padded { 3 } else { 4 };
        let mut diagonals = Floats::zeros(rounds * padded);
        for (round, diagonal) in diagonals.chunks_exact_mut(padded).enumerate() {
            let spanned = span_range(round, span, padded);
            let pairs = if span == padded { 1.0 } else { 0.5f64.sqrt() };
            let within = pairs / (span as f64).sqrt();
            let mut signs = 0;
            for (i, factor) in diagonal.iter_mut().enumerate() {
                if i % 64 == 0 {
                    signs = random.next();
                }
                let size = if spanned.contains(&i) { within } else { pairs };
                *factor = if signs >> (i % 64) & 1 == 0 {
                    size
                } else {
                    -size
                } as f32;
            }
        }
        Self {
            dimension,
            padded,
            span,
            diagonals,
            kernel,
        }
    }

    /// Components of a vector before.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Components of a vector after: the next multiple of 64.
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// The kernel that computes this rotation.
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// Writes the rotated `input` (`dimension` components) to `output` (`padded` components).
    pub fn apply(&self, input: &[f32], output: &mut [f32]) {
        assert_eq!(input.len(), self.dimension);
        let (head, tail) = output.split_at_mut(self.dimension);
        head.copy_from_slice(input);
        tail.fill(0.0);
        self.apply_in_place(output);
    }

    /// Rotates `values` (`padded` components) where they are.
    pub fn apply_in_place(&self, values: &mut [f32]) {
        assert_eq!(values.len(), self.padded);
        let kernel = self.kernel;
        for (round, diagonal) in self.diagonals.chunks_exact(self.padded).enumerate() {
            if self.span == self.padded {
                kernel.flip_hadamard(values, diagonal);
                continue;
            }
            let spanned = span_range(round, self.span, self.padded);
            let rest = if spanned.start == 0 {
                self.span..self.padded
            } else {
                0..spanned.start
            };
            kernel.multiply(&mut values[rest.clone()], &diagonal[rest]);
            kernel.flip_hadamard(&mut values[spanned.clone()], &diagonal[spanned]);
            let (x, y) = values.split_at_mut(self.padded / 2);
            kernel.butterfly(x, y);
        }
    }
}

/// The components that a round's Hadamard transform covers.
fn span_range(round: usize, span: usize, padded: usize) -> std::ops::Range<usize> {
    if round.is_multiple_of(2) {
        0..span
    } else {
        padded - span..padded
    }
}
