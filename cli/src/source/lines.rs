//! A text file, line by line. Lines have a largest size, so that a file of another kind does
//! not fill the memory.

use std::io::{BufRead, Read};

use crate::failure::{Failure, Outcome};
use crate::show::number;

/// Bytes of a line, at most: a vector of the largest dimension with the largest metadata fits.
const LINE_BYTES_MAX: u64 = 8 << 20;

/// The lines of a file.
pub(crate) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`, from its first on.
    pub(crate) fn new(reader: R) -> Self {
        Lines {
            reader,
            line: Vec::new(),
            number: 0,
            bytes: 0,
        }
    }

    /// The next line without its end; `None` after the last.
    pub(crate) fn next(&mut self) -> Outcome<Option<&str>> {
        if !self.read()? {
            return Ok(None);
        }
        let line = std::str::from_utf8(&self.line).map_err(|_| {
            Failure::input(format!(
                "line {}: it is not UTF-8 text",
                number(self.number)
            ))
        })?;
        let line = match self.number {
            1 => line.strip_prefix('\u{feff}').unwrap_or(line),
            _ => line,
        };
        Ok(Some(line.trim_end_matches(['\n', '\r'])))
    }

    /// Passes over the next line. Tells whether it holds anything but blanks; `None` after
    /// the last.
    pub(crate) fn skip(&mut self) -> Outcome<Option<bool>> {
        Ok(self
            .read()?
            .then(|| self.line.iter().any(|byte| !byte.is_ascii_whitespace())))
    }

    fn read(&mut self) -> Outcome<bool> {
        self.line.clear();
        let read = self
            .reader
            .by_ref()
            .take(LINE_BYTES_MAX + 1)
            .read_until(b'\n', &mut self.line)
            .map_err(|error| Failure::input(format!("cannot read it: {error}")))?
            as u64;
        if read > 0 {
            self.number += 1;
            self.bytes += read;
        }
        if read > LINE_BYTES_MAX {
            return Err(Failure::input(format!(
                "line {} has more than {} bytes",
                number(self.number),
                number(LINE_BYTES_MAX)
            ))
            .hint("put one point on each line"));
        }
        Ok(read > 0)
    }

    /// The number of the line read last, counted from 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_marks_and_limits_of_lines() {
        let mut lines = Lines::new("\u{feff}a\r\n\n  \nb".as_bytes());
        assert_eq!(lines.next().unwrap(), Some("a"));
        assert_eq!(lines.skip().unwrap(), Some(false));
        assert_eq!(lines.skip().unwrap(), Some(false));
        assert_eq!(lines.next().unwrap(), Some("b"));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.skip().unwrap(), None);
        assert_eq!((lines.number(), lines.bytes()), (4, 11));

        let long = vec![b'x'; LINE_BYTES_MAX as usize + 9];
        assert!(Lines::new(&long[..]).next().is_err());
        assert!(Lines::new(&b"\xff\n"[..]).next().is_err());
    }
}
