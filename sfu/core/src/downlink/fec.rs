//! FEC for one subscriber's pictures (ULPFEC, RFC 5109, inside RED, RFC 2198): where the round trip is too long for a lost
//! packet to be asked for twice, what will be lost is sent ahead. How much follows the loss; a link that loses nothing, or
//! answers soon enough, gets none.
//!
//! ```text
//!   one frame:   RED{VP8} 7   RED{VP8} 8   RED{VP8} 9   RED{ULPFEC} 10 = 7^8   RED{ULPFEC} 11 = 8^9   | next frame: 12
//! ```
//! Repair packets take numbers of the slot's own stream: what comes after them is counted on.

use packet::fec::ahead::leaves_rounds;
use packet::fec::{neighbours, ulpfec};
use packet::{PayloadType, RtpTime, SeqNo};
use std::time::{Duration, Instant};

/// Whether one leg is protected, and how much of what it is sent is sent in repair packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Protection {
    /// 0.0-1.0: up at once, down slowly.
    lost: f32,
    is_on: bool,
    /// Not before: there was no room for it.
    held_until: Option<Instant>,
}

/// Share of loss from which on there is FEC, and below which no longer.
const LOST: (f32, f32) = (0.02, 0.01);
/// Of the smoothed share that is kept with each better report.
const KEPT: f32 = 0.7;
/// Repair packets for each packet of media and each share of loss: at 10 % three for ten. Single losses of a group come back
/// then, and two of three in a group at 30 %.
const PER_LOSS: f32 = 3.0;
/// Without FEC for so long after a picture had to be paused.
const HELD: Duration = Duration::from_secs(30);
/// More is better spent on a lower layer.
const OVERHEAD_MAX: f32 = 1.0;

impl Protection {
    /// A report about what was lost on the link: as the receiver counts it (RFC 3550), 1/256.
    pub fn on_report(&mut self, fraction_lost: u8) {
        let lost = f32::from(fraction_lost) / 256.0;
        self.lost = lost.max(self.lost * KEPT + lost * (1.0 - KEPT));
    }

    /// A picture is paused for want of bandwidth: it comes before its protection.
    pub fn give_way(&mut self, now: Instant) {
        self.held_until = Some(now + HELD);
    }

    /// Repair packets for each packet of media; 0.0: none at all.
    pub fn overhead(&mut self, now: Instant, rtt: Option<Duration>) -> f32 {
        if self.held_until.is_some_and(|until| now < until) {
            return 0.0;
        }
        let limit = if self.is_on { LOST.1 } else { LOST.0 };
        self.is_on = self.lost >= limit && !leaves_rounds(rtt);
        if self.is_on { (self.lost * PER_LOSS).min(OVERHEAD_MAX) } else { 0.0 }
    }
}

/// Payload types of a subscriber that takes ULPFEC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RedTypes {
    pub red: PayloadType,
    pub ulpfec: PayloadType,
}

/// Packets of one picture as they were sent, until it ends.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Buffers are used again.
    packets: Vec<Vec<u8>>,
    len: usize,
    /// Of the picture: as its publisher has it, and as it is sent.
    pub timestamp: Option<(RtpTime, RtpTime)>,
}

/// Of a picture of more packets the rest is not protected: libwebrtc remembers no more, and wants the numbers of a picture in
/// a row, so nothing can stand between them.
const GROUP_MAX: usize = ulpfec::REACH as usize;

impl Group {
    pub fn clear(&mut self) {
        (self.len, self.timestamp) = (0, None);
    }

    /// `write` writes the plain packet, without what is stamped on its way out, and says how long it is; 0: not at all.
    pub fn push(&mut self, timestamp: (RtpTime, RtpTime), write: impl FnOnce(&mut Vec<u8>)) {
        if self.len >= GROUP_MAX {
            return;
        }
        if self.packets.len() == self.len {
            self.packets.push(Vec::new());
        }
        let packet = &mut self.packets[self.len];
        packet.clear();
        write(packet);
        if !packet.is_empty() {
            self.len += 1;
            self.timestamp = Some(timestamp);
        }
    }

    /// Repair payloads for everything in the group, each passed to `send`, which says whether there may be more.
    pub fn protect(&mut self, overhead: f32, mut send: impl FnMut(Vec<u8>) -> bool) {
        let packets = &self.packets[..self.len];
        let wanted = (packets.len() as f32 * overhead).round() as usize;
        let wanted = if overhead > 0.0 { wanted.max(1) } else { 0 };
        for mask in neighbours::masks(packets.len(), wanted) {
            let chosen: arrayvec::ArrayVec<&[u8], GROUP_MAX> =
                mask.into_iter().filter_map(|n| packets.get(n)).map(Vec::as_slice).collect();
            let mut payload = Vec::new();
            if ulpfec::encode(&chosen, &mut payload).is_ok() && !send(payload) {
                break;
            }
        }
        self.clear();
    }
}

/// The number of a repair packet on its stream and what it is made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct RepairId {
    pub stream: u8,
    pub seq: u16,
}

impl RepairId {
    pub fn new(stream: u8, seq: SeqNo) -> Self {
        Self { stream, seq: seq.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_a_long_and_lossy_way_is_protected_and_it_stops_on_a_clean_one() {
        let with = |rtt_ms: u32, lost: f32| {
            let mut protection = Protection::default();
            protection.on_report((lost * 256.0) as u8);
            protection.overhead(start(), Some(MS * rtt_ms))
        };
        for (rtt_ms, lost, expected) in [
            (300, 0.3, 0.9),
            (300, 0.1, 0.3),
            (300, 0.5, 1.0),
            (300, 0.015, 0.0),
            (100, 0.3, 0.0),
            (160, 0.3, 0.9),
            (0, 1.0, 0.0),
        ] {
            assert!((with(rtt_ms, lost) - expected).abs() < 0.02, "{rtt_ms} ms, {lost}");
        }
        let mut protection = Protection::default();
        let overhead = |protection: &mut Protection, rtt| protection.overhead(start(), rtt);
        assert_eq!(overhead(&mut protection, None), 0.0);
        protection.on_report(77);
        assert_eq!(overhead(&mut protection, None), 0.0, "nobody knows whether requests would do");
        assert!(overhead(&mut protection, Some(MS * 300)) > 0.8);
        (0..10).for_each(|_| protection.on_report(0));
        assert_eq!(overhead(&mut protection, Some(MS * 300)), 0.0);
        protection.on_report(77);
        protection.give_way(start());
        assert_eq!(protection.overhead(start() + HELD - MS, Some(MS * 300)), 0.0, "the picture comes first");
        assert!(protection.overhead(start() + HELD, Some(MS * 300)) > 0.8);
    }
}
