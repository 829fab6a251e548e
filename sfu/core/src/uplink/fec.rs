//! Pictures that a publisher protects (ULPFEC, RFC 5109, inside RED, RFC 2198): what was lost comes back before anybody asks
//! for it, and what is kept and sent on is the plain packet.
//!
//! ```text
//!   number   7      8      9      10                       kept            subscribers
//!            RED    RED    lost   RED                      7 8 9' _        7 8 9' (what follows closes up over 10)
//!            VP8    VP8    VP8    ULPFEC{7 8 9}
//! ```
//! Repair packets take numbers of the media. In the cache such a number is an empty packet, as padding is one.

use super::{Layer, Place, Received, Uplink, Via};
use crate::DropReason;
use crate::clock::Nanos;
use crate::payloads::Meaning;
use packet::fec::ulpfec::{REACH, Ulpfec};
use packet::fec::zero_mutable_extensions;
use packet::media::{Codec, MediaKind};
use packet::rtp::{RtpHeader, set_payload_type};
use packet::{ExtSeq, PayloadType, SeqNo};
use std::collections::VecDeque;
use std::time::Instant;

/// Repair payloads of one layer that may still be of use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repairs(VecDeque<Vec<u8>>);

/// Half a second of one a frame; each is looked at with every packet of the layer.
const KEPT: usize = 16;
/// No datagram carries more.
const LEN_MAX: usize = 1500;
/// One block: the rest of the payload.
const HEADER_LEN: usize = 1;
const MORE_BLOCKS: u8 = 0x80;

/// Payload type of the block in a video RED packet.
pub(super) fn block(payload: &[u8]) -> Option<PayloadType> {
    payload.first().filter(|first| **first & MORE_BLOCKS == 0).map(|first| PayloadType(*first))
}

impl Repairs {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), DropReason> {
        if payload.len() > LEN_MAX || Ulpfec::parse(payload).is_err() {
            return Err(DropReason::MalformedFec);
        }
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(payload.to_vec());
        Ok(())
    }

    /// The one packet that is missing of a group, written to `out`; what has become useless is forgotten.
    fn recover(&mut self, layer: &Layer, extensions: &packet::ext::ExtensionMap, out: &mut Vec<u8>) -> bool {
        let (Some(ssrc), Some(highest)) = (layer.ssrc, layer.reception.highest()) else { return false };
        let number = |seq: SeqNo| ExtSeq(highest).nearest(seq).0;
        let mut recovered = false;
        self.0.retain(|payload| {
            if recovered {
                return true;
            }
            let Ok(fec) = Ulpfec::parse(payload) else { return false };
            let mut missing = fec.protected().filter(|seq| !layer.cache.contains(number(*seq)));
            match (missing.next(), missing.next()) {
                (None, _) => return false,
                (Some(_), Some(last)) => return number(last) + u64::from(2 * REACH) > highest,
                (Some(_), None) => {}
            }
            let mut group: Vec<(SeqNo, Vec<u8>)> = Vec::with_capacity(usize::from(REACH));
            for seq in fec.protected() {
                let Some((stored, packet)) = layer.cache.get(number(seq)) else { continue };
                // Its extensions are those of the retransmission, and not what was protected.
                if !stored.verbatim {
                    return false;
                }
                let mut packet = packet.to_vec();
                zero_mutable_extensions(&mut packet, extensions);
                group.push((seq, packet));
            }
            let received = |seq| group.iter().find(|(known, _)| *known == seq).map(|(_, packet)| &packet[..]);
            recovered = fec.recover(ssrc, received, out).is_ok();
            false
        });
        recovered
    }
}

impl Uplink {
    /// One packet of video/red. Restored packets are in `self.restored`.
    pub(super) fn on_video_red(
        &mut self,
        now: Instant,
        nanos: Nanos,
        place: Place,
        (header, packet): (RtpHeader, &mut [u8]),
        via: Via,
        epochs: &mut u32,
    ) -> Result<Received, DropReason> {
        let inner = block(header.payload(packet)).ok_or(DropReason::MalformedRed)?;
        let Some(Meaning::Media(codec)) = self.payloads.meaning(inner) else {
            return Err(DropReason::MalformedRed);
        };
        let payload = header.payload_range();
        if codec == Codec::Ulpfec {
            let track = &self.tracks[usize::from(place.track)];
            // Before the first picture nobody knows what it repairs.
            let media = track.codec.ok_or(DropReason::MalformedFec)?;
            let pt = self.payloads.first(media).ok_or(DropReason::MalformedFec)?.pt;
            let repair = packet[payload.start + HEADER_LEN..payload.end].to_vec();
            let empty = &mut packet[..payload.start];
            empty[0] &= !0x20;
            set_payload_type(empty, pt);
            let header = RtpHeader::parse(empty).map_err(|_| DropReason::MalformedFec)?;
            let received = self.on_media(now, nanos, place, header, empty, media, via, epochs)?;
            self.layer_mut(place).repairs.push(&repair)?;
            self.fec_received += 1;
            self.recover(now, nanos, place, epochs);
            return Ok(received);
        }
        if !codec.is_media() || codec.kind() != MediaKind::Video {
            return Err(DropReason::MalformedRed);
        }
        // The header moves up to the block.
        packet.copy_within(..payload.start, HEADER_LEN);
        let plain = &mut packet[HEADER_LEN..];
        set_payload_type(plain, inner);
        let header = RtpHeader::parse(plain).map_err(|_| DropReason::MalformedRed)?;
        let received = self.on_media(now, nanos, place, header, plain, codec, via, epochs)?;
        self.recover(now, nanos, place, epochs);
        Ok(received)
    }

    /// What came may be all that a group waited for, and what comes back all that another one did.
    fn recover(&mut self, now: Instant, nanos: Nanos, place: Place, epochs: &mut u32) {
        let mut packet = Vec::new();
        while !self.restored.is_full() {
            let (tracks, extensions) = (&mut self.tracks, &self.extensions);
            let layer = &mut tracks[usize::from(place.track)].layers[usize::from(place.layer)];
            let mut repairs = std::mem::take(&mut layer.repairs);
            packet.clear();
            let found = repairs.recover(layer, extensions, &mut packet);
            layer.repairs = repairs;
            if !found {
                return;
            }
            let Ok(header) = RtpHeader::parse(&packet) else { continue };
            let Some(Meaning::Media(codec)) = self.payloads.meaning(header.pt) else { continue };
            if !codec.is_media() || codec.kind() != MediaKind::Video {
                continue;
            }
            let done = self.on_media(now, nanos, place, header, &packet, codec, Via::Redundancy, epochs);
            if let Ok(received) = done {
                self.fec_recovered += 1;
                // It is what was protected, to the byte.
                self.layer_mut(place).cache.set_verbatim(received.ext_seq);
                self.restored.push(received);
            }
        }
    }
}
