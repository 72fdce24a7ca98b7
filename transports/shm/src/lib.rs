//! Nearfield among the processes of one machine.
//!
//! The process that has a store open, its owner, runs a [`server::Server`] at a Unix socket; the
//! others, its guests, are [`client::Client`]s. Requests and responses are frames; they travel over
//! the socket, or through memory that the guest shares with the owner, with a futex as the door
//! bell. There is no daemon, and nothing is left behind but the socket's file.
//!
//! The owner believes nothing that a guest can change: what it reads is copied once, and the copy
//! is checked and used. `docs/wire.md` draws the frames and the memory;
//! `docs/decisions/0013-shared-memory.md` says why they are as they are.

pub mod client;
pub mod codec;
pub mod echo;
pub mod fork;
pub mod look;
pub mod server;

mod address;
#[cfg(target_os = "linux")]
mod allocator;
mod credentials;
mod descriptor;
mod frame;
#[cfg(all(test, target_os = "linux"))]
mod handing_over;
mod handshake;
#[cfg(all(test, target_os = "linux"))]
mod interleavings;
#[cfg(target_os = "linux")]
mod layout;
mod peer;
mod platform;
#[cfg(target_os = "linux")]
mod region;
#[cfg(target_os = "linux")]
mod ring;
mod signal;
mod stream;
mod time;
mod wait;
