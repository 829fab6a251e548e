//! Which worker a room lives on: everything in a room is forwarded by one worker, so a room is placed once.

use std::collections::BTreeMap;

use packet::RoomId;

#[derive(Debug)]
pub(super) struct Place {
    /// Participants per worker.
    load: Vec<usize>,
    /// Worker and number of participants of each room.
    rooms: BTreeMap<RoomId, (usize, usize)>,
}

impl Place {
    /// There is always one worker.
    pub fn new(workers: usize) -> Self {
        Self { load: vec![0; workers.max(1)], rooms: BTreeMap::new() }
    }

    /// Where the room is, or where it would be: the worker with the fewest participants, the first of equals.
    pub fn worker(&self, room: RoomId) -> usize {
        match self.rooms.get(&room) {
            Some(&(worker, _)) => worker,
            None => (0..self.load.len()).min_by_key(|&worker| self.load[worker]).unwrap_or(0),
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
