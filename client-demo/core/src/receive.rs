//! One slot: what arrives on it, what is missing, whose it is.
//!
//! A slot changes hands by a message, media by datagrams, and the two race. Until the server has said from which
//! timestamp on the newcomer's media begins (`first_frame`), what arrives on a slot that had somebody else before is
//! held back and attributed later.

use crate::frames::{Assembled, Frames};
use crate::missing::{Arrival, Missing};
use crate::participants::Owner;
use packet::media::{Codec, MediaKind, Slot};
use packet::rtcp::ReceptionReport;
use packet::{ExtSeq, NtpTime, RtpTime, SeqNo};
use std::time::{Duration, Instant};

/// Behind it nobody waits for a packet any more: what a jitter buffer may hold.
const AUDIO_GIVE_UP: Duration = Duration::from_millis(400);
const VIDEO_GIVE_UP: Duration = Duration::from_millis(1000);
/// Between two keyframe requests for one slot.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);
/// The server asks for a keyframe itself when it binds a slot; only later it needs to be reminded.
const KEYFRAME_FIRST: Duration = Duration::from_millis(250);
/// Arrivals held back while it is not known whose they are: two seconds of pictures and sound.
const HELD_MAX: usize = 256;

pub(crate) struct Receive {
    pub slot: Slot,
    owner: Option<Owner>,
    /// Who had the slot before; their last packets may still come.
    before: Option<Owner>,
    /// From here on it is `owner`'s. None: not known yet (irrelevant if there was nobody before).
    since: Option<RtpTime>,
    bound_at: Instant,
    held: Vec<Taken>,
    missing: Missing,
    frames: Frames,
    first: Option<ExtSeq>,
    packets: u64,
    jitter: Jitter,
    last_report: Reported,
    sender_report: Option<(NtpTime, Instant)>,
    keyframe_at: Option<Instant>,
}

#[derive(Default)]
struct Jitter {
    /// Transit time of the last packet, in clock ticks.
    transit: Option<u32>,
    /// 1/16 tick (RFC 3550 appendix A.8).
    scaled: u32,
}

#[derive(Default)]
struct Reported {
    expected: u64,
    packets: u64,
}

/// Something that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    pub at: Instant,
    pub timestamp: RtpTime,
    pub what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// Payload bytes; for audio it is the frame, with its data if they are wanted.
    Audio {
        bytes: usize,
        data: Vec<u8>,
    },
    VideoPacket {
        bytes: usize,
    },
    Frame(Assembled),
}

impl Receive {
    pub fn new(slot: Slot, now: Instant, keep_data: bool) -> Self {
        let give_up = match slot.kind {
            MediaKind::Audio => AUDIO_GIVE_UP,
            MediaKind::Video => VIDEO_GIVE_UP,
        };
        Self {
            slot,
            owner: None,
            before: None,
            since: None,
            bound_at: now,
            held: Vec::new(),
            missing: Missing::new(give_up),
            frames: Frames::new(keep_data),
            first: None,
            packets: 0,
            jitter: Jitter::default(),
            last_report: Reported::default(),
            sender_report: None,
            keyframe_at: None,
        }
    }

    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    pub fn bound_at(&self) -> Instant {
        self.bound_at
    }

    pub fn undecodable(&self) -> u64 {
        self.frames.undecodable
    }

    pub fn bind(&mut self, now: Instant, owner: Option<Owner>) {
        if self.owner == owner {
            return;
        }
        if let Some(last) = std::mem::replace(&mut self.owner, owner) {
            self.before = Some(last);
        }
        self.since = None;
        self.bound_at = now;
        self.held.clear();
        if self.slot.kind == MediaKind::Video && self.owner.is_some() {
            self.keyframe_at = Some(now + KEYFRAME_FIRST);
        }
    }

    /// The newcomer's media begins at `timestamp`; what was held back and whose it turned out to be.
    pub fn begins(&mut self, timestamp: RtpTime) -> Vec<(Owner, Taken)> {
        self.since = Some(timestamp);
        let held = std::mem::take(&mut self.held);
        held.into_iter().filter_map(|taken| Some((self.whose(taken.timestamp)?.clone(), taken))).collect()
    }

