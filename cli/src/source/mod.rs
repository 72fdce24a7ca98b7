//! Where an import reads its points from: a file of vectors with columns of ids and metadata
//! beside it, or lines that hold whole points.

mod block;
mod columns;
mod files;
mod jsonl;
mod lines;
mod npy;
mod points;
mod vecs;

use std::path::Path;

use crate::failure::{Failure, Outcome};
use crate::show::number;

pub(crate) use block::Block;
pub(crate) use columns::read_vectors;
pub(crate) use files::{Files, Format};
pub(crate) use jsonl::vector as json_vector;
pub(crate) use npy::{Npy, header as npy_header};

use columns::Columns;
use points::Points;

/// A batch is ended when its size passes this, whatever its number of rows. Far below the
/// limit of an upsert, so that one more row always fits.
const BATCH_BYTES: usize = 32 << 20;

/// An open source of points.
pub(crate) struct Source {
    name: String,
    next_row: u64,
    kind: Kind,
}

enum Kind {
    Columns(Box<Columns>),
    Points(Box<Points>),
}

impl Source {
    /// Opens the files. Ids that the files do not name are row numbers.
    pub(crate) fn open(files: &Files, dimension: Option<usize>) -> Outcome<Self> {
        let name = match files.points == Path::new("-") {
            true => "stdin".to_owned(),
            false => files.points.display().to_string(),
        };
        let kind = match files.format {
            Format::Jsonl => Points::open(files)
                .map(|points| Kind::Points(Box::new(points)))
                .map_err(|failure| failure.within(&name))?,
            _ => Kind::Columns(Box::new(Columns::open(files, &name, dimension)?)),
        };
        Ok(Source {
            name,
            next_row: 0,
            kind,
        })
    }

    /// The file's name, for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Components per vector.
    pub(crate) fn dimension(&self) -> usize {
        match &self.kind {
            Kind::Columns(columns) => columns.dimension,
            Kind::Points(points) => points.dimension,
        }
    }

    /// Points in the file, where that is known beforehand.
    pub(crate) fn rows(&self) -> Option<u64> {
        match &self.kind {
            Kind::Columns(columns) => Some(columns.rows),
            Kind::Points(_) => None,
        }
    }

    /// Bytes of a file whose number of points is not known beforehand.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match &self.kind {
            Kind::Columns(_) => None,
            Kind::Points(points) => points.bytes,
        }
    }

    /// Whether the files name the points; otherwise their rows do.
    pub(crate) fn has_ids(&self) -> bool {
        match &self.kind {
            Kind::Columns(columns) => columns.has_ids(),
            Kind::Points(points) => points.has_ids,
        }
    }

    /// Passes over the first points. Call it before [`next`](Self::next).
    pub(crate) fn skip(&mut self, rows: u64) -> Outcome {
        let enough = match &mut self.kind {
            Kind::Columns(columns) => columns.skip(rows)?,
            Kind::Points(points) => points
                .skip(rows)
                .map_err(|failure| failure.within(&self.name))?,
        };
        if !enough {
            return Err(Failure::input(format!(
                "{}: it has fewer than {} points",
                self.name,
                number(rows)
            )));
        }
        self.next_row = rows;
        Ok(())
    }

    /// The next points, `rows_max` at most; `None` after the last.
    pub(crate) fn next(&mut self, rows_max: usize) -> Outcome<Option<Block>> {
        let block = match &mut self.kind {
            Kind::Columns(columns) => columns.next(self.next_row, rows_max)?,
            Kind::Points(points) => points
                .next(self.next_row, rows_max)
                .map_err(|failure| failure.within(&self.name))?,
        };
        self.next_row += block.len() as u64;
        Ok(Some(block).filter(|block| block.len() > 0))
    }
}

#[cfg(test)]
mod tests {
    use nearfield::Ids;

    use super::npy::tests::file;
    use super::*;

    fn folder_with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn files(
        folder: &tempfile::TempDir,
        points: &str,
        ids: Option<&str>,
        metadata: Option<&str>,
    ) -> Files {
        let path = |name: &str| folder.path().join(name);
        Files {
            points: path(points),
            format: Format::of(&path(points)).unwrap(),
            ids: ids.map(path),
            metadata: metadata.map(path),
        }
    }

