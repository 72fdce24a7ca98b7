//! What is looked at once in a while: silent connections, and files that change.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::accept::Connections;
use super::door::Door;
use super::tls::Tls;

/// Looks, for as long as the runtime lives.
pub(crate) async fn watch(door: Arc<Door>, tls: Option<Arc<Tls>>, connections: Arc<Connections>) {
    let settings = &door.settings;
    let shortest = settings.header_timeout.min(settings.idle_timeout);
    let period = (shortest / 4).clamp(Duration::from_millis(10), Duration::from_secs(1));
    let mut files = Files::of(&door, tls.as_deref());
    loop {
        tokio::time::sleep(period).await;
        connections.sweep(settings.header_timeout, settings.idle_timeout);
        let seen = Files::of(&door, tls.as_deref());
        if seen.keys != files.keys {
            report("keys", door.reload());
        }
        if seen.certificate != files.certificate
            && let Some(tls) = &tls
        {
            report("certificate", tls.reload());
        }
        files = seen;
    }
}

fn report(what: &str, outcome: nearfield_model::Result<()>) {
    match outcome {
        Ok(()) => tracing::info!(what, "read again"),
        Err(error) => tracing::error!(what, %error, "cannot be read again; the old ones stay"),
    }
}

/// When the files were last changed.
struct Files {
    keys: Option<Changed>,
    certificate: [Option<Changed>; 2],
}

type Changed = (SystemTime, u64);

impl Files {
    fn of(door: &Door, tls: Option<&Tls>) -> Self {
        Files {
            keys: door.settings.keys.as_deref().and_then(changed),
            certificate: tls.map_or([None; 2], |tls| tls.files().map(changed)),
        }
    }
}

/// When a file was changed, and its length, in case that the clock stood still.
fn changed(path: &Path) -> Option<Changed> {
    let metadata = path.metadata().ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
