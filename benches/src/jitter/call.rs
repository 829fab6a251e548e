//! One call in virtual time: speech, encoder, sender, the network in both directions, the buffer.

use super::speech::Speech;
use anyhow::Result;
use jitter::audio::{AudioBuffer, Config, PULL, Packet, Rung, SenderAdvice, Stats};
use jitter::send::{self, AudioSender, Outgoing};
use netem::{Link, LinkConfig, Output};
use packet::{PayloadType, RtpTime, SeqNo};
use std::time::{Duration, Instant};
use voice::{Channels, Encoded, OpusDecoder, OpusEncoder, Settings, without_redundancy};

/// Samples of a packet: 20 ms.
pub const FRAME: usize = 960;
const OPUS: PayloadType = PayloadType(111);
const RED: PayloadType = PayloadType(63);
pub const MS: Duration = Duration::from_millis(1);
/// Frame, look-ahead, pacing and rendering (WEAKNET section 1).
pub const DEVICE: Duration = Duration::from_micros(46_500);
/// One way of the other leg, which is clean.
pub const FAR: Duration = Duration::from_millis(5);
/// Bytes of a packet that are no payload: IP and UDP 28, RTP 12, header extension and SRTP tag 10 (as WEAKNET counts them).
/// The link adds the first 28 by itself.
pub const HEADERS: usize = 50;
/// Of a feedback packet without its list: RTCP header, sender, media, SRTCP index and tag.
const FEEDBACK: usize = 12 + 14;
/// The advice as bytes: loss, rate, depths, round trip.
const ADVICE: usize = 12;
/// The advice travels with every request, and alone this often, in pulls.
const ADVISE_EVERY: u64 = 10;
/// After the last frame: what is on its way is still heard.
const TAIL: u64 = 60;
/// Neural concealment from 5 on, neural enhancement of decoded speech (OSCE) from 6, the larger model at 7.
pub const DECODER_COMPLEXITY: u8 = 7;

pub struct Setup {
    /// From the sender.
    pub forward: LinkConfig,
    /// To the sender.
    pub back: LinkConfig,
    pub round_trip: Duration,
    pub seed: u64,
}

/// The buffer at one pull.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    pub delay: Duration,
    pub target: Duration,
    /// From the mouth to the ear; `None` before the first sound.
    pub m2e: Option<Duration>,
    /// What most of the pull was made from.
    pub rung: Option<Rung>,
    /// Samples made up while somebody spoke: in a pause nobody hears the difference.
    pub made_up_spoken: u64,
}

pub struct Heard {
    pub samples: Vec<f32>,
    pub ticks: Vec<Tick>,
    pub stats: Stats,
    pub advice: SenderAdvice,
    pub wire_bytes: u64,
    pub back_bytes: u64,
}

#[derive(Clone)]
struct Feedback {
    nacks: Vec<SeqNo>,
    advice: SenderAdvice,
}

