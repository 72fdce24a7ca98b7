//! The C door: `include/nearfield.h` is made from these sources. Every function checks what it
//! is given, calls the client, and answers with a status; see `status.rs` for how errors and
//! panics are turned into those, and `handle.rs` for what a handle is.
#![allow(
    unsafe_code,
    reason = "a C interface reads and writes memory of its callers"
)]
#![allow(
    non_camel_case_types,
    reason = "the names of types and constants are those of C"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "the head of the header says once for all functions what callers owe"
)]
#![allow(unreachable_pub, reason = "what is public is reached from C")]

mod change;
mod collection;
mod database;
mod handle;
mod ids;
mod memory;
mod names;
mod read;
mod reservation;
mod results;
mod search;
mod state;
mod status;
mod text;
mod upsert;
