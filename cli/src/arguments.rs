//! The commands, and what is common to all of them.

use std::path::PathBuf;

use clap::ArgAction;
use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{FalseyValueParser, TypedValueParser};
use clap::{Parser, Subcommand};

use crate::failure::Outcome;
use crate::show::Output;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Printed for `nearfield` alone.
pub(crate) const GUIDE: &str = "\
nearfield stores vectors with ids and metadata, and finds the nearest ones.

  nearfield demo                                        see it work, on real data
  nearfield import ./data vectors.npy -c docs           fill a store from a file
  nearfield search ./data -c docs --like 7              find what is near
  nearfield info ./data                                 see what is in a store
  nearfield serve ./data                                answer over the network
  nearfield ladder --quick                              measure every door on this machine

`nearfield help` lists all commands, `nearfield help import` explains one.
";

/// Where an answer as JSON goes; `ladder` writes its own to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JsonTo {
    /// There is none.
    Nowhere,
    /// To stdout.
    Stdout,
    /// To a file.
    File(PathBuf),
}

impl JsonTo {
    fn of_flag(is_set: bool) -> Self {
        match is_set {
            true => JsonTo::Stdout,
            false => JsonTo::Nowhere,
        }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        *self == JsonTo::Stdout
    }
}

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "nearfield",
    version,
    styles = STYLES,
    max_term_width = 100,
    about = "Store vectors with ids and metadata, and find the nearest ones",
    after_help = "\
Examples:
  nearfield demo
  nearfield import ./data vectors.npy --collection docs
  nearfield search ./data --collection docs --like 7 --limit 5

A store is a folder, or the URL of a server. Options that show [env: NEARFIELD_...]
can be set there as well.
Exit codes: 0 done, 1 failed, 2 the command line is wrong."
)]
pub(crate) struct Arguments {
    /// Answer with one JSON object, for programs; errors are JSON on stderr
    #[arg(
        long,
        global = true,
        env = "NEARFIELD_JSON",
        hide_env_values = true,
        action = ArgAction::SetTrue,
        value_parser = FalseyValueParser::new().map(JsonTo::of_flag)
    )]
    pub(crate) json: JsonTo,

    /// Refuse what would take more memory than this, such as 512MiB or 2GiB; the page cache does
    /// not count
    #[arg(
        long,
        global = true,
        value_name = "BYTES",
        env = "NEARFIELD_MEMORY_BUDGET",
        hide_env_values = true,
        value_parser = crate::budget::parse
    )]
    pub(crate) memory_budget: Option<u64>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands, in the order in which a newcomer meets them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(crate::demo::Demo),
    Import(crate::import::Import),
    Search(crate::search::Search),
    Serve(crate::serve::Serve),
    Ladder(crate::ladder::Ladder),
    Get(crate::get::Get),
    Count(crate::count::Count),
    Delete(crate::delete::Delete),
    Export(crate::export::Export),
    Info(crate::info::Info),
    List(crate::list::List),
    Create(crate::create::Create),
    Drop(crate::drop::Drop),
    Compact(crate::compact::Compact),
    Snapshot(crate::snapshot::Snapshot),
    Restore(crate::restore::Restore),
    Doctor(crate::doctor::Doctor),
    Key(crate::key::Key),
    Completions(crate::completions::Completions),
}

impl Command {
    /// Does what the command says.
    pub(crate) fn run(self, output: Output) -> Outcome {
        match self {
            Command::Demo(command) => command.run(output),
            Command::Import(command) => command.run(output),
            Command::Search(command) => command.run(output),
            Command::Serve(command) => command.run(output),
            Command::Ladder(command) => command.run(output),
            Command::Get(command) => command.run(output),
            Command::Count(command) => command.run(output),
            Command::Delete(command) => command.run(output),
            Command::Export(command) => command.run(output),
            Command::Info(command) => command.run(output),
            Command::List(command) => command.run(output),
            Command::Create(command) => command.run(output),
            Command::Drop(command) => command.run(output),
            Command::Compact(command) => command.run(output),
            Command::Snapshot(command) => command.run(output),
            Command::Restore(command) => command.run(output),
            Command::Doctor(command) => command.run(output),
            Command::Key(command) => command.run(output),
            Command::Completions(command) => command.run(output),
        }
    }
}
