//! Files played in a loop, in real time: which frame is due when. No clock of its own.

use crate::ivf::{self, Ivf};
use crate::ogg::{self, OpusPacket};
use anyhow::Result;
use packet::RtpTime;
use packet::ext::AudioLevel;
use std::time::{Duration, Instant};

/// Our own, see `samples/README.md`.
pub const SAMPLE_AUDIO: &[u8] = include_bytes!("../samples/voice.ogg");
pub const SAMPLE_VIDEO: &[u8] = include_bytes!("../samples/pattern.ivf");

/// A keyframe just sent serves whoever asks within this time; more often would only congest the path.
const KEYFRAME_DISTANCE: Duration = Duration::from_millis(300);
/// Further behind than this (the process was stopped), the file goes on from now instead of catching up.
const BEHIND_MAX: Duration = Duration::from_millis(500);

/// Opus packets, endlessly.
pub struct AudioPlayback {
    packets: Vec<OpusPacket>,
    largest: usize,
    next: usize,
    due: Instant,
    timestamp: RtpTime,
}

pub struct AudioFrame<'a> {
    pub timestamp: RtpTime,
    pub data: &'a [u8],
    /// In 48 kHz ticks.
    pub ticks: u32,
    pub level: AudioLevel,
}

impl AudioPlayback {
    pub fn new(file: &[u8], start: Instant) -> Result<Self> {
        let packets = ogg::read(file)?;
        let largest = packets.iter().map(|p| p.data.len()).max().unwrap_or(1);
        Ok(Self { packets, largest, next: 0, due: start, timestamp: RtpTime(0) })
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    /// Nothing is due before.
    pub fn start_at(&mut self, now: Instant) {
        self.due = now;
    }

    /// The next packet, if its time has come. Call until None.
    pub fn take(&mut self, now: Instant) -> Option<AudioFrame<'_>> {
        if self.due > now {
            return None;
        }
        if now - self.due > BEHIND_MAX {
            self.due = now;
        }
        let packet = &self.packets[self.next];
        let timestamp = self.timestamp;
        self.next = (self.next + 1) % self.packets.len();
        self.timestamp = timestamp.plus(packet.ticks);
        self.due += Duration::from_micros(u64::from(packet.ticks) * 1000 / 48);
        // Nobody decodes here. With a variable bitrate a packet is the larger the more there is to say, which is all
        // that a choice of the active speaker needs.
        let quiet = 60 * (self.largest - packet.data.len()) / self.largest;
        let level = AudioLevel { voice: quiet < 30, minus_dbov: 20 + quiet as u8 };
        Some(AudioFrame { timestamp, data: &packet.data, ticks: packet.ticks, level })
    }
}

/// VP8 pictures, endlessly. Asked for a keyframe, it jumps to the next one in the file and sends it at once.
pub struct VideoPlayback {
    ivf: Ivf,
    next: usize,
    start: Instant,
    due: Instant,
    last_keyframe: Option<Instant>,
}

pub struct VideoFrame<'a> {
    /// By the wall clock, 90 kHz.
    pub timestamp: RtpTime,
    pub data: &'a [u8],
}

impl VideoPlayback {
    pub fn new(file: &[u8], start: Instant) -> Result<Self> {
        Ok(Self { ivf: ivf::read(file)?, next: 0, start, due: start, last_keyframe: None })
    }

    pub fn due(&self) -> Instant {
        self.due
    }

    /// Nothing is due before.
    pub fn start_at(&mut self, now: Instant) {
        self.due = now;
    }

    pub fn interval(&self) -> Duration {
        self.ivf.interval
    }

    pub fn keyframe_wanted(&mut self, now: Instant) {
        if self.last_keyframe.is_some_and(|at| now < at + KEYFRAME_DISTANCE) {
            return;
        }
        let frames = &self.ivf.frames;
        let ahead = (0..frames.len()).map(|n| (self.next + n) % frames.len());
        if let Some(next) = ahead.into_iter().find(|&n| frames[n].keyframe) {
            self.next = next;
            self.due = self.due.min(now);
        }
    }

    /// The next picture, if its time has come. Call until None.
    pub fn take(&mut self, now: Instant) -> Option<VideoFrame<'_>> {
        if self.due > now {
            return None;
        }
        if now - self.due > BEHIND_MAX {
            self.due = now;
        }
        let picture = &self.ivf.frames[self.next];
        let ticks = (self.due - self.start).as_nanos() * 90_000 / 1_000_000_000;
        if picture.keyframe {
            self.last_keyframe = Some(self.due);
        }
        self.next = (self.next + 1) % self.ivf.frames.len();
        self.due += self.ivf.interval;
        Some(VideoFrame { timestamp: RtpTime(ticks as u32), data: &picture.data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_loops_without_a_seam() {
        let start = Instant::now();
        let mut audio = AudioPlayback::new(SAMPLE_AUDIO, start).unwrap();
        let mut expected = 0;
        for _ in 0..700 {
            let now = audio.due();
            let frame = audio.take(now).unwrap();
            assert_eq!(frame.timestamp, RtpTime(expected));
            expected += frame.ticks;
            assert!(audio.take(now).is_none());
        }
        assert_eq!(audio.due() - start, Duration::from_secs(14));
    }

    #[test]
    fn a_keyframe_is_sent_at_once_but_not_twice() {
        let start = Instant::now();
        let mut video = VideoPlayback::new(SAMPLE_VIDEO, start).unwrap();
        let is_key = |frame: VideoFrame<'_>| frame.data[0] & 1 == 0;
        assert!(is_key(video.take(start).unwrap()));
        let soon = start + Duration::from_millis(100);
        while video.take(soon).is_some() {}
        video.keyframe_wanted(soon);
        assert!(video.take(soon).is_none(), "one was sent 100 ms ago");
        let later = start + Duration::from_millis(450);
        while video.take(later).is_some() {}
        video.keyframe_wanted(later);
        let frame = video.take(later).unwrap();
        assert_eq!(frame.timestamp, RtpTime(40_500));
        assert!(is_key(frame));
        assert_eq!(video.due(), later + Duration::from_millis(40));
    }

    #[test]
    fn a_stopped_process_does_not_catch_up() {
        let start = Instant::now();
        let mut video = VideoPlayback::new(SAMPLE_VIDEO, start).unwrap();
        let later = start + Duration::from_secs(60);
        let frames = std::iter::from_fn(|| video.take(later).map(|_| ())).count();
        assert_eq!(frames, 1);
    }
}
