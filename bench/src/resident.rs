//! How much anonymous memory this process has, and had at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::machine::{field, first_number};

const STATUS: &str = "/proc/self/status";
const PERIOD: Duration = Duration::from_millis(1);

/// Anonymous memory at the moment, in bytes. Mapped files are not part of it.
pub(crate) fn anonymous_bytes() -> u64 {
    kib("RssAnon:") << 10
}

/// The most memory that this process ever had, mapped files included.
pub(crate) fn high_water_bytes() -> u64 {
    kib("VmHWM:") << 10
}

fn kib(name: &str) -> u64 {
    let value = field(STATUS, name).and_then(|text| first_number(&text));
    value.unwrap_or(0.0) as u64
}

/// Looks at the anonymous memory every millisecond until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    peak: AtomicU64,
    stop: AtomicBool,
}

impl Watch {
    pub(crate) fn start() -> Watch {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while !watched.stop.load(Ordering::Relaxed) {
                watched.peak.fetch_max(anonymous_bytes(), Ordering::Relaxed);
                std::thread::sleep(PERIOD);
            }
        });
        Watch {
            shared,
            thread: Some(thread),
        }
    }

    /// The most since the start or since this was asked last.
    pub(crate) fn take_peak(&self) -> u64 {
        let now = anonymous_bytes();
        self.shared.peak.swap(0, Ordering::Relaxed).max(now)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A watch that panicked has nothing more to say.
            let _stopped = thread.join();
        }
    }
}