/// Plays the whole speech and what is still on its way.
pub fn play(speech: &Speech, setup: &Setup) -> Result<Heard> {
    #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
    let start = Instant::now();
    let first_time = u32::MAX - 48_000;
    let mut encoder = OpusEncoder::new(Settings::default())?;
    let mut sender = AudioSender::new(send::Config {
        codec: OPUS,
        red: Some(RED),
        rtx: true,
        first_seq: SeqNo(65_000),
        payload_max: 1100,
    });
    sender.set_round_trip(setup.round_trip);
    let mut forward: Link<Outgoing> = Link::new(setup.forward.clone(), setup.seed, start);
    let mut back: Link<Feedback> = Link::new(setup.back.clone(), setup.seed ^ 0x5bd1_e995, start);
    let config = Config {
        one_way: setup.round_trip / 2 + FAR,
        round_trip: setup.round_trip,
        seed: setup.seed,
        ..Config::default()
    };
    let decoder = OpusDecoder::new(Channels::Mono, DECODER_COMPLEXITY)?;
    let mut buffer = AudioBuffer::new(config, decoder);
    let frames = speech.at_48_khz.len() / FRAME;
    let pulls = frames as u64 * 2 + TAIL;
    let (mut payload, mut copy) = (Vec::new(), Vec::new());
    let mut heard = Heard {
        samples: Vec::with_capacity(pulls as usize * PULL),
        ticks: Vec::new(),
        stats: Stats::default(),
        advice: buffer.advice(),
        wire_bytes: 0,
        back_bytes: 0,
    };
    let (spoken, mut rung) = (Spoken::of(&speech.at_48_khz), None);
    for pull in 0..pulls {
        // A frame is sent on every second tick; the playing side pulls 3 ms later: two clocks that agree on nothing.
        let tick = start + MS * 10 * pull as u32;
        deliver_back(&mut back, tick, &mut sender);
        if pull % 2 == 0 && pull + TAIL < pulls {
            let n = pull as usize / 2;
            let settings = Settings::default().advised(&sender.advice(tick));
            if settings != *encoder.settings() {
                encoder.set(settings)?;
            }
            let encoded = encoder.encode(&speech.at_48_khz[n * FRAME..][..FRAME], &mut payload)?;
            copy.clone_from(&payload);
            without_redundancy(&mut copy);
            let timestamp = RtpTime(first_time.wrapping_add((n * FRAME) as u32));
            let silence = encoded == Encoded::Silence;
            sender.frame(tick, send::Frame { timestamp, payload: &payload, copy: &copy, silence });
        }
        while let Some(outgoing) = sender.poll_packet() {
            let original_seq = if outgoing.retransmission { 2 } else { 0 };
            let bytes = outgoing.payload.len() + HEADERS - 28 + original_seq;
            heard.wire_bytes += bytes as u64 + 28;
            forward.handle_datagram(tick, bytes, outgoing);
        }
        let now = tick + MS * 3;
        for (at, nacks) in deliver(&mut forward, now, &mut buffer) {
            let bytes = FEEDBACK + ADVICE + nacks.len() * 4;
            heard.back_bytes += bytes as u64 + 28;
            back.handle_datagram(at, bytes, Feedback { nacks, advice: buffer.advice() });
        }
        let before = buffer.stats().heard;
        let mut out = [0.0; PULL];
        buffer.pull(now, &mut out);
        heard.samples.extend(out);
        let nacks = buffer.poll_nack(now);
        if !nacks.is_empty() || pull % ADVISE_EVERY == 0 {
            let bytes = FEEDBACK + ADVICE + nacks.len() * 4;
            heard.back_bytes += bytes as u64 + 28;
            back.handle_datagram(now, bytes, Feedback { nacks, advice: buffer.advice() });
        }
        if pull + TAIL >= pulls {
            continue;
        }
        let stats = buffer.stats();
        (heard.stats, heard.advice) = (stats.clone(), buffer.advice());
        let new = stats.heard.since(&before);
        // Decoded are frames: a pull with nothing new plays the rest of the one before.
        rung = Rung::ALL.into_iter().filter(|&r| new.samples(r) > 0).max_by_key(|&r| new.samples(r)).or(rung);
        let played = buffer.playing();
        let made_up = new.samples(Rung::Conceal) + new.samples(Rung::Comfort);
        let spoken = made_up > 0 && played.is_some_and(|time| spoken.at(time.since(RtpTime(first_time))));
        heard.ticks.push(Tick {
            delay: stats.delay,
            target: stats.target,
            m2e: played.map(|time| {
                // `playing` is behind what was just played.
                let captured = MS * (time.since(RtpTime(first_time)).max(0) as u32 / 48);
                (now + MS * 10 - start).saturating_sub(captured) + DEVICE + FAR
            }),
            rung: rung.filter(|_| played.is_some()),
            made_up_spoken: if spoken { made_up } else { 0 },
        });
    }
    Ok(heard)
}

/// The frames in which somebody speaks: no more than 30 dB below the mean.
struct Spoken(Vec<bool>);

impl Spoken {
    fn of(speech: &[f32]) -> Self {
        let power = |samples: &[f32]| samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
        let least = power(speech) / 1000.0;
        Self(speech.chunks(FRAME).map(|frame| power(frame) > least).collect())
    }
    /// Was it so in the frame that ends at sample `end`?
    fn at(&self, end: i32) -> bool {
        let frame = usize::try_from(end - 1).unwrap_or(0) / FRAME;
        self.0.get(frame).is_some_and(|spoken| *spoken)
    }
}

fn deliver_back(back: &mut Link<Feedback>, until: Instant, sender: &mut AudioSender) {
    while let Some(at) = back.poll_timeout().filter(|at| *at <= until) {
        while let Output::Deliver(feedback) = back.poll_output(at) {
            sender.set_advice(at, &feedback.advice);
            sender.on_nack(at, feedback.nacks);
        }
    }
}

/// What arrives, and what each arrival shows to be missing: it is asked for at once.
fn deliver(
    forward: &mut Link<Outgoing>,
    until: Instant,
    buffer: &mut AudioBuffer<OpusDecoder>,
) -> Vec<(Instant, Vec<SeqNo>)> {
    let mut asked = Vec::new();
    while let Some(at) = forward.poll_timeout().filter(|at| *at <= until) {
        while let Output::Deliver(outgoing) = forward.poll_output(at) {
            let Outgoing { seq, timestamp, ref payload, pt, retransmission, .. } = outgoing;
            let packet = Packet { seq, timestamp, payload, retransmitted: retransmission };
            match pt {
                RED => buffer.insert_red(at, packet, OPUS),
                _ => buffer.insert(at, packet),
            }
        }
        asked.push((at, buffer.poll_nack(at)));
    }
    asked.retain(|(_, nacks)| !nacks.is_empty());
    asked
}
