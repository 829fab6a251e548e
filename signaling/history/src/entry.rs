//! A message, before and after it is stored.

/// What somebody wants to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Post {
    /// Chosen by the client, different for every message of its life and not to be guessed: it is never shown to others.
    pub key: String,
    /// Id of the participant, and who that is beyond the room.
    pub from: String,
    pub identity: Option<String>,
    /// As it was shown then.
    pub name: String,
    pub topic: String,
    pub body: String,
}

/// A message of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// From 1 on, without gaps.
    pub seq: u64,
    /// Milliseconds since 1970, of the server's clock; never smaller than that of the entry before.
    pub at_ms: u64,
    pub post: Post,
}

impl Entry {
    /// What it takes in memory and on the wire, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let Post { key, from, identity, name, topic, body } = &self.post;
        let identity = identity.as_ref().map_or(0, String::len);
        96 + key.len() + from.len() + identity + name.len() + topic.len() + body.len()
    }
}

/// Where a reader begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cursor {
    /// With the newest so many.
    Newest(usize),
    /// After this entry of this log.
    After { log: String, seq: u64 },
}
