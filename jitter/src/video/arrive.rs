//! The inserting half of the buffer: which stream a packet belongs to, what is inside it, and what FEC makes of it.

use super::assembly::{Outcome, Received};
use super::buffer::{Via, VideoBuffer};
use super::config::Payload;
use super::fec::{FecDecoder, Format};
use super::part::Part;
use super::stats::{Discarded, DropReason};
use super::unwrap::Unwrap;
use packet::ext::Values;
use packet::fec::red;
use packet::media::{Codec, MediaKind};
use packet::rtp::RtpHeader;
use packet::{SeqNo, Ssrc};
use std::time::{Duration, Instant};

/// Further ahead or behind than this a number is of another sequence (RFC 3550 appendix A.1: 3000 and 100; behind, as far as
/// packets are kept).
const AHEAD_MAX: i64 = 3000;
const BEHIND_MAX: i64 = super::assembly::PACKETS_MAX as i64;
/// Packets of the source before are stragglers for so long; later they are a new stream.
const FORMER_SOURCE: Duration = Duration::from_secs(2);
/// Whole frames kept: ten seconds at 50 a second, and as many bytes as packets may take.
const FRAMES_MAX: usize = 512;
const FRAME_BYTES_MAX: usize = 8 << 20;

impl VideoBuffer {
    pub(super) fn take_packet(&mut self, now: Instant, rtp: &[u8], via: Via) -> Result<(), DropReason> {
        let header = RtpHeader::parse(rtp).map_err(|_| DropReason::Malformed)?;
        let payload = header.payload(rtp);
        match self.config.payload(header.pt).ok_or(DropReason::UnknownPayloadType)? {
            Payload::Codec(codec) if codec.kind() == MediaKind::Video => {
                self.follow(now, header.ssrc)?;
                let seq = self.place(now, header.seq, via)?;
                self.keep_for_fec(seq, rtp, via);
                self.media(now, seq, codec, rtp, &header, via)
            }
            Payload::Red => {
                self.follow(now, header.ssrc)?;
                let seq = self.place(now, header.seq, via)?;
                self.red(now, seq, rtp, &header, via)
            }
            Payload::Flexfec => {
                if self.keep_repair(Format::Flexfec, payload) {
                    Ok(())
                } else {
                    Err(DropReason::BadPayload)
                }
            }
            Payload::Ulpfec | Payload::Codec(_) => Err(DropReason::BadPayload),
        }
    }

    /// Another source is a new stream.
    fn follow(&mut self, now: Instant, ssrc: Ssrc) -> Result<(), DropReason> {
        let Some(source) = self.source.replace(ssrc).filter(|source| *source != ssrc) else { return Ok(()) };
        let straggler = self
            .former
            .is_some_and(|(former, left)| former == ssrc && now.duration_since(left) < FORMER_SOURCE);
        if straggler {
            self.source = Some(source);
            return Err(DropReason::FormerSource);
        }
        self.former = Some((source, now));
        self.restart();
        Ok(())
    }

    /// The unwrapped sequence number, what is missing before it noticed.
    fn place(&mut self, now: Instant, number: SeqNo, via: Via) -> Result<i64, DropReason> {
        if let Some(newest) = self.seqs.newest() {
            let distance = self.seqs.peek(number.0.into()) - newest;
            if !(-BEHIND_MAX..=AHEAD_MAX).contains(&distance) {
                let begins = via == Via::Media && self.odd == Some(number);
                self.odd = Some(number.plus(1)).filter(|_| via == Via::Media);
                if !begins {
                    return Err(DropReason::OutOfSequence);
                }
                self.restart();
            }
        }
        let newest = self.seqs.newest();
        let seq = self.seqs.unwrap(number.0.into());
        if self.frontier.is_some_and(|frontier| seq <= frontier) {
            return Err(DropReason::TooLate);
        }
        if self.assembly.contains(seq) {
            return Err(DropReason::Duplicate);
        }
        if let Some(newest) = newest.filter(|newest| seq > *newest) {
            let dropped = self.nack.notice(now, newest + 1, seq);
            self.given_up = self.given_up.max(dropped);
            self.nack.arrived_new();
        }
        self.nack.filled(now, seq, via != Via::Media);
        self.first_arrival.get_or_insert(now);
        Ok(seq)
    }

    /// What was received is kept from the first repair packet on, and while there are some.
    fn keep_for_fec(&mut self, seq: i64, rtp: &[u8], via: Via) {
        if let Some(fec) = &mut self.fec
            && via != Via::Rtx
        {
            fec.media(seq, rtp);
        }
        self.fec.take_if(|fec| fec.is_idle());
    }

    /// False if it is no repair payload of this format.
    fn keep_repair(&mut self, format: Format, payload: &[u8]) -> bool {
        let fits = format.fits(payload);
        if fits {
            let extensions = self.config.extensions;
            self.fec.get_or_insert_with(|| FecDecoder::new(extensions)).repair(format, payload);
            self.stats.fec_packets += 1;
        }
        fits
    }

