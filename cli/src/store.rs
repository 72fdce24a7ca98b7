//! The store that a command works on, and which of its collections.

use std::path::{Path, PathBuf};

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use nearfield::{
    Builder, Context, Database, DescribeCollection, Description, ErrorKind, ListCollections,
    Participants, Verb,
};

use crate::budget;
use crate::failure::{Failure, Outcome};

/// The first argument of nearly every command.
#[derive(Args, Debug)]
pub(crate) struct StorePath {
    /// The folder of the store, such as ./data, or the URL of a server, such as
    /// http://127.0.0.1:6327; a folder that another process has open is shared with it
    pub(crate) path: String,

    #[command(flatten)]
    pub(crate) sharing: Sharing,

    #[command(flatten)]
    pub(crate) server: Server,
}

/// Whether other processes may open the path, too.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Sharing {
    /// Whether other processes may open the path meanwhile; if one has it already, it is asked
    #[arg(
        long,
        value_name = "BOOL",
        env = "NEARFIELD_SHARE",
        hide_env_values = true,
        default_value = "true",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        action = ArgAction::Set
    )]
    share: bool,

    /// The same as --share=false
    #[arg(long, overrides_with = "share")]
    no_share: bool,
}

impl Sharing {
    /// Whether the path is shared.
    pub(crate) fn is_on(self) -> bool {
        self.share && !self.no_share
    }
}

impl Default for Sharing {
    fn default() -> Self {
        Sharing {
            share: true,
            no_share: false,
        }
    }
}

/// What a server asks for, where the store is behind one.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Server {
    /// The API key of the server; better set in the environment, since others on this machine can
    /// see arguments
    #[arg(
        long,
        value_name = "KEY",
        env = "NEARFIELD_API_KEY",
        hide_env_values = true
    )]
    api_key: Option<String>,

    /// Trust the certificates in this file (PEM) in place of those of the platform
    #[arg(
        long,
        value_name = "FILE",
        env = "NEARFIELD_CA_FILE",
        hide_env_values = true
    )]
    ca_file: Option<PathBuf>,
}

/// Which collection, where that is not clear from the store.
#[derive(Args, Debug)]
pub(crate) struct CollectionName {
    /// The collection; may be left out where the store has one only
    #[arg(
        short,
        long,
        value_name = "NAME",
        env = "NEARFIELD_COLLECTION",
        hide_env_values = true
    )]
    pub(crate) collection: Option<String>,
}

/// The collection that a command makes or removes, which is named even where there is only one.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct GivenName {
    /// The name of the collection: letters, digits, _ and -, at most 128
    name: Option<String>,

    /// The same, as other commands take it
    #[arg(short, long, value_name = "NAME")]
    collection: Option<String>,
}

impl GivenName {
    /// The name, given either way.
    pub(crate) fn get(&self) -> &str {
        let given = self.name.as_deref().or(self.collection.as_deref());
        given.unwrap_or_default()
    }
}

/// An open store.
pub(crate) struct Store {
    database: Database,
    target: String,
}

impl Store {
    /// Opens a store that is there.
    pub(crate) fn open(path: &StorePath, command: &str) -> Outcome<Self> {
        let target = &path.path;
        refuse_address(target)?;
        if folder(target).is_some_and(is_vacant) {
            return Err(
                Failure::not_found(format!("{target}: there is no store here")).hint(format!(
                    "check the path, or fill one: `nearfield import {} FILE --collection NAME`",
                    quoted(target)
                )),
            );
        }
        Store::connect(path, command, false)
    }

    /// Opens a store, and makes it if there is none.
    pub(crate) fn open_or_create(path: &StorePath, command: &str) -> Outcome<Self> {
        refuse_address(&path.path)?;
        Store::connect(path, command, true)
    }

    fn connect(path: &StorePath, command: &str, create: bool) -> Outcome<Self> {
        let target = &path.path;
        let database = Builder::new(target)
            .options(|options| {
                options.program = format!("nearfield {command}");
                // A command ends before 8-bit codes would be made and pay.
                options.lean = true;
                options.create = create;
                options.memory_bytes_max = budget::bytes_max();
            })
            .share(path.sharing.is_on())
            .remote(|remote| {
                remote.api_key.clone_from(&path.server.api_key);
                remote.ca_file.clone_from(&path.server.ca_file);
            })
            .open()
            .map_err(|error| Failure::of(&error, target))?;
        Ok(Store {
            database,
            target: target.clone(),
        })
    }

    /// What was opened, as it was typed.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Sends a request.
    pub(crate) fn call<'a, V: Verb<'a>>(&self, request: V) -> Outcome<V::Answer> {
        self.database
            .call(request)
            .map_err(|error| Failure::of(&error, &self.target))
    }

    /// Sends a request whose failure the caller wants to look at.
    pub(crate) fn try_call<'a, V: Verb<'a>>(
        &self,
        context: &mut Context,
        request: V,
    ) -> nearfield::Result<V::Answer> {
        self.database.call_with(context, request)
    }

