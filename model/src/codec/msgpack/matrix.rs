//! `vectors` as MessagePack, read straight into a matrix: bytes, bytes per row, arrays of numbers,
//! or a map of bytes and their dimension.

use super::super::matrix::{ComponentFault, FIELD, Matrix, MatrixBuilder, Shape, component_fault};
use super::super::members::TWICE;
use super::super::parts::matrix_member;
use super::super::vectors::not_whole;
use super::super::words::Words;
use super::head::Head;
use super::pieces::Pieces;
use crate::error::{Error, Result};

/// Reads one matrix.
#[derive(Debug, Default)]
pub(super) struct MatrixReader {
    place: Place,
    builder: MatrixBuilder,
    words: Words<4>,
    map: Map,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Start,
    /// So many bytes of the whole matrix.
    Bytes(usize),
    /// So many rows.
    Rows(usize),
    /// So many bytes of a row, and rows after it.
    RowBytes(usize, usize),
    /// So many numbers of a row, and rows after it.
    Row(usize, usize),
    /// So many numbers of the only vector.
    One(usize),
    /// So many members of the map.
    Members(usize),
    /// A member's name of so many bytes, and members after it.
    Name(usize, usize),
    /// What a member holds, and members after it.
    Member(&'static str, usize),
    /// So many bytes of the map's matrix, and members after it.
    MapBytes(usize, usize),
}

/// What the map has told.
#[derive(Debug, Default)]
struct Map {
    named: Vec<&'static str>,
    has_bytes: bool,
    dimension: Option<usize>,
}

/// A matrix, or none if nil is given.
type Outcome = Option<Matrix>;

impl MatrixReader {
    /// Takes what belongs to the matrix; gives it once it is whole.
    pub(super) fn feed(
        &mut self,
        pieces: &mut Pieces,
        piece: &mut &[u8],
    ) -> Result<Option<Outcome>> {
        loop {
            match self.place {
                Place::Start | Place::Rows(1..) | Place::Members(1..) | Place::Member(..) => {
                    let Some(head) = pieces.head(piece)? else {
                        return Ok(None);
                    };
                    if head == Head::Nil && matches!(self.place, Place::Start) {
                        return Ok(Some(None));
                    }
                    self.place = self.begin(head)?;
                }
                Place::Rows(0) => return Ok(Some(Some(self.take().into_rows()))),
                Place::Bytes(left) => match self.bytes(left, piece)? {
                    0 => return self.whole(None),
                    left => self.place = Place::Bytes(left),
                },
                Place::RowBytes(left, rows) => match self.bytes(left, piece)? {
                    0 => self.end_row(rows)?,
                    left => self.place = Place::RowBytes(left, rows),
                },
                Place::Row(0, rows) => self.end_row(rows)?,
                Place::Row(left, rows) => {
                    let left = self
                        .numbers(left, pieces, piece)
                        .map_err(|error| error.at_row(self.builder.rows()))?;
                    self.builder.check()?;
                    self.place = Place::Row(left, rows);
                }
                Place::One(0) => {
                    let values = self.take().into_values();
                    let shape = Shape::One;
                    return Ok(Some(Some(Matrix { values, shape })));
                }
                Place::One(left) => {
                    let left = self.numbers(left, pieces, piece)?;
                    self.builder.check()?;
                    self.place = Place::One(left);
                }
                Place::Name(length, members) => {
                    let Some(name) = pieces.name(length, piece)? else {
                        return Ok(None);
                    };
                    self.place = Place::Member(self.map.name(&name)?, members);
                }
                Place::MapBytes(left, members) => match self.bytes(left, piece)? {
                    0 => self.place = Place::Members(members),
                    left => self.place = Place::MapBytes(left, members),
                },
                Place::Members(0) if self.map.has_bytes => {
                    return self.whole(self.map.dimension);
                }
                Place::Members(0) => {
                    return Err(Error::invalid("f32 is missing").in_field("f32"));
                }
            }
            if piece.is_empty() && !self.is_between() {
                return Ok(None);
            }
        }
    }

    /// Whether the next step needs no bytes.
    fn is_between(&self) -> bool {
        matches!(
            self.place,
            Place::Bytes(0)
                | Place::Rows(0)
                | Place::RowBytes(0, _)
                | Place::Row(0, _)
                | Place::One(0)
                | Place::Members(0)
                | Place::Name(0, _)
                | Place::MapBytes(0, _)
        )
    }

