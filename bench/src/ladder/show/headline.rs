//! The run in a sentence.

use super::figures::{grouped, percent};
use crate::ladder::row::Climb;

impl Climb {
    /// What a person should know first.
    pub(super) fn headline(&self) -> String {
        let batch = self.groups().into_iter().filter(|(op, _)| *op == "ingest");
        let Some(batch) = batch
            .map(|(_, batch)| batch)
            .min_by_key(|batch| batch.abs_diff(1_000))
        else {
            return "Queries alone were measured.".to_owned();
        };
        let row = |door: &str| self.group("ingest", batch).find(|row| row.door == door);
        let Some(embedded) = row("embedded") else {
            return "The embedded door was not measured.".to_owned();
        };
        let mut text = format!(
            "In batches of {}, the embedded store takes {} vectors per second",
            grouped(batch as f64),
            grouped(embedded.rate)
        );
        let others = ["shm", "http-msgpack", "http-json"]
            .into_iter()
            .filter_map(row);
        let parts: Vec<String> = others
            .map(|row| {
                let share = row.rate / embedded.rate;
                format!(
                    "{} {} of that ({})",
                    row.door,
                    percent(share),
                    grouped(row.rate)
                )
            })
            .collect();
        if !parts.is_empty() {
            text += &format!("; {}", parts.join(", "));
        }
        text + "."
    }
}
