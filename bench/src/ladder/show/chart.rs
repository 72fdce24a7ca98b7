//! The run as a picture: a bar per door, for READMEs.

use std::fmt::Write;

use super::figures::grouped;
use super::page::title;
use crate::ladder::row::{Climb, Row};

const WIDTH: f64 = 720.0;
const NAME_END: f64 = 150.0;
const BAR_START: f64 = 160.0;
const BAR_MAX: f64 = 440.0;
const STEP: f64 = 26.0;
const TOP: f64 = 46.0;
/// The batch that is drawn, if the run has it.
const BATCH: usize = 1_000;

impl Climb {
    /// The rates of writes in batches of 1,000, or of the largest that were measured, as SVG.
    pub fn chart(&self) -> String {
        let batches = self.groups().into_iter().filter(|(op, _)| *op == "ingest");
        let batch = batches
            .map(|(_, batch)| batch)
            .min_by_key(|batch| batch.abs_diff(BATCH));
        let batch = batch.unwrap_or(BATCH);
        let rows: Vec<&Row> = self.group("ingest", batch).collect();
        let most = rows.iter().map(|row| row.rate).fold(1.0, f64::max);
        let height = TOP + STEP * rows.len() as f64 + 26.0;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" aria-label=\"Vectors per second through each door\">\n<style>\n\
             text {{ font: 14px system-ui, sans-serif; fill: #1f2328 }}\n\
             .dim {{ fill: #626a73; font-size: 12px }}\n.end {{ text-anchor: end }}\n\
             rect {{ fill: #2f6fbb }} .here {{ fill: #1a7f4b }}\n\
             @media (prefers-color-scheme: dark) {{ text {{ fill: #e6e3dd }} .dim {{ fill: #9aa3ad }} \
             rect {{ fill: #5b9be0 }} .here {{ fill: #4fb37e }} }}\n</style>\n"
        );
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"20\">{}: vectors per second</text>",
            title("ingest", batch).0
        );
        for (at, row) in rows.iter().enumerate() {
            let y = TOP + STEP * at as f64;
            let length = (row.rate / most * BAR_MAX).max(1.0);
            let class = match row.door {
                "engine" | "embedded" => " class=\"here\"",
                _ => "",
            };
            let _ = writeln!(
                svg,
                "<text class=\"end\" x=\"{NAME_END}\" y=\"{:.0}\">{}</text>\
                 <rect{class} x=\"{BAR_START}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"16\" rx=\"2\"/>\
                 <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
                y + 13.0,
                row.door,
                y,
                BAR_START + length + 8.0,
                y + 13.0,
                grouped(row.rate)
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"dim\" x=\"0\" y=\"{:.0}\">{} vectors of {} components, durability {}, one \
             caller; {}, {}</text>\n</svg>",
            height - 6.0,
            self.workload["vectors"],
            self.workload["dim"],
            self.workload["durability"].as_str().unwrap_or_default(),
            self.machine.short(),
            self.machine.date(),
        );
        svg
    }
}
