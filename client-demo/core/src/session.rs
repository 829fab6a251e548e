//! The signaling half: what we offer, what we were answered, numbers of requests.

use crate::config::Config;
use crate::random::Random;
use packet::media::{CodecConfig, MediaKind, PeerMedia, SendTrack};
use packet::{Mid, Rid, Ssrc};
use sdp::OfferParams;
use std::collections::BTreeSet;
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};
use wire::{ClientMessage, Kind, SlotPair, TrackInfo};

/// Simulcast layers, low to high, named as the page names them.
const RIDS: [&str; 3] = ["l", "m", "h"];

/// More slots than this are not offered, whatever the server wants.
const PAIRS_MAX: u32 = 60;

pub(crate) struct Session {
    room: String,
    name: String,
    pub ice: IceCredentials,
    fingerprint: Fingerprint,
    candidates: Vec<Candidate>,
    codecs: Vec<CodecConfig>,
    tracks: Vec<SendTrack>,
    pub infos: Vec<TrackInfo>,
    pairs: Vec<(Mid, Mid)>,
    data: Option<Mid>,
    pub cname: String,
    session_id: u64,
    version: u64,
    next_request: u64,
    /// The offer that waits for its answer; meanwhile no other is made (RFC 3264 section 4).
    open_offer: Option<u64>,
    wanted_pairs: u32,
    restart_wanted: bool,
    /// The open offer carries new credentials.
    restarting: bool,
}

/// What an answer brought.
pub(crate) struct Answered {
    pub media: PeerMedia,
    pub remote: Remote,
    /// Our new ICE credentials, if the offer had some.
    pub restart: Option<IceCredentials>,
}

impl Session {
    pub fn new(config: &Config, random: &mut Random, taken: &mut BTreeSet<Ssrc>) -> Self {
        let mut tracks = Vec::new();
        let mut infos = Vec::new();
        for (index, publish) in config.publish.iter().enumerate() {
            let mid = index_mid(index);
            let (kind, layers) = match publish.kind() {
                Kind::Audio => (MediaKind::Audio, 1),
                Kind::Video => (MediaKind::Video, usize::from(publish.layers.clamp(1, RIDS.len() as u8))),
            };
            let mut ssrcs = Vec::new();
            for _ in 0..layers {
                let rtx = random.ssrc(taken);
                ssrcs.push((random.ssrc(taken), Some(rtx)));
            }
            let rids = if layers == 1 { &[] } else { &RIDS[..layers] };
            let rids = rids.iter().filter_map(|rid| Rid::new(rid)).collect();
            tracks.push(SendTrack { mid, kind, rids, ssrcs });
            infos.push(TrackInfo {
                mid: mid.to_string(),
                kind: publish.kind(),
                source: publish.source,
                muted: false,
                active: publish.active,
                encrypted: false,
            });
        }
        let data = config.data.then(|| index_mid(tracks.len()));
        let mut session = Self {
            room: config.room.clone(),
            name: config.name.clone(),
            ice: credentials(random),
            fingerprint: config.certificate.fingerprint(),
            candidates: config.local_addresses.iter().map(|&address| Candidate { address }).collect(),
            codecs: sdp::native_codecs(),
            tracks,
            infos,
            pairs: Vec::new(),
            data,
            cname: random.text(16),
            session_id: random.next(),
            version: 0,
            next_request: 0,
            open_offer: None,
            wanted_pairs: config.slot_pairs.min(PAIRS_MAX),
            restart_wanted: false,
            restarting: false,
        };
        session.grow();
        session
    }

    pub fn join(&mut self) -> ClientMessage {
        let (id, offer) = self.offer();
        let (room, name, tracks, slots) =
            (self.room.clone(), self.name.clone(), self.infos.clone(), self.slots());
        ClientMessage::Join { id, room, name, offer, tracks, slots, token: None, history: None, role: None }
    }

    /// A join that waits for `enter`.
    pub fn hold(&mut self) -> ClientMessage {
        let (id, offer) = self.offer();
        let (room, name, tracks, slots) =
            (self.room.clone(), self.name.clone(), self.infos.clone(), self.slots());
        ClientMessage::Hold { id, room, name, offer, tracks, slots, token: None, history: None, role: None }
    }

    /// The server wants so many pairs in all.
    pub fn need_slots(&mut self, wanted: u32) {
        self.wanted_pairs = self.wanted_pairs.max(wanted.min(PAIRS_MAX));
    }

    /// New credentials go out with the next offer.
    pub fn restart_ice(&mut self) {
        self.restart_wanted = true;
    }

    /// A new offer, if there is something to say and none is open.
    pub fn next_offer(&mut self, random: &mut Random) -> Option<ClientMessage> {
        let grows = self.wanted_pairs as usize > self.pairs.len();
        if self.open_offer.is_some() || !(grows || self.restart_wanted) {
            return None;
        }
        self.grow();
        if std::mem::take(&mut self.restart_wanted) {
            self.ice = credentials(random);
            self.restarting = true;
        }
        let (id, offer) = self.offer();
        Some(ClientMessage::Offer { id, offer, tracks: self.infos.clone(), slots: self.slots() })
    }

    /// None: it answers nothing that is open.
    pub fn answered(&mut self, re: u64, answer: &str) -> Option<Result<Answered, sdp::Error>> {
        if self.open_offer != Some(re) {
            return None;
        }
        self.open_offer = None;
        let restart = std::mem::take(&mut self.restarting).then(|| self.ice.clone());
        let result = sdp::accept_answer(&self.params(), answer);
        Some(result.map(|(media, remote)| Answered { media, remote, restart }))
    }

    /// The request failed; without it another may be made.
    pub fn refused(&mut self, re: u64) {
        if self.open_offer == Some(re) {
            self.open_offer = None;
            // Asking for the same again would fail the same.
            self.wanted_pairs = self.pairs.len() as u32;
        }
    }

    pub fn request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    fn offer(&mut self) -> (u64, String) {
        let id = self.request();
        self.version += 1;
        self.open_offer = Some(id);
        (id, sdp::make_offer(&self.params()))
    }

    fn params(&self) -> OfferParams<'_> {
        OfferParams {
            ice: self.ice.clone(),
            fingerprint: self.fingerprint,
            setup: DtlsSetup::ActPass,
            candidates: &self.candidates,
            codecs: &self.codecs,
            extensions: sdp::native_extensions(),
            tracks: &self.tracks,
            pairs: &self.pairs,
            data: self.data,
            cname: &self.cname,
            session_id: self.session_id,
            session_version: self.version,
        }
    }

    fn grow(&mut self) {
        while self.pairs.len() < self.wanted_pairs as usize {
            let index = self.tracks.len() + usize::from(self.data.is_some()) + 2 * self.pairs.len();
            self.pairs.push((index_mid(index), index_mid(index + 1)));
        }
    }

    /// In order of use.
    pub fn slots(&self) -> Vec<SlotPair> {
        let pair =
            |(audio, video): &(Mid, Mid)| SlotPair { audio: audio.to_string(), video: video.to_string() };
        self.pairs.iter().map(pair).collect()
    }
}

/// As browsers do: m-lines are named by their number.
fn index_mid(index: usize) -> Mid {
    Mid::new(&index.to_string()).expect("digits are a token")
}

fn credentials(random: &mut Random) -> IceCredentials {
    IceCredentials { ufrag: random.text(8), pwd: random.text(24) }
}
