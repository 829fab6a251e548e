//! The last second or so of one layer: for retransmissions, for a newcomer's first picture, and as the one place
//! from which every subscriber's copy is made.
//!
//! ```text
//!  entries: ring by sequence number -> where    bytes: ring in arrival order, a packet never crosses the end
//! ```

use super::describe::Described;
use crate::downlink::Ids;
use packet::ext::{AudioLevel, VideoOrientation};
use packet::media::{Codec, MediaKind};
use packet::rtp::RtpHeader;
use std::time::{Duration, Instant};

/// What was read from a packet when it arrived, so that no subscriber reads it again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Stored {
    /// Extended sequence number of the layer.
    pub ext_seq: u64,
    pub header: RtpHeader,
    pub arrived: Instant,
    pub codec: Codec,
    pub keyframe_start: bool,
    /// As it was sent first: FEC can be computed with it.
    pub verbatim: bool,
    pub ids: Ids,
    pub described: Described,
    pub audio_level: Option<AudioLevel>,
    pub video_orientation: Option<VideoOrientation>,
    pub playout_delay: Option<[u8; 3]>,
    /// Where the extension's bytes are in the packet; empty: it has none. So for the next.
    pub abs_capture_time: Span,
    pub dependency_descriptor: Span,
    position: u64,
    len: u16,
}

/// A range of a packet's bytes; a header has at most 255 words of extensions behind 76 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Span {
    start: u16,
    len: u8,
}

impl Span {
    /// `part` as a part of `packet`; empty if it is none.
    pub fn of(part: &[u8], packet: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(packet.as_ptr() as usize);
        let inside = start <= packet.len() && part.len() <= packet.len() - start;
        match (u16::try_from(start), u8::try_from(part.len())) {
            (Ok(start), Ok(len)) if inside => Self { start, len },
            _ => Self::default(),
        }
    }
    pub fn len(self) -> usize {
        usize::from(self.len)
    }
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
    pub fn bytes(self, packet: &[u8]) -> Option<&[u8]> {
        let start = usize::from(self.start);
        packet.get(start..start + self.len()).filter(|bytes| !bytes.is_empty())
    }
}

