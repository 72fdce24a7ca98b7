//! Metrics as Prometheus reads them (text format 0.0.4).

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nearfield_model::{
    Context, DescribeCollection, Description, ErrorKind, ListCollections, Request, Response,
    Service as _, Stage,
};

use super::histogram::Histogram;
use super::{DOORS, Metrics, OUTCOMES, VERBS};
use crate::server::door::Door;

/// Collections that are described one by one, at most.
const COLLECTIONS_MAX: usize = 1_000;

/// What is told of a collection.
type Gauge = (&'static str, &'static str, fn(&Description) -> f64);

#[rustfmt::skip]
const GAUGES: [Gauge; 12] = [
    ("points", "Points there are", |d| d.count as f64),
    ("tail_rows", "Rows that no segment of the index covers yet", |d| d.unindexed as f64),
    ("unencoded_rows", "Rows of the tail without codes so far", |d| d.unencoded as f64),
    ("sequence", "The number of the last write", |d| d.sequence as f64),
    ("unsynced_writes", "Writes that are not known to be on disk", |d| d.sequence.saturating_sub(d.synced) as f64),
    ("log_files", "Files of the log", |d| d.log_files as f64),
    ("log_bytes", "Bytes of the log that records take", |d| d.log_bytes as f64),
    ("dead_rows", "Rows in the log that a later write replaced or removed", |d| d.dead_rows as f64),
    ("memory_bytes", "Bytes of memory, about", |d| d.memory_bytes as f64),
    ("write_delay_seconds", "How long writers were slowed in total because the index lagged", |d| d.write_delay_us as f64 / 1e6),
    ("index_older_epoch_rows", "Rows in lists of the epoch before", |d| d.index.as_ref().map_or(0, |index| index.older_epoch_rows) as f64),
    ("damaged", "Whether the background check found damage", |d| f64::from(u8::from(d.damage.is_some()))),
];

/// Writes all metrics. It asks the engine, so it may block.
pub(crate) fn write(door: &Door) -> String {
    let mut text = String::with_capacity(16 << 10);
    let metrics = &*door.metrics;
    calls(&mut text, metrics);
    head(
        &mut text,
        "call_seconds",
        "histogram",
        "How long calls took",
    );
    for (row, histogram) in metrics.totals.iter().enumerate() {
        let (name, verb) = (DOORS[row / VERBS], verb_name(row % VERBS));
        distribution(
            &mut text,
            "call_seconds",
            &format!("door=\"{name}\",verb=\"{verb}\""),
            histogram,
        );
    }
    head(
        &mut text,
        "stage_seconds",
        "histogram",
        "How long the stages of calls took",
    );
    for (row, histogram) in metrics.stages.iter().enumerate() {
        let stage = Stage::ALL[row % Stage::ALL.len()].as_str();
        let labels = format!(
            "door=\"{}\",stage=\"{stage}\"",
            DOORS[row / Stage::ALL.len()]
        );
        distribution(&mut text, "stage_seconds", &labels, histogram);
    }
    gauge(
        &mut text,
        "calls_under_way",
        "Calls that the engine works on",
        door.limited.under_way(),
    );
    gauge(
        &mut text,
        "calls_max",
        "Calls at once, at most",
        door.settings.calls_max,
    );
    gauge(
        &mut text,
        "connections",
        "Open connections",
        door.connections.open(),
    );
    gauge(
        &mut text,
        "bodies_bytes",
        "Bytes of bodies under way",
        door.budget.used(),
    );
    gauge(
        &mut text,
        "bodies_bytes_max",
        "Bytes of bodies under way, at most",
        door.settings.bodies_bytes_max,
    );
    if let Some(bytes) = resident_bytes() {
        gauge(
            &mut text,
            "resident_memory_bytes",
            "Memory of the process that is in RAM, mapped files included",
            bytes,
        );
    }
    gauge(
        &mut text,
        "ready",
        "Whether the store is open",
        u8::from(door.limited.is_ready()),
    );
    collections(&mut text, door);
    text
}

fn calls(text: &mut String, metrics: &Metrics) {
    head(
        text,
        "calls_total",
        "counter",
        "Calls by door, verb and outcome",
    );
    for (place, count) in metrics.calls.iter().enumerate() {
        let count = count.load(Ordering::Relaxed);
        if count == 0 {
            continue;
        }
        let row = place / OUTCOMES;
        let outcome = ErrorKind::ALL
            .get(place % OUTCOMES)
            .map_or("ok", |kind| kind.as_str());
        let (name, verb) = (DOORS[row / VERBS], verb_name(row % VERBS));
        let labels = format!("door=\"{name}\",verb=\"{verb}\",outcome=\"{outcome}\"");
        sample(text, "calls_total", &labels, count);
    }
}

fn verb_name(verb: usize) -> &'static str {
    Request::VERBS.get(verb).copied().unwrap_or("none")
}

fn collections(text: &mut String, door: &Door) {
    let described = describe(door);
    for (name, help, value) in GAUGES {
        let name = format!("collection_{name}");
        head(text, &name, "gauge", help);
        for description in &described {
            let labels = format!("collection=\"{}\"", description.collection);
            sample(text, &name, &labels, value(description));
        }
    }
}

/// How long describing may take. Where another process has the store and is stopped, it does not answer,
/// and scrapers wait for ten seconds.
const DESCRIBED_WITHIN: Duration = Duration::from_secs(3);

/// The collections as far as they can be described; a scrape never fails because of one.
fn describe(door: &Door) -> Vec<Description> {
    let context = Context {
        deadline: Some(Instant::now() + DESCRIBED_WITHIN),
        ..Context::default()
    };
    let Ok(Response::ListCollections(listed)) =
        door.limited.call(&context, ListCollections {}.into())
    else {
        return Vec::new();
    };
    let describe = |name: String| match door
        .limited
        .call(&context, DescribeCollection::new(name).into())
    {
        Ok(Response::DescribeCollection(description)) => Some(description),
        _ => None,
    };
    listed
        .collections
        .into_iter()
        .take(COLLECTIONS_MAX)
        .filter_map(describe)
        .collect()
}

fn distribution(text: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let counts = histogram.cumulative();
    let Some((_, total)) = counts.last().copied().filter(|(_, total)| *total > 0) else {
        return;
    };
    for (bound, count) in counts {
        let bound = if bound.is_finite() {
            bound.to_string()
        } else {
            "+Inf".to_owned()
        };
        sample(
            text,
            &format!("{name}_bucket"),
            &format!("{labels},le=\"{bound}\""),
            count,
        );
    }
    sample(
        text,
        &format!("{name}_sum"),
        labels,
        histogram.sum_seconds(),
    );
    sample(text, &format!("{name}_count"), labels, total);
}

fn gauge(text: &mut String, name: &str, help: &str, value: impl Display) {
    head(text, name, "gauge", help);
    sample(text, name, "", value);
}

// Writing to a string does not fail.
fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(
        text,
        "# HELP nearfield_{name} {help}.\n# TYPE nearfield_{name} {kind}\n"
    );
}

fn sample(text: &mut String, name: &str, labels: &str, value: impl Display) {
    let _ = match labels {
        "" => writeln!(text, "nearfield_{name} {value}"),
        labels => writeln!(text, "nearfield_{name}{{{labels}}} {value}"),
    };
}

/// What the process has in RAM, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}
