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
const PACKETS_MAX: usize = 48;
const _: () = assert!(PACKETS_MAX <= flexfec::REACH as usize);
/// Of 16: how many packets of the newest picture a repair packet is made of, and how many older ones. Found by trying.
const OF_NEWEST: u32 = 10;
const OF_OLDER: u32 = 6;

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
            self.newest = (self.newest + 1).min(self.packets.len());
        }
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
