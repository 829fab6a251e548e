//! When what waits for one destination leaves: as fast as its link takes it, what matters most first.
//!
//! ```text
//!  push ─► lines, one a class:  RTCP │ audio │ RTX │ base │ enhancement │ ahead │ padding
//!                                 │     │      └── while the modelled queue of the link is short ──┐
//!  release, once a drain:         └─ always ─┘                                                     └─► batch
//! ```
//! The link's queue is modelled: what is sent goes in, the estimate leaks out. While little is in it, everything
//! leaves in the drain that brought it, so an unloaded path adds no delay and keeps its batches. A keyframe beyond
//! that waits here, where audio passes it, instead of in front of the link, where nothing can; it leaves in ticks.
//!
//! Data channels have a line of their own ([`DataLine`]), which is no reason to leave pictures out.
//!
//! Packets of one source never overtake each other: sequence numbers are given before, and a receiver takes a packet
//! that was overtaken for lost. What comes behind a packet of its own source waits in that one's line. Repairs get their numbers on
//! leaving: one that somebody waits for passes those that nobody has missed yet.

use super::bucket::Bucket;
use super::data_line::DataLine;
use super::egress::{Queued, is_rtx};
use crate::DropReason;
use bwe::{Probe, ProbeId, ProbeReason};
use packet::fec::ahead::COPY_AFTER;
use packet::{Bitrate, prefetch};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// In the order of leaving. RTCP and audio never wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Class {
    Rtcp,
    Audio,
    /// Somebody waits for it already.
    Rtx,
    /// Video that later pictures are made from.
    Base,
    /// Video that nothing in the base layer refers to.
    Enhancement,
    /// FEC, and copies of what nobody misses yet.
    Ahead,
    /// Fills a probe.
    Padding,
    /// Of data channels.
    Data,
}

impl Class {
    const COUNT: usize = Self::Data as usize + 1;
    const WAITING: [Self; 5] = [Self::Rtx, Self::Base, Self::Enhancement, Self::Ahead, Self::Padding];
}

/// How full the lines are: slots decide by it what they still send. Nothing is dropped here, where it has a sequence
/// number that the receiver would miss.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Pressure {
    None,
    /// What nothing refers to is better left out.
    High,
    /// Nothing but what was begun.
    Full,
}

/// Packets sent fast to learn whether the link takes them, or slowly to learn what it loses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Probing {
    pub id: ProbeId,
    pub rate: Bitrate,
    slow: bool,
    bytes_left: usize,
    packets_left: u32,
}

impl From<Probe> for Probing {
    fn from(probe: Probe) -> Self {
        let bytes_left = probe.size.0 as usize;
        let slow = probe.reason == ProbeReason::Ahead;
        Self { id: probe.id, rate: probe.rate, slow, bytes_left, packets_left: probe.packets }
    }
}

/// Where the packets of one source wait.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    waiting: u16,
    class: u8,
}

#[derive(Debug, Default)]
pub(crate) struct Pacer {
    lines: [VecDeque<Queued>; Class::COUNT],
    /// Copies yet to come: when the next one may leave, and how many in all.
    later: VecDeque<(Instant, Queued, u8)>,
    /// Of whoever uses data channels.
    data: Option<Box<DataLine>>,
    /// Of packets that may have to wait.
    bytes: usize,
    packets: usize,
    /// The most of them since [`Self::give_back`].
    most: usize,
    by_stream: Vec<Line>,
    /// What may be put on the wire; `None`: as much as comes.
    rate: Option<Bitrate>,
    /// What the link is taken to carry: the rate may be far lower for a moment, while the path is silent or tried out.
    estimate: Option<Bitrate>,
    link: Bucket,
    probe: Option<Probing>,
    /// A probe was sent to its end since this was last asked.
    probe_sent: bool,
    /// Nothing gets through: what is sent meanwhile only has to be sent again.
    pub absent: bool,
}

/// Between two releases of what waits: the packets of one tick for one address are one batch.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// Copies ahead of loss are left out while more than this waits: those of a key frame may take a moment.
const AHEAD_BEHIND: Duration = Duration::from_millis(80);
/// What may stand in the link's queue because of us, as time at the estimate. Three frames of a 600 kb/s camera, and
/// less than what an audio buffer absorbs.
const LINK_QUEUE: Duration = Duration::from_millis(40);
/// The rate below which nothing is usable: a lower estimate would hold a packet for longer than it is worth.
const RATE_MIN: Bitrate = Bitrate::kbps(20);
/// Waiting time from which less is sent, and from which a slot stops until its next keyframe. The publisher's cache
/// keeps packets for a second.
const PRESSURE: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(600));
/// Half a second of 20 Mb/s. A drain follows every burst of datagrams, so this is reached only when nobody drains.
pub(super) const PACKETS_MAX: usize = 2048;
/// Less room in a list is not worth giving back.
const ROOM_MIN: usize = 4;

