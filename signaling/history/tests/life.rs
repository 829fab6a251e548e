//! Messages through a store that is slow, fails and restarts, to readers that come and go: nothing is lost, doubled or reordered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use history::{
    Batch, Cursor, Entry, Histories, Limits, Loaded, Output, Post, PostError, ReaderId, StoreError,
};

fn post(key: &str, body: &str) -> Post {
    let key = format!("{key:-<16}");
    let (topic, body) = ("chat".into(), body.into());
    Post { key, from: "p1".into(), identity: None, name: "Ann".into(), topic, body }
}

/// What a disk would hold.
#[derive(Default)]
struct Disk {
    logs: BTreeMap<String, Loaded>,
}

impl Disk {
    fn store(&mut self, batch: Batch) {
        let log = self.logs.entry(batch.room).or_default();
        log.log.get_or_insert(batch.log);
        log.entries.extend(batch.entries);
        log.head = log.entries.last().map_or(log.head, |e| e.seq);
        log.entries.retain(|e| e.seq >= batch.keep_from);
    }
}

struct World {
    histories: Histories,
    disk: Disk,
    asked: VecDeque<Output>,
    delivered: Vec<(u64, Entry)>,
    gaps: usize,
    posted: Vec<(u64, u64)>,
    failed: Vec<(u64, PostError)>,
    logged: Vec<u64>,
    /// Ticket, oldest and newest number, and the numbers that were given.
    pages: Vec<(u64, u64, u64, Vec<u64>)>,
}

impl World {
    fn new(limits: Limits) -> Self {
        let (asked, delivered, posted, failed, pages, logged) = Default::default();
        let histories = Histories::new(limits);
        Self { histories, disk: Disk::default(), asked, delivered, gaps: 0, posted, failed, pages, logged }
    }

    fn drain(&mut self) {
        while let Some(output) = self.histories.poll_output() {
            match output {
                Output::Load { .. } | Output::Store(_) => self.asked.push_back(output),
                Output::Deliver { to, entries, gap, .. } => {
                    self.gaps += usize::from(gap);
                    self.delivered.extend(entries.into_iter().map(|entry| (to.0, entry)));
                }
                Output::Logged { entries, .. } => self.logged.extend(entries.iter().map(|e| e.seq)),
                Output::Read { ticket, first, head, entries, .. } => {
                    self.pages.push((ticket, first, head, entries.iter().map(|e| e.seq).collect()));
                }
                Output::Posted { ticket, seq } => self.posted.push((ticket, seq)),
                Output::Failed { ticket, error } => self.failed.push((ticket, error)),
            }
        }
    }

    /// The store answers what it was asked first; false: was not asked.
    fn answer(&mut self, works: bool) -> bool {
        let Some(asked) = self.asked.pop_front() else { return false };
        match asked {
            Output::Load { room } => {
                let loaded = self.disk.logs.get(&room).cloned().unwrap_or_default();
                self.histories.handle_loaded(&room, Ok(loaded), format!("log of {room}"));
            }
            Output::Store(batch) if works => {
                let room = batch.room.clone();
                self.disk.store(batch);
                self.histories.handle_stored(&room, Ok(()));
            }
            Output::Store(batch) => {
                let error = StoreError("no space left on device".into());
                self.histories.handle_stored(&batch.room, Err(error));
            }
            _ => unreachable!(),
        }
        self.drain();
        true
    }

    fn settle(&mut self) {
        self.drain();
        while self.answer(true) {}
    }

    fn say(&mut self, ticket: u64, post: Post) {
        self.histories.post(1_000 + ticket, "demo", ticket, post);
        self.drain();
    }

    fn read(&self, reader: u64) -> Vec<(u64, String)> {
        let of = self.delivered.iter().filter(|(to, _)| *to == reader);
        of.map(|(_, e)| (e.seq, e.post.body.clone())).collect()
    }
}

fn open() -> World {
    let mut world = World::new(Limits::default());
    world.histories.open("demo");
    world.settle();
    world
}