    /// What a head begins at this place.
    fn begin(&mut self, head: Head) -> Result<Place> {
        let expected = |what: &str| Err(Error::invalid(format!("expected {what}")).in_field(FIELD));
        match (self.place, head) {
            (Place::Start, Head::Bin(length)) => {
                self.builder.expect(length / 4);
                Ok(Place::Bytes(length))
            }
            (Place::Start, Head::Array(count)) => Ok(Place::Rows(count)),
            (Place::Start, Head::Map(count)) => Ok(Place::Members(count)),
            (Place::Start, _) => expected("an array, bytes, or a map of f32 and dimension"),
            (Place::Rows(rows), Head::Bin(length)) => {
                if self.builder.rows() == 0 {
                    self.builder.expect((length / 4).saturating_mul(rows));
                }
                Ok(Place::RowBytes(length, rows - 1))
            }
            (Place::Rows(rows), Head::Array(count)) => Ok(Place::Row(count, rows - 1)),
            (Place::Rows(rows), head) if self.builder.rows() == 0 => {
                self.number(head)?;
                Ok(Place::One(rows - 1))
            }
            (Place::Rows(_), _) => expected("an array, or bytes")
                .map_err(|error: Error| error.at_row(self.builder.rows())),
            (Place::Members(members), Head::Str(length)) => Ok(Place::Name(length, members - 1)),
            (Place::Member(_, members), Head::Nil) => Ok(Place::Members(members)),
            (Place::Member("f32", members), Head::Bin(length)) => {
                self.map.has_bytes = true;
                self.builder.expect(length / 4);
                Ok(Place::MapBytes(length, members))
            }
            (Place::Member("f32", _), _) => {
                Err(Error::invalid("expected bytes of little-endian f32").in_field("f32"))
            }
            (Place::Member(_, members), Head::U64(dimension)) => {
                self.map.dimension = usize::try_from(dimension).ok();
                Ok(Place::Members(members))
            }
            (Place::Member(..), _) => {
                Err(Error::invalid("expected a whole number").in_field("dimension"))
            }
            (_, _) => expected("a member's name"),
        }
    }

    /// Takes bytes of components; tells how many are left.
    fn bytes(&mut self, left: usize, piece: &mut &[u8]) -> Result<usize> {
        let (bytes, rest) = piece.split_at(left.min(piece.len()));
        if bytes.len() / 4 > self.builder.room() {
            return Err(super::super::matrix::over_batch_bytes());
        }
        self.words
            .feed(bytes, f32::from_le_bytes, self.builder.values());
        *piece = rest;
        Ok(left - bytes.len())
    }

    /// Takes numbers; tells how many are left.
    fn numbers(
        &mut self,
        mut left: usize,
        pieces: &mut Pieces,
        piece: &mut &[u8],
    ) -> Result<usize> {
        while left > 0
            && let Some(head) = pieces.head(piece)?
        {
            self.number(head)?;
            left -= 1;
        }
        Ok(left)
    }

    #[inline]
    fn number(&mut self, head: Head) -> Result<()> {
        let number = match head {
            Head::F32(number) => number,
            Head::F64(number) => number as f32,
            Head::U64(number) => number as f32,
            Head::I64(number) => number as f32,
            head => return Err(self.fault(head, ComponentFault::NotNumber)),
        };
        if !number.is_finite() {
            return Err(self.fault(head, ComponentFault::BeyondRange));
        }
        self.builder.values().push(number);
        Ok(())
    }

    #[cold]
    fn fault(&self, head: Head, fault: ComponentFault) -> Error {
        let shown = match head {
            Head::F32(number) => number.to_string(),
            Head::F64(number) => number.to_string(),
            head => format!("{head:?}"),
        };
        component_fault(self.builder.position(), &shown, fault)
    }

    fn end_row(&mut self, rows: usize) -> Result<()> {
        if self.words.rest() > 0 {
            let bytes = self.builder.position() * 4 + self.words.rest();
            return Err(not_whole(FIELD, bytes).at_row(self.builder.rows()));
        }
        self.builder.end_row()?;
        self.place = Place::Rows(rows);
        Ok(())
    }

    fn whole(&mut self, dimension: Option<usize>) -> Result<Option<Outcome>> {
        let rest = self.words.rest();
        let values = self.take().into_values();
        if rest > 0 {
            return Err(not_whole(FIELD, values.len() * 4 + rest));
        }
        Matrix::of_bytes(values, dimension).map(|matrix| Some(Some(matrix)))
    }

    fn take(&mut self) -> MatrixBuilder {
        std::mem::take(&mut self.builder)
    }
}

impl Map {
    fn name(&mut self, name: &str) -> Result<&'static str> {
        let name = matrix_member(name)?;
        if self.named.contains(&name) {
            return Err(Error::invalid(TWICE).in_field(FIELD));
        }
        self.named.push(name);
        Ok(name)
    }
}
