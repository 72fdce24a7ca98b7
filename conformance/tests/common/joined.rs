//! A guest of a store, and what keeps its owner.

use std::sync::Arc;

use nearfield::{Context, Database, Request, Reserved, Response, Result, Service};

/// Answers by asking the owner.
struct Joined<O> {
    // Goes first, as guests do.
    guest: Database,
    _owner: O,
}

impl<O: Send + Sync> Service for Joined<O> {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        self.guest.service().call(context, request)
    }

    fn reserve(&self, components: usize) -> Result<Box<dyn Reserved>> {
        self.guest.service().reserve(components)
    }
}

/// Joins an owner by a target.
pub(crate) fn join(target: &str, owner: impl Send + Sync + 'static) -> Result<Arc<dyn Service>> {
    Ok(Arc::new(Joined {
        guest: nearfield::connect(target)?,
        _owner: owner,
    }))
}
