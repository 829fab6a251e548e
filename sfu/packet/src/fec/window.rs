//! What FlexFEC protects: the packets of the last moments, whichever picture they are of, so that a picture which has lost more than its
//! own repair packets bring back is whole with those of the next ones, while it still is in time.
//!
//! ```text
//!   pictures:   1 2 3   4 5 6   7 8 9            repair packets behind the third are made of some of  1 ... 9
//!                    R R     R R     R R         (lost: 2 3 5 and an R; what is behind 9 brings all of them back)
//! ```
//! Each repair packet is made of about half of the window, chosen as if by chance: any so many of them then are nearly always
//! independent ([`super::flexfec::solve`]), whichever packets are lost.

use super::flexfec;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// As long as a repair packet may still bring back a picture in time behind a long way: four pictures.
const REACHES_BACK: Duration = Duration::from_millis(170);
/// 3 Mb/s of full packets; more of them need no longer window.
pub const PACKETS_MAX: usize = 48;
const _: () = assert!(PACKETS_MAX <= flexfec::REACH as usize);
/// Usual packets of pictures, in bytes.
const PACKET_LEN: u64 = 1100;
/// Of 16: how many packets of the newest picture a repair packet is made of, and how many older ones. Found by trying.
const OF_NEWEST: u32 = 10;
const OF_OLDER: u32 = 6;

/// Packets in a window of pictures of so many bits a second.
pub(super) fn packets_of(rate: u64) -> usize {
    let bytes = rate / 8 * REACHES_BACK.as_millis() as u64 / 1000;
    (bytes / PACKET_LEN).clamp(1, PACKETS_MAX as u64) as usize
}

/// Packets of one source that the next repair packets are made of.
#[derive(Clone, Debug, Default)]
pub struct Window {
    packets: VecDeque<(Instant, Vec<u8>)>,
    /// Buffers are used again.
    spare: Vec<Vec<u8>>,
    /// At the end of `packets`: what was sent since the last repair packets.
    newest: usize,
    /// Repair packets that are owed.
    credit: f64,
    chance: u32,
}

impl Window {
    /// `write` writes the packet as it is sent, apart from what is stamped on its way out; nothing: it is not protected.
    pub fn push(&mut self, now: Instant, write: impl FnOnce(&mut Vec<u8>)) {
        while self.packets.len() >= PACKETS_MAX
            || self.packets.front().is_some_and(|(at, _)| *at + REACHES_BACK < now)
        {
            self.spare.extend(self.packets.pop_front().map(|(_, packet)| packet));
        }
        let mut packet = self.spare.pop().unwrap_or_default();
        packet.clear();
        write(&mut packet);
        if packet.is_empty() {
            self.spare.push(packet);
        } else {
            self.packets.push_back((now, packet));
            self.newest += 1;
        }
        self.newest = self.newest.min(self.packets.len());
    }

    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// So much of one picture is there that it is protected before it ends.
    pub fn is_due(&self) -> bool {
        self.newest >= PACKETS_MAX / 2
    }

    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Nothing is protected for now.
    pub fn forget(&mut self) {
        if !self.packets.is_empty() {
            *self = Self { chance: self.chance, ..Self::default() };
        }
    }

    /// A picture ends. Hands out payloads of repair packets, `overhead` for each packet since the last ones.
    pub fn protect(&mut self, overhead: f64, mut send: impl FnMut(Vec<u8>)) {
        self.credit += self.newest as f64 * overhead;
        while self.credit >= 1.0 {
            self.credit -= 1.0;
            let mut payload = Vec::new();
            if flexfec::encode(&self.choose(), &mut payload).is_ok() {
                send(payload);
            }
        }
        self.newest = 0;
    }

    fn choose(&mut self) -> Vec<&[u8]> {
        let older = self.packets.len() - self.newest;
        let mut chance = self.chance;
        let mut next = || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            chance >> 16
        };
        // One of the newest is in each.
        let surely = older + next() as usize % self.newest.max(1);
        let takes = |n: usize, random: u32| {
            let of_16 = if n < older { OF_OLDER } else { OF_NEWEST };
            n == surely || random % 16 < of_16
        };
        let chosen = self.packets.iter().enumerate().filter(|(n, _)| takes(*n, next()));
        let chosen = chosen.map(|(_, (_, packet))| packet.as_slice()).collect();
        self.chance = chance;
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::super::flexfec::{Flexfec, TOGETHER_MAX, solve};
    use super::*;
    use crate::{SeqNo, Ssrc};
    use std::collections::{BTreeMap, VecDeque};

