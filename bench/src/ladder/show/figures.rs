//! Figures as people read them.

/// A whole number in groups of three digits.
pub(super) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.as_bytes()[at - 1] != b'-' {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds with as many digits as they are good for.
pub(super) fn micros(us: f64) -> String {
    match us.abs() {
        us_abs if us_abs >= 100.0 => grouped(us),
        us_abs if us_abs >= 10.0 => format!("{us:.1}"),
        us_abs if us_abs >= 1.0 => format!("{us:.2}"),
        _ => format!("{us:.3}"),
    }
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    // Adding zero takes the sign from a zero.
    format!("{:.0}%", (share * 100.0).round() + 0.0)
}

/// How many times as much.
pub(super) fn times(ratio: f64) -> String {
    match ratio {
        ratio if ratio >= 10.0 => format!("{ratio:.0} times"),
        ratio => format!("{ratio:.1} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!((&*grouped(999.0), &*grouped(-1000.0)), ("999", "-1,000"));
        assert_eq!((&*micros(0.0123), &*micros(1234.0)), ("0.012", "1,234"));
        assert_eq!((&*percent(0.256), &*percent(-0.01)), ("26%", "-1%"));
        assert_eq!(percent(-0.001), "0%");
    }
}
