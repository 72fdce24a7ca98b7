//! Fields out of a message.

use bytemuck::Pod;

use super::source::{Fault, Raw, Source, cut_off};

/// Columns grow by no more than this ahead of the bytes that arrive.
const STEP_BYTES: usize = 1 << 20;

impl<R: Raw> Source<R> {
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number that is a length or a limit.
    pub(super) fn size(&mut self) -> Result<usize, Fault> {
        let number = self.u64()?;
        usize::try_from(number).map_err(|_| Fault::malformed("a number is too large"))
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.take(&mut bytes)?;
        Ok(bytes)
    }

    /// A flag; other values than 0 and 1 are refused.
    pub(super) fn flag(&mut self) -> Result<bool, Fault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(Fault::malformed(format!("{other} is no flag"))),
        }
    }

    /// A text with its length before it.
    pub(super) fn text(&mut self) -> Result<String, Fault> {
        let length = self.u32()? as usize;
        self.chars(length)
    }

    /// The rest of the message as text.
    pub(crate) fn rest(&mut self) -> Result<String, Fault> {
        self.chars(self.left())
    }

    fn chars(&mut self, length: usize) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        self.column(length, &mut bytes)?;
        bytes.truncate(length);
        String::from_utf8(bytes).map_err(|_| not_utf8())
    }

    /// `count` words, into the start of `to`, which grows if it is too short. What is behind them
    /// is left from before.
    pub(super) fn column<'t, T: Pod>(
        &mut self,
        count: usize,
        to: &'t mut Vec<T>,
    ) -> Result<&'t [T], Fault> {
        let bytes = count.checked_mul(size_of::<T>());
        if bytes.is_none_or(|bytes| bytes > self.left()) {
            return Err(cut_off());
        }
        let mut done = 0;
        while done < count {
            let step = (STEP_BYTES / size_of::<T>()).max(done);
            let until = count.min(to.len().max(done + step));
            if to.len() < until {
                to.resize(until, T::zeroed());
            }
            self.take(bytemuck::cast_slice_mut(&mut to[done..until]))?;
            done = until;
        }
        Ok(&to[..count])
    }

    /// Refuses bytes that are left.
    pub(super) fn end(&self) -> Result<(), Fault> {
        match self.left() {
            0 => Ok(()),
            left => Err(Fault::malformed(format!(
                "there are {left} bytes behind the message"
            ))),
        }
    }
}

pub(super) fn not_utf8() -> Fault {
    Fault::malformed("a text is not UTF-8")
}
