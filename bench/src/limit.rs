//! The machine's own limits: the bytes that the log would write, written by a bare loop.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nearfield::Durability;
use xxhash_rust::xxh3::xxh3_64;

use crate::Result;
use crate::place::Place;
use crate::workload::Pool;

const FILE_BYTES: u64 = 64 << 20;
const HEADER_BYTES: usize = 128;
const ALIGNMENT: usize = 64;
const ZEROS: usize = 1 << 20;

/// Files for the records of one run.
#[derive(Debug)]
pub(crate) struct Files {
    files: Vec<File>,
    per_file: usize,
}

/// Bytes of a record of `batch` points with numbers for ids: as large as the log's.
pub(crate) fn record_bytes(batch: usize, dimension: usize) -> usize {
    (HEADER_BYTES + batch * 8).next_multiple_of(ALIGNMENT)
        + (batch * dimension * 4).next_multiple_of(ALIGNMENT)
}

impl Files {
    /// Files for `records` records in the new folder `path`: for `sync` full of zeros that are
    /// on disk, for `os` empty.
    pub(crate) fn prepare(
        place: &Place,
        path: &Path,
        records: usize,
        record_bytes: usize,
        durability: Durability,
    ) -> Result<Files> {
        std::fs::create_dir_all(path)?;
        let per_file = (FILE_BYTES as usize / record_bytes).max(1);
        let bytes = per_file * record_bytes;
        let zeros = vec![0; ZEROS];
        let mut files = Vec::new();
        for number in 0..records.div_ceil(per_file) {
            let mut options = OpenOptions::new();
            let file = options
                .read(true)
                .write(true)
                .create_new(true)
                .open(path.join(number.to_string()))?;
            if durability == Durability::Sync {
                for at in (0..bytes).step_by(ZEROS) {
                    file.write_all_at(&zeros[..ZEROS.min(bytes - at)], at as u64)?;
                }
                file.sync_data()?;
            }
            files.push(file);
        }
        place.settle()?;
        Ok(Files { files, per_file })
    }

    /// Writes one record and, for `sync`, waits for the disk.
    fn write(
        &self,
        number: usize,
        parts: &[&[u8]],
        record_bytes: usize,
        durability: Durability,
    ) -> Result<()> {
        let file = &self.files[number / self.per_file];
        let offset = (number % self.per_file * record_bytes) as u64;
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if rustix::io::pwritev(file, &slices, offset)? != length {
            return Err("a write was cut short".into());
        }
        if durability == Durability::Sync {
            file.sync_data()?;
        }
        Ok(())
    }
}

/// Writes records until all are written or `until` has passed; gives when each was done, from the
/// first's start.
pub(crate) fn write_all(
    files: &Files,
    pool: &Pool,
    records: usize,
    batch: usize,
    durability: Durability,
    until: Duration,
) -> Result<Vec<Duration>> {
    let record_bytes = record_bytes(batch, pool.dimension);
    let ids: Vec<u64> = (0..batch as u64).collect();
    let ids: &[u8] = bytemuck::cast_slice(&ids);
    let padding = [0; ALIGNMENT];
    let start = Instant::now();
    let mut ends = Vec::with_capacity(records);
    for number in 0..records {
        let matrix: &[u8] = bytemuck::cast_slice(pool.slice(number * batch, batch));
        let mut header = [0; HEADER_BYTES];
        for (to, checksum) in header
            .chunks_exact_mut(8)
            .zip([xxh3_64(ids), xxh3_64(matrix)])
        {
            to.copy_from_slice(&checksum.to_le_bytes());
        }
        let gap = |bytes: usize| &padding[..bytes.next_multiple_of(ALIGNMENT) - bytes];
        let parts = [
            &header[..],
            ids,
            gap(HEADER_BYTES + ids.len()),
            matrix,
            gap(matrix.len()),
        ];
        files.write(number, &parts, record_bytes, durability)?;
        ends.push(start.elapsed());
        if start.elapsed() > until {
            break;
        }
    }
    Ok(ends)
}
