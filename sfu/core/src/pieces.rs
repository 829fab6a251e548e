//! Values by number, for numbers that mostly go up by one: kept in pieces that come and go with the traffic, so that after a
//! burst nothing of it stays.
//!
//! ```text
//!   first                                    one number here keeps all of its piece:
//!     │ 0 1 2 3 │ 4 . 6 7 │ 8 9 . . │        as long as the newest in it is young
//!     └─► let go, or made the next    └─► place
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub(crate) struct Pieces<T> {
    /// Of consecutive numbers.
    pieces: VecDeque<Box<Piece<T>>>,
    /// Number of the first piece: the numbers in it divided by its length.
    first: u64,
    pieces_max: usize,
    keep: Duration,
}

#[derive(Clone, Debug)]
struct Piece<T> {
    values: [T; PIECE],
    /// When its newest value was placed.
    newest: Instant,
}

/// A third of a second of a voice.
const PIECE: usize = 16;

impl<T: Copy + Default> Pieces<T> {
    /// `keep`: how long a value stays at least, if there are not more than `values_max`.
    pub fn new(values_max: usize, keep: Duration) -> Self {
        let pieces_max = (values_max / PIECE).max(2);
        Self { pieces: VecDeque::new(), first: 0, pieces_max, keep }
    }

    pub fn clear(&mut self) {
        self.pieces.clear();
    }

    /// The lowest number that there is a place for.
    pub fn start(&self) -> u64 {
        self.first * PIECE as u64
    }

    pub fn get(&self, number: u64) -> Option<&T> {
        let piece = (number / PIECE as u64).checked_sub(self.first)?;
        Some(&self.pieces.get(piece as usize)?.values[number as usize % PIECE])
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let piece = (number / PIECE as u64).checked_sub(self.first)?;
        Some(&mut self.pieces.get_mut(piece as usize)?.values[number as usize % PIECE])
    }

    /// Where this number is kept, after making room for it; what was never placed is the type's default. `None`: it is from so far
    /// back that there is no room.
    pub fn place(&mut self, number: u64, now: Instant) -> Option<&mut T> {
        let piece = number / PIECE as u64;
        let is_far = piece.saturating_sub(self.first) >= (self.pieces.len() + self.pieces_max) as u64;
        if self.pieces.is_empty() || is_far {
            self.pieces.clear();
            self.first = piece;
        }
        while piece >= self.first + self.pieces.len() as u64 {
            let made = self.make(now);
            self.pieces.push_back(made);
        }
        // One that comes so late that its piece is gone.
        if self.first.saturating_sub(piece) + self.pieces.len() as u64 > self.pieces_max as u64 {
            return None;
        }
        while piece < self.first {
            self.pieces.push_front(Box::new(Piece { values: [T::default(); PIECE], newest: now }));
            self.first -= 1;
        }
        let piece = &mut self.pieces[(piece - self.first) as usize];
        piece.newest = now;
        Some(&mut piece.values[number as usize % PIECE])
    }

    /// The next piece, of one that is let go if there is any.
    fn make(&mut self, now: Instant) -> Box<Piece<T>> {
        let mut gone = None;
        while let Some(oldest) = self.pieces.front()
            && (is_spare(now.saturating_duration_since(oldest.newest), self.keep, gone.is_some())
                || self.pieces.len() >= self.pieces_max)
        {
            gone = self.pieces.pop_front();
            self.first += 1;
        }
        let Some(mut piece) = gone else {
            return Box::new(Piece { values: [T::default(); PIECE], newest: now });
        };
        *piece = Piece { values: [T::default(); PIECE], newest: now };
        piece
    }
}

/// Longer than from one picture to the next.
const SPARE: Duration = Duration::from_millis(50);

/// May a piece of this age go, which is to be kept for so long? One for one, so that steady traffic neither asks for memory nor gives
/// any back; more of them only when they are a little older, since a picture takes several at once.
pub(crate) fn is_spare(age: Duration, keep: Duration, one_has_gone: bool) -> bool {
    age >= if one_has_gone { keep + SPARE } else { keep }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn ms(n: u64) -> Instant {
        start() + Duration::from_millis(n)
    }

    fn put(pieces: &mut Pieces<u64>, number: u64, at: Instant) -> bool {
        pieces.place(number, at).map(|value| *value = number).is_some()
    }

    #[test]
    fn most_of_the_time_is_kept_at_any_rate_within_the_limit_and_nothing_of_a_burst() {
        for (per_second, pieces_max) in [(50, 5), (300, 21), (5_000, 64)] {
            let mut pieces = Pieces::new(1024, Duration::from_millis(800));
            let put_from = |pieces: &mut Pieces<u64>, first: u64, count: u64, at: Duration| {
                for i in 0..count {
                    put(pieces, first + i, start() + at + Duration::from_secs(i) / per_second as u32);
                }
            };
            put_from(&mut pieces, 1000, 3 * per_second, Duration::ZERO);
            let last = 1000 + 3 * per_second - 1;
            let kept = last - (per_second * 3 / 4).min(1000);
            assert_eq!(pieces.get(kept), Some(&kept), "{per_second}");
            assert!(pieces.pieces.len() <= pieces_max, "{per_second}: {}", pieces.pieces.len());
            assert!((last + 1..last + 900).all(|number| put(&mut pieces, number, ms(3000))));
            put_from(&mut pieces, last + 900, 3 * per_second, Duration::from_secs(3));
            assert!(pieces.pieces.len() <= pieces_max, "{per_second}: {} after a burst", pieces.pieces.len());
        }
    }

    #[test]
    fn a_jump_and_what_comes_from_before_it_cost_nothing() {
        let mut pieces = Pieces::new(256, Duration::from_secs(1));
        assert!(put(&mut pieces, 100, start()) && put(&mut pieces, 1 << 40, start()));
        assert!(!put(&mut pieces, 101, start()));
        assert_eq!((pieces.pieces.len(), pieces.get(100)), (1, None));
        assert!(put(&mut pieces, (1 << 40) + 200, start()));
        assert!(pieces.pieces.len() <= 16);
        assert_eq!(pieces.get((1 << 40) + 199), Some(&0), "never placed");
    }

    #[test]
    fn what_comes_late_has_a_place_although_its_piece_was_let_go() {
        let mut pieces = Pieces::new(256, Duration::from_millis(100));
        for number in (0..100).filter(|number| *number != 40) {
            put(&mut pieces, number, ms(10 * number));
        }
        assert_eq!(pieces.get(39), None);
        assert!(put(&mut pieces, 40, ms(1000)));
        assert_eq!((pieces.get(40), pieces.get(41), pieces.get(99)), (Some(&40), Some(&0), Some(&99)));
    }
}
