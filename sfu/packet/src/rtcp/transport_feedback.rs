//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1): for
//! a run of transport sequence numbers, which arrived and when.
//!
//! ```text
//! |      base sequence number     |      packet status count      |
//! |                 reference time                | fb pkt. count |   reference: signed, 64 ms
//! |          packet chunk         |         packet chunk          |   2 bytes each, statuses
//! |         packet chunk          |  recv delta   |  recv delta   |   1 or 2 bytes each, 250 us
//! ```

use super::compound::{Element, RTPFB, write_header};
use crate::{SeqNo, Ssrc};

pub(super) const FORMAT: u8 = 15;

/// One tick of a delta, in microseconds.
const TICK_US: i64 = 250;
/// One tick of the reference time, in microseconds.
const REFERENCE_US: i64 = 64_000;
/// The most statuses one message carries here when written: what a run-length chunk can say (13 bits).
const STATUSES_MAX: u16 = 0x1fff;

/// Sparse: packets that were not received cost nothing, so a message that claims 65,535 of them is as cheap as it is
/// short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportFeedback {
    pub sender: Ssrc,
    pub media: Ssrc,
    /// Transport sequence number of the first status.
    pub base: SeqNo,
    /// Packets that this message is about, from `base` on.
    pub status_count: u16,
    /// Counts messages, so that a lost one is noticed.
    pub feedback_count: u8,
    /// Units of 64 ms, 24 bits signed, the receiver's clock.
    pub reference_time: i32,
    /// In ascending order of `offset`.
    pub received: Vec<Received>,
}

/// A packet that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Its transport sequence number minus `base`; less than `status_count`.
    pub offset: u16,
    /// 250 us since the one before it in the list; the first: since the reference time.
    pub delta: i16,
}

