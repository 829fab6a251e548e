//! What must hold for the video buffer whatever comes, as a function of bytes: the model test feeds it by proptest, the fuzz
//! target by libFuzzer.
//!
//! The bytes are a script of packets, moments and settings. Every VP8 packet carries a number of its own in its payload, so
//! that each picture says which packets it is made of: they came in before, in this order, and in no picture twice.

use jitter::video::{Config, Payload, Picture, Via, VideoBuffer};
use packet::ext::{Extension, ExtensionMap, PlayoutDelay, Values};
use packet::media::Codec;
use packet::rtp::Outgoing;
use packet::{PayloadType, RtpTime, SeqNo, Ssrc};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const CODECS: [(u8, Codec); 4] = [(96, Codec::Vp8), (97, Codec::Vp9), (98, Codec::H264), (99, Codec::Av1)];
const RED: PayloadType = PayloadType(110);
const ULPFEC: PayloadType = PayloadType(111);
const FLEXFEC: PayloadType = PayloadType(112);
/// Bounds of the buffer, with room for what a packet in hand takes.
const PACKETS_MAX: usize = 2048 + 512 * 3;
const BYTES_MAX: usize = 2 * (8 << 20) + (2 << 20);

fn extension_map() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    map.set(Extension::DependencyDescriptor, 4);
    map.set(Extension::PlayoutDelay, 5);
    map
}

fn config() -> Config {
    let mut payloads: Vec<_> =
        CODECS.iter().map(|(pt, codec)| (PayloadType(*pt), Payload::Codec(*codec))).collect();
    payloads.extend([(RED, Payload::Red), (ULPFEC, Payload::Ulpfec), (FLEXFEC, Payload::Flexfec)]);
    Config { payloads, extensions: extension_map(), ..Config::default() }
}

/// The script's cursor; zeros behind its end.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }
    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }
    fn chunk(&mut self) -> Vec<u8> {
        let len = usize::from(self.byte()).min(self.0.len());
        let (chunk, rest) = self.0.split_at(len);
        let chunk = chunk.to_vec();
        self.0 = rest;
        chunk
    }
}

struct Run {
    buffer: VideoBuffer,
    now: Instant,
    seq: u16,
    timestamp: u32,
    picture: u16,
    ssrc: u32,
    /// Of the packets that were taken, by their own number.
    taken: BTreeSet<u32>,
    next_number: u32,
    shown: BTreeSet<u32>,
    last: Option<(SeqNo, u64)>,
}

/// Runs a script; panics if something does not hold.
#[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
pub fn video(input: &[u8]) {
    let mut script = Script(input);
    let mut run = Run {
        buffer: VideoBuffer::new(config()),
        now: Instant::now() + Duration::from_secs(10_000),
        seq: script.word(),
        timestamp: 0,
        picture: 0,
        ssrc: 1,
        taken: BTreeSet::new(),
        next_number: 0,
        shown: BTreeSet::new(),
        last: None,
    };
    // A script of any length ends; a step may be worth many packets.
    for _ in 0..4096 {
        if script.0.is_empty() {
            break;
        }
        run.step(&mut script);
        run.check();
    }
}

