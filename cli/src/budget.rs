//! How much memory a command may take: `--memory-budget 2GiB`.

use std::sync::OnceLock;

/// One per process, whichever command opens a store.
static BYTES_MAX: OnceLock<u64> = OnceLock::new();

/// Sets the bound, once.
pub(crate) fn set(bytes_max: u64) {
    // The command line is read once.
    let _first = BYTES_MAX.set(bytes_max);
}

/// The bound, if there is one.
pub(crate) fn bytes_max() -> Option<u64> {
    BYTES_MAX.get().copied()
}

/// Reads an amount such as `512MiB`, `1.5GiB` or `1000000`, which are bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let wrong = || "an amount of memory looks like 512MiB or 2GiB".to_owned();
    let text = text.trim();
    let unit = UNITS.iter().find_map(|(unit, shift)| {
        let (number, end) = text.split_at_checked(text.len().checked_sub(unit.len())?)?;
        end.eq_ignore_ascii_case(unit).then_some((number, *shift))
    });
    let (number, shift) = unit.unwrap_or((text, 0));
    let number = number.trim_end();
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(wrong());
    }
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(1 << shift),
        // Parts of a byte are none.
        Err(_) if shift > 0 => number
            .parse::<f64>()
            .ok()
            .map(|amount| amount * (1_u64 << shift) as f64)
            .filter(|bytes| *bytes < u64::MAX as f64)
            .map(|bytes| bytes as u64),
        Err(_) => None,
    };
    bytes.filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_units() {
        for (text, bytes) in [
            ("1", 1),
            ("1000000", 1_000_000),
            ("100KiB", 102_400),
            ("512MiB", 512 << 20),
            ("2GiB", 2 << 30),
            ("2 gib", 2 << 30),
            ("1.5GiB", 3 << 29),
            ("1TiB", 1 << 40),
            ("16777215TiB", 16_777_215 << 40),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "0",
            "0GiB",
            "GiB",
            "-1GiB",
            "2GB",
            "2G",
            "two GiB",
            "1.5",
            "infGiB",
            "nan",
            "1e3",
            "16777216TiB",
            "1e99GiB",
            "\u{20ac}iB",
            "18446744073709551616",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