    /// Sorts an arrival: now, or held back.
    fn attribute(&mut self, taken: Taken, out: &mut Vec<(Owner, Taken)>) {
        if self.before.is_some() && self.owner.is_some() && self.since.is_none() {
            if self.held.len() < HELD_MAX {
                self.held.push(taken);
            }
        } else if let Some(owner) = self.whose(taken.timestamp) {
            out.push((owner.clone(), taken));
        }
    }

    fn whose(&self, timestamp: RtpTime) -> Option<&Owner> {
        match self.since {
            Some(since) if timestamp.since(since) < 0 => self.before.as_ref(),
            _ => self.owner.as_ref().or(self.before.as_ref()),
        }
    }

    /// The number a retransmission's original sequence number stands for.
    pub fn extend(&self, seq: SeqNo) -> Option<ExtSeq> {
        self.missing.extend(seq)
    }

    /// An RTP packet of this slot, or the original out of a retransmission (`repaired`).
    pub fn packet(
        &mut self,
        now: Instant,
        packet: Arrived<'_>,
        keep_data: bool,
        out: &mut Vec<(Owner, Taken)>,
    ) -> Arrival {
        let arrival = self.missing.arrived(now, packet.seq);
        match arrival {
            Arrival::Useless => return arrival,
            Arrival::Jumped => self.frames.reset(),
            Arrival::New | Arrival::Filled => {}
        }
        self.first.get_or_insert(packet.seq);
        self.packets += 1;
        if !packet.repaired {
            self.jitter.arrived(now, self.bound_at, packet.timestamp, self.slot.kind);
        }
        let bytes = packet.payload.len();
        let timestamp = packet.timestamp;
        let taken = |what| Taken { at: now, timestamp, what };
        match self.slot.kind {
            MediaKind::Audio if bytes == 0 => {}
            MediaKind::Audio => {
                let data = if keep_data { packet.payload.to_vec() } else { Vec::new() };
                self.attribute(taken(What::Audio { bytes, data }), out);
            }
            MediaKind::Video => {
                self.attribute(taken(What::VideoPacket { bytes }), out);
                if packet.codec == Codec::Vp8 {
                    self.frames.insert(packet.seq, timestamp, packet.marker, packet.payload);
                    self.frames_out(now, out);
                }
            }
        }
        arrival
    }

    fn frames_out(&mut self, now: Instant, out: &mut Vec<(Owner, Taken)>) {
        while let Some(frame) = self.frames.pop() {
            self.keyframe_at = None;
            self.attribute(Taken { at: now, timestamp: frame.timestamp, what: What::Frame(frame) }, out);
        }
        if self.frames.is_broken() && self.keyframe_at.is_none() && self.owner.is_some() {
            // Nobody knows of it yet.
            self.keyframe_at = Some(now);
        }
    }

    /// Packets to ask for, and how many were given up.
    pub fn handle_missing(
        &mut self,
        now: Instant,
        round_trip: Duration,
        out: &mut Vec<(Owner, Taken)>,
    ) -> (Vec<SeqNo>, usize) {
        let gone = self.missing.give_up(now);
        for seq in &gone {
            self.frames.give_up(*seq);
        }
        if !gone.is_empty() && self.slot.kind == MediaKind::Video {
            self.frames_out(now, out);
        }
        (self.missing.ask(now, round_trip), gone.len())
    }

    /// True if a keyframe must be asked for now.
    pub fn wants_keyframe(&mut self, now: Instant) -> bool {
        let due = self.keyframe_at.is_some_and(|at| at <= now);
        if due {
            self.keyframe_at = Some(now + KEYFRAME_INTERVAL);
        }
        due
    }

    pub fn next_missing(&self) -> Option<Instant> {
        self.missing.next_timeout()
    }

    pub fn next_keyframe(&self) -> Option<Instant> {
        self.keyframe_at
    }

    pub fn sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.sender_report = Some((ntp, now));
    }

    /// None before the first packet.
    pub fn report(&mut self, now: Instant) -> Option<ReceptionReport> {
        let (first, highest) = (self.first?, self.missing.highest()?);
        let expected = highest.0 - first.0.min(highest.0) + 1;
        let new_expected = expected - self.last_report.expected.min(expected);
        let new_packets = self.packets - self.last_report.packets;
        self.last_report = Reported { expected, packets: self.packets };
        let new_lost = new_expected.saturating_sub(new_packets);
        let (last_sr, delay_since_last_sr) = match self.sender_report {
            Some((ntp, at)) => {
                (ntp.middle(), ReceptionReport::delay_units(now.saturating_duration_since(at)))
            }
            None => (0, 0),
        };
        Some(ReceptionReport {
            ssrc: self.slot.ssrc,
            fraction_lost: (new_lost * 256).checked_div(new_expected).unwrap_or(0).min(255) as u8,
            total_lost: (expected as i64 - self.packets as i64).clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_seq: highest.0 as u32,
            jitter: self.jitter.scaled >> 4,
            last_sr,
            delay_since_last_sr,
        })
    }
}

