//! `single`: one vector per call.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::writers::{Crowd, compare};
use crate::Result;
use crate::report::Report;
use crate::workload::{Durabilities, name};

/// One vector per call
#[derive(Args, Debug, Serialize)]
pub(crate) struct Single {
    #[arg(long, default_value_t = 128)]
    dim: usize,
    #[arg(long, value_enum, default_value = "both")]
    durability: Durabilities,
    /// Seconds per leg
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// The folder to work in, on a disk; by default where this program is
    #[arg(long)]
    #[serde(skip)]
    path: Option<PathBuf>,
}

impl Single {
    pub(crate) fn run(&self) -> Result<Report> {
        let mut crowds = Vec::new();
        for durability in self.durability.each().iter().copied() {
            for (who, writers) in [("limit", 0), ("store", 1)] {
                crowds.push(Crowd {
                    name: format!("{} {who}", name(durability)),
                    writers,
                    batch: 1,
                    durability,
                });
            }
        }
        compare(
            "single",
            serde_json::to_value(self)?,
            self.path.as_deref(),
            &crowds,
            self.dim,
            self.seconds,
            self.rounds,
        )
    }
}
