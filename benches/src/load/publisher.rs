//! Media as a browser sends it, without the pictures: VP8 descriptors and keyframe headers that a server believes, Opus of the
//! length that speech has, and in every packet the time at which it was sent.

use super::shape;
use packet::codec::vp8::{PictureId, Vp8Descriptor};
use packet::ext::{AbsSendTime, AudioLevel, ExtensionMap, TransportSequence, Values};
use packet::rtp::Outgoing;
use packet::{Bitrate, PayloadType, Rid, RtpTime, SeqNo, Ssrc};
use std::collections::VecDeque;
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

const AUDIO_INTERVAL: Duration = Duration::from_millis(20);
/// Of Opus at 32 kb/s with a variable rate.
const AUDIO_LEN: (usize, usize) = (60, 100);

/// A pacer that sends a portion every 5 ms, at 2.5 times the target rate. That of today's libwebrtc sends bursts of up to
/// 40 ms (`PacingController::kDefaultBurstInterval`), which is every frame at once.
const PACING_INTERVAL: Duration = Duration::from_millis(5);
const PACING_FACTOR: f64 = 2.5;

pub struct Publisher {
    encodings: Vec<Encoding>,
    audio: Option<Audio>,
    rate: Bitrate,
    paced: bool,
    transport_sequence: u16,
    next_portion: Instant,
    waiting: VecDeque<Packet>,
    random: u64,
}

/// One picture source in one size.
struct Encoding {
    rid: Option<Rid>,
    rate: Bitrate,
    pt: PayloadType,
    ssrc: Ssrc,
    seq: SeqNo,
    picture: u16,
    timestamp: RtpTime,
    next_frame: Instant,
    keyframe_wanted: bool,
    last_keyframe: Option<Instant>,
}

struct Audio {
    pt: PayloadType,
    ssrc: Ssrc,
    seq: SeqNo,
    timestamp: RtpTime,
    next: Instant,
}

/// Written but for what is known when it leaves.
struct Packet {
    bytes: Vec<u8>,
    /// Where its transport-wide sequence number goes.
    number_at: Option<usize>,
}

/// What one publisher sends.
#[derive(Clone, Copy, Debug)]
pub struct Content {
    pub rate: Bitrate,
    pub simulcast: bool,
    pub audio: bool,
    /// In portions of 5 ms instead of whole frames.
    pub paced: bool,
    pub video_pt: PayloadType,
    pub audio_pt: PayloadType,
}

