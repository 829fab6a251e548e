//! Transport-wide feedback to a publisher: when each of its packets arrived
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01). What a browser's rate control lives on.
//!
//! ```text
//!   base          next                        highest
//!    | reported ... | told, held, told, held ... |      what is missing may be told as received: see `Shaper`
//! ```
//! A missing packet is held out of the messages until it can be repaired no longer: libwebrtc forgets what was received at once, and
//! could not send it again. A message is about one run without held ones between.

use super::shaper::{Part, Shaper};
use crate::UplinkStats;
use packet::ext::AbsSendTime;
use packet::rtcp::{FeedbackBuilder, TransportFeedback};
use packet::{ExtSeq, SeqNo, Ssrc};
use std::collections::VecDeque;

#[derive(Clone, Debug, Default)]
pub(crate) struct FeedbackRecorder {
    /// By sequence number from `base`.
    entries: VecDeque<Entry>,
    base: u64,
    /// First number the next message speaks of.
    next: u64,
    highest: Option<ExtSeq>,
    count: u8,
    shaper: Shaper,
    /// First number whose fate the shaper has not heard, and where it may go: late packets are waited for.
    judged: u64,
    horizon: [u64; 2],
    /// Something arrived since the last message.
    fresh: bool,
    /// Arrival of the last judged packet.
    judged_at: Option<i64>,
}

/// One packet as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub seq: SeqNo,
    /// Microseconds of any clock of ours that starts below zero for nobody.
    pub at_us: i64,
    pub bytes: usize,
    pub sent: Option<AbsSendTime>,
    /// How late it is by its stream's own clock, microseconds; where `sent` is missing.
    pub behind_us: Option<i64>,
    pub part: Part,
}

/// 32 bytes: hundreds are kept for each publisher.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Of the packet, if it came.
    at: Micros,
    sent: Micros,
    bytes: u16,
    part: Part,
    /// When it arrived, as it is said.
    told: Micros,
    state: State,
}

/// A time, or none.
#[derive(Clone, Copy, Debug)]
struct Micros(i64);

impl Micros {
    const NONE: Self = Self(i64::MIN);

    fn get(self) -> Option<i64> {
        Some(self.0).filter(|_| self.0 != Self::NONE.0)
    }
}

impl Default for Entry {
    fn default() -> Self {
        let (at, sent, told) = (Micros::NONE, Micros::NONE, Micros::NONE);
        Self { at, sent, told, bytes: 0, part: Part::Other, state: State::default() }
    }
}

impl Entry {
    fn packet(&self) -> Option<Packet> {
        let (at, sent) = (self.at.get()?, self.sent.get());
        Some(Packet { at, bytes: self.bytes, sent, part: self.part })
    }

    fn set_packet(&mut self, packet: Packet) {
        (self.at, self.sent) = (Micros(packet.at), packet.sent.map_or(Micros::NONE, Micros));
        (self.bytes, self.part) = (packet.bytes, packet.part);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Held,
    /// For the next message: received if `told`, else lost.
    Decided,
    Reported,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    at: i64,
    bytes: u16,
    /// When it was sent, on the sender's clock.
    sent: Option<i64>,
    part: Part,
}

/// Kept for packets that arrive late and are reported again with their neighbours: half a second of 4 Mb/s. A power of
/// two, as the ring grows in those.
const WINDOW: usize = 256;
/// A jump further than this starts over: nobody needs the losses in between one by one.
const JUMP_MAX: u64 = 2000;
/// So much silence, microseconds, with so many packets lost in it is an outage.
const OUTAGE: (i64, u64) = (300_000, 10);

impl FeedbackRecorder {
    /// True if this is the first packet since the last message.
    pub fn on_packet(&mut self, arrival: Arrival) -> bool {
        let Arrival { seq, at_us, .. } = arrival;
        let Some(highest) = self.highest else {
            self.restart((1 << 16) + u64::from(seq.0), arrival);
            return true;
        };
        let ext = highest.nearest(seq);
        if ext.0.abs_diff(highest.0) > JUMP_MAX {
            self.restart((1 << 16) + u64::from(seq.0), arrival);
            return true;
        }
        let Some(mut index) = ext.0.checked_sub(self.base).map(|index| index as usize) else { return false };
        let first = !std::mem::replace(&mut self.fresh, true);
        self.highest = Some(highest.max(ext));
        let over = (index + 1).saturating_sub(WINDOW);
        if over > 0 {
            self.entries.drain(..over.min(self.entries.len()));
            self.base += over as u64;
            self.next = self.next.max(self.base);
            self.judged = self.judged.max(self.base);
            index -= over;
        }
        if index >= self.entries.len() {
            self.entries.resize(index + 1, Entry::default());
        }
        if self.entries[index].packet().is_none() {
            let packet = self.packet(arrival, at_us);
            let entry = &mut self.entries[index];
            entry.set_packet(packet);
            if entry.told.get().is_none() {
                entry.state = State::Held;
                self.next = self.next.min(ext.0);
            }
        }
        first
    }

