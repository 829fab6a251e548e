//! Which packets of a layer are missing, and when to ask for each (again). Paced by the round trip, as asking again before
//! the answer can have come only doubles it; bounded by the time after which nobody waits any longer, not by a count.
//!
//! ```text
//!  missing --5 ms, perhaps only late--> asked --lossy: once more soon, requests are lost too--> one round trip --> asked ...
//! ```

use packet::SeqNo;
use packet::media::MediaKind;
use std::time::{Duration, Instant};

#[derive(Clone, Debug, Default)]
pub(crate) struct NackGenerator {
    /// Ascending.
    missing: Vec<Missing>,
    highest: Option<(u64, Instant)>,
    asked: u64,
    /// From a request to its answer, smoothed: known also of a peer that reports nothing.
    answered: Option<Duration>,
    /// Answers in a row that came after a second request.
    ambiguous: u8,
    /// Share of the packets that did not come by themselves, smoothed.
    lost: f32,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    ext_seq: u64,
    since: Instant,
    next: Instant,
    /// Rounds of asking begun, and when the last was.
    rounds: u16,
    asked: Instant,
    /// The request of this round goes out so many times more.
    copies: u8,
}

/// A reordered packet arrives a little later; most arrive within this.
const REORDER_WAIT: Duration = Duration::from_millis(5);
/// Round trip to a publisher that has reported none and answered nothing yet.
const DEFAULT_RTT: Duration = Duration::from_millis(80);
/// More answers in a row than chance explains, if requests waited for them: at 30 % loss one in three comes to a second request.
const AMBIGUOUS_MAX: u8 = 5;
/// Between two rounds of requests for one packet, at least.
const REPEAT_MIN: Duration = Duration::from_millis(20);
/// Somebody still waits for it: a picture late by a second is sooner there than a keyframe that is asked for instead, and what
/// comes after it refers to it.
pub(super) const AGE_MAX: Duration = Duration::from_millis(1000);
/// Sound is asked for only while the answer can be here by then. A browser that hears one word later than this keeps all that
/// follow back for as long: fewer gaps are not worth that.
const SOUND_WITHIN: Duration = Duration::from_millis(300);
/// From this share of packets lost on the way up on, requests of a second round are doubled. A browser answers once in a round trip, so the
/// copy costs a few bytes and raises the success of a round at 30 % loss from 49 to 64 %. Never judged by answers that do not come:
/// a sender that answers every copy and caps what it repeats (str0m) would be asked the more, the less it may send.
const DOUBLED: f32 = 0.05;
/// From here on those of the first round go out three times.
const DOUBLED_AT_ONCE: f32 = 0.16;
/// libwebrtc answers a request again when its own idea of the round trip and 5 ms have gone by since it last did.
const ANSWERS_AGAIN: Duration = Duration::from_millis(15);
/// Of one packet in the smoothed share.
const WEIGHT: f32 = 0.005;
/// Between the two: losses come in bursts.
const COPY_WAIT: Duration = Duration::from_millis(12);
/// More missing at once is an outage: a keyframe is cheaper.
const MISSING_MAX: usize = 256;

/// A gap of video this long and this many packets wide is an outage too.
const OUTAGE: (Duration, u64) = (Duration::from_millis(500), 30);

/// What a packet meant for the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gap {
    None,
    /// New packets are missing: ask soon.
    New,
    /// Too many: the list was emptied, a keyframe is needed.
    Outage,
}