impl Pacer {
    /// Inlined, so that the packet is written where it waits: read again at once, as a whole, what was written in pieces stalls.
    #[inline]
    pub fn push(&mut self, queued: Queued) -> Result<(), DropReason> {
        if self.packets >= PACKETS_MAX {
            return Err(DropReason::QueueFull);
        }
        let stream = usize::from(queued.stream);
        if self.by_stream.len() <= stream {
            self.by_stream.resize(stream + 1, Line::default());
        }
        let line = &mut self.by_stream[stream];
        let behind = if line.waiting == 0 || is_rtx(queued.stream) { 0 } else { line.class };
        line.class = behind.max(queued.class as u8);
        line.waiting += 1;
        self.lines[usize::from(line.class)].push_back(queued);
        self.bytes += queued.len;
        self.packets += 1;
        Ok(())
    }

    /// Something will be pushed in a moment.
    pub fn prefetch_lists(&self) {
        prefetch::start(&self.by_stream);
    }

    /// So many copies, one after the other, some time from now.
    pub fn push_copies(&mut self, now: Instant, queued: Queued, copies: usize) -> Result<(), DropReason> {
        if self.packets + self.later.len() >= PACKETS_MAX {
            return Err(DropReason::QueueFull);
        }
        if copies > 0 {
            self.later.push_back((now + COPY_AFTER, queued, copies as u8));
        }
        Ok(())
    }

    /// A packet of a data channel.
    pub fn push_data(&mut self, queued: Queued) {
        self.data.get_or_insert_default().push(queued);
    }

    /// Packets of data channels that wait.
    pub fn data_waiting(&self) -> usize {
        self.data.as_ref().map_or(0, |data| data.len())
    }

    pub fn clear(&mut self) {
        if let Some(data) = &mut self.data {
            data.clear();
        }
        self.later.clear();
        self.lines.iter_mut().for_each(VecDeque::clear);
        self.by_stream.fill(Line::default());
        (self.bytes, self.packets, self.probe) = (0, 0, None);
    }

    /// Once in a while: the room that no list has needed since. Returns how much one may have.
    pub fn give_back(&mut self) -> usize {
        // A list that grows doubles.
        let room = 2 * std::mem::take(&mut self.most).max(self.later.len()).max(ROOM_MIN);
        self.lines.iter_mut().filter(|line| line.capacity() > room).for_each(|line| line.shrink_to(room));
        if self.later.capacity() > room {
            self.later.shrink_to(room);
        }
        room
    }

    /// Forgets all video that waits. Its numbers are given: only for a receiver that misses more than this anyhow.
    pub fn clear_video(&mut self) {
        self.later.clear();
        for class in Class::WAITING {
            for queued in self.lines[class as usize].drain(..) {
                self.by_stream[usize::from(queued.stream)].waiting -= 1;
                self.bytes -= queued.len;
                self.packets -= 1;
            }
        }
    }

    /// Something waits, or a probe is to be filled.
    pub fn has_work(&self) -> bool {
        self.packets > 0 || self.probe.is_some() || !self.later.is_empty() || self.data_waiting() > 0
    }

    /// `rate`: what may be put on the wire from now on; `estimate`: what the link is taken to carry.
    pub fn set_rate(&mut self, now: Instant, rate: Option<Bitrate>, estimate: Option<Bitrate>) {
        self.estimate = estimate;
        if rate != self.rate {
            if let Some(old) = self.pace() {
                self.link.leak(now, old);
            }
            self.rate = rate;
        }
    }

    /// The next packets leave at the probe's rate until its bytes are out; a new probe takes the place of the last. It
    /// begins at once: a pause after its first packet would count as slowness.
    pub fn start_probe(&mut self, probe: Probe) {
        self.link.empty();
        self.probe = Some(probe.into());
    }

    /// There is nothing to fill it with.
    pub fn end_probe(&mut self) {
        self.probe = None;
    }

    /// Once after each probe that was sent to its end: the controller may have another.
    pub fn take_probe_sent(&mut self) -> bool {
        std::mem::take(&mut self.probe_sent)
    }

