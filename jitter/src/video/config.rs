//! What a video buffer is made from.

use crate::audio::BUDGET;
use packet::PayloadType;
use packet::ext::ExtensionMap;
use packet::media::Codec;
use std::time::Duration;

/// What a payload type means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Payload {
    Codec(Codec),
    /// RFC 2198 around media or ULPFEC, which share the media's sequence numbers.
    Red,
    /// RFC 5109; only inside RED.
    Ulpfec,
    /// RFC 8627, on a source of its own.
    Flexfec,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub payloads: Vec<(PayloadType, Payload)>,
    /// Ids of header extensions, for the dependency descriptor and the playout delay.
    pub extensions: ExtensionMap,
    /// Known or estimated one-way delay of the network; taken off the budget.
    pub one_way: Duration,
    /// Playout delay and one-way delay together stay below this, unless the sender's playout-delay extension asks for more.
    pub budget: Duration,
    pub round_trip: Duration,
    /// The other end answers NACK.
    pub nack: bool,
    /// From the decoder's output to the screen.
    pub render: Duration,
    /// Pictures come with their bytes. Off: only their length is known.
    pub keep_data: bool,
}

impl Default for Config {
    fn default() -> Self {
        let round_trip = Duration::from_millis(100);
        Self {
            payloads: Vec::new(),
            extensions: ExtensionMap::default(),
            one_way: round_trip / 2,
            budget: BUDGET,
            round_trip,
            nack: true,
            // A display of 60 Hz, half a frame on average.
            render: Duration::from_millis(10),
            keep_data: true,
        }
    }
}

impl Config {
    pub(crate) fn payload(&self, pt: PayloadType) -> Option<Payload> {
        self.payloads.iter().find(|(known, _)| *known == pt).map(|(_, payload)| *payload)
    }
}
