//! What the application keeps with a room or a participant: named strings, and one without a name (the metadata).
//! Each is changed by comparing its version, so that two who change it at once notice.

use std::collections::BTreeMap;

use packet::{PeerId, RoomId};

/// Whose they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    Room(RoomId),
    Participant(PeerId),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// None: the metadata.
    pub key: Option<String>,
    /// None: there is none, or not any more.
    pub text: Option<String>,
    /// Greater with every change of its holder; 0: there is none.
    pub version: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SetError {
    #[error("it is not the version that was expected")]
    Conflict(Attribute),
    #[error("a key has 1 to {0} bytes")]
    BadKey(usize),
    #[error("keys and values have at most {0} bytes together")]
    TooLarge(usize),
    #[error("there are {0} already")]
    TooMany(usize),
    #[error("there is nobody like that, and no such room")]
    Nobody,
}

/// Bytes of a key.
pub const KEY_BYTES_MAX: usize = 64;

/// How much one holder keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttributeLimits {
    pub count: usize,
    /// Of all keys and values together.
    pub bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Attributes {
    entries: BTreeMap<Option<String>, (String, u64)>,
    changes: u64,
}

impl Attributes {
    pub fn list(&self) -> Vec<Attribute> {
        self.entries.keys().map(|key| self.read(key.as_ref())).collect()
    }

    fn read(&self, key: Option<&String>) -> Attribute {
        let key = key.cloned();
        match self.entries.get(&key) {
            Some((text, version)) => Attribute { key, text: Some(text.clone()), version: *version },
            None => Attribute { key, text: None, version: 0 },
        }
    }

    /// `expected`: the version that is to be there, 0 for none; None: whatever is there. Text of None removes. The attribute as it is
    /// now, whose version tells the change.
    pub fn set(
        &mut self,
        key: Option<String>,
        text: Option<String>,
        expected: Option<u64>,
        limits: AttributeLimits,
    ) -> Result<Attribute, SetError> {
        if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > KEY_BYTES_MAX) {
            return Err(SetError::BadKey(KEY_BYTES_MAX));
        }
        let present = self.read(key.as_ref());
        if expected.is_some_and(|version| version != present.version) {
            return Err(SetError::Conflict(present));
        }
        let is_new = present.text.is_none();
        if let Some(text) = &text {
            let size = |(key, (text, _)): (&Option<String>, &(String, u64))| {
                key.as_ref().map_or(0, String::len) + text.len()
            };
            let others: usize = self.entries.iter().filter(|(known, _)| **known != key).map(size).sum();
            if others + key.as_ref().map_or(0, String::len) + text.len() > limits.bytes {
                return Err(SetError::TooLarge(limits.bytes));
            }
            if is_new && self.entries.len() >= limits.count {
                return Err(SetError::TooMany(limits.count));
            }
        }
        self.changes += 1;
        let version = self.changes;
        match &text {
            Some(text) => drop(self.entries.insert(key.clone(), (text.clone(), version))),
            None => drop(self.entries.remove(&key)),
        }
        Ok(Attribute { key, text, version })
    }
}
