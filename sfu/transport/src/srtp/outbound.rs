//! To the peer: no index is ever used twice, not even by the process that takes over after a crash.
//!
//! A snapshot stores a *ceiling* per SSRC ahead of use. While snapshots are taken, sending stops at the lowest ceiling
//! that may be the stored one; whoever restores a snapshot begins at its ceiling.
//!
//! ```text
//! sent so far      may be sent       the next process starts here
//! ----------->|....................| ceiling = next + CEILING_STEP at the moment of the snapshot
//! ```

use super::cipher::Cipher;
use super::window::{Window, index_of};
use super::{Keys, RTCP_CLEAR_LEN, RTP_FIXED_HEADER_LEN, be16, be32, rtp_header_len};
use crate::ProtectError;
use aws_lc_rs::error::Unspecified;
use packet::{ExtSeq, SeqNo, Ssrc, prefetch};
use std::mem::offset_of;

/// A receiver extends sequence numbers correctly only over jumps below 2^15; half of that leaves room for what was lost
/// before the crash. At 1000 packets per second a snapshot is due every 8 s.
pub const CEILING_STEP: u64 = 1 << 14;

/// Slots, their RTX and padding streams, for the life of a session.
const SSRCS_MAX: usize = 1024;

/// Egress sorts packets by size within one tick, never within one SSRC: a short memory is enough.
const WINDOW_WORDS: usize = 4;

/// 48 bits of rollover counter and sequence number.
const RTP_INDEX_END: u64 = 1 << 48;
const RTCP_INDEX_END: u64 = 1 << 31;

pub struct Outbound {
    rtp: Cipher,
    rtcp: Cipher,
    ssrcs: Vec<u32>,
    streams: Vec<Stream>,
    last: usize,
    /// One counter for all sender SSRCs: each SSRC's own sequence of indices is increasing, as RFC 3711 asks.
    reports: Counter,
    /// Snapshots are taken, so ceilings are obeyed.
    bounded: bool,
}

struct Stream {
    /// `None`: reserved, nothing sent yet.
    window: Option<Window<WINDOW_WORDS>>,
    counter: Counter,
}

/// `next` is above everything used; `ceiling` may not be reached; `proposed` is the ceiling in the newest snapshot.
#[derive(Clone, Copy)]
struct Counter {
    next: u64,
    ceiling: u64,
    proposed: u64,
}

impl Counter {
    fn starting_at(next: u64) -> Self {
        Self { next, ceiling: next, proposed: next }
    }
    fn propose(&mut self) {
        self.proposed = self.proposed.max(self.next + CEILING_STEP);
    }
    fn is_low(&self) -> bool {
        self.ceiling.saturating_sub(self.next) < CEILING_STEP / 2
    }
}

/// The numbers a session goes on with: `(ssrc, next, ceiling)`, sorted by SSRC.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbering {
    pub streams: Vec<(u32, u64, u64)>,
    pub reports: (u64, u64),
    pub bounded: bool,
}

impl Outbound {
    pub fn new(keys: &Keys) -> Result<Self, Unspecified> {
        Ok(Self {
            rtp: Cipher::for_rtp(keys.profile, &keys.local)?,
            rtcp: Cipher::for_rtcp(keys.profile, &keys.local)?,
            ssrcs: Vec::new(),
            streams: Vec::new(),
            last: 0,
            reports: Counter::starting_at(0),
            bounded: false,
        })
    }

    /// Goes on from `numbering`; after a crash every index begins at its ceiling, and nothing is sent before a snapshot of
    /// this new state is stored.
    pub fn resume(keys: &Keys, numbering: &Numbering, after_crash: bool) -> Result<Self, Unspecified> {
        let mut outbound = Self::new(keys)?;
        outbound.bounded = numbering.bounded || after_crash;
        let counter = |next: u64, ceiling: u64| {
            if after_crash {
                Counter::starting_at(ceiling.max(next))
            } else {
                Counter { next, ceiling, proposed: ceiling }
            }
        };
        for (ssrc, next, ceiling) in numbering.streams.iter().take(SSRCS_MAX) {
            let counter = counter(*next, *ceiling);
            let window = counter.next.checked_sub(1).map(Window::used_up_to);
            if let Err(at) = outbound.ssrcs.binary_search(ssrc) {
                outbound.ssrcs.insert(at, *ssrc);
                outbound.streams.insert(at, Stream { window, counter });
            }
        }
        outbound.reports = counter(numbering.reports.0, numbering.reports.1);
        Ok(outbound)
    }

