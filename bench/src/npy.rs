//! NumPy's file format, version 1: matrices of `float32` and `uint8`, and `int32` for row numbers.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use crate::Result;

const MAGIC: &[u8] = b"\x93NUMPY";
/// Bytes that a file may hold; more is taken for a broken header.
const BYTES_MAX: u64 = 1 << 38;

/// A row-major matrix.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Matrix {
    pub(crate) values: Vec<f32>,
    pub(crate) columns: usize,
}

impl Matrix {
    pub(crate) fn rows(&self) -> usize {
        self.values.len() / self.columns.max(1)
    }

    pub(crate) fn row(&self, number: usize) -> &[f32] {
        &self.values[number * self.columns..][..self.columns]
    }
}

/// Reads a matrix as `f32`.
pub(crate) fn read(path: &Path) -> Result<Matrix> {
    let (kind, columns, bytes) = read_raw(path)?;
    let values = match kind.as_str() {
        "|u1" => bytes.iter().map(|byte| f32::from(*byte)).collect(),
        "<f4" => words(&bytes).map(f32::from_le_bytes).collect(),
        other => return Err(format!("{}: values of type {other}", path.display()).into()),
    };
    Ok(Matrix { values, columns })
}

/// Reads a matrix of row numbers: rows and columns.
pub(crate) fn read_numbers(path: &Path) -> Result<Vec<Vec<u32>>> {
    let (kind, columns, bytes) = read_raw(path)?;
    if kind != "<i4" {
        return Err(format!("{}: {kind} where row numbers are <i4", path.display()).into());
    }
    let numbers: Vec<u32> = words(&bytes)
        .map(|word| i32::from_le_bytes(word).max(0) as u32)
        .collect();
    Ok(numbers.chunks_exact(columns).map(<[u32]>::to_vec).collect())
}

fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.as_chunks().0.iter().copied()
}

/// The type, the columns and the bytes of a file.
fn read_raw(path: &Path) -> Result<(String, usize, Vec<u8>)> {
    let open = || -> Result<(String, usize, Vec<u8>)> {
        let mut file = BufReader::new(File::open(path)?);
        let mut start = [0; 10];
        file.read_exact(&mut start)?;
        if !start.starts_with(MAGIC) || start[6] != 1 {
            return Err("not a .npy file of version 1".into());
        }
        let mut header = vec![0; usize::from(u16::from_le_bytes([start[8], start[9]]))];
        file.read_exact(&mut header)?;
        let header = String::from_utf8(header)?;
        let (kind, rows, columns) = parse(&header).ok_or("its header is not that of a matrix")?;
        let width = if kind.ends_with('1') { 1 } else { 4 };
        let length = rows
            .checked_mul(columns)
            .and_then(|values| values.checked_mul(width))
            .filter(|length| *length <= BYTES_MAX)
            .ok_or("its header says that it is too large")?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err("it ends before its header says".into());
        }
        Ok((kind, columns as usize, bytes))
    };
    open().map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Type, rows and columns of a header such as
/// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`.
fn parse(header: &str) -> Option<(String, u64, u64)> {
    let after = |name: &str| header.split_once(name).map(|(_, rest)| rest);
    let kind = after("'descr':")?.split('\'').nth(1)?.to_owned();
    if !after("'fortran_order':")?.trim_start().starts_with("False") {
        return None;
    }
    let shape = after("'shape':")?.split_once('(')?.1.split_once(')')?.0;
    let sizes: Option<Vec<u64>> = shape
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(|size| size.parse().ok())
        .collect();
    match sizes?[..] {
        [rows, columns] if columns > 0 => Some((kind, rows, columns)),
        _ => None,
    }
}

/// Writes a matrix, as bytes if `bytes` says so: its values are then whole and at most 255.
pub(crate) fn write(path: &Path, matrix: &Matrix, bytes: bool) -> Result<()> {
    let kind = if bytes { "|u1" } else { "<f4" };
    let mut file = begin(path, kind, matrix.rows(), matrix.columns)?;
    for value in &matrix.values {
        if bytes {
            file.write_all(&[*value as u8])?;
        } else {
            file.write_all(&value.to_le_bytes())?;
        }
    }
    Ok(file.flush()?)
}

/// Writes a matrix of row numbers.
pub(crate) fn write_numbers(path: &Path, numbers: &[u32], columns: usize) -> Result<()> {
    let mut file = begin(path, "<i4", numbers.len() / columns.max(1), columns)?;
    for number in numbers {
        file.write_all(&i32::try_from(*number)?.to_le_bytes())?;
    }
    Ok(file.flush()?)
}

/// A new file with the header of a matrix.
fn begin(path: &Path, kind: &str, rows: usize, columns: usize) -> Result<BufWriter<File>> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut header =
        format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 11;
    header.extend(std::iter::repeat_n(' ', padded - header.len()));
    header.push('\n');
    file.write_all(MAGIC)?;
    file.write_all(&[1, 0])?;
    file.write_all(&(header.len() as u16).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let matrix = Matrix {
            values: vec![0.0, 1.0, 2.0, 255.0, 4.0, 5.0],
            columns: 3,
        };
        for bytes in [false, true] {
            write(&path, &matrix, bytes).unwrap();
            assert_eq!(read(&path).unwrap(), matrix);
        }
        write_numbers(&path, &[1, 2, 3, 4], 2).unwrap();
        assert_eq!(read_numbers(&path).unwrap(), [[1, 2], [3, 4]]);
        std::fs::write(&path, b"\x93NUMPY\x01\x00\x02\x00{}").unwrap();
        assert!(read(&path).is_err());
    }
}
