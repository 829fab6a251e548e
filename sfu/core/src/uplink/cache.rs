//! The last second or so of one layer: for retransmissions, for a newcomer's first picture, and as the one place
//! from which every subscriber's copy is made.
//!
//! ```text
//!  entries: by sequence number -> where    bytes: a ring in arrival order, a packet never crosses its end
//! ```

mod ring;

use super::describe::Described;
use crate::downlink::Ids;
use crate::window::Window;
use packet::ext::{AudioLevel, VideoOrientation};
use packet::media::{Codec, MediaKind};
use packet::rtp::RtpHeader;
use ring::Ring;
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
    bytes: Ring,
    keep: Keep,
    /// Until then all of the time is kept.
    all_until: Option<Instant>,
}

/// For how long packets are kept: while somebody has a use for old ones, and else.
#[derive(Clone, Copy, Debug)]
struct Keep {
    all: Duration,
    usual: Duration,
}

/// Two rounds of NACK at 300 ms round trip, the oldest group of pictures that is replayed, and longer than anything waits in a pacer.
const KEEP_VIDEO: Keep = Keep { all: Duration::from_millis(1000), usual: Duration::from_millis(550) };
/// Longer than it is sent again, with three copies behind it.
const KEEP_AUDIO: Keep = Keep { all: Duration::from_millis(600), usual: Duration::from_millis(600) };
/// Who had a use for old packets may have one again.
const ALL_FOR: Duration = Duration::from_secs(3);
/// One second of 2 Mb/s of the smallest packets, or of 16 Mb/s.
const ENTRIES_MAX: usize = 2048;
/// Stereo music fills a tenth of it in the time, 7 Mb/s of pictures all.
const AUDIO_LEN_MAX: usize = 128 << 10;
const VIDEO_LEN_MAX: usize = 1 << 20;
/// No datagram path of 1500 bytes has longer ones.
const PACKET_LEN_MAX: usize = 2 << 10;

impl PacketCache {
    pub fn new(kind: MediaKind) -> Self {
        let (keep, len_max) = match kind {
            MediaKind::Audio => (KEEP_AUDIO, AUDIO_LEN_MAX),
            MediaKind::Video => (KEEP_VIDEO, VIDEO_LEN_MAX),
        };
        let (entries, bytes) = (Window::new(ENTRIES_MAX), Ring::new(len_max));
        Self { entries, start: None, bytes, keep, all_until: None }
    }

    /// Somebody's packets wait for long, or are asked for late.
    pub fn keep_all(&mut self, now: Instant) {
        self.all_until = Some(now + ALL_FOR);
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Stores a packet under its `ext_seq`; what is too old falls out. `false`: it is longer than any, or from long ago.
    pub fn insert(&mut self, now: Instant, mut stored: Stored, packet: &[u8]) -> bool {
        if packet.len() > PACKET_LEN_MAX {
            return false;
        }
        let start = *self.start.get_or_insert(now);
        let all = self.all_until.is_some_and(|until| now < until);
        let keep = if all { self.keep.all } else { self.keep.usual };
        let (at, keep) = (milliseconds(now.saturating_duration_since(start)), milliseconds(keep));
        stored.position = self.bytes.append(at, keep, packet);
        (stored.at, stored.len) = (at, packet.len() as u16);
        let is_old =
            |entry: &Option<Stored>| entry.as_ref().is_none_or(|stored| at.wrapping_sub(stored.at) >= keep);
        let entry = self.entries.place(stored.ext_seq, is_old);
        entry.map(|entry| *entry = Some(stored)).is_some()
    }

    pub fn get(&self, ext_seq: u64) -> Option<(&Stored, &[u8])> {
        let stored = self.entries.get(ext_seq)?.as_ref()?;
        Some((stored, self.bytes.get(stored.position, stored.len.into())?))
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
                cache.keep_all(at);
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
            let (needed, held) = (rate_kbps as usize * 125, cache.bytes.len());
            assert!(held <= needed * 10 / 9 + (2 << 10), "{held} for {needed}");
        }
    }

    #[test]
    fn what_nobody_has_a_use_for_is_let_go_sooner() {
        let mut cache = PacketCache::new(MediaKind::Video);
        let mut kept = Vec::new();
        for n in 0..600u64 {
            let at = start() + Duration::from_millis(11) * n as u32;
            if n == 300 {
                cache.keep_all(at);
            }
            put(&mut cache, n, at, 1000);
            kept.push((0..=n).filter(|number| cache.contains(*number)).count() as u64 * 11);
        }
        assert!((540..640).contains(&kept[299]), "{}", kept[299]);
        // What was there when it was wanted stays.
        assert!(
            kept[310] >= kept[299] + 100 && (990..1120).contains(&kept[400]),
            "{} {}",
            kept[310],
            kept[400]
        );
        assert!((540..640).contains(&kept[599]), "{}", kept[599]);
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