impl Publisher {
    pub fn new(peer: usize, content: Content, start: Instant) -> Self {
        // Publishers of different rooms do not send at the same moment.
        let random = (peer as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let phase = Duration::from_nanos(random % (1_000_000_000 / u64::from(FRAMES_PER_S)));
        let encoding = |(layer, (rid, rate)): (usize, (Option<Rid>, Bitrate))| Encoding {
            rid,
            rate,
            pt: content.video_pt,
            ssrc: shape::video_ssrc(peer, layer),
            seq: SeqNo(peer as u16),
            picture: 0,
            timestamp: RtpTime(peer as u32),
            next_frame: start + phase,
            keyframe_wanted: true,
            last_keyframe: None,
        };
        let encodings = shape::encodings(content.rate, content.simulcast);
        Self {
            rate: Bitrate(encodings.iter().map(|(_, rate)| rate.0).sum()),
            encodings: encodings.into_iter().enumerate().map(encoding).collect(),
            audio: content.audio.then(|| Audio {
                pt: content.audio_pt,
                ssrc: shape::audio_ssrc(peer),
                seq: SeqNo(peer as u16),
                timestamp: RtpTime(peer as u32),
                next: start + phase / 2,
            }),
            paced: content.paced,
            transport_sequence: 0,
            next_portion: start,
            waiting: VecDeque::new(),
            random,
        }
    }

    pub fn want_keyframe(&mut self) {
        self.encodings.iter_mut().for_each(|encoding| encoding.keyframe_wanted = true);
    }

    /// When something is to be sent.
    pub fn due(&self) -> Instant {
        let frames = self.encodings.iter().map(|encoding| encoding.next_frame);
        let sound = self.audio.as_ref().map(|audio| audio.next);
        let portion = (!self.waiting.is_empty()).then_some(self.next_portion);
        let due = frames.chain(sound).chain(portion).min();
        due.unwrap_or(self.next_portion)
    }

    /// Hands due packets to `send`.
    pub fn act(&mut self, now: Instant, map: &ExtensionMap, send: impl FnOnce(&mut [Vec<u8>])) {
        let mut taken = Vec::new();
        self.speak(now, map, &mut taken);
        for i in 0..self.encodings.len() {
            while now >= self.encodings[i].next_frame {
                self.make_frame(i, now, map);
            }
        }
        if !self.waiting.is_empty() && (now >= self.next_portion || !self.paced) {
            let portion = if self.paced { self.portion_bytes() } else { usize::MAX };
            let mut bytes = 0;
            while bytes < portion
                && let Some(packet) = self.waiting.pop_front()
            {
                bytes += packet.bytes.len();
                taken.push(packet);
            }
            self.next_portion = now + PACING_INTERVAL;
        }
        if taken.is_empty() {
            return;
        }
        let mut bytes: Vec<Vec<u8>> = taken.into_iter().map(|packet| self.finish(packet)).collect();
        send(&mut bytes);
    }

    /// Numbers and stamps a packet that leaves now.
    fn finish(&mut self, mut packet: Packet) -> Vec<u8> {
        if let Some(at) = packet.number_at {
            packet.bytes[at..at + 2].copy_from_slice(&self.transport_sequence.to_be_bytes());
            self.transport_sequence = self.transport_sequence.wrapping_add(1);
        }
        stamp(&mut packet.bytes);
        packet.bytes
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

    /// Sound that is due.
    fn speak(&mut self, now: Instant, map: &ExtensionMap, taken: &mut Vec<Packet>) {
        let varied = self.next_random();
        let Some(audio) = self.audio.as_mut().filter(|audio| now >= audio.next) else { return };
        audio.next = (audio.next + AUDIO_INTERVAL).max(now);
        audio.seq = audio.seq.plus(1);
        audio.timestamp = audio.timestamp.plus(960);
        let (least, most) = AUDIO_LEN;
        let mut payload = vec![0x5a; least + ((most - least) as f64 * varied) as usize];
        // Opus: one frame of 20 ms, mono, hybrid (RFC 6716 section 3.1).
        payload[0] = 0x78;
        taken.push(written(
            Outgoing {
                pt: audio.pt,
                seq: audio.seq,
                timestamp: audio.timestamp,
                ssrc: audio.ssrc,
                extensions: Values {
                    mid: Some(shape::audio_mid()),
                    audio_level: Some(AudioLevel { voice: true, minus_dbov: 30 }),
                    abs_send_time: Some(AbsSendTime::from_ticks(abs_send_ticks())),
                    transport_sequence: Some(TransportSequence(0)),
                    ..Values::default()
                },
                ..Outgoing::default()
            },
            payload,
            map,
        ));
    }

    fn make_frame(&mut self, encoding: usize, now: Instant, map: &ExtensionMap) {
        // Frames of a camera differ: 75 % to 125 % of the mean.
        let varied = 0.75 + 0.5 * self.next_random();
        let encoding = &mut self.encodings[encoding];
        encoding.next_frame += Duration::from_secs(1) / FRAMES_PER_S;
        let allowed = encoding.last_keyframe.is_none_or(|last| now >= last + KEYFRAME_INTERVAL_MIN);
        let keyframe = encoding.keyframe_wanted && allowed;
        let mean = encoding.rate.0 as f64 / 8.0 / f64::from(FRAMES_PER_S);
        let size = mean * varied * if keyframe { KEYFRAME_FACTOR } else { 1.0 };
        if keyframe {
            encoding.keyframe_wanted = false;
            encoding.last_keyframe = Some(now);
        }
        encoding.timestamp = encoding.timestamp.plus(90_000 / FRAMES_PER_S);
        encoding.picture = (encoding.picture + 1) & 0x7fff;
        let size = (size as usize).max(64);
        // Equal parts, the remainder on the last ones, as libwebrtc splits.
        let count = size.div_ceil(PAYLOAD_MAX);
        for i in 0..count {
            let len = size / count + usize::from(i >= count - size % count);
            let packet = encoding.make_packet(map, len, i == 0, i + 1 == count, keyframe);
            self.waiting.push_back(packet);
        }
    }

    /// 0.0 to 1.0 (SplitMix64).
    fn next_random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Encoding {
    fn make_packet(
        &mut self,
        map: &ExtensionMap,
        len: usize,
        first: bool,
        last: bool,
        keyframe: bool,
    ) -> Packet {
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
        let mut payload = vec![0xa5; len.max(head.len() + 10 + STAMP_LEN)];
        payload[..head.len()].copy_from_slice(&head);
        if first {
            // Frame tag (RFC 6386 section 9.1): bit 0 clear for a keyframe, then start code, width and height.
            let header: [u8; 10] =
                [u8::from(!keyframe) | 0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
            payload[head.len()..head.len() + 10].copy_from_slice(&header);
        }
        let outgoing = Outgoing {
            marker: last,
            pt: self.pt,
            seq: self.seq,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            extensions: Values {
                mid: Some(shape::video_mid()),
                rid: self.rid,
                abs_send_time: Some(AbsSendTime::from_ticks(abs_send_ticks())),
                transport_sequence: Some(TransportSequence(0)),
                ..Values::default()
            },
            ..Outgoing::default()
        };
        self.seq = self.seq.plus(1);
        written(outgoing, payload, map)
    }
}

/// `packet` with this payload, whose end becomes the stamp.
fn written(packet: Outgoing, mut payload: Vec<u8>, map: &ExtensionMap) -> Packet {
    let at = payload.len() - STAMP_MARK.len();
    payload[at..].copy_from_slice(&STAMP_MARK);
    let mut bytes = vec![0; payload.len() + 100];
    let layout = Outgoing { payload: &payload, ..packet }.write(map, &mut bytes).expect("there is room");
    bytes.truncate(layout.len);
    Packet { bytes, number_at: layout.transport_sequence }
}

/// Writes the present into the stamp that ends the packet.
fn stamp(packet: &mut [u8]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = packet.len() - STAMP_LEN;
    packet[at..at + 8].copy_from_slice(&(now.as_nanos() as u64).to_le_bytes());
}

/// Any 24-bit clock of 2^18 ticks a second will do.
fn abs_send_ticks() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ((now.as_micros() << 18) / 1_000_000) as u32 & 0x00ff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::codec::is_keyframe_start;
    use packet::media::Codec;
    use packet::rtp::RtpHeader;

    fn content(kbps: u64, paced: bool) -> Content {
        let (video_pt, audio_pt) = (shape::VIDEO, shape::AUDIO);
        let rate = Bitrate::kbps(kbps);
        Content { rate, simulcast: false, audio: false, paced, video_pt, audio_pt }
    }

    /// Everything sent in ten seconds, a millisecond at a time.
    fn ten_seconds(content: Content, map: &ExtensionMap) -> Vec<Vec<Vec<u8>>> {
        let start = Instant::now();
        let mut publisher = Publisher::new(0, content, start);
        let mut sends = Vec::new();
        for ms in 0..10_000 {
            publisher.act(start + Duration::from_millis(ms), map, |taken| sends.push(taken.to_vec()));
        }
        sends
    }

    #[test]
    fn the_first_frame_is_a_keyframe_and_the_rate_is_the_one_asked_for() {
        let packets = ten_seconds(content(2500, false), &shape::extensions()).concat();
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
        let sends = ten_seconds(content(2500, true), &ExtensionMap::default());
        let largest = sends.iter().map(Vec::len).max().unwrap();
        assert!((2..=5).contains(&largest), "{largest}");
        assert!(sends.concat().len() > 2000);
    }

    #[test]
    fn simulcast_and_sound_are_told_apart_and_numbered_together() {
        let content = Content { simulcast: true, audio: true, ..content(1600, false) };
        let map = shape::extensions();
        let packets = ten_seconds(content, &map).concat();
        let mut by_source = std::collections::BTreeMap::<u32, (u64, usize)>::new();
        for (number, packet) in packets.iter().enumerate() {
            let header = RtpHeader::parse(packet).unwrap();
            let values = Values::read(&header, packet, &map);
            assert_eq!(values.transport_sequence, Some(TransportSequence(number as u16)));
            assert_eq!(values.rid.is_some(), header.pt == shape::VIDEO);
            let source = by_source.entry(header.ssrc.0).or_default();
            *source = (source.0 + 1, source.1 + packet.len() * 8 / 10);
        }
        let rate = |ssrc: Ssrc| by_source[&ssrc.0].1 / 1000;
        assert_eq!(by_source.len(), 4);
        assert_eq!(by_source[&shape::audio_ssrc(0).0].0, 500);
        for (layer, kbps) in [(0, 100), (1, 400), (2, 1600)] {
            let rate = rate(shape::video_ssrc(0, layer));
            assert!((kbps..kbps * 13 / 10).contains(&rate), "{layer}: {rate}");
        }
    }
}
