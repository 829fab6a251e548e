//! The messages as JSON Schema, made from the types: what validates is what [`crate::parse`] reads.

use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::{ClientMessage, ServerMessage};

#[derive(OpenApi)]
#[openapi(components(schemas(ClientMessage, ServerMessage)))]
struct Messages;

/// Draft 2020-12. A message is one of `#/$defs/ClientMessage` and `#/$defs/ServerMessage`; fields that are not described are
/// allowed everywhere.
pub fn schema() -> Value {
    let document = serde_json::to_value(Messages::openapi()).unwrap_or_default();
    let mut definitions = document["components"]["schemas"].clone();
    point_to_definitions(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Messages of the Sampan signaling protocol",
        "anyOf": [{ "$ref": "#/$defs/ClientMessage" }, { "$ref": "#/$defs/ServerMessage" }],
        "$defs": definitions,
    })
}

/// OpenAPI keeps its schemas elsewhere. Nesting is that of our own types.
fn point_to_definitions(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(target) if key == "$ref" => {
                        *target = target.replacen("#/components/schemas/", "#/$defs/", 1);
                    }
                    other => point_to_definitions(other),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(point_to_definitions),
        _ => {}
    }
}
