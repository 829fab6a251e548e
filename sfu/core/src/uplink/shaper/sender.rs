//! A publisher as browsers are one, for tests: an encoder that follows its target, a pacer, retransmissions, and a rate
//! controller that judges delay (trendline and AIMD, as draft-ietf-rmcat-gcc-02 has them) and loss.

use crate::random::Random;
use packet::rtcp::TransportFeedback;
use std::collections::{BTreeMap, VecDeque};

/// How losses in the feedback are answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LossControl {
    /// draft-ietf-rmcat-gcc-02 section 6: below 2 % up, above 10 % down by half the share.
    Classic,
    /// The likeliest of a few rates under a model with loss of its own, as newer libwebrtc does it; without delay-based help.
    Likelihood,
}

#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub transport: u64,
    pub bytes: usize,
    pub open: Option<bool>,
    /// Number of the media packet, and how often it was sent before.
    pub media: Option<(u64, u8)>,
}

pub struct Sender {
    random: Random,
    control: LossControl,
    max: f64,
    pub target: f64,
    delay_based: f64,
    loss_based: f64,
    trend: Trend,
    history: BTreeMap<u64, (i64, usize)>,
    acked: VecDeque<(i64, usize)>,
    reports: VecDeque<(f64, u32, u32)>,
    report: (i64, u32, u32, u64),
    transport: u64,
    media: u64,
    queue: VecDeque<Sent>,
    again: VecDeque<(i64, Sent)>,
    next_frame: i64,
    next_audio: i64,
    budget: f64,
    last: i64,
    rtx_bytes: VecDeque<(i64, usize)>,
    probes: Vec<(i64, f64)>,
    /// Transport numbers of the probe under way, and what came back of it: bytes, first and last arrival.
    probe: Option<(std::ops::Range<u64>, usize, i64, i64)>,
    pub rtt: i64,
}

#[derive(Default)]
struct Trend {
    group: Option<(i64, i64, i64)>,
    before: Option<(i64, i64)>,
    accumulated: f64,
    smoothed: f64,
    points: VecDeque<(f64, f64)>,
    threshold: f64,
    over_since: Option<i64>,
    last_slope: f64,
    updated: i64,
    first: i64,
}

#[derive(PartialEq)]
enum Usage {
    Normal,
    Over,
    Under,
}

impl Trend {
    /// One packet: sent, arrived.
    fn on_packet(&mut self, sent: i64, arrived: i64) -> Option<Usage> {
        let Some((first, last, at)) = self.group else {
            (self.group, self.first, self.threshold) = (Some((sent, sent, arrived)), arrived, 12.5);
            return None;
        };
        if sent < first {
            return None;
        }
        if sent - first <= 5_000
            || (arrived - at < 5_000 && arrived - at < sent - last && arrived - first < 100_000)
        {
            self.group = Some((first, last.max(sent), at.max(arrived)));
            return None;
        }
        self.group = Some((sent, sent, arrived));
        let (last_before, at_before) = self.before.replace((last, at))?;
        let gradient = ((at - at_before) - (last - last_before)) as f64 / 1000.0;
        self.accumulated += gradient;
        self.smoothed = 0.9 * self.smoothed + 0.1 * self.accumulated;
        self.points.push_back(((at - self.first) as f64 / 1000.0, self.smoothed));
        if self.points.len() > 20 {
            self.points.pop_front();
        }
        if self.points.len() < 20 {
            return Some(Usage::Normal);
        }
        let n = self.points.len() as f64;
        let (mx, my) = self.points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
        let (above, below) = self
            .points
            .iter()
            .fold((0.0, 0.0), |(a, b), p| (a + (p.0 - mx) * (p.1 - my), b + (p.0 - mx).powi(2)));
        let slope = if below == 0.0 { 0.0 } else { above / below };
        let modified = slope * 60.0 * 4.0;
        let usage = if modified > self.threshold {
            let since = *self.over_since.get_or_insert(at);
            if at - since > 10_000 && slope >= self.last_slope { Usage::Over } else { Usage::Normal }
        } else {
            self.over_since = None;
            if modified < -self.threshold { Usage::Under } else { Usage::Normal }
        };
        self.last_slope = slope;
        if (modified.abs() - self.threshold) < 15.0 {
            let k = if modified.abs() < self.threshold { 0.039 } else { 0.0087 };
            let dt = ((at - self.updated) as f64 / 1000.0).min(100.0);
            self.threshold = (self.threshold + k * (modified.abs() - self.threshold) * dt).clamp(6.0, 600.0);
        }
        self.updated = at;
        Some(usage)
    }
}