#[test]
fn a_message_is_acknowledged_and_told_only_when_it_is_stored() {
    let mut world = open();
    world.histories.subscribe(ReaderId(1), "demo", Cursor::Newest(100));
    world.say(1, post("a", "hello"));
    assert!(world.posted.is_empty() && world.delivered.is_empty());
    world.settle();
    assert_eq!(world.posted, [(1, 1)]);
    assert_eq!(world.read(1), [(1, "hello".to_owned())]);
}

#[test]
fn a_message_sent_again_is_stored_once_and_acknowledged_again() {
    let mut world = open();
    world.histories.subscribe(ReaderId(1), "demo", Cursor::Newest(100));
    world.say(1, post("a", "hello"));
    world.say(2, post("a", "hello"));
    world.say(3, post("b", "world"));
    world.say(4, post("b", "world"));
    world.settle();
    world.say(5, post("a", "hello"));
    world.settle();
    assert_eq!(
        world.posted.iter().copied().collect::<BTreeMap<_, _>>(),
        [(1, 1), (2, 1), (3, 2), (4, 2), (5, 1)].into()
    );
    assert_eq!(world.read(1).len(), 2);
    assert_eq!(world.logged, [1, 2]);

    // Even across a restart.
    let mut again = World::new(Limits::default());
    again.disk = world.disk;
    again.histories.open("demo");
    again.say(6, post("b", "world"));
    again.settle();
    assert_eq!(again.posted, [(6, 2)]);
}

#[test]
fn a_full_disk_is_an_error_to_the_sender_and_nothing_else() {
    let mut world = open();
    world.histories.subscribe(ReaderId(1), "demo", Cursor::Newest(100));
    world.say(1, post("a", "lost"));
    world.say(2, post("b", "kept"));
    assert!(world.answer(false));
    let [(1, PostError::NotStored(error))] = &world.failed[..] else { panic!("{:?}", world.failed) };
    assert!(error.to_string().contains("no space"));
    world.settle();
    assert_eq!(world.read(1), [(1, "kept".to_owned())], "its number is used again");
    world.say(3, post("a", "lost"));
    world.settle();
    assert_eq!(world.posted, [(2, 1), (3, 2)], "the sender may try again");
}

#[test]
fn a_reader_goes_on_where_it_was_and_a_latecomer_reads_the_newest() {
    let mut world = open();
    for i in 0..10 {
        world.say(i, post(&format!("k{i}"), &i.to_string()));
    }
    world.settle();
    let log = || "log of demo".to_owned();
    world.histories.subscribe(ReaderId(1), "demo", Cursor::After { log: log(), seq: 7 });
    world.histories.subscribe(ReaderId(2), "demo", Cursor::Newest(2));
    world.histories.subscribe(ReaderId(3), "demo", Cursor::After { log: "lost".into(), seq: 7 });
    world.histories.subscribe(ReaderId(4), "demo", Cursor::After { log: log(), seq: 99 });
    world.histories.subscribe(ReaderId(5), "demo", Cursor::Newest(0));
    world.settle();
    let seqs = |reader| world.read(reader).into_iter().map(|(seq, _)| seq).collect::<Vec<_>>();
    assert_eq!((seqs(1), seqs(2)), (vec![8, 9, 10], vec![9, 10]));
    assert_eq!(seqs(3), (1..=10).collect::<Vec<_>>(), "of another log: everything");
    assert!(seqs(4).is_empty() && seqs(5).is_empty() && world.gaps == 0);
    world.say(11, post("last", "last"));
    world.settle();
    for reader in 1..=5 {
        assert_eq!(world.read(reader).last(), Some(&(11, "last".to_owned())), "{reader}");
    }
}

#[test]
fn what_is_too_much_or_too_old_is_forgotten_and_the_gap_is_told() {
    let mut world = World::new(Limits { entries: 5, ..Limits::default() });
    world.histories.open("demo");
    for i in 0..20 {
        world.say(i, post(&format!("k{i}"), &i.to_string()));
        world.settle();
    }
    world.histories.subscribe(ReaderId(1), "demo", Cursor::After { log: "log of demo".into(), seq: 3 });
    world.histories.subscribe(ReaderId(2), "demo", Cursor::Newest(100));
    world.settle();
    assert_eq!(world.read(1).first().map(|(seq, _)| *seq), Some(16));
    assert_eq!((world.gaps, world.read(2).len()), (1, 5), "a newcomer misses nothing that it ever had");
    assert!(world.disk.logs["demo"].entries.len() <= 6, "the store forgets as well");

    let mut world = World::new(Limits { age: Duration::from_secs(1), ..Limits::default() });
    world.histories.open("demo");
    world.settle();
    world.say(1, post("old", "old"));
    world.settle();
    world.say(5_000, post("new", "new"));
    world.settle();
    world.histories.subscribe(ReaderId(1), "demo", Cursor::Newest(100));
    world.settle();
    assert_eq!(world.read(1).len(), 1);
}

