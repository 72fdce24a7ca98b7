//! `nearfield serve` in a process of its own, and what it uses.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::machine::{field, first_number};

/// How long a server may take until it answers.
const START_MAX: Duration = Duration::from_secs(20);

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Server {
    /// Serves a store: a path, which is made if it is not there, or another target. The program is
    /// `nearfield`, by default the one beside this.
    pub(crate) fn start(program: Option<&Path>, store: impl AsRef<OsStr>) -> Result<Server> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => beside_this()?,
        };
        let address = free_address()?;
        let child = Command::new(&program)
            .arg("serve")
            .arg(store)
            .args(["--listen", &address])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!(
                    "{}: {error}; build it: cargo build --release",
                    program.display()
                )
            })?;
        let mut server = Server { child, address };
        server.wait_ready()?;
        Ok(server)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < START_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended at once: {status}").into());
            }
            let target = format!("http://{}", self.address);
            if nearfield::connect(target)
                .and_then(|db| db.collections())
                .is_ok()
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the server does not answer".into())
    }

    /// CPU time of the server so far, all threads that live, in seconds.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.child.id())
    }

    /// Anonymous memory of the server, in bytes.
    pub(crate) fn anonymous_bytes(&self) -> f64 {
        let status = format!("/proc/{}/status", self.child.id());
        let kib = field(&status, "RssAnon:").and_then(|text| first_number(&text));
        kib.unwrap_or(0.0) * 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// CPU time of another process so far, all threads that live, in seconds. A thread that runs
/// counts to its last tick.
pub(crate) fn cpu_seconds(process: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may end meanwhile.
        let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += first_number(&text).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e9)
}

fn beside_this() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.with_file_name("nearfield"))
}

/// An address that nobody listens on at the moment.
fn free_address() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}
