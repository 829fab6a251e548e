//! What one peer sends us: its tracks, their layers, and which synchronisation source is which.

mod alive;
mod cache;
mod describe;
mod far;
mod fec;
mod feedback;
mod heard;
mod keyframe;
mod lateness;
mod layer;
mod nack;
mod offers;
mod rates;
mod reception;
mod red;
mod shaper;
mod sizes;
mod wants;

pub(crate) use alive::LayerSet;
pub(crate) use cache::Stored;
#[cfg(test)]
pub(crate) use cache::span;
pub(crate) use describe::{CHAINS_MAX, Described, Scheme, Targets};
pub(crate) use far::Far;
pub(crate) use feedback::FeedbackRecorder;
pub(crate) use heard::Heard;
pub(crate) use layer::Layer;
use layer::Via;
pub(crate) use wants::Wants;

use crate::DropReason;
use crate::clock::PublisherClock;
use crate::payloads::{Meaning, Payloads};
use packet::ext::{AudioLevel, ExtensionMap, Values};
use packet::media::{Codec, MediaKind, PeerMedia, SendTrack};
use packet::rtp::{RtpHeader, rtx};
use packet::{Mid, Ssrc};
use std::time::{Duration, Instant};

/// Where a synchronisation source belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub track: u8,
    pub layer: u8,
    pub rtx: bool,
}

/// A subscriber's slot: index of the peer, index of its slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Subscriber {
    pub peer: usize,
    pub slot: usize,
}

#[derive(Debug)]
pub(crate) struct Track {
    pub mid: Mid,
    pub kind: MediaKind,
    pub codec: Option<Codec>,
    pub layers: Vec<Layer>,
    pub subscribers: Vec<Subscriber>,
    /// Those on other workers, as one each.
    pub far: Vec<Far>,
    /// Layers that arrive; while nothing does, those that did last: a muted camera comes back as what it was.
    pub alive: LayerSet,
    pub wants: Wants,
    /// Of sound.
    pub heard: Heard,
    /// Declared (source, its RTX), for layers whose source is known before its RTX is.
    declared: Vec<(Ssrc, Option<Ssrc>)>,
    /// Newest audio level, taken by the speaker choice.
    pub audio_level: Option<AudioLevel>,
}

#[derive(Debug)]
pub(crate) struct Uplink {
    pub payloads: Payloads,
    pub extensions: ExtensionMap,
    pub tracks: Vec<Track>,
    pub clock: PublisherClock,
    /// Its packets come from another worker, which has made good what it could.
    pub relayed: bool,
    pub feedback: FeedbackRecorder,
    /// Linear: a peer has a handful, and the usual one is found first.
    ssrcs: Vec<(Ssrc, Place)>,
    ssrcs_max: usize,
    pub packets: u64,
    pub bytes: u64,
    /// Repair packets that came, and packets that came back out of them, since the router last counted.
    pub fec_received: u64,
    pub fec_recovered: u64,
    /// Packets that the last one brought besides itself; taken by who took that one in.
    pub restored: arrayvec::ArrayVec<Received, { Self::RESTORED_MAX }>,
}

/// What became of an arrived packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Received {
    pub place: Place,
    pub ext_seq: u64,
    pub recovered: bool,
    /// Packets before it are missing now: the NACK timer.
    pub gap: bool,
    /// Layers of the track began, ended or came back: the choice of layers is made again.
    pub layers_changed: bool,
    pub keyframe_start: bool,
}

impl Uplink {
    /// Of one packet.
    pub const RESTORED_MAX: usize = 16;

    pub fn new(
        media: &PeerMedia,
        ssrcs_max: usize,
        epochs: &mut u32,
        refused: impl FnMut(DropReason),
    ) -> Self {
        let mut uplink = Self {
            payloads: Payloads::default(),
            extensions: ExtensionMap::default(),
            tracks: Vec::new(),
            clock: PublisherClock::default(),
            relayed: false,
            feedback: FeedbackRecorder::default(),
            ssrcs: Vec::new(),
            ssrcs_max,
            packets: 0,
            bytes: 0,
            fec_received: 0,
            fec_recovered: 0,
            restored: Default::default(),
        };
        uplink.update(media, epochs, refused);
        uplink
    }

