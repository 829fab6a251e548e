//! The published JSON Schema and the golden fixtures agree.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

fn validator(side: &str) -> Validator {
    let mut schema = wire::schema();
    schema.as_object_mut().unwrap().remove("anyOf");
    schema["$ref"] = json!(format!("#/$defs/{side}"));
    jsonschema::validator_for(&schema).unwrap()
}

/// Name, side and content.
fn fixtures() -> Vec<(String, &'static str, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let side = if name.starts_with("client_") { "ClientMessage" } else { "ServerMessage" };
        all.push((name, side, serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap()));
    }
    assert!(all.len() > 40);
    all
}

#[test]
fn every_fixture_is_valid_and_stays_so_with_fields_that_nobody_knows_yet() {
    for (name, side, mut message) in fixtures() {
        let validator = validator(side);
        if let Err(error) = validator.validate(&message) {
            panic!("{name}: {error}");
        }
        message["a_later_field"] = json!({"x": 1});
        assert!(validator.is_valid(&message), "{name} with an unknown field");
    }
}

#[test]
fn what_the_parser_refuses_is_not_valid() {
    let validator = validator("ClientMessage");
    for (name, side, message) in fixtures().into_iter().filter(|(_, side, _)| *side == "ClientMessage") {
        for key in message.as_object().unwrap().keys() {
            let mut wrong = message.clone();
            wrong[key] = json!([[1]]);
            let is_read = wire::parse(&wrong.to_string()).is_ok();
            assert_eq!(validator.is_valid(&wrong), is_read, "{name} ({side}): {key} is nonsense");
            let mut shorter = message.clone();
            shorter.as_object_mut().unwrap().remove(key);
            let is_read = wire::parse(&shorter.to_string()).is_ok();
            assert_eq!(validator.is_valid(&shorter), is_read, "{name} ({side}): without {key}");
        }
    }
    for text in ["{}", "[]", "1", r#"{"type":"dance"}"#, r#"{"type":"ping","id":-1}"#] {
        assert!(!validator.is_valid(&serde_json::from_str(text).unwrap()), "{text}");
    }
}
