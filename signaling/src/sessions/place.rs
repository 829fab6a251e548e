//! Which workers a room lives on: it begins on one, where there is time. One that is larger than a worker's share is spread over
//! several, newcomers to the next; whoever is there stays where they are.

use std::collections::BTreeMap;

use packet::RoomId;

/// Of a worker that takes no new room: below the share from which video is shed.
const BUSY_MAX: u32 = 85;
/// Of a worker that gets no more participants of a room that is large enough to be spread, in percent.
const SPREAD_FROM_BUSY: u32 = 70;
/// Of a room that is large enough to be spread when its worker is busy, participants there: a few are not what keeps it busy.
const SPREAD_FROM: usize = 10;

#[derive(Debug)]
pub(super) struct Place {
    /// Participants per worker.
    load: Vec<usize>,
    /// Share of its time that each worker works, in percent; zero until it is told.
    busy: Vec<u32>,
    /// Of one room, on one worker.
    participants_max: usize,
    /// Workers of each room and its participants there, never none; in the order in which the room came to them.
    rooms: BTreeMap<RoomId, Vec<(usize, usize)>>,
}

impl Place {
    /// There is always one worker.
    pub fn new(workers: usize, participants_max: usize) -> Self {
        let workers = workers.max(1);
        Self { load: vec![0; workers], busy: vec![0; workers], participants_max, rooms: BTreeMap::new() }
    }

    /// By worker; missing ones stay as they were.
    pub fn set_busy(&mut self, percent: &[u32]) {
        self.busy.iter_mut().zip(percent).for_each(|(busy, percent)| *busy = *percent);
    }

    pub fn knows(&self, room: RoomId) -> bool {
        self.rooms.contains_key(&room)
    }

    /// True if a new room would be at the expense of those that are there.
    pub fn is_full(&self) -> bool {
        self.busy.iter().all(|percent| *percent >= BUSY_MAX)
    }

    /// Where the next participant of a room goes. A new room: among the workers that have time to the one with the fewest participants,
    /// the first of equals. Another: to the first of its workers that has room, else to one that it is not on yet and that has
    /// time, else to that of its own with the fewest of its participants.
    pub fn worker(&self, room: RoomId) -> usize {
        let Some(own) = self.rooms.get(&room) else {
            let key = |&worker: &usize| (self.busy[worker] >= BUSY_MAX, self.load[worker]);
            return (0..self.load.len()).min_by_key(key).unwrap_or(0);
        };
        let has_time = |worker: usize| self.busy[worker] < SPREAD_FROM_BUSY;
        let takes_more = |&&(worker, there): &&(usize, usize)| {
            there < self.participants_max && (has_time(worker) || there < SPREAD_FROM)
        };
        if let Some(&(worker, _)) = own.iter().find(takes_more) {
            return worker;
        }
        let is_other = |&worker: &usize| has_time(worker) && own.iter().all(|(known, _)| *known != worker);
        if let Some(other) = (0..self.load.len()).filter(is_other).min_by_key(|&worker| self.load[worker]) {
            return other;
        }
        let key = |&&(worker, there): &&(usize, usize)| (self.busy[worker] >= BUSY_MAX, there);
        own.iter().min_by_key(key).map_or(0, |&(worker, _)| worker)
    }

    /// Those of a room, the oldest first.
    pub fn workers(&self, room: RoomId) -> impl Iterator<Item = usize> {
        self.rooms.get(&room).into_iter().flatten().map(|&(worker, _)| worker)
    }

    /// True if nobody of the room was on this worker before.
    pub fn enter(&mut self, room: RoomId, worker: usize) -> bool {
        self.load[worker] += 1;
        let own = self.rooms.entry(room).or_default();
        match own.iter_mut().find(|(known, _)| *known == worker) {
            Some((_, there)) => *there += 1,
            None => own.push((worker, 1)),
        }
        own.iter().any(|&(known, there)| known == worker && there == 1)
    }

    /// True if nobody of the room is on this worker any more.
    pub fn leave(&mut self, room: RoomId, worker: usize) -> bool {
        let Some(own) = self.rooms.get_mut(&room) else { return false };
        let Some(at) = own.iter().position(|(known, _)| *known == worker) else { return false };
        self.load[worker] -= 1;
        own[at].1 -= 1;
        let is_empty = own[at].1 == 0;
        if is_empty {
            own.remove(at);
        }
        if own.is_empty() {
            self.rooms.remove(&room);
        }
        is_empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(place: &mut Place, room: u64) -> usize {
        let worker = place.worker(RoomId(room));
        place.enter(RoomId(room), worker);
        worker
    }

    #[test]
    fn a_busy_worker_gets_no_new_room_and_all_busy_is_full() {
        let mut place = Place::new(2, 100);
        enter(&mut place, 0);
        place.set_busy(&[20, 90]);
        assert_eq!(place.worker(RoomId(1)), 0, "more people, but time");
        assert!(!place.is_full());
        place.set_busy(&[85, 90]);
        assert!(place.is_full());
        place.set_busy(&[30]);
        assert!(!place.is_full());
    }

    #[test]
    fn a_room_stays_where_it_is_and_a_new_one_goes_where_fewest_people_are() {
        let mut place = Place::new(2, 100);
        assert_eq!([0, 0, 1, 2].map(|room| enter(&mut place, room)), [0, 0, 1, 1]);
        assert_eq!(place.worker(RoomId(3)), 0);
        assert!(!place.leave(RoomId(0), 0));
        assert!(place.leave(RoomId(0), 0));
        assert_eq!(enter(&mut place, 4), 0);
        assert_eq!(place.rooms.len(), 3);
        assert!(!place.leave(RoomId(9), 0) && !place.leave(RoomId(1), 0));
    }

    #[test]
    fn a_large_room_goes_to_the_next_worker_and_evenly_when_all_have_enough() {
        let mut place = Place::new(3, 4);
        enter(&mut place, 7);
        let workers: Vec<usize> = (0..15).map(|_| enter(&mut place, 0)).collect();
        assert_eq!(workers, [1, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0, 1, 2, 0]);
        assert_eq!(place.workers(RoomId(0)).collect::<Vec<_>>(), [1, 2, 0]);
        // Whoever comes after somebody has left fills their worker up.
        (0..2).for_each(|_| assert!(!place.leave(RoomId(0), 2)));
        assert_eq!(place.worker(RoomId(0)), 2);
        assert_eq!([false, false, true], std::array::from_fn(|_| place.leave(RoomId(0), 2)));
        assert_eq!(place.workers(RoomId(0)).collect::<Vec<_>>(), [1, 0]);
    }

    #[test]
    fn a_busy_worker_gets_no_more_of_a_large_room_and_small_ones_stay_together() {
        let mut place = Place::new(2, 100);
        (0..2).for_each(|_| assert_eq!(enter(&mut place, 0), 0));
        place.set_busy(&[75, 10]);
        (0..8).for_each(|_| assert_eq!(enter(&mut place, 0), 0, "ten are no large room"));
        assert_eq!(enter(&mut place, 0), 1);
        place.set_busy(&[75, 75]);
        (0..9).for_each(|_| assert_eq!(enter(&mut place, 0), 1));
        // Nobody has time: evenly.
        assert_eq!([0, 0].map(|room| enter(&mut place, room)), [0, 1]);
    }

    #[test]
    fn on_one_worker_a_room_is_never_spread() {
        let mut place = Place::new(1, 4);
        place.set_busy(&[90]);
        assert!((0..50).all(|_| enter(&mut place, 0) == 0));
    }
}
