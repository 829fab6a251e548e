//! What one peer receives: its slots, the packets that wait for it, and what was negotiated for sending.

mod bandwidth;
mod bucket;
mod data_line;
mod departures;
mod egress;
mod fec;
mod history;
mod kept;
mod munger;
mod pacer;
mod red;
mod repair;
mod selector;
mod slot;
mod write;

pub(crate) use bucket::Bucket;
pub(crate) use egress::{Batch, Queue};
pub(crate) use munger::Ids;
pub(crate) use pacer::{Class, TICK};
use repair::Repair;
pub(crate) use slot::{Bound, Forwarded, Found, Slot, Source};

pub(crate) use departures::{Departures, WORTH_FROM};

use bandwidth::Bandwidth;
use egress::FecKind;
use fec::{Protection, RedTypes};

use crate::allocation::DecisionLog;
use crate::payloads::Payloads;
use packet::ext::{Extension, ExtensionMap};
use packet::media::{Codec, PeerMedia};
use packet::{Bitrate, Mid, PayloadType, Ssrc, prefetch};
use std::mem::offset_of;
use std::time::{Duration, Instant};

/// One layer of one publisher, while its numbering lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SourceRef {
    pub peer: u32,
    pub track: u8,
    pub layer: u8,
    pub epoch: u32,
}

/// What holds for everything that is sent to one peer.
#[derive(Debug)]
pub(crate) struct Session {
    pub payloads: Payloads,
    pub extensions: ExtensionMap,
    /// Encrypted media can be sent and will be understood.
    pub connected: bool,
    /// Bytes that encryption adds to an RTP packet.
    pub overhead: usize,
    /// Round trip, smoothed; from report blocks.
    pub rtt: Option<Duration>,
    /// Repair packets for each packet of a picture; 0.0: none.
    pub fec_overhead: f32,
    /// How long pictures take to be repaired on this leg.
    pub patience: Duration,
    /// Packets may leave, or be asked for, long after they came.
    pub looks_back: bool,
}

impl Session {
    /// What FEC for this codec is sent as, where it is sent now. Only for codecs whose receivers do without the numbers of lost
    /// repair packets (as libwebrtc has it).
    pub fn fec(&self, codec: Codec) -> Option<RedTypes> {
        let suits = matches!(codec, Codec::Vp8 | Codec::Vp9);
        self.fec_types().filter(|_| suits && self.fec_overhead > 0.0)
    }

    /// FlexFEC for a subscriber that takes it, with its payload type.
    pub fn flexfec(&self) -> Option<(PayloadType, FecKind)> {
        let of = |codec, kind| self.payloads.first(codec).map(|config| (config.pt, kind));
        of(Codec::Flexfec, FecKind::Flexfec).or_else(|| of(Codec::Flexfec03, FecKind::Flexfec03))
    }

    /// `None`: this subscriber takes no ULPFEC.
    pub fn fec_types(&self) -> Option<RedTypes> {
        let (red, ulpfec) =
            (self.payloads.first(Codec::VideoRed)?.pt, self.payloads.first(Codec::Ulpfec)?.pt);
        Some(RedTypes { red, ulpfec })
    }
}

#[derive(Debug)]
pub(crate) struct Downlink {
    pub session: Session,
    pub slots: Vec<Slot>,
    pub queue: Queue,
    pub bandwidth: Bandwidth,
    pub departures: Departures,
    pub protection: Protection,
    /// What the link carries for media; `None`: the peer has sent no feedback.
    pub estimate: Option<Bitrate>,
    /// What the allocation could use in all, and the rate of its next step up: the probe that matters.
    pub wanted: Bitrate,
    pub next_step: Option<Bitrate>,
    pub log: DecisionLog,
    /// When the page was last told, and the estimate then.
    pub told: Option<(Instant, Option<Bitrate>)>,
}

/// More than any page shows; the queue keeps one bit for each in a 128-bit set.
pub(crate) const SLOTS_MAX: usize = 63;

