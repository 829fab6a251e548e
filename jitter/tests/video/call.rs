//! A call in virtual time: camera, forwarder with its cache, two links, the buffer, and somebody who looks.

use crate::stream::{Encoder, Format, Told, extensions};
use jitter::video::{Config, Freezes, Payload, Picture, Stats, Via, VideoBuffer};
use netem::{Link, LinkConfig, Output};
use packet::fec::flexfec;
use packet::rtp::{Outgoing, RtpHeader};
use packet::{PayloadType, SeqNo, Ssrc};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub const MS: Duration = Duration::from_millis(1);
const FLEXFEC: PayloadType = PayloadType(120);
const INTERVAL: Duration = Duration::from_millis(40);
/// 600 kb/s at 25 frames a second: three packets each.
const FRAME_BYTES: usize = 3000;
const KEYFRAME_BYTES: usize = 12_000;
/// An encoder asked for a key frame gives none sooner after the last.
const KEYFRAME_PAUSE: Duration = Duration::from_millis(300);
const CACHE: Duration = Duration::from_secs(2);
/// Between the copies of a retransmission: not all in one burst of losses.
const COPY_APART: Duration = Duration::from_millis(15);
/// Own sound, pictures and feedback on the uplink.
const OTHER_INTERVAL: Duration = Duration::from_millis(8);

#[derive(Clone)]
pub struct Setup {
    pub format: Format,
    pub down: LinkConfig,
    pub up: LinkConfig,
    pub seed: u64,
    /// Each retransmission goes out so often.
    pub rtx_copies: u32,
    pub nack: bool,
    /// FlexFEC packets for each picture; 0: it was not negotiated.
    pub fec: usize,
}

/// What travels downwards: RTP and how it is sent.
type Down = (Vec<u8>, Via);

#[derive(Clone, Debug)]
enum Request {
    Nack(Vec<SeqNo>),
    Keyframe,
    /// What a participant sends besides: sound, pictures, reports.
    Other,
}

pub struct Call {
    pub start: Instant,
    pub now: Instant,
    pub buffer: VideoBuffer,
    pub encoder: Encoder,
    setup: Setup,
    down: Link<Down>,
    up: Link<Request>,
    next_frame: Instant,
    next_other: Instant,
    /// Copies of retransmissions.
    later: BTreeMap<(Instant, u64), Vec<u8>>,
    keyframe_wanted: bool,
    last_keyframe: Option<Instant>,
    cache: BTreeMap<u16, (Instant, Vec<u8>, Option<Instant>)>,
    /// Packets of the picture before, for the repair packets of the next.
    before: Vec<Vec<u8>>,
    fec_seq: u16,
    /// When each frame was captured.
    captured: Vec<Instant>,
    decoded: BTreeSet<u32>,
    /// When each picture was on screen, its first frame's number, how many layers.
    pub shown: Vec<(Instant, u32, usize)>,
    pub keyframes_sent: u32,
    pub sent_packets: u64,
}

impl Call {
    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    pub fn new(setup: Setup) -> Self {
        let start = Instant::now() + Duration::from_secs(3600);
        let round_trip = setup.down.delay + setup.up.delay;
        let config = Config {
            payloads: vec![
                (setup.format.pt(), Payload::Codec(setup.format.codec())),
                (FLEXFEC, Payload::Flexfec),
            ],
            extensions: extensions(),
            one_way: round_trip / 2,
            round_trip,
            nack: setup.nack,
            ..Config::default()
        };
        Self {
            start,
            now: start,
            buffer: VideoBuffer::new(config),
            encoder: Encoder::new(setup.format),
            down: Link::new(setup.down.clone(), setup.seed, start),
            up: Link::new(setup.up.clone(), setup.seed ^ 0x5eed, start),
            next_frame: start,
            next_other: start,
            later: BTreeMap::new(),
            keyframe_wanted: true,
            last_keyframe: None,
            cache: BTreeMap::new(),
            before: Vec::new(),
            fec_seq: 0,
            captured: Vec::new(),
            decoded: BTreeSet::new(),
            shown: Vec::new(),
            keyframes_sent: 0,
            sent_packets: 0,
            setup,
        }
    }

    pub fn run(&mut self, duration: Duration) -> &mut Self {
        let until = self.now + duration;
        let mut turns = 0;
        while let Some(next) = self.next().filter(|next| *next <= until) {
            turns = if next > self.now { 0 } else { turns + 1 };
            assert!(turns < 1000, "the buffer asks to be woken again and again");
            self.now = self.now.max(next);
            self.turn();
        }
        self.now = until;
        self
    }

