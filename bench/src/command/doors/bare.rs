//! The bare primitives of the doors between processes of one machine, with the same waiting: to another
//! process and back, which computes for as long as the engine would.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;
use nearfield_shm::echo::{self, Asker};

use super::door::Door;
use crate::Result;
use crate::clock::micros;
use crate::command::child::tell;

/// The process that answers.
#[derive(Args, Debug)]
pub(crate) struct Child {
    #[arg(long)]
    socket: PathBuf,
    #[arg(long)]
    memory: bool,
}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let ready = || {
            // Who does not hear it asks in vain, and tells.
            let _told = tell("ready");
        };
        Ok(echo::answer(&self.socket, self.memory, ready)?)
    }
}

/// A connection to such a process.
pub(super) struct Bare {
    child: process::Child,
    asker: Asker,
}

impl Bare {
    /// Starts one that answers at `socket`.
    pub(super) fn start(door: Door, socket: &Path) -> Result<Bare> {
        let memory = door == Door::Shm;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bare-child").arg("--socket").arg(socket);
        if memory {
            command.arg("--memory");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut String::new())?;
        }
        let asker = Asker::connect(socket, memory)?;
        Ok(Bare { child, asker })
    }

    /// What one round trip took beyond `hold`, in microseconds.
    pub(super) fn round_trip(&mut self, hold: Duration) -> Result<f64> {
        let start = Instant::now();
        self.asker.round_trip(hold)?;
        Ok(micros(start.elapsed()) - micros(hold))
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
