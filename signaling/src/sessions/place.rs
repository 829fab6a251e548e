//! Which worker a room lives on: everything in a room is forwarded by one worker, so a room is placed once, where there is time.

use std::collections::BTreeMap;

use packet::RoomId;

/// Of a worker that takes no new room: below the share from which video is shed.
const BUSY_MAX: u32 = 85;

#[derive(Debug)]
pub(super) struct Place {
    /// Participants per worker.
    load: Vec<usize>,
    /// Share of its time that each worker works, in percent; zero until it is told.
    busy: Vec<u32>,
    /// Worker and number of participants of each room.
    rooms: BTreeMap<RoomId, (usize, usize)>,
}

impl Place {
    /// There is always one worker.
    pub fn new(workers: usize) -> Self {
        let workers = workers.max(1);
        Self { load: vec![0; workers], busy: vec![0; workers], rooms: BTreeMap::new() }
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

    /// Where the room is, or where it would be: among the workers that have time the one with the fewest participants, the
    /// first of equals.
    pub fn worker(&self, room: RoomId) -> usize {
        match self.rooms.get(&room) {
            Some(&(worker, _)) => worker,
            None => {
                let key = |&worker: &usize| (self.busy[worker] >= BUSY_MAX, self.load[worker]);
                (0..self.load.len()).min_by_key(key).unwrap_or(0)
            }
        }
    }

    pub fn enter(&mut self, room: RoomId) -> usize {
        let worker = self.worker(room);
        self.rooms.entry(room).or_insert((worker, 0)).1 += 1;
        self.load[worker] += 1;
        worker
    }

    pub fn leave(&mut self, room: RoomId) {
        let Some((worker, participants)) = self.rooms.get_mut(&room) else { return };
        self.load[*worker] -= 1;
        *participants -= 1;
        if *participants == 0 {
            self.rooms.remove(&room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_worker_gets_no_new_room_and_all_busy_is_full() {
        let mut place = Place::new(2);
        place.enter(RoomId(0));
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
        let mut place = Place::new(2);
        assert_eq!(place.enter(RoomId(0)), 0);
        assert_eq!(place.enter(RoomId(0)), 0);
        assert_eq!(place.enter(RoomId(1)), 1);
        assert_eq!(place.enter(RoomId(2)), 1);
        assert_eq!(place.worker(RoomId(3)), 0);
        for _ in 0..2 {
            place.leave(RoomId(0));
        }
        assert_eq!(place.enter(RoomId(4)), 0);
        assert_eq!(place.rooms.len(), 3);
        place.leave(RoomId(9));
    }
}
