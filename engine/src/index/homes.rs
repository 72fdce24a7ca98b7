//! Which list each row of a segment is in: a page for every 256 rows, left out where none of them
//! is in a list, so that rows which are long dead take next to nothing.

use crate::io::Map;

/// Rows of a page.
const PAGE_ROWS: u32 = 256;
const PAGE_BYTES: u64 = PAGE_ROWS as u64 * 2;
/// The home of a row that is in no list.
const NO_LIST: u16 = u16::MAX;
/// Stands for a page that is left out.
const NO_PAGE: u32 = u32::MAX;

/// Homes in the making.
pub(super) struct Homes {
    rows: u32,
    /// The page of every 256 rows.
    directory: Vec<u32>,
    pages: Vec<u16>,
}

impl Homes {
    /// No homes yet for a range of `rows`.
    pub(super) fn new(rows: u32) -> Homes {
        Homes {
            rows,
            directory: vec![NO_PAGE; rows.div_ceil(PAGE_ROWS) as usize],
            pages: Vec::new(),
        }
    }

    /// Puts the row at a place within the range into a list. Places come in ascending order.
    pub(super) fn put(&mut self, place: u32, list: u16) {
        let page = &mut self.directory[(place / PAGE_ROWS) as usize];
        if *page == NO_PAGE {
            *page = (self.pages.len() / PAGE_ROWS as usize) as u32;
            let end = self.pages.len() + PAGE_ROWS as usize;
            self.pages.resize(end, NO_LIST);
        }
        self.pages[(*page * PAGE_ROWS + place % PAGE_ROWS) as usize] = list;
    }

    /// How they lie in a file.
    pub(super) fn shape(&self) -> Shape {
        Shape {
            rows: self.rows,
            pages: Some((self.pages.len() / PAGE_ROWS as usize) as u32),
        }
    }

    /// Their bytes, one part behind the other.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        // Only little-endian machines are built for.
        [
            bytemuck::cast_slice(&self.directory),
            bytemuck::cast_slice(&self.pages),
        ]
    }
}

/// How the homes of a range of rows lie in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    rows: u32,
    /// Pages behind their directory; none if there is a home for each row and no directory.
    pages: Option<u32>,
}

impl Shape {
    /// The shape that a header's `code` stands for.
    pub(super) fn from_code(rows: u32, code: u32) -> Shape {
        Shape {
            rows,
            pages: code.checked_sub(1),
        }
    }

    /// The number that stands for it in a header.
    pub(super) fn code(self) -> u32 {
        self.pages.map_or(0, |pages| pages.saturating_add(1))
    }

    fn directory_bytes(self) -> u64 {
        u64::from(self.rows.div_ceil(PAGE_ROWS)) * 4
    }

    /// Bytes of all homes.
    pub(super) fn bytes(self) -> u64 {
        match self.pages {
            Some(pages) => self.directory_bytes() + u64::from(pages) * PAGE_BYTES,
            None => u64::from(self.rows) * 2,
        }
    }

    /// The list of the row at a place within the range, if it is in one; the homes begin at
    /// `start` of the file that is mapped.
    #[inline]
    pub(super) fn find(self, map: &Map, start: u64, place: u32) -> Option<u16> {
        let at = match self.pages {
            Some(_) => {
                let entry = map.bytes(start + u64::from(place / PAGE_ROWS) * 4, 4)?;
                let page = u32::from_le_bytes(*entry.first_chunk()?);
                if page == NO_PAGE {
                    return None;
                }
                let pages = start + self.directory_bytes();
                pages + u64::from(page) * PAGE_BYTES + u64::from(place % PAGE_ROWS) * 2
            }
            None => start + u64::from(place) * 2,
        };
        let home = u16::from_le_bytes(*map.bytes(at, 2)?.first_chunk()?);
        (home != NO_LIST).then_some(home)
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::path::Path;

    use super::*;
    use crate::io::{Io, MemoryIo};

    const START: u64 = 128;

    fn map(parts: &[&[u8]]) -> Map {
        let file = MemoryIo::new().create(Path::new("/homes")).unwrap();
        let parts: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        file.write_at(START, &parts).unwrap();
        let bytes = file.len().unwrap();
        file.settle(bytes).unwrap();
        file.map(bytes).unwrap()
    }

    #[test]
    fn rows_are_found_and_those_in_no_list_take_next_to_nothing() {
        let rows = 1_000_000;
        let in_lists = [0, 255, 256, 999_000, 999_999];
        let mut homes = Homes::new(rows);
        for place in in_lists {
            homes.put(place, (place % 1_000) as u16);
        }
        let shape = Shape::from_code(rows, homes.shape().code());
        let length: usize = homes.parts().iter().map(|part| part.len()).sum();
        assert_eq!(shape.bytes(), length as u64);
        assert!(length < 20_000);
        let map = map(&homes.parts());
        for place in (0..rows).step_by(5).chain(in_lists) {
            let expected = in_lists.contains(&place).then_some((place % 1_000) as u16);
            assert_eq!(shape.find(&map, START, place), expected);
        }
    }

    #[test]
    fn homes_of_each_row_are_read_as_earlier_versions_wrote_them() {
        let shape = Shape::from_code(4, 0);
        assert_eq!((shape.bytes(), shape.code()), (8, 0));
        let map = map(&[&[7, 0, 255, 255, 8, 1, 9, 0]]);
        let found = [0, 1, 2, 3].map(|place| shape.find(&map, START, place));
        assert_eq!(found, [Some(7), None, Some(264), Some(9)]);
    }
}
