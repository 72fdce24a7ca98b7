//! The number scanner: numbers between commas, sixteen bytes at a time.
//!
//! A number's first sixteen bytes are compared with digits all at once; the places of those that
//! are none say where its point and its end are. A shuffle moves the digits to the right of
//! the register and leaves out the point, and three multiplications with addition join them: pairs,
//! fours, eights. The method is that of D. Lemire and W. Muła (<http://0x80.pl/articles/simd-parsing-int-sequences.html>);
//! the rounding is in `decimal.rs`. What is unusual is left to `number.rs`.
#![allow(unsafe_code, reason = "vector instructions and one raw load")]

/// Where a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At the place of a number, which is not read.
    Number,
    /// Behind a number.
    Behind,
}

/// Reads numbers with commas between them from `bytes[*at..]`, which begins at the place of a number,
/// and appends at most `room` of them. Moves `at` to where it stopped: at what is not plain, or
/// near the end.
pub(super) fn scan(bytes: &[u8], at: &mut usize, to: &mut Vec<f32>, room: usize) -> Stop {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3") {
        // SAFETY: the processor has the instructions that the function is compiled for.
        return unsafe { sse41::scan(bytes, at, to, room) };
    }
    let _ = (bytes, at, to, room);
    Stop::Number
}

#[cfg(target_arch = "x86_64")]
mod sse41 {
    use std::arch::x86_64::*;

    use super::super::decimal::{CUT_MIN, nearest};
    use super::Stop;

    /// Bytes that are looked at from the start of a number: its sign, two windows, and the byte
    /// behind.
    const REACH: usize = 34;
    /// Digits of the second window that still fit below 2^63.
    const MORE_MAX: usize = 3;

    #[target_feature(enable = "sse4.1,ssse3")]
    pub(super) fn scan(bytes: &[u8], at: &mut usize, to: &mut Vec<f32>, room: usize) -> Stop {
        let mut place = *at;
        let mut left = room;
        let stop = loop {
            let Some(ahead) = bytes
                .get(place..)
                .and_then(|rest| rest.first_chunk::<REACH>())
            else {
                break Stop::Number;
            };
            if left == 0 {
                break Stop::Number;
            }
            let Some((value, length)) = number(ahead, &bytes[place..]) else {
                break Stop::Number;
            };
            to.push(value);
            left -= 1;
            place += length;
            if bytes.get(place) != Some(&b',') {
                break Stop::Behind;
            }
            place += 1;
            place += usize::from(bytes.get(place) == Some(&b' '));
        };
        *at = place;
        stop
    }

    /// Reads one number; `None` if it is not plain.
    #[target_feature(enable = "sse4.1,ssse3")]
    #[inline]
    fn number(ahead: &[u8; REACH], rest: &[u8]) -> Option<(f32, usize)> {
        let negative = ahead[0] == b'-';
        let start = usize::from(negative);
        let (window, others) = window(ahead, start);
        let point = others.trailing_zeros() as usize;
        let leading_zero = ahead[start] == b'0' && point > 1;
        if point == 0 || point > 15 || leading_zero {
            return None;
        }
        let has_point = ahead[start + point] == b'.';
        // Sixteen if the first window does not show the end.
        let mut end = point;
        if has_point {
            end = (others & (others - 1)).trailing_zeros() as usize;
        }
        let mut digits = join(window, end, if has_point { point } else { 16 });
        let mut fraction = if has_point { end - point - 1 } else { 0 };
        let mut length = start + end;
        if end == 16 {
            let (_, others) = self::window(ahead, start + 16);
            let more = others.trailing_zeros() as usize;
            if more == 16 {
                return None;
            }
            let taken = more.min(MORE_MAX);
            for digit in &ahead[start + 16..start + 16 + taken] {
                digits = digits * 10 + u64::from(digit - b'0');
            }
            if more > taken && digits < CUT_MIN {
                return None;
            }
            fraction += taken;
            length += more;
        }
        if has_point && fraction == 0 {
            return None;
        }
        let mut exponent = -(fraction as i32);
        if ahead[length] | 0x20 == b'e' {
            let (size, used) = exponent_of(rest.get(length + 1..)?)?;
            exponent += size;
            length += 1 + used;
        }
        let value = nearest(digits, exponent)?;
        Some((if negative { -value } else { value }, length))
    }

    /// Sixteen bytes less the letter zero, and which of them are no digits; the bit behind them is
    /// set, too.
    #[target_feature(enable = "sse4.1,ssse3")]
    #[inline]
    fn window(ahead: &[u8; REACH], start: usize) -> (__m128i, u32) {
        let bytes: &[u8] = &ahead[start..start + 16];
        // SAFETY: the slice has sixteen bytes, and the load needs no alignment.
        let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        let window = _mm_sub_epi8(bytes, _mm_set1_epi8(b'0' as i8));
        let digits = _mm_cmpeq_epi8(_mm_min_epu8(window, _mm_set1_epi8(9)), window);
        (
            window,
            !(_mm_movemask_epi8(digits) as u32) & 0xffff | 0x1_0000,
        )
    }

    /// The digits of the first `end` bytes as a number, without the byte at `point`.
    #[target_feature(enable = "sse4.1,ssse3")]
    #[inline]
    fn join(window: __m128i, end: usize, point: usize) -> u64 {
        let places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let from = _mm_add_epi8(places, _mm_set1_epi8(end as i8 - 16));
        // What comes before the point, and so moves over it; nothing if there is none. Places
        // below zero give zeros.
        let before = match point {
            16 => _mm_setzero_si128(),
            point => _mm_cmpgt_epi8(_mm_set1_epi8(point as i8 + 1), from),
        };
        let digits = _mm_shuffle_epi8(window, _mm_add_epi8(from, before));
        let tens = _mm_setr_epi8(10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1, 10, 1);
        let pairs = _mm_maddubs_epi16(digits, tens);
        let fours = _mm_madd_epi16(pairs, _mm_setr_epi16(100, 1, 100, 1, 100, 1, 100, 1));
        let fours = _mm_packus_epi32(fours, fours);
        let factors = _mm_setr_epi16(10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1);
        let eights = _mm_cvtsi128_si64(_mm_madd_epi16(fours, factors)) as u64;
        (eights & 0xffff_ffff) * 100_000_000 + (eights >> 32)
    }

    /// The exponent behind the letter `e`, of at most two digits, and its bytes.
    fn exponent_of(bytes: &[u8]) -> Option<(i32, usize)> {
        let [first, second, third, fourth, ..] = *bytes else {
            return None;
        };
        let signed = matches!(first, b'-' | b'+');
        let digits = if signed {
            [second, third, fourth]
        } else {
            [first, second, third]
        };
        let count = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let size = match count {
            1 => i32::from(digits[0] - b'0'),
            2 => i32::from(digits[0] - b'0') * 10 + i32::from(digits[1] - b'0'),
            _ => return None,
        };
        let size = if first == b'-' { -size } else { size };
        Some((size, count + usize::from(signed)))
    }
}
