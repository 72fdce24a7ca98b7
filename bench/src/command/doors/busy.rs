//! Other processes that keep all cores busy.

use std::process::{self, Command, Stdio};

use clap::Args;

use crate::Result;

/// A process that computes without end.
#[derive(Args, Debug)]
pub(crate) struct Child {}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let mut number = 1_u64;
        loop {
            number = std::hint::black_box(number.wrapping_mul(3));
        }
    }
}

/// As many of them as there are cores, or none; they end when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Busy(Vec<process::Child>);

impl Busy {
    pub(super) fn start() -> Result<Busy> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut busy = Busy::default();
        for _ in 0..cores {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("busy-child").stdin(Stdio::null());
            busy.0.push(command.spawn()?);
        }
        Ok(busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            let _killed = child.kill();
            let _reaped = child.wait();
        }
    }
}
