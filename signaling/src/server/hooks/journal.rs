//! Every event, in one file: what was stored is there after a crash, and so is who has not taken it yet.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use history::StoreError;
use hooks::{Behind, Event, Failure, Page};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Input;

const FILE: &str = "events.redb";

/// Events kept, and for how long: as long as a target may be down. The oldest go first.
const EVENTS_MAX: u64 = 200_000;
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Where there is no folder they are kept in memory.
const EVENTS_IN_MEMORY_MAX: u64 = 20_000;

/// Room and number to event, as JSON.
const EVENTS: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("events");
/// Number to room.
const ORDER: TableDefinition<u64, &str> = TableDefinition::new("order");
/// Name of the target and room to the last event that it took.
const BEHIND: TableDefinition<(&str, &str), u64> = TableDefinition::new("behind");
const LOG: TableDefinition<&str, &str> = TableDefinition::new("log");
/// `head`: the newest number there ever was. `cut`: the newest that is not kept any more.
const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

#[derive(Serialize, Deserialize)]
struct Stored {
    at_ms: u64,
    body: String,
}

pub(super) enum Job {
    Store { events: Vec<Event>, behind: Vec<Behind> },
    Keep { target: usize, room: String, after: Option<u64> },
    Read { target: usize, room: String, after: u64, count: usize },
    Find { target: usize, after: u64 },
    Events { after: u64, limit: usize, reply: oneshot::Sender<Vec<Event>> },
}

pub(super) struct Journal {
    /// None: in memory.
    file: Option<PathBuf>,
    /// None: it failed, and is opened anew when it is needed. After an error the old one does nothing any more.
    database: Option<Database>,
    /// By which they are known after a restart.
    targets: Vec<String>,
    log: String,
    events_max: u64,
}

/// Until nobody can ask any more, or nobody takes answers. What has gathered is written as one transaction.
pub(super) fn run(mut journal: Journal, jobs: &mpsc::Receiver<Job>, answer: impl Fn(Input) -> bool) {
    while let Ok(first) = jobs.recv() {
        let gathered: Vec<_> =
            std::iter::once(first).chain(std::iter::from_fn(|| jobs.try_recv().ok())).collect();
        let (writes, reads): (Vec<_>, Vec<_>) =
            gathered.into_iter().partition(|job| matches!(job, Job::Store { .. } | Job::Keep { .. }));
        let is_stored = writes.iter().any(|job| matches!(job, Job::Store { .. }));
        let written = if writes.is_empty() { Ok(()) } else { journal.write(&writes) };
        let written = log(written, "events cannot be stored");
        if is_stored && !answer(Input::Stored(written)) {
            return;
        }
        for job in reads {
            if let Some(read) = journal.answer(job)
                && !answer(read)
            {
                return;
            }
        }
    }
}

fn log<T>(result: Result<T, StoreError>, what: &str) -> Result<T, Failure> {
    result.map_err(|error| {
        tracing::error!(%error, "{what}");
        Failure
    })
}

fn because(error: impl std::fmt::Display) -> StoreError {
    StoreError(error.to_string())
}

fn create(file: Option<&Path>) -> Result<Database, StoreError> {
    match file {
        Some(file) => Database::create(file).map_err(because),
        None => {
            redb::Builder::new().create_with_backend(redb::backends::InMemoryBackend::new()).map_err(because)
        }
    }
}

impl Journal {
    pub fn open(folder: Option<&Path>, urls: &[String], fresh_log: &str) -> Result<Self, StoreError> {
        if let Some(folder) = folder {
            std::fs::create_dir_all(folder).map_err(because)?;
        }
        let file = folder.map(|folder| folder.join(FILE));
        let events_max = if file.is_some() { EVENTS_MAX } else { EVENTS_IN_MEMORY_MAX };
        let database = create(file.as_deref())?;
        let write = database.begin_write().map_err(because)?;
        let log = {
            write.open_table(EVENTS).map_err(because)?;
            write.open_table(ORDER).map_err(because)?;
            write.open_table(BEHIND).map_err(because)?;
            write.open_table(NUMBERS).map_err(because)?;
            let mut logs = write.open_table(LOG).map_err(because)?;
            let known = logs.get("id").map_err(because)?.map(|id| id.value().to_owned());
            match known {
                Some(id) => id,
                None => {
                    logs.insert("id", fresh_log).map_err(because)?;
                    fresh_log.to_owned()
                }
            }
        };
        write.commit().map_err(because)?;
        Ok(Self { file, database: Some(database), targets: names(urls), log, events_max })
    }

