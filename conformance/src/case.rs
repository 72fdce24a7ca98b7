//! A case, as its file tells it.

use std::collections::BTreeMap;
use std::path::Path;

use nearfield_model::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Steps that are sent in order to an empty store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name without its end.
    #[serde(skip)]
    pub name: String,
    /// What the case shows.
    pub about: String,
    /// What not every store has.
    #[serde(default)]
    pub needs: Vec<String>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// A request and what has to come back: a response, or an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The request's envelope.
    pub request: Box<RawValue>,
    /// The response's envelope.
    pub response: Option<Value>,
    /// The error.
    pub error: Option<ExpectedError>,
    /// Parts of the response that later requests use: names to JSON pointers.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
}

/// An error that has to come back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    /// The kind's name.
    pub kind: String,
    /// The row, if it matters.
    pub row: Option<usize>,
    /// The field, if it matters.
    pub field: Option<String>,
}

impl Case {
    /// Reads a case's file.
    ///
    /// # Errors
    /// `Storage` if the file cannot be read, `InvalidArgument` if it is not a case.
    pub fn read(path: &Path) -> Result<Case> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::new(ErrorKind::Storage, format!("{shown}: {error}")))?;
        let mut case: Case = serde_json::from_str(&text)
            .map_err(|error| Error::invalid(format!("{shown}: {error}")))?;
        for (number, step) in case.steps.iter().enumerate() {
            if step.response.is_some() == step.error.is_some() {
                return Err(Error::invalid(format!(
                    "{shown}: step {} needs a response or an error",
                    number + 1
                )));
            }
        }
        case.name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        Ok(case)
    }
}

/// All cases of this crate, by name.
///
/// # Errors
/// As [`Case::read`].
pub fn cases() -> Result<Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let failed = |error: std::io::Error| {
        Error::new(ErrorKind::Storage, format!("{}: {error}", folder.display()))
    };
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|end| end == "json") {
            cases.push(Case::read(&path)?);
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}
