//! The OpenAPI 3.1 document, made from the table of routes, the types of the responses and the
//! limits of the model.

mod bodies;

use hyper::Method;
use nearfield_model::limits::COLLECTION_NAME_BYTES_MAX;
use nearfield_model::{ErrorKind, Response};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::routes::{ROUTES, Route, Target};

/// The document. `keys` says whether callers need one.
pub(crate) fn document(keys: bool) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let responses = Response::schemas(&mut generator);
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if route.path.contains("{collection}") {
            path["parameters"] = json!([collection_parameter()]);
        }
        let answer = responses
            .iter()
            .find(|(verb, _)| route.target == Target::Verb(verb))
            .map(|(_, schema)| schema.as_value());
        path[route.method.as_str().to_lowercase()] = operation(route, answer);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.extend(bodies::definitions());
    schemas.insert("Problem".to_owned(), problem());
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Nearfield",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Store vectors with ids and metadata, and find the nearest ones. \
                Every body may also be MessagePack (`application/msgpack`) of the same shape.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {
                "request_id": {
                    "name": "nearfield-request-id",
                    "in": "header",
                    "description": "32 hex digits that name the writer, a dash and a number: \
                        a write that is sent again under the same id is applied once",
                    "schema": {"type": "string", "pattern": "^[0-9a-f]{32}-[0-9]{1,19}$"},
                },
                "timeout": {
                    "name": "nearfield-timeout-ms",
                    "in": "header",
                    "description": "How long the caller waits, in milliseconds",
                    "schema": {"type": "integer", "minimum": 0},
                },
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "api_key": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
        },
    });
    if keys {
        document["security"] = json!([{"bearer": []}, {"api_key": []}]);
    }
    document
}

fn collection_parameter() -> Value {
    json!({
        "name": "collection",
        "in": "path",
        "required": true,
        "schema": {
            "type": "string",
            "pattern": format!("^[A-Za-z0-9_-]{{1,{COLLECTION_NAME_BYTES_MAX}}}$"),
        },
        "example": "albums",
    })
}

fn operation(route: &Route, answer: Option<&Value>) -> Value {
    let content = match (route.target, answer) {
        (_, Some(schema)) => json!({
            "application/json": {"schema": schema},
            "application/msgpack": {"schema": schema},
        }),
        (Target::Metrics, _) => json!({"text/plain": {"schema": {"type": "string"}}}),
        (Target::Reference, _) => json!({"text/html": {"schema": {"type": "string"}}}),
        _ => json!({"application/json": {"schema": {"type": "object"}}}),
    };
    let mut responses = Map::new();
    responses.insert(
        route.status.to_string(),
        json!({"description": "Done", "content": content}),
    );
    let refused = json!({
        "description": "Refused or failed; `kind` says how",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    if matches!(route.target, Target::Verb(_)) {
        let mut refused = refused.clone();
        refused["description"] = json!(
            "A body or parameter that breaks a rule, also one that this description cannot state: \
             a filter whose text does not parse, rows that do not fit the collection"
        );
        responses.insert("400".to_owned(), refused);
    }
    responses.insert("default".to_owned(), refused);
    let mut operation = json!({
        "summary": route.summary,
        "operationId": operation_id(route),
        "responses": responses,
    });
    if let Some(right) = route.right {
        operation["description"] = json!(format!("Takes the {} right.", right.as_str()));
    } else {
        operation["security"] = json!([]);
    }
    if let Target::Verb(verb) = route.target
        && matches!(route.method, Method::PUT | Method::POST)
    {
        operation["requestBody"] = request_body(verb);
        operation["parameters"] = json!([
            {"$ref": "#/components/parameters/request_id"},
            {"$ref": "#/components/parameters/timeout"},
        ]);
    }
    operation
}

fn operation_id(route: &Route) -> String {
    match route.target {
        Target::Verb(verb) => verb.to_owned(),
        _ => match route.path.trim_start_matches('/').replace('.', "_") {
            empty if empty.is_empty() => "root".to_owned(),
            name => name,
        },
    }
}

fn request_body(verb: &str) -> Value {
    let schema = bodies::of(verb);
    let mut json = json!({"schema": schema});
    if let Some(example) = bodies::example(verb) {
        json["example"] = example;
    }
    json!({
        "required": schema.get("required").is_some(),
        "content": {
            "application/json": json,
            "application/msgpack": {"schema": schema},
        },
    })
}

fn problem() -> Value {
    let kinds: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
    json!({
        "description": "What went wrong (RFC 9457)",
        "type": "object",
        "required": ["type", "title", "status", "detail", "kind"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What to do next, for people"},
            "kind": {"type": "string", "enum": kinds, "description": "What programs decide by"},
            "row": {"type": "integer", "minimum": 0, "description": "The row of the batch at fault"},
            "field": {"type": "string", "description": "The field at fault"},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All `$ref`s of a value.
    fn references(value: &Value, to: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    to.push(reference.clone());
                }
                members.values().for_each(|member| references(member, to));
            }
            Value::Array(elements) => elements.iter().for_each(|element| references(element, to)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document(true);
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.iter().any(|reference| reference.ends_with("/Hit")));
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_route_is_described() {
        let document = document(false);
        for route in ROUTES {
            let method = route.method.as_str().to_lowercase();
            let operation = &document["paths"][route.path][&method];
            assert_eq!(operation["summary"], route.summary);
            assert!(operation["responses"][route.status.to_string()].is_object());
        }
        assert!(document.get("security").is_none());
    }
}
