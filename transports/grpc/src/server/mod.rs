//! The server half: the service, health and reflection as routes that share a port with others.

mod answer;
mod arrival;
mod call;
mod health;
mod ingest;
mod work;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use nearfield_model::limits::BATCH_BYTES_MAX;
use nearfield_model::{Budget, Observer, Service};
use tokio::sync::Semaphore;
use tonic_health::pb::health_server::HealthServer;

use crate::head::SERVICE;
use health::Health;

/// HTTP/2 settings that a server of these routes should have: a batch then travels in few
/// frames and does not wait for windows.
pub const STREAM_WINDOW_BYTES: u32 = 8 << 20;
/// As [`STREAM_WINDOW_BYTES`], over all streams of a connection.
pub const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// As [`STREAM_WINDOW_BYTES`], for one frame.
pub const FRAME_BYTES_MAX: u32 = 1 << 20;

/// Bytes that ids and the ends of metadata take in a message beyond what a batch counts.
const OVERHEAD_BYTES: usize = 16 << 20;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of one message, at most, in either direction.
    pub message_bytes_max: usize,
    /// What bounds the bytes of all requests and answers under way; beyond that requests are
    /// refused as `overloaded`. Other doors may draw on it too.
    pub budget: Arc<Budget>,
    /// How long a message may pause between two pieces.
    pub pause_max: Duration,
    /// How long a message may take to arrive.
    pub arrival_max: Duration,
    /// Calls that are in the engine at once, at most; others wait.
    pub calls_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            message_bytes_max: BATCH_BYTES_MAX + OVERHEAD_BYTES,
            budget: Budget::new(8 * BATCH_BYTES_MAX),
            pause_max: Duration::from_secs(10),
            arrival_max: Duration::from_secs(300),
            calls_max: 64,
        }
    }
}

/// What all calls share.
struct Door {
    service: Arc<dyn Service>,
    observer: Option<Arc<dyn Observer>>,
    settings: Settings,
    calls: Semaphore,
    /// Calls on threads that drive sockets.
    here: AtomicUsize,
}

/// The routes of gRPC: `nearfield.v1.Nearfield`, `grpc.health.v1.Health` and
/// `grpc.reflection`. They need HTTP/2 and a multi-threaded runtime serves them best.
///
/// Who calls is found out before: a layer may leave a `nearfield_model::Result<Rights>` in the
/// request's extensions; without one the caller has every right.
pub fn router(
    service: Arc<dyn Service>,
    observer: Option<Arc<dyn Observer>>,
    settings: Settings,
) -> Router {
    let door = Arc::new(Door {
        calls: Semaphore::new(settings.calls_max.min(Semaphore::MAX_PERMITS)),
        here: AtomicUsize::new(0),
        service,
        observer,
        settings,
    });
    let router = Router::new()
        .route(&format!("{SERVICE}{{method}}"), post(call::call))
        .with_state(door)
        .route_service("/grpc.health.v1.Health/{method}", HealthServer::new(Health));
    reflection(router)
}

/// Adds reflection, in both versions that tools ask for.
fn reflection(router: Router) -> Router {
    use tonic_reflection::server::Builder;
    const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nearfield.bin"));
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // The descriptors were made by this crate's build, so they are well-formed.
    let Ok((v1, v1alpha)) = builder()
        .build_v1()
        .and_then(|v1| Ok((v1, builder().build_v1alpha()?)))
    else {
        return router;
    };
    router
        .route_service("/grpc.reflection.v1.ServerReflection/{method}", v1)
        .route_service(
            "/grpc.reflection.v1alpha.ServerReflection/{method}",
            v1alpha,
        )
}
