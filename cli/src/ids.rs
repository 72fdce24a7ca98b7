//! Ids as they are typed and as they stand in text files.

use nearfield::Id;

/// The id that a word stands for: digits without a leading zero that fit 64 bits are a
/// number, all else is text (which may be a UUID).
pub(crate) fn parse(word: &str) -> Id {
    let canonical = word == "0" || !word.starts_with('0');
    match word.parse::<u64>() {
        Ok(number) if canonical && word.bytes().all(|byte| byte.is_ascii_digit()) => {
            Id::U64(number)
        }
        _ => Id::from(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_numbers_and_all_else_is_text() {
        assert_eq!(parse("0"), Id::U64(0));
        assert_eq!(parse("18446744073709551615"), Id::U64(u64::MAX));
        for text in ["007", "18446744073709551616", "+1", "-1", "a7", "1 "] {
            assert_eq!(parse(text), Id::from(text), "{text}");
        }
        assert!(matches!(
            parse("67e55044-10b1-426f-9247-bb680e5fe0c8"),
            Id::Uuid(_)
        ));
    }
}
