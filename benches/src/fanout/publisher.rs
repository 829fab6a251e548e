//! Video as a browser sends it, without the pictures: VP8 descriptors and keyframe headers that a server believes, and in
//! every packet the time at which it was sent.

use super::shape::{self, VIDEO};
use packet::codec::vp8::{PictureId, Vp8Descriptor};
use packet::ext::{AbsSendTime, ExtensionMap, TransportSequence, Values};
use packet::rtp::Outgoing;
use packet::{Bitrate, RtpTime, SeqNo, Ssrc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FRAMES_PER_S: u32 = 30;
/// RTP payload of the largest packet: with header, extensions and tag 1200 bytes and some go over the wire, as in browsers.
const PAYLOAD_MAX: usize = 1160;
/// A keyframe is this many times as large as the mean frame.
const KEYFRAME_FACTOR: f64 = 4.0;
/// Browsers hold back repeated keyframe requests, too.
const KEYFRAME_INTERVAL_MIN: Duration = Duration::from_millis(500);
/// Ends every payload, after eight bytes of time; not part of any codec.
const STAMP_MARK: [u8; 8] = *b"sent-at.";
const STAMP_LEN: usize = 16;

/// A pacer sends a portion every 5 ms, at 2.5 times the target rate.
const PACING_INTERVAL: Duration = Duration::from_millis(5);
const PACING_FACTOR: f64 = 2.5;

pub struct Publisher {
    ssrc: Ssrc,
    rate: Bitrate,
    paced: bool,
    seq: SeqNo,
    transport_sequence: u16,
    picture: u16,
    timestamp: RtpTime,
    next_frame: Instant,
    next_portion: Instant,
    waiting: std::collections::VecDeque<Vec<u8>>,
    keyframe_wanted: bool,
    last_keyframe: Option<Instant>,
    random: u64,
}

impl Publisher {
    pub fn new(peer: usize, rate: Bitrate, paced: bool, start: Instant) -> Self {
        // Publishers of different rooms do not send at the same moment.
        let random = (peer as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let phase = Duration::from_nanos(random % (1_000_000_000 / u64::from(FRAMES_PER_S)));
        Self {
            ssrc: shape::published_ssrc(peer),
            rate,
            paced,
            seq: SeqNo(peer as u16),
            transport_sequence: 0,
            picture: 0,
            timestamp: RtpTime(peer as u32),
            next_frame: start + phase,
            next_portion: start,
            waiting: std::collections::VecDeque::new(),
            keyframe_wanted: true,
            last_keyframe: None,
            random,
        }
    }

    pub fn want_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// When something is to be sent.
    pub fn due(&self) -> Instant {
        if self.waiting.is_empty() { self.next_frame } else { self.next_frame.min(self.next_portion) }
    }

    /// Hands due packets to `send`.
    pub fn act(&mut self, now: Instant, map: &ExtensionMap, send: impl FnOnce(&mut [Vec<u8>])) {
        let interval = Duration::from_secs(1) / FRAMES_PER_S;
        while now >= self.next_frame {
            self.next_frame += interval;
            self.make_frame(now, map);
        }
        if !self.waiting.is_empty() && (now >= self.next_portion || !self.paced) {
            let portion = if self.paced { self.portion_bytes() } else { usize::MAX };
            let mut taken = Vec::new();
            let mut bytes = 0;
            while bytes < portion
                && let Some(mut packet) = self.waiting.pop_front()
            {
                bytes += packet.len();
                stamp(&mut packet);
                taken.push(packet);
            }
            send(&mut taken);
            self.next_portion = now + PACING_INTERVAL;
        }
    }

    /// When a payload was sent, since 1970; `None` if it carries no stamp.
    pub fn sent_at(payload: &[u8]) -> Option<Duration> {
        let (_, stamp) = payload.split_last_chunk::<STAMP_LEN>()?;
        let (time, mark) = stamp.split_first_chunk::<8>()?;
        (mark == STAMP_MARK).then(|| Duration::from_nanos(u64::from_le_bytes(*time)))
    }

    fn portion_bytes(&self) -> usize {
        (self.rate.0 as f64 / 8.0 * PACING_FACTOR * PACING_INTERVAL.as_secs_f64()) as usize
    }

    fn make_frame(&mut self, now: Instant, map: &ExtensionMap) {
        let allowed = self.last_keyframe.is_none_or(|last| now >= last + KEYFRAME_INTERVAL_MIN);
        let keyframe = self.keyframe_wanted && allowed;
        let mean = self.rate.0 as f64 / 8.0 / f64::from(FRAMES_PER_S);
        // Frames of a camera differ: 75 % to 125 % of the mean.
        let size = mean * (0.75 + 0.5 * self.next_random()) * if keyframe { KEYFRAME_FACTOR } else { 1.0 };
        if keyframe {
            self.keyframe_wanted = false;
            self.last_keyframe = Some(now);
        }
        self.timestamp = self.timestamp.plus(90_000 / FRAMES_PER_S);
        self.picture = (self.picture + 1) & 0x7fff;
        let size = (size as usize).max(64);
        // Equal parts, the remainder on the last ones, as libwebrtc splits.
        let count = size.div_ceil(PAYLOAD_MAX);
        for i in 0..count {
            let len = size / count + usize::from(i >= count - size % count);
            let packet = self.make_packet(now, map, len, i == 0, i + 1 == count, keyframe);
            self.waiting.push_back(packet);
        }
    }

    fn make_packet(
        &mut self,
        now: Instant,
        map: &ExtensionMap,
        len: usize,
        first: bool,
        last: bool,
        keyframe: bool,
    ) -> Vec<u8> {
        let descriptor = Vp8Descriptor {
            non_reference: false,
            start_of_partition: first,
            partition: 0,
            picture_id: Some(PictureId::Fifteen(self.picture)),
            tl0_pic_idx: None,
            layer: None,
            key_idx: None,
            len: 0,
        };
        let head = descriptor.bytes();
        let mut payload = vec![0xa5; len.saturating_sub(head.len())];
        if first {
            // Frame tag (RFC 6386 section 9.1): bit 0 clear for a keyframe, then start code, width and height.
            let header: [u8; 10] =
                [u8::from(!keyframe) | 0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
            payload[..10].copy_from_slice(&header);
        }
        let at = payload.len() - STAMP_LEN;
        payload[at + 8..].copy_from_slice(&STAMP_MARK);
        let extensions = Values {
            mid: Some(shape::track_mid()),
            abs_send_time: Some(AbsSendTime::from_ticks(abs_send_ticks(now))),
            transport_sequence: Some(TransportSequence(self.transport_sequence)),
            ..Values::default()
        };
        let outgoing = Outgoing {
            marker: last,
            pt: VIDEO,
            seq: self.seq,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            extensions,
            head: &head,
            payload: &payload,
            ..Outgoing::default()
        };
        self.seq = self.seq.plus(1);
        self.transport_sequence = self.transport_sequence.wrapping_add(1);
        let mut packet = vec![0; len + 100];
        let layout = outgoing.write(map, &mut packet).expect("room for the header");
        packet.truncate(layout.len);
        packet
    }

    /// 0 to 1 (SplitMix64).
    fn next_random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Writes the present into the stamp that ends the packet.
fn stamp(packet: &mut [u8]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = packet.len() - STAMP_LEN;
    packet[at..at + 8].copy_from_slice(&(now.as_nanos() as u64).to_le_bytes());
}

/// Any 24-bit clock of 2^18 ticks a second will do.
fn abs_send_ticks(_now: Instant) -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ((now.as_micros() << 18) / 1_000_000) as u32 & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::codec::is_keyframe_start;
    use packet::ext::Extension;
    use packet::media::Codec;
    use packet::rtp::RtpHeader;

    #[test]
    fn the_first_frame_is_a_keyframe_and_the_rate_is_the_one_asked_for() {
        let start = Instant::now();
        let mut publisher = Publisher::new(0, Bitrate::kbps(2500), false, start);
        let mut map = ExtensionMap::default();
        map.set(Extension::Mid, 4);
        let mut packets: Vec<Vec<u8>> = Vec::new();
        for ms in 0..10_000 {
            let now = start + Duration::from_millis(ms);
            publisher.act(now, &map, |taken| packets.extend(taken.iter().cloned()));
        }
        let header = RtpHeader::parse(&packets[0]).unwrap();
        assert!(is_keyframe_start(Codec::Vp8, header.payload(&packets[0])));
        assert!(Publisher::sent_at(header.payload(&packets[0])).is_some());
        let keyframes = packets.iter().filter(|packet| {
            is_keyframe_start(Codec::Vp8, RtpHeader::parse(packet).unwrap().payload(packet))
        });
        assert_eq!(keyframes.count(), 1, "nobody has asked for another");
        let kbps = packets.iter().map(Vec::len).sum::<usize>() as f64 * 8.0 / 10_000.0;
        assert!((2400.0..2700.0).contains(&kbps), "{kbps}");
    }

    #[test]
    fn a_paced_frame_leaves_in_portions() {
        let start = Instant::now();
        let mut publisher = Publisher::new(0, Bitrate::kbps(2500), true, start);
        let mut largest = 0;
        let mut count = 0;
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            publisher.act(now, &ExtensionMap::default(), |taken| {
                largest = largest.max(taken.len());
                count += taken.len();
            });
        }
        assert!((2..=5).contains(&largest), "{largest}");
        assert!(count > 200);
    }
}
