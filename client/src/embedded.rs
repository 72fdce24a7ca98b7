//! The nearest door: the engine in this process.

#[cfg(not(feature = "shm"))]
use std::path::Path;
use std::sync::Arc;

use nearfield_engine::{Engine, Options};
use nearfield_model::{Result, Service};

#[cfg(not(feature = "shm"))]
pub(crate) fn open(path: &Path, options: Options) -> Result<Arc<dyn Service>> {
    Ok(Arc::new(Engine::open(path, options)?))
}

pub(crate) fn open_memory(options: Options) -> Result<Arc<dyn Service>> {
    Ok(Arc::new(Engine::in_memory(options)?))
}
