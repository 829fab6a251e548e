//! One SSRC we send with: its numbers, its packets for retransmission, its sender reports. A track has one, or one for
//! each simulcast layer.

use crate::config::Counters;
use crate::random::Random;
use packet::ext::{AbsSendTime, AudioLevel, ExtensionMap, TransportSequence, Values};
use packet::fec::window::{Decoder, Window};
use packet::media::CodecConfig;
use packet::rtcp::SenderReport;
use packet::rtp::{NoRoom, Outgoing};
use packet::{Mid, NtpTime, PayloadType, Rid, RtpTime, SeqNo, Ssrc};
use std::collections::VecDeque;
use std::time::Instant;

/// Packets kept for retransmission: a second at 5 Mbit/s.
const HISTORY: usize = 512;
/// Of the smoothed share of lost packets, what is kept with each better report.
const LOST_KEPT: f32 = 0.7;
/// A whole packet with all extensions and the SRTP tag.
const BUFFER: usize = 1500;

pub(crate) struct Stream {
    pub ssrc: Ssrc,
    pub rid: Option<Rid>,
    pub rtx_ssrc: Option<Ssrc>,
    next_seq: SeqNo,
    next_rtx_seq: SeqNo,
    pub next_picture: u16,
    /// Number of the newest frame of temporal layer zero.
    pub base_picture: u8,
    history: VecDeque<Stored>,
    /// What repair packets are made of, and their own source.
    window: Window,
    fec_ssrc: Ssrc,
    next_fec_seq: SeqNo,
    /// RTP time of the last frame and when it left.
    last: Option<(RtpTime, Instant)>,
    packets: u32,
    octets: u32,
    /// Share of its packets that the other end says were lost, at least in two reports in a row; down slowly. And in the last report.
    lost: f32,
    last_lost: f32,
}

/// A packet without the numbers that it gets when it leaves.
#[derive(Clone)]
pub(crate) struct Stored {
    pub seq: SeqNo,
    pub pt: PayloadType,
    pub marker: bool,
    pub timestamp: RtpTime,
    pub audio_level: Option<AudioLevel>,
    pub payload: Vec<u8>,
}

/// What a packet is given when it leaves.
#[derive(Clone, Copy)]
pub(crate) struct Leaves<'a> {
    pub at: Instant,
    pub ntp: NtpTime,
    pub transport_sequence: u16,
    pub map: &'a ExtensionMap,
}

/// A packet to protect and send; `buffer` has room for the tag behind `len`.
pub(crate) struct Unprotected {
    pub buffer: Vec<u8>,
    pub len: usize,
}

impl Stream {
    pub fn new(
        (ssrc, rtx_ssrc): (Ssrc, Option<Ssrc>),
        rid: Option<Rid>,
        counters: Counters,
        random: &mut Random,
    ) -> Self {
        // In the lower half, so that no rollover happens among the first packets (RFC 3711 section 3.3.1).
        let mut seq = || SeqNo(random.next() as u16 & 0x7fff);
        let (first, first_rtx, next_fec_seq) = (seq(), seq(), seq());
        let fec_ssrc = Ssrc(random.next() as u32);
        let (picture, base) = (random.next() as u16 & 0x7fff, random.next() as u8);
        let (next_seq, next_rtx_seq, next_picture, base_picture) = match counters {
            Counters::Random => (first, first_rtx, picture, base),
            Counters::AboutToWrap => {
                (SeqNo(u16::MAX - 500), SeqNo(u16::MAX - 20), 0x7fff - 100, u8::MAX - 20)
            }
        };
        Self {
            ssrc,
            rid,
            rtx_ssrc,
            next_seq,
            next_rtx_seq,
            next_picture,
            base_picture,
            history: VecDeque::new(),
            window: Window::default(),
            fec_ssrc,
            next_fec_seq,
            last: None,
            packets: 0,
            octets: 0,
            lost: 0.0,
            last_lost: 0.0,
        }
    }

    /// As the other end counts it (RFC 3550), 1/256.
    pub fn on_report(&mut self, fraction_lost: u8) {
        let reported = f32::from(fraction_lost) / 256.0;
        let lost = reported.min(std::mem::replace(&mut self.last_lost, reported));
        self.lost = lost.max(self.lost * LOST_KEPT + lost * (1.0 - LOST_KEPT));
    }

    pub fn lost(&self) -> f32 {
        self.lost
    }

    /// The next packet's number.
    pub fn next_number(&self) -> SeqNo {
        self.next_seq
    }

    /// The next packet's number, taken.
    pub fn number(&mut self) -> SeqNo {
        let seq = self.next_seq;
        self.next_seq = seq.plus(1);
        seq
    }

    /// Writes a packet that leaves now for the first time, and keeps it.
    pub fn send(
        &mut self,
        mid: Mid,
        codec: &CodecConfig,
        stored: Stored,
        leaves: Leaves<'_>,
    ) -> Result<Unprotected, NoRoom> {
        let packet = self.write(mid, codec, &stored, None, leaves)?;
        if self.last.is_none_or(|(timestamp, _)| timestamp != stored.timestamp) {
            self.last = Some((stored.timestamp, leaves.at));
        }
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(stored.payload.len() as u32);
        self.history.push_back(stored);
        if self.history.len() > HISTORY {
            self.history.pop_front();
        }
        Ok(packet)
    }