    /// A packet will be sealed in a moment, most likely of the source of the last one.
    pub fn prefetch(&self) {
        prefetch::whole(&self.bounded, offset_of!(Self, bounded), size_of::<Self>());
    }

    pub fn prefetch_lists(&self) {
        if let (Some(ssrc), Some(stream)) = (self.ssrcs.get(self.last), self.streams.get(self.last)) {
            prefetch::line(ssrc);
            prefetch::line(stream);
            prefetch::line(&stream.counter);
        }
    }

    pub fn seal_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, ProtectError> {
        if len < RTP_FIXED_HEADER_LEN || buffer.len() < len + self.rtp.tag_len() {
            return Err(ProtectError::Malformed);
        }
        let header = rtp_header_len(&buffer[..len]).ok_or(ProtectError::Malformed)?;
        let (seq, ssrc) = (be16(buffer, 2), be32(buffer, 8));
        let at = match self.find(ssrc) {
            Ok(at) => at,
            Err(at) => self.insert(at, ssrc, u64::from(seq))?,
        };
        let stream = &mut self.streams[at];
        let index = match &stream.window {
            Some(window) => index_of(window.highest(), seq)
                .filter(|index| window.check(*index).is_ok())
                .ok_or(ProtectError::IndexUsed)?,
            None => index_of(stream.counter.next, seq)
                .filter(|index| *index >= stream.counter.next)
                .ok_or(ProtectError::IndexUsed)?,
        };
        if index >= RTP_INDEX_END || (self.bounded && index >= stream.counter.ceiling) {
            return Err(ProtectError::Ceiling);
        }
        let sealed =
            self.rtp.seal_rtp(ssrc, index, header, buffer, len).map_err(|_| ProtectError::Malformed)?;
        match &mut stream.window {
            Some(window) => window.mark(index),
            None => stream.window = Some(Window::starting_with(index)),
        }
        stream.counter.next = stream.counter.next.max(index + 1);
        Ok(sealed)
    }

    pub fn seal_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, ProtectError> {
        let overhead = self.rtcp.tag_len() + super::SRTCP_INDEX_LEN;
        if len < RTCP_CLEAR_LEN || buffer.len() < len + overhead {
            return Err(ProtectError::Malformed);
        }
        let index = self.reports.next;
        if index >= RTCP_INDEX_END || (self.bounded && index >= self.reports.ceiling) {
            return Err(ProtectError::Ceiling);
        }
        // Used up even if sealing failed half-way.
        self.reports.next += 1;
        let ssrc = be32(buffer, 4);
        self.rtcp.seal_rtcp(ssrc, index as u32, buffer, len).map_err(|_| ProtectError::Malformed)
    }

    pub fn reserve(&mut self, ssrc: Ssrc, first: SeqNo) -> Result<(), ProtectError> {
        if let Err(at) = self.find(ssrc.0) {
            self.insert(at, ssrc.0, u64::from(first.0))?;
        }
        Ok(())
    }

    /// Lowest index that nothing was sent above.
    pub fn next_index(&self, ssrc: Ssrc) -> Option<ExtSeq> {
        let at = self.ssrcs.binary_search(&ssrc.0).ok()?;
        Some(ExtSeq(self.streams[at].counter.next))
    }

    /// For recovery after a crash. The first snapshot binds at once (it may become the stored one); later ones bind when
    /// [`Self::snapshot_stored`] says so.
    pub fn snapshot(&mut self) -> Numbering {
        self.reports.propose();
        for stream in &mut self.streams {
            stream.counter.propose();
        }
        if !self.bounded {
            self.bounded = true;
            self.snapshot_stored();
        }
        let numbers = |counter: &Counter| (counter.next, counter.proposed);
        self.numbering(numbers)
    }

    /// The newest snapshot is stored: its ceilings count.
    pub fn snapshot_stored(&mut self) {
        self.reports.ceiling = self.reports.proposed;
        for stream in &mut self.streams {
            stream.counter.ceiling = stream.counter.proposed;
        }
    }