impl Run {
    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() % 16 {
            0 | 1 => self.now += Duration::from_millis(script.byte().into()),
            2 => {
                let hour = Duration::from_secs(3600);
                let back = self.now.checked_sub(hour / 4).unwrap_or(self.now);
                self.now = if script.byte().is_multiple_of(2) { self.now + hour } else { back };
            }
            3..=7 => {
                // The next packet of a sender that does nothing strange, and the moment passes.
                let bits = script.byte();
                self.next_packet(bits, Via::Media);
                self.now += Duration::from_millis(u64::from(bits >> 5) * 4);
            }
            8 => {
                // A packet of the same sender at another place.
                let (seq, timestamp, picture) = (self.seq, self.timestamp, self.picture);
                self.seq = seq.wrapping_add(i16::from(script.byte() as i8) as u16);
                self.timestamp = timestamp.wrapping_add((i32::from(script.byte() as i8) * 3000) as u32);
                self.picture = picture.wrapping_add(i16::from(script.byte() as i8) as u16) & 0x7fff;
                let via = if script.byte().is_multiple_of(2) { Via::Rtx } else { Via::Media };
                self.next_packet(script.byte(), via);
                (self.seq, self.timestamp, self.picture) = (seq, timestamp, picture);
            }
            9 => self.seq = self.seq.wrapping_add(u16::from(script.byte())),
            10 => match script.byte() % 4 {
                0 => self.seq = script.word(),
                1 => self.timestamp = u32::from(script.word()) << 16,
                2 => self.ssrc = script.byte().into(),
                _ => self.picture = script.word() & 0x7fff,
            },
            11 => {
                // Any payload behind a proper header, with any descriptor.
                let pts = [96, 97, 98, 99, RED.0, ULPFEC.0, FLEXFEC.0, 5];
                let pt = PayloadType(pts[usize::from(script.byte() % 8)]);
                let (payload, descriptor) = (script.chunk(), script.chunk());
                let extensions = Values {
                    dependency_descriptor: Some(&descriptor[..]).filter(|bytes| !bytes.is_empty()),
                    ..Values::default()
                };
                self.send(pt, script.byte().is_multiple_of(2), &payload, extensions, Via::Media);
            }
            12 => drop(self.buffer.insert(self.now, &script.chunk(), Via::Media)),
            13 => match script.byte() % 6 {
                0 => self.buffer.set_round_trip(Duration::from_millis(script.word().into())),
                1 => self.buffer.decoded(Duration::from_millis(script.byte().into())),
                2 => self.buffer.set_minimum_delay(Duration::from_millis(script.word().into())),
                3 => self.buffer.pause(),
                4 => self.buffer.begin_anew(),
                _ => {
                    let (min_ms, max_ms) = (u32::from(script.word()), u32::from(script.word()));
                    let playout_delay = Some(PlayoutDelay { min_ms, max_ms });
                    let extensions = Values { playout_delay, ..Values::default() };
                    self.send(PayloadType(96), true, &[0x10, 0x11], extensions, Via::Media);
                }
            },
            14 => {
                // Very many at once, the time standing still.
                let bits = script.byte();
                for n in 0..u32::from(script.byte()) * 8 {
                    self.next_packet(if n.is_multiple_of(7) { bits } else { bits & 0x0f }, Via::Media);
                }
            }
            _ => drop(self.buffer.freezes(self.now)),
        }
    }

    /// VP8: bit 0 begins a frame, bit 1 ends it, bit 2 makes it a key frame, bit 3 loses it, bit 4 has no picture id.
    fn next_packet(&mut self, bits: u8, via: Via) {
        let (begins, ends, key, lost, bare) =
            (bits & 1 != 0, bits & 2 != 0, bits & 4 != 0, bits & 8 != 0, bits & 16 != 0);
        if begins {
            self.timestamp = self.timestamp.wrapping_add(3000);
            self.picture = (self.picture + 1) & 0x7fff;
        }
        let [high, low] = (self.picture | 0x8000).to_be_bytes();
        let start = u8::from(begins) << 4;
        let mut payload = if bare { vec![start] } else { vec![0x80 | start, 0x80, high, low] };
        // Frame tag, a mark, the packet's number, a mark.
        let number = self.next_number;
        self.next_number += 1;
        payload.push(u8::from(!key));
        payload.extend([0xfe, 0xed]);
        payload.extend(number.to_be_bytes());
        if !lost {
            let taken = self.send(PayloadType(96), ends, &payload, Values::default(), via);
            if taken {
                self.taken.insert(number);
            }
        }
        self.seq = self.seq.wrapping_add(1);
    }

    fn send(
        &mut self,
        pt: PayloadType,
        marker: bool,
        payload: &[u8],
        extensions: Values<'_>,
        via: Via,
    ) -> bool {
        let outgoing = Outgoing {
            marker,
            pt,
            seq: SeqNo(self.seq),
            timestamp: RtpTime(self.timestamp),
            ssrc: Ssrc(self.ssrc),
            extensions,
            payload,
            ..Outgoing::default()
        };
        let mut rtp = vec![0; payload.len() + 600];
        let Ok(layout) = outgoing.write(&extension_map(), &mut rtp) else { return false };
        self.buffer.insert(self.now, &rtp[..layout.len], via).is_ok()
    }

    /// Drains everything and checks it.
    fn check(&mut self) {
        let restarts = self.buffer.stats().restarts;
        while let Some(picture) = self.buffer.pull(self.now) {
            self.shown(&picture, restarts);
        }
        let asked = self.buffer.poll_nack(self.now);
        assert!(asked.len() <= 1000, "{} requests at once", asked.len());
        self.buffer.poll_keyframe(self.now);
        while let Some(picture) = self.buffer.pull(self.now) {
            self.shown(&picture, restarts);
        }
        let (packets, bytes) = self.buffer.held();
        assert!(packets <= PACKETS_MAX && bytes <= BYTES_MAX, "{packets} packets, {bytes} bytes");
        let again = self.buffer.poll_timeout();
        // Time may have gone back: the buffer's own does not.
        let asks_for_now = again.is_some_and(|at| at <= self.now);
        assert!(!asks_for_now, "drained, and asks to be woken at once");
    }

    fn shown(&mut self, picture: &Picture, restarts: u64) {
        assert!(picture.render_at >= self.now);
        if let Some((last, before)) = self.last
            && before == restarts
        {
            assert!(picture.seqs.0.is_newer_than(last), "{:?} after {last:?}", picture.seqs);
        }
        self.last = Some((picture.seqs.1, restarts));
        if picture.codec != Codec::Vp8 {
            return;
        }
        let mut at = 0;
        while let Some(found) = picture.data[at..].windows(2).position(|mark| mark == [0xfe, 0xed]) {
            at += found + 2;
            let Some(&number) = picture.data[at..].first_chunk::<4>() else { break };
            let number = u32::from_be_bytes(number);
            // What a script invents byte by byte may look like a mark.
            if self.taken.contains(&number) {
                assert!(self.shown.insert(number), "packet {number} is shown twice");
            }
            at += 4;
        }
    }
}
