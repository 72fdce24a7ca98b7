//! A directory tree in RAM: the names. What they stand for are anonymous files.
//!
//! Paths are taken from the root whether or not they start with `/`; `..` is refused.
use super::descriptor::Descriptor;
use super::{File, Lock};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Component, Path};
use std::sync::{Arc, Weak};

/// The number of a file or directory. Numbers are not used twice in one tree.
pub(super) type Number = u64;

/// The directory that all paths start from.
pub(super) const ROOT: Number = 0;

/// What a directory holds.
pub(super) type Names = BTreeMap<String, Number>;

/// Files and directories by number.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: BTreeMap<Number, Node>,
    /// The directories that are locked: each is alive while somebody holds its lock.
    locks: BTreeMap<Number, Weak<Token>>,
    next: Number,
}

/// A file or directory.
#[derive(Debug)]
pub(super) enum Node {
    /// A directory and the names in it.
    Directory(Names),
    /// A file's content.
    File(Arc<Descriptor>),
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The directory.
    pub(super) directory: Number,
    /// The name in it.
    pub(super) name: String,
}

impl Tree {
    /// A root with nothing in it.
    pub(super) fn new() -> Tree {
        Tree::from_nodes(
            BTreeMap::from([(ROOT, Node::Directory(Names::new()))]),
            ROOT + 1,
        )
    }

    /// A tree of these nodes, of which the numbers below `next` are taken.
    pub(super) fn from_nodes(nodes: BTreeMap<Number, Node>, next: Number) -> Tree {
        Tree {
            nodes,
            locks: BTreeMap::new(),
            next,
        }
    }

    /// All nodes.
    #[cfg(feature = "simulation")]
    pub(super) fn nodes(&self) -> &BTreeMap<Number, Node> {
        &self.nodes
    }

    /// The number that the next node will get.
    #[cfg(feature = "simulation")]
    pub(super) fn next(&self) -> Number {
        self.next
    }