    /// A new description: known tracks (by mid) stay as they are, new ones are added. Indices never change.
    pub fn update(&mut self, media: &PeerMedia, epochs: &mut u32, mut refused: impl FnMut(DropReason)) {
        self.payloads = Payloads::new(media.codecs.clone());
        self.extensions = media.extensions;
        for described in &media.tracks {
            let index = match self.tracks.iter().position(|t| t.mid == described.mid) {
                Some(index) => index,
                None if self.tracks.len() < usize::from(u8::MAX) => {
                    self.tracks.push(Track::new(described, epochs));
                    self.tracks.len() - 1
                }
                None => continue,
            };
            self.tracks[index].declared.clone_from(&described.ssrcs);
            // With rids the packets say which layer they are; the order of declared sources says nothing. What is relayed was told
            // apart by the worker that it came to.
            if self.relayed || !described.rids.is_empty() {
                continue;
            }
            if let Some(&(ssrc, rtx)) = described.ssrcs.first() {
                let place = Place { track: index as u8, layer: 0, rtx: false };
                if let Err(reason) = self.learn(ssrc, place, epochs) {
                    refused(reason);
                }
                if let Some(Err(reason)) = rtx.map(|r| self.learn(r, Place { rtx: true, ..place }, epochs)) {
                    refused(reason);
                }
            }
        }
    }

    pub fn layer(&self, place: Place) -> &Layer {
        &self.tracks[usize::from(place.track)].layers[usize::from(place.layer)]
    }
    pub fn layer_mut(&mut self, place: Place) -> &mut Layer {
        &mut self.tracks[usize::from(place.track)].layers[usize::from(place.layer)]
    }

    pub fn place(&self, ssrc: Ssrc) -> Option<Place> {
        self.ssrcs.iter().find(|(s, _)| *s == ssrc).map(|(_, place)| *place)
    }

    /// `ssrc` is sent from `place` from now on. A layer whose source changed begins anew.
    fn learn(&mut self, ssrc: Ssrc, place: Place, epochs: &mut u32) -> Result<(), DropReason> {
        match self.place(ssrc) {
            Some(known) if known == place => return Ok(()),
            Some(_) => return Err(DropReason::SsrcCollision),
            None => {}
        }
        let layer = self.layer_mut(place);
        let before = if place.rtx { layer.rtx.replace(ssrc) } else { layer.ssrc.replace(ssrc) };
        if before.is_some() && !place.rtx {
            layer.restart(epochs);
        }
        self.ssrcs.retain(|(s, _)| Some(*s) != before);
        if self.ssrcs.len() >= self.ssrcs_max {
            let layer = self.layer_mut(place);
            if place.rtx {
                layer.rtx = None
            } else {
                layer.ssrc = None
            }
            return Err(DropReason::TooManySsrcs);
        }
        self.ssrcs.push((ssrc, place));
        if !place.rtx {
            let declared = &self.tracks[usize::from(place.track)].declared;
            let partner = declared.iter().find(|(s, _)| *s == ssrc).and_then(|(_, rtx)| *rtx);
            if let Some(rtx) = partner {
                return self.learn(rtx, Place { rtx: true, ..place }, epochs);
            }
        }
        Ok(())
    }

    /// A source nobody announced: by rid, repaired rid or mid; without any, the only track of its kind.
    fn explain(
        &mut self,
        header: &RtpHeader,
        values: &Values,
        meaning: Meaning,
        epochs: &mut u32,
    ) -> Result<Place, DropReason> {
        let (codec, rtx) = match meaning {
            Meaning::Media(codec) => (codec, false),
            Meaning::Rtx(_, codec) => (codec, true),
        };
        let mut of_kind = self.tracks.iter().enumerate().filter(|(_, t)| t.kind == codec.kind());
        let track = match values.mid {
            Some(mid) => self.tracks.iter().position(|t| t.mid == mid).ok_or(DropReason::UnknownSsrc)?,
            None => match (of_kind.next(), of_kind.next()) {
                (Some((only, _)), None) => only,
                _ => return Err(DropReason::UnknownSsrc),
            },
        };
        if self.tracks[track].kind != codec.kind() {
            return Err(DropReason::WrongKind);
        }
        let layers = &self.tracks[track].layers;
        let named = if rtx { values.repaired_rid.or(values.rid) } else { values.rid };
        let layer = match named {
            Some(rid) => layers.iter().position(|l| l.rid == Some(rid)).ok_or(DropReason::UnknownSsrc)?,
            None if layers.len() == 1 => 0,
            None => return Err(DropReason::UnknownSsrc),
        };
        let place = Place { track: track as u8, layer: layer as u8, rtx };
        self.learn(header.ssrc, place, epochs)?;
        Ok(place)
    }

