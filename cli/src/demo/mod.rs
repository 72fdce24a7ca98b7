//! `nearfield demo`

mod data;
mod doors;

use std::time::{Duration, Instant};

use clap::Args;
use nearfield::{
    Context, CreateCollection, DescribeCollection, Description, ErrorKind, Filter, Get, Hit, Id,
    Metric, Search, Upsert, Vectors,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::show::{Align, Bar, Output, Table, bytes, cut, duration, per_second, plural, rate};
use crate::store::{Server, Sharing, Store, StorePath, quoted};

use data::{Described, Details, Senses};

const COLLECTION: &str = "senses";
const BATCH: u64 = 1_000;
/// Hits shown per search.
const HITS: usize = 3;
/// How often all descriptions are searched for the times at the end.
const ROUNDS: usize = 10;
/// Columns of the words of a hit.
const WORDS_COLUMNS: usize = 27;

/// The descriptions whose hits are shown.
const SHOWN: &[&str] = &[
    "a person who writes plays",
    "fear of small enclosed places",
    "a building where books are kept",
    "the feeling of wanting what someone else has",
    "the line where earth and sky seem to meet",
    "a longing for the past",
];
/// The description that is searched among the verbs.
const FILTERED: &str = "a person who writes plays";
const FILTER: &str = "part = \"verb\"";
/// The point whose neighbours are shown.
const LIKE: &str = "jazz_band.n.01";

/// See it work: store real data and search them
#[derive(Args, Debug)]
#[command(after_help = "\
A reverse dictionary: describe a thing, find the word. The data ship inside the
program: 19,981 meanings of English words (WordNet) as vectors of 384
components. They are stored in a temporary folder, searched, and removed; give a
PATH to keep them and to go on from there.

Examples:
  nearfield demo
  nearfield demo ./demo
  nearfield search ./demo --like library.n.01")]
pub(crate) struct Demo {
    /// The folder of the store; where it holds the demo already, that is used again [default: a
    /// temporary folder, removed afterwards]
    path: Option<String>,

    /// Keep the temporary folder
    #[arg(long, conflicts_with = "path")]
    keep: bool,
}

/// Where the demo's store is.
struct Place {
    path: String,
    /// Removed with this value, unless it is kept.
    temporary: Option<TempDir>,
}

impl Place {
    fn new(demo: &Demo) -> Outcome<Self> {
        if let Some(path) = &demo.path {
            return Ok(Place {
                path: path.clone(),
                temporary: None,
            });
        }
        let mut folder = tempfile::Builder::new()
            .prefix("nearfield-demo-")
            .tempdir()
            .map_err(|error| Failure::file(&std::env::temp_dir(), "make a folder in", &error))?;
        folder.disable_cleanup(demo.keep);
        let path = folder.path().to_string_lossy().into_owned();
        Ok(Place {
            path,
            temporary: (!demo.keep).then_some(folder),
        })
    }

    fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }
}

/// How the store was filled.
struct Filled {
    count: u64,
    reused: bool,
    time: Duration,
}

/// One search and what it found.
struct Answer {
    asked: String,
    time: Duration,
    hits: Vec<Hit>,
}

impl Demo {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let interrupt = Interrupt::listen();
        let place = Place::new(&self)?;
        let path = StorePath {
            path: place.path.clone(),
            sharing: Sharing::default(),
            server: Server::default(),
        };
        let store = Store::open_or_create(&path, "demo")?;
        let filled = fill(&store, &interrupt, output)?;
        let disk = store.describe(COLLECTION)?.log_bytes;
        output.text(&filled.text(disk, &place, output))?;

        let described = data::described()?;
        let mut answers = Vec::new();
        for text in SHOWN {
            let answer = search(&store, &described, text, None)?;
            output.text(&answer.text(output))?;
            answers.push(answer);
        }
        let filtered = search(&store, &described, FILTERED, Some(FILTER))?;
        output.text(&filtered.text(output))?;
        answers.push(filtered);
        let like = search_like(&store, LIKE)?;
        output.text(&like.text(output))?;
        answers.push(like);

        let times = measure(&store, &described, &interrupt)?;
        output.text(&times.text(described.len()))?;
        let several = store.collections()?.len() > 1;
        drop(store);
        let doors = doors::climb(output)?;
        output.text(&what_next(&place, several, output))?;
        output.json(&json!({
            "path": place.path,
            "kept": place.is_kept(),
            "collection": COLLECTION,
            "count": filled.count,
            "reused": filled.reused,
            "seconds": filled.time.as_secs_f64(),
            "rate": match filled.reused {
                true => Value::Null,
                false => json!(per_second(filled.count, filled.time)),
            },
            "bytes": disk,
            "searches": answers.iter().map(Answer::json).collect::<Vec<_>>(),
            "doors": doors.map(|climb| climb.rows),
            "search_seconds": {"median": times.median.as_secs_f64(), "p99": times.p99.as_secs_f64()},
        }))
    }
}

