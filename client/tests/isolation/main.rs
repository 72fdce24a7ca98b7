//! Processes that open one path although they are kept apart: they belong to other users, run in
//! containers, or see the folder elsewhere or without the right to write.
//!
//! These tests need root and a kernel that permits namespaces. `cargo xtask test --only isolation`
//! runs them where both are there, and says so where they are not.
#![cfg(all(target_os = "linux", feature = "shm"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

#[path = "../common/process.rs"]
mod process;

mod containers;
mod folders;
mod users;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nearfield::{Batch, Builder, Collection, Database, Metric, Result};
use tempfile::TempDir;

use crate::process::Process;

/// A folder that all users can look into, with this program in it.
struct Ground(TempDir);

impl Ground {
    fn new() -> Ground {
        let ground = Ground(tempfile::tempdir().unwrap());
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(ground.0.path(), mode).unwrap();
        let this = std::env::current_exe().unwrap();
        std::fs::hard_link(&this, ground.program())
            .or_else(|_| std::fs::copy(&this, ground.program()).map(drop))
            .unwrap();
        ground
    }

    fn program(&self) -> PathBuf {
        self.path("program")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A folder in it.
    fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir(&path).unwrap();
        path
    }

    /// The command that runs this program.
    fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.current_dir("/");
        command
    }

    /// The command that has a shell do what `script` says, the last of which is to run `"$@"`: this
    /// program. The words in front are those that run the shell.
    fn script(&self, words: &[&str], script: &str) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["sh", "-ec", script, "sh"]);
        command.arg(self.program()).current_dir("/");
        command.env("GROUND", self.0.path());
        command
    }
}

/// Another process, with a path to open.
struct Actor(Process);

impl Actor {
    fn start(command: Command, store: &Path) -> Actor {
        Actor(Process::by(command, store, "obey"))
    }

    /// What it says when it is told to do something.
    fn says(&mut self, line: &str) -> String {
        self.0.tell(line);
        let said = self.0.next();
        said.unwrap_or_else(|| panic!("it ended at `{line}`"))
    }

    /// Has it kill itself, where it runs.
    fn dies(&mut self) {
        self.0.tell("die");
        assert_eq!(self.0.next(), None);
    }

    /// Has it do what must not fail.
    #[track_caller]
    fn does(&mut self, line: &str) {
        assert_eq!(self.says(line), "done", "{line}");
    }

    /// Asks until it says what is awaited, for a second at most.
    #[track_caller]
    fn soon_says(&mut self, line: &str, awaited: &str) {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            let said = self.says(line);
            if said == awaited {
                return;
            }
            assert!(Instant::now() < until, "{line}: {said}, and not {awaited}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Not a test of its own: what other processes run. It does what it is told, line by line.
#[test]
fn child() {
    process::run(|store, _| {
        let mut db = None;
        loop {
            let line = process::wait();
            if line.is_empty() {
                return;
            }
            let said = obey(&mut db, store, &line);
            process::say(&said.unwrap_or_else(|error| format!("{:?}: {error}", error.kind())));
        }
    });
}

fn obey(db: &mut Option<Database>, store: &Path, line: &str) -> Result<String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    if verb == "open" || verb == "share" {
        *db = None;
        let builder = Builder::new(format!("{rest}{}", store.display()))
            .timeout(Duration::from_secs(5))
            .share_with_group(verb == "share");
        *db = Some(builder.open()?);
        return Ok("done".to_owned());
    }
    let db = db.as_ref().unwrap();
    let docs = || -> Result<Collection> { db.collection("docs") };
    match verb {
        "create" => drop(db.create_collection("docs", 2, Metric::Dot)?),
        "upsert" => {
            let id: u64 = rest.parse().unwrap();
            docs()?.upsert(Batch::new([id], &[1.0, 0.0])).run()?;
        }
        "count" => return Ok(docs()?.count().run()?.count.to_string()),
        "guests" => {
            let guests = db.participants()?.unwrap().guests;
            let pids: Vec<Option<u32>> = guests.iter().map(|guest| guest.pid).collect();
            return Ok(format!("{pids:?}"));
        }
        "die" => {
            let this = std::process::id().to_string();
            let _killed = Command::new("kill").args(["-KILL", &this]).status();
        }
        _ => panic!("{line}"),
    }
    Ok("done".to_owned())
}

/// An owner with one point.
#[track_caller]
fn owner(command: Command, store: &Path) -> Actor {
    let mut owner = Actor::start(command, store);
    for line in ["open", "create", "upsert 1"] {
        owner.does(line);
    }
    owner
}