impl TransportFeedback {
    /// Packets that arrived, with the time in microseconds of the receiver's clock (which wraps every 12 days:
    /// `reference_time` has 24 bits).
    pub fn received_times(&self) -> impl Iterator<Item = (SeqNo, i64)> + '_ {
        let mut at_us = i64::from(self.reference_time) * REFERENCE_US;
        self.received.iter().map(move |r| {
            at_us += i64::from(r.delta) * TICK_US;
            (self.base.plus(r.offset), at_us)
        })
    }

    /// Every packet that the message is about with its arrival, `None` if it was not received. As long as
    /// `status_count`, whatever the message's length: bound it by what was sent.
    pub fn arrivals(&self) -> impl Iterator<Item = (SeqNo, Option<i64>)> + '_ {
        let mut arrivals = self.received_times().peekable();
        (0..self.status_count).map(move |offset| {
            let seq = self.base.plus(offset);
            (seq, arrivals.next_if(|(received, _)| *received == seq).map(|(_, at_us)| at_us))
        })
    }

    pub(super) fn read(element: &Element) -> Option<Self> {
        let (sender, media, fci) = element.feedback()?;
        let (&[b0, b1, c0, c1, r0, r1, r2, feedback_count], rest) = fci.split_first_chunk::<8>()?;
        let status_count = u16::from_be_bytes([c0, c1]);

        // Deltas begin behind the chunk that completes the count.
        let (words, _) = rest.as_chunks::<2>();
        let mut covered = 0;
        let chunks_end = words.iter().position(|w| {
            covered += Chunk(u16::from_be_bytes(*w)).len();
            covered >= usize::from(status_count)
        });
        let chunk_count = if status_count == 0 { 0 } else { chunks_end? + 1 };
        let mut deltas = &rest[2 * chunk_count..];

        // A packet that arrived takes at least a byte, so a short message cannot claim much memory.
        let mut received = Vec::with_capacity(deltas.len().min(usize::from(status_count)));
        let mut offset = 0;
        for word in &words[..chunk_count] {
            let chunk = Chunk(u16::from_be_bytes(*word));
            let len = chunk.len().min(usize::from(status_count) - offset);
            if chunk.is_run_of_missing() {
                offset += len;
                continue;
            }
            for i in 0..len {
                let status = chunk.status(i);
                if status != Status::NotReceived {
                    let (delta, behind) = read_delta(status, deltas)?;
                    deltas = behind;
                    received.push(Received { offset: offset as u16, delta });
                }
                offset += 1;
            }
        }
        Some(Self {
            sender,
            media,
            base: SeqNo(u16::from_be_bytes([b0, b1])),
            status_count,
            feedback_count,
            reference_time: (u32::from_be_bytes([r0, r1, r2, 0]) as i32) >> 8,
            received,
        })
    }

    /// Appends the message; nothing without statuses. At most 8191 statuses are written; a packet whose offset is not
    /// inside them or not above the one before is left out.
    pub fn write(&self, out: &mut Vec<u8>) {
        let count = self.status_count.min(STATUSES_MAX);
        if count == 0 {
            return;
        }
        let mut deltas = vec![None; usize::from(count)];
        let mut last = None;
        for r in &self.received {
            if last < Some(r.offset) && r.offset < count {
                deltas[usize::from(r.offset)] = Some(r.delta);
                last = Some(r.offset);
            }
        }
        let start = out.len();
        write_header(FORMAT, RTPFB, 0, out);
        out.extend_from_slice(&self.sender.0.to_be_bytes());
        out.extend_from_slice(&self.media.0.to_be_bytes());
        out.extend_from_slice(&self.base.0.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&self.reference_time.to_be_bytes()[1..]);
        out.push(self.feedback_count);
        write_chunks(&deltas, out);
        for delta in deltas.iter().flatten() {
            match u8::try_from(*delta) {
                Ok(small) => out.push(small),
                Err(_) => out.extend_from_slice(&delta.to_be_bytes()),
            }
        }
        let len = out.len() - start;
        let padding = len.next_multiple_of(4) - len;
        if padding > 0 {
            out.resize(start + len + padding, 0);
            *out.last_mut().expect("just grown") = padding as u8;
            out[start] |= 0x20;
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
enum Status {
    NotReceived = 0,
    /// One byte, unsigned.
    Small = 1,
    /// Two bytes, signed.
    Large = 2,
}

impl Status {
    /// 3 is reserved: taken as not received, as it has no delta.
    fn from_bits(bits: u16) -> Self {
        match bits & 3 {
            1 => Self::Small,
            2 => Self::Large,
            _ => Self::NotReceived,
        }
    }
    fn of(delta: Option<i16>) -> Self {
        match delta {
            None => Self::NotReceived,
            Some(0..=255) => Self::Small,
            Some(_) => Self::Large,
        }
    }
}

/// Packet status chunk (sections 3.1.3 and 3.1.4).
///
/// ```text
/// |0| S |    run length, 13 bits  |     S: status of all
/// |1|0|      14 statuses, 1 bit   |     0 not received, 1 small
/// |1|1|      7 statuses, 2 bits   |
/// ```
struct Chunk(u16);

impl Chunk {
    /// Statuses it holds; those beyond the message's count are filler.
    fn len(&self) -> usize {
        match self.0 >> 14 {
            0 | 1 => usize::from(self.0 & 0x1fff),
            2 => 14,
            _ => 7,
        }
    }
    fn is_run_of_missing(&self) -> bool {
        self.0 >> 15 == 0 && Status::from_bits(self.0 >> 13) == Status::NotReceived
    }
    /// Of the `i`-th, which is less than `len`.
    fn status(&self, i: usize) -> Status {
        match self.0 >> 14 {
            0 | 1 => Status::from_bits(self.0 >> 13),
            2 => Status::from_bits(self.0 >> (13 - i) & 1),
            _ => Status::from_bits(self.0 >> (12 - 2 * i)),
        }
    }
}

fn read_delta(status: Status, bytes: &[u8]) -> Option<(i16, &[u8])> {
    if status == Status::Small {
        let (&small, behind) = bytes.split_first()?;
        return Some((i16::from(small), behind));
    }
    let (&large, behind) = bytes.split_first_chunk::<2>()?;
    Some((i16::from_be_bytes(large), behind))
}

/// Takes, at each point, a run if it is longer than a vector chunk could say, else one-bit, else two-bit statuses.
fn write_chunks(mut deltas: &[Option<i16>], out: &mut Vec<u8>) {
    while let Some(&first) = deltas.first() {
        let first = Status::of(first);
        let run = deltas.iter().take_while(|d| Status::of(**d) == first).count();
        let one_bit = deltas.iter().take(14).all(|d| Status::of(*d) != Status::Large);
        let (chunk, taken) = if run > if one_bit { 14 } else { 7 } || run == deltas.len() {
            ((first as u16) << 13 | run as u16, run)
        } else if one_bit {
            let bits = deltas.iter().take(14).enumerate();
            (bits.fold(1 << 15, |c, (i, d)| c | (Status::of(*d) as u16) << (13 - i)), deltas.len().min(14))
        } else {
            let bits = deltas.iter().take(7).enumerate();
            (bits.fold(3 << 14, |c, (i, d)| c | (Status::of(*d) as u16) << (12 - 2 * i)), deltas.len().min(7))
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        deltas = &deltas[taken..];
    }
}

/// Collects arrivals, in ascending order of sequence number, into one message.
#[derive(Clone, Debug)]
pub struct FeedbackBuilder {
    message: TransportFeedback,
    last_us: i64,
}

impl FeedbackBuilder {
    /// A message whose first status is `base`, received at `arrival_us` (microseconds of any clock of the receiver's,
    /// not negative).
    pub fn new(sender: Ssrc, media: Ssrc, feedback_count: u8, base: SeqNo, arrival_us: i64) -> Self {
        let reference = arrival_us.div_euclid(REFERENCE_US);
        let mut builder = Self {
            message: TransportFeedback {
                sender,
                media,
                base,
                feedback_count,
                // Modulo 2^24, sign-extended.
                reference_time: (reference as i32) << 8 >> 8,
                status_count: 0,
                received: Vec::new(),
            },
            last_us: reference * REFERENCE_US,
        };
        builder.push(base, arrival_us);
        builder
    }

    /// Adds a packet; those between the last and this one are reported missing. False, and unchanged, if it does not
    /// fit (its delta is beyond ±8 s, it is not newer than the last, or the message would have more than 500 statuses):
    /// then finish this message and begin another with it.
    pub fn push(&mut self, seq: SeqNo, arrival_us: i64) -> bool {
        let offset = seq.0.wrapping_sub(self.message.base.0);
        let Ok(delta) = i16::try_from((arrival_us - self.last_us).div_euclid(TICK_US)) else {
            return false;
        };
        if offset < self.message.status_count || offset >= Self::STATUSES_PER_MESSAGE {
            return false;
        }
        self.message.received.push(Received { offset, delta });
        self.message.status_count = offset + 1;
        // What was cut by rounding is carried to the next delta, so errors do not add up.
        self.last_us += i64::from(delta) * TICK_US;
        true
    }

    /// Keeps a message inside one datagram of 1200 bytes: 500 two-byte deltas and 72 chunks are 1164 bytes.
    pub const STATUSES_PER_MESSAGE: u16 = 500;

    pub fn finish(self) -> TransportFeedback {
        self.message
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet};
    use super::*;

    /// Body behind the two SSRCs: base 0xfffe, reference time -1, feedback count 9.
    fn parsed(count: u16, tail: &[u8]) -> Option<TransportFeedback> {
        let fci = [&[0xff, 0xfe][..], &count.to_be_bytes(), &[0xff, 0xff, 0xff, 9], tail].concat();
        let body = [&[0, 0, 0, 1, 0, 0, 0, 2][..], &fci].concat();
        TransportFeedback::read(&Element { packet_type: RTPFB, format: FORMAT, body: &body })
    }

    #[test]
    fn chunks_of_each_kind_are_read_across_the_wrap() {
        let us = |ticks: i64| -64_000 + 250 * ticks;
        for (name, count, tail, expected) in [
            ("run of small", 3, &[0x20, 3, 1, 2, 255][..], vec![Some(us(1)), Some(us(3)), Some(us(258))]),
            ("run longer than the count", 1, &[0x20, 3, 4], vec![Some(us(4))]),
            ("run of missing, then large", 3, &[0, 2, 0x40, 1, 0xff, 0xff], vec![None, None, Some(us(-1))]),
            ("one bit each", 3, &[0xa8, 0, 1, 2], vec![Some(us(1)), None, Some(us(3))]),
            (
                "two bits each",
                4,
                &[0xd8, 0xc0, 1, 0x7f, 0xff],
                vec![Some(us(1)), Some(us(32_768)), None, None],
            ),
            ("an empty run is skipped", 1, &[0, 0, 0x20, 1, 7], vec![Some(us(7))]),
            ("nothing", 0, &[], vec![]),
        ] {
            let message = parsed(count, tail).expect(name);
            assert_eq!(
                (message.base, message.reference_time, message.feedback_count),
                (SeqNo(0xfffe), -1, 9)
            );
            let seqs = (0..count).map(|i| SeqNo(0xfffe).plus(i));
            assert_eq!(
                message.arrivals().collect::<Vec<_>>(),
                seqs.zip(expected).collect::<Vec<_>>(),
                "{name}"
            );
        }
        for (name, count, tail) in [
            ("fewer statuses than the count", 4, &[0x20, 3, 1, 2, 3][..]),
            ("half a chunk", 1, &[0x20]),
            ("a delta is missing", 2, &[0x20, 2, 1]),
            ("half a large delta", 1, &[0x40, 1, 1]),
        ] {
            assert_eq!(parsed(count, tail), None, "{name}");
        }
    }

    #[test]
    fn a_short_message_about_65535_missing_packets_is_cheap() {
        let run = [0x1f, 0xff].repeat(9);
        let message = parsed(0xffff, &run).unwrap();
        assert_eq!((message.status_count, message.received.capacity()), (0xffff, 0));
        assert_eq!(message.arrivals().filter(|(_, at)| at.is_none()).count(), 0xffff);
    }

    #[test]
    fn what_is_built_is_what_is_read_without_adding_up_rounding() {
        let arrivals = [
            (0xfffd, 1_000_100),
            (0xffff, 1_000_349),
            (0x0000, 1_000_598),
            (0x0001, 900_000),
            (0x0030, 9_000_000),
            (0x0031, 9_000_000),
        ];
        let mut builder = FeedbackBuilder::new(Ssrc(1), Ssrc(2), 255, SeqNo(arrivals[0].0), arrivals[0].1);
        for (seq, at_us) in &arrivals[1..] {
            assert!(builder.push(SeqNo(*seq), *at_us), "{seq}");
        }
        let message = builder.finish();
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        assert_eq!(
            Compound::iter(&bytes).collect::<Vec<_>>(),
            [Ok(Packet::TransportFeedback(message.clone()))]
        );
        assert_eq!(message.received_times().count(), arrivals.len());
        for ((seq, at_us), (expected_seq, expected_us)) in message.received_times().zip(arrivals) {
            assert_eq!(seq, SeqNo(expected_seq));
            assert!((0..TICK_US).contains(&(expected_us - at_us)), "{at_us} for {expected_us}");
        }
        assert_eq!(message.arrivals().filter(|(_, at)| at.is_none()).count(), 0x34 - 5);
    }

    #[test]
    fn a_packet_that_does_not_fit_begins_another_message() {
        let start = || FeedbackBuilder::new(Ssrc(1), Ssrc(2), 0, SeqNo(0xffff), 64_000);
        for (name, seq, at_us, expected) in [
            ("the next", 0, 64_000, true),
            ("the same", 0xffff, 64_000, false),
            ("an older one", 0xfffe, 64_000, false),
            ("the last that fits", 498, 64_000, true),
            ("one status too many", 499, 64_000, false),
            ("8.19175 s later", 0, 64_000 + 32_767 * 250, true),
            ("8.192 s later", 0, 64_000 + 32_768 * 250, false),
            ("8.192 s earlier", 0, 64_000 - 32_768 * 250, true),
        ] {
            let mut builder = start();
            assert_eq!(builder.push(SeqNo(seq), at_us), expected, "{name}");
            assert_eq!(builder.finish().received.len(), if expected { 2 } else { 1 }, "{name}");
        }
    }

    #[test]
    fn the_largest_message_fits_a_datagram() {
        let mut builder = FeedbackBuilder::new(Ssrc(1), Ssrc(2), 0, SeqNo(0), 0);
        let mut at_us = 0;
        for seq in 1..FeedbackBuilder::STATUSES_PER_MESSAGE {
            // Small and large deltas in turn, so that no run shortens it.
            at_us += if seq % 2 == 0 { 250 } else { 64_000 };
            assert!(builder.push(SeqNo(seq), at_us));
        }
        let mut bytes = Vec::new();
        builder.finish().write(&mut bytes);
        assert!(bytes.len() <= 1200, "{} bytes", bytes.len());
    }
}
