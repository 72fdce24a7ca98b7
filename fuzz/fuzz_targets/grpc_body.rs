//! Hands bytes to `grpc_body`.
#![no_main]

#[path = "../src/grpc.rs"]
mod grpc;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| grpc::grpc_body(bytes));