    pub fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// ... and it was one for while nothing else is to be sent.
    pub fn end_slow_probe(&mut self) {
        self.probe = self.probe.filter(|probe| !probe.slow);
    }

    /// What the link is taken to drain.
    fn pace(&self) -> Option<Bitrate> {
        let paced = self.rate?.max(RATE_MIN);
        Some(self.probe.map_or(paced, |probe| if probe.slow { probe.rate } else { paced.max(probe.rate) }))
    }

    /// How much may stand in the link's queue. A probe is a rate, not a burst: one tick's worth.
    fn depth(&self) -> Duration {
        if self.probe.is_some() { TICK } else { LINK_QUEUE }
    }

    /// Waiting time of a packet that comes now, at the estimate: a slow moment stops no picture.
    pub fn delay(&self) -> Duration {
        let Some(pace) = self.estimate.map(|rate| rate.max(RATE_MIN)) else { return Duration::ZERO };
        pace.time_for(packet::DataSize(self.bytes as u64))
    }

    /// What nobody misses yet may be sent.
    pub fn takes_ahead(&self) -> bool {
        self.delay() <= AHEAD_BEHIND
    }

    /// Does a packet that comes now wait for longer than this? Asked for each packet, so no division: the bytes that flow out in the
    /// time are compared instead.
    fn is_longer(&self, time: Duration) -> bool {
        self.estimate.is_some_and(|rate| {
            self.bytes as u64 * 8_000 > rate.max(RATE_MIN).0.saturating_mul(time.as_millis() as u64)
        })
    }

    /// What waits may leave when it is old.
    pub fn is_behind(&self) -> bool {
        self.is_longer(PRESSURE.0)
    }

    pub fn pressure(&self) -> Pressure {
        if self.absent {
            return Pressure::Full;
        }
        if self.packets == 0 {
            return Pressure::None;
        }
        if self.packets > PACKETS_MAX / 2 || self.is_longer(PRESSURE.1) {
            return Pressure::Full;
        }
        if self.is_behind() { Pressure::High } else { Pressure::None }
    }

    /// Moves to `out` what may leave now.
    pub fn release(&mut self, now: Instant, out: &mut Vec<Queued>, mut dropped: impl FnMut(DropReason)) {
        if let Some(pace) = self.pace() {
            self.link.leak(now, pace);
        }
        while let Some((_, queued, copies)) = self.later.pop_front_if(|(at, ..)| *at <= now) {
            if queued.class == Class::Ahead && !self.takes_ahead() {
                dropped(DropReason::NoRoomAhead);
                continue;
            }
            // There was room for it when it was put here.
            let _ = self.push(queued);
            if copies > 1 {
                self.later.push_back((now + COPY_AFTER, queued, copies - 1));
            }
        }
        if self.packets > 0 {
            self.most = self.most.max(self.packets);
            for class in [Class::Rtcp, Class::Audio] {
                while let Some(queued) = self.lines[class as usize].pop_front() {
                    self.leave(queued, out);
                }
            }
            self.release_waiting(out);
            if self.packets == 0 {
                // A ring that is empty begins at its start again, in memory that was used a moment ago.
                self.lines.iter_mut().for_each(VecDeque::clear);
            }
        }
        self.release_data(now, out);
    }

    fn release_waiting(&mut self, out: &mut Vec<Queued>) {
        for class in Class::WAITING {
            loop {
                // A probe ends inside a release, and the estimate's pace holds for the next packet.
                if self.pace().is_some_and(|pace| !self.link.is_below(self.depth(), pace)) {
                    return;
                }
                let Some(queued) = self.lines[class as usize].pop_front() else { break };
                self.leave(queued, out);
            }
        }
    }

    /// Feedback knows nothing of these packets, so they are part of no probe.
    fn release_data(&mut self, now: Instant, out: &mut Vec<Queued>) {
        let Some(data) = &mut self.data else { return };
        data.set_time(now, self.estimate);
        while let Some(queued) = data.pop() {
            if self.rate.is_some() {
                self.link.add(queued.len);
            }
            out.push(queued);
        }
    }

