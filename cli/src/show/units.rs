//! Numbers as people read them.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `35123456` as `35.1 MB`; thousands, as disks are sold.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1_000 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A time with the unit that suits its size: `85 µs`, `1.24 ms`, `3.1 s`, `2 min 5 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 99.5e-6 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 9.995e-3 {
        format!("{:.2} ms", seconds * 1e3)
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        match (whole / 3_600, whole / 60 % 60, whole % 60) {
            (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
            (hours, minutes, _) => format!("{} h {minutes} min", number(hours)),
        }
    }
}

/// A time without fractions: `9 s`, `2 min 5 s`.
pub(crate) fn whole_seconds(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => duration(Duration::from_secs(seconds)),
    }
}

/// Things per second, rounded: `120,000`.
pub(crate) fn rate(things: u64, time: Duration) -> String {
    number(per_second(things, time).round() as u64)
}

/// Things per second; 0 where no time passed.
pub(crate) fn per_second(things: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 {
        things as f64 / seconds
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_thousands_separators() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn bytes_and_durations_choose_their_unit() {
        for (value, text) in [
            (0, "0 bytes"),
            (1_500, "1.5 kB"),
            (999_960, "1.0 MB"),
            (35_123_456, "35.1 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(value), text);
        }
        for (microseconds, text) in [
            (0, "0 µs"),
            (85, "85 µs"),
            (1_240, "1.24 ms"),
            (51_000, "51 ms"),
            (3_100_000, "3.1 s"),
            (125_000_000, "2 min 5 s"),
            (7_260_000_000, "2 h 1 min"),
        ] {
            assert_eq!(duration(Duration::from_micros(microseconds)), text);
        }
        assert_eq!(whole_seconds(Duration::from_millis(9_900)), "9 s");
        assert_eq!(whole_seconds(Duration::from_secs(65)), "1 min 5 s");
        assert_eq!(rate(100, Duration::ZERO), "0");
        assert_eq!(rate(5_000, Duration::from_millis(500)), "10,000");
    }
}
