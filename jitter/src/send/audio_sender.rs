//! One frame in, one packet out, with what the network has cost before.

use super::history::{Asked, History};
use super::observed::ObservedLoss;
use crate::audio::{BUDGET, SenderAdvice};
use packet::fec::red::{self, Block};
use packet::{Bitrate, PayloadType, RtpTime, SeqNo};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A receiver's own advice is followed for this long, then it counts as gone.
const ADVICE_HOLDS: Duration = Duration::from_secs(3);
/// Before anything came back, the worst is assumed, for this long at most: at 70 % loss the first advice takes a second to get
/// through, and on a clean network a round trip replaces this.
const PESSIMISM_MAX: Duration = Duration::from_secs(2);
const PESSIMISTIC: SenderAdvice = SenderAdvice {
    expected_loss: 0.3,
    deep: true,
    bitrate: Bitrate::kbps(40),
    red_depth: 1,
    red_stride: 1,
    answers: 3,
    round_trip: Duration::from_millis(100),
};
/// Copies asked for at once by a hostile advice are not sent.
const ANSWERS_MAX: u8 = 4;
/// Packets that wait to be taken; whoever never polls loses the oldest.
const QUEUE_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    pub codec: PayloadType,
    /// None: RED was not negotiated, and every answer is a retransmission.
    pub red: Option<PayloadType>,
    /// Retransmissions (RFC 4588) were negotiated for this stream.
    pub rtx: bool,
    pub first_seq: SeqNo,
    /// Longest payload; copies that do not fit wait for the next packet.
    pub payload_max: usize,
}

/// One encoded frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub timestamp: RtpTime,
    pub payload: &'a [u8],
    /// The same without deep redundancy: what is sent when it is asked for again. May be `payload` itself.
    pub copy: &'a [u8],
    /// Only says that the silence goes on (DTX): sent if something else has to travel.
    pub silence: bool,
}

/// A packet to be sent, without its header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outgoing {
    pub seq: SeqNo,
    pub timestamp: RtpTime,
    pub pt: PayloadType,
    /// The first packet after a silence (RFC 7587 section 4.1).
    pub marker: bool,
    pub payload: Vec<u8>,
    /// To be sent as RTX with `seq` as its original number.
    pub retransmission: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    pub packets: u64,
    /// Of primaries, without RED's headers.
    pub bytes: u64,
    /// Blocks that were sent unasked, by advice.
    pub copies: u64,
    /// Blocks that answered a request.
    pub answers: u64,
    pub retransmissions: u64,
    /// Bytes of blocks, their headers and retransmissions.
    pub redundant_bytes: u64,
    /// Requests: for the first time, after a lost answer, repeated while being answered, for what is not there.
    pub requested: u64,
    pub requested_again: u64,
    pub repeated: u64,
    pub unknown: u64,
    /// Answers given up: too old for a block, and no RTX.
    pub too_old: u64,
}

/// See the [module](super)'s description. No timer: it acts on frames and requests only.
#[derive(Clone, Debug)]
pub struct AudioSender {
    config: Config,
    next_seq: SeqNo,
    history: History,
    observed: ObservedLoss,
    heard: Option<(Instant, SenderAdvice)>,
    /// What is lost behind a server that repeats for its listeners, 0.0-1.0.
    listeners_loss: f32,
    began: Option<Instant>,
    queue: VecDeque<Outgoing>,
    in_silence: bool,
    stats: Stats,
}

