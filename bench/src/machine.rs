//! What the figures were measured on.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The machine, as far as figures depend on it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: &'static str,
    memory_gib: f64,
    file_system: String,
    load_before: String,
    system: String,
    rustc: String,
    date: String,
}

impl Machine {
    /// Describes this machine and the file system that `path` is on.
    pub(crate) fn describe(path: &Path) -> Machine {
        let processor = field("/proc/cpuinfo", "model name")
            .map(|name| name.trim_start_matches([' ', '\t', ':']).to_owned());
        let memory_kib = field("/proc/meminfo", "MemTotal:").and_then(|text| first_number(&text));
        Machine {
            processor: processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: nearfield_engine::kernel::kernel().name(),
            memory_gib: memory_kib.map_or(0.0, |kib| kib / f64::from(1 << 20)),
            file_system: file_system(path).unwrap_or_else(|| "unknown".to_owned()),
            load_before: load(),
            system: output("uname", &["-sr"]),
            rustc: output("rustc", &["--version"]),
            date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        }
    }
}

impl Machine {
    /// When it was described.
    pub(crate) fn date(&self) -> &str {
        &self.date
    }

    /// Processor and cores.
    pub(crate) fn short(&self) -> String {
        format!("{} cores, {}", self.cores, self.processor)
    }

    /// What there is to know, by name.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        vec![
            ("date", self.date.clone()),
            ("processor", format!("{} x {}", self.cores, self.processor)),
            ("kernel", self.kernel.to_owned()),
            ("memory", format!("{:.1} GiB", self.memory_gib)),
            ("file system", self.file_system.clone()),
            ("system", format!("{}, {}", self.system, self.rustc)),
            ("load before", self.load_before.clone()),
        ]
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        for (at, (name, value)) in lines.iter().enumerate() {
            let end = if at + 1 < lines.len() { "\n" } else { "" };
            write!(f, "{name:<12} {value}{end}")?;
        }
        Ok(())
    }
}

/// The load averages of 1, 5 and 15 minutes.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let parts: Vec<&str> = text.split_whitespace().take(3).collect();
    parts.join(" ")
}

/// The type of the file system that holds `path`: that of the longest mount point above it.
pub(crate) fn file_system(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, kind) = (words.next()?, words.next()?);
            path.starts_with(point)
                .then(|| (point.len(), kind.to_owned()))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

/// What follows `name` in the first line of a file that begins with it.
pub(crate) fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(rest.trim().to_owned())
}

/// The number that a text such as `12 kB` begins with.
pub(crate) fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

/// What a program prints; `unknown` if it cannot be run.
fn output(program: &str, arguments: &[&str]) -> String {
    let ran = Command::new(program).args(arguments).output();
    let text = ran
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    text.map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
