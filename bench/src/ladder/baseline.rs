//! Taxes and ratios that were kept, and what a run is worse at. Rates differ from machine to
//! machine; these two do so far less.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::row::{Climb, Row};
use crate::Result;

/// What of a workload must be the same for two runs to be compared.
const SAME: [&str; 5] = ["vectors", "dim", "data", "durability", "engine"];

/// How much worse a run may be.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Tolerance {
    /// Microseconds by which a tax may be more.
    tax_us: f64,
    /// The share of itself by which a tax may be more besides.
    tax_share: f64,
    /// The share of itself by which a ratio to the embedded door may be less.
    ratio_share: f64,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance {
            tax_us: 0.1,
            tax_share: 0.3,
            ratio_share: 0.3,
        }
    }
}

/// A row's part.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Kept {
    door: String,
    op: String,
    batch: usize,
    tax_us: Option<f64>,
    ratio: Option<f64>,
}

/// What is kept of a run.
#[derive(Debug, Deserialize, Serialize)]
struct Baseline {
    command: String,
    date: String,
    workload: Value,
    tolerance: Tolerance,
    rows: Vec<Kept>,
}

impl Climb {
    /// What later runs are compared with, as JSON.
    ///
    /// # Errors
    /// None that a person can bring about.
    pub fn baseline(&self) -> Result<String> {
        let rows = self.rows.iter().map(|row| Kept {
            door: row.door.to_owned(),
            op: row.op.to_owned(),
            batch: row.batch,
            tax_us: row.tax_us.map(rounded),
            ratio: row.ratio.map(rounded),
        });
        let baseline = Baseline {
            command: self.command.clone(),
            date: self.machine.date().to_owned(),
            workload: self.workload.clone(),
            tolerance: Tolerance::default(),
            rows: rows.collect(),
        };
        Ok(serde_json::to_string_pretty(&baseline)? + "\n")
    }

    /// What this run is worse at than a baseline, a line each.
    ///
    /// # Errors
    /// If the text is no baseline, or one of another workload.
    pub fn worse_than(&self, baseline: &str) -> Result<Vec<String>> {
        let baseline: Baseline = serde_json::from_str(baseline)?;
        for name in SAME {
            if self.workload[name] != baseline.workload[name] {
                return Err(format!(
                    "the baseline is of another workload: {name} was {}; run {}",
                    baseline.workload[name], baseline.command
                )
                .into());
            }
        }
        let mut worse = Vec::new();
        for kept in &baseline.rows {
            let is_its =
                |row: &&Row| (row.door, row.op, row.batch) == (&*kept.door, &*kept.op, kept.batch);
            if let Some(row) = self.rows.iter().find(is_its) {
                kept.compare(row, &baseline.tolerance, &mut worse);
            }
        }
        Ok(worse)
    }
}

impl Kept {
    fn compare(&self, row: &Row, tolerance: &Tolerance, worse: &mut Vec<String>) {
        let Kept {
            door, op, batch, ..
        } = self;
        if let (Some(was), Some(is)) = (self.tax_us, row.tax_us) {
            let most = was.max(0.0) * (1.0 + tolerance.tax_share) + tolerance.tax_us;
            if is > most {
                worse.push(format!(
                    "{door}, {op}, {batch}: the tax is {is:.3} us, and was {was:.3}"
                ));
            }
        }
        if let (Some(was), Some(is)) = (self.ratio, row.ratio)
            && is < was * (1.0 - tolerance.ratio_share)
        {
            worse.push(format!(
                "{door}, {op}, {batch}: {is:.3} of the embedded door, and was {was:.3}"
            ));
        }
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::door::Door;
    use crate::ladder::leg::{Cell, Leg};
    use crate::ladder::options::Op;
    use crate::ladder::row::{Legs, row};
    use crate::ladder::story::Story;
    use crate::machine::Machine;

    /// A run in which a door takes so many microseconds per vector, with and without the engine.
    fn climb(us: f64) -> Climb {
        let leg = |us: f64| Leg {
            count: 1_000,
            seconds: us / 1e3,
            client_seconds: us / 1e3,
            times: vec![us],
            ..Leg::default()
        };
        let legs = |us: f64| Legs {
            real: vec![leg(us + 1.0)],
            null: vec![leg(us)],
            explained: None,
        };
        let cell = Cell {
            door: Door::HttpJson,
            op: Op::Ingest,
            batch: 1_000,
        };
        let (nearest, none) = (legs(0.0), legs(0.0));
        let found = row(cell, &legs(us), Some(&none), Some(&nearest), "os");
        Climb {
            machine: Machine::describe(std::path::Path::new("/")),
            workload: serde_json::json!({"vectors": 1_000}),
            rows: found.into_iter().collect(),
            not_run: Vec::new(),
            story: Story::default(),
            command: "nearfield ladder".to_owned(),
            faults: Vec::new(),
            seconds: 0.0,
        }
    }

    #[test]
    fn a_run_is_worse_when_its_tax_or_ratio_is() {
        let baseline = climb(5.0).baseline().unwrap();
        assert!(climb(5.0).worse_than(&baseline).unwrap().is_empty());
        assert!(climb(1.0).worse_than(&baseline).unwrap().is_empty());
        let worse = climb(10.0).worse_than(&baseline).unwrap();
        assert_eq!(worse.len(), 2, "{worse:?}");
        assert!(worse[0].contains("the tax is 10.000 us, and was 5.000"));
    }

    #[test]
    fn another_workload_is_refused() {
        let baseline = climb(5.0).baseline().unwrap();
        let other = baseline.replace("\"vectors\": 1000", "\"vectors\": 2000");
        assert!(climb(5.0).worse_than(&other).is_err());
        assert!(climb(5.0).worse_than("{}").is_err());
    }
}
