//! The last second or so of one layer: for retransmissions, for a newcomer's first picture, and as the one place
//! from which every subscriber's copy is made.
//!
//! ```text
//!  entries: by sequence number -> where    bytes: blocks in arrival order, a packet never crosses the end of one
//! ```

use super::describe::Described;
use crate::downlink::Ids;
use crate::window::Window;
use packet::ext::{AudioLevel, VideoOrientation};
use packet::media::{Codec, MediaKind};
use packet::rtp::RtpHeader;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What was read from a packet when it arrived, so that no subscriber reads it again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Stored {
    /// Extended sequence number of the layer.
    pub ext_seq: u64,
    pub header: RtpHeader,
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
    /// Milliseconds since the cache's first packet.
    at: u32,
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
    pub fn new(ext_seq: u64, header: RtpHeader, codec: Codec) -> Self {
        Self {
            ext_seq,
            header,
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
            at: 0,
            len: 0,
        }
    }
}

/// Both parts grow and shrink with the traffic: what is held is what was sent lately.
#[derive(Debug)]
pub(crate) struct PacketCache {
    entries: Window<Option<Stored>>,
    /// What the entries' times count from.
    start: Option<Instant>,
    blocks: VecDeque<Block>,
    /// Number of the first block: the positions in it divided by its length.
    first: u64,
    /// Where the next packet goes, counted over all blocks there ever were.
    head: u64,
    limits: Limits,
}

#[derive(Debug)]
struct Block {
    bytes: Box<[u8]>,
    /// When its newest packet came.
    newest: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    keep: Duration,
    block: usize,
    blocks_max: usize,
}

/// Two rounds of NACK at 300 ms round trip, the oldest group of pictures that is replayed, and longer than anything waits in a pacer.
const KEEP_VIDEO: Duration = Duration::from_millis(1000);
/// Longer than it is sent again, with three copies behind it.
const KEEP_AUDIO: Duration = Duration::from_millis(600);
/// One second of 2 Mb/s of the smallest packets, or of 16 Mb/s.
const ENTRIES_MAX: usize = 2048;

impl PacketCache {
    pub fn new(kind: MediaKind) -> Self {
        let limits = match kind {
            // Opus at 32 kb/s fills two in the time, stereo music six; 128 KiB in all.
            MediaKind::Audio => Limits { keep: KEEP_AUDIO, block: 2 << 10, blocks_max: 64 },
            // 500 kb/s fill eight, 7 Mb/s all: 1 MiB.
            MediaKind::Video => Limits { keep: KEEP_VIDEO, block: 8 << 10, blocks_max: 128 },
        };
        let entries = Window::new(ENTRIES_MAX);
        Self { entries, start: None, blocks: VecDeque::new(), first: 0, head: 0, limits }
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Stores a packet under its `ext_seq`; what is too old falls out. `false`: it is longer than a block, as no datagram path of
    /// 1500 bytes has it, or from long ago.
    pub fn insert(&mut self, now: Instant, mut stored: Stored, packet: &[u8]) -> bool {
        if packet.len() > self.limits.block {
            return false;
        }
        let start = *self.start.get_or_insert(now);
        let (at, keep) = (milliseconds(now.saturating_duration_since(start)), milliseconds(self.limits.keep));
        stored.position = self.append(now, packet);
        (stored.at, stored.len) = (at, packet.len() as u16);
        let is_old =
            |entry: &Option<Stored>| entry.as_ref().is_none_or(|stored| at.wrapping_sub(stored.at) >= keep);
        let entry = self.entries.place(stored.ext_seq, is_old);
        entry.map(|entry| *entry = Some(stored)).is_some()
    }

    pub fn get(&self, ext_seq: u64) -> Option<(&Stored, &[u8])> {
        let stored = self.entries.get(ext_seq)?.as_ref()?;
        let (block, at) = self.block_of(stored.position)?;
        Some((stored, self.blocks.get(block)?.bytes.get(at..at + usize::from(stored.len))?))
    }

    /// When a packet came that is here, to the millisecond.
    pub fn arrival(&self, stored: &Stored) -> Option<Instant> {
        Some(self.start? + Duration::from_millis(stored.at.into()))
    }

    pub fn set_verbatim(&mut self, ext_seq: u64) {
        if let Some(Some(stored)) = self.entries.get_mut(ext_seq) {
            stored.verbatim = true;
        }
    }

    pub fn contains(&self, ext_seq: u64) -> bool {
        self.get(ext_seq).is_some()
    }

    /// The block and the place in it; `None`: it was let go.
    fn block_of(&self, position: u64) -> Option<(usize, usize)> {
        let len = self.limits.block as u64;
        Some(((position / len).checked_sub(self.first)? as usize, (position % len) as usize))
    }

    /// Puts the bytes behind the last ones, or at the start of a block where they would cross its end.
    fn append(&mut self, now: Instant, packet: &[u8]) -> u64 {
        let into = self.head % self.limits.block as u64;
        let left = self.limits.block as u64 - into;
        if self.blocks.is_empty() || into == 0 || left < packet.len() as u64 {
            self.head = self.head.next_multiple_of(self.limits.block as u64);
            let made = self.make(now);
            self.blocks.push_back(made);
        }
        let position = self.head;
        let at = (position % self.limits.block as u64) as usize;
        if let Some(block) = self.blocks.back_mut() {
            block.newest = now;
            block.bytes[at..at + packet.len()].copy_from_slice(packet);
        }
        self.head += packet.len() as u64;
        position
    }

    /// The next block, of one that is let go if there is any.
    fn make(&mut self, now: Instant) -> Block {
        let mut gone = None;
        while let Some(oldest) = self.blocks.front()
            && (is_spare(now.saturating_duration_since(oldest.newest), self.limits.keep, gone.is_some())
                || self.blocks.len() >= self.limits.blocks_max)
        {
            gone = self.blocks.pop_front();
            self.first += 1;
        }
        gone.unwrap_or_else(|| Block { bytes: vec![0; self.limits.block].into(), newest: now })
    }
}

/// Longer than from one picture to the next.
const SPARE: Duration = Duration::from_millis(50);

/// May something of this age go, which is to be kept for so long? One for one, so that steady traffic neither asks for memory nor gives
/// any back; more of them only when they are a little older, since a picture takes several at once.
pub(crate) fn is_spare(age: Duration, keep: Duration, one_has_gone: bool) -> bool {
    age >= if one_has_gone { keep + SPARE } else { keep }
}

/// Not by the type's own: they divide 128 bits. Wraps after weeks.
fn milliseconds(time: Duration) -> u32 {
    (time.as_secs() as u32).wrapping_mul(1000).wrapping_add(time.subsec_millis())
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
        assert!(cache.insert(at, Stored::new(ext_seq, header, Codec::Vp8), &packet));
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
            // Little more than is needed.
            let (needed, held) = (rate_kbps as usize * 125, cache.blocks.len() * (8 << 10));
            assert!(held <= needed * 5 / 4 + (16 << 10), "{held} for {needed}");
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
        assert!(!cache.insert(start(), Stored::new(1, header, Codec::Opus), &packet));
    }
}