    /// The node that `path` leads to.
    pub(super) fn find(&self, path: &Path) -> Result<Number> {
        let mut at = ROOT;
        for name in names_of(path)? {
            at = *self.names(at)?.get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The file that `path` leads to.
    pub(super) fn file(&self, path: &Path) -> Result<(Number, Arc<Descriptor>)> {
        let number = self.find(path)?;
        match self.nodes.get(&number) {
            Some(Node::File(content)) => Ok((number, Arc::clone(content))),
            _ => Err(ErrorKind::IsADirectory.into()),
        }
    }

    /// The names in the directory that `path` leads to.
    pub(super) fn list(&self, path: &Path) -> Result<Vec<String>> {
        Ok(self.names(self.find(path)?)?.keys().cloned().collect())
    }

    /// The place that `path` names, whether or not something is there; its directory is.
    pub(super) fn place(&self, path: &Path) -> Result<Place> {
        let mut names = names_of(path)?;
        let name = names
            .pop()
            .ok_or_else(|| invalid("the root has no name"))?
            .to_owned();
        let mut directory = ROOT;
        for name in names {
            directory = *self
                .names(directory)?
                .get(name)
                .ok_or(ErrorKind::NotFound)?;
        }
        self.names(directory)?;
        Ok(Place { directory, name })
    }

    /// Makes an empty file.
    pub(super) fn create(&mut self, path: &Path) -> Result<(Place, Number, Arc<Descriptor>)> {
        let place = self.place(path)?;
        if self.at(&place)?.is_some() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let content = Arc::new(Descriptor::anonymous()?);
        let number = self.add(&place, Node::File(Arc::clone(&content)))?;
        Ok((place, number, content))
    }

    /// Makes the directories of `path` that are missing; tells where they are.
    pub(super) fn create_directory(&mut self, path: &Path) -> Result<Vec<(Place, Number)>> {
        let mut made = Vec::new();
        let mut directory = ROOT;
        for name in names_of(path)? {
            let place = Place {
                directory,
                name: name.to_owned(),
            };
            directory = match self.at(&place)? {
                Some(number) => number,
                None => {
                    let number = self.add(&place, Node::Directory(Names::new()))?;
                    made.push((place, number));
                    number
                }
            };
        }
        match self.nodes.get(&directory) {
            Some(Node::Directory(_)) => Ok(made),
            _ => Err(ErrorKind::AlreadyExists.into()),
        }
    }

    /// Moves what is at `from`; tells the places and what moved. A file may replace a file.
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<(Place, Place, Number)> {
        let (from, to) = (self.place(from)?, self.place(to)?);
        let number = self.at(&from)?.ok_or(ErrorKind::NotFound)?;
        if self.contains(number, to.directory) {
            return Err(invalid("a directory cannot move into itself"));
        }
        let moves_directory = matches!(self.nodes.get(&number), Some(Node::Directory(_)));
        match self.at(&to)? {
            Some(there) if there == number => return Ok((from, to, number)),
            Some(_) if moves_directory => return Err(ErrorKind::AlreadyExists.into()),
            Some(there) => match self.nodes.get(&there) {
                Some(Node::Directory(_)) => return Err(ErrorKind::IsADirectory.into()),
                _ => drop(self.nodes.remove(&there)),
            },
            None => {}
        }
        self.names_mut(from.directory)?.remove(&from.name);
        self.names_mut(to.directory)?
            .insert(to.name.clone(), number);
        Ok((from, to, number))
    }

    /// Removes a file.
    pub(super) fn remove(&mut self, path: &Path) -> Result<(Place, Number)> {
        let place = self.place(path)?;
        let number = self.at(&place)?.ok_or(ErrorKind::NotFound)?;
        if let Some(Node::Directory(_)) = self.nodes.get(&number) {
            return Err(ErrorKind::IsADirectory.into());
        }
        self.names_mut(place.directory)?.remove(&place.name);
        self.nodes.remove(&number);
        Ok((place, number))
    }

    /// Removes a directory and all in it; tells what went, the innermost first.
    pub(super) fn remove_directory(&mut self, path: &Path) -> Result<Vec<(Place, Number)>> {
        let place = self.place(path)?;
        let number = self.at(&place)?.ok_or(ErrorKind::NotFound)?;
        self.names(number)?;
        let mut removed = Vec::new();
        self.uproot(place, number, &mut removed)?;
        Ok(removed)
    }

    fn uproot(
        &mut self,
        place: Place,
        number: Number,
        removed: &mut Vec<(Place, Number)>,
    ) -> Result<()> {
        if let Some(Node::Directory(names)) = self.nodes.get(&number) {
            for (name, child) in names.clone() {
                self.uproot(
                    Place {
                        directory: number,
                        name,
                    },
                    child,
                    removed,
                )?;
            }
        }
        self.names_mut(place.directory)?.remove(&place.name);
        self.nodes.remove(&number);
        removed.push((place, number));
        Ok(())
    }

    /// Takes the lock that the file at `path` stands for, if it is free: that of its directory.
    pub(super) fn try_lock(&mut self, path: &Path) -> Result<Option<Box<dyn Lock>>> {
        let directory = self.place(path)?.directory;
        let lock = self.locks.entry(directory).or_default();
        if lock.strong_count() > 0 {
            return Ok(None);
        }
        let token = Arc::new(Token);
        *lock = Arc::downgrade(&token);
        Ok(Some(Box::new(Held { _token: token })))
    }

    /// What the file at `path` says of who holds its lock; nothing if it is not there.
    pub(super) fn holder(&self, path: &Path) -> Result<Vec<u8>> {
        match self.file(path) {
            Ok((_, content)) => content_of(&content),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn add(&mut self, place: &Place, node: Node) -> Result<Number> {
        let number = self.next;
        self.next += 1;
        self.names_mut(place.directory)?
            .insert(place.name.clone(), number);
        self.nodes.insert(number, node);
        Ok(number)
    }

    fn at(&self, place: &Place) -> Result<Option<Number>> {
        Ok(self.names(place.directory)?.get(&place.name).copied())
    }

    /// Whether `inner` is `outer` or somewhere inside it.
    fn contains(&self, outer: Number, inner: Number) -> bool {
        outer == inner
            || self
                .names(outer)
                .is_ok_and(|names| names.values().any(|&child| self.contains(child, inner)))
    }

    fn names(&self, number: Number) -> Result<&Names> {
        match self.nodes.get(&number) {
            Some(Node::Directory(names)) => Ok(names),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    fn names_mut(&mut self, number: Number) -> Result<&mut Names> {
        match self.nodes.get_mut(&number) {
            Some(Node::Directory(names)) => Ok(names),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }
}

/// All bytes of a file.
fn content_of(file: &Descriptor) -> Result<Vec<u8>> {
    let mut content = vec![0; file.len()? as usize];
    file.read_at(0, &mut content)?;
    Ok(content)
}

/// Stands for a held lock while it lives.
#[derive(Debug)]
struct Token;

#[derive(Debug)]
struct Held {
    _token: Arc<Token>,
}

impl Lock for Held {}

fn names_of(path: &Path) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                names.push(
                    name.to_str()
                        .ok_or_else(|| invalid("the name is not UTF-8"))?,
                );
            }
            _ => return Err(invalid("the path is not plain")),
        }
    }
    Ok(names)
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}
