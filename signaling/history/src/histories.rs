//! The logs of all rooms that somebody is in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::log::Log;
use crate::reader::Reader;
use crate::{Cursor, Entry, Limits, Post, ReaderId};

/// To be drained after every call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Answer with [`Histories::handle_loaded`].
    Load { room: String },
    /// Answer with [`Histories::handle_stored`]. One at a time for each room.
    Store(Batch),
    /// `gap`: entries between what the reader had and these are not kept any more.
    Deliver { to: ReaderId, log: String, entries: Vec<Entry>, gap: bool },
    /// They are stored: told once.
    Logged { room: String, entries: Vec<Entry> },
    /// To [`Histories::read`]: what is there after the entry that was asked for. `first`: the oldest number that is kept.
    Read { ticket: u64, log: String, first: u64, head: u64, entries: Vec<Entry> },
    /// The post with this ticket is stored.
    Posted { ticket: u64, seq: u64 },
    /// It is not, and nobody will see it; it may be sent again.
    Failed { ticket: u64, error: PostError },
}

/// To be stored whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    pub room: String,
    /// Id of the log, should this be its beginning.
    pub log: String,
    pub entries: Vec<Entry>,
    /// What is older may be forgotten.
    pub keep_from: u64,
}

/// What a store has of a room.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Loaded {
    /// None: there is no log of this room yet.
    pub log: Option<String>,
    /// Number of the newest entry there ever was.
    pub head: u64,
    pub entries: Vec<Entry>,
}

/// For people: the disk is full, say.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PostError {
    #[error("a message has at most {0} bytes")]
    TooLarge(usize),
    #[error("a topic has 1 to {0} bytes")]
    BadTopic(usize),
    #[error("a key has 16 to {0} bytes")]
    BadKey(usize),
    #[error("too many messages of this room wait to be stored")]
    Busy,
    #[error("it could not be stored: {0}")]
    NotStored(StoreError),
}

/// Shorter ones could be guessed, or meet by chance.
const KEY_BYTES_MIN: usize = 16;

#[derive(Debug)]
struct Room {
    /// None: not loaded yet.
    log: Option<Log>,
    queue: VecDeque<(u64, Post)>,
    /// What the store is at, with the tickets of those who wait for it.
    in_flight: Vec<(Vec<u64>, Entry)>,
    readers: BTreeSet<ReaderId>,
    /// Readers that wait for the log to be loaded.
    waiting: Vec<(ReaderId, Cursor)>,
    /// Reads that do: ticket, after which entry, how many.
    reads: Vec<(u64, u64, usize)>,
    /// Nobody is in it any more; it is forgotten when the store has answered.
    is_closed: bool,
    now_ms: u64,
}

#[derive(Debug)]
pub struct Histories {
    limits: Limits,
    rooms: BTreeMap<String, Room>,
    readers: BTreeMap<ReaderId, Reader>,
    outputs: VecDeque<Output>,
}

impl Histories {
    pub fn new(limits: Limits) -> Self {
        Self { limits, rooms: BTreeMap::new(), readers: BTreeMap::new(), outputs: VecDeque::new() }
    }

    /// Somebody is in the room: its log is loaded.
    pub fn open(&mut self, room: &str) {
        if let Some(known) = self.rooms.get_mut(room) {
            known.is_closed = false;
            return;
        }
        let fresh = Room {
            log: None,
            queue: VecDeque::new(),
            in_flight: Vec::new(),
            readers: BTreeSet::new(),
            waiting: Vec::new(),
            reads: Vec::new(),
            is_closed: false,
            now_ms: 0,
        };
        self.rooms.insert(room.to_owned(), fresh);
        self.outputs.push_back(Output::Load { room: room.to_owned() });
    }

    /// Nobody is in the room any more. What is under way is still stored.
    pub fn close(&mut self, room: &str) {
        if let Some(known) = self.rooms.get_mut(room) {
            known.is_closed = true;
            self.forget_if_done(room);
        }
    }

