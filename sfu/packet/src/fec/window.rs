//! What FlexFEC protects: the packets of the last moments, whichever picture they are of, so that a picture which has lost more than its
//! own repair packets bring back is whole with those of the next ones, while it still is in time.
//!
//! ```text
//!   pictures:   1 2 3   4 5 6   7 8 9            repair packets behind the third are made of some of  1 ... 9
//!                    R R     R R     R R         (lost: 2 3 5 and an R; what is behind 9 brings all of them back)
//! ```
//! Each repair packet is made of about half of the window, chosen as if by chance: any so many of them then are nearly always
//! independent ([`super::flexfec::solve`]), whichever packets are lost. For a receiver that does not solve them together ([`Decoder::Peels`])
//! it is made of few: neighbours of the newest picture, and now and then an older packet.

use super::{EncodeError, flexfec, flexfec03, neighbours};
use arrayvec::ArrayVec;
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

/// How many older packets that are lost there should be in a repair packet for a receiver that can use it once one is missing. Found by
/// trying: less brings back fewer older pictures, more fewer of the newest.
const LOST_OF_OLDER: f64 = 0.3;

/// What the other end makes of repair packets.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Decoder {
    /// Solves all that it has together: our own ends, with [`flexfec`].
    Solves,
    /// Uses each of which one packet is missing, and then looks again: libwebrtc, with [`flexfec03`]. `lost`: share of packets.
    Peels { lost: f64 },
}

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
    pub fn protect(&mut self, decoder: Decoder, overhead: f64, mut send: impl FnMut(Vec<u8>)) {
        let owed = self.credit + self.newest as f64 * overhead;
        // Half of the window has the older ones too; few have none but by chance, so those wait for company.
        if owed < 1.0 && decoder != Decoder::Solves {
            return;
        }
        self.credit = owed.fract();
        let mut neighbours = neighbours::masks(self.newest, owed as usize);
        for _ in 0..owed as usize {
            let (chosen, encode): (_, Encode) = match decoder {
                Decoder::Solves => (self.half(), flexfec::encode),
                Decoder::Peels { lost } => {
                    (self.few(&neighbours.next().unwrap_or_default(), lost), flexfec03::encode)
                }
            };
            let packets: Vec<&[u8]> =
                chosen.iter().filter_map(|n| self.packets.get(*n)).map(|(_, packet)| &packet[..]).collect();
            let mut payload = Vec::new();
            if encode(&packets, &mut payload).is_ok() {
                send(payload);
            }
        }
        self.newest = 0;
    }

    fn half(&mut self) -> Chosen {
        let older = self.packets.len() - self.newest;
        // One of the newest is in each.
        let surely = older + self.chance() as usize % self.newest.max(1);
        let of_16 = |n: usize| if n < older { OF_OLDER } else { OF_NEWEST };
        (0..self.packets.len()).filter(|n| self.chance() % 16 < of_16(*n) || *n == surely).collect()
    }

    /// These of the newest, and older ones by chance.
    fn few(&mut self, newest: &[usize], lost: f64) -> Chosen {
        let older = self.packets.len() - self.newest;
        let of_65536 = (LOST_OF_OLDER / lost.max(0.01) / older.max(1) as f64 * 65_536.0) as u32;
        let by_chance = (0..older).filter(|_| self.chance() < of_65536);
        by_chance.chain(newest.iter().map(|n| older + n)).collect()
    }

    fn chance(&mut self) -> u32 {
        self.chance = self.chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.chance >> 16
    }
}

/// Of the packets in a window.
type Chosen = ArrayVec<usize, PACKETS_MAX>;
type Encode = fn(&[&[u8]], &mut Vec<u8>) -> Result<(), EncodeError>;

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
    fn whole(peels: bool, count: u16, lost: f64, overhead: f64) -> f64 {
        let decoder = if peels { Decoder::Peels { lost } } else { Decoder::Solves };
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
            window.protect(decoder, overhead, |payload| {
                if !is_lost() {
                    repairs.push_back(payload);
                }
            });
            while repairs.len() > TOGETHER_MAX {
                repairs.pop_front();
            }
            let back = if peels { peeled(&repairs, &received) } else { solved(&repairs, &received) };
            for (seq, out) in &back {
                assert_eq!(*out, packet(*seq));
            }
            received.extend(back);
            if let Some(due) = picture.checked_sub(PATIENCE) {
                whole += u32::from((due * count..(due + 1) * count).all(|seq| received.contains_key(&seq)));
            }
            now += PICTURE;
        }
        f64::from(whole) / f64::from(pictures - PATIENCE)
    }

    type Packets = BTreeMap<u16, Vec<u8>>;

    fn solved(repairs: &VecDeque<Vec<u8>>, received: &Packets) -> Packets {
        let parsed: Vec<Flexfec> = repairs.iter().map(|payload| Flexfec::parse(payload).unwrap()).collect();
        let bytes = |seq: SeqNo| received.get(&seq.0).map(Vec::as_slice);
        let restored = solve(&parsed, |seq| bytes(seq).is_some()).into_iter().map(|solution| {
            let mut out = Vec::new();
            solution.restore(&parsed, Ssrc(7), bytes, &mut out).unwrap();
            (solution.lost.0, out)
        });
        restored.collect()
    }

    fn peeled(repairs: &VecDeque<Vec<u8>>, received: &Packets) -> Packets {
        let mut back = Packets::new();
        loop {
            let bytes = |seq: SeqNo| received.get(&seq.0).or(back.get(&seq.0)).map(Vec::as_slice);
            let found = repairs.iter().find_map(|payload| {
                let mut out = Vec::new();
                let (source, repair) = flexfec03::parse(payload).unwrap();
                assert_eq!(source, Ssrc(7));
                repair.recover(source, bytes, &mut out).ok().map(|seq| (seq.0, out))
            });
            let Some((seq, out)) = found else { return back };
            back.insert(seq, out);
        }
    }

    #[test]
    fn nearly_all_pictures_are_whole_in_time_for_half_of_what_copies_cost() {
        for (peels, count, lost, overhead, least) in [
            (false, 6, 0.3, 1.3, 0.99),
            (false, 6, 0.3, 1.0, 0.98),
            (false, 6, 0.5, 1.9, 0.97),
            (false, 6, 0.1, 0.4, 0.97),
            (false, 1, 0.3, 2.0, 0.97),
            (true, 6, 0.3, 2.0, 0.98),
            (true, 6, 0.3, 1.3, 0.94),
            (true, 12, 0.3, 2.0, 0.98),
            (true, 6, 0.1, 0.6, 0.97),
            (true, 3, 0.02, 0.2, 0.97),
            (true, 1, 0.3, 2.0, 0.96),
        ] {
            let whole = whole(peels, count, lost, overhead);
            assert!(whole >= least, "{peels}: {count} packets, {lost} lost, {overhead}: {whole}");
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
        window.protect(Decoder::Solves, 1.0, |payload| repairs.push(payload));
        assert_eq!(repairs.len(), 1);
        window.push(now, |_| {});
        assert_eq!(window.len(), 1, "what was not written is not protected");
        window.forget();
        assert!(window.is_empty());
        window.protect(Decoder::Solves, 1.0, |_| panic!("there is nothing"));
    }
}
