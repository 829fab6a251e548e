//! Values by number, for numbers that mostly go up by one: a ring that is as long as what came lately, and grows and shrinks
//! with the traffic.
//!
//! ```text
//!   first                            end
//!     │ 1 2 . 4 5 6 . . . 10 11 12 13 │ ─► place
//!     └─► let go when it is old, in this order
//! ```

use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub(crate) struct Window<T> {
    /// Of consecutive numbers.
    values: VecDeque<T>,
    first: u64,
    values_max: usize,
}

/// Places that are added at once at least.
const STEP: usize = 4;
/// Not worth giving back.
const SMALL: usize = 24;

impl<T: Copy + Default> Window<T> {
    pub const fn new(values_max: usize) -> Self {
        Self { values: VecDeque::new(), first: 0, values_max }
    }

    pub fn prefetch_end(&self) {
        packet::prefetch::end(&self.values);
    }

    pub fn clear(&mut self) {
        self.values = VecDeque::new();
    }

    /// The lowest number that there is a place for.
    pub fn start(&self) -> u64 {
        self.first
    }

    pub fn get(&self, number: u64) -> Option<&T> {
        self.values.get(number.checked_sub(self.first)? as usize)
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.values.get_mut(number.checked_sub(self.first)? as usize)
    }

    /// Where this number is kept, after the oldest went for which `is_old` holds; what was never placed is the type's default. `None`:
    /// it is from so far back that there is no room.
    pub fn place(&mut self, number: u64, is_old: impl Fn(&T) -> bool) -> Option<&mut T> {
        if self.values.is_empty() {
            self.first = number;
        }
        if number >= self.end() {
            self.let_go(number, is_old);
            self.make_room(number);
            while self.end() <= number {
                self.values.push_back(T::default());
            }
        }
        // One that comes so late that its place is gone.
        if number < self.first {
            if self.end() - number > self.values_max as u64 {
                return None;
            }
            while number < self.first {
                self.values.push_front(T::default());
                self.first -= 1;
            }
        }
        self.get_mut(number)
    }

    fn end(&self) -> u64 {
        self.first + self.values.len() as u64
    }

    fn let_go(&mut self, number: u64, is_old: impl Fn(&T) -> bool) {
        while let Some(oldest) = self.values.front()
            && (is_old(oldest) || number - self.first >= self.values_max as u64)
        {
            self.values.pop_front();
            self.first += 1;
        }
        if self.values.is_empty() {
            self.first = number;
        }
    }

    /// By an eighth, and the other way where a third is empty: steady traffic neither asks for memory nor gives any back.
    fn make_room(&mut self, number: u64) {
        let (needed, room) = ((number + 1 - self.first) as usize, self.values.capacity());
        let roomy = needed + (needed / 8).max(STEP);
        if needed > room {
            self.values.reserve_exact(roomy - self.values.len());
        } else if room > SMALL && needed < room * 2 / 3 {
            self.values.shrink_to(roomy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that know when they came, in milliseconds; 0: never.
    fn put(window: &mut Window<(u64, u64)>, number: u64, at: u64) -> bool {
        let is_old = |(_, came): &(u64, u64)| *came == 0 || at - came >= 800;
        window.place(number, is_old).map(|value| *value = (number, at)).is_some()
    }

    #[test]
    fn the_time_is_kept_at_any_rate_within_the_limit_and_nothing_of_a_burst() {
        for (per_second, room_max) in [(50, 56), (300, 280), (5_000, 1160)] {
            let mut window = Window::new(1024);
            let put_from = |window: &mut Window<_>, first: u64, count: u64, at: u64| {
                (0..count).for_each(|i| assert!(put(window, first + i, at + i * 1000 / per_second)));
            };
            put_from(&mut window, 1000, 3 * per_second, 1);
            let last = 1000 + 3 * per_second - 1;
            let kept = last - (per_second * 3 / 4).min(1000);
            assert_eq!(window.get(kept).unwrap().0, kept, "{per_second}");
            assert!(window.values.capacity() <= room_max, "{per_second}: {}", window.values.capacity());
            (last + 1..last + 901).for_each(|number| assert!(put(&mut window, number, 3001)));
            put_from(&mut window, last + 901, 3 * per_second, 3002);
            let (len, room) = (window.values.len(), window.values.capacity());
            assert!(len <= room_max && room <= 2 * room_max, "{per_second}: {len} of {room} after a burst");
        }
    }

    #[test]
    fn steady_traffic_asks_for_no_memory() {
        let mut window = Window::new(1024);
        (0..200).for_each(|n| assert!(put(&mut window, n, 1 + 14 * n)));
        let room = window.values.capacity();
        for n in 200..2000 {
            put(&mut window, n, 1 + 14 * n);
            assert_eq!(window.values.capacity(), room);
        }
    }

    #[test]
    fn a_source_that_counts_anew_after_all_was_forgotten_has_places() {
        let mut window = Window::new(256);
        assert!(put(&mut window, 60_000, 1));
        window.clear();
        assert!(put(&mut window, 5, 2));
        assert_eq!((window.values.len(), window.get(5)), (1, Some(&(5, 2))));
    }

    #[test]
    fn a_jump_and_what_comes_from_before_it_cost_nothing() {
        let mut window = Window::new(256);
        assert!(put(&mut window, 100, 1) && put(&mut window, 1 << 40, 1));
        assert!(!put(&mut window, 101, 1));
        assert_eq!((window.values.len(), window.get(100)), (1, None));
        assert!(put(&mut window, (1 << 40) + 200, 1));
        assert!(window.values.capacity() <= 256);
        assert_eq!(window.get((1 << 40) + 199), Some(&(0, 0)), "never placed");
    }

    #[test]
    fn what_comes_late_has_a_place_although_it_was_let_go() {
        let mut window = Window::new(256);
        for number in (0..400).filter(|number| *number != 200) {
            put(&mut window, number, 1 + 10 * number);
        }
        assert_eq!(window.get(300), None);
        assert!(put(&mut window, 200, 4001));
        assert_eq!(window.get(200), Some(&(200, 4001)));
        assert_eq!((window.get(201), window.get(399)), (Some(&(0, 0)), Some(&(399, 3991))));
        assert!(!put(&mut window, 100, 4001));
    }
}
