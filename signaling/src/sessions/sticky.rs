//! What a participant was told that a snapshot of the room does not hold, so that it can be told again to one who comes
//! back: it may have been on its way when the connection broke.

use std::collections::BTreeMap;

use wire::ServerMessage;

/// The last message of each kind and m-line. Bounded by the m-lines of one offer.
#[derive(Debug, Default)]
pub(super) struct Sticky(BTreeMap<(Kind, String), ServerMessage>);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    FirstFrame,
    Layers,
    NeedSlots,
    Speakers,
}

impl Sticky {
    pub fn keep(&mut self, message: &ServerMessage) {
        let key = match message {
            ServerMessage::FirstFrame { mid, .. } => (Kind::FirstFrame, mid.clone()),
            ServerMessage::Layers { mid, .. } => (Kind::Layers, mid.clone()),
            ServerMessage::NeedSlots { .. } => (Kind::NeedSlots, String::new()),
            ServerMessage::Speakers { .. } => (Kind::Speakers, String::new()),
            _ => return,
        };
        self.0.insert(key, message.clone());
    }

    /// The slot changed hands: what was said about its first frame is about the one before.
    pub fn rebound(&mut self, mid: &str) {
        self.0.remove(&(Kind::FirstFrame, mid.to_owned()));
    }

    pub fn messages(&self) -> impl Iterator<Item = &ServerMessage> {
        self.0.values()
    }
}
