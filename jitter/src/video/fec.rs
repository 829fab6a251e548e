//! Packets that come back out of repair packets: what was received lately, and the repair packets that may still help.

use super::unwrap::nearest;
use packet::ext::ExtensionMap;
use packet::fec::flexfec::Flexfec;
use packet::fec::ulpfec::Ulpfec;
use packet::fec::{RecoverError, zero_mutable_extensions};
use packet::{SeqNo, Ssrc};
use std::collections::{BTreeMap, VecDeque};

/// Media packets kept; more than any group reaches.
const PACKETS_MAX: usize = 512;
/// Longer ones than a network carries are not kept.
const PACKET_LEN_MAX: usize = 2048;
/// Repair packets that wait for media.
const PENDING_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Ulpfec,
    Flexfec,
}

pub(crate) struct FecDecoder {
    extensions: ExtensionMap,
    packets: BTreeMap<i64, Vec<u8>>,
    pending: VecDeque<(Format, Vec<u8>)>,
}

impl FecDecoder {
    pub fn new(extensions: ExtensionMap) -> Self {
        Self { extensions, packets: BTreeMap::new(), pending: VecDeque::new() }
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
    }

    /// False if it is no repair payload of this format.
    pub fn repair(&mut self, format: Format, payload: &[u8]) -> bool {
        let good = match format {
            Format::Ulpfec => Ulpfec::parse(payload).is_ok(),
            Format::Flexfec => Flexfec::parse(payload).is_ok(),
        };
        if !good || payload.len() > PACKET_LEN_MAX {
            return false;
        }
        self.pending.push_back((format, payload.to_vec()));
        if self.pending.len() > PENDING_MAX {
            self.pending.pop_front();
        }
        true
    }

    /// A packet that can be recovered now. Call until None, inserting each, since one may lead to the next.
    pub fn recover(&mut self, ssrc: Ssrc, newest: i64) -> Option<Vec<u8>> {
        let mut recovered = None;
        let mut at = 0;
        while let (Some((format, payload)), None) = (self.pending.get(at), &recovered) {
            let received =
                |seq: SeqNo| self.packets.get(&nearest(newest, seq.0.into(), 16)).map(Vec::as_slice);
            let mut out = Vec::new();
            let result = match format {
                Format::Ulpfec => {
                    Ulpfec::parse(payload).and_then(|fec| fec.recover(ssrc, received, &mut out))
                }
                Format::Flexfec => {
                    Flexfec::parse(payload).and_then(|fec| fec.recover(ssrc, received, &mut out))
                }
            };
            match result {
                Err(RecoverError::TooManyMissing) => at += 1,
                Err(_) => drop(self.pending.remove(at)),
                Ok(_) => {
                    self.pending.remove(at);
                    recovered = Some(out);
                }
            }
        }
        recovered
    }

    /// Packets and bytes kept.
    pub fn held(&self) -> (usize, usize) {
        let (media, repair) = (self.packets.values(), self.pending.iter().map(|(_, payload)| payload));
        (self.packets.len() + self.pending.len(), media.chain(repair).map(Vec::len).sum())
    }

    pub fn clear(&mut self) {
        self.packets.clear();
        self.pending.clear();
    }
}
