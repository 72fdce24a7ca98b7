//! The tables that a scan looks partial sums up in.
#![allow(
    unsafe_code,
    reason = "vector loads from raw pointers, bounded by slice lengths"
)]
use super::lanes::Lanes;

/// Steps below this are not divided by: the components are too small for a table.
const STEP_MIN: f32 = 1e-36;

/// `SIGNS[i][e]` is 1 where entry `e` has bit `i`, else -1.
static SIGNS: [[f32; 16]; 4] = signs();

const fn signs() -> [[f32; 16]; 4] {
    let mut signs = [[-1.0; 16]; 4];
    let mut e = 0;
    while e < 16 {
        let mut i = 0;
        while i < 4 {
            if e >> i & 1 == 1 {
                signs[i][e] = 1.0;
            }
            i += 1;
        }
        e += 1;
    }
    signs
}

/// What the largest entries of eight tables may add up to before they are rounded: eight halves
/// less than a byte can hold, and one for the rounding of floats.
const EIGHT_MAX: f32 = 250.0;

/// The value of one unit of a table entry, such that entries of eight tables add up within a byte.
/// Zero if that is too small to divide by.
#[inline(always)]
pub(super) fn step(residual: &[f32]) -> f32 {
    // Bits of floats that are not negative are ordered like the floats.
    let widest = residual
        .as_chunks::<32>()
        .0
        .iter()
        .fold(0, |widest, block| {
            let mut sums = [0.0; 8];
            for part in block.as_chunks::<8>().0 {
                for (sum, value) in sums.iter_mut().zip(part) {
                    *sum += value.abs();
                }
            }
            let halves = [
                sums[0] + sums[4],
                sums[1] + sums[5],
                sums[2] + sums[6],
                sums[3] + sums[7],
            ];
            let reach = (halves[0] + halves[2]) + (halves[1] + halves[3]);
            widest.max(reach.to_bits())
        });
    let step = 2.0 * f32::from_bits(widest) / EIGHT_MAX;
    if step < STEP_MIN { 0.0 } else { step }
}

/// Fills `table`; see `scalar::fill_table`.
///
/// # Safety
/// The instruction set of `L` must be present; `table` must have four bytes per component.
#[inline(always)]
pub(super) unsafe fn fill_table<L: Lanes>(residual: &[f32], table: &mut [u8]) -> f32 {
    debug_assert_eq!(residual.len() * 4, table.len());
    let step = step(residual);
    if step == 0.0 {
        table.fill(0);
        return step;
    }
    // Every entry lies between 0.5 and EIGHT_MAX + 0.5, give or take a rounding; or the residual is
    // not finite, and its table is not used.
    let scale = 1.0 / step;
    for (nibble, q) in residual.as_chunks::<4>().0.iter().enumerate() {
        let base = ((q[0].abs() + q[1].abs()) + (q[2].abs() + q[3].abs())) * scale + 0.5;
        for part in 0..16 / L::COUNT {
            let at = part * L::COUNT;
            // SAFETY: at + COUNT <= 16, and the table has 16 entries per nibble; the caller
            // vouches for the instruction set.
            unsafe {
                let mut entries = L::splat(base);
                for (q, signs) in q.iter().zip(&SIGNS) {
                    entries = L::splat(q * scale).mul_add(L::load(signs.as_ptr().add(at)), entries);
                }
                entries.store_bytes(table.as_mut_ptr().add(nibble * 16 + at));
            }
        }
    }
    step
}