    fn array(rows: usize) -> Vec<u8> {
        let header =
            format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({rows}, 2), }}\n");
        file(1, &header, &(0..rows as u8 * 2).collect::<Vec<u8>>())
    }

    #[test]
    fn columns_come_together_in_batches() {
        let folder = folder_with(&[
            ("v.npy", &array(3)),
            ("ids.txt", b"7\nkind-of-blue\n007\n"),
            ("m.jsonl", b"{\"a\": 1}\nnull\n\n"),
        ]);
        let files = files(&folder, "v.npy", Some("ids.txt"), Some("m.jsonl"));
        let mut source = Source::open(&files, None).unwrap();
        assert_eq!(
            (source.dimension(), source.rows(), source.has_ids()),
            (2, Some(3), true)
        );
        let block = source.next(2).unwrap().unwrap();
        assert_eq!(block.values(), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(block.ids().get(0), Some(nearfield::IdRef::U64(7)));
        assert_eq!(block.batch().metadata.unwrap().get(0), Some("{\"a\": 1}"));
        let block = source.next(2).unwrap().unwrap();
        assert_eq!((block.len(), block.first_row), (1, 2));
        assert_eq!(block.ids().get(0), Some(nearfield::IdRef::String("007")));
        assert_eq!(block.place(0), "row 2");
        assert!(source.next(2).unwrap().is_none());

        let mut again = Source::open(&files, None).unwrap();
        again.skip(2).unwrap();
        let block = again.next(9).unwrap().unwrap();
        assert_eq!(block.values(), [4.0, 5.0]);
        assert_eq!(block.ids().get(0), Some(nearfield::IdRef::String("007")));
        assert!(again.skip(4).is_err());
    }

    #[test]
    fn uneven_columns_are_refused_before_anything_is_read() {
        let folder = folder_with(&[("v.npy", &array(3)), ("two.txt", b"1\n2\n")]);
        for (ids, metadata) in [
            (Some("two.txt"), None),
            (None, Some("two.txt")),
            (Some("v.npy"), None),
        ] {
            assert!(Source::open(&files(&folder, "v.npy", ids, metadata), None).is_err());
        }
    }

    #[test]
    fn lines_are_points_and_faults_name_the_line() {
        let folder = folder_with(&[(
            "p.jsonl",
            b"\n{\"vector\": [1, 2]}\n  \n{\"vector\": [3, 4], \"metadata\": {}}\n{\"vector\": [5]}\n" as &[u8],
        )]);
        let files = files(&folder, "p.jsonl", None, None);
        let mut source = Source::open(&files, None).unwrap();
        let block = source.next(2).unwrap().unwrap();
        assert_eq!(block.ids(), &Ids::from([0, 1]));
        assert_eq!(
            (block.place(0), block.place(1)),
            ("line 2".into(), "line 4".into())
        );
        let failure = source.next(2).err().unwrap();
        assert!(
            failure
                .message()
                .contains("p.jsonl: line 5: its vector has 1"),
            "{failure:?}"
        );

        let mut again = Source::open(&files, None).unwrap();
        again.skip(1).unwrap();
        let block = again.next(1).unwrap().unwrap();
        assert_eq!(
            (block.ids(), block.values()),
            (&Ids::from([1]), &[3.0, 4.0][..])
        );
    }

    #[test]
    fn ids_are_in_all_lines_or_in_none() {
        for (text, fault) in [
            (
                "{\"id\": 1, \"vector\": [1]}\n{\"vector\": [1]}\n",
                "has no \"id\"",
            ),
            (
                "{\"vector\": [1]}\n{\"id\": 1, \"vector\": [1]}\n",
                "has an \"id\"",
            ),
        ] {
            let folder = folder_with(&[("p.ndjson", text.as_bytes())]);
            let mut source = Source::open(&files(&folder, "p.ndjson", None, None), None).unwrap();
            let failure = source.next(9).err().unwrap();
            assert!(failure.message().contains(fault), "{failure:?}");
        }
    }

    #[test]
    fn flat_arrays_are_one_vector_or_folded() {
        let flat = file(
            1,
            "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }",
            &[0; 6],
        );
        let cube = file(
            1,
            "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3), }",
            &[0; 6],
        );
        let folder = folder_with(&[("flat.npy", &flat), ("cube.npy", &cube)]);
        let flat = files(&folder, "flat.npy", None, None);
        assert_eq!(Source::open(&flat, None).unwrap().dimension(), 6);
        let folded = Source::open(&flat, Some(3)).unwrap();
        assert_eq!((folded.dimension(), folded.rows()), (3, Some(2)));
        assert!(Source::open(&files(&folder, "cube.npy", None, None), None).is_err());
    }

    #[test]
    fn endings_choose_the_format() {
        assert_eq!(Format::of(Path::new("a.NPY")).unwrap(), Format::Npy);
        assert_eq!(Format::of(Path::new("-")).unwrap(), Format::Jsonl);
        for name in ["a.json", "a.csv", "a.npy.gz", "a"] {
            assert!(Format::of(Path::new(name)).is_err());
        }
    }
}
