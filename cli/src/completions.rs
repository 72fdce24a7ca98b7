//! `nearfield completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use crate::arguments::Arguments;
use crate::failure::Outcome;
use crate::show::Output;

/// Print the script that lets a shell complete commands and options
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  nearfield completions bash > ~/.local/share/bash-completion/completions/nearfield
  nearfield completions zsh > ~/.zfunc/_nearfield
  nearfield completions fish > ~/.config/fish/completions/nearfield.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, output: Output) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(
            self.shell,
            &mut Arguments::command(),
            "nearfield",
            &mut script,
        );
        let script = String::from_utf8_lossy(&script);
        output.json(&json!({"shell": self.shell.to_string(), "script": script}))?;
        output.text(&script)
    }
}
