//! The inserting half of the buffer: what a packet says about the network, and the frames in it.

use super::buffer::AudioBuffer;
use super::config::Packet;
use super::decoder::Decoder;
use super::nack::Arrival;
use super::store::{Frame, Refused, Rung};
use packet::PayloadType;
use packet::fec::red;
use std::time::{Duration, Instant};

/// Deep redundancy reaches back at most 1.04 s (Opus DRED).
pub(super) const REACH_MAX: i64 = 50_000;
/// An Opus packet this short holds no audio: the sender is silent (DTX, RFC 6716 section 2.1.9).
pub(super) const DTX_LEN: usize = 2;
/// Media time older than this in a packet sent just now is no late packet but another timeline.
const ANCIENT: i64 = 2 * 48_000;
/// So many of them with nothing usable in between, and the timeline is believed to have jumped.
const ANCIENT_MAX: u32 = 3;
/// More missing packets at once than this (half a second of 20 ms) are an outage or a jump: no delay that could be chosen covers them, so
/// they say nothing about which one to choose.
const MISSING_MAX: i64 = 25;

/// The newest packet of the stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    pub seq: i64,
    /// Unwrapped ticks.
    pub at: i64,
    /// Samples in its frame; zero if that cannot be told.
    pub frame: i64,
    pub silent: bool,
}

impl<D: Decoder> AudioBuffer<D> {
    /// Takes one packet whose payload is one frame.
    pub fn insert(&mut self, now: Instant, packet: Packet<'_>) {
        let (at, seq) = self.arrived(now, &packet, packet.payload);
        let rung = if packet.retransmitted { Rung::Rtx } else { Rung::Primary };
        self.keep(now, at, packet.payload, rung, Some(seq));
    }

    /// Takes one packet whose payload is RFC 2198; blocks of another payload type than `codec` are left alone.
    pub fn insert_red(&mut self, now: Instant, packet: Packet<'_>, codec: PayloadType) {
        let Some(blocks) = red::split(packet.payload) else {
            self.stats.undecodable += 1;
            return;
        };
        let primary = red::split(packet.payload).into_iter().flatten().last();
        let primary = primary.filter(|block| block.pt == codec).map_or(&[][..], |block| block.payload);
        let (at, seq) = self.arrived(now, &packet, primary);
        for block in blocks.filter(|b| b.pt == codec && !b.payload.is_empty()) {
            let at = at - i64::from(block.offset);
            let (rung, seq) = match block.offset {
                0 if packet.retransmitted => (Rung::Rtx, Some(seq)),
                0 => (Rung::Primary, Some(seq)),
                _ => (Rung::Red, None),
            };
            if rung == Rung::Red {
                self.copied(now, at);
            }
            self.keep(now, at, block.payload, rung, seq);
        }
    }

    /// Learns from the packet; returns its media time and sequence number, unwrapped.
    fn arrived(&mut self, now: Instant, packet: &Packet<'_>, primary: &[u8]) -> (i64, i64) {
        self.stats.packets += 1;
        self.stats.retransmitted += u64::from(packet.retransmitted);
        self.first_arrival.get_or_insert(now);
        self.zero.get_or_insert(packet.timestamp);
        let at = self.ticks.ticks(packet.timestamp);
        let seq = self.nack.unwrap(packet.seq);
        if let Some(playing) = &mut self.playing {
            playing.last_packet = now;
        }
        if packet.retransmitted {
            let delay = self.delay_at(now, at).unwrap_or_default();
            self.nack.arrived(now, seq, at, delay, Arrival::Retransmitted);
            return (at, seq);
        }
        self.estimator.insert(now, packet.timestamp);
        let delay = self.delay_at(now, at).unwrap_or_default();
        self.first_loss.arrived(seq);
        self.nack.arrived(now, seq, at, delay, Arrival::Original);
        self.expect(now, seq, at, primary);
        self.repair.exact(at, delay);
        self.reached_back(now, at, primary);
        (at, seq)
    }

