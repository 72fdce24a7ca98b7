//! The commands.

mod bodies;
mod child;
mod churn;
mod data;
mod doors;
mod failover;
mod filtered;
mod index;
mod ingest;
mod kernels;
mod memory;
mod queries;
mod reopen;
mod single;
mod tail;
mod timing;
mod writers;

use std::io::Write;

use clap::{Parser, Subcommand};

use crate::Result;

/// Measures Nearfield, each figure beside the machine's own limit in the same run.
#[derive(Debug, Parser)]
#[command(name = "nearfield-bench", version)]
pub struct Program {
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Vectors per second in large batches, next to bare writes of the same bytes
    Ingest(ingest::Ingest),
    /// Small durable batches by one writer and by several, who share syncs
    Writers(writers::Writers),
    /// One vector per call
    Single(single::Single),
    /// Searches of rows that no index covers, next to a bare scan of their codes
    Tail(tail::Tail),
    /// Vectors per second in large batches, until the index covers them
    Index(index::Index),
    /// Recall against queries per second, once the index covers the rows
    Queries(queries::Queries),
    /// Searches with filters, independent of the vectors and not
    Filtered(filtered::Filtered),
    /// Searches while points are removed, added again and updated at full speed
    Churn(churn::Churn),
    /// What each door to another process adds to the embedded one
    Doors(doors::Doors),
    /// Peak memory per vector
    Memory(memory::Memory),
    /// Opening after the process was killed
    Reopen(reopen::Reopen),
    /// Guests that take over from an owner that was killed
    Failover(failover::Failover),
    /// The engine's inner loops, by kernel and dimension
    Kernels(kernels::Kernels),
    /// Reading and writing the bodies of requests and responses, by format
    Bodies(bodies::Bodies),
    /// What the clocks of a request's stages and Server-Timing cost, beside a batch
    Timing(timing::Timing),
    /// Writes generated vectors to a .npy file
    Data(data::Data),
    #[command(hide = true)]
    BareChild(doors::BareChild),
    #[command(hide = true)]
    BusyChild(doors::BusyChild),
    #[command(hide = true)]
    EchoChild(doors::EchoChild),
    #[command(hide = true)]
    FailoverChild(failover::Child),
    #[command(hide = true)]
    GuestChild(doors::GuestChild),
    #[command(hide = true)]
    MemoryChild(memory::Child),
    #[command(hide = true)]
    OwnerChild(doors::OwnerChild),
    #[command(hide = true)]
    ReopenChild(reopen::Child),
}

/// Runs the command that was asked for and prints its report.
///
/// # Errors
/// Whatever stopped it, in words: a store that lost data, a file that cannot be read.
pub fn run(program: Program) -> Result<()> {
    let report = match program.command {
        Command::Ingest(command) => command.run()?,
        Command::Writers(command) => command.run()?,
        Command::Single(command) => command.run()?,
        Command::Tail(command) => command.run()?,
        Command::Index(command) => command.run()?,
        Command::Queries(command) => command.run()?,
        Command::Filtered(command) => command.run()?,
        Command::Churn(command) => command.run()?,
        Command::Doors(command) => command.run()?,
        Command::Memory(command) => command.run()?,
        Command::Reopen(command) => command.run()?,
        Command::Failover(command) => command.run()?,
        Command::Kernels(command) => command.run()?,
        Command::Bodies(command) => command.run()?,
        Command::Timing(command) => command.run()?,
        Command::Data(command) => return command.run(),
        Command::BareChild(command) => return command.run(),
        Command::BusyChild(command) => return command.run(),
        Command::EchoChild(command) => return command.run(),
        Command::FailoverChild(command) => return command.run(),
        Command::GuestChild(command) => return command.run(),
        Command::MemoryChild(command) => return command.run(),
        Command::OwnerChild(command) => return command.run(),
        Command::ReopenChild(command) => return command.run(),
    };
    let text = if program.json {
        serde_json::to_string_pretty(&report.to_json())? + "\n"
    } else {
        report.to_string()
    };
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}
