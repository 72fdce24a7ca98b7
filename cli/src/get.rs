//! `nearfield get`

use clap::Args;
use nearfield::{Id, Ids, Point};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::ids;
use crate::show::{Output, clean, cut, number, plural};
use crate::store::{CollectionName, Store, StorePath};

/// Read points by id
#[derive(Args, Debug)]
#[command(after_help = "\
Digits are a number, all else is text; --string makes digits text as well. Exits
with 1 if an id is not there.

Examples:
  nearfield get ./data 7
  nearfield get ./data --collection docs kind-of-blue 7 --json")]
pub(crate) struct Get {
    #[command(flatten)]
    store: StorePath,

    /// The ids of the points
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,

    #[command(flatten)]
    collection: CollectionName,

    /// Take all ids as text, digits too
    #[arg(long)]
    string: bool,
}

/// The ids that words stand for.
pub(crate) fn parse_ids(words: &[String], string: bool) -> Vec<Id> {
    words.iter().map(|word| parse_id(word, string)).collect()
}

/// The id that a word stands for.
pub(crate) fn parse_id(word: &str, string: bool) -> Id {
    match string {
        true => Id::from(word),
        false => ids::parse(word),
    }
}

/// The answer for programs. It is no `json!`, which would give components the digits of an `f64`.
#[derive(Serialize)]
struct Answer<'a> {
    collection: &'a str,
    points: &'a [Option<Point>],
}

impl Get {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open(&self.store, "get")?;
        let collection = store.choose(&self.collection)?;
        let ids = parse_ids(&self.ids, self.string);
        let points = store
            .call(nearfield::Get::new(&collection, Ids::from(ids.clone())))?
            .points;
        let missing: Vec<Id> = ids
            .into_iter()
            .zip(&points)
            .filter(|(_, point)| point.is_none())
            .map(|(id, _)| id)
            .collect();
        output.json(&Answer {
            collection: &collection,
            points: &points,
        })?;
        let text: String = points
            .iter()
            .flatten()
            .map(|point| show(point, output))
            .collect();
        output.text(&text)?;
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let failure = Failure::not_found(format!(
            "{} not there: {}",
            plural(missing.len() as u64, "id is", "ids are"),
            cut(&names.join(", "), 200)
        ));
        Err(hint_at_string(failure, &missing))
    }
}

/// Tells of --string where a missing id was taken as a number.
pub(crate) fn hint_at_string(failure: Failure, missing: &[Id]) -> Failure {
    match missing.iter().any(|id| matches!(id, Id::U64(_))) {
        true => failure.hint(
            "digits are taken as a number; where the id is text made of digits, add --string",
        ),
        false => failure,
    }
}

fn show(point: &Point, output: Output) -> String {
    let room = output.width().map(|width| width.saturating_sub(12));
    let fit = |text: &str| match room {
        Some(columns) => cut(text, columns),
        None => clean(text),
    };
    let mut text = format!("{}\n", output.bold(&clean(&point.id.to_string())));
    if let Some(metadata) = &point.metadata {
        text += &format!("  metadata  {}\n", fit(metadata.as_str()));
    }
    if let Some(vector) = &point.vector {
        text += &format!("  vector    {}\n", fit(&vector_text(vector)));
        if room.is_some() {
            let length = vector
                .iter()
                .map(|x| f64::from(*x).powi(2))
                .sum::<f64>()
                .sqrt();
            text += &format!(
                "            {}\n",
                output.dim(&format!(
                    "{} components, length {length:.4}",
                    number(vector.len() as u64)
                ))
            );
        }
    }
    text
}

/// A vector as JSON writes it.
pub(crate) fn vector_text(vector: &[f32]) -> String {
    let components: Vec<String> = vector.iter().map(ToString::to_string).collect();
    format!("[{}]", components.join(", "))
}
