//! NumPy's `.npy` files, formats 1.0 to 3.0, read row by row.
//!
//! ```text
//! "\x93NUMPY"  major u8  minor u8  header length (u16, from 2.0 on u32)
//! header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
//! data: rows in C order, without gaps
//! ```

mod element;
mod header;

use std::io::{self, Read, Seek, SeekFrom};

use nearfield::Id;

use crate::failure::{Failure, Outcome};
use crate::show::number;

pub(crate) use header::header;

use element::Element;
use header::Header;

/// Bytes of a header, at most. NumPy's own take 128.
const HEADER_BYTES_MAX: u64 = 1 << 16;
/// Bytes that are read at once.
const CHUNK_BYTES_MAX: u64 = 1 << 20;

/// An open array.
#[derive(Debug)]
pub(crate) struct Npy<R> {
    reader: R,
    element: Element,
    shape: Vec<u64>,
    data_start: u64,
    next_row: u64,
}

impl<R: Read + Seek> Npy<R> {
    /// Reads the header and compares the size of the data with it.
    pub(crate) fn open(mut reader: R) -> Outcome<Self> {
        let mut magic = [0; 8];
        read_exact(&mut reader, &mut magic)?;
        if magic[..6] != *b"\x93NUMPY" {
            return Err(
                Failure::input("it is not a .npy file (the first bytes are others)")
                    .hint("write one with numpy.save(\"vectors.npy\", array)"),
            );
        }
        let length = match magic[6] {
            1 => {
                let mut length = [0; 2];
                read_exact(&mut reader, &mut length)?;
                u64::from(u16::from_le_bytes(length))
            }
            2 | 3 => {
                let mut length = [0; 4];
                read_exact(&mut reader, &mut length)?;
                u64::from(u32::from_le_bytes(length))
            }
            major => {
                return Err(Failure::input(format!(
                    "it is a .npy file of format {major}, and formats 1 to 3 are known"
                )));
            }
        };
        if length > HEADER_BYTES_MAX {
            return Err(Failure::input(format!(
                "its header claims {} bytes, so the file is damaged",
                number(length)
            )));
        }
        let mut header = vec![0; length as usize];
        read_exact(&mut reader, &mut header)?;
        let header = Header::parse(&String::from_utf8_lossy(&header))?;
        let data_start = if magic[6] == 1 { 10 } else { 12 } + length;
        let npy = Npy {
            reader,
            element: header.element,
            shape: header.shape,
            data_start,
            next_row: 0,
        };
        npy.check_size()
    }

    fn check_size(mut self) -> Outcome<Self> {
        let end = self.reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let there = end.saturating_sub(self.data_start);
        let row_bytes = self.row_bytes()?;
        let needed = row_bytes.checked_mul(self.rows()).ok_or_else(too_much)?;
        if there < needed {
            return Err(Failure::input(format!(
                "it is cut off: the header names {} rows, and {} are there",
                number(self.rows()),
                number(there / row_bytes.max(1))
            ))
            .hint("copy or save it again"));
        }
        if there > needed {
            return Err(Failure::input(format!(
                "{} bytes follow after the array",
                number(there - needed)
            ))
            .hint("save one array per file"));
        }
        self.seek_row(0)?;
        Ok(self)
    }

    /// The first length of the shape; 1 for a single number.
    pub(crate) fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Elements of a row: the product of the other lengths.
    pub(crate) fn row_len(&self) -> Outcome<u64> {
        self.shape
            .iter()
            .skip(1)
            .try_fold(1_u64, |product, length| product.checked_mul(*length))
            .ok_or_else(too_much)
    }

    /// How many lengths the shape has.
    pub(crate) fn dimensions(&self) -> usize {
        self.shape.len()
    }

    /// Takes an array of one dimension as rows of `length`.
    pub(crate) fn reshape(&mut self, length: u64) -> Outcome {
        let all = self.rows();
        if length == 0 || !all.is_multiple_of(length) {
            return Err(Failure::input(format!(
                "{} numbers in one dimension do not make vectors of {}",
                number(all),
                number(length)
            )));
        }
        self.shape = vec![all / length, length];
        Ok(())
    }

    /// Whether the elements are numbers.
    pub(crate) fn is_numeric(&self) -> bool {
        self.element.is_numeric()
    }

    fn row_bytes(&self) -> Outcome<u64> {
        self.row_len()?
            .checked_mul(self.element.bytes)
            .ok_or_else(too_much)
    }

    /// Goes on at `row`.
    pub(crate) fn seek_row(&mut self, row: u64) -> Outcome {
        let place = self
            .row_bytes()?
            .checked_mul(row)
            .and_then(|offset| offset.checked_add(self.data_start))
            .ok_or_else(too_much)?;
        self.reader
            .seek(SeekFrom::Start(place))
            .map_err(unreadable)?;
        self.next_row = row;
        Ok(())
    }

