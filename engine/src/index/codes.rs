//! An immutable group of coded rows, in memory and as bytes.
use super::quantizer::{KEY_MAX, SCALE_MAX};
use crate::kernel::{Factors, GROUP_ROWS, Line, prefetch_bytes};

/// Codes and factors of up to [`GROUP_ROWS`] rows. The layout is drawn in the kernel's `group`.
///
/// As bytes, all little-endian:
///
/// ```text
/// 0                  codes    padded * 32 bytes: column after column
/// padded * 32        add      256 x f32
///        + 1024      scale    256 x f32
///        + 2048      error    256 x bfloat16, in the order of `Factors::error_at`
///        + 2560      rows     u32, at most 256
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CodeGroup {
    pub(super) codes: Box<[Line]>,
    pub(super) factors: Box<Factors>,
    pub(super) rows: usize,
}

impl CodeGroup {
    /// Rows that were coded.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Components of the rotated vectors.
    pub fn padded(&self) -> usize {
        self.codes.len() * 2
    }

    /// Bytes of a group of rotated vectors of `padded` components.
    pub fn byte_len(padded: usize) -> usize {
        padded * (GROUP_ROWS / 8) + size_of::<Factors>() + size_of::<u32>()
    }

    /// Appends [`CodeGroup::byte_len`] bytes to `out`.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.reserve(Self::byte_len(self.padded()));
        out.extend_from_slice(Line::bytes(&self.codes));
        out.extend(self.factors.add.iter().flat_map(|add| add.to_le_bytes()));
        out.extend(
            self.factors
                .scale
                .iter()
                .flat_map(|scale| scale.to_le_bytes()),
        );
        out.extend(
            self.factors
                .error
                .iter()
                .flat_map(|error| error.to_le_bytes()),
        );
        out.extend_from_slice(&(self.rows as u32).to_le_bytes());
    }

    /// The group that [`CodeGroup::write_to`] wrote; `None` if the length, the row count or a
    /// factor cannot be right.
    pub fn from_bytes(bytes: &[u8], padded: usize) -> Option<Self> {
        if !padded.is_multiple_of(64) || bytes.len() != Self::byte_len(padded) {
            return None;
        }
        let (codes, rest) = bytes.split_at(padded * (GROUP_ROWS / 8));
        let (add, rest) = rest.split_at(GROUP_ROWS * 4);
        let (scale, rest) = rest.split_at(GROUP_ROWS * 4);
        let (error, rows) = rest.split_at(GROUP_ROWS * 2);
        let mut group = Self::zeroed(padded);
        Line::bytes_mut(&mut group.codes).copy_from_slice(codes);
        for (to, from) in group.factors.add.iter_mut().zip(add.as_chunks().0) {
            *to = f32::from_le_bytes(*from);
        }
        for (to, from) in group.factors.scale.iter_mut().zip(scale.as_chunks().0) {
            *to = f32::from_le_bytes(*from);
        }
        for (to, from) in group.factors.error.iter_mut().zip(error.as_chunks().0) {
            *to = u16::from_le_bytes(*from);
        }
        group.rows = u32::from_le_bytes(rows.try_into().ok()?) as usize;
        group.is_sound().then_some(group)
    }

    /// Asks the processor to load this group into its caches, or the beginning of a large one:
    /// worth a call for the group after the one that is scanned. Nothing but speed depends on it.
    #[inline]
    pub fn prefetch(&self) {
        const BYTES_MAX: usize = 4096;
        let codes = Line::bytes(&self.codes);
        prefetch_bytes(codes.as_ptr(), codes.len().min(BYTES_MAX));
        prefetch_bytes((&raw const *self.factors).cast(), size_of::<Factors>());
    }

    /// Whether the factors are such as the quantizer makes, so that no bound comes out as NaN.
    fn is_sound(&self) -> bool {
        const INFINITY: u16 = 0x7f80;
        let Factors { add, scale, error } = &*self.factors;
        self.rows <= GROUP_ROWS
            && add.iter().all(|add| add.abs() <= KEY_MAX)
            && scale.iter().all(|scale| (0.0..=SCALE_MAX).contains(scale))
            && error.iter().all(|error| *error <= INFINITY)
    }

    /// A group of no rows.
    pub(super) fn zeroed(padded: usize) -> Self {
        Self {
            codes: vec![Line::ZERO; padded / 2].into_boxed_slice(),
            factors: Box::new(Factors::ZERO),
            rows: 0,
        }
    }
}
