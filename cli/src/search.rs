//! `nearfield search`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use nearfield::limits::SEARCH_LIMIT_MAX;
use nearfield::{Explanation, Filter, Hit, Id, Vectors};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::get::{hint_at_string, parse_id, vector_text};
use crate::show::{Align, Output, Table, clean, cut, duration, explanation, number, plural};
use crate::source;
use crate::store::{CollectionName, Store, StorePath};

/// Find the points nearest to a vector
#[derive(Args, Debug)]
#[command(after_help = "\
A filter compares metadata fields:
  genre = \"jazz\"         genre != \"jazz\"         genre in (\"jazz\", \"folk\")
  year >= 1960           1960 <= year < 1970     added < \"2024-05-01T12:30:00Z\"
  exists author.name     title starts with \"Kind\"
joined by and, or, not and parentheses.

Examples:
  nearfield search ./data --like 7
  nearfield search ./data --vector 0.1,0.2,0.3 --limit 5
  nearfield search ./data -c docs --like kind-of-blue --filter 'genre = \"jazz\"'
  nearfield search ./data --vector-file questions.npy --recall 0.99 --json
  nearfield search ./data --like 7 --recall 1 --explain")]
pub(crate) struct Search {
    #[command(flatten)]
    store: StorePath,

    #[command(flatten)]
    collection: CollectionName,

    #[command(flatten)]
    asked: Asked,

    /// Hits per vector
    #[arg(
        short,
        long,
        default_value_t = 10,
        env = "NEARFIELD_LIMIT",
        hide_env_values = true
    )]
    limit: usize,

    /// Find only points whose metadata match
    #[arg(short, long)]
    filter: Option<String>,

    /// The share of the true nearest to be found, 0.5 to 1; 1 compares every vector exactly
    #[arg(
        short,
        long,
        default_value_t = 0.95,
        env = "NEARFIELD_RECALL",
        hide_env_values = true
    )]
    recall: f32,

    /// Lists probed per vector, whatever the recall; for benchmarks
    #[arg(long, value_name = "LISTS")]
    probes: Option<usize>,

    /// Rows compared exactly per vector, at most; for benchmarks
    #[arg(long, value_name = "ROWS")]
    rerank: Option<usize>,

    /// Tell how the hits were found: the plan, what was looked at, where the time went
    #[arg(long)]
    explain: bool,

    /// Show the vectors of the hits
    #[arg(long)]
    with_vectors: bool,

    /// Take the id of --like as text, digits too
    #[arg(long, requires = "like")]
    string: bool,
}

/// What is searched for.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Asked {
    /// A vector, its components separated by commas
    #[arg(short, long, allow_hyphen_values = true)]
    vector: Option<String>,

    /// A .npy file with one vector, or one per row
    #[arg(long, value_name = "FILE")]
    vector_file: Option<PathBuf>,

    /// The id of a point: find others like it
    #[arg(long, value_name = "ID")]
    like: Option<String>,
}

/// Reads a filter, if one is given.
pub(crate) fn parse_filter(text: Option<&str>) -> Outcome<Option<Filter>> {
    text.map(|text| {
        Filter::parse(text).map_err(|error| {
            Failure::usage(format!("--filter: {}", error.message()))
                .hint("a filter looks like 'genre = \"jazz\" and year >= 1960'")
        })
    })
    .transpose()
}