    /// The names of all collections.
    pub(crate) fn collections(&self) -> Outcome<Vec<String>> {
        Ok(self.call(ListCollections {})?.collections)
    }

    /// The processes that share the path; `None` for stores that are no path.
    pub(crate) fn participants(&self) -> Outcome<Option<Participants>> {
        self.database
            .participants()
            .map_err(|error| Failure::of(&error, &self.target))
    }

    /// A collection's schema and state.
    pub(crate) fn describe(&self, collection: &str) -> Outcome<Description> {
        self.call(DescribeCollection::new(collection))
    }

    /// The schemas and states of collections, of those that are still there.
    pub(crate) fn describe_all(&self, names: &[String]) -> Outcome<Vec<Description>> {
        let described = names.iter().filter_map(|name| {
            match self.try_call(&mut Context::default(), DescribeCollection::new(name)) {
                // Another process has dropped it meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                described => Some(described.map_err(|error| Failure::of(&error, &self.target))),
            }
        });
        described.collect()
    }

    /// The collection that is named, or the only one there is.
    pub(crate) fn choose(&self, named: &CollectionName) -> Outcome<String> {
        if let Some(name) = &named.collection {
            return Ok(name.clone());
        }
        let mut names = self.collections()?;
        match (names.pop(), names.len()) {
            (Some(only), 0) => Ok(only),
            (Some(last), _) => {
                names.push(last);
                Err(
                    Failure::usage(format!("{} has several collections", self.target))
                        .hint(format!("choose one with --collection: {}", some(&names))),
                )
            }
            (None, _) => Err(
                Failure::usage(format!("{} has no collection yet", self.target))
                    .hint("name one with --collection NAME"),
            ),
        }
    }

    /// The folder of the store on this machine, if it has one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        // A target may also name a socket.
        folder(&self.target).filter(|folder| folder.is_dir())
    }

    /// Bytes that the store takes on disk, as far as that can be told from here.
    pub(crate) fn disk_bytes(&self) -> Option<u64> {
        self.folder().map(disk_bytes)
    }
}

/// The first names, and how many follow.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 12;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The folder behind a target; `None` for memory and other machines.
pub(crate) fn folder(target: &str) -> Option<&Path> {
    if target == ":memory:" || target.contains("://") {
        return None;
    }
    let path = target
        .strip_prefix("shm:")
        .or_else(|| target.strip_prefix("unix:"))
        .unwrap_or(target);
    Some(Path::new(path))
}

/// Refuses `host:port`, which is meant as a server and would be a folder, where none has that name.
fn refuse_address(target: &str) -> Outcome {
    let port = target.rsplit_once(':').map(|(_, port)| port);
    let is_address =
        port.is_some_and(|port| port.parse::<u16>().is_ok()) && !target.contains(['/', '\\']);
    match is_address && !Path::new(target).exists() {
        true => Err(
            Failure::usage(format!("{target} is the address of a server, not a path")).hint(
                format!("write http://{target} for the server, or ./{target} for a folder"),
            ),
        ),
        false => Ok(()),
    }
}

/// The folder behind a target, for what is done to files.
pub(crate) fn folder_or_fail<'t>(target: &'t str, doing: &str) -> Outcome<&'t Path> {
    folder(target).ok_or_else(|| {
        Failure::usage(format!("{target} is no folder, and {doing} works on files"))
            .hint("on the machine of a server, give it the folder that the server keeps, while no server runs on it")
    })
}

/// A path as a command of a shell takes it.
pub(crate) fn quoted(path: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@".contains(letter);
    match !path.is_empty() && path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// Whether nothing is there, or a folder without files.
fn is_vacant(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Bytes that the files below `folder` take on disk. Files that cannot be looked at count as
/// nothing.
pub(crate) fn disk_bytes(folder: &Path) -> u64 {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += taken(&metadata),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(unix)]
fn taken(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.blocks().saturating_mul(512)
}

#[cfg(not(unix))]
fn taken(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_folders_where_they_are_on_this_machine() {
        assert_eq!(folder("./data"), Some(Path::new("./data")));
        assert_eq!(folder("shm:./data"), Some(Path::new("./data")));
        assert_eq!(folder(":memory:"), None);
        assert_eq!(folder("http://h:6327"), None);
    }

    #[test]
    fn paths_are_quoted_for_a_shell() {
        assert_eq!(quoted("./demo"), "./demo");
        assert_eq!(quoted("my demo's"), "'my demo'\\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn files_count_wherever_they_are() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/file"), vec![1; 100_000]).unwrap();
        assert!(disk_bytes(folder.path()) >= 100_000);
        assert_eq!(disk_bytes(Path::new("/nowhere/at/all")), 0);
    }

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..15).map(|number| format!("c{number}")).collect();
        assert!(some(&names).ends_with("c11 and 3 more"));
        assert_eq!(some(&names[..2]), "c0, c1");
    }
}
