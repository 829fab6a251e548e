//! Text to message, with a code for what is wrong.

use serde::Deserialize;

use crate::{ClientMessage, ErrorCode};

/// Why a text is no message, and to which request the answer belongs if that could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub re: Option<u64>,
    pub code: ErrorCode,
    /// For people: what is wrong.
    pub message: String,
}

#[derive(Deserialize)]
struct Envelope {
    r#type: Option<String>,
    #[serde(default)]
    id: Option<serde_json::Value>,
}

/// The types of [`ClientMessage`], as they are written in `type`.
const TYPES: [&str; 19] = [
    "join", "hold", "enter", "resume", "offer", "track", "prefer", "stages", "register", "invite", "respond",
    "post", "history", "received", "state", "set", "moderate", "ping", "leave",
];

/// Reads one text frame of a client. Never panics; the nesting is bounded by `serde_json`.
pub fn parse(text: &str) -> Result<ClientMessage, Refusal> {
    let error = match serde_json::from_str(text) {
        Ok(message) => return Ok(message),
        Err(error) => error,
    };
    let Ok(envelope) = serde_json::from_str::<Envelope>(text) else {
        return Err(Refusal {
            re: None,
            code: ErrorCode::BadMessage,
            message: "not a JSON object with a type".into(),
        });
    };
    let re = envelope.id.and_then(|id| id.as_u64());
    match envelope.r#type {
        None => {
            Err(Refusal { re, code: ErrorCode::BadMessage, message: "the field `type` is missing".into() })
        }
        Some(kind) if !TYPES.contains(&kind.as_str()) => {
            let kind: String = kind.chars().filter(|c| !c.is_control()).take(32).collect();
            Err(Refusal {
                re,
                code: ErrorCode::UnknownMessage,
                message: format!("no message has the type `{kind}`"),
            })
        }
        Some(_) => {
            // serde quotes what it read: keep that short.
            let message: String = error.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
            Err(Refusal { re, code: ErrorCode::BadMessage, message })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> (Option<u64>, ErrorCode) {
        let refusal = parse(text).unwrap_err();
        assert!(!refusal.message.is_empty() && refusal.message.len() < 1000, "{refusal}");
        (refusal.re, refusal.code)
    }

    #[test]
    fn what_is_no_message_says_what_is_wrong() {
        for text in ["", "x", "[]", "null", "1", "\"join\"", "{", "{\"type\":1}", "{}", "{\"type\":null}"] {
            assert_eq!(refused(text), (None, ErrorCode::BadMessage), "{text}");
        }
        assert_eq!(refused(r#"{"type":"dance"}"#), (None, ErrorCode::UnknownMessage));
        assert_eq!(refused(r#"{"type":"dance","id":7}"#), (Some(7), ErrorCode::UnknownMessage));
        assert_eq!(refused(r#"{"type":"ping"}"#), (None, ErrorCode::BadMessage));
        assert_eq!(refused(r#"{"type":"ping","id":-1}"#), (None, ErrorCode::BadMessage));
        assert_eq!(refused(r#"{"type":"join","id":3,"room":"a"}"#), (Some(3), ErrorCode::BadMessage));
        assert_eq!(refused(r#"{"type":"join","id":3,"room":{}}"#), (Some(3), ErrorCode::BadMessage));
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_exhaust_the_stack() {
        let deep = format!(r#"{{"type":"ping","id":1,"x":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refused(&deep), (Some(1), ErrorCode::BadMessage));
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let message = parse(r#"{"type":"ping","id":1,"later":{"a":[1,2]}}"#).unwrap();
        assert_eq!(message, ClientMessage::Ping { id: 1 });
        assert_eq!(parse(r#"{"type":"leave"}"#).unwrap(), ClientMessage::Leave {});
    }

    #[test]
    fn every_type_of_message_is_known() {
        for kind in TYPES {
            let text = format!(r#"{{"type":"{kind}","id":"x"}}"#);
            assert_ne!(parse(&text).map_err(|r| r.code), Err(ErrorCode::UnknownMessage), "{kind}");
        }
    }
}