    /// `fresh_id`: a random id for the log, should there be none yet.
    pub fn handle_loaded(&mut self, room: &str, loaded: Result<Loaded, StoreError>, fresh_id: String) {
        let Some(known) = self.rooms.get_mut(room).filter(|r| r.log.is_none()) else { return };
        // A store that cannot be read is as an empty one: what is said now is told, if it can be stored.
        let Loaded { log, head, entries } = loaded.unwrap_or_default();
        known.log = Some(Log::new(log.unwrap_or(fresh_id), head, entries));
        for (reader, cursor) in std::mem::take(&mut known.waiting) {
            self.begin(room, reader, cursor);
        }
        for (ticket, after, count) in
            self.rooms.get_mut(room).map(|r| std::mem::take(&mut r.reads)).unwrap_or_default()
        {
            self.read(room, ticket, after, count);
        }
        self.store_next(room);
        self.forget_if_done(room);
    }

    /// Says something; `ticket` comes back when it is stored, or is not.
    pub fn post(&mut self, now_ms: u64, room: &str, ticket: u64, post: Post) {
        let limits = &self.limits;
        let error = if post.body.len() > limits.body_bytes {
            Some(PostError::TooLarge(limits.body_bytes))
        } else if post.topic.is_empty() || post.topic.len() > limits.topic_bytes {
            Some(PostError::BadTopic(limits.topic_bytes))
        } else if !(KEY_BYTES_MIN..=limits.key_bytes).contains(&post.key.len()) {
            Some(PostError::BadKey(limits.key_bytes))
        } else {
            None
        };
        let Some(known) = self.rooms.get_mut(room) else { return };
        known.now_ms = now_ms;
        if let Some(error) = error {
            return self.outputs.push_back(Output::Failed { ticket, error });
        }
        if let Some(seq) = known.log.as_ref().and_then(|log| log.seq_of(&post.key)) {
            return self.outputs.push_back(Output::Posted { ticket, seq });
        }
        if let Some((tickets, _)) = known.in_flight.iter_mut().find(|(_, e)| e.post.key == post.key) {
            return tickets.push(ticket);
        }
        if known.queue.len() >= limits.queued {
            return self.outputs.push_back(Output::Failed { ticket, error: PostError::Busy });
        }
        known.queue.push_back((ticket, post));
        self.store_next(room);
    }