impl Search {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let filter = parse_filter(self.filter.as_deref())?;
        let like = self
            .asked
            .like
            .as_deref()
            .map(|id| parse_id(id, self.string));
        let given = self.asked.vectors()?;
        let store = Store::open(&self.store, "search")?;
        let collection = store.choose(&self.collection)?;
        let (vectors, limit) = match (given, &like) {
            (Some(vectors), _) => (vectors, self.limit),
            (None, Some(id)) => (
                vector_of(&store, &collection, id)?,
                // The point itself is among its nearest and is taken out below.
                match self.limit {
                    0 => 0,
                    limit => (limit.saturating_add(1)).min(SEARCH_LIMIT_MAX.max(limit)),
                },
            ),
            (None, None) => return Err(Failure::usage("no vector is given")),
        };
        let mut request = nearfield::Search::new(&collection, vectors)
            .limit(limit)
            .recall(self.recall)
            .explain(self.explain)
            .with_metadata(true)
            .with_vectors(self.with_vectors);
        request.filter = filter;
        (request.probes, request.rerank) = (self.probes, self.rerank);
        let start = Instant::now();
        let found = store.call(request)?;
        let time = start.elapsed();
        let mut results = found.results;
        for hits in &mut results {
            hits.retain(|hit| like.as_ref().is_none_or(|id| hit.id != *id));
            hits.truncate(self.limit);
        }
        let mut text = show(&results, time, output);
        if let Some(explained) = &found.explained {
            text += &format!("\n{}", explanation(explained, output.width()));
        }
        output.json(&Answer {
            collection: &collection,
            seconds: time.as_secs_f64(),
            results: &results,
            explained: found.explained.as_ref(),
        })?;
        output.text(&text)
    }
}

/// The answer for programs. It is no `json!`, which would give scores the digits of an `f64`.
#[derive(Serialize)]
struct Answer<'a> {
    collection: &'a str,
    seconds: f64,
    results: &'a [Vec<Hit>],
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<&'a Explanation>,
}

impl Asked {
    fn vectors(&self) -> Outcome<Option<Vectors<'static>>> {
        if let Some(text) = &self.vector {
            let text = text.trim().trim_start_matches('[').trim_end_matches(']');
            let mut values = Vec::new();
            source::json_vector(&format!("[{text}]"), &mut values)
                .map_err(|failure| failure.hint("a vector looks like --vector 0.1,-0.2,0.3"))?;
            return Ok(Some(Vectors::one(values)));
        }
        let Some(path) = &self.vector_file else {
            return Ok(None);
        };
        let (values, dimension) = source::read_vectors(path)?;
        Vectors::new(values, dimension)
            .map(Some)
            .map_err(|error| Failure::input(error.message()).within(path.display()))
    }
}

fn vector_of(store: &Store, collection: &str, id: &Id) -> Outcome<Vectors<'static>> {
    let request = nearfield::Get::new(collection, id.clone()).with_metadata(false);
    let point = store.call(request)?.points.pop().flatten();
    point
        .and_then(|point| point.vector)
        .map(Vectors::one)
        .ok_or_else(|| {
            let failure = Failure::not_found(format!("{collection} holds no point {id}"));
            hint_at_string(failure, std::slice::from_ref(id))
        })
}

fn show(results: &[Vec<Hit>], time: Duration, output: Output) -> String {
    let mut text = String::new();
    for (row, hits) in results.iter().enumerate() {
        if results.len() > 1 {
            text += &format!(
                "{}\n",
                output.bold(&format!("vector {}", number(row as u64)))
            );
        }
        if !hits.is_empty() {
            text += &hit_table(hits, output);
        }
        if results.len() > 1 {
            text.push('\n');
        }
    }
    let hits: usize = results.iter().map(Vec::len).sum();
    text += &output.dim(&format!(
        "{} in {}",
        plural(hits as u64, "hit", "hits"),
        duration(time)
    ));
    text.push('\n');
    text
}

/// A line per hit; on a terminal a vector has a line of its own, so that metadata leave it room.
fn hit_table(hits: &[Hit], output: Output) -> String {
    let width = output.width();
    let mut table =
        Table::new([Align::Left, Align::Right, Align::Left]).heading(["id", "score", "metadata"]);
    for hit in hits {
        let details = hit
            .metadata
            .as_ref()
            .map(|metadata| clean(metadata.as_str()))
            .unwrap_or_default();
        table.row([hit.id.to_string(), format!("{:.4}", hit.score), details]);
    }
    let mut lines = table.lines(width).into_iter();
    let mut text: String = lines.next().map(|line| line + "\n").unwrap_or_default();
    for (line, hit) in lines.zip(hits) {
        let vector = hit.vector.as_deref().map(vector_text);
        text += &match (vector, width) {
            (Some(vector), Some(width)) => {
                format!("{line}\n{}\n", cut(&format!("  vector  {vector}"), width))
            }
            (Some(vector), None) => format!("{line}  {vector}\n"),
            (None, _) => format!("{line}\n"),
        };
    }
    text
}