#[test]
fn a_reader_that_does_not_acknowledge_is_sent_a_window_and_no_more() {
    let limits = Limits { window_entries: 10, batch_entries: 4, ..Limits::default() };
    let mut world = World::new(limits);
    world.histories.open("demo");
    for i in 0..50 {
        world.say(i, post(&format!("k{i}"), &i.to_string()));
    }
    world.settle();
    world.histories.subscribe(ReaderId(1), "demo", Cursor::Newest(100));
    world.settle();
    assert_eq!(world.read(1).len(), 10);
    while world.read(1).len() < 50 {
        let before = world.read(1).len();
        let last = world.read(1).last().unwrap().0;
        world.histories.received(ReaderId(1), last);
        world.settle();
        assert!(world.read(1).len() > before, "it goes on as it reads");
    }
    world.histories.received(ReaderId(1), u64::MAX);
    world.histories.received(ReaderId(9), 1);
    assert_eq!(
        world.read(1).into_iter().map(|(seq, _)| seq).collect::<Vec<_>>(),
        (1..=50).collect::<Vec<_>>()
    );
}

#[test]
fn what_is_no_message_is_refused_and_a_store_that_hangs_bounds_what_waits() {
    let mut world = World::new(Limits { queued: 3, ..Limits::default() });
    world.histories.open("demo");
    world.settle();
    let bad = [
        Post { key: "short".into(), ..post("a", "x") },
        Post { key: "k".repeat(65), ..post("a", "x") },
        Post { topic: String::new(), ..post("a", "x") },
        Post { topic: "t".repeat(33), ..post("a", "x") },
        Post { body: "b".repeat(8 * 1024 + 1), ..post("a", "x") },
    ];
    let count = bad.len();
    for (ticket, bad) in bad.into_iter().enumerate() {
        world.say(ticket as u64, bad);
    }
    assert_eq!(world.failed.len(), count);
    for i in 10..20 {
        world.say(i, post(&format!("k{i}"), "x"));
    }
    let busy = world.failed.iter().filter(|(_, e)| *e == PostError::Busy).count();
    assert_eq!(busy, 6, "one is at the store, three wait");
    world.settle();
    assert_eq!(world.posted.len(), 4);
}

#[test]
fn a_room_that_is_left_while_something_is_under_way_is_still_stored() {
    let mut world = open();
    world.say(1, post("a", "bye"));
    world.histories.close("demo");
    world.settle();
    assert_eq!(world.disk.logs["demo"].entries.len(), 1);
    world.histories.open("demo");
    world.histories.subscribe(ReaderId(1), "demo", Cursor::Newest(10));
    world.settle();
    assert_eq!(world.read(1), [(1, "bye".to_owned())]);
}

/// splitmix64: any seed is a good one.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