impl Stored {
    pub fn new(ext_seq: u64, header: RtpHeader, arrived: Instant, codec: Codec) -> Self {
        Self {
            ext_seq,
            header,
            arrived,
            codec,
            keyframe_start: false,
            verbatim: true,
            ids: Ids::default(),
            described: Described::default(),
            audio_level: None,
            video_orientation: None,
            playout_delay: None,
            abs_capture_time: Span::default(),
            dependency_descriptor: Span::default(),
            position: 0,
            len: 0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct PacketCache {
    entries: Vec<Option<Stored>>,
    bytes: Vec<u8>,
    /// Bytes ever written; where the next packet goes is this modulo the ring's size.
    head: u64,
    /// Positions below were lost when the ring grew.
    floor: u64,
    lap_since: Option<Instant>,
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    entries: usize,
    entries_max: usize,
    bytes: usize,
    bytes_max: usize,
}

/// Both rings double until they hold this much time, or reach their limit. Two rounds of NACK at 300 ms round
/// trip, and the oldest group of pictures that is replayed.
const KEEP: Duration = Duration::from_millis(800);

impl PacketCache {
    pub fn new(kind: MediaKind) -> Self {
        let limits = match kind {
            // Opus at 50 packets a second, then stereo music or 10 ms packets.
            MediaKind::Audio => {
                Limits { entries: 64, entries_max: 256, bytes: 8 << 10, bytes_max: 128 << 10 }
            }
            // 500 kb/s, then 8 Mb/s.
            MediaKind::Video => {
                Limits { entries: 128, entries_max: 2048, bytes: 64 << 10, bytes_max: 1 << 20 }
            }
        };
        Self { entries: Vec::new(), bytes: Vec::new(), head: 0, floor: 0, lap_since: None, limits }
    }

    pub fn clear(&mut self) {
        self.entries.fill(None);
    }

    fn index(&self, ext_seq: u64) -> usize {
        ext_seq as usize & (self.entries.len() - 1)
    }

    /// Stores a packet under its `ext_seq`, in place of what falls out. Packets longer than a quarter of the ring's
    /// smallest size cannot come out of a UDP datagram path of 1500 bytes and are cut off with `false`.
    pub fn insert(&mut self, mut stored: Stored, packet: &[u8]) -> bool {
        if self.entries.is_empty() {
            self.entries = vec![None; self.limits.entries];
            self.bytes = vec![0; self.limits.bytes];
        }
        if packet.len() > self.limits.bytes / 4 {
            return false;
        }
        let now = stored.arrived;
        while let Some(old) = &self.entries[self.index(stored.ext_seq)] {
            let young = old.ext_seq != stored.ext_seq && now.saturating_duration_since(old.arrived) < KEEP;
            if !young || self.entries.len() >= self.limits.entries_max {
                break;
            }
            self.grow_entries();
        }
        stored.position = self.claim(now, packet.len());
        stored.len = packet.len() as u16;
        let at = (stored.position % self.bytes.len() as u64) as usize;
        self.bytes[at..at + packet.len()].copy_from_slice(packet);
        let index = self.index(stored.ext_seq);
        self.entries[index] = Some(stored);
        true
    }

    pub fn get(&self, ext_seq: u64) -> Option<(&Stored, &[u8])> {
        if self.entries.is_empty() {
            return None;
        }
        let stored = self.entries[self.index(ext_seq)].as_ref().filter(|s| s.ext_seq == ext_seq)?;
        if stored.position < self.floor.max(self.head.saturating_sub(self.bytes.len() as u64)) {
            return None;
        }
        let at = (stored.position % self.bytes.len() as u64) as usize;
        Some((stored, &self.bytes[at..at + usize::from(stored.len)]))
    }

    pub fn set_verbatim(&mut self, ext_seq: u64) {
        if !self.entries.is_empty() {
            let index = self.index(ext_seq);
            self.entries[index].iter_mut().filter(|s| s.ext_seq == ext_seq).for_each(|s| s.verbatim = true);
        }
    }

    pub fn contains(&self, ext_seq: u64) -> bool {
        self.get(ext_seq).is_some()
    }

    fn grow_entries(&mut self) {
        let old = std::mem::take(&mut self.entries);
        self.entries = vec![None; old.len() * 2];
        for stored in old.into_iter().flatten() {
            let index = self.index(stored.ext_seq);
            self.entries[index] = Some(stored);
        }
    }

    /// Room for `len` bytes that does not cross the end of the ring.
    fn claim(&mut self, now: Instant, len: usize) -> u64 {
        let size = self.bytes.len() as u64;
        let at = self.head % size;
        if at + len as u64 > size {
            self.head += size - at;
            // How old is what will be overwritten next? After growing, the next lap begins with the same packet.
            let since = self.lap_since.unwrap_or(now);
            if now.saturating_duration_since(since) < KEEP && self.bytes.len() < self.limits.bytes_max {
                // The lap just finished keeps its place: positions are the same modulo the doubled size.
                let mut doubled = vec![0; self.bytes.len() * 2];
                self.floor = self.head - size;
                let from = (self.floor % (2 * size)) as usize;
                doubled[from..from + self.bytes.len()].copy_from_slice(&self.bytes);
                self.bytes = doubled;
            } else {
                self.lap_since = Some(now);
            }
        }
        self.lap_since.get_or_insert(now);
        let position = self.head;
        self.head += len as u64;
        position
    }
}

#[cfg(test)]
pub(crate) fn span(start: u16, len: u8) -> Span {
    Span { start, len }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{rtp, start};

    fn put(cache: &mut PacketCache, ext_seq: u64, at: Instant, len: usize) -> Vec<u8> {
        let packet = rtp(ext_seq as u16, 0, &vec![ext_seq as u8; len]);
        let header = RtpHeader::parse(&packet).unwrap();
        assert!(cache.insert(Stored::new(ext_seq, header, at, Codec::Vp8), &packet));
        packet
    }

    #[test]
    fn most_of_a_second_of_video_is_kept_at_any_rate_across_the_wrap() {
        for rate_kbps in [200u64, 2_500, 6_000] {
            let mut cache = PacketCache::new(MediaKind::Video);
            let step = Duration::from_micros(1_000 * 8_000 / rate_kbps);
            let mut sent = Vec::new();
            for i in 0..5_000u64 {
                let at = start() + step * i as u32;
                // Sequence numbers cross 2^16.
                sent.push((at, 64_000 + i, put(&mut cache, 64_000 + i, at, 988)));
                let (_, last, bytes) = &sent[sent.len() - 1];
                assert_eq!(cache.get(*last).unwrap().1, &bytes[..]);
            }
            let end = start() + step * 5_000;
            for (at, ext_seq, bytes) in &sent {
                match cache.get(*ext_seq) {
                    Some((_, kept)) => assert_eq!(kept, &bytes[..]),
                    None => assert!(end - *at > Duration::from_millis(750), "{rate_kbps} {ext_seq}"),
                }
            }
            // Doubling keeps at most twice of what is needed.
            let needed = (rate_kbps * 1000 / 8 * 8 / 10) as usize;
            assert!(
                cache.bytes.len() <= (2 * needed).max(64 << 10) && cache.entries.len() <= 2048,
                "{}",
                cache.bytes.len()
            );
        }
    }

    #[test]
    fn a_late_packet_is_found_and_a_foreign_number_is_not() {
        let mut cache = PacketCache::new(MediaKind::Audio);
        assert!(!cache.contains(5));
        put(&mut cache, 7, start(), 100);
        put(&mut cache, 6, start(), 100);
        assert!(cache.contains(6) && cache.contains(7));
        assert!(!cache.contains(7 + 64) && !cache.contains(7 + 65_536));
        cache.clear();
        assert!(!cache.contains(6));
    }

    #[test]
    fn a_packet_longer_than_any_path_is_refused() {
        let mut cache = PacketCache::new(MediaKind::Audio);
        let packet = rtp(1, 0, &[0; 3000]);
        let header = RtpHeader::parse(&packet).unwrap();
        assert!(!cache.insert(Stored::new(1, header, start(), Codec::Opus), &packet));
    }
}