    fn with<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => create(self.file.as_deref())?,
        };
        let result = work(&database);
        if result.is_ok() || self.file.is_none() {
            self.database = Some(database);
        }
        result
    }

    /// Of this journal, so that numbers of another one are not taken for these.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The newest number, and how far the targets are. What is remembered of others is forgotten.
    pub fn load(&mut self) -> Result<(u64, Vec<Behind>), StoreError> {
        let targets = self.targets.clone();
        self.with(|database| load(database, &targets))
    }

    fn write(&mut self, jobs: &[Job]) -> Result<(), StoreError> {
        let (targets, events_max) = (self.targets.clone(), self.events_max);
        self.with(|database| write(database, jobs, &targets, events_max))
    }

    /// To a job that only reads.
    fn answer(&mut self, job: Job) -> Option<Input> {
        match job {
            Job::Read { target, room, after, count } => {
                let page =
                    log(self.with(|database| read(database, &room, after, count)), "events cannot be read");
                Some(Input::Read { target, room, page })
            }
            Job::Find { target, after } => {
                let rooms = log(self.with(|database| find(database, after)), "events cannot be read").ok()?;
                Some(Input::Found { target, after, rooms })
            }
            Job::Events { after, limit, reply } => {
                if let Ok(events) =
                    log(self.with(|database| list(database, after, limit)), "events cannot be read")
                {
                    let _ = reply.send(events);
                }
                None
            }
            Job::Store { .. } | Job::Keep { .. } => None,
        }
    }
}

/// The URL of each target; of one that is named twice the second with its number, so that each has a place of its own.
fn names(urls: &[String]) -> Vec<String> {
    let name = |(index, url): (usize, &String)| match urls[..index].iter().filter(|one| *one == url).count() {
        0 => url.clone(),
        // No URL has a space.
        before => format!("{url} {}", before + 1),
    };
    urls.iter().enumerate().map(name).collect()
}

fn load(database: &Database, names: &[String]) -> Result<(u64, Vec<Behind>), StoreError> {
    let write = database.begin_write().map_err(because)?;
    let mut behind = Vec::new();
    let head = {
        let events = write.open_table(EVENTS).map_err(because)?;
        let mut table = write.open_table(BEHIND).map_err(because)?;
        table.retain(|(name, _), _| names.iter().any(|known| known == name)).map_err(because)?;
        for entry in table.iter().map_err(because)? {
            let (key, after) = entry.map_err(because)?;
            let (name, room) = key.value();
            let newest = events.range((room, 0)..=(room, u64::MAX)).map_err(because)?.next_back();
            let head = newest.transpose().map_err(because)?.map_or(0, |(key, _)| key.value().1);
            let Some(target) = names.iter().position(|known| known == name) else { continue };
            behind.push(Behind { target, room: room.to_owned(), after: after.value(), head });
        }
        let numbers = write.open_table(NUMBERS).map_err(because)?;
        numbers.get("head").map_err(because)?.map_or(0, |head| head.value())
    };
    write.commit().map_err(because)?;
    Ok((head, behind))
}