impl Sender {
    pub fn new(control: LossControl, max: f64, seed: u64) -> Self {
        let start = 300_000.0;
        Self {
            random: Random::new(seed),
            control,
            max,
            target: start,
            delay_based: start,
            loss_based: max * 2.0,
            trend: Trend::default(),
            history: BTreeMap::new(),
            acked: VecDeque::new(),
            reports: VecDeque::new(),
            report: (0, 0, 0, 0),
            transport: 0,
            media: 0,
            queue: VecDeque::new(),
            again: VecDeque::new(),
            next_frame: 0,
            next_audio: 0,
            budget: 0.0,
            last: 0,
            rtx_bytes: VecDeque::new(),
            probes: vec![(200_000, start * 3.0), (400_000, start * 6.0)],
            probe: None,
            rtt: 100_000,
        }
    }

    /// What the encoder is given: retransmissions come out of the same target.
    pub fn encoder_rate(&self) -> f64 {
        let rtx: usize = self.rtx_bytes.iter().map(|r| r.1).sum();
        let rtx = (rtx as f64 * 8.0).min(self.target / 2.0);
        (self.target - rtx - 40_000.0).clamp(30_000.0, self.max)
    }

    /// Packets that leave now.
    pub fn send(&mut self, now: i64, out: &mut Vec<Sent>) {
        let since = now - self.last;
        self.last = now;
        while self.rtx_bytes.front().is_some_and(|r| r.0 < now - 1_000_000) {
            self.rtx_bytes.pop_front();
        }
        if self.next_audio <= now {
            self.next_audio = now + 20_000;
            let media = self.number();
            self.leave(now, Sent { transport: 0, bytes: 120, open: None, media: Some((media, 0)) }, out);
        }
        if self.next_frame <= now {
            self.next_frame = now + 33_333;
            let noise = 0.6 + 0.8 * (self.random.next() % 1000) as f64 / 1000.0;
            let key = if self.media < 40 { 3.0 } else { 1.0 };
            let mut left = (self.encoder_rate() / 8.0 / 30.0 * noise * key) as usize + 50;
            while left > 0 {
                let bytes = left.min(1150);
                left -= bytes;
                let media = Some((self.number(), 0));
                self.queue.push_back(Sent { transport: 0, bytes: bytes + 50, open: Some(left > 0), media });
            }
        }
        while let Some((_, sent)) = self.again.front().copied().filter(|(at, _)| *at <= now) {
            self.again.pop_front();
            self.rtx_bytes.push_back((now, sent.bytes));
            self.queue.push_front(Sent { open: None, ..sent });
        }
        if self.probes.first().is_some_and(|p| p.0 <= now) {
            let (_, rate) = self.probes.remove(0);
            if rate < 2.0 * self.max {
                self.probe(now, rate, out);
            }
        }
        self.budget =
            (self.budget + self.target * 2.5 * since as f64 / 8e6).min(self.target * 2.5 * 0.005 / 8.0);
        while self.budget >= 0.0 {
            let Some(sent) = self.queue.pop_front() else { break };
            self.budget -= sent.bytes as f64;
            self.leave(now, sent, out);
        }
    }

    fn number(&mut self) -> u64 {
        self.media += 1;
        self.media
    }

    /// Fifteen milliseconds at a rate; what came back of it is the new estimate if most did.
    fn probe(&mut self, now: i64, rate: f64, out: &mut Vec<Sent>) {
        let count = ((rate * 0.015 / 8.0 / 400.0) as usize).max(5);
        let first = self.transport + 1;
        for _ in 0..count {
            self.leave(now, Sent { transport: 0, bytes: 400, open: None, media: None }, out);
        }
        // What left at once is taken for what was sent over fifteen milliseconds.
        let spread = (count as f64 * 400.0 * 8.0 * 1e6 / rate) as i64;
        self.probe = Some((first..first + count as u64, 0, i64::MAX, spread));
    }

    fn leave(&mut self, now: i64, sent: Sent, out: &mut Vec<Sent>) {
        self.transport += 1;
        self.history.insert(self.transport, (now, sent.bytes));
        if self.history.len() > 4000 {
            self.history.pop_first();
        }
        out.push(Sent { transport: self.transport, ..sent });
    }

    /// The receiver misses it and asks; known a round trip later.
    pub fn on_nack(&mut self, now: i64, sent: Sent) {
        if let Some((media, times)) = sent.media.filter(|m| m.1 < 8) {
            let again = Sent { media: Some((media, times + 1)), ..sent };
            self.again.push_back((now + self.rtt / 2, again));
        }
    }

