//! How a command fails: a message, a hint at the next move, and an exit code.

use std::io::{self, Write};
use std::path::Path;

use nearfield::{Error, ErrorKind};
use serde_json::json;

use crate::store::quoted;

/// The result of a command or of a part of it.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// What to do about a certificate that is refused.
const CERTIFICATE: &str = "\
trust who signed it with --ca-file FILE; one that signs itself has to be made with
      `openssl req -x509 ... -addext basicConstraints=critical,CA:FALSE`";

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: &'static str,
    message: String,
    hint: Option<String>,
    code: u8,
}

impl Failure {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Failure {
            kind,
            message: message.into(),
            hint: None,
            code: 1,
        }
    }

    /// The arguments do not make a command; exits with 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure {
            code: 2,
            ..Failure::new("usage", message)
        }
    }

    /// A file that was given holds something else than it should.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Failure::new("input", message)
    }

    /// What was named is not there.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Failure::new(ErrorKind::NotFound.as_str(), message)
    }

    /// A file that was given cannot be read or written.
    pub(crate) fn file(path: &Path, doing: &str, error: &io::Error) -> Self {
        let failure = Failure::new(
            "file",
            format!("{}: cannot {doing} it: {error}", path.display()),
        );
        match error.kind() {
            io::ErrorKind::NotFound => failure.hint("check the spelling of the path"),
            io::ErrorKind::PermissionDenied => failure.hint("check that you may use this file"),
            _ => failure,
        }
    }

    /// The operating system refuses something.
    pub(crate) fn system(doing: &str, error: &io::Error) -> Self {
        Failure::new("system", format!("cannot {doing}: {error}"))
    }

    /// Ctrl-C, or another request to end.
    pub(crate) fn interrupted(message: impl Into<String>) -> Self {
        Failure::new("interrupted", message)
    }

    /// Whether it is due to Ctrl-C.
    pub(crate) fn is_interruption(&self) -> bool {
        self.kind == "interrupted"
    }

    /// The reader of our output has gone, so that there is nobody to tell anything.
    pub(crate) fn nobody_reads() -> Self {
        Failure {
            code: 0,
            ..Failure::new("closed", "")
        }
    }

    /// What a model error means for a command on `target`.
    pub(crate) fn of(error: &Error, target: &str) -> Self {
        let place = match (error.field(), error.row()) {
            (Some(field), Some(row)) => format!("{field}, row {row}: "),
            (Some(field), None) => format!("{field}: "),
            (None, Some(row)) => format!("row {row}: "),
            (None, None) => String::new(),
        };
        let failure = Failure::new(error.kind().as_str(), format!("{place}{}", error.message()));
        match hint(error, target) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// As [`of`](Self::of), where no collection but a file or folder may be missing.
    pub(crate) fn of_file(error: &Error, target: &str) -> Self {
        let failure = Failure::of(error, target);
        match error.kind() {
            ErrorKind::NotFound => failure.hint("check the spelling of the path"),
            _ => failure,
        }
    }

    /// Files that are not what was written.
    pub(crate) fn damage(message: impl Into<String>) -> Self {
        Failure::new(ErrorKind::Corruption.as_str(), message)
    }

    /// Sets the line that says what to do next, in the place of another one.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds a sentence to the hint, after what it says already.
    pub(crate) fn further(mut self, sentence: String) -> Self {
        self.hint = Some(match self.hint {
            Some(hint) => format!("{hint}\n      {sentence}"),
            None => sentence,
        });
        self
    }

    /// Puts words before the message, where it does not start with them already.
    pub(crate) fn within(mut self, place: impl std::fmt::Display) -> Self {
        let place = format!("{place}: ");
        if !self.message.starts_with(&place) {
            self.message.insert_str(0, &place);
        }
        self
    }

    /// The sentence for a person.
    #[cfg(test)]
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What the process exits with.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }

    /// Writes the failure to stderr: lines for a person, or one JSON object.
    pub(crate) fn report(&self, json: bool, colour: bool) {
        if self.code == 0 {
            return;
        }
        let text = if json {
            let error = json!({"kind": self.kind, "message": self.message, "hint": self.hint});
            format!("{}\n", json!({"error": error}))
        } else {
            let (red, dim, end) = match colour {
                true => ("\x1b[1;31m", "\x1b[1m", "\x1b[0m"),
                false => ("", "", ""),
            };
            let hint = self
                .hint
                .iter()
                .map(|hint| format!("{dim}hint:{end} {hint}\n"))
                .collect::<String>();
            format!(
                "{red}error:{end} {}\n{hint}",
                crate::show::clean(&self.message)
            )
        };
        // Nobody is left to be told if stderr is closed.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

fn hint(error: &Error, target: &str) -> Option<String> {
    let is_url = target.contains("://");
    let target = quoted(target);
    Some(match error.kind() {
        ErrorKind::NotFound if error.field() == Some("collection") => {
            format!("`nearfield list {target}` names the collections")
        }
        ErrorKind::NotFound if is_url => {
            "a server is named by its host and port alone, such as http://127.0.0.1:6327".into()
        }
        ErrorKind::AlreadyExists => {
            format!("choose another name, or remove it first: `nearfield drop {target} NAME`")
        }
        ErrorKind::TooLarge => "ask for less at once, such as with a smaller --batch or --limit".into(),
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => {
            "set NEARFIELD_API_KEY to a key with the right that is missing".into()
        }
        ErrorKind::Unavailable if error.message().contains("certificate") => CERTIFICATE.into(),
        ErrorKind::Unavailable if is_url => {
            "check host and port; where the server is only starting, run the command again in a moment"
                .into()
        }
        // The message says how else the path is opened.
        ErrorKind::Unavailable if target.starts_with("shm:") || target.starts_with("unix:") => {
            return None;
        }
        ErrorKind::DeadlineExceeded | ErrorKind::Overloaded | ErrorKind::Unavailable => {
            "run the command again in a moment".into()
        }
        ErrorKind::Locked => "end the program that has the path open, or wait until it ends".into(),
        ErrorKind::Storage => {
            format!("check that {target} is the folder of a store, that you may use it, and that the disk has room")
        }
        ErrorKind::WritesStopped => {
            "what was acknowledged before is kept; make room on the disk or mend it, then run the command again".into()
        }
        ErrorKind::Corruption => {
            format!("`nearfield doctor {target}` says what is damaged; a snapshot can be restored with `nearfield restore`")
        }
        ErrorKind::Unsupported => "`nearfield --version` tells this program's version; another one may be needed".into(),
        ErrorKind::OutOfMemory => "raise --memory-budget, or remove points and run `nearfield compact`".into(),
        ErrorKind::Internal => "this is a defect of nearfield; please report it together with the command".into(),
        _ => return None,
    })
}
