//! Everything that leaves as RTP: tracks cut into packets, which wait in classes until the pacer lets them go.
//!
//! ```text
//!  audio ──────────────────────────────► at once
//!  retransmissions ─┐
//!  lowest layer ────┼─ first come, first served in each; the upper class first ──► at the pacing rate
//!  other layers ────┘
//! ```
//! Numbers that count the whole transport are given when a packet leaves, so that they are in the order of sending.

use crate::SendError;
use crate::publish::{Frame, Track};
use crate::stream::{Stored, Unprotected};
use packet::ext::ExtensionMap;
use packet::media::MediaKind;
use packet::rtcp::Nack;
use packet::{Mid, Ssrc};
use std::collections::VecDeque;
use std::time::Instant;

pub(crate) struct Sender {
    pub tracks: Vec<Track>,
    transport_sequence: u16,
    waiting: [VecDeque<Waiting>; CLASSES],
}

/// Audio, retransmissions, the lowest video layer, the other ones.
const CLASSES: usize = 4;
const AUDIO: usize = 0;
const REPEATED: usize = 1;
const BASE: usize = 2;
const ENHANCEMENT: usize = 3;

struct Waiting {
    track: usize,
    stream: usize,
    /// Sent before.
    repeated: bool,
    stored: Stored,
}

/// What leaves now.
pub(crate) enum Leaving {
    /// To protect; then [`Sender::keep_protected`] wants to see it.
    New {
        track: usize,
        stream: usize,
        packet: Unprotected,
    },
    Rtx(Unprotected),
    /// The very same protected bytes once more.
    Again(Vec<u8>),
}

impl Sender {
    pub fn new(transport_sequence: u16) -> Self {
        Self { tracks: Vec::new(), transport_sequence, waiting: Default::default() }
    }

    pub fn frame(&mut self, mid: Mid, frame: Frame<'_>) -> Result<(), SendError> {
        let index = self.tracks.iter().position(|t| t.mid == mid).ok_or(SendError::UnknownTrack)?;
        let track = &mut self.tracks[index];
        let class = match (track.kind, frame.layer) {
            (MediaKind::Audio, _) => AUDIO,
            (MediaKind::Video, 0) => BASE,
            (MediaKind::Video, _) => ENHANCEMENT,
        };
        let stream = usize::from(frame.layer);
        for stored in track.packets(frame).ok_or(SendError::UnknownLayer)? {
            self.waiting[class].push_back(Waiting { track: index, stream, repeated: false, stored });
        }
        Ok(())
    }

    /// Queues what the other end misses.
    pub fn repeat(&mut self, nack: &Nack) {
        let find = |track: &Track| track.layer_of(nack.media);
        let Some((index, stream)) =
            self.tracks.iter().enumerate().find_map(|(index, track)| Some((index, find(track)?)))
        else {
            return;
        };
        let track = &mut self.tracks[index];
        let class = if track.kind == MediaKind::Audio { AUDIO } else { REPEATED };
        for seq in nack.lost() {
            track.sent.nacked += 1;
            let Some(stored) = track.streams[stream].sent(seq) else { continue };
            let waits = &mut self.waiting[class];
            let is_there =
                |w: &Waiting| (w.track, w.stream, w.repeated, w.stored.seq) == (index, stream, true, seq);
            if !waits.iter().any(is_there) {
                waits.push_back(Waiting { track: index, stream, repeated: true, stored: stored.clone() });
            }
        }
    }

    /// The track and layer that is sent with this SSRC.
    pub fn find(&mut self, ssrc: Ssrc) -> Option<(&mut Track, usize)> {
        self.tracks.iter_mut().find_map(|track| {
            let layer = track.layer_of(ssrc)?;
            Some((track, layer))
        })
    }

    /// The next packet that may leave.
    pub fn poll(&mut self, now: Instant, map: &ExtensionMap) -> Option<Leaving> {
        loop {
            let next = self.waiting.iter_mut().find_map(VecDeque::pop_front)?;
            if let Some(leaving) = self.write(now, next, map) {
                return Some(leaving);
            }
        }
    }

    /// Keeps the bytes of the packet that just went out, for codecs without a retransmission format.
    pub fn keep_protected(&mut self, track: usize, stream: usize, bytes: &[u8]) {
        let track = &mut self.tracks[track];
        if track.codec.rtx.is_none() {
            track.streams[stream].keep_protected(bytes);
        }
    }

    /// None: it cannot be sent (again).
    fn write(&mut self, now: Instant, waiting: Waiting, map: &ExtensionMap) -> Option<Leaving> {
        let Waiting { track: index, stream, repeated, stored } = waiting;
        let track = &mut self.tracks[index];
        let sequence = self.transport_sequence;
        let (mid, codec) = (track.mid, &track.codec);
        let streams = &mut track.streams;
        if !repeated {
            let packet = streams[stream].send(now, mid, codec, stored, map, sequence).ok()?;
            self.transport_sequence = sequence.wrapping_add(1);
            return Some(Leaving::New { track: index, stream, packet });
        }
        let leaving = match stored.protected {
            Some(bytes) => Leaving::Again(bytes),
            None if codec.rtx.is_none() || streams[stream].rtx_ssrc.is_none() => return None,
            None => {
                let packet = streams[stream].repeat(mid, codec, &stored, map, sequence).ok()?;
                self.transport_sequence = sequence.wrapping_add(1);
                Leaving::Rtx(packet)
            }
        };
        track.sent.retransmitted += 1;
        Some(leaving)
    }
}
