//! The messages of `proto/nearfield/v1/nearfield.proto`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::doc_markdown,
    reason = "generated; the .proto file is their documentation"
)]

include!(concat!(env!("OUT_DIR"), "/nearfield.v1.rs"));