    /// Takes one decrypted RTP packet: statistics, feedback, retransmissions unwrapped, and into the layer's cache.
    /// `None`: a repair packet, which is nothing by itself. The second value: start the feedback timer.
    pub fn receive(
        &mut self,
        now: Instant,
        nanos: crate::clock::Nanos,
        packet: &mut [u8],
        epochs: &mut u32,
    ) -> (Result<Option<Received>, DropReason>, bool) {
        let Ok(header) = RtpHeader::parse(packet) else { return (Err(DropReason::MalformedRtp), false) };
        self.packets += 1;
        self.bytes += packet.len() as u64;
        let values = Values::read(&header, packet, &self.extensions);
        let meaning = self.payloads.meaning(header.pt);
        let feedback = values.transport_sequence.is_some_and(|seq| {
            let part = match meaning {
                Some(Meaning::Media(codec)) if codec.kind() == MediaKind::Audio => shaper::Part::Audio,
                // Repair packets leave some time after the picture that they protect.
                Some(Meaning::Media(Codec::VideoRed))
                    if fec::block(header.payload(packet)).and_then(|pt| self.payloads.meaning(pt))
                        == Some(Meaning::Media(Codec::Ulpfec)) =>
                {
                    shaper::Part::Other
                }
                Some(Meaning::Media(Codec::Flexfec | Codec::Flexfec03)) => shaper::Part::Other,
                Some(Meaning::Media(_)) => shaper::Part::Video { open: !header.marker },
                _ => shaper::Part::Other,
            };
            let clock = self.place(header.ssrc).filter(|p| !p.rtx).map(|p| &self.layer(p).clock);
            self.feedback.on_packet(feedback::Arrival {
                seq: seq.as_seq(),
                at_us: microseconds(nanos),
                bytes: packet.len(),
                sent: values.abs_send_time,
                behind_us: clock.and_then(|c| c.behind(nanos, header.timestamp)).map(|ns| ns / 1000),
                part,
            })
        });
        let Some(meaning) = meaning else {
            return (Err(DropReason::UnknownPayloadType), feedback);
        };
        if let Meaning::Media(format @ (Codec::Flexfec | Codec::Flexfec03)) = meaning {
            return (self.on_flexfec(now, nanos, format, (&header, packet), epochs).map(|()| None), feedback);
        }
        let place = match self.place(header.ssrc) {
            Some(place) => Ok(place),
            None => self.explain(&header, &values, meaning, epochs),
        };
        let received = place.and_then(|place| match meaning {
            Meaning::Media(Codec::Red) => self.on_red(now, nanos, place, header, packet, epochs),
            Meaning::Media(Codec::VideoRed) => {
                self.on_video_red(now, nanos, place, (header, packet), Via::Itself, epochs)
            }
            Meaning::Media(Codec::Ulpfec | Codec::Flexfec | Codec::Flexfec03) => {
                Err(DropReason::MalformedFec)
            }
            Meaning::Media(codec) => {
                let received = self.on_media(now, nanos, place, header, packet, codec, Via::Itself, epochs);
                // What comes in order was protected by nothing that is here yet.
                let layer = &self.tracks[usize::from(place.track)].layers[usize::from(place.layer)];
                if received.as_ref().is_ok_and(|r| layer.reception.highest() > Some(r.ext_seq)) {
                    self.recover_shielded(now, nanos, place, epochs);
                }
                received
            }
            Meaning::Rtx(pt, codec) => {
                let ssrc = self.layer(place).ssrc.ok_or(DropReason::MalformedRtx)?;
                let original = rtx::restore(&header, packet, pt, ssrc).map_err(|error| match error {
                    rtx::RtxError::OnlyPadding => DropReason::PaddingOnly,
                    rtx::RtxError::Short => DropReason::MalformedRtx,
                })?;
                let header = RtpHeader::parse(original).map_err(|_| DropReason::MalformedRtx)?;
                let place = Place { rtx: false, ..place };
                match codec {
                    Codec::VideoRed => {
                        self.on_video_red(now, nanos, place, (header, original), Via::Rtx, epochs)
                    }
                    Codec::Red | Codec::Ulpfec | Codec::Flexfec | Codec::Flexfec03 => {
                        Err(DropReason::MalformedRtx)
                    }
                    _ => self.on_media(now, nanos, place, header, original, codec, Via::Rtx, epochs),
                }
            }
        });
        (received.map(Some), feedback)
    }

    /// Takes one packet that another worker has received, unwrapped and kept.
    pub fn receive_relayed(
        &mut self,
        now: Instant,
        nanos: crate::clock::Nanos,
        place: Place,
        packet: &[u8],
        recovered: bool,
        epochs: &mut u32,
    ) -> Result<Received, DropReason> {
        let header = RtpHeader::parse(packet).map_err(|_| DropReason::MalformedRtp)?;
        let codec = match self.payloads.meaning(header.pt) {
            Some(Meaning::Media(codec)) => codec,
            _ => return Err(DropReason::UnknownPayloadType),
        };
        // Numbers count from the first that is handed over, however it came.
        let begins = self.layer(place).reception.highest().is_none();
        let via = if recovered && !begins { Via::Redundancy } else { Via::Itself };
        self.on_media(now, nanos, place, header, packet, codec, via, epochs)
    }