impl AudioSender {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            next_seq: config.first_seq,
            history: History::default(),
            observed: ObservedLoss::default(),
            heard: None,
            listeners_loss: 0.0,
            began: None,
            queue: VecDeque::new(),
            in_silence: true,
            stats: Stats::default(),
        }
    }

    /// The receiver's own advice, where the application carries it.
    pub fn set_advice(&mut self, now: Instant, advice: &SenderAdvice) {
        self.heard = Some((now, *advice));
    }

    /// Behind the other end, a server, listeners lose this much, 0.0-1.0, and are repeated to by the server: only what is inside the packets
    /// reaches them besides.
    pub fn set_listeners_loss(&mut self, lost: f32) {
        self.listeners_loss = lost;
    }

    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.observed.set_round_trip(round_trip);
    }

    /// Fraction lost of a receiver report about this stream, in 256ths.
    pub fn on_report(&mut self, fraction_lost: u8) {
        self.observed.reported(fraction_lost);
    }

    /// What is followed now: what the receiver said lately, else what can be seen from here; the worst before either is known. The
    /// encoder should follow it too.
    pub fn advice(&self, now: Instant) -> SenderAdvice {
        let began = self.began.unwrap_or(now);
        let unheard = self.heard.is_none() && !self.observed.heard();
        let advice = match self.heard {
            Some((at, advice)) if now.saturating_duration_since(at) <= ADVICE_HOLDS => advice,
            None if unheard && now.saturating_duration_since(began) < PESSIMISM_MAX => PESSIMISTIC,
            _ => self.observed.advice(BUDGET),
        };
        advice.for_listeners(self.listeners_loss)
    }

    /// Takes the next frame, in the order of time. Poll afterwards.
    pub fn frame(&mut self, now: Instant, frame: Frame<'_>) {
        self.began.get_or_insert(now);
        let advice = self.advice(now);
        let mut room = self.config.payload_max.saturating_sub(frame.payload.len() + 1);
        let mut chosen = self.answers(frame.timestamp, &mut room);
        if frame.silence && chosen.is_empty() {
            self.in_silence = true;
            return;
        }
        if !frame.silence {
            self.add_copies(&advice, frame.timestamp, &mut chosen, &mut room);
        }
        let payload = self.packet_payload(&frame, &chosen);
        let (seq, timestamp) = (self.next_seq, frame.timestamp);
        let pt = match (chosen.is_empty(), self.config.red) {
            (false, Some(red)) => red,
            _ => self.config.codec,
        };
        let marker = !frame.silence && self.in_silence;
        self.in_silence = frame.silence;
        self.stats.packets += 1;
        self.stats.bytes += frame.payload.len() as u64;
        self.stats.redundant_bytes += (payload.len() - frame.payload.len()) as u64;
        self.history.push(now, seq, timestamp, frame.copy);
        self.observed.sent();
        self.next_seq = seq.plus(1);
        self.queue(Outgoing { seq, timestamp, pt, marker, payload, retransmission: false });
    }

    /// The receiver asks for these packets. The first answer goes out at once where retransmissions were negotiated, the others go
    /// into the next packets.
    pub fn on_nack(&mut self, now: Instant, seqs: impl IntoIterator<Item = SeqNo>) {
        let advice = self.advice(now);
        for seq in seqs {
            match self.history.ask(now, seq, advice.answers.clamp(1, ANSWERS_MAX), advice.round_trip) {
                Asked::First => {
                    self.stats.requested += 1;
                    self.observed.requested();
                    self.answer_at_once(seq);
                }
                Asked::Again => {
                    self.stats.requested_again += 1;
                    self.answer_at_once(seq);
                }
                Asked::Repeated => self.stats.repeated += 1,
                Asked::Unknown => self.stats.unknown += 1,
            }
        }
        if let Some(newest) = self.history.back(1).map(|sent| sent.timestamp) {
            self.retransmit(newest);
        }
    }

    pub fn poll_packet(&mut self) -> Option<Outgoing> {
        self.queue.pop_front()
    }

    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The first answer does not wait for the next frame: 10 ms on average, which decide whether one more round fits.
    fn answer_at_once(&mut self, seq: SeqNo) {
        if !self.config.rtx {
            return;
        }
        let codec = self.config.codec;
        let again = self.history.due().find(|sent| sent.seq == seq).map(|sent| sent.again(codec));
        again.into_iter().for_each(|outgoing| self.queue_again(outgoing));
    }

    /// Timestamps of the frames that were asked for and fit into the packet of `timestamp`.
    fn answers(&mut self, timestamp: RtpTime, room: &mut usize) -> Vec<RtpTime> {
        self.retransmit(timestamp);
        let mut chosen = Vec::new();
        if self.config.red.is_none() {
            return chosen;
        }
        for sent in self.history.due() {
            let cost = sent.copy.len() + BLOCK_HEADER;
            if chosen.len() < red::BLOCKS_MAX && cost <= *room {
                *room -= cost;
                sent.due -= 1;
                self.stats.answers += 1;
                chosen.push(sent.timestamp);
            }
        }
        chosen
    }

    /// Settles what is due and cannot be a block of a packet of `timestamp`.
    fn retransmit(&mut self, timestamp: RtpTime) {
        let Config { codec, red, rtx, .. } = self.config;
        let mut out = Vec::new();
        for sent in self.history.due() {
            let offset = timestamp.since(sent.timestamp);
            if red.is_some() && (0..=MAX_OFFSET).contains(&offset) && sent.copy.len() <= red::LENGTH_MAX {
                continue;
            }
            if !rtx {
                sent.due = 0;
                self.stats.too_old += 1;
                continue;
            }
            out.push(sent.again(codec));
        }
        out.into_iter().for_each(|outgoing| self.queue_again(outgoing));
    }

    /// Adds the copies that the advice plans, nearest first.
    fn add_copies(
        &mut self,
        advice: &SenderAdvice,
        timestamp: RtpTime,
        chosen: &mut Vec<RtpTime>,
        room: &mut usize,
    ) {
        if self.config.red.is_none() {
            return;
        }
        let stride = usize::from(advice.red_stride.max(1));
        for step in 1..=usize::from(advice.red_depth) {
            let Some(sent) = self.history.back(step * stride) else { break };
            let offset = timestamp.since(sent.timestamp);
            if offset > MAX_OFFSET || chosen.len() >= red::BLOCKS_MAX {
                break;
            }
            let cost = sent.copy.len() + BLOCK_HEADER;
            if cost <= *room && sent.copy.len() <= red::LENGTH_MAX && !chosen.contains(&sent.timestamp) {
                *room -= cost;
                self.stats.copies += 1;
                chosen.push(sent.timestamp);
            }
        }
    }

    fn packet_payload(&self, frame: &Frame<'_>, chosen: &[RtpTime]) -> Vec<u8> {
        if chosen.is_empty() {
            return frame.payload.to_vec();
        }
        let pt = self.config.codec;
        let mut blocks = Vec::with_capacity(chosen.len() + 1);
        for sent in self.history.iter().filter(|sent| chosen.contains(&sent.timestamp)) {
            let offset = frame.timestamp.since(sent.timestamp) as u32;
            blocks.push(Block { pt, offset, payload: &sent.copy });
        }
        blocks.push(Block { pt, offset: 0, payload: frame.payload });
        let mut payload = Vec::with_capacity(self.config.payload_max);
        red::join(&blocks, &mut payload);
        payload
    }

    fn queue_again(&mut self, outgoing: Outgoing) {
        self.stats.retransmissions += 1;
        self.stats.redundant_bytes += outgoing.payload.len() as u64;
        self.queue(outgoing);
    }

    fn queue(&mut self, outgoing: Outgoing) {
        if self.queue.len() >= QUEUE_MAX {
            self.queue.pop_front();
        }
        self.queue.push_back(outgoing);
    }
}

/// Of a redundant block.
const BLOCK_HEADER: usize = 4;
const MAX_OFFSET: i32 = red::OFFSET_MAX as i32;
