//! The bytes of packets in order of arrival, each in one piece, in a ring that is as long as what is to be kept.
//!
//! ```text
//!  origin       tail             head         positions: counted over all bytes there ever were
//!    │ may go    │ kept           │
//!    └─ laps as long as the ring, one after the other; a packet that would cross the end of one begins the next
//! ```

use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Ring {
    bytes: Vec<u8>,
    /// Where the first lap began; what was before is gone.
    origin: u64,
    tail: u64,
    /// Where the next packet goes.
    head: u64,
    /// From the tail to the head.
    parts: VecDeque<Part>,
    /// The most that was kept at a time, and since when: longer than that the ring need not be.
    most: usize,
    since: u32,
    len_max: usize,
}

/// Packets that are let go together.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: u64,
    /// Milliseconds, when the last of them came.
    newest: u32,
}

/// At most; of a small ring a sixteenth, of which one part is kept longer than it need be.
const PART_LEN: u64 = 2 << 10;

/// With room for a little more.
fn roomy(len: usize) -> usize {
    len + len / 32 + (1 << 10)
}

impl Ring {
    pub fn new(len_max: usize) -> Self {
        let (bytes, parts) = (Vec::new(), VecDeque::new());
        Self { bytes, origin: 0, tail: 0, head: 0, parts, most: 0, since: 0, len_max }
    }

    /// Where the packet is from `now` on, for `keep` milliseconds; less where more comes than the ring may hold.
    pub fn append(&mut self, now: u32, keep: u32, packet: &[u8]) -> u64 {
        let len = packet.len() as u64;
        while self.parts.front().is_some_and(|part| now.wrapping_sub(part.newest) >= keep) {
            self.let_go();
        }
        if now.wrapping_sub(self.since) >= 2 * keep {
            // What swings with the pictures is no reason to move: each move leaves a hole behind.
            if roomy(self.most) + self.most / 4 < self.bytes.len() {
                self.resize(roomy(self.most));
            }
            (self.most, self.since) = (0, now);
        }
        let mut start = self.next(len);
        while start + len - self.tail > self.len_max as u64 && !self.parts.is_empty() {
            self.let_go();
        }
        if start + len - self.tail > self.bytes.len() as u64 {
            self.resize(roomy((self.head + len - self.tail) as usize).min(self.len_max));
            start = self.next(len);
        }
        let part_len = PART_LEN.min(self.bytes.len() as u64 / 16);
        if self.parts.back().is_none_or(|part| start - part.start >= part_len) {
            self.parts.push_back(Part { start, newest: now });
        }
        if let Some(part) = self.parts.back_mut() {
            part.newest = now;
        }
        self.head = start + len;
        self.most = self.most.max((self.head - self.tail) as usize);
        let at = self.offset(start);
        if let Some(place) = self.bytes.get_mut(at..at + packet.len()) {
            place.copy_from_slice(packet);
        }
        start
    }

    pub fn get(&self, position: u64, len: usize) -> Option<&[u8]> {
        let overwritten = self.head.saturating_sub(self.bytes.len() as u64);
        if position < self.origin.max(overwritten) {
            return None;
        }
        let at = self.offset(position);
        self.bytes.get(at..at + len)
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    fn offset(&self, position: u64) -> usize {
        (position - self.origin).checked_rem(self.bytes.len() as u64).unwrap_or(0) as usize
    }

    /// Where so many bytes are in one piece.
    fn next(&self, len: u64) -> u64 {
        let left = (self.bytes.len() - self.offset(self.head)) as u64;
        if len > left { self.head + left } else { self.head }
    }

    fn let_go(&mut self) {
        self.parts.pop_front();
        self.tail = self.parts.front().map_or(self.head, |part| part.start);
    }

    /// What is kept begins the new ring.
    fn resize(&mut self, len: usize) {
        let kept = (self.head - self.tail) as usize;
        let mut bytes = Vec::with_capacity(len);
        if kept > 0 {
            let (before, from) = self.bytes.split_at(self.offset(self.tail));
            bytes.extend_from_slice(&from[..kept.min(from.len())]);
            bytes.extend_from_slice(&before[..kept - bytes.len()]);
        }
        bytes.resize(len, 0);
        (self.bytes, self.origin) = (bytes, self.tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn whatever_comes_is_kept_for_its_time_and_the_ring_is_little_longer() {
        let mut random = Random::new(3);
        let mut ring = Ring::new(64 << 10);
        let mut sent: VecDeque<(u32, u64, Vec<u8>)> = VecDeque::new();
        let mut most = 0;
        for round in 0..40_000u32 {
            let now = round * 5;
            // Much and little by turns, and nothing for a while.
            let often = [2, 40, 9, 400][(round / 4_000) as usize % 4];
            if random.next().is_multiple_of(often) {
                let packet = vec![round as u8; 100 + random.next() as usize % 1100];
                sent.push_back((now, ring.append(now, 300, &packet), packet));
            }
            while sent.front().is_some_and(|(at, ..)| now - at >= 300) {
                sent.pop_front();
            }
            for (_, position, packet) in &sent {
                assert_eq!(ring.get(*position, packet.len()), Some(&packet[..]), "{round}");
            }
            most = most.max(sent.iter().map(|(.., packet)| packet.len()).sum());
            if round % 4_000 == 3_999 {
                assert!(ring.len() < most * 5 / 4 + 4_000, "{} for {most}", ring.len());
                most = 0;
            }
        }
    }

    #[test]
    fn more_than_it_may_hold_pushes_out_the_oldest() {
        let mut ring = Ring::new(16 << 10);
        let positions: Vec<_> = (0..1000).map(|n| ring.append(n / 100, 600, &[n as u8; 1000])).collect();
        assert_eq!(ring.len(), 16 << 10);
        let kept = positions.iter().filter(|position| ring.get(**position, 1000).is_some()).count();
        assert!((12..=16).contains(&kept), "{kept}");
        assert_eq!(ring.get(positions[999], 1000), Some(&[999u32 as u8; 1000][..]));
    }

    #[test]
    fn steady_traffic_asks_for_no_memory() {
        let mut ring = Ring::new(1 << 20);
        let mut lens = Vec::new();
        for n in 0..10_000u32 {
            ring.append(n * 11, 1000, &[0; 840]);
            lens.push(ring.len());
        }
        assert!(lens[1000..].iter().all(|len| *len == lens[9999]), "{:?}", &lens[1000..1100]);
    }
}
