//! What the world asks of somebody who takes part in a call, whatever stack they run.

use crate::media::{Budget, Frame};
use packet::Ssrc;
use packet::data::Channel;
use packet::media::MediaKind;
use std::net::SocketAddr;
use std::time::Instant;
use wire::{ClientMessage, ServerMessage};

/// The shape that every core has, as a trait.
pub trait Participant {
    fn handle_message(&mut self, now: Instant, message: ServerMessage);
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]);
    fn handle_timeout(&mut self, now: Instant);
    /// Drain until `Timeout`.
    fn poll_output(&mut self, now: Instant) -> Output;
    /// Before media can flow the frame is forgotten.
    fn send_frame(&mut self, now: Instant, frame: &Frame);
    /// True: it sends three simulcast layers, otherwise one small one.
    fn sends_layers(&self) -> bool {
        false
    }
    /// What its congestion control leaves for video now; None: it has none.
    fn video_budget(&self) -> Option<Budget> {
        None
    }
    /// Shows everybody in tiles of this size from now on; of no size: hidden.
    fn show(&mut self, _width: u16, _height: u16) {}
    /// Clicks, where it was made to wait in the lobby.
    fn enter(&mut self, _now: Instant) {}
    /// Sends RTCP of the script's making, as a client with bad intentions would.
    fn send_rtcp(&mut self, _now: Instant, _compound: &[u8]) {}
    /// A data message to everybody else; false: it cannot be sent now.
    fn send_data(&mut self, _now: Instant, _channel: Channel, _payload: &[u8]) -> bool {
        false
    }
    /// Sources of the video slots it was given.
    fn video_slots(&self) -> Vec<Ssrc> {
        Vec::new()
    }
    /// Asks for new ICE credentials on both sides, as after a change of network.
    fn restart_ice(&mut self);
    /// One line about its congestion control, for people who work on it.
    fn explain(&mut self) -> String {
        String::new()
    }
    /// Something of its own choice for a failure's message.
    fn describe(&self) -> String;
}

#[derive(Debug)]
pub enum Output {
    Message(ClientMessage),
    Transmit { to: SocketAddr, bytes: Vec<u8> },
    Seen(Seen),
    Timeout(Option<Instant>),
}

/// What the person in front of it notices.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// The server took it in, as this participant.
    Joined(String),
    /// Media can flow.
    Connected,
    /// A frame for the ear or the eye, in the slot of this participant.
    Frame {
        kind: MediaKind,
        of: String,
        data: Vec<u8>,
    },
    /// Somebody's decoder waits.
    KeyframeWanted {
        layer: u8,
    },
    /// The layers of its camera that anybody watches.
    LayersWanted(Vec<u8>),
    PersonLeft(String),
    /// The end, with words.
    Ended(String),
}