impl NackGenerator {
    /// `outage`: a long gap is given up as a whole (video), not only what is too old of it (audio).
    /// `answer`: it may have been asked for; what comes back out of redundancy was not.
    pub fn on_packet(&mut self, now: Instant, ext_seq: u64, outage: bool, answer: bool) -> Gap {
        let Some((highest, before)) = self.highest else {
            self.highest = Some((ext_seq, now));
            return Gap::None;
        };
        if ext_seq <= highest {
            if let Ok(at) = self.missing.binary_search_by_key(&ext_seq, |m| m.ext_seq) {
                let arrived = self.missing.remove(at);
                if answer {
                    self.on_answer(now, arrived);
                }
            }
            return Gap::None;
        }
        self.highest = Some((ext_seq, now));
        let new = ext_seq - highest - 1;
        self.lost *= 1.0 - WEIGHT;
        if new == 0 {
            return Gap::None;
        }
        let silence = now.saturating_duration_since(before);
        if self.missing.len() as u64 + new > MISSING_MAX as u64
            || outage && silence > OUTAGE.0 && new > OUTAGE.1
        {
            self.missing.clear();
            return Gap::Outage;
        }
        for _ in 0..new {
            self.lost += (1.0 - self.lost) * WEIGHT;
        }
        let next = now + REORDER_WAIT;
        // They were sent evenly over the silence: the first of many may be too old already.
        let missing = (highest + 1..ext_seq).map(|missing| {
            let age = silence * (ext_seq - 1 - missing) as u32 / new as u32;
            Missing { ext_seq: missing, since: now - age, next, rounds: 0, asked: now, copies: 0 }
        });
        self.missing.extend(missing.filter(|m| now.saturating_duration_since(m.since) < AGE_MAX));
        Gap::New
    }

    /// A keyframe began here and pictures before it are of no use to anybody who waits.
    pub fn forget_before(&mut self, ext_seq: u64) {
        self.missing.retain(|m| m.ext_seq >= ext_seq);
    }

    /// Something that was missing is there.
    fn on_answer(&mut self, now: Instant, missing: Missing) {
        match missing.rounds {
            // Only late.
            0 => self.lost = ((self.lost - WEIGHT) / (1.0 - WEIGHT)).max(0.0),
            1 => {
                let sample = now.saturating_duration_since(missing.asked);
                let known = self.answered.get_or_insert(sample);
                *known = (*known * 7 + sample) / 8;
                self.ambiguous = 0;
            }
            // To which of the requests? If there are no others, all of them come too soon for their answers.
            _ => {
                self.ambiguous += 1;
                if self.ambiguous >= AMBIGUOUS_MAX {
                    let longer = self.answered.unwrap_or(DEFAULT_RTT) * 5 / 4;
                    self.answered = Some(longer.min(AGE_MAX / 2));
                    self.ambiguous = 0;
                }
            }
        }
    }

    /// Sequence numbers to ask for now, ascending. `rtt`: as reported, if it was. True: a picture is given up, only a keyframe
    /// helps.
    pub fn due(
        &mut self,
        now: Instant,
        rtt: Option<Duration>,
        kind: MediaKind,
        ask: &mut Vec<SeqNo>,
    ) -> bool {
        let rtt = rtt.or(self.answered).unwrap_or(DEFAULT_RTT);
        let mut given_up = false;
        let age_max = match kind {
            MediaKind::Audio => SOUND_WITHIN.saturating_sub(rtt),
            MediaKind::Video => AGE_MAX,
        };
        let repeat = repeat_after(rtt);
        let long = repeat > 3 * COPY_WAIT;
        let (doubled, at_once) = (long && self.lost > DOUBLED, long && self.lost > DOUBLED_AT_ONCE);
        self.missing.retain_mut(|m| {
            if m.next > now {
                return true;
            }
            if now.saturating_duration_since(m.since) > age_max {
                given_up |= kind == MediaKind::Video && m.rounds > 0;
                return false;
            }
            if m.copies > 0 {
                m.copies -= 1;
            } else {
                m.copies = match (at_once, doubled && m.rounds > 0) {
                    (true, _) => 2,
                    (false, true) => 1,
                    _ => 0,
                };
                (m.rounds, m.asked) = (m.rounds.saturating_add(1), now);
            }
            m.next = if m.copies > 0 { now + COPY_WAIT } else { m.asked + repeat };
            ask.push(SeqNo(m.ext_seq as u16));
            true
        });
        self.asked += ask.len() as u64;
        given_up
    }

