//! Whether a response is the expected one.

use serde_json::Value;

/// How far apart two fractions may be, relative to the larger.
const TOLERANCE: f64 = 1e-5;
/// How far apart two fractions may be in any case.
const TINY: f64 = 1e-6;

/// Where two JSON values differ, and how; `None` if they do not. See the crate's page for
/// what counts as equal.
pub fn difference(expected: &Value, found: &Value) -> Option<String> {
    let mut path = String::new();
    differ(expected, found, &mut path).map(|fault| format!("at {path:?}: {fault}"))
}

fn differ(expected: &Value, found: &Value, path: &mut String) -> Option<String> {
    let differs = || Some(format!("expected {expected}, found {found}"));
    match (expected, found) {
        (Value::String(any), found) if any == "*" => match found {
            Value::Null => differs(),
            _ => None,
        },
        (Value::Number(a), Value::Number(b)) => match (a.as_i128(), b.as_i128()) {
            (Some(a), Some(b)) if a == b => None,
            (Some(_), Some(_)) => differs(),
            _ => {
                let (a, b) = (a.as_f64()?, b.as_f64()?);
                let allowed = (a.abs().max(b.abs()) * TOLERANCE).max(TINY);
                if (a - b).abs() <= allowed {
                    None
                } else {
                    differs()
                }
            }
        },
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(position, (a, b))| below(path, &position.to_string(), a, b)),
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => a
            .iter()
            .zip(b.values())
            .find_map(|((name, a), b)| below(path, name, a, b)),
        (expected, found) if expected == found => None,
        _ => differs(),
    }
}

fn below(path: &mut String, name: &str, expected: &Value, found: &Value) -> Option<String> {
    let parent = path.len();
    path.push('/');
    path.push_str(name);
    let fault = differ(expected, found, path);
    if fault.is_none() {
        path.truncate(parent);
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_near_and_stars_match_what_is_there() {
        for (expected, found) in [
            (json!(1), json!(1.0)),
            (json!(0.12345678), json!(0.12345677)),
            (json!({"a": "*"}), json!({"a": [1]})),
            (json!([1e9]), json!([1_000_001_000.0])),
        ] {
            assert_eq!(difference(&expected, &found), None);
        }
        for (expected, found) in [
            (json!(1), json!(2)),
            (json!(u64::MAX), json!(u64::MAX - 1)),
            (json!({"a": "*"}), json!({"a": null})),
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!([1]), json!([])),
            (json!(0.5), json!(0.50001)),
            (json!(null), json!(false)),
        ] {
            assert!(
                difference(&expected, &found).is_some(),
                "{expected} {found}"
            );
        }
    }
}