fn write(database: &Database, jobs: &[Job], names: &[String], events_max: u64) -> Result<(), StoreError> {
    let write = database.begin_write().map_err(because)?;
    {
        let mut table = write.open_table(EVENTS).map_err(because)?;
        let mut order = write.open_table(ORDER).map_err(because)?;
        let mut places = write.open_table(BEHIND).map_err(because)?;
        let mut numbers = write.open_table(NUMBERS).map_err(because)?;
        for job in jobs {
            match job {
                Job::Store { events, behind } => {
                    for Event { seq, at_ms, room, body } in events {
                        let stored = Stored { at_ms: *at_ms, body: body.clone() };
                        let bytes = serde_json::to_vec(&stored).map_err(because)?;
                        table.insert((room.as_str(), *seq), bytes.as_slice()).map_err(because)?;
                        order.insert(*seq, room.as_str()).map_err(because)?;
                        numbers.insert("head", *seq).map_err(because)?;
                    }
                    for Behind { target, room, after, .. } in behind {
                        let Some(name) = names.get(*target) else { continue };
                        places.insert((name.as_str(), room.as_str()), *after).map_err(because)?;
                    }
                }
                Job::Keep { target, room, after } => {
                    let Some(name) = names.get(*target) else { continue };
                    let key = (name.as_str(), room.as_str());
                    match after {
                        Some(after) => drop(places.insert(key, *after).map_err(because)?),
                        None => drop(places.remove(key).map_err(because)?),
                    }
                }
                _ => {}
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let oldest_ms = u64::try_from(now.saturating_sub(AGE_MAX).as_millis()).unwrap_or(0);
        loop {
            let Some((seq, room)) =
                order.first().map_err(because)?.map(|(k, v)| (k.value(), v.value().to_owned()))
            else {
                break;
            };
            let at_ms =
                table.get((room.as_str(), seq)).map_err(because)?.and_then(|bytes| at_ms(bytes.value()));
            let is_old = at_ms.is_none_or(|at_ms| at_ms < oldest_ms);
            if !is_old && order.len().map_err(because)? <= events_max {
                break;
            }
            order.pop_first().map_err(because)?;
            table.remove((room.as_str(), seq)).map_err(because)?;
            numbers.insert("cut", seq).map_err(because)?;
        }
    }
    write.commit().map_err(because)
}

fn read(database: &Database, room: &str, after: u64, count: usize) -> Result<Page, StoreError> {
    let read = database.begin_read().map_err(because)?;
    let table = read.open_table(EVENTS).map_err(because)?;
    let cut =
        read.open_table(NUMBERS).map_err(because)?.get("cut").map_err(because)?.map_or(0, |cut| cut.value());
    let mut events = Vec::new();
    for found in table.range((room, after.saturating_add(1))..=(room, u64::MAX)).map_err(because)?.take(count)
    {
        let (key, bytes) = found.map_err(because)?;
        events.push(event(room, key.value().1, bytes.value())?);
    }
    Ok(Page { events, is_cut: cut > after })
}

fn find(database: &Database, after: u64) -> Result<Vec<(String, u64)>, StoreError> {
    let read = database.begin_read().map_err(because)?;
    let order = read.open_table(ORDER).map_err(because)?;
    let mut rooms = std::collections::BTreeMap::new();
    for found in order.range(after.saturating_add(1)..).map_err(because)? {
        let (seq, room) = found.map_err(because)?;
        rooms.insert(room.value().to_owned(), seq.value());
    }
    Ok(rooms.into_iter().collect())
}

fn list(database: &Database, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
    let read = database.begin_read().map_err(because)?;
    let order = read.open_table(ORDER).map_err(because)?;
    let table = read.open_table(EVENTS).map_err(because)?;
    let mut events = Vec::new();
    for found in order.range(after.saturating_add(1)..).map_err(because)?.take(limit) {
        let (seq, room) = found.map_err(because)?;
        let (seq, room) = (seq.value(), room.value());
        if let Some(bytes) = table.get((room, seq)).map_err(because)? {
            events.push(event(room, seq, bytes.value())?);
        }
    }
    Ok(events)
}

fn at_ms(bytes: &[u8]) -> Option<u64> {
    serde_json::from_slice::<Stored>(bytes).ok().map(|stored| stored.at_ms)
}

fn event(room: &str, seq: u64, bytes: &[u8]) -> Result<Event, StoreError> {
    let Stored { at_ms, body } = serde_json::from_slice(bytes).map_err(because)?;
    Ok(Event { seq, at_ms, room: room.to_owned(), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, room: &str) -> Event {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        Event { seq, at_ms: now, room: room.into(), body: format!("{{\"n\":{seq}}}") }
    }

    fn store(events: Vec<Event>, room: &str, after: u64) -> Job {
        let behind = Behind { target: 0, room: room.into(), after, head: 0 };
        Job::Store { events, behind: vec![behind] }
    }

    #[test]
    fn what_was_stored_and_who_is_behind_is_there_after_a_restart() {
        let folder = std::env::temp_dir().join(format!("sampan-journal-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let urls = ["http://a/".to_owned(), "http://b/".to_owned()];
        let mut journal = Journal::open(Some(&folder), &urls, "first").unwrap();
        journal.write(&[store(vec![event(1, "x"), event(2, "y"), event(3, "x")], "x", 0)]).unwrap();
        journal.write(&[Job::Keep { target: 0, room: "x".into(), after: Some(1) }]).unwrap();
        journal.write(&[Job::Keep { target: 1, room: "x".into(), after: Some(2) }]).unwrap();
        drop(journal);
        let mut again = Journal::open(Some(&folder), &urls[..1], "second").unwrap();
        assert_eq!(again.log(), "first");
        let behind = Behind { target: 0, room: "x".into(), after: 1, head: 3 };
        assert_eq!(again.load().unwrap(), (3, vec![behind]), "the other target is not configured any more");
        let page = again.with(|d| read(d, "x", 1, 10)).unwrap();
        assert_eq!((page.events.len(), page.events[0].seq, page.is_cut), (1, 3, false));
        assert_eq!(again.with(|d| find(d, 1)).unwrap(), [("x".to_owned(), 3), ("y".to_owned(), 2)]);
        assert_eq!(again.with(|d| list(d, 1, 1)).unwrap()[0].seq, 2);
        again.write(&[Job::Keep { target: 0, room: "x".into(), after: None }]).unwrap();
        assert_eq!(again.load().unwrap(), (3, vec![]));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn two_targets_of_one_url_have_a_place_each() {
        let urls = ["http://a/".to_owned(), "http://a/".to_owned()];
        let mut journal = Journal::open(None, &urls, "log").unwrap();
        let behind = |target, after| Behind { target, room: "x".into(), after, head: 3 };
        let events = (1..=3).map(|seq| event(seq, "x")).collect();
        journal.write(&[Job::Store { events, behind: vec![behind(0, 0), behind(1, 0)] }]).unwrap();
        journal.write(&[Job::Keep { target: 0, room: "x".into(), after: Some(2) }]).unwrap();
        assert_eq!(journal.load().unwrap().1, [behind(0, 2), behind(1, 0)]);
        journal.write(&[Job::Keep { target: 0, room: "x".into(), after: None }]).unwrap();
        assert_eq!(journal.load().unwrap().1, [behind(1, 0)]);
    }

    #[test]
    fn the_oldest_go_first_and_a_reader_is_told_that_something_is_missing() {
        let mut journal = Journal::open(None, &["http://a/".to_owned()], "log").unwrap();
        journal.events_max = 10;
        journal.write(&[store((1..=30).map(|seq| event(seq, "x")).collect(), "x", 0)]).unwrap();
        let page = journal.with(|d| read(d, "x", 0, 100)).unwrap();
        assert_eq!((page.events.len(), page.events[0].seq, page.is_cut), (10, 21, true));
        assert!(!journal.with(|d| read(d, "x", 20, 100)).unwrap().is_cut);
        let old = Event { at_ms: 1, ..event(31, "y") };
        journal.write(&[store(vec![old], "y", 30)]).unwrap();
        assert_eq!(journal.load().unwrap().0, 31);
    }
}
