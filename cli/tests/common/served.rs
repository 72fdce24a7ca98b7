//! `nearfield serve` in a process of its own.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server that runs; killed when dropped.
pub(crate) struct Served {
    child: Child,
    url: String,
}

impl Served {
    /// Serves a store on a free port, and returns once it does.
    pub(crate) fn start(store: &Path) -> Served {
        Served::spawn(store, "127.0.0.1:0", &[])
    }

    /// Serves a store with further options.
    pub(crate) fn with(store: &Path, options: &[&str]) -> Served {
        Served::spawn(store, "127.0.0.1:0", options)
    }

    /// Serves a store where a server was before.
    pub(crate) fn start_on(store: &Path, url: &str) -> Served {
        let served = Served::spawn(store, url.trim_start_matches("http://"), &[]);
        assert_eq!(served.url, url);
        served
    }

    fn spawn(store: &Path, listen: &str, options: &[&str]) -> Served {
        let mut child = Command::new(env!("CARGO_BIN_EXE_nearfield"))
            .args(["--json", "serve"])
            .arg(store)
            .args(["--listen", listen])
            .args(options)
            // Snapshots whose destination is relative go where the server is.
            .current_dir(store.parent().unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the server said {line:?}: {error}"));
        let url = told["url"].as_str().unwrap().to_owned();
        Served { child, url }
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Kills it as the kernel kills a process.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