impl Downlink {
    pub fn new(
        now: Instant,
        media: &PeerMedia,
        blind_rate: Option<Bitrate>,
        random: &mut crate::random::Random,
    ) -> Self {
        let session = Session {
            payloads: Payloads::default(),
            extensions: ExtensionMap::default(),
            connected: false,
            overhead: 16,
            rtt: None,
            fec_overhead: 0.0,
            patience: Duration::ZERO,
            looks_back: true,
        };
        let mut downlink = Self {
            session,
            slots: Vec::new(),
            queue: Queue::default(),
            bandwidth: Bandwidth::new(now, blind_rate),
            departures: Departures::default(),
            protection: Protection::default(),
            estimate: None,
            wanted: Bitrate::default(),
            next_step: None,
            log: DecisionLog::default(),
            told: None,
        };
        downlink.update(media, random);
        downlink.estimate = downlink.bandwidth.media(now);
        downlink
    }

    /// A new description: known slots (by mid) stay as they are, new ones are added. Indices never change.
    pub fn update(&mut self, media: &PeerMedia, random: &mut crate::random::Random) {
        self.session.payloads = Payloads::new(media.codecs.clone());
        self.session.extensions = media.extensions;
        let flexfec = self.session.flexfec().filter(|_| media.slots.iter().any(|slot| slot.fec.is_some()));
        self.queue.repair.takes_flexfec = flexfec.is_some();
        self.queue.repair.peels = flexfec.is_some_and(|(_, kind)| kind == FecKind::Flexfec03);
        self.bandwidth.measurable = media.extensions.id(Extension::TransportSequence).is_some();
        let unknown = media.slots.iter().filter(|described| self.slot(described.mid).is_none()).count();
        self.slots.reserve_exact(unknown.min(SLOTS_MAX - self.slots.len()));
        for described in &media.slots {
            match self.slot(described.mid) {
                Some(known) => self.slots[known].forget_session(),
                None if self.slots.len() < SLOTS_MAX => {
                    self.slots.push(Slot::new(self.slots.len(), described, random));
                }
                None => {}
            }
        }
    }

    /// Something will be sent in a moment.
    pub fn prefetch(&self) {
        let flag = &self.session.connected;
        prefetch::whole(flag, offset_of!(Self, session) + offset_of!(Session, connected), size_of::<Self>());
    }

    pub fn slot(&self, mid: Mid) -> Option<usize> {
        self.slots.iter().position(|s| s.mid == mid)
    }

    /// The slot with this source; true if it is the RTX source.
    pub fn by_ssrc(&self, ssrc: Ssrc) -> Option<(usize, bool)> {
        self.slots.iter().enumerate().find_map(|(i, s)| {
            if s.ssrc == ssrc { Some((i, false)) } else { (s.rtx == Some(ssrc)).then_some((i, true)) }
        })
    }

    /// Whom our reports and requests come from: a source the peer knows, or the conventional 1.
    pub fn reporter(&self) -> Ssrc {
        self.slots.first().map_or(Ssrc(1), |s| s.ssrc)
    }

    /// Smoothed as RFC 6298 does, one eighth.
    pub fn on_round_trip(&mut self, now: Instant, sample: Duration) {
        self.bandwidth.on_round_trip(now, sample);
        let rtt = self.session.rtt.get_or_insert(sample);
        *rtt = (*rtt * 7 + sample) / 8;
    }

    /// What was lost of a slot's pictures, 1/256. With the round trip of the same report known.
    pub fn on_loss(&mut self, now: Instant, fraction_lost: u8) {
        self.protection.on_report(fraction_lost);
        self.update_fec(now);
    }

    /// A picture has no room.
    pub fn give_way(&mut self, now: Instant) {
        if self.session.fec_overhead > 0.0 {
            self.protection.give_way(now);
            self.update_fec(now);
        }
    }

    fn update_fec(&mut self, now: Instant) {
        // Only what can be sent costs anything, and FlexFEC does more.
        let possible = !self.queue.repair.takes_flexfec
            && self.session.fec_types().is_some()
            && self.slots.iter().all(Slot::suits_fec);
        self.session.fec_overhead = if possible && !self.queue.repair.covers() {
            self.protection.overhead(now, self.session.rtt)
        } else {
            0.0
        };
        self.queue.repair.set_fec(self.session.fec_overhead);
    }
}
