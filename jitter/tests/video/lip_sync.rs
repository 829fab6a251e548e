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

/// Runs a call of 30 s; the skew in milliseconds every 100 ms of its last 20 s, and the largest delay.
fn skews(loss: f64, audio_link: LinkConfig, synced: bool) -> (Vec<f64>, Duration) {
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
    let (mut out, mut skews, mut longest) = ([0.0; PULL], Vec::new(), Duration::ZERO);
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
                longest = longest.max(video.delay).max(audio.stats().delay);
            }
        }
    }
    (skews, longest)
}

#[test]
fn skew_stays_within_80_ms_whichever_needs_longer_and_nothing_exceeds_the_budget() {
    let clean = LinkConfig { delay: MS * 50, ..LinkConfig::default() };
    let jittery = LinkConfig {
        delay: MS * 50,
        jitter: netem::Jitter::Uniform(MS * 250),
        keeps_order: true,
        ..LinkConfig::default()
    };
    for (name, loss, audio_link) in
        [("pictures need longer", 0.1, clean.clone()), ("sound needs longer", 0.0, jittery)]
    {
        let (alone, _) = skews(loss, audio_link.clone(), false);
        let (synced, longest) = skews(loss, audio_link, true);
        let mean = |skews: &[f64]| skews.iter().sum::<f64>() / skews.len() as f64;
        println!("{name}: alone {:.0} ms, synced {:.0} ms, longest {longest:?}", mean(&alone), mean(&synced));
        assert!(mean(&alone).abs() > 100.0, "{name}: there is nothing to do: {:.0} ms", mean(&alone));
        let within = synced.iter().filter(|skew| skew.abs() <= 80.0).count() as f64 / synced.len() as f64;
        assert!(within >= 0.95, "{name}: {within} within 80 ms, mean {:.0}", mean(&synced));
        assert!(longest <= MS * (553 - 50 + 40), "{name}: {longest:?}");
    }
}
