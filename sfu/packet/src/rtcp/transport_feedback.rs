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
const STATUSES_MAX: usize = 0x1fff;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransportFeedback {
    pub sender: Ssrc,
    pub media: Ssrc,
    /// Transport sequence number of the first status.
    pub base: SeqNo,
    /// Counts messages, so that a lost one is noticed.
    pub feedback_count: u8,
    /// Units of 64 ms, 24 bits signed, the receiver's clock.
    pub reference_time: i32,
    /// One per transport sequence number from `base`; `None`: not received; else 250 us since the one received before
    /// it in this message (the first: since the reference time).
    pub deltas: Vec<Option<i16>>,
}

impl TransportFeedback {
    /// Each reported packet with its arrival in microseconds of the receiver's clock (the reference time wraps every
    /// 12 days: `reference_time` has 24 bits); `None`: not received.
    pub fn arrivals(&self) -> impl Iterator<Item = (SeqNo, Option<i64>)> + '_ {
        let mut at_us = i64::from(self.reference_time) * REFERENCE_US;
        self.deltas.iter().enumerate().map(move |(i, delta)| {
            let arrival = delta.map(|ticks| {
                at_us += i64::from(ticks) * TICK_US;
                at_us
            });
            (self.base.plus(i as u16), arrival)
        })
    }

    pub(super) fn read(element: &Element) -> Option<Self> {
        let (sender, media, fci) = element.feedback()?;
        let (&[b0, b1, c0, c1, r0, r1, r2, feedback_count], mut rest) = fci.split_first_chunk::<8>()?;
        let count = usize::from(u16::from_be_bytes([c0, c1]));
        let reference_time = (u32::from_be_bytes([r0, r1, r2, 0]) as i32) >> 8;

        // Statuses first: a message of 65535 statuses can be 20 bytes long, so this is bounded by the count field.
        let mut statuses = Vec::with_capacity(count.min(1 << 10));
        while statuses.len() < count {
            let (&[a, b], behind) = rest.split_first_chunk::<2>()?;
            rest = behind;
            Chunk(u16::from_be_bytes([a, b])).expand(count, &mut statuses);
        }
        let mut deltas = Vec::with_capacity(count);
        for status in statuses {
            deltas.push(match status {
                Status::NotReceived => None,
                Status::Small => {
                    let (&[a], behind) = rest.split_first_chunk::<1>()?;
                    rest = behind;
                    Some(i16::from(a))
                }
                Status::Large => {
                    let (&bytes, behind) = rest.split_first_chunk::<2>()?;
                    rest = behind;
                    Some(i16::from_be_bytes(bytes))
                }
            });
        }
        let base = SeqNo(u16::from_be_bytes([b0, b1]));
        Some(Self { sender, media, base, feedback_count, reference_time, deltas })
    }

    /// Appends the message; nothing without statuses. At most 8191 statuses are written.
    pub fn write(&self, out: &mut Vec<u8>) {
        let deltas = &self.deltas[..self.deltas.len().min(STATUSES_MAX)];
        if deltas.is_empty() {
            return;
        }
        let start = out.len();
        write_header(FORMAT, RTPFB, 0, out);
        out.extend_from_slice(&self.sender.0.to_be_bytes());
        out.extend_from_slice(&self.media.0.to_be_bytes());
        out.extend_from_slice(&self.base.0.to_be_bytes());
        out.extend_from_slice(&(deltas.len() as u16).to_be_bytes());
        out.extend_from_slice(&self.reference_time.to_be_bytes()[1..]);
        out.push(self.feedback_count);
        write_chunks(deltas, out);
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
    /// Appends the statuses, never beyond `count`.
    fn expand(self, count: usize, statuses: &mut Vec<Status>) {
        let room = count - statuses.len();
        match self.0 >> 14 {
            0 | 1 => {
                let run = usize::from(self.0 & 0x1fff).min(room);
                statuses.resize(statuses.len() + run, Status::from_bits(self.0 >> 13));
            }
            2 => statuses.extend((0..14).rev().take(room).map(|i| Status::from_bits(self.0 >> i & 1))),
            _ => statuses.extend((0..7).rev().take(room).map(|i| Status::from_bits(self.0 >> (2 * i)))),
        }
    }
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
                deltas: Vec::new(),
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
        let index = usize::from(seq.0.wrapping_sub(self.message.base.0));
        let Ok(delta) = i16::try_from((arrival_us - self.last_us).div_euclid(TICK_US)) else {
            return false;
        };
        if index < self.message.deltas.len() || index >= Self::STATUSES_PER_MESSAGE {
            return false;
        }
        self.message.deltas.resize(index, None);
        self.message.deltas.push(Some(delta));
        // What was cut by rounding is carried to the next delta, so errors do not add up.
        self.last_us += i64::from(delta) * TICK_US;
        true
    }

    /// Keeps a message inside one datagram of 1200 bytes: 500 two-byte deltas and 72 chunks are 1144 bytes.
    pub const STATUSES_PER_MESSAGE: usize = 500;

    pub fn finish(self) -> TransportFeedback {
        self.message
    }
}