    /// What was sent as `seq`; None: too old, or not sent yet.
    pub fn sent(&self, seq: SeqNo) -> Option<&Stored> {
        let newest = self.history.back()?.seq;
        let back = usize::try_from(newest.since(seq)).ok()?;
        let index = self.history.len().checked_sub(back + 1)?;
        self.history.get(index)
    }

    /// The newest packet, for probing the path with something that may be of use.
    pub fn newest(&self) -> Option<&Stored> {
        self.history.back()
    }

    /// `stored` in the retransmission format.
    pub fn repeat(
        &mut self,
        mid: Mid,
        codec: &CodecConfig,
        stored: &Stored,
        leaves: Leaves<'_>,
    ) -> Result<Unprotected, NoRoom> {
        let seq = self.next_rtx_seq;
        self.next_rtx_seq = seq.plus(1);
        self.write(mid, codec, stored, Some(seq), leaves)
    }

    /// Nothing is protected for now.
    pub fn leave_unprotected(&mut self) {
        self.window.forget();
    }

    /// A picture's packet that leaves now becomes part of what repair packets are made of. How many of those there are for each packet
    /// `overhead` says, given how many packets they are made of; they are due where the picture ends.
    pub fn protect(
        &mut self,
        now: Instant,
        (mid, codec, pt): (Mid, &CodecConfig, PayloadType),
        stored: &Stored,
        map: &ExtensionMap,
        overhead: impl FnOnce(usize) -> f64,
    ) -> Vec<Stored> {
        let leaves = Leaves { at: now, ntp: NtpTime(0), transport_sequence: 0, map };
        let mut window = std::mem::take(&mut self.window);
        window.push(now, |out| {
            if let Ok(Unprotected { buffer, len }) = self.write(mid, codec, stored, None, leaves) {
                out.extend_from_slice(&buffer[..len]);
            }
        });
        let mut repairs = Vec::new();
        if stored.marker || window.is_due() {
            window.protect(Decoder::Solves, overhead(window.len()), |payload| {
                let (seq, timestamp) = (self.next_fec_seq, stored.timestamp);
                self.next_fec_seq = seq.plus(1);
                repairs.push(Stored { seq, pt, marker: false, timestamp, audio_level: None, payload });
            });
        }
        self.window = window;
        repairs
    }

    /// A repair packet of FlexFEC.
    pub fn repair(&self, mid: Mid, stored: &Stored, leaves: Leaves<'_>) -> Result<Unprotected, NoRoom> {
        let outgoing = Outgoing {
            pt: stored.pt,
            seq: stored.seq,
            timestamp: stored.timestamp,
            ssrc: self.fec_ssrc,
            csrc: Some(self.ssrc),
            extensions: Values {
                mid: Some(mid),
                repaired_rid: self.rid,
                abs_send_time: Some(AbsSendTime::from_ntp(leaves.ntp)),
                transport_sequence: Some(TransportSequence(leaves.transport_sequence)),
                ..Values::default()
            },
            payload: &stored.payload,
            ..Outgoing::default()
        };
        let mut buffer = vec![0; BUFFER.max(stored.payload.len() + 200)];
        let len = outgoing.write(leaves.map, &mut buffer)?.len;
        Ok(Unprotected { buffer, len })
    }

    fn write(
        &self,
        mid: Mid,
        codec: &CodecConfig,
        stored: &Stored,
        rtx: Option<SeqNo>,
        leaves: Leaves<'_>,
    ) -> Result<Unprotected, NoRoom> {
        let plain = Outgoing {
            marker: stored.marker,
            pt: stored.pt,
            seq: stored.seq,
            timestamp: stored.timestamp,
            ssrc: self.ssrc,
            extensions: Values {
                mid: Some(mid),
                rid: self.rid,
                audio_level: stored.audio_level,
                abs_send_time: Some(AbsSendTime::from_ntp(leaves.ntp)),
                transport_sequence: Some(TransportSequence(leaves.transport_sequence)),
                ..Values::default()
            },
            payload: &stored.payload,
            ..Outgoing::default()
        };
        let outgoing = match (rtx, codec.rtx, self.rtx_ssrc) {
            (Some(seq), Some(pt), Some(ssrc)) => {
                let extensions = Values { rid: None, repaired_rid: self.rid, ..plain.extensions };
                Outgoing { pt, seq, ssrc, extensions, osn: Some(stored.seq), ..plain }
            }
            _ => plain,
        };
        let mut buffer = vec![0; BUFFER.max(stored.payload.len() + 200)];
        let len = outgoing.write(leaves.map, &mut buffer)?.len;
        Ok(Unprotected { buffer, len })
    }

    /// None before the first packet.
    pub fn sender_report(&self, now: Instant, ntp: NtpTime, clock_rate: u32) -> Option<SenderReport> {
        let (timestamp, at) = self.last?;
        let elapsed = now.saturating_duration_since(at).as_nanos() * u128::from(clock_rate) / 1_000_000_000;
        Some(SenderReport {
            ssrc: self.ssrc,
            ntp,
            rtp: timestamp.plus(elapsed as u32),
            packets: self.packets,
            octets: self.octets,
            reports: Vec::new(),
        })
    }
}
