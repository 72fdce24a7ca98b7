//! `nearfield info`

use clap::Args;
use nearfield::{Description, FieldDescription};
use serde_json::json;

use crate::failure::Outcome;
use crate::show::{Align, Output, Table, bytes, clean, number, plural};
use crate::store::{Store, StorePath};

/// Tell what is in a store: collections, counts, bytes, state
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
        let names = match self.collection {
            Some(name) => vec![name],
            None => store.collections()?,
        };
        let descriptions = names
            .iter()
            .map(|name| store.describe(name))
            .collect::<Outcome<Vec<_>>>()?;
        let disk = store.disk_bytes();
        output.json(&json!({
            "path": store.target(),
            "bytes": disk,
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
        for description in &descriptions {
            text += &format!("\n{}\n", output.bold(&description.collection));
            text += &show(description).text(output.width());
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
    let searches = match description.unencoded {
        0 => "scan the codes of all rows".to_owned(),
        rows if rows >= description.unindexed => "compare all rows exactly".to_owned(),
        rows => format!(
            "scan codes, and compare {} without one exactly",
            plural(rows, "row", "rows")
        ),
    };
    row("searches", searches);
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

fn field(field: &FieldDescription) -> String {
    match field.distinct {
        Some(distinct) => format!("{} ({})", field.field, plural(distinct, "value", "values")),
        None => format!("{} (many values)", field.field),
    }
}
