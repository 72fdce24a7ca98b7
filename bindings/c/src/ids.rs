//! Ids as C gives them: numbers, texts, or both.

use std::ffi::c_char;

use client::{Error, Id, Ids, Result};

use crate::memory::{slice, texts};

/// The ids of a batch. Set `numbers`, or `texts`, or both where a batch has both kinds: then a
/// row whose text is NULL has the number.
///
/// A text has 1 to 512 bytes of UTF-8; one in the canonical form of a UUID (lower case, with
/// hyphens) is that UUID. Members that are not used are NULL.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct nf_ids {
    /// `count` numbers, or NULL.
    pub numbers: *const u64,
    /// `count` texts, or NULL.
    pub texts: *const *const c_char,
    /// The length of each text in bytes, or NULL if each ends with NUL.
    pub lengths: *const usize,
    /// How many ids there are: 1 to 1,048,576 (2^20).
    pub count: usize,
}

impl nf_ids {
    /// The ids, numbers borrowed.
    ///
    /// # Safety
    /// The arrays that are not NULL hold `count` elements, and each text its bytes.
    pub(crate) unsafe fn read<'a>(&'a self) -> Result<Ids<'a>> {
        let numbers = match self.numbers.is_null() {
            true => None,
            // SAFETY: the caller's promise.
            false => Some(unsafe { slice(self.numbers, self.count, "ids") }?),
        };
        if self.texts.is_null() {
            return match numbers {
                Some(numbers) => Ok(Ids::from(numbers)),
                None if self.count == 0 => Ok(Ids::from(&[][..] as &[u64])),
                None => Err(Error::invalid("neither numbers nor texts are given").in_field("ids")),
            };
        }
        // SAFETY: the caller's promise.
        let texts = unsafe { texts(self.texts, self.lengths, self.count, "ids") }?.enumerate();
        let ids = texts.map(|(row, text)| match (text?, numbers) {
            (Some(text), _) => Ok(Id::from(text)),
            (None, Some(numbers)) => Ok(Id::from(numbers[row])),
            (None, None) => Err(Error::invalid(
                "the text is NULL and there is no number in its place",
            )
            .at_row(row)
            .in_field("ids")),
        });
        Ok(Ids::from(ids.collect::<Result<Vec<Id>>>()?))
    }
}
