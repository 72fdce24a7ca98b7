//! The bare primitive that doors are compared with: one byte over TCP to another process, and back.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{self, Command, Stdio};
use std::time::Instant;

use clap::Args;

use crate::Result;
use crate::clock::micros;
use crate::command::child::tell;
use crate::cores::{self, Pinned};

/// The process that answers.
#[derive(Args, Debug)]
pub(crate) struct Child {
    /// The core to stay on
    #[arg(long)]
    core: Option<usize>,
}

impl Child {
    pub(crate) fn run(&self) -> Result<()> {
        let _pinned = self.core.map(Pinned::to).transpose()?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        tell(&listener.local_addr()?.to_string())?;
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let mut byte = [0];
        while stream.read(&mut byte)? > 0 {
            stream.write_all(&byte)?;
        }
        Ok(())
    }
}

/// A connection to such a process.
#[derive(Debug)]
pub(super) struct Echo {
    child: process::Child,
    stream: TcpStream,
    /// Where this side stays while it measures.
    core: Option<usize>,
}

impl Echo {
    /// Both sides run where the system puts them.
    pub(super) fn start() -> Result<Echo> {
        Echo::start_on(None)
    }

    /// Each side stays on a core of its own; none if there is but one.
    pub(super) fn start_apart() -> Result<Option<Echo>> {
        let two = cores::two()?;
        two.map(|two| Echo::start_on(Some(two))).transpose()
    }

    fn start_on(cores: Option<(usize, usize)>) -> Result<Echo> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("echo-child");
        if let Some((_, far)) = cores {
            command.arg("--core").arg(far.to_string());
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut address)?;
        }
        let stream = TcpStream::connect(address.trim_end())?;
        stream.set_nodelay(true)?;
        Ok(Echo {
            child,
            stream,
            core: cores.map(|(near, _)| near),
        })
    }

    /// What each of some round trips took, in microseconds.
    pub(super) fn round_trips(&mut self, count: usize) -> Result<Vec<f64>> {
        let _pinned = self.core.map(Pinned::to).transpose()?;
        let mut byte = [1];
        (0..count)
            .map(|_| {
                let start = Instant::now();
                self.stream.write_all(&byte)?;
                self.stream.read_exact(&mut byte)?;
                Ok(micros(start.elapsed()))
            })
            .collect()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
