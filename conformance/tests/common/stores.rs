//! Empty stores of the engine, for a door to stand before.

use std::path::Path;
use std::sync::Arc;

use nearfield::{Result, Service};

/// Makes a store in memory.
pub(crate) fn in_memory() -> Result<Arc<dyn Service>> {
    Ok(nearfield::connect(":memory:")?.service())
}

/// Makes stores in folders below `folder`, one after the other.
pub(crate) fn in_files(folder: &Path) -> impl FnMut() -> Result<Arc<dyn Service>> {
    let mut stores = 0;
    move || {
        stores += 1;
        let store = folder.join(format!("store-{stores}"));
        Ok(nearfield::connect(store.to_string_lossy())?.service())
    }
}
