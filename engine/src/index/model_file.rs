//! A model as a file; `docs/format.md` draws it.
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nearfield_model::{Metric, Result};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::Rotation;
use super::model::{LISTS_MAX, Model};
use crate::io::Io;
use crate::kernel::{Floats, TILE};
use crate::log::file::corruption;
use crate::storage;

const MAGIC: [u8; 8] = *b"NFMODEL\x01";
const HEADER_BYTES: usize = 64;

/// The file of an epoch's model.
pub(crate) fn path(directory: &Path, epoch: u64) -> PathBuf {
    directory.join(format!("{epoch:010}.model"))
}

/// Writes a model and syncs it; gives its bytes.
pub(crate) fn write(io: &dyn Io, directory: &Path, mark: &[u8; 16], model: &Model) -> Result<u64> {
    let path = path(directory, model.epoch);
    let fail = |error| storage::error("write", &path, &error);
    let mut bytes = header(mark, model.epoch, model.trained_rows);
    bytes.extend_from_slice(&(model.padded() as u32).to_le_bytes());
    bytes.extend_from_slice(&(model.lists() as u32).to_le_bytes());
    bytes.extend_from_slice(&(model.cell_ends().len() as u32).to_le_bytes());
    bytes.resize(HEADER_BYTES, 0);
    // Only little-endian machines are built for.
    let parts: [&[u8]; 4] = [
        &bytes,
        bytemuck::cast_slice(model.cell_ends()),
        bytemuck::cast_slice(model.cell_centroids()),
        bytemuck::cast_slice(model.centroids()),
    ];
    let mut sum = Xxh3::new();
    parts.iter().for_each(|part| sum.update(part));
    let sum = sum.digest().to_le_bytes();
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let [a, b, c, d] = parts.map(IoSlice::new);
    if io.exists(&path).map_err(fail)? {
        io.remove(&path).map_err(fail)?;
    }
    let file = io.create(&path).map_err(fail)?;
    file.write_at(0, &[a, b, c, d, IoSlice::new(&sum)])
        .map_err(fail)?;
    file.sync_data().map_err(fail)?;
    io.sync_directory(directory).map_err(fail)?;
    Ok(length as u64 + 8)
}

fn header(mark: &[u8; 16], epoch: u64, trained_rows: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(mark);
    bytes.extend_from_slice(&epoch.to_le_bytes());
    bytes.extend_from_slice(&trained_rows.to_le_bytes());
    bytes
}

/// Reads the model of an epoch.
///
/// # Errors
/// `Corruption` if it is not what was written, `Storage` if it cannot be read.
pub(crate) fn read(
    io: &dyn Io,
    directory: &Path,
    mark: &[u8; 16],
    epoch: u64,
    metric: Metric,
    rotation: &Arc<Rotation>,
) -> Result<Model> {
    let path = path(directory, epoch);
    let fail = |error| storage::error("read", &path, &error);
    let file = io.open(&path).map_err(fail)?;
    let length = usize::try_from(file.len().map_err(fail)?).unwrap_or(usize::MAX);
    let padded = rotation.padded();
    let bytes_max = HEADER_BYTES + 8 + LISTS_MAX * (8 + 8 * padded);
    let mut bytes = vec![0; length.min(bytes_max)];
    file.read_at(0, &mut bytes).map_err(fail)?;
    parse(&bytes, mark, epoch, metric, rotation)
        .ok_or_else(|| corruption(&path, 0, "the model of an index"))
}

fn parse(
    bytes: &[u8],
    mark: &[u8; 16],
    epoch: u64,
    metric: Metric,
    rotation: &Arc<Rotation>,
) -> Option<Model> {
    let (bytes, sum) = bytes.split_last_chunk::<8>()?;
    let (head, mut body) = bytes.split_at_checked(HEADER_BYTES)?;
    let trained_rows = u64::from_le_bytes(*head[32..].first_chunk()?);
    let own = header(mark, epoch, trained_rows);
    if xxh3_64(bytes).to_le_bytes() != *sum || head[..own.len()] != own[..] {
        return None;
    }
    let [padded, lists, cells] = *head[own.len()..].as_chunks::<4>().0.first_chunk::<3>()?;
    let [padded, lists, cells] = [padded, lists, cells].map(|n| u32::from_le_bytes(n) as usize);
    let sound = padded == rotation.padded()
        && lists.is_multiple_of(TILE)
        && (TILE..=LISTS_MAX).contains(&lists)
        && (1..=lists).contains(&cells)
        && body.len() == 4 * (cells + (cells + lists) * padded);
    if !sound {
        return None;
    }
    let mut numbers = |count: usize| {
        let (numbers, rest) = body.split_at(count * 4);
        body = rest;
        numbers.as_chunks::<4>().0
    };
    let ends: Vec<u32> = numbers(cells)
        .iter()
        .map(|n| u32::from_le_bytes(*n))
        .collect();
    let tiles = (lists / TILE) as u32;
    // Every cell has a tile at least.
    let ascend = ends[0] > 0 && ends.is_sorted_by(|a, b| a < b);
    if !ascend || ends.last() != Some(&tiles) {
        return None;
    }
    let mut floats = |count: usize| {
        let mut floats = Floats::zeros(count * padded);
        for (to, from) in floats.iter_mut().zip(numbers(count * padded)) {
            *to = f32::from_le_bytes(*from);
        }
        floats
    };
    let (cells, centroids) = (floats(cells), floats(lists));
    Some(Model::new(
        *mark,
        epoch,
        trained_rows,
        metric,
        rotation.clone(),
        centroids,
        cells,
        ends,
    ))
}
