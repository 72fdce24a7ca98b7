//! Traces of calls, sent to an OpenTelemetry collector: a span for each call, below the caller's
//! own if it names one in `traceparent`.

mod post;

use std::time::SystemTime;

use nearfield::{Error, ErrorKind, Observation, Observer, Stage};
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};

use post::Post;

/// Where spans of that kind are taken, below the collector's address.
const PATH: &str = "/v1/traces";

/// Makes a span of each call. Spans wait in a bounded queue for a thread that sends them; those
/// that find it full are dropped.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

impl Traces {
    /// Sends to the collector at `endpoint`, of the calls without a trace of their own the share
    /// `sample`.
    ///
    /// # Errors
    /// `InvalidArgument` for an address that no collector has.
    pub(super) fn new(endpoint: &str, sample: f64) -> Result<Self, Error> {
        let post = Post::new(endpoint)?;
        let refused = |error: &dyn std::fmt::Display| {
            Error::invalid(format!("{endpoint}: {error}")).in_field("otlp_endpoint")
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(post)
            .with_endpoint(traces_of(endpoint))
            .build()
            .map_err(|error| refused(&error))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                sample,
            ))))
            .with_resource(resource())
            .build();
        Ok(Traces {
            tracer: provider.tracer("nearfield"),
            provider,
            propagator: TraceContextPropagator::new(),
        })
    }

    /// Sends what waits. Nothing is sent afterwards.
    pub(super) fn end(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

impl Observer for Traces {
    fn observe(&self, observation: &Observation<'_>) {
        let end = SystemTime::now();
        let start = end.checked_sub(observation.total).unwrap_or(end);
        let parent = self
            .propagator
            .extract_with_context(&Context::new(), &Parent(observation.traceparent));
        let mut span = self
            .tracer
            .span_builder(observation.verb.unwrap_or("unknown"))
            .with_kind(SpanKind::Server)
            .with_start_time(start)
            .start_with_context(&self.tracer, &parent);
        if span.is_recording() {
            span.set_attribute(KeyValue::new("nearfield.door", observation.door));
            for stage in Stage::ALL {
                let time = observation.stages.get(stage);
                if !time.is_zero() {
                    let name = format!("nearfield.stage.{}_us", stage.as_str());
                    span.set_attribute(KeyValue::new(name, time.as_nanos() as f64 / 1e3));
                }
            }
            if let Some(kind) = observation.error {
                span.set_attribute(KeyValue::new("error.type", kind.as_str()));
                if is_the_servers(kind) {
                    span.set_status(Status::error(kind.as_str()));
                }
            }
        }
        span.end_with_timestamp(end);
    }
}

/// Whether it is the server that failed, not its caller.
fn is_the_servers(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::InvalidArgument
            | ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::TooLarge
            | ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
            | ErrorKind::Cancelled
            | ErrorKind::Unsupported
    )
}

/// The address for traces of a collector's address.
fn traces_of(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.ends_with(PATH) {
        true => endpoint.to_owned(),
        false => format!("{endpoint}{PATH}"),
    }
}

/// Who sends; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` come before.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    match std::env::var_os("OTEL_SERVICE_NAME") {
        Some(_) => builder.build(),
        None => builder.with_service_name("nearfield").build(),
    }
}

/// What a caller says of its own trace.
struct Parent<'a>(Option<&'a str>);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.filter(|_| key == "traceparent")
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_named_with_or_without_the_path_of_traces() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(traces_of(endpoint), "http://c:4318/v1/traces");
        }
    }

    #[test]
    fn what_is_no_address_of_a_collector_is_refused() {
        for wrong in ["", "localhost:4318", "grpc://localhost:4317", "http://"] {
            let refused = Traces::new(wrong, 1.0).err();
            let kind = refused.map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::InvalidArgument), "{wrong}");
        }
    }
}
