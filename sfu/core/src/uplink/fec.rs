//! Pictures that a publisher protects (ULPFEC, RFC 5109, inside RED, RFC 2198): what was lost comes back before anybody asks
//! for it, and what is kept and sent on is the plain packet.
//!
//! ```text
//!   number   7      8      9      10                       kept            subscribers
//!            RED    RED    lost   RED                      7 8 9' _        7 8 9' (what follows closes up over 10)
//!            VP8    VP8    VP8    ULPFEC{7 8 9}
//! ```
//! Repair packets take numbers of the media. In the cache such a number is an empty packet, as padding is one. Those of FlexFEC (RFC 8627)
//! do not, and several bring back several packets together.

use super::{Layer, Place, Received, Uplink, Via};
use crate::DropReason;
use crate::clock::Nanos;
use crate::payloads::Meaning;
use packet::ext::ExtensionMap;
use packet::fec::flexfec::{self, Flexfec};
use packet::fec::flexfec03;
use packet::fec::ulpfec::{REACH, Ulpfec};
use packet::fec::{window, zero_mutable_extensions};
use packet::media::{Codec, MediaKind};
use packet::rtp::{RtpHeader, set_payload_type};
use packet::{ExtSeq, PayloadType, SeqNo};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// Repair payloads of one layer that may still be of use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repairs {
    ulpfec: VecDeque<Vec<u8>>,
    /// With the format of each.
    flexfec: VecDeque<(Codec, Vec<u8>)>,
}

/// Half a second of one a frame; each is looked at with every packet of the layer.
const KEPT: usize = 16;
/// Of FlexFEC, what is solved together: as many as a window is repaired with at half of it lost.
const KEPT_TOGETHER: usize = 48;
const _: () = assert!(KEPT_TOGETHER <= flexfec::TOGETHER_MAX);
/// Further behind the newest packet of the layer nothing comes back any more.
const BEHIND_MAX: u64 = 2 * flexfec::REACH as u64;
/// No datagram carries more.
const LEN_MAX: usize = 1500;
/// One block: the rest of the payload.
const HEADER_LEN: usize = 1;
const MORE_BLOCKS: u8 = 0x80;

/// Payload type of the block in a video RED packet.
pub(super) fn block(payload: &[u8]) -> Option<PayloadType> {
    payload.first().filter(|first| **first & MORE_BLOCKS == 0).map(|first| PayloadType(*first))
}

fn read(format: Codec, payload: &[u8]) -> Option<Flexfec<'_>> {
    match format {
        Codec::Flexfec03 => flexfec03::parse(payload).ok().map(|(_, repair)| repair),
        _ => Flexfec::parse(payload).ok(),
    }
}

impl Repairs {
    pub fn clear(&mut self) {
        self.ulpfec.clear();
        self.flexfec.clear();
    }

    fn push(&mut self, payload: &[u8]) -> Result<(), DropReason> {
        if payload.len() > LEN_MAX || Ulpfec::parse(payload).is_err() {
            return Err(DropReason::MalformedFec);
        }
        if self.ulpfec.len() == KEPT {
            self.ulpfec.pop_front();
        }
        self.ulpfec.push_back(payload.to_vec());
        Ok(())
    }

    fn push_flexfec(&mut self, format: Codec, payload: &[u8]) -> Result<(), DropReason> {
        let repair = read(format, payload).filter(|_| payload.len() <= LEN_MAX);
        // Ours protect no more; what is looked at with each packet has to stay little, whoever sends it.
        if repair.is_none_or(|repair| repair.protected().count() > window::PACKETS_MAX) {
            return Err(DropReason::MalformedFec);
        }
        if self.flexfec.len() == KEPT_TOGETHER {
            self.flexfec.pop_front();
        }
        self.flexfec.push_back((format, payload.to_vec()));
        Ok(())
    }

