//! Events through a store that fails and restarts, to targets that are down, slow and forgetful: everything arrives, in the order
//! of its room, and nobody waits for a target that is down.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use hooks::{Behind, Event, Failure, Hooks, Limits, Output, Page};

/// What a disk would hold, and what the targets have taken.
struct World {
    hooks: Hooks,
    now: Instant,
    targets: usize,
    rooms: BTreeMap<String, Vec<Event>>,
    behind: BTreeMap<(usize, String), u64>,
    /// What the shell is at.
    asked: VecDeque<Output>,
    taken: Vec<(usize, Event)>,
    is_down: Vec<bool>,
    disk_is_full: bool,
    attempts: Vec<(usize, Instant)>,
}

#[allow(clippy::disallowed_methods)] // An instant to count from.
fn start() -> Instant {
    Instant::now()
}

impl World {
    fn new(targets: usize) -> Self {
        Self {
            hooks: Hooks::new(Limits::default(), targets, 0, Vec::new(), 7),
            now: start(),
            targets,
            rooms: BTreeMap::new(),
            behind: BTreeMap::new(),
            asked: VecDeque::new(),
            taken: Vec::new(),
            is_down: vec![false; targets],
            disk_is_full: false,
            attempts: Vec::new(),
        }
    }

    fn record(&mut self, room: &str, body: &str) {
        self.hooks.record(1, room, body.to_owned());
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.hooks.poll_output() {
            match output {
                // The shell's store does these in order, before anything that was asked later is answered.
                Output::Keep { target, room, after } => {
                    self.asked.push_back(Output::Keep { target, room, after })
                }
                output => self.asked.push_back(output),
            }
        }
        let sending: Vec<_> =
            self.asked.iter().filter(|o| matches!(o, Output::Send { .. } | Output::Read { .. })).collect();
        assert!(sending.len() <= self.targets * Limits::default().under_way, "more under way than may be");
    }

    /// The shell does one thing; false: there is none.
    fn step(&mut self) -> bool {
        let Some(asked) = self.asked.pop_front() else { return false };
        match asked {
            Output::Store { .. } if self.disk_is_full => self.hooks.handle_stored(self.now, Err(Failure)),
            Output::Store { events, behind } => {
                for Behind { target, room, after, .. } in behind {
                    self.behind.insert((target, room), after);
                }
                for event in events {
                    self.rooms.entry(event.room.clone()).or_default().push(event);
                }
                self.hooks.handle_stored(self.now, Ok(()));
            }
            Output::Read { target, room, after, count } => {
                let kept = self.rooms.get(&room).into_iter().flatten();
                let events: Vec<_> = kept.filter(|e| e.seq > after).take(count).cloned().collect();
                self.hooks.handle_read(self.now, target, &room, Ok(Page { events, is_cut: false }));
            }
            Output::Send { target, event, .. } => {
                self.attempts.push((target, self.now));
                let result = if self.is_down[target] { Err(Failure) } else { Ok(()) };
                if result.is_ok() {
                    self.taken.push((target, event.clone()));
                }
                self.hooks.handle_sent(self.now, target, &event.room, event.seq, result);
            }
            Output::Keep { target, room, after } => match after {
                Some(after) => drop(self.behind.insert((target, room), after)),
                None => drop(self.behind.remove(&(target, room))),
            },
        }
        self.drain();
        true
    }

    fn settle(&mut self) {
        while self.step() {}
    }

    /// Whatever is due until then happens.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some(at) = self.hooks.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.hooks.handle_timeout(self.now);
            self.drain();
            self.settle();
        }
        self.now = end;
    }

    /// The process ends with whatever it was at, and begins again.
    fn restart(&mut self) {
        self.asked.clear();
        let head = self.rooms.values().flatten().map(|e| e.seq).max().unwrap_or(0);
        let behind = self.behind.iter().map(|((target, room), after)| {
            let head = self.rooms.get(room).and_then(|e| e.last()).map_or(*after, |e| e.seq);
            Behind { target: *target, room: room.clone(), after: *after, head }
        });
        self.hooks = Hooks::new(Limits::default(), self.targets, head, behind.collect(), head);
        self.drain();
    }

    /// Numbers that this target took of a room, in the order in which it took them.
    fn seqs(&self, target: usize, room: &str) -> Vec<u64> {
        self.taken.iter().filter(|(t, e)| *t == target && e.room == room).map(|(_, e)| e.seq).collect()
    }
}

#[test]
fn events_of_a_room_arrive_in_their_order_after_they_are_stored() {
    let mut world = World::new(2);
    world.record("a", "1");
    assert!(matches!(world.asked.front(), Some(Output::Store { .. })) && world.asked.len() == 1);
    for body in ["2", "3"] {
        world.record("a", body);
        world.record("b", body);
    }
    world.settle();
    for target in 0..2 {
        assert_eq!(world.seqs(target, "a"), [1, 2, 4]);
        assert_eq!(world.seqs(target, "b"), [3, 5]);
    }
    assert!(world.behind.is_empty(), "nothing need be remembered of who is up to date");
}