    pub fn next(&self) -> Option<Instant> {
        self.missing.iter().map(|m| m.next).min()
    }

    /// From a request to its answer.
    pub fn answered(&self) -> Option<Duration> {
        self.answered
    }

    pub fn asked(&self) -> u64 {
        self.asked
    }
}

/// From one round of asking to the next: a quarter more than the smoothed round trip, as it varies.
pub(super) fn repeat_after(rtt: Duration) -> Duration {
    (rtt + (rtt / 4).max(ANSWERS_AGAIN)).max(REPEAT_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn ms(n: u64) -> Instant {
        start() + Duration::from_millis(n)
    }
    fn due(nack: &mut NackGenerator, at: Instant, rtt_ms: u64) -> Vec<u16> {
        let mut ask = Vec::new();
        nack.due(at, Some(Duration::from_millis(rtt_ms)), MediaKind::Video, &mut ask);
        ask.into_iter().map(|s| s.0).collect()
    }

    #[test]
    fn missing_packets_are_asked_for_once_a_round_trip_across_the_wrap() {
        let mut nack = NackGenerator::default();
        assert_eq!(nack.on_packet(ms(0), 65_534, true, true), Gap::None);
        assert_eq!(nack.on_packet(ms(0), 65_538, true, true), Gap::New);
        assert_eq!(due(&mut nack, ms(4), 80), [0u16; 0], "reordering is waited for");
        // 65536 was only late.
        assert_eq!(nack.on_packet(ms(4), 65_536, true, true), Gap::None);
        assert_eq!(due(&mut nack, ms(5), 80), [65_535, 1]);
        assert_eq!(due(&mut nack, ms(100), 80), [0u16; 0]);
        assert_eq!(nack.next(), Some(ms(105)));
        nack.on_packet(ms(103), 65_537, true, true);
        assert_eq!(due(&mut nack, ms(105), 80), [65_535]);
        nack.on_packet(ms(106), 65_535, true, true);
        assert_eq!(nack.next(), None);
        assert_eq!(nack.asked(), 3);
    }

    #[test]
    fn a_packet_that_never_comes_is_given_up() {
        for (rtt_ms, times) in [(1, 50), (400, 2)] {
            let mut nack = NackGenerator::default();
            nack.on_packet(ms(0), 10, true, true);
            nack.on_packet(ms(0), 12, true, true);
            let asked: usize = (0..3_000).map(|t| due(&mut nack, ms(t), rtt_ms).len()).sum();
            assert_eq!(asked, times, "rtt {rtt_ms}");
            assert_eq!(nack.next(), None);
        }
    }

    #[test]
    fn sound_is_asked_for_while_the_answer_can_come_in_time() {
        for (rtt_ms, times) in [(40, 5), (100, 2), (200, 1), (320, 0)] {
            let mut nack = NackGenerator::default();
            nack.on_packet(ms(0), 10, false, true);
            nack.on_packet(ms(0), 12, false, true);
            let mut ask = Vec::new();
            for t in 0..1000 {
                nack.due(ms(t), Some(Duration::from_millis(rtt_ms)), MediaKind::Audio, &mut ask);
            }
            assert_eq!(ask.len(), times, "rtt {rtt_ms}");
            assert_eq!(nack.next(), None);
        }
    }

    #[test]
    fn on_a_lossy_path_requests_go_out_three_times_and_the_round_trip_is_learned() {
        let (mut nack, mut ask) = (NackGenerator::default(), Vec::new());
        let mut seq = 10;
        nack.on_packet(ms(0), seq, true, true);
        // Every request is answered after 100 ms, half of them only in the second round.
        let mut rounds = Vec::new();
        for n in 0..100u64 {
            let t = n * 400;
            seq += 2;
            nack.on_packet(ms(t), seq, true, true);
            let mut times = Vec::new();
            for step in 0..if n % 2 == 0 { 105 } else { 235 } {
                ask.clear();
                nack.due(ms(t + step), None, MediaKind::Video, &mut ask);
                if !ask.is_empty() {
                    times.push(step);
                }
            }
            nack.on_packet(ms(t + if n % 2 == 0 { 105 } else { 235 }), seq - 1, true, true);
            rounds.push(times);
        }
        assert_eq!(rounds[0], [5], "nothing is known yet");
        assert_eq!(rounds[98], [5, 17, 29]);
        assert!(rounds[99].len() == 6 && (125..=135).contains(&rounds[99][3]), "{:?}", rounds[99]);
        assert!(
            nack.answered.is_some_and(|rtt| (95..=105).contains(&rtt.as_millis())),
            "{:?}",
            nack.answered
        );
    }

    #[test]
    fn a_round_trip_longer_than_the_guess_is_learned_although_every_answer_comes_behind_the_next_request() {
        let (mut nack, mut ask) = (NackGenerator::default(), Vec::new());
        nack.on_packet(ms(0), 10, true, true);
        for n in 0..60u64 {
            let t = n * 1000;
            nack.on_packet(ms(t), 12 + 2 * n, true, true);
            for step in 0..155 {
                nack.due(ms(t + step), None, MediaKind::Video, &mut ask);
            }
            nack.on_packet(ms(t + 155), 11 + 2 * n, true, true);
        }
        assert!(
            nack.answered.is_some_and(|rtt| (140..=155).contains(&rtt.as_millis())),
            "{:?}",
            nack.answered
        );
        // What comes back out of redundancy says nothing about it.
        nack.on_packet(ms(90_000), 140, true, true);
        nack.due(ms(90_005), None, MediaKind::Video, &mut ask);
        let before = nack.answered;
        nack.on_packet(ms(90_006), 139, true, false);
        assert_eq!(nack.answered, before);
    }

    #[test]
    fn an_outage_is_not_asked_for_packet_by_packet() {
        let mut nack = NackGenerator::default();
        nack.on_packet(ms(0), 10, true, true);
        assert_eq!(nack.on_packet(ms(0), 10 + 1 + 256, true, true), Gap::New);
        assert_eq!(nack.on_packet(ms(0), 10 + 1 + 256 + 2, true, true), Gap::Outage);
        assert_eq!(nack.next(), None);
        assert_eq!(nack.on_packet(ms(0), u64::MAX / 2, true, true), Gap::Outage);
    }

    #[test]
    fn after_an_outage_only_recent_sound_is_asked_for_and_no_picture() {
        // Two seconds without sound: a hundred packets, of which the last 13 can still be answered in time.
        let mut nack = NackGenerator::default();
        nack.on_packet(ms(0), 10, false, true);
        assert_eq!(nack.on_packet(ms(2000), 111, false, true), Gap::New);
        let mut asked = Vec::new();
        nack.due(ms(2005), Some(Duration::from_millis(50)), MediaKind::Audio, &mut asked);
        assert_eq!((asked.len(), asked[0].0, asked[asked.len() - 1].0), (13, 98, 110));
        let mut nack = NackGenerator::default();
        nack.on_packet(ms(0), 10, true, true);
        assert_eq!(nack.on_packet(ms(2000), 111, true, true), Gap::Outage);
        // A screen that stands still, and one lost packet, is none.
        assert_eq!(nack.on_packet(ms(4000), 113, true, true), Gap::New);
        assert_eq!(due(&mut nack, ms(4005), 50), [112]);
    }

    #[test]
    fn what_a_keyframe_replaces_is_not_asked_for() {
        let mut nack = NackGenerator::default();
        nack.on_packet(ms(0), 10, true, true);
        nack.on_packet(ms(0), 15, true, true);
        nack.forget_before(13);
        assert_eq!(due(&mut nack, ms(5), 50), [13, 14]);
    }
}
