//! A handle on a store, whichever door it stands behind.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use nearfield_engine::Options;
use nearfield_model::{
    Context, CreateCollection, DescribeCollection, DropCollection, ListCollections, Metric,
    Request, Response, Result, Service, Verb,
};

use crate::collection::Collection;
use crate::embedded;
use crate::measure;
#[cfg(feature = "shm")]
use crate::participants::Participants;
#[cfg(any(feature = "http", feature = "grpc"))]
use crate::remote;
use crate::remote::Remote;
use crate::scheme::Scheme;
#[cfg(feature = "shm")]
use crate::sharing;
use crate::writer::Writer;

/// Opens a store: a path such as `./data` (made if it is not there), `:memory:`, or the URL of a
/// server.
///
/// | target | door | feature |
/// |---|---|---|
/// | `./data` | the engine in this process, in files; or that of the process that has the path | |
/// | `shm:./data` | the process that has the path, by shared memory; never this one | `shm` |
/// | `unix:./data`, `unix:/run/nf.sock` | the same, over its Unix socket alone | `shm` |
/// | `:memory:` | the engine in this process, nothing kept | |
/// | `http://h:6327`, `https://h` | a server over HTTP | `http`, `tls` |
/// | `grpc://h:6327`, `grpcs://h` | a server over gRPC | `grpc` |
///
/// Any number of processes open one path (feature `shm`, on unless turned off). The first is its
/// owner and has the engine; the others are guests and ask it through shared memory. When the
/// owner ends or is killed, the next call of a guest makes one of them the owner, and calls under
/// way are sent again, which applies a write once. A child of a fork finds the store by its path,
/// too. Within a process a path is opened once, whatever it is called: later openers share
/// what is open, and their options have no effect.
///
/// # Errors
/// `Locked` if another process holds the path and does not share it, `Unavailable` if it does and
/// does not answer, or if there is no owner to insist on; `Storage` if the path cannot be read or is not a
/// store, `Corruption` if its files are not what was written, `Unsupported` for a target of
/// another version or a door that is not built in, and for folders on a network; for URLs also
/// `Unavailable` if no server answers, and `Unauthenticated` if it does not take the key.
pub fn connect(target: impl AsRef<str>) -> Result<Database> {
    Builder::new(target).open()
}

/// Opens a store with [`Options`], and servers with the settings of [`Remote`].
///
/// ```
/// let db = nearfield::Builder::new(":memory:").options(|options| options.search_threads = 1).open()?;
/// # Ok::<(), nearfield::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Builder {
    target: String,
    options: Options,
    remote: Remote,
    #[cfg(feature = "shm")]
    share: bool,
}

impl Builder {
    /// Will open `target` as [`connect`] does.
    pub fn new(target: impl AsRef<str>) -> Self {
        Builder {
            target: target.as_ref().to_owned(),
            options: Options::default(),
            remote: Remote::default(),
            #[cfg(feature = "shm")]
            share: true,
        }
    }

    /// The target, as it was given.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The same settings for another target.
    pub(crate) fn with_target(&self, target: &str) -> Self {
        Builder {
            target: target.to_owned(),
            ..self.clone()
        }
    }

    /// Changes options of the engine in this process; servers and owners of paths have their own.
    /// [`share`](Self::share) decides about `Options::shared`.
    pub fn options(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    /// Changes settings of the doors to servers, and to the owners of paths.
    pub fn remote(mut self, change: impl FnOnce(&mut Remote)) -> Self {
        change(&mut self.remote);
        self
    }

    /// Sets whether other processes may open the path too; true unless said otherwise. False
    /// has them refused with `Locked`, and fails with that if another has the path already.
    #[cfg(feature = "shm")]
    pub fn share(mut self, share: bool) -> Self {
        self.share = share;
        self
    }

    /// Sets whether processes of other users may ask this one, who are of the group of the socket in
    /// the folder: that of this process, or the folder's where its setgid bit is set. False unless
    /// said otherwise.
    #[cfg(feature = "shm")]
    pub fn share_with_group(self, with_group: bool) -> Self {
        self.options(|options| options.shared_with_group = with_group)
    }

    /// Sets the API key that a server asks for.
    pub fn api_key(self, key: impl Into<String>) -> Self {
        self.remote(|remote| remote.api_key = Some(key.into()))
    }

    /// Sets how long a call to a server or to the owner of a path may take; a minute unless said
    /// otherwise.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.remote(|remote| remote.timeout = timeout)
    }

    /// Sets whether bodies over HTTP are JSON and not MessagePack; false unless said otherwise.
    pub fn json(self, json: bool) -> Self {
        self.remote(|remote| remote.json = json)
    }

