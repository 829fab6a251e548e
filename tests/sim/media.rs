//! Sounds and pictures that say who sent them: Opus and VP8 as far as an SFU looks into them, then a stamp, then a pattern.
//!
//! ```text
//! audio   TOC | stamp | pattern
//! video   VP8 frame tag [start code, size] | stamp | pattern
//! stamp   "SAMP" sender:u16 kind:u8 layer:u8 number:u32, big endian
//! ```

use crate::encoder::{Coded, Encoder, FRAME_EVERY, LAYERS};
use packet::codec::vp8::TemporalLayer;
use packet::media::MediaKind;
use packet::{Bitrate, RtpTime};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Who sent a frame, and its number among the sender's frames of this kind. The layers of one picture share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    pub sender: u16,
    pub kind: MediaKind,
    pub number: u32,
    /// Simulcast layer, 0 is the smallest.
    pub layer: u8,
}

/// One encoded frame, ready for a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub stamp: Stamp,
    pub timestamp: RtpTime,
    pub data: Vec<u8>,
    pub keyframe: bool,
    pub temporal: Option<TemporalLayer>,
}

const MARK: &[u8; 4] = b"SAMP";
const STAMP_BYTES: usize = 12;

/// Opus at 32 kb/s in frames of 20 ms.
const AUDIO_EVERY: Duration = Duration::from_millis(20);
const AUDIO_BYTES: usize = 80;
/// Opus TOC (RFC 6716 section 3.1): CELT, fullband, 20 ms, mono, one frame.
const AUDIO_TOC: u8 = 31 << 3;

/// 25 pictures a second at 300 kb/s: small, so that twenty people fit into a test.
const VIDEO_BYTES: usize = 1500;
const KEYFRAME_BYTES: usize = 6000;
/// Requested keyframes come no faster than an encoder would give them.
const KEYFRAME_PAUSE: Duration = Duration::from_millis(300);

/// What congestion control says to a camera's encoder.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// For all layers of all cameras.
    pub rate: Bitrate,
    /// The next picture is left out.
    pub behind: bool,
}

/// Microphone and camera of one participant.
#[derive(Debug)]
pub struct Source {
    sender: u16,
    next_audio: Instant,
    next_video: Instant,
    audio_frames: u32,
    video_frames: u32,
    camera: Camera,
    /// Layers of the picture just taken.
    coded: VecDeque<Frame>,
}

#[derive(Debug)]
enum Camera {
    /// One small layer of constant size.
    Plain {
        keyframe_wanted: bool,
        last_keyframe: Option<Instant>,
    },
    Simulcast(Box<Encoder>),
}

impl Source {
    /// Begins at once, each source at its own moment within a frame so that a room does not tick as one.
    pub fn new(sender: u16, now: Instant) -> Self {
        Self::with(sender, now, Camera::Plain { keyframe_wanted: true, last_keyframe: None })
    }

    /// Three layers whose frames vary with the seed.
    pub fn simulcast(sender: u16, now: Instant, seed: u64) -> Self {
        Self::with(sender, now, Camera::Simulcast(Box::new(Encoder::new(seed))))
    }

    fn with(sender: u16, now: Instant, camera: Camera) -> Self {
        let shift = Duration::from_micros(u64::from(sender) * 1_370 % 20_000);
        Self {
            sender,
            next_audio: now + shift,
            next_video: now + shift,
            audio_frames: 0,
            video_frames: 0,
            camera,
            coded: VecDeque::new(),
        }
    }

    pub fn want_keyframe(&mut self, layer: u8) {
        match &mut self.camera {
            Camera::Plain { keyframe_wanted, .. } => *keyframe_wanted = true,
            Camera::Simulcast(encoder) => encoder.want_keyframe(layer),
        }
    }

    /// Only these layers are watched.
    pub fn want_layers(&mut self, layers: &[u8]) {
        if let Camera::Simulcast(encoder) = &mut self.camera {
            encoder.want_layers(layers);
        }
    }

    /// The encoder, if it has layers.
    pub fn encoder(&self) -> Option<&Encoder> {
        match &self.camera {
            Camera::Plain { .. } => None,
            Camera::Simulcast(encoder) => Some(encoder),
        }
    }

    pub fn poll_timeout(&self) -> Instant {
        self.next_audio.min(self.next_video)
    }

    /// The next frame that is due. `budget`: for video, if the sender has an estimate.
    pub fn poll(&mut self, now: Instant, budget: Option<Budget>) -> Option<Frame> {
        if let Some(frame) = self.coded.pop_front() {
            return Some(frame);
        }
        if self.next_audio <= now {
            self.next_audio += AUDIO_EVERY;
            let number = self.audio_frames;
            let stamp = Stamp { sender: self.sender, kind: MediaKind::Audio, number, layer: 0 };
            self.audio_frames += 1;
            let timestamp = RtpTime(number.wrapping_mul(960));
            let data = stamped(&[AUDIO_TOC], stamp, AUDIO_BYTES);
            return Some(Frame { stamp, timestamp, data, keyframe: false, temporal: None });
        }
        while self.next_video <= now && self.coded.is_empty() {
            self.take_picture(budget);
        }
        self.coded.pop_front()
    }

