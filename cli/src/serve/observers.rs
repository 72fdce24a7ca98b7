//! Who is told of each call: the metrics, and the traces where they are asked for.

use std::sync::Arc;

#[cfg(feature = "otel")]
use nearfield::Observation;
use nearfield::Observer;
use nearfield_http::server::Metrics;

use super::flags::Flags;
#[cfg(feature = "otel")]
use super::traces::Traces;
use crate::failure::{Failure, Outcome};

/// Who is told.
pub(super) struct Observers {
    pub(super) metrics: Arc<Metrics>,
    pub(super) all: Arc<dyn Observer>,
    #[cfg(feature = "otel")]
    traces: Option<Arc<Traces>>,
}

#[cfg(feature = "otel")]
impl Observers {
    /// Those that the options ask for.
    pub(super) fn new(flags: &Flags) -> Outcome<Self> {
        let metrics = Arc::new(Metrics::default());
        let traces = match &flags.otlp_endpoint {
            Some(endpoint) => Traces::new(endpoint, flags.otlp_sample)
                .map(|traces| Some(Arc::new(traces)))
                .map_err(|error| Failure::of(&error, "the traces"))?,
            None => None,
        };
        let all: Arc<dyn Observer> = match &traces {
            Some(traces) => Arc::new(Both(Arc::clone(&metrics), Arc::clone(traces))),
            None => metrics.clone(),
        };
        Ok(Observers {
            metrics,
            all,
            traces,
        })
    }

    /// No more calls come.
    pub(super) fn end(&self) {
        if let Some(traces) = &self.traces {
            traces.end();
        }
    }
}

#[cfg(not(feature = "otel"))]
impl Observers {
    /// Those that the options ask for.
    pub(super) fn new(flags: &Flags) -> Outcome<Self> {
        if flags.otlp_endpoint.is_some() {
            return Err(
                Failure::usage("this program was built without traces").hint(
                    "`cargo build --release -p nearfield-cli --features otel` builds it with them",
                ),
            );
        }
        let metrics = Arc::new(Metrics::default());
        Ok(Observers {
            all: metrics.clone(),
            metrics,
        })
    }

    /// No more calls come.
    pub(super) fn end(&self) {}
}

#[cfg(feature = "otel")]
struct Both(Arc<Metrics>, Arc<Traces>);

#[cfg(feature = "otel")]
impl Observer for Both {
    fn observe(&self, observation: &Observation<'_>) {
        self.0.observe(observation);
        self.1.observe(observation);
    }
}
