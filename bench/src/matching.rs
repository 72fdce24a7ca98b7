//! Metadata fields of which a known share of the rows matches.

use std::fmt::Write;

use nearfield::Filter;

use crate::random::Random;
use crate::set::Set;

/// The field has this value in rows that match.
const MATCH: u16 = 0;
const INDEPENDENT: u64 = 4;
const ANCHORS: u64 = 6;

/// One row in so many matches, and what that is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub(crate) one_in: u16,
    pub(crate) label: &'static str,
    field: &'static str,
}

pub(crate) const SHARES: [Share; 3] = [
    Share {
        one_in: 10,
        label: "10%",
        field: "tenth",
    },
    Share {
        one_in: 100,
        label: "1%",
        field: "hundredth",
    },
    Share {
        one_in: 1_000,
        label: "0.1%",
        field: "thousandth",
    },
];

/// A field with as many values as one row in how many matches.
#[derive(Debug)]
pub(crate) struct Matching {
    field: String,
    /// By row.
    values: Vec<u16>,
}

impl Matching {
    /// Values that have nothing to do with the vectors.
    pub(crate) fn independent(share: &Share, rows: usize) -> Matching {
        let value = |row| {
            let mut random = Random::at(INDEPENDENT, share.one_in.into(), row as u64);
            random.below(share.one_in.into()) as u16
        };
        Matching {
            field: share.field.to_owned(),
            values: (0..rows).map(value).collect(),
        }
    }

    /// Values that the vectors decide: shells of equally many rows around a row drawn by chance,
    /// the anchor. Those of the innermost match. With it come the queries, the nearest to the
    /// anchor first.
    pub(crate) fn correlated(share: &Share, set: &Set) -> (Matching, Vec<usize>) {
        let rows = set.base.len();
        let anchor = Random::at(ANCHORS, share.one_in.into(), 0).below(rows);
        let anchor = set.base.row(anchor);
        let ranked = |distances: Vec<f32>| {
            let mut numbers: Vec<usize> = (0..distances.len()).collect();
            numbers.sort_by(|a, b| distances[*a].total_cmp(&distances[*b]));
            numbers
        };
        let mut values = vec![0; rows];
        let distance = |row| set.distance(&anchor, &set.base.row(row), row);
        let by_rank = ranked((0..rows).map(distance).collect());
        for (rank, row) in by_rank.into_iter().enumerate() {
            values[row] = (rank * usize::from(share.one_in) / rows) as u16;
        }
        let matching = Matching {
            field: format!("near_{}", share.field),
            values,
        };
        let distances = (0..set.queries.rows()).map(|query| set.query_distance(&anchor, query));
        (matching, ranked(distances.collect()))
    }

    /// Whether a row matches.
    pub(crate) fn holds(&self, row: usize) -> bool {
        self.values.get(row) == Some(&MATCH)
    }

    /// How many rows match.
    pub(crate) fn count(&self) -> usize {
        self.values.iter().filter(|value| **value == MATCH).count()
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter::eq(&*self.field, i64::from(MATCH))
    }
}

/// Writes the metadata of a row that has these fields.
pub(crate) fn write_metadata<'a>(
    fields: impl IntoIterator<Item = &'a Matching>,
    row: usize,
    out: &mut String,
) -> std::fmt::Result {
    out.push('{');
    for (number, matching) in fields.into_iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        write!(
            out,
            r#"{comma}"{}":{}"#,
            matching.field, matching.values[row]
        )?;
    }
    out.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shape;

    #[test]
    fn the_shares_are_what_they_are_called() {
        let set = Set::generated(&Shape::default(), 8, 20_000, 20_000, 30);
        for share in &SHARES {
            let expected = 20_000 / usize::from(share.one_in);
            let (near, queries) = Matching::correlated(share, &set);
            assert_eq!(near.count(), expected);
            assert_eq!(queries.len(), 30);
            let apart = Matching::independent(share, 20_000);
            assert!(apart.count().abs_diff(expected) < expected);
            let mut text = String::new();
            let row = (0..20_000).find(|row| near.holds(*row)).unwrap();
            write_metadata([&near, &apart], row, &mut text).unwrap();
            assert!(
                text.starts_with(&format!(r#"{{"near_{}":0,"#, share.field)),
                "{text}"
            );
        }
    }
}