#[test]
fn a_target_that_is_down_delays_nobody_and_gets_everything_when_it_is_back() {
    let mut world = World::new(2);
    world.is_down[0] = true;
    for number in 0..500 {
        world.record(&format!("room {}", number % 20), "x");
        world.pass(Duration::from_millis(100));
        assert_eq!(world.taken.len(), number + 1, "the other target has everything at once");
    }
    let stats = world.hooks.stats();
    assert_eq!((stats.targets[0].rooms_behind, stats.targets[1].rooms_behind), (20, 0));
    world.pass(Duration::from_secs(3600));
    world.is_down[0] = false;
    world.pass(Duration::from_secs(300));
    for room in 0..20 {
        let room = format!("room {room}");
        assert_eq!(world.seqs(0, &room), world.seqs(1, &room));
        assert_eq!(world.seqs(0, &room).len(), 25);
    }
    assert!(world.behind.is_empty());
}

#[test]
fn attempts_come_more_and_more_rarely_and_never_at_the_same_moment() {
    let mut world = World::new(1);
    world.is_down[0] = true;
    world.record("a", "x");
    world.pass(Duration::from_secs(3600));
    let waits: Vec<_> = world.attempts.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
    for (index, wait) in waits.iter().enumerate() {
        let longest = Duration::from_secs(1 << index.min(20)).min(Duration::from_secs(300));
        assert!(*wait >= longest / 2 && *wait <= longest, "attempt {index} after {wait:?}");
    }
    let different: BTreeSet<_> = waits.iter().collect();
    assert_eq!(different.len(), waits.len());
    assert!(waits.len() > 15 && waits.len() < 30, "{}", waits.len());
}

#[test]
fn a_full_disk_keeps_events_waiting_and_loses_those_beyond_the_limit_with_a_count() {
    let mut world = World::new(1);
    world.disk_is_full = true;
    let limit = Limits::default().unstored;
    for _ in 0..limit + 10 {
        world.record("a", "x");
    }
    world.pass(Duration::from_secs(10));
    assert!(world.taken.is_empty());
    world.disk_is_full = false;
    world.pass(Duration::from_secs(3600));
    let seqs = world.seqs(0, "a");
    assert_eq!(seqs.len() as u64 + world.hooks.stats().lost, limit as u64 + 10);
    assert!(world.hooks.stats().lost >= 9 && seqs.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn a_room_is_told_again_from_wherever_one_likes() {
    let mut world = World::new(1);
    for _ in 0..100 {
        world.record("a", "x");
    }
    world.settle();
    world.taken.clear();
    world.hooks.replay(0, "a", 90, 100);
    world.drain();
    world.settle();
    assert_eq!(world.seqs(0, "a"), (91..=100).collect::<Vec<_>>());
    // While something is under way: what is on its way arrives, then it begins again.
    world.taken.clear();
    world.hooks.replay(0, "a", 95, 100);
    world.drain();
    while !matches!(world.asked.front(), Some(Output::Send { .. })) {
        world.step();
    }
    world.hooks.replay(0, "a", 97, 100);
    world.hooks.replay(0, "a", 80, 100);
    world.drain();
    world.settle();
    assert_eq!(world.seqs(0, "a")[1..], (81..=100).collect::<Vec<_>>());
    world.hooks.replay(0, "a", 100, 100);
    world.drain();
    assert!(world.asked.is_empty(), "nothing to tell");
    assert!(world.behind.is_empty());
}

#[test]
fn whatever_fails_and_restarts_everything_arrives_in_order_at_least_once() {
    for seed in 0..30u64 {
        let mut random = seed;
        let mut below = |n: u64| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) % n
        };
        let mut world = World::new(3);
        let mut stored = BTreeMap::<String, BTreeSet<u64>>::new();
        for _ in 0..600 {
            match below(12) {
                0 => world.is_down[below(3) as usize] = below(2) == 0,
                1 => world.disk_is_full = below(3) == 0,
                2 if below(10) == 0 => world.restart(),
                3 => world.pass(Duration::from_millis(below(5000))),
                4..=7 => {
                    for _ in 0..below(6) {
                        world.step();
                    }
                }
                _ => world.record(&format!("room {}", below(5)), "x"),
            }
        }
        world.is_down.fill(false);
        world.disk_is_full = false;
        world.pass(Duration::from_secs(3600));
        for event in world.rooms.values().flatten() {
            stored.entry(event.room.clone()).or_default().insert(event.seq);
        }
        for target in 0..3 {
            for (room, expected) in &stored {
                let seqs = world.seqs(target, room);
                let mut newest = 0;
                for seq in &seqs {
                    // Told twice only after a restart; never a later one before an earlier one that is new.
                    assert!(
                        *seq <= newest || expected.range(newest + 1..).next() == Some(seq),
                        "seed {seed} {room}: {seqs:?}"
                    );
                    newest = newest.max(*seq);
                }
                assert_eq!(
                    &seqs.into_iter().collect::<BTreeSet<_>>(),
                    expected,
                    "seed {seed}, target {target}, {room}"
                );
            }
        }
        assert!(world.behind.is_empty(), "seed {seed}: {:?}", world.behind);
    }
}
