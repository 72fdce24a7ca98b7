//! Points as lines of JSON: `{"id": 7, "vector": [0.1, 0.2], "metadata": {"genre": "jazz"}}`.

use nearfield::Id;
use nearfield::limits::DIMENSION_MAX;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::failure::{Failure, Outcome};
use crate::show::number;

/// A line, read.
#[derive(Debug)]
pub(crate) struct Point<'a> {
    /// `id`, unless the line has none.
    pub(crate) id: Option<Id>,
    /// `metadata` as text, unless the line has none.
    pub(crate) metadata: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(default)]
    id: Option<Id>,
    #[serde(borrow)]
    vector: &'a RawValue,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// Reads a line and appends its vector to `values`.
pub(crate) fn parse<'a>(line: &'a str, values: &mut Vec<f32>) -> Outcome<Point<'a>> {
    let point: Line<'a> = serde_json::from_str(line).map_err(|error| fault(line, &error))?;
    vector(point.vector.get(), values)?;
    let metadata = point
        .metadata
        .map(RawValue::get)
        .filter(|text| *text != "null");
    if metadata.is_some_and(|text| !text.starts_with('{')) {
        return Err(Failure::input(
            "\"metadata\" is no object such as {\"genre\": \"jazz\"}",
        ));
    }
    Ok(Point {
        id: point.id,
        metadata,
    })
}

/// Reads an array of numbers, each rounded once, straight to `f32`.
pub(crate) fn vector(text: &str, values: &mut Vec<f32>) -> Outcome {
    let inside = text
        .trim()
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .ok_or_else(|| Failure::input("\"vector\" is no array of numbers such as [0.1, 0.2]"))?;
    let start = values.len();
    for word in inside.split(',') {
        let word = word.trim();
        let component: f32 = word
            .parse()
            .ok()
            .filter(|_| word.starts_with(|start: char| start == '-' || start.is_ascii_digit()))
            .ok_or_else(|| {
                let place = number((values.len() - start) as u64);
                Failure::input(match word {
                    "" => "\"vector\" is empty".to_owned(),
                    word => format!(
                        "component {place} of \"vector\" is {}, not a number",
                        crate::show::cut(word, 30)
                    ),
                })
            })?;
        if !component.is_finite() {
            let place = number((values.len() - start) as u64);
            return Err(Failure::input(format!(
                "component {place} of \"vector\" is {}, beyond the range of f32",
                crate::show::cut(word, 30)
            )));
        }
        if values.len() - start >= DIMENSION_MAX {
            return Err(Failure::input(format!(
                "\"vector\" has more than {} components",
                number(DIMENSION_MAX as u64)
            )));
        }
        values.push(component);
    }
    Ok(())
}

fn fault(line: &str, error: &serde_json::Error) -> Failure {
    let sentence = error.to_string();
    let sentence = sentence
        .rsplit_once(" at line ")
        .map_or(sentence.as_str(), |(sentence, _)| sentence);
    let failure = match error.column() {
        0 => Failure::input(sentence),
        column => Failure::input(format!("{sentence} (column {column})")),
    };
    if line.trim_start().starts_with('[') {
        return failure.hint("the file holds a JSON array; put each point on a line of its own, such as with `jq -c '.[]'`");
    }
    failure.hint("a line looks like {\"id\": 7, \"vector\": [0.1, 0.2], \"metadata\": {\"genre\": \"jazz\"}}; id and metadata may be left out")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(line: &str) -> String {
        parse(line, &mut Vec::new())
            .unwrap_err()
            .message()
            .to_owned()
    }

    #[test]
    fn lines_hold_id_vector_and_metadata() {
        let mut values = Vec::new();
        let point = parse(
            r#" {"id": "a", "vector": [1, -2.5e0, 0.1], "metadata": {"x": [1]}} "#,
            &mut values,
        )
        .unwrap();
        assert_eq!(point.id, Some(Id::from("a")));
        assert_eq!(point.metadata, Some(r#"{"x": [1]}"#));
        assert_eq!(values, [1.0, -2.5, 0.1]);
        let point = parse(r#"{"vector": [ 7 ], "metadata": null}"#, &mut values).unwrap();
        assert_eq!((point.id, point.metadata), (None, None));
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn numbers_are_rounded_once() {
        // Between two f32, just above the middle: by way of f64 it would become the middle
        // and then the lower one.
        let mut values = Vec::new();
        parse(r#"{"vector": [1.00000005960464477540]}"#, &mut values).unwrap();
        assert_eq!(values[0].to_bits(), 0x3f80_0001);
    }

    #[test]
    fn wrong_lines_are_named() {
        assert!(refusal(r#"{"id": 1, "embedding": [1]}"#).contains("unknown field `embedding`"));
        assert!(refusal(r#"{"id": 1}"#).contains("missing field `vector`"));
        assert!(refusal(r#"{"id": 1.5, "vector": [1]}"#).contains("an id"));
        assert!(refusal(r#"{"id": -1, "vector": [1]}"#).contains("negative"));
        assert!(refusal(r#"{"vector": "AAAA"}"#).contains("no array"));
        assert!(refusal(r#"{"vector": []}"#).contains("empty"));
        assert!(refusal(r#"{"vector": [1, null]}"#).contains("component 1"));
        assert!(refusal(r#"{"vector": [1, [2]]}"#).contains("component 1"));
        assert!(refusal(r#"{"vector": [1, "2,3"]}"#).contains("component 1"));
        assert!(refusal(r#"{"vector": [1e39]}"#).contains("beyond the range"));
        assert!(refusal(r#"{"vector": [1], "metadata": [1]}"#).contains("no object"));
        assert!(refusal(r#"{"vector": [1]"#).contains("EOF"));
        assert!(refusal(r#"{"vector": [NaN]}"#).contains("column"));
        assert!(refusal("nonsense").contains("column"));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_a_panic(line in ".{0,200}", inside in "[0-9eE+\\-., \\[\\]\"a-zN]{0,40}") {
            let _ = parse(&line, &mut Vec::new());
            let _ = parse(&format!("{{\"vector\": [{inside}]}}"), &mut Vec::new());
            let _ = vector(&inside, &mut Vec::new());
        }

        #[test]
        fn written_numbers_are_read_back_bit_for_bit(bits: u32) {
            let given = f32::from_bits(bits);
            prop_assume!(given.is_finite());
            let mut values = Vec::new();
            parse(&format!("{{\"vector\": [{}]}}", serde_json::json!(given)), &mut values).unwrap();
            prop_assert_eq!(values[0].to_bits(), bits);
        }
    }
}
