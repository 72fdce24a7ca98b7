//! Decimal digits to the nearest `f32`.
//!
//! The digits `w` times a power of ten is computed in `f64`, whose error is known, and then
//! rounded to `f32`. That rounds twice, which matters only where the `f64` lies as near to the
//! middle between two `f32` as its error: there the digits are left to the standard library.

/// Digits of a whole number that are taken, at most: it is below 2^63.
pub(super) const DIGITS_MAX: usize = 18;
/// The least whole number behind which digits may be dropped: what they are worth is below the
/// error that [`nearest`] allows for.
pub(super) const CUT_MIN: u64 = 10_000_000_000_000;

const EXPONENT_MIN: i32 = -64;
/// Powers of ten from 10^-64 to 10^38.
static POWERS: [f64; 103] = [
    1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52,
    1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39,
    1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26,
    1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13,
    1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3,
    1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36,
    1e37, 1e38,
];

/// The bits of an `f64` beyond those of an `f32`, and where the middle between two `f32` is.
const REST: u64 = (1 << 29) - 1;
const MIDDLE: u64 = 1 << 28;
/// What the `f64` may be off, in units of its last place: less than 2 for the conversion of
/// the digits, the power and the product; less than 1,000 for digits dropped behind [`CUT_MIN`].
const ERROR_MAX: u64 = 1 << 11;

/// The nearest `f32` to `digits * 10^exponent`, `digits` below 2^63; `None` where that is in doubt,
/// or it is no normal `f32`.
#[inline(always)]
pub(super) fn nearest(digits: u64, exponent: i32) -> Option<f32> {
    if digits == 0 {
        return Some(0.0);
    }
    let power = POWERS.get(exponent.wrapping_sub(EXPONENT_MIN) as u32 as usize)?;
    let product = digits as i64 as f64 * power;
    let off_middle = (product.to_bits() & REST).wrapping_sub(MIDDLE - ERROR_MAX);
    let certain = off_middle > 2 * ERROR_MAX;
    let normal = product > 1.2e-38 && product < 3.4e38;
    (certain && normal).then_some(product as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_the_nearest_f64() {
        for (place, power) in POWERS.iter().enumerate() {
            let text = format!("1e{}", place as i32 + EXPONENT_MIN);
            assert_eq!(Ok(*power), text.parse());
        }
    }

    #[test]
    fn the_bounds_of_normal_numbers_are_within_those_of_f32() {
        assert!(1.2e-38 > f64::from(f32::MIN_POSITIVE) && 3.4e38 < f64::from(f32::MAX));
    }
}
