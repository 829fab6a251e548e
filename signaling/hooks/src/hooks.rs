//! All targets of a server.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::Limits;
use crate::queue::{Queue, State};

/// Something that has happened in a room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// From 1 on, of all rooms together: greater means later.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub room: String,
    /// What it is, in whatever form the caller likes.
    pub body: String,
}

/// How far a target is with a room of which it has not taken everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behind {
    pub target: usize,
    pub room: String,
    /// The last event that it has taken.
    pub after: u64,
    /// The newest event of the room.
    pub head: u64,
}

/// What was read of a room.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Page {
    pub events: Vec<Event>,
    /// Events between what was asked for and these are not kept any more.
    pub is_cut: bool,
}

/// Why an event was not taken, or the store did not answer. What it was is for the shell's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it failed")]
pub struct Failure;

/// Drained by [`Hooks::poll_output`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Store all of it or nothing, then [`Hooks::handle_stored`]. `behind`: targets that were up to date with a room until now.
    Store { events: Vec<Event>, behind: Vec<Behind> },
    /// Read events of a room after this one, in their order; answer with [`Hooks::handle_read`].
    Read { target: usize, room: String, after: u64, count: usize },
    /// Send it; answer with [`Hooks::handle_sent`]. `failures`: in a row so far.
    Send { target: usize, event: Event, failures: u32 },
    /// The target has taken everything of the room up to `after`. None: everything there is; nothing need be remembered.
    Keep { target: usize, room: String, after: Option<u64> },
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    pub recorded: u64,
    /// Events that could not be stored for so long that they had to be given up.
    pub lost: u64,
    pub targets: Vec<TargetStats>,
}

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TargetStats {
    /// Rooms with events that were not taken yet.
    pub rooms_behind: usize,
    pub taken: u64,
    /// Attempts.
    pub failed: u64,
    /// Times that events of a room were kept no longer before they were taken.
    pub cut: u64,
}

#[derive(Debug, Default)]
struct Target {
    queues: BTreeMap<String, Queue>,
    /// Rooms with something to do, in their turn.
    turn: VecDeque<String>,
    waiting: BTreeSet<(Instant, String)>,
    under_way: usize,
    stats: TargetStats,
}

#[derive(Debug)]
pub struct Hooks {
    limits: Limits,
    targets: Vec<Target>,
    next_seq: u64,
    unstored: VecDeque<Event>,
    /// What the store is at.
    storing: Vec<Event>,
    store_again_at: Option<Instant>,
    store_failures: u32,
    random: u64,
    recorded: u64,
    lost: u64,
    outputs: VecDeque<Output>,
}

impl Hooks {
    /// `head`: the newest event that the store ever had. `behind`: what it remembers of these targets.
    pub fn new(limits: Limits, targets: usize, head: u64, behind: Vec<Behind>, seed: u64) -> Self {
        let mut hooks = Self {
            limits,
            targets: (0..targets).map(|_| Target::default()).collect(),
            next_seq: head + 1,
            unstored: VecDeque::new(),
            storing: Vec::new(),
            store_again_at: None,
            store_failures: 0,
            random: seed,
            recorded: 0,
            lost: 0,
            outputs: VecDeque::new(),
        };
        for Behind { target, room, after, head } in behind {
            let Some(known) = hooks.targets.get_mut(target) else { continue };
            known.queues.insert(room.clone(), Queue { head, ..Queue::new(after) });
            known.turn.push_back(room);
        }
        for target in 0..targets {
            hooks.go_on(target);
        }
        hooks
    }

    /// Something has happened. It is told once it is stored.
    pub fn record(&mut self, at_ms: u64, room: &str, body: String) {
        if self.unstored.len() >= self.limits.unstored {
            self.lost += 1;
            return;
        }
        let event = Event { seq: self.next_seq, at_ms, room: room.to_owned(), body };
        self.next_seq += 1;
        self.recorded += 1;
        self.unstored.push_back(event);
        if self.storing.is_empty() && self.store_again_at.is_none() {
            self.store();
        }
    }

    pub fn handle_stored(&mut self, now: Instant, result: Result<(), Failure>) {
        let events = std::mem::take(&mut self.storing);
        if result.is_err() {
            // Before what came meanwhile: numbers are given already.
            for event in events.into_iter().rev() {
                self.unstored.push_front(event);
            }
            self.store_failures += 1;
            let wait = self.back_off(self.store_failures);
            self.store_again_at = Some(now + wait);
            return;
        }
        self.store_failures = 0;
        for target in 0..self.targets.len() {
            for event in &events {
                let known = &mut self.targets[target];
                let is_new = !known.queues.contains_key(&event.room);
                let queue =
                    known.queues.entry(event.room.clone()).or_insert_with(|| Queue::new(event.seq - 1));
                queue.push(event, self.limits.page);
                if is_new {
                    known.turn.push_back(event.room.clone());
                }
            }
            self.go_on(target);
        }
        if !self.unstored.is_empty() {
            self.store();
        }
    }

    pub fn handle_read(&mut self, now: Instant, target: usize, room: &str, result: Result<Page, Failure>) {
        let Some(known) = self.targets.get_mut(target) else { return };
        let Some(queue) = known.queues.get_mut(room).filter(|q| q.state == State::Reading) else { return };
        known.under_way -= 1;
        let Ok(page) = result else { return self.wait(now, target, room) };
        queue.state = State::Idle;
        known.stats.cut += u64::from(page.is_cut);
        match page.events.is_empty() {
            // Nothing is left of what was not taken.
            true => queue.after = queue.head,
            false => queue.ready.extend(page.events),
        }
        queue.apply_rewind();
        known.turn.push_front(room.to_owned());
        self.go_on(target);
    }