    /// Tells `repair` of every frame up to this packet's.
    fn expect(&mut self, now: Instant, seq: i64, at: i64, primary: &[u8]) {
        if let Some(newest) = self.newest {
            if seq <= newest.seq {
                return;
            }
            let steps = seq - newest.seq;
            if steps <= MISSING_MAX {
                (1..steps).for_each(|n| self.repair.expect(newest.at + (at - newest.at) * n / steps));
            }
        }
        self.repair.expect(at);
        let frame = self.decoder.samples(primary).unwrap_or(0) as i64;
        self.newest = Some(Newest { seq, at, frame, silent: primary.len() <= DTX_LEN });
        // Older than the longest delay that could be chosen, by this packet's own lateness too.
        let horizon = super::repair::STEP * super::repair::STEPS as u32;
        let late = self.delay_at(now, at).unwrap_or_default();
        let back = horizon.saturating_sub(late).as_micros() as i64 * 48 / 1000;
        self.repair.settle_before(at - back);
    }

    /// Asks the decoder how far back the packet reaches, if anything in its reach is missing: asking costs tens of microseconds.
    fn reached_back(&mut self, now: Instant, at: i64, primary: &[u8]) {
        if primary.is_empty() || !self.repair.lacks(at - self.reach, at) {
            return;
        }
        let reach = self.decoder.reach(primary) as i64;
        self.reach = reach.clamp(super::buffer::PULL as i64 * 8, REACH_MAX);
        let (estimator, zero) = (&self.estimator, self.zero);
        self.repair.deep(at - reach, at, |frame| {
            zero.and_then(|zero| estimator.delay_at(now, zero.plus(frame as u32))).unwrap_or(Duration::MAX)
        });
    }

    /// A copy of the frame at `at` came in another packet: on its own, or as the answer to a request.
    fn copied(&mut self, now: Instant, at: i64) {
        let delay = self.delay_at(now, at).unwrap_or(Duration::MAX);
        if !self.nack.was_asked(at) {
            self.repair.exact(at, delay);
        }
        self.nack.recovered(at, delay);
    }

    fn keep(&mut self, now: Instant, at: i64, payload: &[u8], rung: Rung, seq: Option<i64>) {
        let Some(samples) = self.decoder.samples(payload).filter(|samples| *samples > 0) else {
            self.stats.undecodable += 1;
            return;
        };
        let next = self
            .playing
            .as_ref()
            .map_or_else(|| self.store.first().map_or(at, |(first, _)| first.min(at)), |p| p.next);
        let frame = Frame { payload: payload.to_vec(), rung, seq, samples };
        match self.store.insert(at, next, frame) {
            Ok(()) => self.ancient = 0,
            Err(_) if rung == Rung::Red => {} // Redundancy that was not needed.
            Err(Refused::Duplicate) => self.stats.duplicate += 1,
            Err(refused) => {
                let far = match refused {
                    Refused::TooLate => {
                        self.stats.too_late += 1;
                        self.ancient += u32::from(next - at > ANCIENT);
                        self.ancient >= ANCIENT_MAX
                    }
                    _ => {
                        self.stats.too_far_ahead += 1;
                        true
                    }
                };
                if far && rung == Rung::Primary {
                    self.restart(now, at, seq);
                    self.keep(now, at, payload, rung, seq); // Ends: an empty store takes it.
                }
            }
        }
    }

    /// The sender's timeline jumped to `at`: play anew from there. What was learnt about the network stays.
    fn restart(&mut self, now: Instant, at: i64, seq: Option<i64>) {
        self.stats.restarts += 1;
        self.ancient = 0;
        self.store.clear();
        self.repair.restart();
        self.nack.restart();
        self.first_loss.restart();
        self.stop();
        self.first_arrival = Some(now);
        self.ticks.move_to(at);
        if let Some(seq) = seq {
            self.newest = Some(Newest { seq, at, frame: 0, silent: true });
            self.nack.arrived(now, seq, at, Duration::ZERO, Arrival::Original);
            self.first_loss.arrived(seq);
        }
    }
}
