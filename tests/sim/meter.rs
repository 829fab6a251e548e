//! What went into a link, packet by packet: how much, and how long it waited in the queue.

use netem::Fate;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    pub at: Instant,
    /// Without IP and UDP headers.
    pub bytes: usize,
    /// From being handed in to having left the queue.
    pub waited: Duration,
    pub fate: Fate,
    /// RTP payload type; None: RTCP, STUN, DTLS, or not ours.
    pub payload_type: Option<u8>,
}

impl Passed {
    /// Before its way is known.
    pub fn of(at: Instant, datagram: &[u8]) -> Self {
        let payload_type = match packet::demux::classify(datagram) {
            Some(packet::demux::Protocol::Rtp) => datagram.get(1).map(|byte| byte & 0x7f),
            _ => None,
        };
        Self { at, bytes: datagram.len(), waited: Duration::ZERO, fate: Fate::Delivered, payload_type }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Meter {
    passed: Vec<Passed>,
}

impl Meter {
    pub fn add(&mut self, packet: Passed) {
        self.passed.push(packet);
    }

    pub fn between(&self, from: Instant, to: Instant) -> impl Iterator<Item = &Passed> {
        let first = self.passed.partition_point(|packet| packet.at < from);
        self.passed[first..].iter().take_while(move |packet| packet.at < to)
    }

    /// Handed in, in kb/s with IP and UDP headers.
    pub fn offered_kbps(&self, from: Instant, to: Instant) -> f64 {
        kbps(self.between(from, to), from, to)
    }

    /// Neither lost nor dropped, in kb/s with IP and UDP headers.
    pub fn passed_kbps(&self, from: Instant, to: Instant) -> f64 {
        let passed = |packet: &&Passed| matches!(packet.fate, Fate::Delivered | Fate::DeliveredTwice);
        kbps(self.between(from, to).filter(passed), from, to)
    }

    /// The wait that this share of the packets did not exceed, in milliseconds; packets that were dropped did not wait.
    pub fn waited_ms(&self, from: Instant, to: Instant, share: f64) -> f64 {
        let waited = self.between(from, to).filter(|packet| packet.fate != Fate::Dropped);
        let mut waited: Vec<Duration> = waited.map(|packet| packet.waited).collect();
        waited.sort_unstable();
        let rank = (share * waited.len() as f64).ceil() as usize;
        waited.get(rank.saturating_sub(1)).map_or(0.0, |waited| waited.as_secs_f64() * 1000.0)
    }

    /// Share of packets dropped at a full queue or by a policer.
    pub fn dropped_share(&self, from: Instant, to: Instant) -> f64 {
        let (mut all, mut dropped) = (0u32, 0u32);
        for packet in self.between(from, to) {
            all += 1;
            dropped += u32::from(packet.fate == Fate::Dropped);
        }
        f64::from(dropped) / f64::from(all.max(1))
    }
}

fn kbps<'a>(packets: impl Iterator<Item = &'a Passed>, from: Instant, to: Instant) -> f64 {
    /// IPv4 and UDP.
    const HEADERS: usize = 28;
    let bytes: usize = packets.map(|packet| packet.bytes + HEADERS).sum();
    bytes as f64 * 8.0 / 1000.0 / to.saturating_duration_since(from).as_secs_f64().max(1e-9)
}