/// Stores the senses, unless they are there.
fn fill(store: &Store, interrupt: &Interrupt, output: Output) -> Outcome<Filled> {
    let mut senses = Senses::open()?;
    let count = senses.count();
    let there = match store.try_call(&mut Context::default(), DescribeCollection::new(COLLECTION)) {
        Ok(description) => {
            check_is_ours(store, &description, senses.dimension()?)?;
            description.count
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let request = CreateCollection::new(COLLECTION, senses.dimension()?, Metric::Cosine);
            store.call(request.unindexed_fields(["gloss"]))?;
            0
        }
        Err(error) => return Err(Failure::of(&error, store.target())),
    };
    if there == count {
        return Ok(Filled {
            count,
            reused: true,
            time: Duration::ZERO,
        });
    }
    // Read beforehand: the time is that of storing alone.
    let mut batches = Vec::new();
    while let Some(rows) = senses.next(BATCH)? {
        batches.push(rows);
    }
    let start = Instant::now();
    let mut bar = Bar::new(output, "stored", "vectors", 0, Some(count));
    let mut stored = 0;
    for rows in batches {
        if interrupt.is_set() {
            return Err(Failure::interrupted("stopped"));
        }
        let batch = nearfield::Batch::new(rows.ids, &rows.values).metadata(rows.metadata);
        stored += batch.len() as u64;
        store.call(Upsert::new(COLLECTION, batch))?;
        bar.advance(stored, stored);
    }
    bar.finish();
    Ok(Filled {
        count,
        reused: false,
        time: start.elapsed(),
    })
}

/// Refuses a collection of the same name that holds something else.
fn check_is_ours(store: &Store, there: &Description, dimension: usize) -> Outcome {
    let request = Get::new(COLLECTION, Id::from(data::first_id()?)).with_vectors(false);
    let first = store.call(request)?.points.pop().flatten();
    let known = first.is_some_and(|point| Details::of(point.metadata.as_ref()).is_some());
    if there.dimension == dimension && there.metric == Metric::Cosine && (known || there.count == 0)
    {
        return Ok(());
    }
    Err(Failure::input(format!(
        "{} has a collection {COLLECTION} that is not the demo's",
        store.target()
    ))
    .hint("give another path, such as `nearfield demo ./demo`"))
}

fn search(store: &Store, all: &[Described], text: &str, filter: Option<&str>) -> Outcome<Answer> {
    let described = all
        .iter()
        .find(|described| described.text == text)
        .ok_or_else(|| Failure::input(format!("the data inside this program lack {text:?}")))?;
    let asked = match filter {
        Some(filter) => format!("\"{text}\", where {filter}"),
        None => format!("\"{text}\""),
    };
    let filter = filter
        .map(Filter::parse)
        .transpose()
        .map_err(|error| Failure::input(error.message()))?;
    let (time, hits) = timed(store, described.vectors(), HITS, filter)?;
    Ok(Answer { asked, time, hits })
}

fn search_like(store: &Store, id: &str) -> Outcome<Answer> {
    let point = store
        .call(Get::new(COLLECTION, Id::from(id)))?
        .points
        .pop()
        .flatten();
    let vector = point
        .and_then(|point| point.vector)
        .ok_or_else(|| Failure::input(format!("{COLLECTION} holds no point {id}")))?;
    let (time, mut hits) = timed(store, Vectors::one(vector), HITS + 1, None)?;
    hits.retain(|hit| hit.id != Id::from(id));
    hits.truncate(HITS);
    Ok(Answer {
        asked: format!("like the point {id}"),
        time,
        hits,
    })
}

fn timed(
    store: &Store,
    vectors: Vectors<'_>,
    limit: usize,
    filter: Option<Filter>,
) -> Outcome<(Duration, Vec<Hit>)> {
    let mut request = Search::new(COLLECTION, vectors)
        .limit(limit)
        .with_metadata(true);
    request.filter = filter;
    let start = Instant::now();
    let found = store.call(request)?;
    let time = start.elapsed();
    Ok((time, found.results.into_iter().next().unwrap_or_default()))
}