/// Senders repeat what was not acknowledged; the store fails now and then; the process restarts; readers lose their connection.
#[test]
fn whatever_happens_nothing_is_lost_doubled_or_reordered() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let mut world = open();
        let mut unacknowledged: BTreeMap<u64, Post> = BTreeMap::new();
        let (mut next_ticket, mut said, mut reader) = (0, 0, 1);
        let mut tickets: BTreeMap<u64, String> = BTreeMap::new();
        let mut read: Vec<Entry> = Vec::new();
        let mut acknowledged: BTreeSet<String> = BTreeSet::new();
        world.histories.subscribe(ReaderId(reader), "demo", Cursor::Newest(100));
        for _ in 0..2_000 {
            match random.below(12) {
                0..=4 => {
                    said += 1;
                    let post = post(&format!("key {said}"), &said.to_string());
                    unacknowledged.insert(said, post.clone());
                    tickets.insert(next_ticket, post.key.clone());
                    world.say(next_ticket, post);
                    next_ticket += 1;
                }
                5 => {
                    for post in unacknowledged.values().cloned().collect::<Vec<_>>() {
                        tickets.insert(next_ticket, post.key.clone());
                        world.say(next_ticket, post);
                        next_ticket += 1;
                    }
                }
                6..=8 => drop(world.answer(!random.0.is_multiple_of(5))),
                9 => {
                    if let Some(last) = read.last() {
                        world.histories.received(ReaderId(reader), last.seq);
                    }
                }
                10 => {
                    world.histories.unsubscribe(ReaderId(reader));
                    world.delivered.clear(); // What was on its way is gone.
                    reader += 1;
                    let seq = read.last().map_or(0, |e| e.seq);
                    let cursor = Cursor::After { log: "log of demo".into(), seq };
                    world.histories.subscribe(ReaderId(reader), "demo", cursor);
                }
                _ if random.0.is_multiple_of(8) => {
                    // kill -9: what the store has not confirmed may or may not be there.
                    let half_done = world.asked.pop_front().filter(|_| random.0.is_multiple_of(16));
                    if let Some(Output::Store(batch)) = half_done {
                        world.disk.store(batch);
                    }
                    let disk = std::mem::take(&mut world.disk);
                    world = World::new(Limits::default());
                    world.disk = disk;
                    world.histories.open("demo");
                    reader += 1;
                    let seq = read.last().map_or(0, |e| e.seq);
                    let cursor = Cursor::After { log: "log of demo".into(), seq };
                    world.histories.subscribe(ReaderId(reader), "demo", cursor);
                }
                _ => {}
            }
            world.drain();
            read.extend(world.delivered.drain(..).filter(|(to, _)| *to == reader).map(|(_, e)| e));
            for (ticket, _) in world.posted.drain(..) {
                let key = &tickets[&ticket];
                unacknowledged.retain(|_, post| post.key != *key);
                acknowledged.insert(key.clone());
            }
        }
        for post in unacknowledged.values().cloned().collect::<Vec<_>>() {
            world.say(next_ticket, post);
            next_ticket += 1;
        }
        for _ in 0..100 {
            world.settle();
            read.extend(world.delivered.drain(..).filter(|(to, _)| *to == reader).map(|(_, e)| e));
            world.histories.received(ReaderId(reader), read.last().map_or(0, |e| e.seq));
        }
        let seqs: Vec<_> = read.iter().map(|e| e.seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "seed {seed}: lost or reordered");
        let keys: BTreeSet<_> = read.iter().map(|e| e.post.key.clone()).collect();
        assert_eq!(keys.len(), read.len(), "seed {seed}: doubled");
        assert_eq!(keys.len(), said as usize, "seed {seed}: not all of what was said");
        assert!(acknowledged.is_subset(&keys) && said > 500);
        assert!(read.windows(2).all(|pair| pair[0].at_ms <= pair[1].at_ms), "time goes back");
    }
}

#[test]
fn a_page_is_read_of_a_room_that_nobody_is_in_and_the_room_is_forgotten_again() {
    let mut world = open();
    for ticket in 1..=5 {
        world.say(ticket, post(&format!("key {ticket}"), "hello"));
        world.settle();
    }
    world.histories.close("demo");
    for (ticket, after, count) in [(10, 0, 2), (11, 3, 100), (12, 9, 100), (13, 0, 0)] {
        world.histories.open("demo");
        world.histories.read("demo", ticket, after, count);
        world.histories.close("demo");
        world.drain();
        assert!(!world.pages.iter().any(|page| page.0 == ticket), "the log is not loaded yet");
        world.settle();
    }
    assert_eq!(
        world.pages,
        [(10, 1, 5, vec![1, 2]), (11, 1, 5, vec![4, 5]), (12, 1, 5, vec![]), (13, 1, 5, vec![])]
    );
    // Forgotten: nothing is there to read until it is opened again.
    world.histories.read("demo", 14, 0, 10);
    world.settle();
    assert_eq!(world.pages.len(), 4);
}
