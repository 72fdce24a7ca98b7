//! The bodies of requests as JSON schemas, with the bounds of the model.

use nearfield_model::limits::*;
use nearfield_model::{Durability, Metric, Search, Storage};
use serde_json::{Map, Value, json};

/// The body of a verb.
pub(super) fn of(verb: &str) -> Value {
    match verb {
        "create_collection" => object(
            &["dimension"],
            json!({
                "dimension": whole(1, DIMENSION_MAX),
                "metric": {"enum": [Metric::Cosine.as_str(), Metric::Dot.as_str(), Metric::Euclidean.as_str()], "default": Metric::default().as_str()},
                "storage": {"enum": [Storage::F32.as_str(), Storage::F16.as_str()], "default": Storage::default().as_str()},
                "unindexed_fields": {
                    "type": "array",
                    "maxItems": FIELDS_MAX,
                    "items": {"type": "string", "maxLength": FIELD_BYTES_MAX},
                },
            }),
        ),
        "upsert" => object(
            &["ids", "vectors"],
            json!({
                "ids": ids(),
                "vectors": reference("Vectors"),
                "metadata": {
                    "type": "array",
                    "items": {"oneOf": [reference("Metadata"), {"type": "null"}]},
                },
                "durability": durability(),
            }),
        ),
        "get" => object(
            &["ids"],
            json!({
                "ids": ids(),
                "with_vectors": flag(true),
                "with_metadata": flag(true),
            }),
        ),
        "delete" => selected(json!({"durability": durability()}), &[]),
        "update_metadata" => selected(
            json!({"patch": reference("Metadata"), "durability": durability()}),
            &["patch"],
        ),
        "search" => search(),
        "scan" => object(
            &[],
            json!({
                "limit": with_default(whole(1, SCAN_LIMIT_MAX), 1_000),
                "cursor": {"type": "integer", "minimum": 0, "maximum": u64::MAX, "description": "`next` of the page before"},
                "filter": reference("Filter"),
                "with_vectors": flag(false),
                "with_metadata": flag(true),
            }),
        ),
        "count" => object(&[], json!({"filter": reference("Filter")})),
        "snapshot" => object(
            &[],
            json!({
                "destination": {
                    "type": "string",
                    "minLength": 1,
                    "description": "A folder to make, on the machine of the store",
                },
            }),
        ),
        _ => object(&[], json!({})),
    }
}

/// A body that is answered well by a collection that `create_collection`'s made.
pub(super) fn example(verb: &str) -> Option<Value> {
    Some(match verb {
        "create_collection" => json!({"dimension": 3, "metric": "cosine"}),
        "upsert" => json!({
            "ids": [1, 2],
            "vectors": [[0.9, 0.1, 0.3], [0.2, 0.8, 0.1]],
            "metadata": [{"title": "Kind of Blue", "year": 1959}, null],
        }),
        "get" => json!({"ids": [1, "nobody"]}),
        "delete" => json!({"ids": [2]}),
        "update_metadata" => json!({"ids": [1], "patch": {"year": 1960}}),
        "search" => json!({
            "vectors": [[0.1, 0.9, 0.0]],
            "limit": 5,
            "filter": "year >= 1960",
            "with_metadata": true,
        }),
        "scan" => json!({"limit": 10}),
        "count" => json!({"filter": {"must": [{"field": "year", "range": {"gte": 1960}}]}}),
        _ => return None,
    })
}

