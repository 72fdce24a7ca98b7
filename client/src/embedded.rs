//! The nearest door: the engine in this process.

use std::sync::Arc;

use nearfield_engine::{Engine, Options};
use nearfield_model::{Result, Service};

use crate::scheme::Scheme;

pub(crate) fn open(scheme: &Scheme, options: Options) -> Result<Arc<dyn Service>> {
    Ok(match scheme {
        Scheme::Path(path) => Arc::new(Engine::open(path, options)?),
        Scheme::Memory => Arc::new(Engine::in_memory(options)?),
    })
}
