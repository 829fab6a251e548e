//! Who is in which room and who sends what to whom: the same arithmetic in the server process and in the clients.

use packet::ext::{Extension, ExtensionMap};
use packet::media::{Codec, CodecConfig, MediaKind, PeerMedia, SendTrack, Slot};
use packet::{Bitrate, Mid, PayloadType, PeerId, Rid, RoomId, Ssrc};
use transport::IceCredentials;

pub const AUDIO: PayloadType = PayloadType(111);
pub const VIDEO: PayloadType = PayloadType(96);
pub const VIDEO_RTX: PayloadType = PayloadType(97);

/// SSRC of slot `i` of any peer is this plus `i`; nobody sees two peers' slots.
const FIRST_SLOT_SSRC: u32 = 0x5000_0000;
const FIRST_SLOT_RTX_SSRC: u32 = 0x6000_0000;
/// Published sources of one peer are this far from the next one's.
const SSRCS_PER_PEER: u32 = 16;

/// Simulcast layers, smallest first, and how many times less than the largest each of them sends.
pub const LAYERS: [(&str, u64); 3] = [("q", 16), ("h", 4), ("f", 1)];

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
    /// Sound beside each picture: Opus, 50 packets a second
    #[arg(long)]
    pub audio: bool,
    /// Each picture in three simulcast layers
    #[arg(long)]
    pub simulcast: bool,
    /// Participants of each room on all workers in turn, instead of each room on one
    #[arg(long)]
    pub spread: bool,
}

impl Shape {
    pub fn arguments(&self) -> Vec<String> {
        let pair = |name: &str, value: usize| [name.to_owned(), value.to_string()];
        let mut all = [
            pair("--rooms", self.rooms),
            pair("--participants", self.participants),
            pair("--publishers", self.publishers),
        ]
        .concat();
        all.extend(self.audio.then(|| "--audio".to_owned()));
        all.extend(self.simulcast.then(|| "--simulcast".to_owned()));
        all.extend(self.spread.then(|| "--spread".to_owned()));
        all
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
    /// Peers whose media this peer receives, in the order of its slots.
    pub fn sources(&self, peer: usize) -> impl Iterator<Item = usize> + use<> {
        let first = peer - peer % self.participants;
        (first..first + self.publishers).filter(move |&source| source != peer)
    }
    /// Streams that one peer receives.
    pub fn streams_of(&self, peer: usize) -> usize {
        self.sources(peer).count() * if self.audio { 2 } else { 1 }
    }
    /// Streams that the server sends, of all peers together.
    pub fn streams(&self) -> usize {
        (0..self.peers()).map(|peer| self.streams_of(peer)).sum()
    }

    /// What was negotiated with this peer, by a server that takes it as it is.
    pub fn media(&self, peer: usize) -> PeerMedia {
        let codec = |codec: Codec, pt, rtx: Option<PayloadType>| CodecConfig {
            codec,
            pt,
            rtx,
            fmtp: String::new(),
            nack: codec.kind() == MediaKind::Video,
            pli: codec.kind() == MediaKind::Video,
            transport_cc: true,
        };
        let mut codecs = vec![codec(Codec::Vp8, VIDEO, Some(VIDEO_RTX))];
        codecs.extend(self.audio.then(|| codec(Codec::Opus, AUDIO, None)));
        let rids = LAYERS.iter().filter_map(|(name, _)| Rid::new(name)).filter(|_| self.simulcast).collect();
        let rtx = Ssrc(video_ssrc(peer, 0).0 + 1);
        let video = SendTrack {
            mid: video_mid(),
            kind: MediaKind::Video,
            rids,
            ssrcs: if self.simulcast { Vec::new() } else { vec![(video_ssrc(peer, 0), Some(rtx))] },
        };
        let audio = SendTrack {
            mid: audio_mid(),
            kind: MediaKind::Audio,
            rids: Vec::new(),
            ssrcs: vec![(audio_ssrc(peer), None)],
        };
        let mut tracks = vec![video];
        tracks.extend(self.audio.then_some(audio));
        tracks.retain(|_| self.publishes(peer));
        let slots = self.slots(peer).map(|(mid, kind, _)| {
            let number = slot_number(kind, mid);
            Slot {
                mid,
                kind,
                ssrc: Ssrc(FIRST_SLOT_SSRC + number),
                rtx: (kind == MediaKind::Video).then_some(Ssrc(FIRST_SLOT_RTX_SSRC + number)),
                fec: None,
            }
        });
        PeerMedia { codecs, extensions: extensions(), tracks, slots: slots.collect(), sctp_port: None }
    }

    /// Slots of a peer with what is bound to each: (m-line, kind, publisher).
    pub fn slots(&self, peer: usize) -> impl Iterator<Item = (Mid, MediaKind, usize)> + use<> {
        let audio = self.audio;
        self.sources(peer).enumerate().flat_map(move |(i, source)| {
            let mid = |kind: &str| Mid::new(&format!("{kind}{i}")).expect("a token");
            let video = (mid("v"), MediaKind::Video, source);
            std::iter::once(video).chain(audio.then(|| (mid("a"), MediaKind::Audio, source)))
        })
    }
}

/// The numbers that every peer uses for its header extensions.
pub fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    map.set(Extension::AudioLevel, 1);
    map.set(Extension::AbsSendTime, 2);
    map.set(Extension::TransportSequence, 3);
    map.set(Extension::Mid, 4);
    map.set(Extension::Rid, 10);
    map
}

/// Even for video, odd for audio.
fn slot_number(kind: MediaKind, mid: Mid) -> u32 {
    let pair: u32 = mid.as_str()[1..].parse().unwrap_or(0);
    2 * pair + u32::from(kind == MediaKind::Audio)
}

pub fn id(peer: usize) -> PeerId {
    PeerId(peer as u64 + 1)
}

pub fn video_mid() -> Mid {
    Mid::new("v").expect("a token")
}

pub fn audio_mid() -> Mid {
    Mid::new("a").expect("a token")
}

pub fn video_ssrc(peer: usize, layer: usize) -> Ssrc {
    Ssrc(0x1000_0000 + SSRCS_PER_PEER * peer as u32 + 2 * layer as u32)
}

pub fn audio_ssrc(peer: usize) -> Ssrc {
    Ssrc(0x1000_0000 + SSRCS_PER_PEER * peer as u32 + 8)
}

/// Rates of a picture's encodings, smallest first, with their rid.
pub fn encodings(rate: Bitrate, simulcast: bool) -> Vec<(Option<Rid>, Bitrate)> {
    let layers = LAYERS.iter().map(|&(name, share)| (Rid::new(name), Bitrate(rate.0 / share)));
    if simulcast { layers.collect() } else { vec![(None, rate)] }
}

/// The client's credentials; only the server draws random ones.
pub fn client_credentials(connection: usize) -> IceCredentials {
    IceCredentials {
        ufrag: format!("client{connection:06}"),
        pwd: format!("password-of-client-{connection:06}"),
    }
}
