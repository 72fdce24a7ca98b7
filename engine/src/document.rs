//! Small files that are replaced whole: a header with a checksum, then JSON.

use std::io::IoSlice;
use std::path::Path;

use nearfield_model::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::io::Io;
use crate::log::file::corruption;
use crate::storage;

const HEADER_BYTES: usize = 32;
const VERSION: u32 = 1;
/// No document grows beyond this.
const BODY_BYTES_MAX: u64 = 1 << 30;

/// Replaces the document at `path`, durably and in one step.
pub(crate) fn save(io: &dyn Io, path: &Path, magic: &[u8; 8], body: &impl Serialize) -> Result<()> {
    let body = serde_json::to_vec(body)
        .map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(magic);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&(body.len() as u64).to_le_bytes());
    let sum = checksum(&header, &body);
    header[24..].copy_from_slice(&sum.to_le_bytes());

    let temporary = path.with_extension("new");
    let directory = path.parent().unwrap_or(Path::new("."));
    let replaced = (|| {
        if io.exists(&temporary)? {
            io.remove(&temporary)?;
        }
        let file = io.create(&temporary)?;
        file.write_at(0, &[IoSlice::new(&header), IoSlice::new(&body)])?;
        file.sync_data()?;
        io.rename(&temporary, path)?;
        io.sync_directory(directory)
    })();
    replaced.map_err(|error| storage::error("write", path, &error))
}

/// Reads the document at `path`; `None` if there is none.
pub(crate) fn load<T: DeserializeOwned>(
    io: &dyn Io,
    path: &Path,
    magic: &[u8; 8],
) -> Result<Option<T>> {
    let fail = |error| storage::error("read", path, &error);
    if !io.exists(path).map_err(fail)? {
        return Ok(None);
    }
    let file = io.open(path).map_err(fail)?;
    let length = file.len().map_err(fail)?;
    let damaged = |offset| Err(corruption(path, offset, "the file"));
    if !(HEADER_BYTES as u64..=BODY_BYTES_MAX).contains(&length) {
        return damaged(length);
    }
    let mut header = [0; HEADER_BYTES];
    file.read_at(0, &mut header).map_err(fail)?;
    let mut body = vec![0; length as usize - HEADER_BYTES];
    file.read_at(HEADER_BYTES as u64, &mut body).map_err(fail)?;
    let sum = checksum(&header, &body).to_le_bytes();
    if header[..8] != *magic || header[24..] != sum {
        return damaged(0);
    }
    if header[8..12] != VERSION.to_le_bytes() {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} was written by a newer version; update this program",
                path.display()
            ),
        ));
    }
    match serde_json::from_slice(&body) {
        Ok(body) => Ok(Some(body)),
        Err(_) => damaged(HEADER_BYTES as u64),
    }
}

/// Over everything but itself.
fn checksum(header: &[u8; HEADER_BYTES], body: &[u8]) -> u64 {
    crate::log::record::checksum(&[&header[..24], body])
}
