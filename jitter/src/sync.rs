//! Lip-sync: sound and pictures of one person are played with the same delay since their capture.
//!
//! ```text
//!  sender report: NTP <-> RTP      buffer: this RTP time is played at this moment, with this delay, of which it needs so much
//!            └────────────┬──────────────────────────┘
//!        moment of playing - NTP time of capture  =  offset       (two clocks: only the difference of two offsets counts)
//!        offset - delay + need                    =  how early it could be at the earliest
//! ```
//! The one that could be earlier waits for the other until nobody minds what is left between them; neither waits longer than a conversation
//! bears, which the buffers see to, and what is left then is told as the skew. ITU-R BT.1359: sound ahead is noticed from 45 ms on and
//! accepted up to 90, sound behind from 125 and up to 185.

use packet::{NtpTime, RtpTime};
use std::time::{Duration, Instant};

/// A clock that is off by more than this between two reports was set anew.
const REPORT_JUMP: Duration = Duration::from_secs(10);
/// How far sound may be ahead of its pictures, and they of it, before one waits for the other: delay is felt by whoever talks, skew below
/// these is not. With [`TOLERATED`] they stay within 80 and 125 ms.
const SOUND_AHEAD: Duration = Duration::from_millis(60);
const PICTURES_AHEAD: Duration = Duration::from_millis(100);
/// Below it nothing is changed: delays that move all the time are worse than a skew that nobody sees.
const TOLERATED: Duration = Duration::from_millis(20);
/// A larger skew is no skew: one of the reports is of something else.
const SKEW_MAX: Duration = Duration::from_secs(5);

/// What a buffer does now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Playout {
    /// This media time is played (is on screen) at this moment.
    pub timestamp: RtpTime,
    pub at: Instant,
    /// Playout delay now, and what the buffer needs by itself.
    pub delay: Duration,
    pub own_delay: Duration,
}

/// What to set as `set_minimum_delay` of each buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Minimum {
    pub audio: Duration,
    pub video: Duration,
}

/// One pair of streams with sender reports of one clock.
#[derive(Clone, Debug)]
pub struct LipSync {
    audio: Clock,
    video: Clock,
    minimum: Minimum,
    /// Microseconds by which pictures are behind sound; negative: ahead.
    skew_us: Option<i64>,
}

/// The sender's clock as its last report ties it to a stream's.
#[derive(Clone, Debug)]
struct Clock {
    rate: u32,
    report: Option<(NtpTime, RtpTime)>,
}

impl Clock {
    /// True if the clock was set anew: then the other stream's report is of the old one.
    fn report(&mut self, ntp: NtpTime, rtp: RtpTime) -> bool {
        let far = |expected: i64| expected.abs_diff(ntp_us(ntp)) > REPORT_JUMP.as_micros() as u64;
        let jumped = self.capture_us(rtp).is_some_and(far);
        self.report = Some((ntp, rtp));
        jumped
    }

    /// Capture time in microseconds, on the sender's clock.
    fn capture_us(&self, timestamp: RtpTime) -> Option<i64> {
        let (ntp, rtp) = self.report?;
        let since = i64::from(timestamp.since(rtp)) * 1_000_000 / i64::from(self.rate.max(1));
        Some(ntp_us(ntp) + since)
    }
}

/// 32.32 seconds to microseconds: 52 bits, whatever the value.
fn ntp_us(ntp: NtpTime) -> i64 {
    ((u128::from(ntp.0) * 1_000_000) >> 32) as i64
}

impl LipSync {
    /// RTP clocks in Hz.
    pub fn new(audio_rate: u32, video_rate: u32) -> Self {
        let clock = |rate| Clock { rate, report: None };
        Self {
            audio: clock(audio_rate),
            video: clock(video_rate),
            minimum: Minimum::default(),
            skew_us: None,
        }
    }

    /// From a sender report of the sound: this NTP time is this media time.
    pub fn audio_report(&mut self, ntp: NtpTime, rtp: RtpTime) {
        if self.audio.report(ntp, rtp) {
            self.video.report = None;
        }
    }

    pub fn video_report(&mut self, ntp: NtpTime, rtp: RtpTime) {
        if self.video.report(ntp, rtp) {
            self.audio.report = None;
        }
    }

    /// Both buffers' state, once a second or so; what to ask of them. Without reports of both streams: nothing.
    pub fn update(&mut self, audio: Playout, video: Playout) -> Minimum {
        let origin = audio.at.min(video.at);
        let offset = |clock: &Clock, playout: &Playout| {
            let at = i64::try_from(playout.at.duration_since(origin).as_micros()).ok()?;
            at.checked_sub(clock.capture_us(playout.timestamp)?)
        };
        let offsets = offset(&self.audio, &audio).zip(offset(&self.video, &video));
        let skew = offsets.map(|(audio, video)| video.saturating_sub(audio));
        self.skew_us = skew.filter(|skew| skew.unsigned_abs() <= SKEW_MAX.as_micros() as u64);
        let Some(skew) = self.skew_us else {
            self.minimum = Minimum::default();
            return self.minimum;
        };
        // How much later pictures would be than sound if each had only what it needs.
        let spare = |p: &Playout| p.delay.as_micros() as i64 - p.own_delay.as_micros() as i64;
        let video_later = skew - spare(&video) + spare(&audio);
        let apart = Duration::from_micros(video_later.unsigned_abs());
        let wanted = match video_later {
            0.. => {
                Minimum { audio: audio.own_delay + apart.saturating_sub(SOUND_AHEAD), video: Duration::ZERO }
            }
            _ => Minimum {
                audio: Duration::ZERO,
                video: video.own_delay + apart.saturating_sub(PICTURES_AHEAD),
            },
        };
        let apart = |a: Duration, b: Duration| a.abs_diff(b) > TOLERATED;
        if apart(wanted.audio, self.minimum.audio) || apart(wanted.video, self.minimum.video) {
            self.minimum = wanted;
        }
        self.minimum
    }

