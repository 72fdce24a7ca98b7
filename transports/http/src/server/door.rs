//! What all connections share.

use std::sync::Arc;

use axum::Router;
use nearfield_model::{Budget, Observer, Result};

use super::accept::Connections;
use super::admission::Admission;
use super::limit::Limited;
use super::metrics::Metrics;
use super::settings::Settings;
use super::turn::Turns;

/// What all connections share.
pub(crate) struct Door {
    pub(crate) limited: Arc<Limited>,
    pub(crate) admission: Admission,
    pub(crate) budget: Arc<Budget>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) turns: Turns,
    pub(crate) metrics: Arc<Metrics>,
    /// Who is told of each call.
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) router: Option<Router>,
    pub(crate) settings: Settings,
}

impl Door {
    /// Reads the keys again.
    ///
    /// # Errors
    /// Those of a key file that cannot be read.
    pub(crate) fn reload(&self) -> Result<()> {
        self.admission.reload()
    }
}
