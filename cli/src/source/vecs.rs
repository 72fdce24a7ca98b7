//! The `.fvecs`, `.bvecs` and `.ivecs` files of the TEXMEX data sets: each row is its length
//! as an `i32`, then so many `f32`, `u8` or `i32`, all in little-endian order.

use std::io::{self, Read, Seek, SeekFrom};

use nearfield::limits::DIMENSION_MAX;

use crate::failure::{Failure, Outcome};
use crate::show::number;

/// What a row is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    /// `.fvecs`
    F32,
    /// `.bvecs`
    U8,
    /// `.ivecs`
    I32,
}

impl Component {
    fn bytes(self) -> u64 {
        match self {
            Component::U8 => 1,
            Component::F32 | Component::I32 => 4,
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) struct Vecs<R> {
    reader: R,
    component: Component,
    dimension: u64,
    rows: u64,
    next_row: u64,
}

impl<R: Read + Seek> Vecs<R> {
    /// Reads the length of the first row and compares the size of the file with it.
    pub(crate) fn open(mut reader: R, component: Component) -> Outcome<Self> {
        let end = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        if end == 0 {
            return Err(Failure::input("it is empty"));
        }
        let mut length = [0; 4];
        read_exact(&mut reader, &mut length)?;
        let dimension = u64::try_from(i32::from_le_bytes(length))
            .ok()
            .filter(|dimension| (1..=DIMENSION_MAX as u64).contains(dimension))
            .ok_or_else(|| {
                Failure::input(format!(
                    "its first row claims {} components; from 1 to {} are possible",
                    i32::from_le_bytes(length),
                    number(DIMENSION_MAX as u64)
                ))
                .hint("check that the ending of the name (.fvecs, .bvecs, .ivecs) says what the file is")
            })?;
        let row_bytes = 4 + dimension * component.bytes();
        if !end.is_multiple_of(row_bytes) {
            return Err(Failure::input(format!(
                "its {} bytes do not make rows of {} components; {} rows are whole",
                number(end),
                number(dimension),
                number(end / row_bytes)
            ))
            .hint("copy it again, and check that the ending of the name says what the file is"));
        }
        let mut vecs = Vecs {
            reader,
            component,
            dimension,
            rows: end / row_bytes,
            next_row: 0,
        };
        vecs.seek_row(0)?;
        Ok(vecs)
    }

    /// Rows in the file.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Components of a row.
    pub(crate) fn dimension(&self) -> u64 {
        self.dimension
    }

    /// Goes on at `row`.
    pub(crate) fn seek_row(&mut self, row: u64) -> Outcome {
        let row = row.min(self.rows);
        let place = row * (4 + self.dimension * self.component.bytes());
        self.reader
            .seek(SeekFrom::Start(place))
            .map_err(unreadable)?;
        self.next_row = row;
        Ok(())
    }

    /// Appends the next `rows` rows (fewer at the end) to `values`, and tells how many.
    pub(crate) fn read_values(&mut self, rows: u64, values: &mut Vec<f32>) -> Outcome<u64> {
        let rows = rows.min(self.rows - self.next_row);
        let mut bytes = vec![0; (4 + self.dimension * self.component.bytes()) as usize];
        for _ in 0..rows {
            read_exact(&mut self.reader, &mut bytes)?;
            let (length, components) = bytes.split_at(4);
            let length = length
                .first_chunk()
                .map_or(0, |length| i32::from_le_bytes(*length));
            if i64::from(length) != self.dimension as i64 {
                return Err(Failure::input(format!(
                    "row {}: it claims {length} components, and the rows before have {}",
                    number(self.next_row),
                    number(self.dimension)
                )));
            }
            let words = components.as_chunks::<4>().0.iter();
            match self.component {
                Component::F32 => values.extend(words.map(|word| f32::from_le_bytes(*word))),
                Component::I32 => values.extend(words.map(|word| i32::from_le_bytes(*word) as f32)),
                Component::U8 => values.extend(components.iter().map(|byte| f32::from(*byte))),
            }
            self.next_row += 1;
        }
        Ok(rows)
    }
}

fn read_exact(reader: &mut impl Read, bytes: &mut [u8]) -> Outcome {
    reader
        .read_exact(bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Failure::input("it is cut off").hint("copy it again"),
            _ => unreadable(error),
        })
}

fn unreadable(error: io::Error) -> Failure {
    Failure::input(format!("cannot read it: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn fvecs(rows: &[&[f32]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for row in rows {
            bytes.extend((row.len() as i32).to_le_bytes());
            bytes.extend(row.iter().flat_map(|number| number.to_le_bytes()));
        }
        bytes
    }

    #[test]
    fn rows_of_all_three_kinds_are_read() {
        let mut file = Vecs::open(
            Cursor::new(fvecs(&[&[1.0, 2.0], &[3.0, 4.0]])),
            Component::F32,
        )
        .unwrap();
        assert_eq!((file.rows(), file.dimension()), (2, 2));
        file.seek_row(1).unwrap();
        let mut values = Vec::new();
        assert_eq!(file.read_values(5, &mut values).unwrap(), 1);
        assert_eq!(values, [3.0, 4.0]);

        let mut file = Vecs::open(Cursor::new(vec![2, 0, 0, 0, 7, 255]), Component::U8).unwrap();
        values.clear();
        file.read_values(1, &mut values).unwrap();
        assert_eq!(values, [7.0, 255.0]);

        let mut file = Vecs::open(
            Cursor::new(vec![1, 0, 0, 0, 255, 255, 255, 255]),
            Component::I32,
        )
        .unwrap();
        values.clear();
        file.read_values(1, &mut values).unwrap();
        assert_eq!(values, [-1.0]);
    }

    #[test]
    fn broken_files_are_refused() {
        let refusal = |bytes: Vec<u8>| {
            Vecs::open(Cursor::new(bytes), Component::F32)
                .unwrap_err()
                .message()
                .to_owned()
        };
        assert!(refusal(Vec::new()).contains("empty"));
        assert!(refusal(vec![1, 0]).contains("cut off"));
        assert!(refusal(vec![0; 8]).contains("claims 0"));
        assert!(refusal(vec![255; 8]).contains("claims -1"));
        let mut short = fvecs(&[&[1.0, 2.0], &[3.0, 4.0]]);
        short.pop();
        assert!(refusal(short).contains("1 rows are whole"));
        let mut uneven = fvecs(&[&[1.0, 2.0], &[3.0, 4.0]]);
        uneven[12] = 9;
        let mut file = Vecs::open(Cursor::new(uneven), Component::F32).unwrap();
        let failure = file.read_values(2, &mut Vec::new()).unwrap_err();
        assert!(failure.message().contains("row 1"), "{failure:?}");
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(data: Vec<u8>, small in 0_u8..4) {
            for component in [Component::F32, Component::U8, Component::I32] {
                let mut started = vec![small, 0, 0, 0];
                started.extend(&data);
                for bytes in [data.clone(), started] {
                    if let Ok(mut file) = Vecs::open(Cursor::new(bytes), component) {
                        let _ = file.read_values(100, &mut Vec::new());
                    }
                }
            }
        }
    }
}