    fn next(&self) -> Option<Instant> {
        let later = self.later.first_key_value().map(|(key, _)| key.0);
        let own = [Some(self.next_frame), Some(self.next_other), later, self.buffer.poll_timeout()];
        own.into_iter().chain([self.down.poll_timeout(), self.up.poll_timeout()]).flatten().min()
    }

    fn turn(&mut self) {
        if self.next_frame <= self.now {
            self.next_frame += INTERVAL;
            self.capture();
        }
        if self.next_other <= self.now {
            self.next_other += OTHER_INTERVAL;
            self.up.handle_datagram(self.now, 300, Request::Other);
        }
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let rtp = entry.remove();
            self.send(rtp, Via::Rtx);
        }
        while let Output::Deliver(request) = self.up.poll_output(self.now) {
            self.answer(request);
        }
        while let Output::Deliver((rtp, via)) = self.down.poll_output(self.now) {
            let _ = self.buffer.insert(self.now, &rtp, via);
        }
        while let Some(picture) = self.buffer.pull(self.now) {
            self.look(picture);
        }
        let nacks = self.buffer.poll_nack(self.now);
        if !nacks.is_empty() {
            self.up.handle_datagram(self.now, 40 + 4 * nacks.len(), Request::Nack(nacks));
        }
        if self.buffer.poll_keyframe(self.now).is_some() {
            self.up.handle_datagram(self.now, 40, Request::Keyframe);
        }
    }

    fn capture(&mut self) {
        let rested = self.last_keyframe.is_none_or(|last| self.now >= last + KEYFRAME_PAUSE);
        let keyframe = self.keyframe_wanted && rested;
        if keyframe {
            self.keyframe_wanted = false;
            self.last_keyframe = Some(self.now);
            self.keyframes_sent += 1;
        }
        // Sizes vary by a third, by no pattern that matters.
        let wobble = (self.captured.len() as u64).wrapping_mul(0x9e37_79b9) % 1000;
        let bytes =
            if keyframe { KEYFRAME_BYTES } else { FRAME_BYTES * (667 + wobble as usize * 2 / 3) / 1000 };
        let (first, packets) = self.encoder.picture(keyframe, bytes, 3600);
        for _ in first..self.encoder.number {
            self.captured.push(self.now);
        }
        let protected = self.protect(&packets);
        for rtp in packets {
            let seq = RtpHeader::parse(&rtp).unwrap().seq;
            self.cache.insert(seq.0, (self.now, rtp.clone(), None));
            self.send(rtp, Via::Media);
        }
        for rtp in protected {
            self.send(rtp, Via::Media);
        }
    }

    /// One packet over the whole picture, the others each over a part of it and of the one before.
    fn protect(&mut self, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let count = self.setup.fec;
        let mut protected = Vec::new();
        for repair in 0..count {
            let here = packets.iter().enumerate().filter(|(n, _)| repair == 0 || n % count != repair - 1);
            let before = self.before.iter().enumerate().filter(|(n, _)| repair > 0 && n % count == repair);
            let chosen: Vec<&[u8]> = before.chain(here).map(|(_, rtp)| &rtp[..]).collect();
            let mut payload = Vec::new();
            if flexfec::encode(&chosen, &mut payload).is_err() {
                continue;
            }
            let outgoing = Outgoing {
                pt: FLEXFEC,
                seq: SeqNo(self.fec_seq),
                ssrc: Ssrc(99),
                payload: &payload,
                ..Outgoing::default()
            };
            self.fec_seq = self.fec_seq.wrapping_add(1);
            let mut rtp = vec![0; payload.len() + 100];
            let len = outgoing.write(&extensions(), &mut rtp).unwrap().len;
            rtp.truncate(len);
            protected.push(rtp);
        }
        self.before = packets.to_vec();
        protected
    }

    fn send(&mut self, rtp: Vec<u8>, via: Via) {
        self.sent_packets += 1;
        self.down.handle_datagram(self.now, rtp.len() + 20, (rtp, via));
    }

    fn answer(&mut self, request: Request) {
        let seqs = match request {
            Request::Nack(seqs) => seqs,
            Request::Keyframe => return self.keyframe_wanted = true,
            Request::Other => return,
        };
        let round_trip = self.setup.down.delay + self.setup.up.delay;
        for seq in seqs {
            let Some((sent, rtp, answered)) = self.cache.get_mut(&seq.0) else { continue };
            let old = self.now > *sent + CACHE;
            // As libwebrtc and our own forwarder: who asks again before the answer can be there has not seen it yet.
            let copy = answered.is_some_and(|at| self.now < at + round_trip);
            if old || copy {
                continue;
            }
            *answered = Some(self.now);
            let rtp = rtp.clone();
            for copy in 1..self.setup.rtx_copies {
                self.later.insert((self.now + COPY_APART * copy, self.sent_packets), rtp.clone());
            }
            self.send(rtp, Via::Rtx);
        }
    }

    /// Looks at a picture as a decoder would: everything it needs was decoded, and it is newer than all before.
    fn look(&mut self, picture: Picture) {
        let told = Told::read(&picture.data);
        assert!(!told.is_empty(), "a picture without a frame: {picture:?}");
        for Told { number, needs } in &told {
            let newest = self.decoded.last().copied();
            assert!(newest.is_none_or(|newest| *number > newest), "{number} after {newest:?}");
            let missing: Vec<_> = needs.iter().filter(|need| !self.decoded.contains(need)).collect();
            assert!(missing.is_empty(), "{number} needs {missing:?}, which was never decoded");
            self.decoded.insert(*number);
        }
        assert!(picture.render_at >= self.now, "shown in the past");
        self.shown.push((picture.render_at, told[0].number, told.len()));
    }

    /// Share of the pictures captured between `from` and `to` (since the start) that are on screen within 400 ms.
    pub fn in_time(&self, from: Duration, to: Duration) -> f64 {
        let window = self.start + from..self.start + to;
        let mut captured: BTreeMap<Instant, u32> = BTreeMap::new();
        for (number, at) in self.captured.iter().enumerate().filter(|(_, at)| window.contains(at)) {
            captured.entry(*at).or_insert(number as u32);
        }
        let shown: BTreeMap<u32, Instant> = self.shown.iter().map(|(at, number, _)| (*number, *at)).collect();
        let good = captured
            .iter()
            .filter(|(at, number)| shown.get(number).is_some_and(|shown| *shown <= **at + MS * 400))
            .count();
        good as f64 / captured.len() as f64
    }

    /// Milliseconds from capture to screen, sorted, of what was shown after `from`.
    pub fn latency_ms(&self, from: Duration) -> Vec<f64> {
        let late = |(at, number, _): &(Instant, u32, usize)| {
            (*at - self.captured[*number as usize]).as_secs_f64() * 1000.0
        };
        let after = self.shown.iter().filter(|(at, ..)| *at >= self.start + from);
        let mut all: Vec<f64> = after.map(late).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The longest time without a new picture on screen between `from` and `to`.
    pub fn longest_gap(&self, from: Duration, to: Duration) -> Duration {
        let (from, to) = (self.start + from, self.start + to);
        let mut last = from;
        let mut longest = Duration::ZERO;
        for at in self.shown.iter().map(|shown| shown.0).filter(|at| (from..to).contains(at)).chain([to]) {
            longest = longest.max(at - last);
            last = at;
        }
        longest
    }

    pub fn freezes(&self) -> Freezes {
        self.buffer.freezes(self.now)
    }

    pub fn stats(&self) -> Stats {
        self.buffer.stats()
    }

    /// For a failure's message, and for a table.
    pub fn describe(&self) -> String {
        let latency = self.latency_ms(MS * 1000);
        let at = |q: usize| latency.get(latency.len() * q / 100).copied().unwrap_or(f64::NAN);
        let Setup { format, seed, .. } = &self.setup;
        let to = (self.now - self.start).saturating_sub(MS * 1000);
        let f = self.freezes();
        let loss = self.down.stats();
        let requests = self.up.stats();
        format!(
            "{format:?} seed {seed}: in time {:.2} %, frozen {:.2} % ({} freezes, longest gap {:?}), latency p50 {:.0} p95 {:.0} ms, \
             keyframes {} of {:?} requests, wire {:.2}x, {:.0} requests/s, delay {:?}, lost {:.3}\n    {:?}",
            100.0 * self.in_time(MS * 2000, to),
            100.0 * f.share(),
            f.count,
            f.longest_gap,
            at(50),
            at(95),
            self.keyframes_sent,
            self.stats().keyframe_requests,
            self.sent_packets as f64 / (self.captured.len() as f64 * 3.27),
            requests.offered as f64 / (self.now - self.start).as_secs_f64()
                - 1000.0 / OTHER_INTERVAL.as_millis() as f64,
            self.stats().delay,
            loss.lost as f64 / loss.offered as f64,
            self.stats(),
        )
    }
}
