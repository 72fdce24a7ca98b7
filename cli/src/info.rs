//! `nearfield info`

use std::time::Duration;

use clap::Args;
use nearfield::{Calibration, Description, FieldDescription, IndexDescription};
use serde_json::json;

use crate::failure::Outcome;
use crate::participants::Others;
use crate::show::{Align, Output, Table, bytes, clean, duration, number, plural};
use crate::store::{Store, StorePath};

/// Tell what is in a store: collections, counts, bytes, state; and who else has it open
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  nearfield info ./data
  nearfield info ./data --collection docs --json")]
pub(crate) struct Info {
    #[command(flatten)]
    store: StorePath,

    /// The collection [default: all of them]
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "NEARFIELD_COLLECTION",
        hide_env_values = true
    )]
    collection: Option<String>,
}

impl Info {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let store = Store::open(&self.store, "info")?;
        let descriptions = match self.collection {
            Some(name) => vec![store.describe(&name)?],
            None => store.describe_all(&store.collections()?)?,
        };
        let disk = store.disk_bytes();
        let others = Others::of(&store)?;
        let (owner, guests) = others.json();
        output.json(&json!({
            "path": store.target(),
            "bytes": disk,
            "owner": owner,
            "guests": guests,
            "collections": descriptions,
        }))?;
        let mut text = format!("{}: {}", clean(store.target()), {
            let names = store.collections()?;
            plural(names.len() as u64, "collection", "collections")
        });
        if let Some(disk) = disk {
            text += &format!(", {} on disk", bytes(disk));
        }
        text.push('\n');
        if !others.are_none() {
            text += &others.text(output.width());
        }
        for description in &descriptions {
            text += &format!("\n{}\n", output.bold(&description.collection));
            text += &show(description).text(output.width());
            let index = description.index.as_ref();
            if let Some(calibration) = index.map(|index| &index.calibration)
                && !calibration.is_empty()
            {
                text += "\n  what recall means here, measured on rows that were held out\n";
                text += &calibrations(calibration).text(output.width());
            }
        }
        output.text(&text)
    }
}

fn show(description: &Description) -> Table {
    let mut table = Table::new([Align::Left, Align::Left]).indent(2);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("points", number(description.count));
    row(
        "vectors",
        format!(
            "{} components, {}, stored as {}",
            number(description.dimension as u64),
            description.metric,
            description.storage.as_str()
        ),
    );
    row("searches", searches(description));
    if let Some(index) = &description.index {
        about_index(index, &mut row);
    }
    if description.index.is_some() || description.write_delay_us > 0 {
        row("tail", lag(description));
    }
    row(
        "log",
        format!(
            "{} in {}",
            bytes(description.log_bytes),
            plural(description.log_files, "file", "files")
        ),
    );
    if description.dead_rows > 0 {
        let rows = plural(description.dead_rows, "row", "rows");
        row(
            "dead",
            format!("{rows} replaced or removed; `nearfield compact` gives the space back"),
        );
    }
    let durable = match description.synced >= description.sequence {
        true => format!("{}, all on disk", number(description.sequence)),
        false => format!(
            "{}, of which {} known to be on disk",
            number(description.sequence),
            number(description.synced)
        ),
    };
    row("writes", durable);
    row(
        "memory",
        format!("about {}", bytes(description.memory_bytes)),
    );
    if !description.fields.is_empty() {
        let fields: Vec<String> = description.fields.iter().map(field).collect();
        row("fields", fields.join(", "));
    }
    if !description.unindexed_fields.is_empty() {
        row("not indexed", description.unindexed_fields.join(", "));
    }
    table
}

fn searches(description: &Description) -> String {
    let exactly = |rows| {
        format!(
            "compare {} without a code exactly",
            plural(rows, "row", "rows")
        )
    };
    match (&description.index, description.unencoded) {
        (Some(_), 0) => "probe lists, and scan the codes of the tail".to_owned(),
        (Some(_), rows) => format!("probe lists, scan the tail, and {}", exactly(rows)),
        (None, 0) => "scan the codes of all rows".to_owned(),
        (None, rows) if rows >= description.unindexed => "compare all rows exactly".to_owned(),
        (None, rows) => format!("scan codes, and {}", exactly(rows)),
    }
}

