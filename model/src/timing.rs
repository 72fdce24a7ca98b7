//! The text of `Server-Timing`: where a server's time went, for callers to read.

use crate::context::{Stage, StageClock};

/// Bytes of one stage's entry, about.
const ENTRY_BYTES: usize = 24;

/// Writes the time of each of `stages`, such as `decode;dur=0.0120, engine;dur=1.2345`, in
/// milliseconds.
pub fn server_timing(clock: &StageClock, stages: &[Stage]) -> String {
    let mut text = String::with_capacity(ENTRY_BYTES * stages.len());
    for stage in stages {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(stage.as_str());
        text.push_str(";dur=");
        let tenths_us = clock.get(*stage).as_nanos() / 100;
        push_ten_thousandths(u64::try_from(tenths_us).unwrap_or(u64::MAX), &mut text);
    }
    text
}

/// Writes a number of ten-thousandths with its four decimals. It stands in every response, where
/// the formatting of the standard library would be half of what the clocks cost.
fn push_ten_thousandths(mut number: u64, to: &mut String) {
    const POINT: usize = 20;
    let mut digits = [b'0'; 25];
    digits[POINT] = b'.';
    let mut start = digits.len();
    while number > 0 || start >= POINT {
        start -= 1;
        if start != POINT {
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    to.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn stages_are_milliseconds() {
        let clock = StageClock::default();
        clock.add(Stage::Engine, Duration::from_nanos(1_234_567));
        clock.add(Stage::Decode, Duration::from_micros(12));
        assert_eq!(
            server_timing(&clock, &[Stage::Decode, Stage::Queue, Stage::Engine]),
            "decode;dur=0.0120, queue;dur=0.0000, engine;dur=1.2345"
        );
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        let numbers = (0..64).map(|shift| u64::MAX >> shift);
        for number in numbers.chain([0, 9, 10, 9_999, 10_000, 100_000, 123_456_789]) {
            let mut text = String::new();
            push_ten_thousandths(number, &mut text);
            let expected = format!("{}.{:04}", number / 10_000, number % 10_000);
            assert_eq!(text, expected);
        }
    }
}