    /// Media or ULPFEC inside RED: one block, since video is never repeated in it.
    fn red(
        &mut self,
        now: Instant,
        seq: i64,
        rtp: &[u8],
        header: &RtpHeader,
        via: Via,
    ) -> Result<(), DropReason> {
        let block = red::split(header.payload(rtp)).and_then(|mut blocks| blocks.next());
        let block = block.filter(|block| block.offset == 0).ok_or(DropReason::BadPayload)?;
        match self.config.payload(block.pt) {
            Some(Payload::Ulpfec) => {
                let good = self.keep_repair(Format::Ulpfec, block.payload);
                self.filler(now, seq)?;
                if good { Ok(()) } else { Err(DropReason::BadPayload) }
            }
            Some(Payload::Codec(codec)) if codec.kind() == MediaKind::Video => {
                // As it was before it went into RED: without the block's header, with the block's payload type.
                let start = header.payload_range().start;
                let mut plain = rtp[..start].to_vec();
                plain.extend_from_slice(&rtp[start + 1..]);
                packet::rtp::set_payload_type(&mut plain, block.pt);
                let header = RtpHeader::parse(&plain).map_err(|_| DropReason::BadPayload)?;
                self.keep_for_fec(seq, &plain, via);
                self.media(now, seq, codec, &plain, &header, via)
            }
            _ => Err(DropReason::UnknownPayloadType),
        }
    }

    fn filler(&mut self, now: Instant, seq: i64) -> Result<(), DropReason> {
        self.stats.fillers += 1;
        let outcome = self.assembly.filler(seq, now).map_err(|_| DropReason::Duplicate)?;
        self.take_outcome(now, outcome);
        Ok(())
    }

    fn media(
        &mut self,
        now: Instant,
        seq: i64,
        codec: Codec,
        rtp: &[u8],
        header: &RtpHeader,
        via: Via,
    ) -> Result<(), DropReason> {
        let payload = header.payload(rtp);
        if payload.is_empty() {
            return self.filler(now, seq);
        }
        let values = Values::read(header, rtp, &self.config.extensions);
        let part = Part::describe(codec, payload, header.marker, values.dependency_descriptor)
            .ok_or(DropReason::BadPayload)?;
        if let Some(playout) = values.playout_delay {
            self.timing.set_playout(playout);
        }
        let timestamp = self.timestamps.unwrap(header.timestamp.0);
        if via == Via::Media && self.timing.timeline.arrived(now, timestamp) {
            self.timing.jitter.rebase();
            self.stats.restarts += 1;
        }
        if self.seqs.newest() == Some(seq) {
            // What was asked for came later than the camera's rhythm.
            let usual = self.timing.timeline.earliest(timestamp).filter(|_| via != Via::Media);
            self.overdue.arrived(usual.unwrap_or(now).min(now), seq, timestamp, header.marker);
        }
        self.stats.received += 1;
        self.stats.retransmitted += u64::from(via == Via::Rtx);
        if via == Via::Fec {
            self.stats.recovered_by_fec += 1;
            self.stats.bytes_recovered_by_fec += payload.len() as u64;
        }
        let body = &payload[part.header_len..];
        let received = Received {
            part,
            timestamp,
            body: if self.config.keep_data { body.to_vec() } else { Vec::new() },
            len: body.len(),
            repaired: via != Via::Media,
        };
        let outcome = self.assembly.insert(seq, received, now).map_err(|_| DropReason::Duplicate)?;
        self.take_outcome(now, outcome);
        if let Some(evicted) = self.assembly.evict() {
            self.stats.dropped[DropReason::Overflow as usize] += 1;
            self.given_up = self.given_up.max(Some(evicted));
            self.nack.forget_up_to(evicted);
        }
        Ok(())
    }

    fn take_outcome(&mut self, now: Instant, outcome: Outcome) {
        for (_, last) in outcome.contradictions {
            self.stats.discarded[Discarded::Contradiction as usize] += 1;
            self.given_up = self.given_up.max(Some(last));
        }
        for frame in outcome.frames {
            if !frame.repaired {
                let media_us = frame.timestamp.saturating_mul(100) / 9;
                self.timing.jitter.frame(now, media_us, frame.len);
            }
            self.frame_bytes += frame.data.len();
            self.frames.insert(frame.first, frame);
        }
        while self.frames.len() > FRAMES_MAX || self.frame_bytes > FRAME_BYTES_MAX {
            let Some((&first, _)) = self.frames.first_key_value() else { break };
            let last = self.discard(first, Discarded::Overflow);
            self.skip_to(last);
        }
    }

    /// Every packet that repair packets bring back.
    pub(super) fn recover(&mut self, now: Instant) {
        let (Some(ssrc), Some(newest)) = (self.source, self.seqs.newest()) else { return };
        loop {
            let recovered = self.fec.as_mut().map(|fec| fec.recover(ssrc, newest)).unwrap_or_default();
            if recovered.is_empty() {
                return;
            }
            for rtp in recovered {
                let of_stream = RtpHeader::parse(&rtp)
                    .is_ok_and(|header| matches!(self.config.payload(header.pt), Some(Payload::Codec(_))));
                let taken = match of_stream {
                    true => self.take_packet(now, &rtp, Via::Fec),
                    false => Err(DropReason::BadRecovery),
                };
                if let Err(reason) = taken {
                    self.stats.dropped[reason as usize] += 1;
                }
            }
        }
    }

    /// A new stream: nothing of the old one is of use to its decoder.
    pub(super) fn restart(&mut self) {
        self.stats.restarts += 1;
        self.stats.discarded[Discarded::Restart as usize] += self.frames.len() as u64;
        self.seqs = Unwrap::new(16);
        self.timestamps = Unwrap::new(32);
        self.odd = None;
        self.assembly.clear();
        self.frames.clear();
        self.frame_bytes = 0;
        self.references.reset();
        (self.frontier, self.open, self.given_up, self.first_arrival) = (None, None, None, None);
        self.whole_since = None;
        self.nack.clear();
        self.overdue.restart();
        if let Some(fec) = &mut self.fec {
            fec.clear();
        }
        self.timing.rebase();
        self.requests.settled();
    }
}
