//! Fast Walsh-Hadamard transform in place.
//!
//! ```text
//! for h in 1, 2, 4 .. n/2:  for each pair (i, i + h):  (x, y) -> (x + y, x - y)
//! ```
//! Stages within a register are shuffles; the next three join eight registers; the others go
//! through memory two at a time.
#![allow(
    unsafe_code,
    reason = "vector loads from raw pointers, bounded by slice lengths"
)]
use super::lanes::Lanes;
use super::scalar;

/// Transforms `values`, first multiplied by `diagonal` if `FLIP`.
///
/// # Safety
/// The instruction set of `L` must be present; the length of `values` must be a power of two, and
/// if `FLIP`, `diagonal` as long.
#[inline(always)]
pub(super) unsafe fn hadamard<L: Lanes, const FLIP: bool>(values: &mut [f32], diagonal: &[f32]) {
    debug_assert!(values.len().is_power_of_two() && (!FLIP || diagonal.len() == values.len()));
    let length = values.len();
    if length < L::COUNT {
        if FLIP {
            scalar::multiply(values, diagonal);
        }
        return scalar::hadamard(values);
    }
    let (data, diagonal) = (values.as_mut_ptr(), diagonal.as_ptr());
    // SAFETY: `length` is a power of two, so each pass covers it in whole blocks; the caller
    // vouches for the instruction set and the diagonal's length.
    unsafe {
        let mut h = if length >= 8 * L::COUNT {
            for block in 0..length / (8 * L::COUNT) {
                first_pass::<L, FLIP, 8>(data, diagonal, block * 8 * L::COUNT);
            }
            8 * L::COUNT
        } else {
            for block in 0..length / L::COUNT {
                first_pass::<L, FLIP, 1>(data, diagonal, block * L::COUNT);
            }
            L::COUNT
        };
        while 4 * h <= length {
            for block in 0..length / (4 * h) {
                four_way::<L>(data.add(block * 4 * h), h);
            }
            h *= 4;
        }
        if h < length {
            for at in (0..h).step_by(L::COUNT) {
                let (x, y) = (L::load(data.add(at)), L::load(data.add(at + h)));
                x.add(y).store(data.add(at));
                x.sub(y).store(data.add(at + h));
            }
        }
    }
}

/// All stages within `REGISTERS` consecutive registers from `at`.
#[inline(always)]
unsafe fn first_pass<L: Lanes, const FLIP: bool, const REGISTERS: usize>(
    data: *mut f32,
    diagonal: *const f32,
    at: usize,
) {
    // SAFETY: the caller vouches for REGISTERS * COUNT values from `at`.
    unsafe {
        let mut v = [L::splat(0.0); REGISTERS];
        for (i, v) in v.iter_mut().enumerate() {
            *v = L::load(data.add(at + i * L::COUNT));
            if FLIP {
                *v = v.mul(L::load(diagonal.add(at + i * L::COUNT)));
            }
            *v = v.hadamard();
        }
        let mut h = 1;
        while h < REGISTERS {
            for i in 0..REGISTERS {
                if i & h == 0 {
                    (v[i], v[i + h]) = (v[i].add(v[i + h]), v[i].sub(v[i + h]));
                }
            }
            h *= 2;
        }
        for (i, v) in v.iter().enumerate() {
            v.store(data.add(at + i * L::COUNT));
        }
    }
}

/// The stages `h` and `2h` of `4h` values from `data`.
#[inline(always)]
unsafe fn four_way<L: Lanes>(data: *mut f32, h: usize) {
    // SAFETY: the caller vouches for 4h values, and COUNT divides h.
    unsafe {
        for at in (0..h).step_by(L::COUNT) {
            let a = L::load(data.add(at));
            let b = L::load(data.add(at + h));
            let c = L::load(data.add(at + 2 * h));
            let d = L::load(data.add(at + 3 * h));
            let (a, b, c, d) = (a.add(b), a.sub(b), c.add(d), c.sub(d));
            a.add(c).store(data.add(at));
            b.add(d).store(data.add(at + h));
            a.sub(c).store(data.add(at + 2 * h));
            b.sub(d).store(data.add(at + 3 * h));
        }
    }
}
