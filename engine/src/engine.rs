//! The database: one match arm per verb.

use std::path::Path;

use nearfield_model::{Context, Error, Request, Response, Result, Service};

use crate::options::Options;

/// An open store.
pub struct Engine {}

impl Engine {
    /// Opens the store at `path`, and makes it if there is none.
    pub fn open(_path: &Path, _options: Options) -> Result<Engine> {
        Err(Error::internal("the engine is not here yet"))
    }

    /// Opens an empty store that lives in memory and goes with it.
    pub fn in_memory(_options: Options) -> Result<Engine> {
        Err(Error::internal("the engine is not here yet"))
    }
}

impl Service for Engine {
    fn call(&self, _context: &Context, _request: Request<'_>) -> Result<Response> {
        Err(Error::internal("the engine is not here yet"))
    }
}
