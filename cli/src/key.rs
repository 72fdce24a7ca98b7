//! `nearfield key`

use clap::{Args, Subcommand};
use nearfield::Rights;
use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::show::Output;

/// Make keys for `nearfield serve --keys FILE`
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  nearfield key create ingest --right write
  nearfield serve ./data --keys keys.txt")]
pub(crate) struct Key {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key. It is shown once; the line to store holds its hash
    Create(Create),
}

#[derive(Args, Debug)]
struct Create {
    /// Tells the keys of a file apart
    #[arg(default_value = "key")]
    name: String,

    /// What its bearer may do; each right includes those before it
    #[arg(long, value_name = "RIGHT", value_parser = ["read", "write", "admin"])]
    right: String,
}

impl Key {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let KeyCommand::Create(create) = self.command;
        let right = match create.right.as_str() {
            "read" => Rights::Read,
            "write" => Rights::Write,
            _ => Rights::Admin,
        };
        let (key, line) = nearfield_http::server::create_key(&create.name, right)
            .map_err(|error| Failure::usage(error.message()))?;
        output
            .json(&json!({"name": create.name, "right": create.right, "key": key, "line": line}))?;
        output.text(&format!(
            "The key, shown once:\n  {key}\n\nThe line for the file of keys:\n  {line}\n"
        ))
    }
}