/// The times of one search at a time.
struct Times {
    count: u64,
    all: Duration,
    median: Duration,
    p99: Duration,
}

fn measure(store: &Store, described: &[Described], interrupt: &Interrupt) -> Outcome<Times> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        for described in described {
            if interrupt.is_set() {
                return Err(Failure::interrupted("stopped"));
            }
            times.push(timed(store, described.vectors(), 10, None)?.0);
        }
    }
    times.sort();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place).copied().unwrap_or_default()
    };
    Ok(Times {
        count: times.len() as u64,
        all: times.iter().sum(),
        median: at(0.5),
        p99: at(0.99),
    })
}

impl Times {
    fn text(&self, descriptions: usize) -> String {
        format!(
            "\n{descriptions} descriptions, {ROUNDS} times each, one after the other, 10 hits each:\n  \
             {} median, {} p99, {} searches/s\n",
            duration(self.median),
            duration(self.p99),
            rate(self.count, self.all),
        )
    }
}

impl Filled {
    fn text(&self, disk: u64, place: &Place, output: Output) -> String {
        let senses = plural(self.count, "meaning", "meanings");
        let title = output.bold("A reverse dictionary: describe a thing, find the word.");
        let stored = match self.reused {
            true => format!("the store holds them already; {} on disk", bytes(disk)),
            false => format!(
                "stored in {}: {} vectors/s, each batch on disk before it is\n  acknowledged; {} on disk",
                duration(self.time),
                rate(self.count, self.time),
                bytes(disk)
            ),
        };
        format!(
            "{title}\n  {senses} of English words as vectors of 384 components,\n  in {}\n  {stored}\n",
            place.path
        )
    }
}

impl Answer {
    fn text(&self, output: Output) -> String {
        let width = output.width().unwrap_or(80).min(120);
        let time = duration(self.time);
        let asked = cut(&self.asked, width - time.chars().count() - 2);
        let gap = width - console::measure_text_width(&asked) - time.chars().count();
        let mut text = format!(
            "\n{}{}{}\n",
            output.bold(&asked),
            " ".repeat(gap),
            output.dim(&time)
        );
        let mut table = Table::new([Align::Right, Align::Left, Align::Left])
            .indent(2)
            .cell_columns_max(WORDS_COLUMNS);
        for hit in &self.hits {
            let (words, gloss) = match Details::of(hit.metadata.as_ref()) {
                Some(details) => (details.words, details.gloss),
                None => (hit.id.to_string(), String::new()),
            };
            let words = cut(&words, WORDS_COLUMNS);
            // One width for all answers, so that the glosses stand below each other.
            let fill = WORDS_COLUMNS - console::measure_text_width(&words);
            table.row([
                format!("{:.3}", hit.score),
                words + &" ".repeat(fill),
                gloss,
            ]);
        }
        text += &table.text(Some(width));
        text
    }

    fn json(&self) -> Value {
        json!({"asked": self.asked, "seconds": self.time.as_secs_f64(), "hits": self.hits})
    }
}

fn what_next(place: &Place, several: bool, output: Output) -> String {
    let path = match place.is_kept() {
        true => quoted(&place.path),
        false => "./demo".to_owned(),
    };
    let choice = if several {
        format!(" -c {COLLECTION}")
    } else {
        String::new()
    };
    let mut text = match place.is_kept() {
        true => String::new(),
        false => format!(
            "\nThe store was temporary and is removed. Keep one, then go on with it:\n  {}\n",
            output.bold("nearfield demo ./demo")
        ),
    };
    if place.is_kept() {
        text += "\nGo on with it:\n";
    }
    for command in [
        format!("search {path}{choice} --like library.n.01 --limit 5"),
        format!("search {path}{choice} --like envy.n.01 --filter 'part = \"verb\"'"),
        format!("get {path}{choice} {LIKE}"),
        format!("info {path}"),
        "help".to_owned(),
    ] {
        text += &format!("  nearfield {command}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_fit_a_terminal_of_80_columns() {
        let details =
            json!({"words": "x, ".repeat(40), "part": "noun", "gloss": "y ".repeat(90), "uses": 1});
        let hit = Hit {
            id: Id::from("x"),
            score: 0.5,
            metadata: nearfield::Metadata::try_from(details).ok(),
            vector: None,
        };
        let answer = Answer {
            asked: "z".repeat(200),
            time: Duration::from_micros(350),
            hits: vec![hit.clone(), hit],
        };
        let output = Output::to_stdout(false);
        assert!(
            answer
                .text(output)
                .lines()
                .all(|line| line.chars().count() <= 80)
        );
    }
}
