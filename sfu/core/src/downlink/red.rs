//! Redundant sound for one subscriber (RFC 2198): copies of the last packets ride in front of each, as many as its losses are
//! worth, none on a clean link. They are made from the publisher's cache when a packet is written.

use crate::DropReason;
use crate::uplink::Stored;
use arrayvec::ArrayVec;
use packet::PayloadType;
use packet::fec::red::{LENGTH_MAX, OFFSET_MAX};

/// How many copies a link is worth. Every copy costs the rate of the sound again, and a receiver that sees deep copies keeps a
/// longer buffer; so the first comes early, the third late.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Redundancy {
    /// 0.0-1.0: up at once, down slowly.
    lost: f32,
}

/// Share of loss from which on there are so many copies, and from which on no longer.
const DEPTHS: [(f32, f32, u8); 3] = [(0.25, 0.18, 3), (0.10, 0.07, 2), (0.02, 0.01, 1)];
/// Most copies.
const DEPTH_MAX: u64 = 3;
/// Of the smoothed share that is kept with each better report.
const KEPT: f32 = 0.7;
/// All copies of one packet, with their headers. Music that is longer than this gets fewer.
const HEAD_MAX: usize = 900;

impl Redundancy {
    /// A report about what was lost on the link: as the receiver counts it (RFC 3550), 1/256.
    pub fn on_report(&mut self, fraction_lost: u8) {
        self.on_share(f32::from(fraction_lost) / 256.0);
    }

    /// 0.0-1.0.
    pub fn on_share(&mut self, lost: f32) {
        self.lost = lost.clamp(0.0, 1.0).max(self.lost * KEPT + lost * (1.0 - KEPT));
    }

    /// What transport-wide feedback says is lost: a report of reception counts what was sent again as received.
    pub fn on_transport(&mut self, lost: f32) {
        self.lost = self.lost.max(lost.clamp(0.0, 1.0));
    }

    /// 0.0-1.0, of late.
    pub fn lost(self) -> f32 {
        self.lost
    }

    /// Copies of one packet. `now`: as many as there are at present.
    pub fn depth(self, now: u8) -> u8 {
        let reached =
            |&&(up, down, depth): &&(f32, f32, u8)| self.lost >= if depth <= now { down } else { up };
        DEPTHS.iter().find(reached).map_or(0, |d| d.2)
    }
}

/// Which packets before it one packet repeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Copies {
    /// Bit n - 1: the n-th before it.
    mask: u8,
    /// Of Opus, for the subscriber.
    inner: PayloadType,
    /// Bytes in front of the payload.
    pub len: u16,
}

impl Copies {
    /// `None`: there is nothing to repeat. `earlier`: the stored packet with this number if the subscriber may hear it.
    pub fn choose<'a>(
        depth: u8,
        stored: &Stored,
        inner: PayloadType,
        earlier: impl Fn(u64) -> Option<&'a Stored>,
    ) -> Option<Self> {
        let mut copies = Self { mask: 0, inner, len: 1 };
        for distance in 1..=u64::from(depth).min(DEPTH_MAX) {
            let copied = stored.ext_seq.checked_sub(distance).and_then(&earlier);
            let Some((_, len)) = copied.and_then(|copied| described(stored, copied)) else { continue };
            let longer = usize::from(copies.len) + 4 + len;
            if longer <= HEAD_MAX {
                copies.mask |= 1 << (distance - 1);
                copies.len = longer as u16;
            }
        }
        (copies.mask != 0).then_some(copies)
    }

    /// The bytes in front of the payload. Fails if one of the packets fell out of the cache meanwhile.
    pub fn head<'a>(
        self,
        stored: &Stored,
        earlier: impl Fn(u64) -> Option<(&'a Stored, &'a [u8])>,
    ) -> Result<ArrayVec<u8, HEAD_MAX>, DropReason> {
        let mut head = ArrayVec::new();
        let mut blocks: ArrayVec<&[u8], 8> = ArrayVec::new();
        // Oldest first.
        for distance in (1..=DEPTH_MAX).rev().filter(|n| self.mask >> (n - 1) & 1 == 1) {
            let (copied, packet) = earlier(stored.ext_seq - distance).ok_or(DropReason::CacheMiss)?;
            let (offset, len) = described(stored, copied).ok_or(DropReason::CacheMiss)?;
            let word = offset << 10 | len as u32;
            head.extend([0x80 | self.inner.0, (word >> 16) as u8, (word >> 8) as u8, word as u8]);
            blocks.push(copied.header.payload(packet));
        }
        head.push(self.inner.0 & 0x7f);
        for block in blocks {
            head.try_extend_from_slice(block).map_err(|_| DropReason::CacheMiss)?;
        }
        if head.len() == usize::from(self.len) { Ok(head) } else { Err(DropReason::CacheMiss) }
    }
}