    const PICTURE: Duration = Duration::from_millis(40);
    /// A picture still is in time with the repair packets of so many later ones.
    const PATIENCE: u16 = 4;

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn packet(seq: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(seq.to_be_bytes());
        packet.extend([0, 0, 0, 1, 0, 0, 0, 7]);
        packet.extend((0..40 + seq % 30).map(|i| (i * 7 + seq) as u8));
        packet
    }

    /// Share of pictures of so many packets that are whole in time over a line that loses `lost`.
    fn whole(count: u16, lost: f64, overhead: f64) -> f64 {
        let mut chance = 9u32;
        let mut is_lost = || {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(chance >> 8) < lost * f64::from(1 << 24)
        };
        let (mut window, mut now) = (Window::default(), start());
        let (mut received, mut repairs) = (BTreeMap::new(), VecDeque::new());
        let pictures = 150u16;
        let mut whole = 0;
        for picture in 0..pictures {
            for seq in picture * count..(picture + 1) * count {
                window.push(now, |out| out.extend(packet(seq)));
                if !is_lost() {
                    received.insert(seq, packet(seq));
                }
            }
            window.protect(overhead, |payload| {
                if !is_lost() {
                    repairs.push_back(payload);
                }
            });
            while repairs.len() > TOGETHER_MAX {
                repairs.pop_front();
            }
            let parsed: Vec<Flexfec> =
                repairs.iter().map(|payload| Flexfec::parse(payload).unwrap()).collect();
            let bytes = |seq: SeqNo| received.get(&seq.0).map(Vec::as_slice);
            let mut back = Vec::new();
            for solution in solve(&parsed, |seq| bytes(seq).is_some()) {
                let mut out = Vec::new();
                solution.restore(&parsed, Ssrc(7), bytes, &mut out).unwrap();
                assert_eq!(out, packet(solution.lost.0));
                back.push((solution.lost.0, out));
            }
            received.extend(back);
            if let Some(due) = picture.checked_sub(PATIENCE) {
                whole += u32::from((due * count..(due + 1) * count).all(|seq| received.contains_key(&seq)));
            }
            now += PICTURE;
        }
        f64::from(whole) / f64::from(pictures - PATIENCE)
    }

    #[test]
    fn nearly_all_pictures_are_whole_in_time_for_half_of_what_copies_cost() {
        for (count, lost, overhead, least) in [
            (6, 0.3, 1.3, 0.99),
            (6, 0.3, 1.0, 0.98),
            (6, 0.5, 1.9, 0.97),
            (6, 0.1, 0.4, 0.97),
            (1, 0.3, 2.0, 0.97),
        ] {
            let whole = whole(count, lost, overhead);
            assert!(whole >= least, "{count} packets, {lost} lost, {overhead}: {whole}");
        }
        // Two copies of six packets at 30 %: (1 - 0.3^3)^6 = 0.85.
    }

    #[test]
    fn a_window_is_bounded_in_time_and_packets_and_forgets_all_at_once() {
        let (mut window, now) = (Window::default(), start());
        (0..1000).for_each(|seq| window.push(now, |out| out.extend(packet(seq))));
        assert_eq!(window.len(), PACKETS_MAX);
        assert!(window.is_due());
        window.push(now + REACHES_BACK + Duration::from_millis(1), |out| out.extend(packet(1000)));
        assert_eq!(window.len(), 1);
        let mut repairs = Vec::new();
        window.protect(1.0, |payload| repairs.push(payload));
        assert_eq!(repairs.len(), 1);
        window.push(now, |_| {});
        assert_eq!(window.len(), 1, "what was not written is not protected");
        window.forget();
        assert!(window.is_empty());
        window.protect(1.0, |_| panic!("there is nothing"));
    }
}
