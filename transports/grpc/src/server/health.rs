//! gRPC's health protocol: the server serves as long as it answers.

use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::codegen::tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

use crate::head::SERVICE;

/// Answers health checks.
pub(super) struct Health;

/// Tells the status once and then stays silent, as nothing changes.
pub(super) struct Watch(Option<HealthCheckResponse>);

impl Stream for Watch {
    type Item = Result<HealthCheckResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.take() {
            Some(response) => Poll::Ready(Some(Ok(response))),
            None => Poll::Pending,
        }
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

fn is_known(service: &str) -> bool {
    service.is_empty() || service == SERVICE.trim_matches('/')
}

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = Watch;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if is_known(service) {
            Ok(Response::new(response(ServingStatus::Serving)))
        } else {
            Err(Status::not_found(format!(
                "there is no service {service:?}"
            )))
        }
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Watch>, Status> {
        let status = if is_known(&request.get_ref().service) {
            ServingStatus::Serving
        } else {
            ServingStatus::ServiceUnknown
        };
        Ok(Response::new(Watch(Some(response(status)))))
    }
}
