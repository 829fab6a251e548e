//! A call in virtual time without a codec: the sender, a network in both directions, the buffer. A frame is a number, and how far
//! back its redundancy reaches.

use jitter::audio::{
    AudioBuffer, Config, DecodeError, Decoder, PULL, Packet, Rung, Rungs, SenderAdvice, Stats,
};
use jitter::send::{self, AudioSender, Frame, Outgoing};
use netem::{Link, LinkConfig, Output};
use packet::{PayloadType, RtpTime, SeqNo};
use std::time::{Duration, Instant};

pub const MS: Duration = Duration::from_millis(1);
const FRAME: usize = 960;
const OPUS: PayloadType = PayloadType(111);
const RED: PayloadType = PayloadType(63);
/// IP and UDP are the link's; RTP, an extension, the SRTP tag.
const HEADERS: usize = 22;
const FEEDBACK: usize = 38;

/// First byte: how many frames back redundancy reaches. The rest is as long as an encoder would make it.
struct Numbers;

impl Numbers {
    fn reach_of(payload: &[u8]) -> usize {
        usize::from(payload[0]) * FRAME
    }
}

impl Decoder for Numbers {
    fn channels(&self) -> usize {
        1
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (!payload.is_empty()).then_some(FRAME)
    }
    fn decode(&mut self, _: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        // A tone of 200 Hz: every period is like the next, so time can be stretched.
        out.extend((0..FRAME).map(|n| (std::f32::consts::TAU * (n % 240) as f32 / 240.0).sin() * 0.5));
        Ok(())
    }
    fn fec(&self, _: &[u8]) -> usize {
        0
    }
    fn reach(&mut self, payload: &[u8]) -> usize {
        Self::reach_of(payload)
    }
    fn decode_fec(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn decode_deep(&mut self, later: &[u8], before: usize, samples: usize, out: &mut Vec<f32>) -> bool {
        let reaches = before + samples <= Self::reach_of(later);
        out.resize(out.len() + if reaches { samples } else { 0 }, 0.25);
        reaches
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.resize(out.len() + samples, 0.1);
    }
}

/// Bytes of a frame, of its copy, and how many frames its redundancy reaches back: libopus 1.6.1, see `audio::advice`.
fn encoded(advice: &SenderAdvice) -> (usize, usize, u8) {
    match (advice.deep, advice.expected_loss) {
        (false, _) => (80, 80, 0),
        (true, loss) if loss < 0.075 => (100, 60, 12),
        (true, loss) if loss < 0.2 => (100, 55, 16),
        (true, _) => (100, 45, 34),
    }
}

#[derive(Clone)]
pub struct Setup {
    /// Both directions.
    pub link: LinkConfig,
    /// From these moments on it is another network.
    pub then: Vec<(Duration, LinkConfig)>,
    pub seed: u64,
}

impl Setup {
    pub fn new(link: LinkConfig, seed: u64) -> Self {
        Self { link, then: Vec::new(), seed }
    }
}

/// What one pull was like.
#[derive(Clone, Copy)]
pub struct Pull {
    pub heard: Rungs,
    pub delay: Duration,
    /// From capture to being pulled.
    pub late: Option<Duration>,
}

pub struct Heard {
    pub pulls: Vec<Pull>,
    pub stats: Stats,
    pub wire_bytes: u64,
}

impl Heard {
    /// Share of what was heard from `from` on, 0.0-1.0.
    pub fn share(&self, from: Duration, rungs: &[Rung]) -> f64 {
        let mut heard = Rungs::default();
        self.from(from).for_each(|pull| heard.add_all(&pull.heard));
        rungs.iter().map(|&rung| heard.samples(rung)).sum::<u64>() as f64 / heard.total() as f64
    }

    fn from(&self, from: Duration) -> impl Iterator<Item = &Pull> {
        self.pulls[(from.as_millis() / 10) as usize..].iter()
    }

    pub fn delay(&self, from: Duration, share: f64) -> Duration {
        quantile(self.from(from).filter(|p| p.late.is_some()).map(|p| p.delay).collect(), share)
    }