    /// `seq`: of the event that was sent.
    pub fn handle_sent(
        &mut self,
        now: Instant,
        target: usize,
        room: &str,
        seq: u64,
        result: Result<(), Failure>,
    ) {
        let Some(known) = self.targets.get_mut(target) else { return };
        let Some(queue) = known.queues.get_mut(room).filter(|q| q.state == State::Sending) else { return };
        known.under_way -= 1;
        if result.is_err() {
            known.stats.failed += 1;
            return self.wait(now, target, room);
        }
        known.stats.taken += 1;
        queue.state = State::Idle;
        queue.failures = 0;
        queue.after = queue.after.max(seq);
        queue.ready.pop_front();
        queue.apply_rewind();
        if !queue.is_done() {
            let after = Some(queue.after);
            self.outputs.push_back(Output::Keep { target, room: room.to_owned(), after });
        }
        known.turn.push_back(room.to_owned());
        self.go_on(target);
    }

    /// Tells the target everything of a room after this event again; `head`: the newest event of the room.
    pub fn replay(&mut self, target: usize, room: &str, after: u64, head: u64) {
        let Some(known) = self.targets.get_mut(target).filter(|_| after < head) else { return };
        let is_new = !known.queues.contains_key(room);
        let queue = known.queues.entry(room.to_owned()).or_insert_with(|| Queue::new(head));
        queue.rewind = Some(queue.rewind.unwrap_or(u64::MAX).min(after).min(queue.after));
        let after = queue.rewind;
        match queue.state {
            State::Idle | State::Waiting(_) => queue.apply_rewind(),
            State::Reading | State::Sending => {}
        }
        if is_new {
            known.turn.push_back(room.to_owned());
        }
        self.outputs.push_back(Output::Keep { target, room: room.to_owned(), after });
        self.go_on(target);
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.store_again_at.is_some_and(|at| at <= now) {
            self.store_again_at = None;
            self.store();
        }
        for target in 0..self.targets.len() {
            let known = &mut self.targets[target];
            while let Some((at, room)) = known.waiting.first().cloned().filter(|(at, _)| *at <= now) {
                known.waiting.remove(&(at, room.clone()));
                if let Some(queue) = known.queues.get_mut(&room) {
                    queue.state = State::Idle;
                }
                known.turn.push_back(room);
            }
            self.go_on(target);
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self.targets.iter().filter_map(|t| t.waiting.first().map(|(at, _)| *at));
        waiting.chain(self.store_again_at).min()
    }

    pub fn stats(&self) -> Stats {
        let of = |target: &Target| TargetStats { rooms_behind: target.queues.len(), ..target.stats.clone() };
        Stats { recorded: self.recorded, lost: self.lost, targets: self.targets.iter().map(of).collect() }
    }

    fn store(&mut self) {
        if self.unstored.is_empty() || !self.storing.is_empty() {
            return;
        }
        self.storing = self.unstored.drain(..).collect();
        let mut behind = Vec::new();
        for (target, known) in self.targets.iter().enumerate() {
            let mut rooms: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
            for event in self.storing.iter().filter(|e| !known.queues.contains_key(&e.room)) {
                rooms.entry(&event.room).or_insert((event.seq - 1, event.seq)).1 = event.seq;
            }
            let of = |(room, (after, head)): (&str, (u64, u64))| Behind {
                target,
                room: room.to_owned(),
                after,
                head,
            };
            behind.extend(rooms.into_iter().map(of));
        }
        self.outputs.push_back(Output::Store { events: self.storing.clone(), behind });
    }

    /// Sends and reads what has its turn, as far as the limit lets it.
    fn go_on(&mut self, target: usize) {
        let known = &mut self.targets[target];
        while known.under_way < self.limits.under_way {
            let Some(room) = known.turn.pop_front() else { return };
            let Some(queue) = known.queues.get_mut(&room).filter(|q| q.state == State::Idle) else {
                continue;
            };
            if queue.is_done() {
                // What the store is at was counted as behind by this queue: its place is kept until that is told, too.
                let is_to_come = self.storing.iter().chain(&self.unstored).any(|event| event.room == room);
                let after = is_to_come.then_some(queue.after);
                known.queues.remove(&room);
                self.outputs.push_back(Output::Keep { target, room, after });
                continue;
            }
            known.under_way += 1;
            match queue.ready.front() {
                Some(event) => {
                    queue.state = State::Sending;
                    let (event, failures) = (event.clone(), queue.failures);
                    self.outputs.push_back(Output::Send { target, event, failures });
                }
                None => {
                    queue.state = State::Reading;
                    let (after, count) = (queue.after, self.limits.page);
                    self.outputs.push_back(Output::Read { target, room, after, count });
                }
            }
        }
    }

    /// Later again. Nothing of it stays in memory meanwhile.
    fn wait(&mut self, now: Instant, target: usize, room: &str) {
        let failures = {
            let Some(queue) = self.targets[target].queues.get_mut(room) else { return };
            queue.failures = queue.failures.saturating_add(1);
            queue.ready.clear();
            queue.failures
        };
        let until = now + self.back_off(failures);
        let known = &mut self.targets[target];
        if let Some(queue) = known.queues.get_mut(room) {
            queue.state = State::Waiting(until);
            queue.apply_rewind();
        }
        known.waiting.insert((until, room.to_owned()));
        self.go_on(target);
    }

    /// Between half and all of a time that doubles with each failure, so that many do not come back at the same moment.
    fn back_off(&mut self, failures: u32) -> Duration {
        let doubled = self.limits.retry_first.saturating_mul(1 << failures.saturating_sub(1).min(20));
        let longest = doubled.min(self.limits.retry_longest);
        longest.mul_f64(0.5 + 0.5 * self.chance())
    }

    /// From 0 up to 1; splitmix64.
    fn chance(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