/// One packet as it reaches a slot.
pub(crate) struct Arrived<'a> {
    pub seq: ExtSeq,
    pub codec: Codec,
    pub timestamp: RtpTime,
    pub marker: bool,
    pub payload: &'a [u8],
    pub repaired: bool,
}

impl Jitter {
    fn arrived(&mut self, now: Instant, origin: Instant, timestamp: RtpTime, kind: MediaKind) {
        let rate = match kind {
            MediaKind::Audio => Codec::Opus.clock_rate(),
            MediaKind::Video => Codec::Vp8.clock_rate(),
        };
        let nanos = now.saturating_duration_since(origin).as_nanos();
        let ticks = (nanos * u128::from(rate) / 1_000_000_000) as u32;
        let transit = ticks.wrapping_sub(timestamp.0);
        if let Some(last) = self.transit.replace(transit) {
            let change = (transit.wrapping_sub(last) as i32).unsigned_abs();
            // A jump of seconds is a new clock, not jitter.
            if change < 5 * rate {
                self.scaled = self.scaled + change - ((self.scaled + 8) >> 4);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::{Mid, Ssrc};

    #[test]
    fn what_races_the_message_is_attributed_by_timestamp() {
        let now = start();
        let mut receive = slot(now);
        let (ann, ben) = (owner("ann"), owner("ben"));
        receive.bind(now, Some(ann.clone()));
        assert_eq!(arrive(&mut receive, now, 1, 960), vec![ann.clone()]);
        receive.bind(now, Some(ben.clone()));
        assert_eq!(arrive(&mut receive, now, 2, 1920), []);
        assert_eq!(arrive(&mut receive, now, 3, 2880), []);
        let late: Vec<Owner> = receive.begins(RtpTime(2880)).into_iter().map(|(o, _)| o).collect();
        assert_eq!(late, [ann.clone(), ben.clone()]);
        assert_eq!(arrive(&mut receive, now, 4, 3840), [ben]);
    }

    #[test]
    fn a_fresh_slot_needs_no_boundary() {
        let now = start();
        let mut receive = slot(now);
        receive.bind(now, Some(owner("ann")));
        assert_eq!(arrive(&mut receive, now, 1, 960), [owner("ann")]);
    }

    #[test]
    fn reports_count_what_is_lost_in_the_interval() {
        let now = start();
        let mut receive = slot(now);
        assert_eq!(receive.report(now), None);
        for seq in [65_534, 65_535, 65_537, 65_538] {
            arrive(&mut receive, now, seq, 0);
        }
        receive.sender_report(now, NtpTime(0x1234_5678_0000_0000));
        let report = receive.report(now + Duration::from_millis(500)).unwrap();
        assert_eq!((report.fraction_lost, report.total_lost), (51, 1));
        assert_eq!(report.highest_seq, 65_538);
        assert_eq!((report.last_sr, report.delay_since_last_sr), (0x5678_0000, 0x8000));
        assert_eq!(receive.report(now).unwrap().fraction_lost, 0);
    }

    fn slot(now: Instant) -> Receive {
        let slot = Slot { mid: Mid::new("2").unwrap(), kind: MediaKind::Audio, ssrc: Ssrc(7), rtx: None };
        Receive::new(slot, now, false)
    }

    fn owner(name: &str) -> Owner {
        Owner { participant: name.to_owned(), screen: false }
    }

    fn arrive(receive: &mut Receive, now: Instant, seq: u64, timestamp: u32) -> Vec<Owner> {
        let mut out = Vec::new();
        let packet = Arrived {
            seq: ExtSeq(seq),
            codec: Codec::Opus,
            timestamp: RtpTime(timestamp),
            marker: false,
            payload: &[1],
            repaired: false,
        };
        receive.packet(now, packet, false, &mut out);
        out.into_iter().map(|(owner, _)| owner).collect()
    }

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn start() -> Instant {
        Instant::now()
    }
}