    fn packet(&mut self, arrival: Arrival, at: i64) -> Packet {
        let sent = self.shaper.on_packet(at, arrival.sent, arrival.behind_us);
        Packet { at, bytes: arrival.bytes.min(u16::MAX.into()) as u16, sent, part: arrival.part }
    }

    fn restart(&mut self, ext: u64, arrival: Arrival) {
        (self.base, self.next, self.highest) = (ext, ext, Some(ExtSeq(ext)));
        (self.judged, self.horizon, self.judged_at) = (ext, [ext; 2], None);
        self.entries.clear();
        self.fresh = true;
        let mut entry = Entry::default();
        entry.set_packet(self.packet(arrival, arrival.at_us));
        self.entries.push_back(entry);
    }

    /// Decides what the coming messages say; `now_us` on the clock of arrivals. What is missing may still be repaired for
    /// `hold_us`. Call before [`Self::message`].
    pub fn prepare(&mut self, now_us: i64, hold_us: i64) {
        let Some(highest) = self.highest else { return };
        self.fresh = false;
        self.judge();
        self.horizon = [self.horizon[1], highest.0];
        self.shaper.update(now_us);
        let masks = self.shaper.masks();
        let from = (self.next - self.base) as usize;
        let mut before = self.entries.range(..from).rev().take(64).find_map(Entry::packet);
        let mut missing = from..from;
        for index in from..self.entries.len() {
            let Some(packet) = self.entries[index].packet() else { continue };
            missing.end = index;
            let count = missing.len() as u64;
            match before {
                Some(before) if masks && now_us - packet.at >= hold_us => self.mask(missing, before, packet),
                Some(before) if !masks => self.admit_loss(missing, before, packet),
                _ => {}
            }
            let entry = &mut self.entries[index];
            if entry.told.get().is_none() {
                entry.told = Micros(self.shaper.said(packet.at, packet.bytes.into()));
                entry.state = State::Decided;
                if let Some(sent) = packet.sent {
                    self.shaper.in_order(sent, packet.part, count);
                }
            }
            missing = index + 1..index + 1;
            before = Some(packet);
        }
    }

    /// Tells the packets missing between two as lost.
    fn admit_loss(&mut self, missing: std::ops::Range<usize>, before: Packet, after: Packet) {
        for lost in missing {
            let entry = &mut self.entries[lost];
            if entry.state == State::Held && entry.told.get().is_none() {
                entry.state = State::Decided;
                if self.shaper.charges() {
                    self.shaper.said(before.at, mean(before, after));
                }
            }
        }
    }

    /// Tells the packets missing between two as received.
    fn mask(&mut self, missing: std::ops::Range<usize>, before: Packet, after: Packet) {
        let count = missing.len() as u64;
        let known = before.sent.zip(after.sent);
        let mut times = known.map(|(first, second)| {
            self.shaper.would_have_arrived(((first, before.at), (second, after.at)), count)
        });
        for (n, lost) in missing.enumerate() {
            let evenly = before.at + (after.at - before.at) * (n as i64 + 1) / (count as i64 + 1);
            let at = times.as_mut().and_then(|times| times.next()).unwrap_or(evenly);
            let entry = &mut self.entries[lost];
            if entry.state == State::Held && entry.told.get().is_none() {
                entry.told = Micros(self.shaper.said(at, mean(before, after)));
                entry.state = State::Decided;
            }
        }
    }

    pub fn stats(&self) -> UplinkStats {
        self.shaper.stats()
    }

    #[cfg(test)]
    pub fn tell_the_truth(&mut self) {
        for entry in self.entries.iter_mut().filter(|e| e.state != State::Reported) {
            (entry.told, entry.state) = (entry.at, State::Decided);
        }
    }

    /// Tells the shaper what became of the packets that are old enough to be lost, not late.
    fn judge(&mut self) {
        let mut lost = 0u64;
        let mut until = self.judged;
        for number in self.judged..=self.horizon[0] {
            let Some(entry) = self.entries.get((number - self.base) as usize) else { break };
            let Some(packet) = entry.packet() else {
                lost += 1;
                continue;
            };
            let since = packet.at - self.judged_at.unwrap_or(packet.at);
            if since > OUTAGE.0 && lost > OUTAGE.1 {
                self.shaper.on_outage();
            } else {
                (0..lost).for_each(|_| self.shaper.on_fate(0, None));
            }
            self.shaper.on_fate(since, Some(packet.bytes.into()));
            self.judged_at = Some(packet.at.max(self.judged_at.unwrap_or(packet.at)));
            (lost, until) = (0, number + 1);
        }
        self.judged = until;
    }

