//! JSON schemas of the nouns that are written by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::id::Id;
use crate::limits::ID_BYTES_MAX;
use crate::metadata::Metadata;

impl JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A point's name: a number, or a text, which is a UUID if it is written as one in lower case",
            "oneOf": [
                {"type": "integer", "minimum": 0, "maximum": u64::MAX},
                {"type": "string", "maxLength": ID_BYTES_MAX},
            ],
        })
    }
}

impl JsonSchema for Metadata {
    fn schema_name() -> Cow<'static, str> {
        "Metadata".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A JSON object", "type": "object"})
    }
}