    #[allow(clippy::too_many_arguments, reason = "all of it the packet's own")]
    fn on_media(
        &mut self,
        now: Instant,
        nanos: crate::clock::Nanos,
        place: Place,
        header: RtpHeader,
        packet: &[u8],
        codec: Codec,
        via: Via,
        epochs: &mut u32,
    ) -> Result<Received, DropReason> {
        let values = Values::read(&header, packet, &self.extensions);
        let nack = !self.relayed && self.payloads.config(header.pt).is_some_and(|c| c.nack);
        let track = &mut self.tracks[usize::from(place.track)];
        if track.kind != codec.kind() || place.rtx {
            return Err(DropReason::WrongKind);
        }
        track.codec = Some(codec);
        if let Some(level) = values.audio_level.filter(|_| track.kind == MediaKind::Audio) {
            track.audio_level = Some(level);
        }
        let layer = &mut track.layers[usize::from(place.layer)];
        let arrived =
            layer::Arrived { now, nanos, header, packet, codec, via, nack, extensions: &self.extensions };
        let layer::Taken { ext_seq, gap, keyframe_start, new_frame } =
            layer.on_packet(arrived, &values, epochs)?;
        let many = track.layers.len() > 1;
        let may_change = many && new_frame || !track.alive.contains(place.layer);
        let layers_changed = may_change && track.check_layers();
        let recovered = via != Via::Itself;
        Ok(Received { place, ext_seq, recovered, gap, layers_changed, keyframe_start })
    }

    /// BYE (RFC 3550 section 6.6): the source has stopped. It may come back, under its mid or its declaration.
    pub fn on_goodbye(&mut self, ssrc: Ssrc) -> Option<Place> {
        let place = self.place(ssrc).filter(|p| !p.rtx)?;
        self.layer_mut(place).on_goodbye();
        Some(place)
    }

    /// As it is known from answered requests, where the peer reports nothing.
    pub fn round_trip(&self) -> Option<Duration> {
        self.tracks.iter().flat_map(|t| &t.layers).filter_map(|l| l.nack.answered()).max()
    }

    /// How long a missing packet is asked for with some hope.
    pub fn repair_time(&self, rtt: Option<Duration>) -> Duration {
        let round = rtt.or(self.round_trip()).unwrap_or(Duration::from_millis(80));
        (REPAIR_ROUNDS * nack::repeat_after(round) + REPAIR_MARGIN).clamp(REPAIR_TIME.0, REPAIR_TIME.1)
    }

    /// Looks again which layers arrive; true if others do than before.
    pub fn check_layers(&mut self, track: u8) -> bool {
        self.tracks[usize::from(track)].check_layers()
    }
}

/// Of a hundred packets lost at 30 % one is still missing then. Longer, and probes would not be judged in time: libwebrtc forgets
/// one after a second.
const REPAIR_ROUNDS: u32 = 5;
/// For the first request to go out.
const REPAIR_MARGIN: Duration = Duration::from_millis(50);
const REPAIR_TIME: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(700));

/// The clock of transport-wide feedback; it starts below zero for nobody.
pub(crate) fn microseconds(nanos: crate::clock::Nanos) -> i64 {
    nanos.0.rem_euclid(1 << 56) / 1000
}

impl Track {
    fn new(described: &SendTrack, epochs: &mut u32) -> Self {
        let rate = match described.kind {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        };
        let rids = described.rids.iter().map(|&r| Some(r));
        let one = described.rids.is_empty().then_some(None);
        // More layers than any encoder makes are not kept.
        let layers = rids
            .chain(one)
            .take(8)
            .map(|rid| Layer::new(described.kind, rate, rid, epochs))
            .collect::<Vec<_>>();
        let wants = Wants::new(layers.len());
        Self {
            mid: described.mid,
            kind: described.kind,
            codec: None,
            layers,
            subscribers: Vec::new(),
            far: Vec::new(),
            alive: LayerSet::default(),
            wants,
            heard: Heard::default(),
            declared: Vec::new(),
            audio_level: None,
        }
    }

    fn check_layers(&mut self) -> bool {
        let alive = alive::alive(&self.layers);
        !alive.is_empty() && alive != std::mem::replace(&mut self.alive, alive)
    }
}
