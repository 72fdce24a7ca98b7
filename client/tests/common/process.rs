//! Other processes of a test: the test's own program, run again, and told what to do by words.
//! They are spoken to through pipes.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const STORE: &str = "NEARFIELD_PROCESS_STORE";
const WORDS: &str = "NEARFIELD_PROCESS_WORDS";
/// Words of ours, among those that the test harness prints.
const MARK: &str = "process: ";

/// A process, killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Process {
    /// Runs the test `child` of this program in a process of its own.
    pub(crate) fn start(store: &Path, words: &str) -> Process {
        Process::by(Command::new(std::env::current_exe().unwrap()), store, words)
    }

    /// The same by a command that is this program, or runs what is appended to it.
    pub(crate) fn by(mut command: Command, store: &Path, words: &str) -> Process {
        let mut child = command
            .args(["child", "--exact", "--nocapture", "--test-threads=1"])
            .env(STORE, store)
            .env(WORDS, words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, line)) = line.split_once(MARK) {
                    _ = send.send(line.to_owned());
                }
            }
        });
        Process {
            input: child.stdin.take().unwrap(),
            child,
            lines,
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it says, within a minute; `None` once it has ended.
    pub(crate) fn next(&self) -> Option<String> {
        self.lines.recv_timeout(Duration::from_secs(60)).ok()
    }

    /// All lines that it has said.
    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Waits for a line.
    #[track_caller]
    pub(crate) fn expect(&mut self, line: &str) {
        assert_eq!(self.next().as_deref(), Some(line));
    }

    /// Lets it go on from [`wait`].
    pub(crate) fn go_on(&mut self) {
        self.tell("go on");
    }

    /// Sends it a line.
    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Stops it, and waits until all its threads stand still.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.id());
        let stands = || {
            let mut tasks = std::fs::read_dir(&tasks)?;
            tasks.try_fold(true, |all, task| {
                let status = std::fs::read_to_string(task?.path().join("status"))?;
                Ok::<_, std::io::Error>(all && status.contains("State:\tT"))
            })
        };
        while !stands().unwrap() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    #[track_caller]
    pub(crate) fn end(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// In the other process: does what it is told. Elsewhere nothing.
pub(crate) fn run(act: impl FnOnce(&Path, &[&str])) {
    let (Ok(store), Ok(words)) = (std::env::var(STORE), std::env::var(WORDS)) else {
        return;
    };
    act(Path::new(&store), &words.split(' ').collect::<Vec<_>>());
}

/// In the other process: says a line.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{MARK}{line}\n").as_bytes())
        .and_then(|()| out.flush())
        .unwrap();
}

/// In the other process: waits for a line, which it gives.
pub(crate) fn wait() -> String {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