/// What bodies refer to.
pub(super) fn definitions() -> Map<String, Value> {
    let row = json!({"type": "array", "minItems": 1, "maxItems": DIMENSION_MAX, "items": {"type": "number"}});
    let base64 = json!({
        "description": "The matrix as base64 of little-endian f32, row by row",
        "type": "object",
        "required": ["f32"],
        "additionalProperties": false,
        "properties": {
            "f32": {"type": "string", "contentEncoding": "base64"},
            "dimension": whole(1, DIMENSION_MAX),
        },
    });
    let matrix = json!({"type": "array", "minItems": 1, "items": row.clone()});
    let definitions = [
        (
            "Vectors",
            json!({
                "description": "One vector per row",
                "oneOf": [matrix.clone(), base64.clone()],
            }),
        ),
        (
            "QueryVectors",
            json!({
                "description": "One vector, or several",
                "oneOf": [row, matrix, base64],
            }),
        ),
        (
            "Filter",
            json!({
                "description": "Selects points by metadata: a text such as `genre = 'jazz' and year >= 1960`, a condition, or a group",
                "oneOf": [
                    {"type": "string", "maxLength": FILTER_TEXT_BYTES_MAX},
                    reference("FilterGroup"),
                    reference("FilterCondition"),
                ],
            }),
        ),
        ("FilterGroup", group()),
        ("FilterCondition", condition()),
    ];
    definitions
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

fn search() -> Value {
    let defaults = Search::new("", &[0.0_f32][..]);
    object(
        &["vectors"],
        json!({
            "vectors": reference("QueryVectors"),
            "limit": with_default(whole(1, SEARCH_LIMIT_MAX), defaults.limit),
            "filter": reference("Filter"),
            "recall": {
                "type": "number",
                "minimum": RECALL_MIN,
                "maximum": 1,
                "default": 0.95,
                "description": "The share of the true nearest that is to be found; 1 compares every vector",
            },
            "probes": whole(1, PROBES_MAX),
            "rerank": whole(1, RERANK_MAX),
            "explain": flag(defaults.explain),
            "with_metadata": flag(defaults.with_metadata),
            "with_vectors": flag(defaults.with_vectors),
        }),
    )
}

fn group() -> Value {
    let filters = json!({"type": "array", "items": reference("Filter")});
    json!({
        "type": "object",
        "minProperties": 1,
        "additionalProperties": false,
        "properties": {"must": filters, "should": filters, "must_not": filters},
    })
}

fn condition() -> Value {
    let scalar = json!({"type": ["string", "number", "boolean"]});
    let bound =
        json!({"type": ["string", "number"], "description": "A number, or a time as in RFC 3339"});
    let tests = json!({
        "eq": scalar,
        "in": {"type": "array", "maxItems": FILTER_VALUES_MAX, "items": scalar},
        "range": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": false,
            "properties": {"gt": bound, "gte": bound, "lt": bound, "lte": bound},
        },
        "exists": {"type": "boolean"},
        "prefix": {"type": "string"},
    });
    let names: Vec<&String> = tests.as_object().into_iter().flat_map(Map::keys).collect();
    let one_of: Vec<Value> = names
        .iter()
        .map(|name| json!({"required": [name]}))
        .collect();
    let mut properties = tests.clone();
    properties["field"] = json!({
        "type": "string",
        "minLength": 1,
        "maxLength": FIELD_BYTES_MAX,
        "description": "A dotted path into metadata",
    });
    json!({
        "type": "object",
        "required": ["field"],
        "additionalProperties": false,
        "properties": properties,
        "oneOf": one_of,
    })
}

/// A body that names points by ids or by a filter.
fn selected(mut properties: Value, required: &[&str]) -> Value {
    properties["ids"] = ids();
    properties["filter"] = reference("Filter");
    let mut schema = object(required, properties);
    schema["oneOf"] = json!([{"required": ["ids"]}, {"required": ["filter"]}]);
    schema
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn ids() -> Value {
    json!({
        "type": "array",
        "minItems": 1,
        "maxItems": BATCH_ROWS_MAX,
        "items": {"oneOf": [
            {"type": "integer", "minimum": 0, "maximum": u64::MAX},
            {"type": "string", "minLength": 1, "maxLength": ID_BYTES_MAX},
        ]},
    })
}

fn durability() -> Value {
    json!({
        "enum": [Durability::Sync, Durability::Os],
        "default": Durability::default(),
        "description": "`sync` survives a crash of the machine, `os` one of the process",
    })
}

fn whole(from: usize, to: usize) -> Value {
    json!({"type": "integer", "minimum": from, "maximum": to})
}

fn flag(default: bool) -> Value {
    json!({"type": "boolean", "default": default})
}

fn with_default(mut schema: Value, default: usize) -> Value {
    schema["default"] = json!(default);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Format, RequestReader};
    use nearfield_model::Request;

    /// A reader that meets a field it does not know lists those that it takes.
    fn fields(verb: &'static str) -> Vec<String> {
        let mut reader = RequestReader::new(Format::Json, verb, "docs");
        let outcome = reader
            .feed(br#"{"no_such_field": 1}"#)
            .and_then(|()| reader.finish());
        let message = outcome.unwrap_err().message().to_owned();
        let (_, list) = message.split_once("it takes ").unwrap_or(("", ""));
        let mut fields: Vec<String> = list.split(", ").map(str::to_owned).collect();
        fields.retain(|field| field != "none" && !field.is_empty());
        fields.sort();
        fields
    }

    #[test]
    fn examples_are_read() {
        for verb in Request::VERBS {
            let Some(example) = example(verb) else {
                continue;
            };
            let mut reader = RequestReader::new(Format::Json, verb, "albums");
            reader.feed(example.to_string().as_bytes()).unwrap();
            reader.finish().unwrap().check().unwrap();
        }
    }

    #[test]
    fn schemas_have_the_fields_that_are_read() {
        for verb in Request::VERBS {
            let schema = of(verb);
            let mut described: Vec<String> = schema["properties"]
                .as_object()
                .into_iter()
                .flat_map(Map::keys)
                .cloned()
                .collect();
            described.sort();
            assert_eq!(described, fields(verb), "{verb}");
        }
    }
}