    /// Appends the next `rows` rows (fewer at the end) to `values`, and tells how many.
    pub(crate) fn read_values(&mut self, rows: u64, values: &mut Vec<f32>) -> Outcome<u64> {
        let element = self.element;
        self.read_rows(rows, |bytes| element.append_values(bytes, values))
    }

    /// Appends the next `rows` ids (fewer at the end) to `ids`, and tells how many.
    pub(crate) fn read_ids(&mut self, rows: u64, ids: &mut Vec<Id>) -> Outcome<u64> {
        let first = self.next_row;
        let before = ids.len();
        let element = self.element;
        let mut fault = None;
        let read = self.read_rows(rows, |bytes| {
            for bytes in bytes.chunks_exact(element.bytes.max(1) as usize) {
                if fault.is_some() {
                    break;
                }
                match element.id(bytes) {
                    Ok(id) => ids.push(id),
                    Err(problem) => {
                        let row = first + (ids.len() - before) as u64;
                        fault = Some(Failure::input(format!("row {}: {problem}", number(row))));
                    }
                }
            }
        })?;
        fault.map_or(Ok(read), Err)
    }

    fn read_rows(&mut self, rows: u64, mut take: impl FnMut(&[u8])) -> Outcome<u64> {
        let rows = rows.min(self.rows().saturating_sub(self.next_row));
        let mut left = self.row_bytes()?.checked_mul(rows).ok_or_else(too_much)?;
        // A whole number of elements, so that none is cut in two.
        let chunk = (CHUNK_BYTES_MAX / self.element.bytes.max(1)).max(1) * self.element.bytes;
        let mut bytes = vec![0; left.min(chunk) as usize];
        while left > 0 {
            let step = left.min(chunk);
            let bytes = &mut bytes[..step as usize];
            read_exact(&mut self.reader, bytes)?;
            take(bytes);
            left -= step;
        }
        self.next_row += rows;
        Ok(rows)
    }
}

fn too_much() -> Failure {
    Failure::input("its header names more elements than any machine holds, so the file is damaged")
}

fn read_exact(reader: &mut impl Read, bytes: &mut [u8]) -> Outcome {
    reader
        .read_exact(bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Failure::input("it is cut off").hint("copy or save it again")
            }
            _ => unreadable(error),
        })
}

