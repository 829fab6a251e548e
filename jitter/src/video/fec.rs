//! Packets that come back out of repair packets: what was received lately, and the repair packets that may still help.

use super::unwrap::nearest;
use packet::ext::ExtensionMap;
use packet::fec::flexfec::{self, Flexfec};
use packet::fec::ulpfec::Ulpfec;
use packet::fec::{RecoverError, zero_mutable_extensions};
use packet::{SeqNo, Ssrc};
use std::collections::{BTreeMap, VecDeque};

/// Media packets kept; more than any group reaches.
const PACKETS_MAX: usize = 512;
/// Longer ones than a network carries are not kept.
const PACKET_LEN_MAX: usize = 2048;
/// Repair packets that wait for media.
const PENDING_MAX: usize = flexfec::TOGETHER_MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Ulpfec,
    Flexfec,
}

impl Format {
    /// It is a repair payload of this format that can be kept.
    pub fn fits(self, payload: &[u8]) -> bool {
        let parses = match self {
            Self::Ulpfec => Ulpfec::parse(payload).is_ok(),
            Self::Flexfec => Flexfec::parse(payload).is_ok(),
        };
        parses && payload.len() <= PACKET_LEN_MAX
    }
}

pub(crate) struct FecDecoder {
    extensions: ExtensionMap,
    packets: BTreeMap<i64, Vec<u8>>,
    ulpfec: VecDeque<Vec<u8>>,
    flexfec: VecDeque<Vec<u8>>,
    /// Media packets since the last repair packet.
    unprotected: usize,
}

impl FecDecoder {
    pub fn new(extensions: ExtensionMap) -> Self {
        Self {
            extensions,
            packets: BTreeMap::new(),
            ulpfec: VecDeque::new(),
            flexfec: VecDeque::new(),
            unprotected: 0,
        }
    }

    /// A packet as its sender protected it: not one restored from a retransmission, whose extensions are others.
    pub fn media(&mut self, seq: i64, packet: &[u8]) {
        if packet.len() > PACKET_LEN_MAX {
            return;
        }
        let mut bytes = packet.to_vec();
        zero_mutable_extensions(&mut bytes, &self.extensions);
        self.packets.insert(seq, bytes);
        while self.packets.len() > PACKETS_MAX {
            self.packets.pop_first();
        }
        self.unprotected += 1;
    }

    /// Nothing has been protected for long.
    pub fn is_idle(&self) -> bool {
        self.unprotected > PACKETS_MAX
    }

    /// A repair payload that [fits](Format::fits).
    pub fn repair(&mut self, format: Format, payload: &[u8]) {
        let pending = match format {
            Format::Ulpfec => &mut self.ulpfec,
            Format::Flexfec => &mut self.flexfec,
        };
        pending.push_back(payload.to_vec());
        if pending.len() > PENDING_MAX {
            pending.pop_front();
        }
        self.unprotected = 0;
    }

    /// Packets that can be recovered now. Call until there are none, inserting each, since one may lead to the next.
    pub fn recover(&mut self, ssrc: Ssrc, newest: i64) -> Vec<Vec<u8>> {
        let mut recovered = self.solve(ssrc, newest);
        if recovered.is_empty() {
            recovered.extend(self.recover_one(ssrc, newest));
        }
        recovered
    }

    fn recover_one(&mut self, ssrc: Ssrc, newest: i64) -> Option<Vec<u8>> {
        let mut recovered = None;
        let mut at = 0;
        while let (Some(payload), None) = (self.ulpfec.get(at), &recovered) {
            let received =
                |seq: SeqNo| self.packets.get(&nearest(newest, seq.0.into(), 16)).map(Vec::as_slice);
            let mut out = Vec::new();
            match Ulpfec::parse(payload).and_then(|fec| fec.recover(ssrc, received, &mut out)) {
                Err(RecoverError::TooManyMissing) => at += 1,
                Err(_) => drop(self.ulpfec.remove(at)),
                Ok(_) => {
                    self.ulpfec.remove(at);
                    recovered = Some(out);
                }
            }
        }
        recovered
    }

    /// What all repair packets of FlexFEC bring back together.
    fn solve(&mut self, ssrc: Ssrc, newest: i64) -> Vec<Vec<u8>> {
        let number = |seq: SeqNo| nearest(newest, seq.0.into(), 16);
        let packets = &self.packets;
        let oldest = newest - PACKETS_MAX as i64;
        self.flexfec.retain(|payload| {
            Flexfec::parse(payload).is_ok_and(|repair| {
                repair.protected().any(|seq| !packets.contains_key(&number(seq)))
                    && repair.protected().all(|seq| number(seq) > oldest)
            })
        });
        if self.flexfec.is_empty() {
            return Vec::new();
        }
        let repairs: Vec<Flexfec> = self.flexfec.iter().filter_map(|p| Flexfec::parse(p).ok()).collect();
        let received = |seq| packets.get(&number(seq)).map(Vec::as_slice);
        let restored: Vec<(i64, Vec<u8>)> = flexfec::solve(&repairs, |seq| received(seq).is_some())
            .into_iter()
            .filter_map(|solution| {
                let mut packet = Vec::new();
                solution.restore(&repairs, ssrc, received, &mut packet).ok()?;
                Some((number(solution.lost), packet))
            })
            .collect();
        // Also of those that nobody waits for any more: what others are made of.
        self.packets.extend(restored.iter().cloned());
        restored.into_iter().map(|(_, packet)| packet).collect()
    }

    /// Packets and bytes kept.
    pub fn held(&self) -> (usize, usize) {
        let (media, repair) = (self.packets.values(), self.ulpfec.iter().chain(&self.flexfec));
        let repairs = self.ulpfec.len() + self.flexfec.len();
        (self.packets.len() + repairs, media.chain(repair).map(Vec::len).sum())
    }

    pub fn clear(&mut self) {
        self.packets.clear();
        self.ulpfec.clear();
        self.flexfec.clear();
    }
}