    pub fn snapshot_due(&self) -> bool {
        self.bounded && (self.reports.is_low() || self.streams.iter().any(|stream| stream.counter.is_low()))
    }

    /// The exact state, for an object that takes over from a frozen one. Ceilings that are stored stay in force.
    pub fn exact(&self) -> Numbering {
        self.numbering(|counter| (counter.next, counter.ceiling))
    }

    fn numbering(&self, numbers: impl Fn(&Counter) -> (u64, u64)) -> Numbering {
        let streams = self.ssrcs.iter().zip(&self.streams).map(|(ssrc, stream)| {
            let (next, ceiling) = numbers(&stream.counter);
            (*ssrc, next, ceiling)
        });
        Numbering { streams: streams.collect(), reports: numbers(&self.reports), bounded: self.bounded }
    }

    fn find(&mut self, ssrc: u32) -> Result<usize, usize> {
        if self.ssrcs.get(self.last) == Some(&ssrc) {
            return Ok(self.last);
        }
        let place = self.ssrcs.binary_search(&ssrc);
        if let Ok(at) = place {
            self.last = at;
        }
        place
    }

    fn insert(&mut self, at: usize, ssrc: u32, first: u64) -> Result<usize, ProtectError> {
        if self.ssrcs.len() >= SSRCS_MAX {
            return Err(ProtectError::TooManySsrcs);
        }
        if self.streams.len() == self.streams.capacity() {
            // As many come as there are slots, and not twice as many.
            let more = (self.streams.len() / 4).max(4);
            self.ssrcs.reserve_exact(more);
            self.streams.reserve_exact(more);
        }
        self.ssrcs.insert(at, ssrc);
        self.streams.insert(at, Stream { window: None, counter: Counter::starting_at(first) });
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Inbound, Profile};
    use super::*;
    use std::collections::BTreeSet;

    fn keys(client: bool) -> Keys {
        let material: Vec<u8> = (0..100).collect();
        Keys::from_exporter(Profile::AeadAes128Gcm, &material, client).unwrap()
    }

    fn send(outbound: &mut Outbound, ssrc: u32, seq: u16) -> Result<Vec<u8>, ProtectError> {
        let mut buffer = vec![0x80, 96];
        buffer.extend(seq.to_be_bytes());
        buffer.extend([0; 4]);
        buffer.extend(ssrc.to_be_bytes());
        buffer.extend([1; 36]);
        let len = outbound.seal_rtp(&mut buffer, 32)?;
        buffer.truncate(len);
        Ok(buffer)
    }

    #[test]
    fn an_index_is_sent_once() {
        let mut outbound = Outbound::new(&keys(true)).unwrap();
        send(&mut outbound, 1, 10).unwrap();
        send(&mut outbound, 1, 12).unwrap();
        assert_eq!(send(&mut outbound, 1, 12), Err(ProtectError::IndexUsed));
        send(&mut outbound, 1, 11).unwrap();
        assert_eq!(send(&mut outbound, 1, 11), Err(ProtectError::IndexUsed));
        send(&mut outbound, 2, 12).unwrap();
        assert_eq!(outbound.next_index(Ssrc(1)), Some(ExtSeq(13)));
        assert_eq!(outbound.next_index(Ssrc(3)), None);
    }

    #[test]
    fn without_room_or_header_nothing_is_sealed() {
        let mut outbound = Outbound::new(&keys(true)).unwrap();
        let mut buffer = [0x80; 40];
        assert_eq!(outbound.seal_rtp(&mut buffer, 25), Err(ProtectError::Malformed));
        assert_eq!(outbound.seal_rtp(&mut buffer, 11), Err(ProtectError::Malformed));
        assert_eq!(outbound.seal_rtcp(&mut buffer, 7), Err(ProtectError::Malformed));
        assert_eq!(outbound.seal_rtcp(&mut buffer, 21), Err(ProtectError::Malformed));
        assert_eq!(buffer, [0x80; 40]);
    }