    fn leave(&mut self, mut queued: Queued, out: &mut Vec<Queued>) {
        if let Some(line) = self.by_stream.get_mut(usize::from(queued.stream)) {
            line.waiting -= 1;
        }
        self.bytes -= queued.len;
        self.packets -= 1;
        if self.rate.is_some() {
            self.link.add(queued.len);
        }
        if let Some(data) = &mut self.data {
            data.on_sent(queued.len);
        }
        if let Some(probe) = self.probe.as_mut().filter(|_| queued.class > Class::Rtcp) {
            queued.probe = Some(probe.id);
            probe.bytes_left = probe.bytes_left.saturating_sub(queued.len);
            probe.packets_left = probe.packets_left.saturating_sub(1);
            if probe.bytes_left == 0 && probe.packets_left == 0 {
                self.probe = None;
                self.probe_sent = true;
            }
        }
        out.push(queued);
    }

    /// Bytes that a probe could send now and nothing else waits to be. Ask after a release.
    pub fn padding_wanted(&self) -> usize {
        let Some((probe, pace)) = self.probe.zip(self.pace()).filter(|_| self.packets == 0) else { return 0 };
        let room = self.link.room(self.depth(), pace);
        if probe.packets_left > 0 { room } else { room.min(probe.bytes_left) }
    }