    /// The next message; `None` when there is nothing more. Call until then.
    pub fn message(&mut self, sender: Ssrc, media: Ssrc) -> Option<TransportFeedback> {
        let from = (self.next - self.base) as usize;
        let first = (from..self.entries.len()).find(|&i| self.entries[i].state == State::Decided)?;
        let mut builder: Option<FeedbackBuilder> = None;
        let mut end = first;
        for index in first..self.entries.len() {
            let entry = &mut self.entries[index];
            // What was received ends a run of losses, also if it was said before.
            if entry.state == State::Held || entry.state == State::Reported && builder.is_some() {
                break;
            }
            if let Some(at) = entry.told.get() {
                let seq = SeqNo((self.base + index as u64) as u16);
                match &mut builder {
                    None => builder = Some(FeedbackBuilder::new(sender, media, self.count, seq, at)),
                    Some(builder) => {
                        if !builder.push(seq, at) {
                            break;
                        }
                    }
                }
                end = index + 1;
            }
        }
        self.entries.range_mut(first..end).for_each(|entry| entry.state = State::Reported);
        let open = (from..self.entries.len()).find(|&i| self.entries[i].state != State::Reported);
        self.next = self.base + open.unwrap_or(self.entries.len()) as u64;
        let mut message = builder?.finish();
        // Losses before the first that was received.
        let base = SeqNo((self.base + first as u64) as u16);
        let missing = message.base.since(base) as u16;
        message.base = base;
        message.status_count += missing;
        message.received.iter_mut().for_each(|r| r.offset += missing);
        self.count = self.count.wrapping_add(1);
        Some(message)
    }
}

/// What a packet between two is taken to have had, bytes.
fn mean(before: Packet, after: Packet) -> usize {
    (usize::from(before.bytes) + usize::from(after.bytes)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(r: &mut FeedbackRecorder, seq: u16, at_us: i64) -> bool {
        r.on_packet(Arrival {
            seq: SeqNo(seq),
            at_us,
            bytes: 1000,
            sent: None,
            behind_us: None,
            part: Part::Other,
        })
    }
    fn messages(recorder: &mut FeedbackRecorder) -> Vec<TransportFeedback> {
        recorder.prepare(0, i64::MIN / 2);
        std::iter::from_fn(|| recorder.message(Ssrc(1), Ssrc(2))).collect()
    }
    fn arrivals(message: &TransportFeedback) -> Vec<(u16, Option<i64>)> {
        message.arrivals().map(|(seq, at)| (seq.0, at)).collect()
    }

    #[test]
    fn every_number_is_reported_once_across_the_wrap_losses_at_a_likely_time() {
        let mut r = FeedbackRecorder::default();
        assert_eq!(messages(&mut r), []);
        assert!(put(&mut r, 65_534, 64_000));
        assert!(!put(&mut r, 0, 65_000));
        let [first] = &messages(&mut r)[..] else { panic!("one message") };
        assert_eq!(arrivals(first), [(65_534, Some(64_000)), (65_535, Some(64_500)), (0, Some(65_000))]);
        assert_eq!(messages(&mut r), []);
        // 1 is lost between two messages.
        assert!(put(&mut r, 2, 130_000));
        let [second] = &messages(&mut r)[..] else { panic!("one message") };
        assert_eq!(arrivals(second), [(1, Some(97_500)), (2, Some(130_000))]);
        assert_eq!(second.feedback_count, first.feedback_count.wrapping_add(1));
    }

    #[test]
    fn a_missing_packet_is_held_until_it_can_be_repaired_no_longer() {
        let mut r = FeedbackRecorder::default();
        for (seq, at) in [(10, 1_000), (12, 2_000), (13, 3_000), (15, 4_000)] {
            put(&mut r, seq, at);
        }
        let messages = |r: &mut FeedbackRecorder, now| {
            r.prepare(now, 100_000);
            let all = std::iter::from_fn(|| r.message(Ssrc(1), Ssrc(2)));
            all.map(|m| arrivals(&m)).collect::<Vec<_>>()
        };
        let told = |seq, at| (seq, Some(at));
        assert_eq!(
            messages(&mut r, 10_000),
            [vec![told(10, 1_000)], vec![told(12, 2_000), told(13, 3_000)], vec![told(15, 4_000)]]
        );
        assert!(messages(&mut r, 50_000).is_empty());
        // One was only late; the other is said to have arrived.
        assert!(put(&mut r, 11, 60_000));
        assert_eq!(messages(&mut r, 70_000), [vec![told(11, 60_000)]]);
        assert!(put(&mut r, 16, 150_000));
        assert_eq!(messages(&mut r, 150_000), [vec![told(14, 3_500)], vec![told(16, 150_000)]]);
        assert!(messages(&mut r, 300_000).is_empty());
    }

    #[test]
    fn a_pause_and_a_jump_are_survived() {
        let mut r = FeedbackRecorder::default();
        put(&mut r, 1, 0);
        // Twenty seconds later: beyond one message's clock.
        put(&mut r, 2, 20_000_000);
        assert_eq!(messages(&mut r).len(), 2);
        put(&mut r, 30_000, 20_001_000);
        let [message] = &messages(&mut r)[..] else { panic!("one message") };
        assert_eq!(arrivals(message), [(30_000, Some(20_001_000))]);
        for i in 0..5_000u16 {
            put(&mut r, 30_001 + i, 21_000_000 + i64::from(i) * 250);
        }
        let all = messages(&mut r);
        assert!(all.iter().map(|m| usize::from(m.status_count)).sum::<usize>() <= WINDOW);
        assert!(r.entries.len() <= WINDOW);
    }
}
