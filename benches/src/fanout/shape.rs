//! Who is in which room and who sends what to whom: the same arithmetic in the server process and in the clients.

use packet::ext::{Extension, ExtensionMap};
use packet::media::{Codec, CodecConfig, MediaKind, PeerMedia, SendTrack, Slot};
use packet::{Mid, PayloadType, PeerId, RoomId, Ssrc};
use transport::IceCredentials;

pub const VIDEO: PayloadType = PayloadType(96);
pub const VIDEO_RTX: PayloadType = PayloadType(97);

/// SSRC of slot `i` of any peer is this plus `i`; nobody sees two peers' slots.
const FIRST_SLOT_SSRC: u32 = 0x5000_0000;
const FIRST_SLOT_RTX_SSRC: u32 = 0x6000_0000;

/// Equal rooms of equal participants, the first of which publish; all of a room receive all its publishers but themselves.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Shape {
    /// Rooms
    #[arg(long, default_value_t = 1)]
    pub rooms: usize,
    /// Participants in each room
    #[arg(long, default_value_t = 201)]
    pub participants: usize,
    /// Participants in each room that publish
    #[arg(long, default_value_t = 1)]
    pub publishers: usize,
}

impl Shape {
    pub fn arguments(&self) -> [String; 6] {
        let pair = |name: &str, value: usize| [name.to_owned(), value.to_string()];
        let [a, b] = pair("--rooms", self.rooms);
        let [c, d] = pair("--participants", self.participants);
        let [e, f] = pair("--publishers", self.publishers);
        [a, b, c, d, e, f]
    }
    pub fn peers(&self) -> usize {
        self.rooms * self.participants
    }
    pub fn room(&self, peer: usize) -> RoomId {
        RoomId((peer / self.participants) as u64)
    }
    pub fn publishes(&self, peer: usize) -> bool {
        peer % self.participants < self.publishers
    }
    /// Peers whose video this peer receives, in the order of its slots.
    pub fn sources(&self, peer: usize) -> impl Iterator<Item = usize> + use<> {
        let first = peer - peer % self.participants;
        (first..first + self.publishers).filter(move |&source| source != peer)
    }
    /// Streams that the server sends, of all peers together.
    pub fn streams(&self) -> usize {
        (0..self.peers()).map(|peer| self.sources(peer).count()).sum()
    }
    pub fn media(&self, peer: usize) -> PeerMedia {
        let codecs = vec![CodecConfig {
            codec: Codec::Vp8,
            pt: VIDEO,
            rtx: Some(VIDEO_RTX),
            fmtp: String::new(),
            nack: true,
            pli: true,
            transport_cc: true,
        }];
        let mut extensions = ExtensionMap::default();
        extensions.set(Extension::Mid, 4);
        extensions.set(Extension::AbsSendTime, 2);
        extensions.set(Extension::TransportSequence, 3);
        let track = SendTrack {
            mid: track_mid(),
            kind: MediaKind::Video,
            rids: Vec::new(),
            ssrcs: vec![(published_ssrc(peer), Some(Ssrc(published_ssrc(peer).0 + 1)))],
        };
        let slots = self.sources(peer).enumerate().map(|(i, _)| Slot {
            mid: slot_mid(i),
            kind: MediaKind::Video,
            ssrc: slot_ssrc(i),
            rtx: Some(Ssrc(FIRST_SLOT_RTX_SSRC + i as u32)),
        });
        let tracks = if self.publishes(peer) { vec![track] } else { Vec::new() };
        PeerMedia { codecs, extensions, tracks, slots: slots.collect() }
    }
}

pub fn id(peer: usize) -> PeerId {
    PeerId(peer as u64 + 1)
}

pub fn track_mid() -> Mid {
    Mid::new("v").expect("a token")
}

pub fn slot_mid(slot: usize) -> Mid {
    Mid::new(&format!("s{slot}")).expect("a token")
}

pub fn published_ssrc(peer: usize) -> Ssrc {
    Ssrc(0x1000_0000 + 2 * peer as u32)
}

pub fn slot_ssrc(slot: usize) -> Ssrc {
    Ssrc(FIRST_SLOT_SSRC + slot as u32)
}

/// The slot that an SSRC from the server belongs to; `None` for retransmissions.
pub fn slot_of(ssrc: Ssrc) -> Option<usize> {
    ssrc.0
        .checked_sub(FIRST_SLOT_SSRC)
        .filter(|&i| i < FIRST_SLOT_RTX_SSRC - FIRST_SLOT_SSRC)
        .map(|i| i as usize)
}

/// The client's credentials; only the server draws random ones.
pub fn client_credentials(peer: usize) -> IceCredentials {
    IceCredentials { ufrag: format!("client{peer:06}"), pwd: format!("password-of-client-{peer:06}") }
}
