//! Rust source with comments and literals blanked, so that checks see code alone.

/// The same text, line for line and byte for byte, with comments, strings and character
/// literals replaced by spaces.
pub(super) fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut blanked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = literal_or_comment(bytes, at);
        for byte in &mut blanked[at..at + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length.max(1);
    }
    String::from_utf8_lossy(&blanked).into_owned()
}

/// How many bytes from `at` are one comment or literal; 0 if neither starts there.
fn literal_or_comment(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let inside_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => position(rest, b"\n"),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => string(rest, 1),
        [b'r', b'"' | b'#', ..] if !inside_word || bytes[at - 1] == b'b' => raw_string(rest),
        [b'\'', b'\\', ..] => 3 + position(&rest[3.min(rest.len())..], b"'") + 1,
        [b'\'', ..] => character(rest),
        _ => 0,
    }
    .min(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn string(rest: &[u8], start: usize) -> usize {
    let mut at = start;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|&&byte| byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.extend(std::iter::repeat_n(b'#', hashes));
    let body = 2 + hashes;
    body + position(&rest[body..], &end) + end.len()
}

/// A character literal, as opposed to a lifetime.
fn character(rest: &[u8]) -> usize {
    let text = &rest[1..rest.len().min(6)];
    let close = text.iter().position(|&byte| byte == b'\'');
    match close {
        Some(close) if close == 1 || (close > 1 && text[0] >= 0x80) => close + 2,
        _ => 0,
    }
}

/// Where `needle` starts in `rest`, or its length.
fn position(rest: &[u8], needle: &[u8]) -> usize {
    rest.windows(needle.len())
        .position(|window| window == needle)
        .unwrap_or(rest.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_is_kept() {
        let cases = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x\"y", 1)"#, "f(      , 1)"),
            (r###"f(r#"x"y"#, 1)"###, "f(        , 1)"),
            ("f('\"', 'é', b)", "f(   ,     , b)"),
            (r"f('\'', '\u{1F600}', b)", "f(    ,            , b)"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("for r#type in r {}", "for r#type in r {}"),
        ];
        for (text, expected) in cases {
            assert_eq!(blank(text), expected, "{text}");
        }
    }

    #[test]
    fn unfinished_source_is_blanked_to_its_end() {
        for text in ["\"abc", "/* abc", "r#\"abc", "'\\", "'"] {
            assert_eq!(blank(text).len(), text.len(), "{text}");
        }
    }
}