fn unreadable(error: io::Error) -> Failure {
    Failure::input(format!("cannot read it: {error}"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// A file with any header.
    pub(crate) fn file(major: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([major, 0]);
        match major {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn dictionary(descr: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}   \n")
    }

    fn values(major: u8, descr: &str, shape: &str, data: &[u8]) -> Vec<f32> {
        let bytes = file(major, &dictionary(descr, "False", shape), data);
        let mut npy = Npy::open(Cursor::new(bytes)).unwrap();
        let mut values = Vec::new();
        while npy.read_values(2, &mut values).unwrap() > 0 {}
        values
    }

    fn refusal(bytes: Vec<u8>) -> String {
        Npy::open(Cursor::new(bytes))
            .unwrap_err()
            .message()
            .to_owned()
    }

    #[test]
    fn every_number_type_is_read() {
        let floats: Vec<u8> = [1.5_f32, -2.0, 0.25]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        assert_eq!(values(1, "<f4", "(3, 1)", &floats), [1.5, -2.0, 0.25]);
        assert_eq!(values(2, "<f4", "(1, 3)", &floats), [1.5, -2.0, 0.25]);
        assert_eq!(values(3, "<f4", "(3,)", &floats), [1.5, -2.0, 0.25]);
        let doubles: Vec<u8> = [1.5_f64, 1e300]
            .iter()
            .flat_map(|n| n.to_be_bytes())
            .collect();
        assert_eq!(values(1, ">f8", "(2, 1)", &doubles), [1.5, f32::INFINITY]);
        let halves: Vec<u8> = [0x3c00_u16, 0xc000]
            .iter()
            .flat_map(|n| n.to_le_bytes())
            .collect();
        assert_eq!(values(1, "<f2", "(1, 2)", &halves), [1.0, -2.0]);
        assert_eq!(values(1, "|i1", "(1, 2)", &[0x80, 0x7f]), [-128.0, 127.0]);
        assert_eq!(values(1, "|u1", "(1, 2)", &[0x80, 0x7f]), [128.0, 127.0]);
        assert_eq!(values(1, "|b1", "(1, 2)", &[0, 1]), [0.0, 1.0]);
        assert_eq!(values(1, ">i2", "(1, 1)", &[0xff, 0xfe]), [-2.0]);
        assert_eq!(values(1, "<i8", "(1, 1)", &(-7_i64).to_le_bytes()), [-7.0]);
        assert_eq!(values(1, "<u4", "(1L, 1L)", &7_u32.to_le_bytes()), [7.0]);
    }

    #[test]
    fn own_headers_are_read_and_have_one_length() {
        for (rows, row_len) in [(0, Some(3)), (u64::MAX, None), (u64::MAX, Some(65_536))] {
            let bytes = header("<f4", rows, row_len);
            assert_eq!(bytes.len(), 128);
            let parsed = Header::parse(std::str::from_utf8(&bytes[10..]).unwrap()).unwrap();
            assert_eq!(parsed.shape[0], rows);
        }
    }

    #[test]
    fn rows_can_be_passed_over_and_flat_arrays_folded() {
        let bytes = file(1, &dictionary("|u1", "False", "(6,)"), &[1, 2, 3, 4, 5, 6]);
        let mut npy = Npy::open(Cursor::new(bytes)).unwrap();
        assert!(npy.reshape(4).is_err());
        npy.reshape(2).unwrap();
        npy.seek_row(2).unwrap();
        let mut values = Vec::new();
        assert_eq!(npy.read_values(10, &mut values).unwrap(), 1);
        assert_eq!(values, [5.0, 6.0]);
    }

    #[test]
    fn ids_are_numbers_or_text() {
        let ids = |descr: &str, shape: &str, data: &[u8]| {
            let bytes = file(1, &dictionary(descr, "False", shape), data);
            let mut ids = Vec::new();
            Npy::open(Cursor::new(bytes))
                .unwrap()
                .read_ids(9, &mut ids)
                .map(|_| ids)
        };
        assert_eq!(
            ids("<i4", "(1,)", &7_i32.to_le_bytes()).unwrap(),
            [Id::U64(7)]
        );
        assert_eq!(ids(">u2", "(1,)", &[1, 2]).unwrap(), [Id::U64(258)]);
        assert!(ids("<i4", "(1,)", &(-7_i32).to_le_bytes()).is_err());
        assert_eq!(
            ids("|S3", "(2,)", b"ab\0cde").unwrap(),
            [Id::from("ab"), Id::from("cde")]
        );
        let text: Vec<u8> = ['é', '\0']
            .iter()
            .flat_map(|c| (*c as u32).to_le_bytes())
            .collect();
        assert_eq!(ids("<U2", "(1,)", &text).unwrap(), [Id::from("é")]);
        assert!(ids("<f4", "(1,)", &[0; 4]).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_a_way_out() {
        let c = |descr: &str, shape: &str, data: &[u8]| {
            refusal(file(1, &dictionary(descr, "False", shape), data))
        };
        assert!(c("<f4", "(2, 2)", &[0; 15]).contains("cut off"));
        assert!(c("<f4", "(2, 2)", &[0; 17]).contains("1 bytes follow"));
        assert!(c("|O", "(2,)", &[]).contains("Python objects"));
        assert!(c("<c8", "(1, 1)", &[0; 8]).contains("c8"));
        assert!(c("|V2", "(1, 1)", &[0; 2]).contains("V2"));
        assert!(c("<f4", "(9999999999999999999, 9999999999)", &[]).contains("more elements"));
        let fortran = refusal(file(1, &dictionary("<f4", "True", "(2, 2)"), &[0; 16]));
        assert!(fortran.contains("column by column"));
        let structured = "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,), }";
        assert!(refusal(file(1, structured, &[0; 4])).contains("structured"));
        assert!(refusal(b"PK\x03\x04 an npz archive".to_vec()).contains("not a .npy"));
        assert!(refusal(b"\x93NUM".to_vec()).contains("cut off"));
        assert!(refusal(file(9, "", &[])).contains("format 9"));
        assert!(refusal(file(2, "", &[])).contains("damaged"));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(major in 0_u8..5, header in ".{0,80}", data: Vec<u8>) {
            if let Ok(mut npy) = Npy::open(Cursor::new(file(major, &header, &data))) {
                let _ = npy.read_values(3, &mut Vec::new());
            }
            let _ = Npy::open(Cursor::new(data));
        }

        #[test]
        fn damaged_headers_are_refused_without_a_panic(
            descr in "[<>|=]?[fiubUSOV]?[0-9]{0,6}",
            shape in "\\(?[0-9]{0,20}[,L ]{0,2}[0-9]{0,20}\\)?",
            place in 0_usize..80,
            byte: u8,
            data in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let mut bytes = file(1, &dictionary(&descr, "False", &shape), &data);
            for place in [None, Some(place)] {
                if let Some(byte_at) = place.and_then(|place| bytes.get_mut(place)) {
                    *byte_at = byte;
                }
                if let Ok(mut npy) = Npy::open(Cursor::new(bytes.clone())) {
                    let _ = npy.read_values(3, &mut Vec::new());
                    let _ = npy.seek_row(0);
                    let _ = npy.read_ids(3, &mut Vec::new());
                }
            }
        }
    }
}
