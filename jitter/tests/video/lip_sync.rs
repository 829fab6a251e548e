//! Sound and pictures of one person over one bad network, kept together.

use crate::call::{Call, MS, Setup};
use crate::stream::Format;
use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet};
use jitter::sync::{LipSync, Playout};
use netem::{Link, LinkConfig, Loss, Output};
use packet::{NtpTime, RtpTime, SeqNo};
use std::time::Duration;

/// Every packet is 20 ms of silence: only time counts here.
struct Silence;

impl Decoder for Silence {
    fn channels(&self) -> usize {
        1
    }
    fn samples(&self, _: &[u8]) -> Option<usize> {
        Some(960)
    }
    fn decode(&mut self, _: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        out.extend([0.0; 960]);
        Ok(())
    }
    fn fec(&self, _: &[u8]) -> usize {
        0
    }
    fn reach(&mut self, _: &[u8]) -> usize {
        0
    }
    fn decode_fec(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn decode_deep(&mut self, _: &[u8], _: usize, _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.extend(std::iter::repeat_n(0.0, samples));
    }
}

/// Captured at the same moment as a picture with RTP time `video`: RTP time `video * 48 / 90` of the sound, less an offset.
const SOUND_OFFSET: u32 = 123_456_789;

/// What a call of 30 s was like in its last 20 s.
struct Together {
    /// Milliseconds by which pictures were behind sound, every 100 ms.
    skews: Vec<f64>,
    /// Longest playout delay of each.
    sound: Duration,
    pictures: Duration,
    /// Share of the pictures on screen within 400 ms.
    in_time: f64,
}

fn together(loss: f64, audio_link: LinkConfig, synced: bool) -> Together {
    let link = LinkConfig { delay: MS * 50, loss: Loss::Random(loss), ..LinkConfig::default() };
    let mut call = Call::new(Setup {
        format: Format::Vp8,
        down: link.clone(),
        up: link,
        seed: 5,
        rtx_copies: 1,
        nack: true,
        fec: 0,
    });
    let mut sound = Link::new(audio_link, 6, call.start);
    let mut audio = AudioBuffer::new(Config::default(), Silence);
    let mut sync = LipSync::new(48_000, 90_000);
    let first_picture = call.encoder.timestamp.plus(3600);
    // Both clocks read this at the start of the call.
    let ntp = NtpTime(3_900_000_000 << 32);
    sync.audio_report(ntp, RtpTime(SOUND_OFFSET));
    sync.video_report(ntp, first_picture);
    let (mut out, mut skews) = ([0.0; PULL], Vec::new());
    let (mut longest_sound, mut longest_pictures) = (Duration::ZERO, Duration::ZERO);
    for tick in 0..3000u32 {
        let now = call.start + MS * 10 * tick;
        if tick % 2 == 0 {
            sound.handle_datagram(now, 100, tick / 2);
        }
        while let Output::Deliver(number) = sound.poll_output(now) {
            let timestamp = RtpTime(SOUND_OFFSET).plus(number * 960);
            let seq = SeqNo(number as u16);
            audio.insert(now, Packet { seq, timestamp, payload: &[0; 40], retransmitted: false });
        }
        audio.pull(now, &mut out);
        call.run(MS * 10);
        let (Some(playing), Some((timestamp, at))) = (audio.playing(), call.buffer.shown()) else { continue };
        let video = call.stats();
        let sound = Playout {
            timestamp: playing,
            at: now + MS * 10,
            delay: audio.stats().delay,
            own_delay: audio.own_target(),
        };
        let own_delay = call.buffer.own_delay();
        let pictures = Playout { timestamp, at, delay: video.delay, own_delay };
        if tick % 10 == 0 {
            let minimum = sync.update(sound, pictures);
            if synced {
                audio.set_minimum_delay(minimum.audio);
                call.buffer.set_minimum_delay(minimum.video);
            }
            if tick > 1000 {
                skews.extend(sync.skew_us().map(|us| us as f64 / 1000.0));
                longest_sound = longest_sound.max(audio.stats().delay);
                longest_pictures = longest_pictures.max(video.delay);
            }
        }
    }
    let in_time = call.in_time(MS * 10_000, MS * 29_000);
    Together { skews, sound: longest_sound, pictures: longest_pictures, in_time }
}

/// In order, each up to so much later than the fastest.
fn jittery(ms: u32) -> LinkConfig {
    let jitter = netem::Jitter::Uniform(MS * ms);
    LinkConfig { delay: MS * 50, jitter, keeps_order: true, ..LinkConfig::default() }
}

#[test]
fn skew_is_never_more_than_nobody_minds_whichever_needs_longer() {
    let clean = LinkConfig { delay: MS * 50, ..LinkConfig::default() };
    for (name, loss, audio_link) in
        [("pictures need longer", 0.1, clean.clone()), ("sound needs longer", 0.0, jittery(250))]
    {
        let alone = together(loss, audio_link.clone(), false).skews;
        let Together { skews: synced, sound, pictures, .. } = together(loss, audio_link, true);
        let longest = sound.max(pictures);
        let mean = |skews: &[f64]| skews.iter().sum::<f64>() / skews.len() as f64;
        println!("{name}: alone {:.0} ms, synced {:.0} ms, longest {longest:?}", mean(&alone), mean(&synced));
        assert!(mean(&alone).abs() > 100.0, "{name}: there is nothing to do: {:.0} ms", mean(&alone));
        let within = |skew: &&f64| (-125.0..=80.0).contains(*skew);
        let within = synced.iter().filter(within).count() as f64 / synced.len() as f64;
        assert!(within >= 0.95, "{name}: {within} within, mean {:.0}", mean(&synced));
        assert!(longest <= MS * (553 - 50 + 40), "{name}: {longest:?}");
    }
}

/// Sound that is waited for this long is late itself; pictures that are not need not be.
#[test]
fn pictures_are_not_late_for_their_sound() {
    let overtaking = LinkConfig { keeps_order: false, ..jittery(450) };
    let Together { sound, pictures, in_time, .. } = together(0.05, overtaking, true);
    println!("sound {sound:?}, pictures {pictures:?}, {in_time} in time");
    assert!(sound >= MS * 400, "there is nothing to follow: {sound:?}");
    assert!(pictures <= MS * 300 && in_time >= 0.98, "{pictures:?} {in_time}");
}

#[test]
fn sound_does_not_wait_for_pictures_beyond_what_a_conversation_bears() {
    for (one_way, waits) in [(MS * 50, MS * 300), (MS * 150, MS * 200)] {
        #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
        let start = std::time::Instant::now();
        let mut audio =
            AudioBuffer::new(Config { one_way, round_trip: one_way * 2, ..Config::default() }, Silence);
        for n in 0..500u16 {
            let now = start + MS * 20 * u32::from(n);
            let timestamp = RtpTime(u32::from(n) * 960);
            audio.insert(now, Packet { seq: SeqNo(n), timestamp, payload: &[0; 40], retransmitted: false });
            audio.set_minimum_delay(MS * 450);
            (0..2).for_each(|half| audio.pull(now + MS * 10 * half, &mut [0.0; PULL]));
        }
        assert_eq!(audio.stats().target, waits, "{one_way:?}");
    }
}