    pub fn late(&self, from: Duration, share: f64) -> Duration {
        quantile(self.from(from).filter_map(|p| p.late).collect(), share)
    }
}

fn quantile(mut values: Vec<Duration>, share: f64) -> Duration {
    values.sort_unstable();
    values[((values.len() - 1) as f64 * share) as usize]
}

struct Feedback {
    nacks: Vec<SeqNo>,
    advice: SenderAdvice,
}

impl Clone for Feedback {
    fn clone(&self) -> Self {
        Self { nacks: self.nacks.clone(), advice: self.advice }
    }
}

/// Speech without a pause for so many seconds.
pub fn play(setup: &Setup, seconds: u64) -> Heard {
    #[allow(clippy::disallowed_methods)] // The one starting point of virtual time.
    let start = Instant::now();
    let mut round_trip = setup.link.delay * 2;
    let first_seq = SeqNo(65_000);
    let mut sender = AudioSender::new(send::Config {
        codec: OPUS,
        red: Some(RED),
        rtx: true,
        first_seq,
        payload_max: 1100,
    });
    let mut forward: Link<Outgoing> = Link::new(setup.link.clone(), setup.seed, start);
    let mut back: Link<Feedback> = Link::new(setup.link.clone(), setup.seed + 1000, start);
    let config = Config { one_way: round_trip / 2, round_trip, seed: setup.seed, ..Config::default() };
    let mut buffer = AudioBuffer::new(config, Numbers);
    let mut heard = Heard { pulls: Vec::new(), stats: Stats::default(), wire_bytes: 0 };
    sender.set_round_trip(round_trip);
    let mut then = setup.then.iter().peekable();
    for pull in 0..seconds * 100 {
        let tick = start + MS * 10 * pull as u32;
        if let Some((_, link)) = then.next_if(|(at, _)| start + *at <= tick) {
            // What is on its way is lost with the old network.
            forward = Link::new(link.clone(), setup.seed + 1, tick);
            back = Link::new(link.clone(), setup.seed + 1001, tick);
            round_trip = link.delay * 2;
        }
        if pull % 100 == 99 {
            sender.set_round_trip(round_trip);
            buffer.set_round_trip(round_trip);
        }
        while let Some(at) = back.poll_timeout().filter(|at| *at <= tick) {
            while let Output::Deliver(feedback) = back.poll_output(at) {
                sender.set_advice(at, &feedback.advice);
                sender.on_nack(at, feedback.nacks);
            }
        }
        if pull % 2 == 0 {
            let (bytes, copy, reach) = encoded(&sender.advice(tick));
            let payload: Vec<u8> = std::iter::once(reach).chain(std::iter::repeat_n(7, bytes - 1)).collect();
            let copy: Vec<u8> = std::iter::once(0).chain(std::iter::repeat_n(7, copy - 1)).collect();
            let timestamp = RtpTime((pull * 480) as u32);
            sender.frame(tick, Frame { timestamp, payload: &payload, copy: &copy, silence: false });
        }
        while let Some(outgoing) = sender.poll_packet() {
            let bytes = outgoing.payload.len() + HEADERS;
            heard.wire_bytes += bytes as u64 + 28;
            forward.handle_datagram(tick, bytes, outgoing);
        }
        // Another clock: it pulls 3 ms later.
        let now = tick + MS * 3;
        let mut asks = Vec::new();
        while let Some(at) = forward.poll_timeout().filter(|at| *at <= now) {
            while let Output::Deliver(Outgoing { seq, timestamp, pt, payload, retransmission, .. }) =
                forward.poll_output(at)
            {
                let packet = Packet { seq, timestamp, payload: &payload, retransmitted: retransmission };
                match pt {
                    RED => buffer.insert_red(at, packet, OPUS),
                    _ => buffer.insert(at, packet),
                }
            }
            asks.push((at, buffer.poll_nack(at)));
        }
        let before = buffer.stats().heard;
        let mut out = [0.0; PULL];
        buffer.pull(now, &mut out);
        asks.push((now, buffer.poll_nack(now)));
        for (at, nacks) in asks.into_iter().filter(|(_, nacks)| !nacks.is_empty() || pull % 10 == 0) {
            let bytes = FEEDBACK + nacks.len() * 4;
            back.handle_datagram(at, bytes, Feedback { nacks, advice: buffer.advice() });
        }
        heard.pulls.push(Pull {
            heard: buffer.stats().heard.since(&before),
            delay: buffer.stats().delay,
            late: buffer.playing().map(|next| {
                let captured = MS * (next.since(RtpTime(0)).max(0) as u32 / 48);
                (now + MS * 10 - start).saturating_sub(captured)
            }),
        });
    }
    heard.stats = buffer.stats().clone();
    heard
}