fn about_index(index: &IndexDescription, row: &mut impl FnMut(&str, String)) {
    row(
        "index",
        format!(
            "epoch {}, {}, trained at {}",
            number(index.epoch),
            plural(index.lists, "list", "lists"),
            plural(index.trained_rows, "row", "rows")
        ),
    );
    let mut segments = format!(
        "{}, {}, {}",
        number(index.segments),
        bytes(index.bytes),
        plural(index.rows, "row", "rows")
    );
    if index.dead_rows > 0 {
        segments += &format!(", {} of them removed", number(index.dead_rows));
    }
    row("segments", segments);
    if index.older_epoch_rows > 0 {
        let rows = plural(index.older_epoch_rows, "row", "rows");
        row(
            "epoch before",
            format!("{rows} still assigned to its lists"),
        );
    }
    if let Some(fault) = &index.fault {
        row("index fault", fault.clone());
    }
}

/// How far the index lags behind the writers, and what that cost them.
fn lag(description: &Description) -> String {
    let mut text = plural(description.unindexed, "row", "rows");
    if description.write_delay_us > 0 {
        let delay = Duration::from_micros(description.write_delay_us);
        text += &format!("; writers were slowed by {} since opening", duration(delay));
    }
    text
}

fn calibrations(calibration: &[Calibration]) -> Table {
    let columns = [Align::Right; 5];
    let mut table = Table::new(columns)
        .indent(2)
        .heading(["limit", "recall", "measured", "probes", "epsilon"]);
    for each in calibration {
        table.row([
            number(each.limit),
            each.recall.to_string(),
            format!("{:.3}", each.measured),
            number(each.probes),
            format!("{:.1}", each.epsilon),
        ]);
    }
    table
}

fn field(field: &FieldDescription) -> String {
    match field.distinct {
        Some(distinct) => format!("{} ({})", field.field, plural(distinct, "value", "values")),
        None => format!("{} (many values)", field.field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearfield::{Metric, Storage};

    fn description() -> Description {
        Description {
            collection: "docs".to_owned(),
            dimension: 128,
            metric: Metric::Cosine,
            storage: Storage::F32,
            unindexed_fields: Vec::new(),
            count: 999_000,
            unindexed: 5_000,
            unencoded: 0,
            sequence: 7,
            synced: 7,
            log_files: 8,
            log_bytes: 1_000_000,
            dead_rows: 0,
            memory_bytes: 34_000_000,
            damage: None,
            write_delay_us: 1_500_000,
            index: Some(IndexDescription {
                epoch: 2,
                lists: 1_024,
                trained_rows: 250_000,
                rows: 995_000,
                dead_rows: 1_000,
                older_epoch_rows: 4_000,
                settled: false,
                segments: 3,
                bytes: 25_000_000,
                calibration: Vec::new(),
                fault: Some("the disk is full".to_owned()),
            }),
            fields: Vec::new(),
        }
    }

    #[test]
    fn the_index_and_its_lag_are_told() {
        let text = show(&description()).text(None);
        for line in [
            "  searches      probe lists, and scan the codes of the tail",
            "  index         epoch 2, 1,024 lists, trained at 250,000 rows",
            "  segments      3, 25.0 MB, 995,000 rows, 1,000 of them removed",
            "  epoch before  4,000 rows still assigned to its lists",
            "  index fault   the disk is full",
            "  tail          5,000 rows; writers were slowed by 1.5 s since opening",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let without = Description {
            index: None,
            write_delay_us: 0,
            ..description()
        };
        let text = show(&without).text(None);
        assert!(text.contains("scan the codes of all rows"), "{text}");
        assert!(!text.contains("tail") && !text.contains("index"), "{text}");
    }

    #[test]
    fn calibrations_are_a_table() {
        let calibration = |limit, recall, probes, epsilon, measured| Calibration {
            limit,
            recall,
            probes,
            epsilon,
            measured,
        };
        let table = calibrations(&[
            calibration(10, 0.95, 8, 1.6, 0.9571),
            calibration(1_000, 0.99, 120, 2.0, 0.9904),
        ]);
        let expected = [
            "  limit  recall  measured  probes  epsilon",
            "     10    0.95     0.957       8      1.6",
            "  1,000    0.99     0.990     120      2.0",
        ];
        assert_eq!(table.lines(None), expected);
    }
}
