//! The file of `--config`: its members become the defaults of the options of the same name, so
//! that they are read and refused as options are.

use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use toml::{Table, Value};

use super::Serve;
use crate::arguments::{Arguments, Command};
use crate::budget;
use crate::failure::{Failure, Outcome};

/// Reads the command line again, with the members of the file as defaults.
pub(super) fn read(file: &Path) -> Outcome<Serve> {
    let text =
        std::fs::read_to_string(file).map_err(|error| Failure::file(file, "read", &error))?;
    let shown = file.display();
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        Failure::usage(format!("{shown}: {}", error.message()))
    })?;
    let mut command = Arguments::command();
    for (name, value) in table {
        let id = name.replace('-', "_");
        let value = written(value).ok_or_else(|| {
            Failure::usage(format!(
                "{shown}: {name} is neither text, a number, true, false nor a list of texts"
            ))
        })?;
        command = with_default(command, id, value).ok_or_else(|| {
            Failure::usage(format!("{shown}: there is no option {name}"))
                .hint("`nearfield help serve` lists the options")
        })?;
    }
    let matches = command.try_get_matches_from(std::env::args_os());
    let arguments = matches
        .and_then(|matches| Arguments::from_arg_matches(&matches))
        .map_err(|error| refused(&error).within(shown))?;
    if let Some(bytes) = arguments.memory_budget {
        budget::set(bytes);
    }
    match arguments.command {
        Some(Command::Serve(serve)) => Ok(serve),
        _ => Err(Failure::usage("the command line is not `nearfield serve`")),
    }
}

/// A value as it would be typed.
fn written(value: Value) -> Option<Vec<String>> {
    Some(match value {
        Value::String(text) => vec![text],
        Value::Integer(number) => vec![number.to_string()],
        Value::Float(number) => vec![number.to_string()],
        Value::Boolean(is) => vec![is.to_string()],
        Value::Array(values) => values
            .into_iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect::<Option<_>>()?,
        _ => return None,
    })
}

/// Gives an option of `serve`, or the memory budget, its default.
fn with_default(command: clap::Command, id: String, values: Vec<String>) -> Option<clap::Command> {
    if id == "memory_budget" {
        return Some(command.mut_arg(id, |option| option.default_values(values)));
    }
    let serve = command.find_subcommand("serve")?;
    let known = |option: &clap::Arg| option.get_id() == id.as_str() && option.get_long().is_some();
    if id == "config" || !serve.get_arguments().any(known) {
        return None;
    }
    Some(command.mut_subcommand("serve", |serve| {
        serve.mut_arg(id, |option| option.default_values(values))
    }))
}

/// What is wrong with a value, in one line.
fn refused(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let failure = Failure::usage(first.strip_prefix("error: ").unwrap_or(first));
    match error.kind() {
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => failure,
        _ => failure.hint("`nearfield help serve` lists the options"),
    }
}