    /// The batch of this room is stored, or is not.
    pub fn handle_stored(&mut self, room: &str, result: Result<(), StoreError>) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let Some(log) = &mut known.log else { return };
        let batch = std::mem::take(&mut known.in_flight);
        match result {
            Ok(()) => {
                let entries = batch.iter().map(|(_, entry)| entry.clone()).collect();
                self.outputs.push_back(Output::Logged { room: room.to_owned(), entries });
                for (tickets, entry) in batch {
                    let seq = entry.seq;
                    self.outputs.extend(tickets.into_iter().map(|ticket| Output::Posted { ticket, seq }));
                    log.push(entry);
                }
                log.trim(&self.limits, known.now_ms);
                for reader in known.readers.clone() {
                    self.deliver(reader);
                }
            }
            Err(error) => {
                let tickets = batch.into_iter().flat_map(|(tickets, _)| tickets);
                self.outputs.extend(tickets.map(|ticket| {
                    let error = PostError::NotStored(error.clone());
                    Output::Failed { ticket, error }
                }));
            }
        }
        self.store_next(room);
        self.forget_if_done(room);
    }

    /// The reader wants the log of this room from now on. Once for each reader; the room must be open.
    pub fn subscribe(&mut self, reader: ReaderId, room: &str, cursor: Cursor) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        match known.log {
            Some(_) => self.begin(room, reader, cursor),
            None => known.waiting.push((reader, cursor)),
        }
    }

    pub fn unsubscribe(&mut self, reader: ReaderId) {
        self.readers.remove(&reader);
        for room in self.rooms.values_mut() {
            room.readers.remove(&reader);
            room.waiting.retain(|(waiting, _)| *waiting != reader);
        }
    }

    /// The reader has everything up to `seq`.
    pub fn received(&mut self, reader: ReaderId, seq: u64) {
        if let Some(known) = self.readers.get_mut(&reader) {
            known.acknowledged(seq);
            self.deliver(reader);
        }
    }

    /// At most `count` entries after this one, once; `ticket` comes back with them. The room must be open.
    pub fn read(&mut self, room: &str, ticket: u64, after: u64, count: usize) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let Some(log) = &known.log else { return known.reads.push((ticket, after, count)) };
        let entries = log.after(after).take(count).cloned().collect();
        let (first, head) = (log.first(), log.head);
        self.outputs.push_back(Output::Read { ticket, log: log.id.clone(), first, head, entries });
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn begin(&mut self, room: &str, id: ReaderId, cursor: Cursor) {
        let Some(known) = self.rooms.get_mut(room) else { return };
        let Some(log) = &known.log else { return };
        let after = match cursor {
            Cursor::Newest(count) => log.before_newest(count),
            Cursor::After { log: of, seq } if of == log.id => seq.min(log.head),
            Cursor::After { .. } => 0,
        };
        known.readers.insert(id);
        // Where nothing was said before the oldest entry, nothing is missing.
        let had_nothing = after == 0;
        let reader = Reader::new(room.to_owned(), if had_nothing { log.first() - 1 } else { after });
        self.readers.insert(id, reader);
        self.deliver(id);
    }

    /// What the reader does not have yet, as far as its window lets it through.
    fn deliver(&mut self, to: ReaderId) {
        let Some(reader) = self.readers.get_mut(&to) else { return };
        let Some(log) = self.rooms.get(&reader.room).and_then(|room| room.log.as_ref()) else { return };
        let limits = &self.limits;
        loop {
            let (entries_out, bytes_out) = reader.under_way();
            if entries_out >= limits.window_entries || bytes_out >= limits.window_bytes {
                return;
            }
            let gap = reader.sent + 1 < log.first();
            let mut bytes = 0;
            let fits = |entry: &&Entry| {
                bytes += entry.bytes();
                bytes <= limits.batch_bytes.max(entry.bytes())
            };
            let room_left = limits.batch_entries.min(limits.window_entries - entries_out);
            let entries: Vec<_> = log.after(reader.sent).take(room_left).take_while(fits).cloned().collect();
            let Some(last) = entries.last().map(|entry| entry.seq) else { return };
            let size = entries.iter().map(Entry::bytes).sum();
            reader.delivered(last, entries.len(), size);
            self.outputs.push_back(Output::Deliver { to, log: log.id.clone(), entries, gap });
        }
    }

    /// Gives the store what has gathered, if it is not at work for this room already.
    fn store_next(&mut self, name: &str) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let Some(log) = &mut room.log else { return };
        if !room.in_flight.is_empty() || room.queue.is_empty() {
            return;
        }
        let keep_from = log.trim(&self.limits, room.now_ms);
        let at_ms = log.time(room.now_ms);
        let mut batch: Vec<(Vec<u64>, Entry)> = Vec::new();
        for (ticket, post) in room.queue.drain(..) {
            if let Some(seq) = log.seq_of(&post.key) {
                self.outputs.push_back(Output::Posted { ticket, seq });
            } else if let Some((tickets, _)) = batch.iter_mut().find(|(_, e)| e.post.key == post.key) {
                tickets.push(ticket);
            } else {
                let seq = log.head + 1 + batch.len() as u64;
                batch.push((vec![ticket], Entry { seq, at_ms, post }));
            }
        }
        if batch.is_empty() {
            return;
        }
        let entries = batch.iter().map(|(_, entry)| entry.clone()).collect();
        room.in_flight = batch;
        let (room, log) = (name.to_owned(), log.id.clone());
        self.outputs.push_back(Output::Store(Batch { room, log, entries, keep_from }));
    }

    fn forget_if_done(&mut self, name: &str) {
        let is_done = |room: &Room| {
            room.is_closed && room.queue.is_empty() && room.in_flight.is_empty() && room.reads.is_empty()
        };
        if self.rooms.get(name).is_some_and(is_done) {
            self.rooms.remove(name);
        }
    }
}