    pub fn on_feedback(&mut self, now: i64, feedback: &TransportFeedback) {
        let (mut over, mut any, mut arrived) = (false, false, Vec::new());
        for (seq, at) in feedback.arrivals() {
            let number = packet::ExtSeq(self.transport).nearest(seq).0;
            let Some(&(sent, bytes)) = self.history.get(&number) else { continue };
            self.report.1 += 1;
            if at.is_none() {
                self.report.2 += 1;
                continue;
            }
            self.report.3 += bytes as u64;
            if let (Some((numbers, sum, first, _)), Some(at)) = (&mut self.probe, at)
                && numbers.contains(&number)
            {
                *sum += bytes;
                *first = at.min(*first);
                if number + 1 == numbers.end {
                    let (numbers, sum, first, spread) = self.probe.take().unwrap();
                    // libwebrtc wants most of a cluster back, and takes the slower of sending and arriving.
                    if sum >= 400 * (numbers.end - numbers.start) as usize * 8 / 10 {
                        let rate = sum as f64 * 8e6 / (at - first).max(spread) as f64;
                        self.delay_based = self.delay_based.max(rate * 0.85);
                    }
                }
            }
            arrived.push((sent, at.unwrap(), bytes));
        }
        for (sent, at, bytes) in arrived {
            any = true;
            self.acked.push_back((at, bytes));
            over |= self.trend.on_packet(sent, at) == Some(Usage::Over);
        }
        let newest = self.acked.iter().map(|a| a.0).max().unwrap_or(0);
        self.acked.retain(|a| a.0 > newest - 500_000);
        let acked = self.acked.iter().map(|a| a.1).sum::<usize>() as f64 * 8.0 / 0.5;
        if over {
            self.delay_based = self.delay_based.min(0.85 * acked).max(30_000.0);
        } else if any {
            let grown = self.delay_based * (1.0 + 0.08 * 0.05);
            self.delay_based = grown.min(1.5 * acked + 10_000.0).max(self.delay_based.min(grown));
        }
        let (since, count, lost, bytes) = self.report;
        if now - since >= 250_000 && count > 0 {
            let rate = bytes as f64 * 8e6 / (now - since) as f64 * f64::from(count)
                / f64::from(count - lost).max(1.0);
            self.report = (now, 0, 0, 0);
            self.on_loss(rate, count, lost, acked);
        }
        self.target = self.delay_based.min(self.loss_based).clamp(30_000.0, 2.0 * self.max);
        self.delay_based = self.delay_based.min(2.0 * self.max);
    }

    fn on_loss(&mut self, rate: f64, count: u32, lost: u32, acked: f64) {
        self.reports.push_back((rate, count, lost));
        if self.reports.len() > 20 {
            self.reports.pop_front();
        }
        match self.control {
            LossControl::Classic => {
                let last = self.reports.iter().rev().take(4);
                let (n, l) = last.fold((0, 0), |(n, l), r| (n + r.1, l + r.2));
                let share = f64::from(l) / f64::from(n.max(1));
                if share < 0.02 {
                    self.loss_based = self.loss_based.max(self.target) * 1.02 + 250.0;
                } else if share > 0.1 {
                    self.loss_based = self.loss_based.min(self.target) * (1.0 - 0.125 * share);
                }
            }
            LossControl::Likelihood => {
                let bound = self.loss_based.min(self.delay_based);
                let score = |bandwidth: f64| {
                    let mut best = f64::MIN;
                    for inherent in [0.001f64, 0.01, 0.03] {
                        let mut sum = 0.0;
                        for (i, &(rate, n, l)) in self.reports.iter().rev().enumerate() {
                            let above = ((rate - bandwidth) / rate.max(1.0)).clamp(0.0, 1.0);
                            let p = (inherent + (1.0 - inherent) * above).clamp(1e-4, 0.98);
                            let weight = 0.9f64.powi(i as i32);
                            sum += weight * (f64::from(l) * p.ln() + f64::from(n - l) * (1.0 - p).ln());
                        }
                        best = best.max(sum + 0.02 * bandwidth.ln());
                    }
                    best
                };
                let candidates = [bound * 1.02, bound, bound * 0.95, acked.max(30_000.0)];
                let lossy = self.reports.iter().rev().take(4).any(|r| r.2 * 20 > r.1);
                let best = candidates.into_iter().max_by(|a, b| score(*a).total_cmp(&score(*b)));
                self.loss_based = if lossy {
                    best.unwrap_or(bound)
                } else {
                    (bound * 1.1).max(self.loss_based.min(bound * 1.3))
                };
            }
        }
        self.loss_based = self.loss_based.clamp(30_000.0, 4.0 * self.max);
    }
}