    /// Opens the store.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn open(self) -> Result<Database> {
        if let Some(measured) = measure::open(&self)? {
            return Database::over(measured);
        }
        Database::over(match Scheme::parse(&self.target)? {
            #[cfg(feature = "shm")]
            Scheme::Path(path) => {
                let open = if self.share {
                    sharing::open
                } else {
                    sharing::open_alone
                };
                return Database::on_path(open(&path, self.options, &self.remote)?);
            }
            #[cfg(not(feature = "shm"))]
            Scheme::Path(path) => embedded::open(&path, self.options)?,
            #[cfg(feature = "shm")]
            Scheme::SharedMemory(path) => {
                return Database::on_path(sharing::join(&path, self.options, &self.remote, true)?);
            }
            #[cfg(feature = "shm")]
            Scheme::UnixSocket(path) => {
                return Database::on_path(sharing::join(&path, self.options, &self.remote, false)?);
            }
            Scheme::Memory => embedded::open_memory(self.options)?,
            #[cfg(feature = "http")]
            Scheme::Http(url) => remote::open_http(&url, self.remote)?,
            #[cfg(feature = "grpc")]
            Scheme::Grpc(url) => remote::open_grpc(&url, self.remote)?,
        })
    }
}

/// An open store. Clones share it; it closes when the last clone is dropped.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    service: Arc<dyn Service>,
    #[cfg(feature = "shm")]
    path: Option<Arc<crate::shared::Shared>>,
    writer: Writer,
}

impl Database {
    /// A handle over any service: an engine, a fake, a proxy.
    ///
    /// # Errors
    /// `Internal` if the operating system gives no random bytes.
    pub fn over(service: Arc<dyn Service>) -> Result<Self> {
        Ok(Database {
            shared: Arc::new(Shared {
                service,
                #[cfg(feature = "shm")]
                path: None,
                writer: Writer::new()?,
            }),
        })
    }

    #[cfg(feature = "shm")]
    fn on_path(path: Arc<crate::shared::Shared>) -> Result<Self> {
        Ok(Database {
            shared: Arc::new(Shared {
                service: path.clone(),
                path: Some(path),
                writer: Writer::new()?,
            }),
        })
    }

    /// The processes that share the path with this one: its owner and the guests. `None` for
    /// stores that are no path.
    ///
    /// # Errors
    /// `Unavailable` if the owner does not answer.
    #[cfg(feature = "shm")]
    pub fn participants(&self) -> Result<Option<Participants>> {
        let path = self.shared.path.as_ref();
        path.map(|path| path.participants()).transpose()
    }

    /// What stands behind the handle, for programs that make contexts and requests themselves.
    pub fn service(&self) -> Arc<dyn Service> {
        Arc::clone(&self.shared.service)
    }

    /// Sends one request. Writes are given a request id, so that a retry inside the door is
    /// applied once.
    ///
    /// # Errors
    /// What the request's own page names; see [`nearfield_model::ErrorKind`].
    pub fn call<'a, V: Verb<'a>>(&self, request: V) -> Result<V::Answer> {
        self.call_with(&mut Context::default(), request)
    }

    /// Sends one request with a deadline, a cancellation, or a request id of the caller's.
    ///
    /// A context without a request id gets one, which stays in it if the call fails: calling again with
    /// the same context is a retry, which is applied once. An id of the caller's is left alone.
    ///
    /// # Errors
    /// As [`call`](Self::call), and `DeadlineExceeded` or `Cancelled`.
    pub fn call_with<'a, V: Verb<'a>>(
        &self,
        context: &mut Context,
        request: V,
    ) -> Result<V::Answer> {
        self.send(context, request.into())?.try_into()
    }

    /// Sends a request whose verb is not known before the program runs.
    ///
    /// # Errors
    /// As [`call_with`](Self::call_with).
    pub fn send(&self, context: &mut Context, request: Request<'_>) -> Result<Response> {
        let given = context.request_id;
        if given.is_none() {
            context.request_id = Some(self.shared.writer.next()?);
        }
        let response = self.shared.service.call(context, request)?;
        context.request_id = given;
        Ok(response)
    }

    /// Makes a collection and opens it.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken.
    pub fn create_collection(
        &self,
        name: impl Into<String>,
        dimension: usize,
        metric: Metric,
    ) -> Result<Collection> {
        let created = self.call(CreateCollection::new(name, dimension, metric))?;
        Ok(Collection::new(self.clone(), created.collection))
    }

    /// Opens a collection.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub fn collection(&self, name: impl Into<String>) -> Result<Collection> {
        let description = self.call(DescribeCollection::new(name))?;
        Ok(Collection::new(self.clone(), description.collection))
    }

    /// The names of all collections, sorted.
    ///
    /// # Errors
    /// Those of every request.
    pub fn collections(&self) -> Result<Vec<String>> {
        Ok(self.call(ListCollections {})?.collections)
    }

    /// Removes a collection and all its points.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub fn drop_collection(&self, name: impl Into<String>) -> Result<()> {
        self.call(DropCollection::new(name)).map(|_| ())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}