    /// How much pictures were behind sound (positive) or ahead of it at the last update, in microseconds.
    pub fn skew_us(&self) -> Option<i64> {
        self.skew_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn base() -> Instant {
        Instant::now()
    }

    /// Reports that say: RTP time zero of both streams was captured at the same moment.
    fn sync() -> LipSync {
        let mut sync = LipSync::new(48_000, 90_000);
        sync.audio_report(NtpTime(7 << 32), RtpTime(0));
        sync.video_report(NtpTime(8 << 32), RtpTime(90_000));
        sync
    }

    /// Media time of ten seconds after the reports, played `late_ms` after it was captured on our clock.
    fn playout(start: Instant, rate: u32, late_ms: u32, delay_ms: u32, own_ms: u32) -> Playout {
        Playout {
            timestamp: RtpTime(10 * rate),
            at: start + MS * (10_000 + late_ms),
            delay: MS * delay_ms,
            own_delay: MS * own_ms,
        }
    }

    #[test]
    fn the_faster_one_waits_for_the_slower_one_until_nobody_minds() {
        let start = base();
        for (name, audio, video, expected, skew_ms) in [
            ("as one", (100, 80, 80), (100, 80, 80), (80, 0), 0),
            ("pictures need longer", (100, 80, 80), (320, 300, 300), (240, 0), 220),
            ("sound needs longer", (320, 300, 300), (60, 40, 40), (0, 200), -260),
            ("sound needs a little longer", (200, 180, 180), (110, 90, 90), (0, 90), -90),
            ("sound waits already", (260, 240, 80), (320, 300, 300), (240, 0), 60),
            ("pictures need less than they take", (100, 80, 80), (320, 300, 40), (0, 40), 220),
            ("pictures come a slower way", (100, 80, 80), (170, 80, 80), (90, 0), 70),
        ] {
            let mut sync = sync();
            let minimum = sync.update(
                playout(start, 48_000, audio.0, audio.1, audio.2),
                playout(start, 90_000, video.0, video.1, video.2),
            );
            let (a, v) = (minimum.audio.as_millis() as u32, minimum.video.as_millis() as u32);
            assert_eq!((sync.skew_us(), (a, v)), (Some(skew_ms * 1000), expected), "{name}");
        }
    }

    #[test]
    fn small_changes_move_nothing() {
        let (mut sync, start) = (sync(), base());
        let audio = playout(start, 48_000, 100, 80, 80);
        let first = sync.update(audio, playout(start, 90_000, 200, 180, 180));
        assert_eq!(first, sync.update(audio, playout(start, 90_000, 215, 195, 195)));
        assert_ne!(first, sync.update(audio, playout(start, 90_000, 225, 205, 205)));
    }

    #[test]
    fn without_reports_and_with_senseless_ones_nobody_waits() {
        let start = base();
        let (audio, video) = (playout(start, 48_000, 0, 80, 80), playout(start, 90_000, 300, 300, 300));
        let mut none = LipSync::new(48_000, 90_000);
        none.audio_report(NtpTime(0), RtpTime(0));
        assert_eq!((none.update(audio, video), none.skew_us()), (Minimum::default(), None));
        let mut far = sync();
        far.video_report(NtpTime(u64::MAX), RtpTime(0));
        assert_eq!((far.update(audio, video), far.skew_us()), (Minimum::default(), None));
    }

    #[test]
    fn a_clock_set_anew_waits_for_the_other_streams_report() {
        let start = base();
        let (audio, video) = (playout(start, 48_000, 0, 80, 80), playout(start, 90_000, 0, 80, 80));
        let mut sync = sync();
        for far in [1 << 45, 5 << 32] {
            sync.audio_report(NtpTime(far), RtpTime(0));
            sync.update(audio, video);
            assert_eq!(sync.skew_us(), None);
            sync.video_report(NtpTime(far), RtpTime(0));
            sync.update(audio, video);
            assert_eq!(sync.skew_us(), Some(0), "{far:x}");
        }
    }

    #[test]
    fn timestamps_wrap() {
        let start = base();
        let mut sync = LipSync::new(48_000, 90_000);
        sync.audio_report(NtpTime(9 << 32), RtpTime(u32::MAX - 479));
        sync.video_report(NtpTime(9 << 32), RtpTime(u32::MAX - 899));
        let at = |timestamp, late| Playout {
            timestamp,
            at: start + MS * late,
            delay: MS * 50,
            own_delay: MS * 50,
        };
        sync.update(at(RtpTime(48_000), 0), at(RtpTime(90_000), 30));
        assert_eq!(sync.skew_us(), Some(30_000));
    }
}
