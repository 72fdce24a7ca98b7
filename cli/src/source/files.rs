//! The files of an import, and how they are laid out.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// NumPy array
    Npy,
    /// TEXMEX vectors of f32
    Fvecs,
    /// TEXMEX vectors of u8
    Bvecs,
    /// TEXMEX vectors of i32
    Ivecs,
    /// One JSON object per line
    Jsonl,
}

impl Format {
    /// The format that the ending of a name stands for.
    pub(crate) fn of(path: &Path) -> Outcome<Self> {
        if path == "-" {
            return Ok(Format::Jsonl);
        }
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let advice = match ending.as_str() {
            "npy" => return Ok(Format::Npy),
            "fvecs" => return Ok(Format::Fvecs),
            "bvecs" => return Ok(Format::Bvecs),
            "ivecs" => return Ok(Format::Ivecs),
            "jsonl" | "ndjson" => return Ok(Format::Jsonl),
            "json" => "turn the array into lines first: `jq -c '.[]' points.json > points.jsonl`",
            "npz" => "save each array by itself with numpy.save",
            "gz" | "zst" | "bz2" | "xz" | "zip" => "unpack it first",
            "parquet" | "arrow" | "csv" | "hdf5" | "h5" => {
                "read it with Python and save the vectors with numpy.save, or write lines of JSON"
            }
            _ if path.is_dir() => {
                "it is a folder; the store comes first, then the file: `nearfield import PATH FILE`"
            }
            _ => "say what it is with --format npy, fvecs, bvecs, ivecs or jsonl",
        };
        Err(Failure::usage(format!(
            "{}: the ending {ending:?} stands for no format that can be imported",
            path.display()
        ))
        .hint(advice))
    }
}

/// Files that together hold points.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// Vectors, or whole points; `-` is stdin.
    pub(crate) points: PathBuf,
    /// The layout of `points`.
    pub(crate) format: Format,
    /// Ids, one per vector.
    pub(crate) ids: Option<PathBuf>,
    /// Metadata, one line per vector.
    pub(crate) metadata: Option<PathBuf>,
}

/// Opens a file for reading.
pub(super) fn open(path: &Path) -> Outcome<File> {
    let file = File::open(path).map_err(|error| Failure::file(path, "open", &error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(Failure::input(format!(
            "{}: it is a folder, not a file",
            path.display()
        ))),
        _ => Ok(file),
    }
}