    /// When the next packet may leave, after a release; `None`: nothing waits.
    pub fn next_release(&self, now: Instant) -> Option<Instant> {
        let paced = (self.packets > 0 || self.probe.is_some())
            .then(|| now + self.pace().map_or(Duration::ZERO, |pace| self.link.below_in(self.depth(), pace)));
        [
            paced,
            self.later.front().map(|(at, ..)| *at),
            self.data.as_ref().and_then(|data| data.next_release(now)),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::downlink::egress::Item;
    use crate::tests::start;

    fn packet(stream: u8, class: Class, len: usize) -> Queued {
        Queued { stream, class, probe: None, len, item: Item::Taken }
    }

    /// Of the controller's making: names of probes are its own.
    fn probe(pacer: &mut Pacer, rate: Bitrate, bytes: u64) -> ProbeId {
        let mut controller = bwe::Controller::new(start(), bwe::Config::default());
        let made = controller.poll_probe(start()).expect("the first probe of a call");
        pacer.start_probe(Probe { rate, size: packet::DataSize(bytes), packets: 5, ..made });
        made.id
    }

    fn no_drop(reason: DropReason) {
        panic!("{reason:?}");
    }

    fn ms(n: u64) -> Instant {
        start() + Duration::from_millis(n)
    }

    /// Releases every tick until nothing waits: (ms, stream, bytes).
    fn drain(pacer: &mut Pacer, from_ms: u64) -> Vec<(u64, u8, usize)> {
        let mut all = Vec::new();
        let mut at = from_ms;
        loop {
            let mut out = Vec::new();
            pacer.release(ms(at), &mut out, no_drop);
            all.extend(out.iter().map(|q| (at, q.stream, q.len)));
            let Some(next) = pacer.next_release(ms(at)) else { return all };
            assert!(next > ms(at));
            at = (next - start()).as_nanos().div_ceil(5_000_000) as u64 * 5;
        }
    }

    #[test]
    fn without_a_rate_and_in_light_load_everything_leaves_at_once() {
        for rate in [None, Some(Bitrate::kbps(1000))] {
            let mut pacer = Pacer::default();
            pacer.set_rate(ms(0), rate, rate);
            let mut out = Vec::new();
            for frame in 0..50 {
                // Three packets every 40 ms: 600 kb/s.
                for _ in 0..3 {
                    pacer.push(packet(1, Class::Base, 1000)).unwrap();
                }
                pacer.release(ms(frame * 40), &mut out, no_drop);
                assert!(!pacer.has_work(), "frame {frame} waits at {rate:?}");
            }
        }
    }

    #[test]
    fn a_keyframe_waits_at_the_rate_and_audio_passes_it() {
        let mut pacer = Pacer::default();
        pacer.set_rate(ms(0), Some(Bitrate::kbps(550)), Some(Bitrate::kbps(550)));
        for _ in 0..40 {
            pacer.push(packet(1, Class::Base, 1000)).unwrap();
        }
        assert_eq!(pacer.pressure(), Pressure::High);
        let mut out = Vec::new();
        pacer.release(ms(0), &mut out, no_drop);
        // 40 ms of 550 kb/s, and the packet that reaches it.
        assert_eq!(out.len(), 3);
        for at in [1, 7, 113] {
            pacer.push(packet(0, Class::Audio, 100)).unwrap();
            let mut out = Vec::new();
            pacer.release(ms(at), &mut out, no_drop);
            assert_eq!(out[0].stream, 0, "audio leaves at once, first");
        }
        let sent = drain(&mut pacer, 115);
        let last = sent.last().unwrap().0;
        // 40 kB at 550 kb/s are 582 ms, of which 40 went first; between 7 and 113 ms nobody came to release.
        assert!((570..=600).contains(&last), "{last}");
        let per_tick = sent.iter().filter(|(at, ..)| (200..400).contains(at)).count();
        assert!((12..=15).contains(&per_tick), "{per_tick} kB in 200 ms");
        assert_eq!(pacer.pressure(), Pressure::None);
    }

    #[test]
    fn what_matters_more_leaves_first_but_never_out_of_its_own_order() {
        let mut pacer = Pacer::default();
        pacer.set_rate(ms(0), Some(Bitrate::kbps(330)), Some(Bitrate::kbps(330)));
        pacer.link.leak(ms(0), Bitrate::kbps(330));
        pacer.link.add(10_000);
        for (stream, class) in [
            (10, Class::Ahead),
            (2, Class::Enhancement),
            (4, Class::Enhancement),
            (6, Class::Base),
            (2, Class::Base),
            (3, Class::Padding),
            (3, Class::Rtx),
            (0, Class::Audio),
        ] {
            pacer.push(packet(stream, class, 500)).unwrap();
        }
        let order: Vec<u8> = drain(&mut pacer, 0).iter().map(|(_, stream, _)| *stream).collect();
        assert_eq!(order, [0, 3, 6, 2, 4, 2, 10, 3], "repairs pass copies that nobody waits for");
        // Once its line is empty a stream is in its own class again.
        pacer.link.add(10_000);
        pacer.push(packet(6, Class::Enhancement, 500)).unwrap();
        pacer.push(packet(2, Class::Base, 500)).unwrap();
        let order: Vec<u8> = drain(&mut pacer, 1000).iter().map(|(_, stream, _)| *stream).collect();
        assert_eq!(order, [2, 6]);
    }

    #[test]
    fn a_probe_is_paced_at_its_own_rate_and_ends_with_its_bytes() {
        let mut pacer = Pacer::default();
        pacer.set_rate(ms(0), Some(Bitrate::kbps(330)), Some(Bitrate::kbps(330)));
        probe(&mut pacer, Bitrate::kbps(2000), 10_000);
        for _ in 0..20 {
            pacer.push(packet(1, Class::Base, 1000)).unwrap();
        }
        let sent = drain(&mut pacer, 0);
        // 10 kB at 2 Mb/s: 40 ms, in ticks.
        let (first, tenth) = (sent[0].0, sent[9].0);
        assert!((25..=40).contains(&(tenth - first)), "{sent:?}");
        // The other ten at 330 kb/s, once what the probe left in the link has drained.
        let last = sent[19].0 - tenth;
        assert!((150..=350).contains(&last), "{last} ms");
    }

    #[test]
    fn a_probe_with_nothing_to_send_asks_for_padding_in_portions() {
        let mut pacer = Pacer::default();
        pacer.set_rate(ms(0), Some(Bitrate::kbps(330)), Some(Bitrate::kbps(330)));
        assert_eq!(pacer.padding_wanted(), 0);
        let id = probe(&mut pacer, Bitrate::kbps(1600), 6_000);
        let (mut at, mut sent) = (0, 0);
        while pacer.is_probing() {
            let mut out = Vec::new();
            let mut portion = 0;
            pacer.release(ms(at), &mut out, no_drop);
            while pacer.padding_wanted() > 0 {
                pacer.push(packet(2, Class::Padding, 500)).unwrap();
                pacer.release(ms(at), &mut out, no_drop);
                portion += 1;
            }
            assert!(portion <= 4, "{portion} at {at} ms");
            assert!(out.iter().all(|q| q.probe == Some(id)));
            sent += out.len();
            assert!(pacer.next_release(ms(at)).is_some() || !pacer.is_probing());
            at += 5;
        }
        assert_eq!(sent, 12);
        assert!((20..=35).contains(&at), "6 kB at 1.6 Mb/s: {at} ms");
        assert_eq!(pacer.next_release(ms(at)), None);
    }

    #[test]
    fn a_queue_that_nobody_drains_is_bounded() {
        let mut pacer = Pacer::default();
        assert!((0..PACKETS_MAX).all(|_| pacer.push(packet(1, Class::Base, 10)).is_ok()));
        assert_eq!(pacer.push(packet(1, Class::Base, 10)), Err(DropReason::QueueFull));
        assert_eq!(pacer.pressure(), Pressure::Full);
    }
}
