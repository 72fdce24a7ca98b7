//! Memory of callers: read and written here alone, after a look at each pointer.

use std::ffi::{CStr, c_char};

use client::{Error, Result};

/// `count` elements from `start` on. NULL is fine for none.
///
/// # Safety
/// If `start` is neither NULL nor misaligned, `count` elements can be read there for `'a`, and
/// nobody writes to them meanwhile.
pub(crate) unsafe fn slice<'a, T>(
    start: *const T,
    count: usize,
    field: &'static str,
) -> Result<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    check(start, count, field)?;
    // SAFETY: not NULL, aligned, and within the address space; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(start, count) })
}

/// One value.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn one<'a, T>(place: *const T, field: &'static str) -> Result<&'a T> {
    check(place, 1, field)?;
    // SAFETY: not NULL and aligned; the rest is the caller's promise.
    Ok(unsafe { &*place })
}

/// `count` elements from `start` on, to be written.
///
/// # Safety
/// As [`slice`], and nobody else reads or writes them for `'a`.
pub(crate) unsafe fn slice_mut<'a, T>(
    start: *mut T,
    count: usize,
    field: &'static str,
) -> Result<&'a mut [T]> {
    if count == 0 {
        return Ok(&mut []);
    }
    check(start, count, field)?;
    // SAFETY: as in `slice`.
    Ok(unsafe { std::slice::from_raw_parts_mut(start, count) })
}

/// A matrix of `rows` by `columns`.
///
/// # Safety
/// As [`slice`].
pub(crate) unsafe fn matrix<'a>(
    start: *const f32,
    rows: usize,
    columns: usize,
    field: &'static str,
) -> Result<&'a [f32]> {
    let count = rows
        .checked_mul(columns)
        .ok_or_else(|| too_many(rows, field))?;
    // SAFETY: the caller's promise.
    unsafe { slice(start, count, field) }
}

/// A place for one value.
///
/// # Safety
/// If `place` is neither NULL nor misaligned, one value can be written there for `'a`.
pub(crate) unsafe fn out<'a, T>(place: *mut T, field: &'static str) -> Result<Out<'a, T>> {
    check(place, 1, field)?;
    Ok(Out(place, std::marker::PhantomData))
}

/// A place for one value, or none where the pointer is NULL.
///
/// # Safety
/// As [`out`].
pub(crate) unsafe fn out_or_none<'a, T>(
    place: *mut T,
    field: &'static str,
) -> Result<Option<Out<'a, T>>> {
    if place.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { out(place, field) }.map(Some)
}

/// A checked place for one value, which may hold none yet.
pub(crate) struct Out<'a, T>(*mut T, std::marker::PhantomData<&'a mut T>);

impl<T> Out<'_, T> {
    pub(crate) fn set(self, value: T) {
        // SAFETY: `out` checked the place, and its caller promised that it can be written.
        unsafe { self.0.write(value) }
    }
}

/// A text that ends with NUL.
///
/// # Safety
/// If `start` is not NULL, bytes up to a NUL can be read there for `'a`, and nobody writes to
/// them meanwhile.
pub(crate) unsafe fn text<'a>(start: *const c_char, field: &'static str) -> Result<&'a str> {
    check(start, 1, field)?;
    // SAFETY: not NULL; the rest is the caller's promise.
    utf8(unsafe { CStr::from_ptr(start) }.to_bytes(), field)
}

/// A text that ends with NUL, or none where the pointer is NULL.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn text_or_none<'a>(
    start: *const c_char,
    field: &'static str,
) -> Result<Option<&'a str>> {
    if start.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { text(start, field) }.map(Some)
}

/// The texts of an array of `count`, each of its length, or up to its NUL where `lengths` is
/// NULL; none for a text that is NULL.
///
/// # Safety
/// As [`slice`] for both arrays, and as [`slice`] or [`text`] for each text.
pub(crate) unsafe fn texts<'a>(
    texts: *const *const c_char,
    lengths: *const usize,
    count: usize,
    field: &'static str,
) -> Result<impl Iterator<Item = Result<Option<&'a str>>>> {
    // SAFETY: the caller's promise.
    let (texts, lengths) = unsafe {
        let lengths = match lengths.is_null() {
            true => &[],
            false => slice::<usize>(lengths, count, field)?,
        };
        (slice::<*const c_char>(texts, count, field)?, lengths)
    };
    Ok(texts.iter().enumerate().map(move |(row, &start)| {
        if start.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        let text = unsafe {
            match lengths.get(row) {
                Some(&length) => {
                    slice(start.cast(), length, field).and_then(|bytes| utf8(bytes, field))
                }
                None => self::text(start, field),
            }
        };
        text.map(Some).map_err(|error| error.at_row(row))
    }))
}