    fn take_picture(&mut self, budget: Option<Budget>) {
        let at = self.next_video;
        self.next_video += FRAME_EVERY;
        let number = self.video_frames;
        self.video_frames += 1;
        let timestamp = RtpTime(number.wrapping_mul(3600));
        let sender = self.sender;
        let frame = |layer, size, keyframe, temporal, bytes| {
            let stamp = Stamp { sender, kind: MediaKind::Video, number, layer };
            Frame { stamp, timestamp, data: picture(stamp, size, keyframe, bytes), keyframe, temporal }
        };
        match &mut self.camera {
            Camera::Plain { keyframe_wanted, last_keyframe } => {
                let rested = last_keyframe.is_none_or(|last| at >= last + KEYFRAME_PAUSE);
                let keyframe = *keyframe_wanted && rested;
                if keyframe {
                    *keyframe_wanted = false;
                    *last_keyframe = Some(at);
                }
                let bytes = if keyframe { KEYFRAME_BYTES } else { VIDEO_BYTES };
                self.coded.push_back(frame(0, (640, 360), keyframe, None, bytes));
            }
            Camera::Simulcast(encoder) => {
                if budget.is_some_and(|budget| budget.behind) {
                    return;
                }
                let rate = budget.map_or(Bitrate(u64::MAX), |budget| budget.rate);
                let coded = encoder.encode(at, rate);
                let frames = coded.into_iter().map(|Coded { layer, keyframe, temporal, bytes }| {
                    let size = LAYERS[usize::from(layer)].size;
                    frame(layer, size, keyframe, Some(temporal), bytes)
                });
                self.coded.extend(frames);
            }
        }
    }
}

fn picture(stamp: Stamp, (width, height): (u16, u16), keyframe: bool, bytes: usize) -> Vec<u8> {
    if keyframe {
        // RFC 6386 section 9.1: tag with the key frame bit (0) and show_frame, start code, width and height.
        let [[w, x], [h, y]] = [width, height].map(u16::to_le_bytes);
        stamped(&[0x10, 0, 0, 0x9d, 0x01, 0x2a, w, x, h, y], stamp, bytes)
    } else {
        stamped(&[0x11, 0, 0], stamp, bytes)
    }
}

fn stamped(header: &[u8], stamp: Stamp, bytes: usize) -> Vec<u8> {
    let mut data = header.to_vec();
    data.extend_from_slice(MARK);
    data.extend_from_slice(&stamp.sender.to_be_bytes());
    data.push(stamp.kind as u8);
    data.push(stamp.layer);
    data.extend_from_slice(&stamp.number.to_be_bytes());
    data.extend((data.len()..bytes).map(|at| pattern(stamp, at)));
    data
}

fn pattern(stamp: Stamp, at: usize) -> u8 {
    (at as u32)
        .wrapping_add(stamp.number)
        .wrapping_mul(2_654_435_761)
        .wrapping_add(u32::from(stamp.sender) << 2 | u32::from(stamp.layer))
        .to_be_bytes()[0]
}

/// Who sent this frame, if every byte of it is as it was sent.
pub fn read(kind: MediaKind, data: &[u8]) -> Option<Stamp> {
    let header = match kind {
        MediaKind::Audio => 1,
        MediaKind::Video if data.first()? & 1 == 0 => 10,
        MediaKind::Video => 3,
    };
    let rest = data.get(header..)?.strip_prefix(MARK)?;
    let [a, b, kind_byte, layer, c, d, e, f, ..] = *rest else { return None };
    let number = u32::from_be_bytes([c, d, e, f]);
    let stamp = Stamp { sender: u16::from_be_bytes([a, b]), kind, number, layer };
    let intact =
        data.iter().enumerate().skip(header + STAMP_BYTES).all(|(at, byte)| *byte == pattern(stamp, at));
    (kind_byte == kind as u8 && intact).then_some(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(source: &mut Source, until: Instant) -> Vec<Frame> {
        std::iter::from_fn(|| source.poll(until, None)).collect()
    }

    #[test]
    fn a_second_has_50_sounds_and_25_pictures_and_all_can_be_read() {
        let start = Instant::now();
        let mut source = Source::new(3, start);
        let frames = frames(&mut source, start + Duration::from_millis(999));
        let count = |kind| frames.iter().filter(|frame| frame.stamp.kind == kind).count();
        assert_eq!((count(MediaKind::Audio), count(MediaKind::Video)), (50, 25));
        for frame in &frames {
            assert_eq!(read(frame.stamp.kind, &frame.data), Some(frame.stamp));
        }
    }

    #[test]
    fn a_changed_or_shortened_frame_is_noticed() {
        let start = Instant::now();
        for frame in frames(&mut Source::new(3, start), start + Duration::from_millis(100)) {
            let kind = frame.stamp.kind;
            let stamp_at = frame.data.windows(4).position(|bytes| bytes == MARK).expect("a stamp");
            for at in (stamp_at..stamp_at + 20).chain([frame.data.len() - 1]) {
                let mut data = frame.data.clone();
                data[at] ^= 0x41;
                assert_ne!(read(kind, &data), Some(frame.stamp), "byte {at} is not looked at");
            }
            assert_eq!(read(kind, &frame.data[..stamp_at + 8]), None);
        }
    }

    #[test]
    fn the_first_picture_is_a_keyframe_and_more_come_when_wanted_but_not_at_once() {
        let start = Instant::now();
        let mut source = Source::new(0, start);
        let mut keyframes = Vec::new();
        for step in 0..25 {
            let now = start + step * FRAME_EVERY;
            if step == 2 {
                source.want_keyframe(0);
            }
            while let Some(frame) = source.poll(now, None) {
                if frame.keyframe {
                    keyframes.push(step);
                    assert!(packet::codec::is_keyframe_start(
                        packet::media::Codec::Vp8,
                        &with_descriptor(&frame.data)
                    ));
                }
            }
        }
        assert_eq!(keyframes, [0, 8]);
    }

    /// The shortest VP8 payload descriptor (RFC 7741): start of partition 0.
    fn with_descriptor(data: &[u8]) -> Vec<u8> {
        [&[0x10], data].concat()
    }
}
