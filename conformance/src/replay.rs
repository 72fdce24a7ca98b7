//! Sends cases to a service.

use std::collections::BTreeMap;
use std::sync::Arc;

use nearfield_model::codec::{error_to_json, request_from_json, response_to_json};
use nearfield_model::{Context, Error, RequestId, Response, Result, Service};
use serde_json::Value;

use crate::case::{Case, ExpectedError, Step, cases};
use crate::compare::difference;

/// How a case went.
#[derive(Debug)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// The step and what was wrong about it; `None` if all came back as expected.
    pub fault: Option<String>,
}

/// Replays all cases whose needs are among `has`, each on a service of its own that `open`
/// makes over an empty store.
///
/// # Errors
/// As [`cases`]; what `open` fails with is the fault of the case.
pub fn replay<O>(has: &[&str], mut open: O) -> Result<Vec<CaseResult>>
where
    O: FnMut() -> Result<Arc<dyn Service>>,
{
    replay_texts(has, || {
        let service = open()?;
        Ok(move |context: &Context, text: &str| {
            request_from_json(text).and_then(|request| service.call(context, request))
        })
    })
}

/// Replays as [`replay`] does what takes requests as the text of their envelopes: doors of which
/// the server's half alone is to be tested.
///
/// # Errors
/// As [`replay`].
pub fn replay_texts<A, O>(has: &[&str], mut open: O) -> Result<Vec<CaseResult>>
where
    A: FnMut(&Context, &str) -> Result<Response>,
    O: FnMut() -> Result<A>,
{
    let results = cases()?
        .into_iter()
        .filter(|case| case.needs.iter().all(|need| has.contains(&need.as_str())))
        .map(|case| CaseResult {
            fault: match open() {
                Ok(answer) => run_case(answer, &case),
                Err(error) => Some(format!("the store does not open: {error}")),
            },
            name: case.name,
        });
    Ok(results.collect())
}

/// Sends a case's steps to what stands over an empty store, up to the first that is not
/// answered as expected, and tells which and why.
fn run_case(
    mut answer: impl FnMut(&Context, &str) -> Result<Response>,
    case: &Case,
) -> Option<String> {
    let mut saved = BTreeMap::new();
    case.steps.iter().enumerate().find_map(|(number, step)| {
        let text = fill_in(step.request.get(), &saved);
        let fault = run_step(&mut answer, number, step, &text, &mut saved)?;
        Some(format!("step {}, {text}: {fault}", number + 1))
    })
}

fn fill_in(text: &str, saved: &BTreeMap<String, Value>) -> String {
    saved.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("\"${name}\""), &value.to_string())
    })
}

fn run_step(
    answer: &mut impl FnMut(&Context, &str) -> Result<Response>,
    number: usize,
    step: &Step,
    text: &str,
    saved: &mut BTreeMap<String, Value>,
) -> Option<String> {
    let context = Context {
        request_id: Some(RequestId {
            client: *b"conformance case",
            number: number as u64,
        }),
        ..Context::default()
    };
    match (&step.error, answer(&context, text)) {
        (Some(expected), Err(error)) => error_difference(expected, &error),
        (Some(expected), Ok(response)) => Some(format!(
            "expected the error {}, found {response:?}",
            expected.kind
        )),
        (None, Err(error)) => Some(format!(
            "expected a response, found {}",
            error_to_json(&error)
        )),
        (None, Ok(response)) => {
            let found = match to_value(&response) {
                Ok(found) => found,
                Err(error) => return Some(error.to_string()),
            };
            for (name, pointer) in &step.save {
                match found.pointer(pointer) {
                    Some(value) => _ = saved.insert(name.clone(), value.clone()),
                    None => return Some(format!("there is nothing to save at {pointer}")),
                }
            }
            difference(step.response.as_ref()?, &found)
        }
    }
}

fn to_value(response: &Response) -> Result<Value> {
    serde_json::from_str(&response_to_json(response)?)
        .map_err(|error| Error::internal(format!("a response is not JSON: {error}")))
}

fn error_difference(expected: &ExpectedError, error: &Error) -> Option<String> {
    let alike = expected.kind == error.kind().as_str()
        && (expected.row.is_none() || expected.row == error.row())
        && (expected.field.is_none() || expected.field.as_deref() == error.field());
    (!alike).then(|| format!("expected {expected:?}, found {}", error_to_json(error)))
}