    #[test]
    fn sending_stops_at_the_stored_ceiling() {
        let mut outbound = Outbound::new(&keys(true)).unwrap();
        send(&mut outbound, 1, 100).unwrap();
        assert!(!outbound.snapshot_due());
        let first = outbound.snapshot();
        let ceiling = 101 + CEILING_STEP;
        assert_eq!(first.streams, [(1, 101, ceiling)]);
        for index in 101..ceiling {
            send(&mut outbound, 1, index as u16).unwrap();
        }
        assert!(outbound.snapshot_due());
        assert_eq!(send(&mut outbound, 1, ceiling as u16), Err(ProtectError::Ceiling));
        let second = outbound.snapshot();
        assert_eq!(
            send(&mut outbound, 1, ceiling as u16),
            Err(ProtectError::Ceiling),
            "taken is not stored: after a crash now the first snapshot counts"
        );
        outbound.snapshot_stored();
        assert!(!outbound.snapshot_due());
        send(&mut outbound, 1, ceiling as u16).unwrap();
        assert_eq!(second.streams, [(1, ceiling, ceiling + CEILING_STEP)]);
    }

    #[test]
    fn an_ssrc_that_no_snapshot_knows_is_not_sent_while_snapshots_count() {
        let mut outbound = Outbound::new(&keys(true)).unwrap();
        outbound.reserve(Ssrc(1), SeqNo(5)).unwrap();
        outbound.snapshot();
        send(&mut outbound, 1, 5).unwrap();
        assert_eq!(send(&mut outbound, 2, 5), Err(ProtectError::Ceiling));
        assert!(outbound.snapshot_due());
        outbound.snapshot();
        outbound.snapshot_stored();
        send(&mut outbound, 2, 5).unwrap();
    }

    #[test]
    fn a_crash_at_any_moment_never_repeats_an_index() {
        let mut inbound = Inbound::new(&keys(false)).unwrap();
        let (mut sent, mut sent_reports) = (BTreeSet::new(), BTreeSet::new());
        let mut outbound = Outbound::new(&keys(true)).unwrap();
        outbound.reserve(Ssrc(1), SeqNo(65_000)).unwrap();
        let mut stored = outbound.snapshot();
        // Each life sends a different number of packets, and dies with a snapshot taken but not stored, or stored.
        for (life, packets) in [1000usize, 16_383, 0, 20_000, 9_000].into_iter().enumerate() {
            let mut jumped = false;
            for _ in 0..packets {
                if outbound.snapshot_due() {
                    let snapshot = outbound.snapshot();
                    if life != 3 || !jumped {
                        stored = snapshot;
                        outbound.snapshot_stored();
                    }
                    jumped = true;
                }
                let index = outbound.next_index(Ssrc(1)).unwrap();
                match send(&mut outbound, 1, index.seq().0) {
                    Ok(mut packet) => {
                        assert!(sent.insert(index), "index {index:?} used twice");
                        assert_eq!(
                            inbound.open_rtp(&mut packet).unwrap().1,
                            index,
                            "the receiver follows the jump"
                        );
                    }
                    Err(error) => assert_eq!((error, life), (ProtectError::Ceiling, 3)),
                }
                let mut report = [0; 32];
                report[..8].copy_from_slice(&[0x80, 201, 0, 1, 0, 0, 0, 1]);
                if let Ok(len) = outbound.seal_rtcp(&mut report, 8) {
                    assert!(sent_reports.insert(report[len - 4..len].to_vec()));
                    inbound.open_rtcp(&mut report[..len]).unwrap();
                }
            }
            outbound = Outbound::resume(&keys(true), &stored, true).unwrap();
            assert!(send(&mut outbound, 1, 0).is_err(), "nothing goes out before the new state is stored");
            stored = outbound.snapshot();
            outbound.snapshot_stored();
        }
        assert!(sent.len() > 40_000);
    }

    #[test]
    fn a_clean_hand_over_needs_no_jump() {
        let mut outbound = Outbound::new(&keys(true)).unwrap();
        for seq in 65_530..=65_535 {
            send(&mut outbound, 1, seq).unwrap();
        }
        send(&mut outbound, 1, 0).unwrap();
        let mut next = Outbound::resume(&keys(true), &outbound.exact(), false).unwrap();
        assert_eq!(next.next_index(Ssrc(1)), Some(ExtSeq(65_537)));
        assert_eq!(send(&mut next, 1, 0), Err(ProtectError::IndexUsed));
        send(&mut next, 1, 1).unwrap();
    }
}