fn utf8<'a>(bytes: &'a [u8], field: &'static str) -> Result<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|error| Error::invalid(format!("the text is not UTF-8: {error}")).in_field(field))
}

fn check<T>(start: *const T, count: usize, field: &'static str) -> Result<()> {
    if start.is_null() {
        return Err(Error::invalid("the pointer is NULL").in_field(field));
    }
    if !start.is_aligned() {
        let needed = align_of::<T>();
        return Err(
            Error::invalid(format!("the pointer is not aligned to {needed} bytes")).in_field(field),
        );
    }
    match count.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(too_many(count, field)),
    }
}

fn too_many(count: usize, field: &'static str) -> Error {
    Error::too_large(format!("{count} are more than memory can hold")).in_field(field)
}

/// A structure that grows in later versions.
///
/// # Safety
/// It is `repr(C)`, starts with its size as a `usize`, and any bytes make a value of it.
pub(crate) unsafe trait Grows: Copy {
    const NAME: &'static str;
}

/// The options at `start`, as this version knows them, or none where it is NULL: what an older
/// program does not have is zero, and what this version does not know has to be.
///
/// # Safety
/// If `start` is neither NULL nor misaligned, a size can be read there, and so many bytes.
pub(crate) unsafe fn options<T: Grows>(start: *const T) -> Result<Option<T>> {
    if start.is_null() {
        return Ok(None);
    }
    check(start, 1, T::NAME)?;
    // SAFETY: the first member is the size.
    let size = unsafe { start.cast::<usize>().read() };
    if size < size_of::<usize>() || size > OPTIONS_BYTES_MAX {
        return Err(wrong_size(size, T::NAME));
    }
    // SAFETY: the caller's promise.
    let given = unsafe { std::slice::from_raw_parts(start.cast::<u8>(), size) };
    let (known, unknown) = given.split_at(size.min(size_of::<T>()));
    if unknown.iter().any(|byte| *byte != 0) {
        return Err(Error::new(
            client::ErrorKind::Unsupported,
            "an option of a later version is set; update this library, or leave it zero",
        )
        .in_field(T::NAME));
    }
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: `known` is at most as long as `T`, any bytes make a `T`, and zeros fill the rest.
    unsafe {
        std::ptr::copy_nonoverlapping(known.as_ptr(), value.as_mut_ptr().cast(), known.len());
        Ok(Some(value.assume_init()))
    }
}

/// Copies a value into a structure of the caller's that starts with its size, as far as it reaches.
///
/// # Safety
/// If `place` is neither NULL nor misaligned, a size can be read there, and so many bytes written;
/// a `T` is `repr(C)`, starts with its size, and has no bytes without a value.
pub(crate) unsafe fn fill<T>(place: *mut T, value: &T, field: &'static str) -> Result<()> {
    check(place, 1, field)?;
    // SAFETY: the first member is the size.
    let size = unsafe { place.cast::<usize>().read() };
    if size < size_of::<usize>() || size > OPTIONS_BYTES_MAX {
        return Err(wrong_size(size, field));
    }
    let head = size_of::<usize>();
    let rest = size.min(size_of::<T>()) - head;
    // SAFETY: within what both have; the size itself stays as the caller set it.
    unsafe {
        let from = std::ptr::from_ref(value).cast::<u8>().add(head);
        std::ptr::copy_nonoverlapping(from, place.cast::<u8>().add(head), rest);
    }
    Ok(())
}

fn wrong_size(size: usize, field: &'static str) -> Error {
    Error::invalid(format!(
        "the member size is {size}; start from the _INIT macro, which sets it"
    ))
    .in_field(field)
}

/// More than any structure of options has, so that a size that was not set is noticed.
const OPTIONS_BYTES_MAX: usize = 4_096;
