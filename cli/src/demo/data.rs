//! The reverse dictionary that ships inside the program: see `cli/data/README.md`.

use std::io::Cursor;

use nearfield::{Id, Ids, Metadata, MetadataColumn, Vectors};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};
use crate::source::Npy;

const VECTORS: &[u8] = include_bytes!("../../data/vectors.npy");
const SENSES: &str = include_str!("../../data/senses.jsonl");
const QUESTION_VECTORS: &[u8] = include_bytes!("../../data/queries.npy");
const QUESTIONS: &str = include_str!("../../data/queries.jsonl");

/// A meaning of some words.
#[derive(Debug, Deserialize)]
pub(super) struct Sense {
    /// Its id.
    pub(super) id: String,
    #[serde(flatten)]
    details: Details,
}

/// What becomes the metadata of a sense.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Details {
    /// The words that have the meaning, joined by commas.
    pub(super) words: String,
    /// `noun` or `verb`.
    pub(super) part: String,
    /// What they mean.
    pub(super) gloss: String,
    /// How often they were found with this meaning.
    uses: u64,
}

#[derive(Deserialize)]
struct Question {
    text: String,
}

/// A description and its vector.
pub(super) struct Described {
    /// The description.
    pub(super) text: String,
    /// Its vector.
    pub(super) vector: Vec<f32>,
}

/// Some rows of the data, as an upsert takes them.
pub(super) struct Rows {
    /// Ids such as `library.n.01`.
    pub(super) ids: Ids<'static>,
    /// Vectors, one after the other.
    pub(super) values: Vec<f32>,
    /// Words, part, gloss and uses.
    pub(super) metadata: MetadataColumn<'static>,
}

/// The senses under way into a store.
pub(super) struct Senses {
    vectors: Npy<Cursor<&'static [u8]>>,
    lines: std::str::Lines<'static>,
}

impl Senses {
    /// The senses from the first on.
    pub(super) fn open() -> Outcome<Self> {
        Ok(Senses {
            vectors: Npy::open(Cursor::new(VECTORS))?,
            lines: SENSES.lines(),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.vectors.rows()
    }

    /// Components per vector.
    pub(super) fn dimension(&self) -> Outcome<usize> {
        Ok(self.vectors.row_len()? as usize)
    }

    /// The next rows; none after the last.
    pub(super) fn next(&mut self, rows: u64) -> Outcome<Option<Rows>> {
        let mut values = Vec::new();
        let read = self.vectors.read_values(rows, &mut values)?;
        if read == 0 {
            return Ok(None);
        }
        let mut ids = Vec::new();
        let mut metadata = MetadataColumn::default();
        for line in self.lines.by_ref().take(read as usize) {
            let sense: Sense = parse(line)?;
            ids.push(Id::from(sense.id));
            metadata
                .push(Some(&sense.details.metadata()?))
                .map_err(|error| Failure::input(error.message()))?;
        }
        Ok(Some(Rows {
            ids: Ids::from(ids),
            values,
            metadata,
        }))
    }
}

impl Details {
    fn metadata(&self) -> Outcome<Metadata> {
        serde_json::to_string(self)
            .map(|text| Metadata::from_checked(&text))
            .map_err(|error| Failure::input(error.to_string()))
    }

    /// What a point's metadata say; `None` if it is no point of the demo.
    pub(super) fn of(metadata: Option<&Metadata>) -> Option<Details> {
        serde_json::from_str(metadata?.as_str()).ok()
    }
}

/// The first sense, by which a store is known to hold the demo.
pub(super) fn first_id() -> Outcome<String> {
    let line = SENSES.lines().next().unwrap_or_default();
    Ok(parse::<Sense>(line)?.id)
}

/// All descriptions that ship with the data.
pub(super) fn described() -> Outcome<Vec<Described>> {
    let mut vectors = Npy::open(Cursor::new(QUESTION_VECTORS))?;
    QUESTIONS
        .lines()
        .map(|line| {
            let mut vector = Vec::new();
            vectors.read_values(1, &mut vector)?;
            Ok(Described {
                text: parse::<Question>(line)?.text,
                vector,
            })
        })
        .collect()
}

impl Described {
    /// The vector as a matrix of one row.
    pub(super) fn vectors(&self) -> Vectors<'_> {
        Vectors::one(self.vector.as_slice())
    }
}

fn parse<'a, T: Deserialize<'a>>(line: &'a str) -> Outcome<T> {
    serde_json::from_str(line).map_err(|error| {
        Failure::input(format!("the data inside this program are damaged: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_fit_together() {
        let mut senses = Senses::open().unwrap();
        let (count, dimension) = (senses.count(), senses.dimension().unwrap());
        let mut rows = 0;
        while let Some(batch) = senses.next(1_000).unwrap() {
            assert_eq!(batch.ids.len(), batch.metadata.len());
            assert_eq!(batch.ids.len() * dimension, batch.values.len());
            rows += batch.ids.len() as u64;
        }
        assert_eq!(rows, count);
        assert_eq!(SENSES.lines().count() as u64, count);
        let described = described().unwrap();
        assert!(
            described
                .iter()
                .all(|described| described.vector.len() == dimension)
        );
        for text in super::super::SHOWN {
            assert!(
                described.iter().any(|described| described.text == *text),
                "{text}"
            );
        }
        for id in [super::super::LIKE, &first_id().unwrap()] {
            assert!(SENSES.contains(&format!("{{\"id\":\"{id}\"")), "{id}");
        }
    }
}
