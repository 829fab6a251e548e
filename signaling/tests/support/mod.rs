//! Offers as a native client makes them.
#![allow(dead_code)] // Every test binary uses its part.

use std::time::{Duration, Instant};

use packet::media::{MediaKind, SendTrack};
use packet::{Mid, Ssrc};
use sdp::OfferParams;
use transport::{DtlsSetup, Fingerprint, IceCredentials};
use wire::{ClientMessage, Kind, SlotPair, Source, TrackInfo};

/// An instant to count from, and what a clock on the wall said then.
#[allow(clippy::disallowed_methods)]
pub fn epoch() -> (Instant, Duration) {
    (Instant::now(), Duration::from_secs(1_800_000_000))
}

pub fn mid(number: usize) -> Mid {
    Mid::new(&number.to_string()).unwrap()
}

/// Pairs after the three m-lines of [`tracks`].
pub fn pairs(count: usize) -> Vec<SlotPair> {
    let pair = |i: usize| SlotPair { audio: (3 + 2 * i).to_string(), video: (4 + 2 * i).to_string() };
    (0..count).map(pair).collect()
}

/// Microphone and camera, and a screen ahead of need.
pub fn tracks() -> Vec<TrackInfo> {
    let track = |mid: &str, kind, source, active| TrackInfo {
        mid: mid.into(),
        kind,
        source,
        muted: false,
        active,
        encrypted: false,
    };
    vec![
        track("0", Kind::Audio, Source::Microphone, true),
        track("1", Kind::Video, Source::Camera, true),
        track("2", Kind::Video, Source::Screen, false),
    ]
}

pub fn offer(slots: usize, ufrag: &str) -> String {
    offer_of(slots, ufrag, 1)
}

/// `certificate` tells PeerConnections apart.
pub fn offer_of(slots: usize, ufrag: &str, certificate: u8) -> String {
    offer_with(slots, ufrag, certificate, None)
}

/// `data`: the m-line of data channels.
pub fn offer_with(slots: usize, ufrag: &str, certificate: u8, data: Option<Mid>) -> String {
    let kinds = [MediaKind::Audio, MediaKind::Video, MediaKind::Video];
    let ssrc = |i: usize| vec![(Ssrc(100 + i as u32), (i > 0).then_some(Ssrc(200 + i as u32)))];
    let track = |(i, kind)| SendTrack { mid: mid(i), kind, rids: Vec::new(), ssrcs: ssrc(i) };
    let tracks: Vec<_> = kinds.into_iter().enumerate().map(track).collect();
    let pairs: Vec<_> = (0..slots).map(|i| (mid(3 + 2 * i), mid(4 + 2 * i))).collect();
    sdp::make_offer(&OfferParams {
        ice: IceCredentials { ufrag: ufrag.into(), pwd: "a".repeat(24) },
        fingerprint: Fingerprint([certificate; 32]),
        setup: DtlsSetup::ActPass,
        candidates: &[],
        codecs: &sdp::native_codecs(),
        extensions: sdp::native_extensions(),
        tracks: &tracks,
        pairs: &pairs,
        data,
        cname: "test",
        session_id: 1,
        session_version: 1,
    })
}

pub fn join(id: u64, room: &str, name: &str, slots: usize) -> ClientMessage {
    let (room, name) = (room.to_owned(), name.to_owned());
    ClientMessage::Join {
        id,
        room,
        name,
        offer: offer(slots, "abcd"),
        tracks: tracks(),
        slots: pairs(slots),
        token: None,
        history: None,
        role: None,
    }
}