    /// Every packet that those of FlexFEC bring back now; those that have become useless are forgotten.
    fn solve(&mut self, layer: &Layer, extensions: &ExtensionMap) -> Vec<Vec<u8>> {
        let (Some(ssrc), Some(highest)) = (layer.ssrc, layer.reception.highest()) else { return Vec::new() };
        let number = |seq: SeqNo| ExtSeq(highest).nearest(seq).0;
        // The extensions of a retransmission are its own, and not what was protected.
        let kept = |seq| layer.cache.get(number(seq)).filter(|(stored, _)| stored.verbatim);
        self.flexfec.retain(|(format, payload)| {
            read(*format, payload).is_some_and(|repair| {
                repair.protected().any(|seq| kept(seq).is_none())
                    && repair.protected().all(|seq| number(seq) + BEHIND_MAX > highest)
            })
        });
        let repairs: Vec<Flexfec> =
            self.flexfec.iter().filter_map(|(format, payload)| read(*format, payload)).collect();
        let solutions = flexfec::solve(&repairs, |seq| kept(seq).is_some());
        if solutions.is_empty() {
            return Vec::new();
        }
        let mut received = BTreeMap::new();
        for seq in repairs.iter().flat_map(Flexfec::protected) {
            if let (Entry::Vacant(entry), Some((_, packet))) = (received.entry(number(seq)), kept(seq)) {
                let packet = entry.insert(packet.to_vec());
                zero_mutable_extensions(packet, extensions);
            }
        }
        let received = |seq| received.get(&number(seq)).map(Vec::as_slice);
        let restored = solutions.iter().filter(|solution| !layer.cache.contains(number(solution.lost)));
        restored
            .filter_map(|solution| {
                let mut packet = Vec::new();
                solution.restore(&repairs, ssrc, received, &mut packet).ok().map(|()| packet)
            })
            .collect()
    }

    /// The one packet that is missing of a group, written to `out`; what has become useless is forgotten.
    fn recover(&mut self, layer: &Layer, extensions: &ExtensionMap, out: &mut Vec<u8>) -> bool {
        let (Some(ssrc), Some(highest)) = (layer.ssrc, layer.reception.highest()) else { return false };
        let number = |seq: SeqNo| ExtSeq(highest).nearest(seq).0;
        let mut recovered = false;
        self.ulpfec.retain(|payload| {
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

    /// One repair packet of FlexFEC; what it repairs is its contributing source, or named inside.
    pub(super) fn on_flexfec(
        &mut self,
        now: Instant,
        nanos: Nanos,
        format: Codec,
        (header, packet): (&RtpHeader, &[u8]),
        epochs: &mut u32,
    ) -> Result<(), DropReason> {
        let source = match format {
            Codec::Flexfec03 => flexfec03::parse(header.payload(packet)).ok().map(|(source, _)| source),
            _ => header.first_csrc(packet),
        };
        let protected = source.and_then(|ssrc| self.place(ssrc));
        let place = protected.filter(|place| !place.rtx).ok_or(DropReason::MalformedFec)?;
        self.layer_mut(place).repairs.push_flexfec(format, header.payload(packet))?;
        self.fec_received += 1;
        self.recover_shielded(now, nanos, place, epochs);
        Ok(())
    }

    /// The same for FlexFEC.
    pub(super) fn recover_shielded(&mut self, now: Instant, nanos: Nanos, place: Place, epochs: &mut u32) {
        let layer = &mut self.tracks[usize::from(place.track)].layers[usize::from(place.layer)];
        if layer.repairs.flexfec.is_empty() {
            return;
        }
        let mut repairs = std::mem::take(&mut layer.repairs);
        let packets = repairs.solve(layer, &self.extensions);
        layer.repairs = repairs;
        for packet in packets {
            self.take_restored(now, nanos, place, &packet, epochs);
        }
    }

    fn take_restored(&mut self, now: Instant, nanos: Nanos, place: Place, packet: &[u8], epochs: &mut u32) {
        let Ok(header) = RtpHeader::parse(packet) else { return };
        let Some(Meaning::Media(codec)) = self.payloads.meaning(header.pt) else { return };
        if !codec.is_media() || codec.kind() != MediaKind::Video || self.restored.is_full() {
            return;
        }
        let done = self.on_media(now, nanos, place, header, packet, codec, Via::Redundancy, epochs);
        if let Ok(received) = done {
            self.fec_recovered += 1;
            // It is what was protected, to the byte.
            self.layer_mut(place).cache.set_verbatim(received.ext_seq);
            self.restored.push(received);
        }
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
            self.take_restored(now, nanos, place, &packet, epochs);
        }
    }
}