/// Offset and length as a block header says them; `None`: it cannot.
fn described(stored: &Stored, copied: &Stored) -> Option<(u32, usize)> {
    let offset = u32::try_from(stored.header.timestamp.since(copied.header.timestamp)).ok()?;
    let len = copied.header.payload_range().len();
    ((1..=OFFSET_MAX).contains(&offset) && (1..=LENGTH_MAX).contains(&len)).then_some((offset, len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::rtp;
    use packet::fec::red;
    use packet::media::Codec;
    use packet::rtp::RtpHeader;

    fn stored(seq: u64, timestamp: u32, payload: &[u8]) -> (Stored, Vec<u8>) {
        let packet = rtp(seq as u16, timestamp, payload);
        (Stored::new(seq, RtpHeader::parse(&packet).unwrap(), Codec::Opus), packet)
    }

    #[test]
    fn depth_follows_the_loss_and_does_not_flap() {
        let mut redundancy = Redundancy::default();
        let mut depth = 0;
        let mut run = |reports: &[f32]| {
            for lost in reports {
                redundancy.on_share(*lost);
                depth = redundancy.depth(depth);
            }
            depth
        };
        assert_eq!(run(&[0.0, 0.005]), 0);
        assert_eq!(run(&[0.03]), 1);
        assert_eq!(run(&[0.30]), 3);
        assert_eq!(run(&[0.22, 0.28, 0.2, 0.26]), 3, "around the border it stays");
        assert_eq!(run(&[0.12; 10]), 2);
        assert_eq!(run(&[0.0; 20]), 0);
    }

    #[test]
    fn what_is_written_is_what_a_receiver_splits() {
        // Timestamps cross the wrap; one packet is missing.
        let at = |n: u64| (n as u32).wrapping_mul(960).wrapping_sub(2 * 960);
        let packets: Vec<_> = [0u64, 1, 3, 4].map(|n| stored(n, at(n), &[n as u8; 80])).into();
        let find = |n: u64| packets.iter().find(|p| p.0.ext_seq == n);
        let (last, bytes) = &packets[3];
        let copies = Copies::choose(3, last, PayloadType(111), |n| find(n).map(|p| &p.0)).unwrap();
        let head = copies.head(last, |n| find(n).map(|p| (&p.0, &p.1[..]))).unwrap();
        assert_eq!(head.len(), usize::from(copies.len));
        let payload = [&head[..], last.header.payload(bytes)].concat();
        let blocks: Vec<_> = red::split(&payload).unwrap().collect();
        let told: Vec<_> = blocks.iter().map(|b| (b.pt.0, b.offset, b.payload[0])).collect();
        assert_eq!(told, [(111, 3 * 960, 1), (111, 960, 3), (111, 0, 4)]);
        // One that left the cache between choosing and writing would change the length.
        assert_eq!(
            copies.head(last, |n| find(n).filter(|_| n != 1).map(|p| (&p.0, &p.1[..]))),
            Err(DropReason::CacheMiss)
        );
    }

    #[test]
    fn what_no_header_can_say_is_left_out() {
        let (last, _) = stored(9, 100_000, &[9; 80]);
        let (long, _) = stored(8, 99_040, &[8; LENGTH_MAX + 1]);
        let (old, _) = stored(8, 100_000 - OFFSET_MAX - 1, &[8; 80]);
        let (later, _) = stored(8, 100_960, &[8; 80]);
        for other in [&long, &old, &later] {
            assert_eq!(Copies::choose(1, &last, PayloadType(111), |n| (n == 8).then_some(other)), None);
        }
        // Music: as many as fit.
        let music: Vec<_> = (6..9u64).map(|n| stored(n, 91_360 + 960 * n as u32, &[1; 400])).collect();
        let find = |n: u64| music.iter().find(|p| p.0.ext_seq == n).map(|p| &p.0);
        let copies = Copies::choose(3, &last, PayloadType(111), find).unwrap();
        assert_eq!((copies.mask, copies.len), (0b11, 809));
    }
}
