//! Messages on disk, in one file: crash-safe, and on the disk when a message is acknowledged.

use std::path::{Path, PathBuf};

use access::RevokedState;
use history::{Batch, Entry, Loaded, Post, StoreError};
use redb::{Database, ReadableDatabase, TableDefinition};
use serde::{Deserialize, Serialize};

use super::Store;

const FILE: &str = "messages.redb";

/// Room to its log's id and newest number, as JSON.
const LOGS: TableDefinition<&str, &[u8]> = TableDefinition::new("logs");
/// Room and number to message, as JSON.
const ENTRIES: TableDefinition<(&str, u64), &[u8]> = TableDefinition::new("entries");
/// What else is kept, by name, as JSON.
const STATE: TableDefinition<&str, &[u8]> = TableDefinition::new("state");
const REVOKED: &str = "revoked";

#[derive(Serialize, Deserialize)]
struct StoredLog {
    id: String,
    head: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredEntry {
    at_ms: u64,
    key: String,
    from: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    identity: Option<String>,
    name: String,
    topic: String,
    body: String,
}

pub struct Disk {
    file: PathBuf,
    /// None: it failed, and is opened anew when it is needed. After an error the old one does nothing any more.
    database: Option<Database>,
}

impl Disk {
    /// Makes folder and file if they are not there.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder).map_err(because)?;
        let mut disk = Self { file: folder.join(FILE), database: None };
        disk.with(|database| {
            let write = database.begin_write().map_err(because)?;
            write.open_table(LOGS).map_err(because)?;
            write.open_table(ENTRIES).map_err(because)?;
            write.open_table(STATE).map_err(because)?;
            write.commit().map_err(because)
        })?;
        Ok(disk)
    }

    /// For tests of a disk that fails.
    #[cfg(test)]
    fn over(database: Database) -> Self {
        Self { file: PathBuf::new(), database: Some(database) }
    }

    fn with<T>(&mut self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::create(&self.file).map_err(because)?,
        };
        let result = work(&database);
        if result.is_ok() {
            self.database = Some(database);
        }
        result
    }
}

impl Store for Disk {
    fn load(&mut self, room: &str) -> Result<Loaded, StoreError> {
        self.with(|database| {
            let read = database.begin_read().map_err(because)?;
            let logs = read.open_table(LOGS).map_err(because)?;
            let Some(log) = logs.get(room).map_err(because)? else { return Ok(Loaded::default()) };
            let StoredLog { id, head } = serde_json::from_slice(log.value()).map_err(because)?;
            let table = read.open_table(ENTRIES).map_err(because)?;
            let mut entries = Vec::new();
            for found in table.range((room, 0)..=(room, u64::MAX)).map_err(because)? {
                let (key, value) = found.map_err(because)?;
                entries.push(read_entry(key.value().1, value.value())?);
            }
            Ok(Loaded { log: Some(id), head, entries })
        })
    }

    fn store(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        self.with(|database| {
            let write = database.begin_write().map_err(because)?;
            {
                let mut logs = write.open_table(LOGS).map_err(because)?;
                let mut table = write.open_table(ENTRIES).map_err(because)?;
                for batch in batches {
                    let room = batch.room.as_str();
                    for entry in &batch.entries {
                        let bytes = write_entry(entry)?;
                        table.insert((room, entry.seq), bytes.as_slice()).map_err(because)?;
                    }
                    table.retain_in((room, 0)..(room, batch.keep_from), |_, _| false).map_err(because)?;
                    let head = batch.entries.last().map_or(0, |entry| entry.seq);
                    let log = StoredLog { id: batch.log.clone(), head };
                    let bytes = serde_json::to_vec(&log).map_err(because)?;
                    logs.insert(room, bytes.as_slice()).map_err(because)?;
                }
            }
            write.commit().map_err(because)
        })
    }

    fn revoked(&mut self) -> Result<RevokedState, StoreError> {
        self.with(|database| {
            let read = database.begin_read().map_err(because)?;
            let table = read.open_table(STATE).map_err(because)?;
            match table.get(REVOKED).map_err(because)? {
                Some(bytes) => serde_json::from_slice(bytes.value()).map_err(because),
                None => Ok(RevokedState::default()),
            }
        })
    }

    fn keep_revoked(&mut self, state: &RevokedState) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(state).map_err(because)?;
        self.with(|database| {
            let write = database.begin_write().map_err(because)?;
            write.open_table(STATE).map_err(because)?.insert(REVOKED, bytes.as_slice()).map_err(because)?;
            write.commit().map_err(because)
        })
    }
}

fn because(error: impl std::fmt::Display) -> StoreError {
    StoreError(error.to_string())
}

fn read_entry(seq: u64, bytes: &[u8]) -> Result<Entry, StoreError> {
    let stored: StoredEntry = serde_json::from_slice(bytes).map_err(because)?;
    let StoredEntry { at_ms, key, from, identity, name, topic, body } = stored;
    Ok(Entry { seq, at_ms, post: Post { key, from, identity, name, topic, body } })
}

fn write_entry(entry: &Entry) -> Result<Vec<u8>, StoreError> {
    let Post { key, from, identity, name, topic, body } = entry.post.clone();
    let stored = StoredEntry { at_ms: entry.at_ms, key, from, identity, name, topic, body };
    serde_json::to_vec(&stored).map_err(because)
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::Ban;
    use redb::backends::InMemoryBackend;
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn batch(room: &str, seqs: std::ops::RangeInclusive<u64>, keep_from: u64) -> Batch {
        let entry = |seq| Entry {
            seq,
            at_ms: 1000 + seq,
            post: Post {
                key: format!("key of {seq}"),
                from: "p1".into(),
                identity: Some("ann".into()),
                name: "Ann".into(),
                topic: "chat".into(),
                body: format!("message {seq}"),
            },
        };
        Batch { room: room.into(), log: "h1".into(), entries: seqs.map(entry).collect(), keep_from }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("sampan-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn what_was_stored_is_there_after_a_restart_and_old_entries_are_not() {
        let folder = folder("restart");
        let mut disk = Disk::open(&folder).unwrap();
        assert_eq!(disk.load("demo").unwrap(), Loaded::default());
        disk.store(&[batch("demo", 1..=5, 0), batch("demo 2", 1..=1, 0)]).unwrap();
        disk.store(&[batch("demo", 6..=6, 4)]).unwrap();
        let ban = Ban { room: "demo".into(), identity: "ben".into(), until_s: 7 };
        let state = RevokedState { tokens: vec![("t".into(), 9)], bans: vec![ban] };
        disk.keep_revoked(&state).unwrap();
        drop(disk);
        let mut again = Disk::open(&folder).unwrap();
        let loaded = again.load("demo").unwrap();
        assert_eq!((loaded.log.as_deref(), loaded.head), (Some("h1"), 6));
        let expected: Vec<_> = batch("demo", 4..=6, 0).entries;
        assert_eq!(loaded.entries, expected);
        assert_eq!(again.load("demo 2").unwrap().entries.len(), 1, "rooms whose names begin alike are apart");
        assert_eq!(again.revoked().unwrap(), state);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn two_processes_do_not_share_a_file() {
        let folder = folder("shared");
        let _first = Disk::open(&folder).unwrap();
        assert!(Disk::open(&folder).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// A disk that is full while the switch is on.
    #[derive(Debug)]
    struct Full(InMemoryBackend, Arc<AtomicBool>);

    impl redb::StorageBackend for Full {
        fn len(&self) -> Result<u64, io::Error> {
            self.0.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
            self.0.read(offset, out)
        }
        fn set_len(&self, len: u64) -> Result<(), io::Error> {
            self.fails()?;
            self.0.set_len(len)
        }
        fn sync_data(&self) -> Result<(), io::Error> {
            self.fails()?;
            self.0.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
            self.fails()?;
            self.0.write(offset, data)
        }
    }

    impl Full {
        fn fails(&self) -> io::Result<()> {
            match self.1.load(Ordering::Relaxed) {
                true => Err(io::Error::from(io::ErrorKind::StorageFull)),
                false => Ok(()),
            }
        }
    }

    #[test]
    fn a_full_disk_is_an_error_and_nothing_of_the_batch_is_there() {
        let is_full = Arc::new(AtomicBool::new(false));
        let backend = Full(InMemoryBackend::new(), is_full.clone());
        let mut disk = Disk::over(redb::Builder::new().create_with_backend(backend).unwrap());
        disk.store(&[batch("demo", 1..=2, 0)]).unwrap();
        is_full.store(true, Ordering::Relaxed);
        let error = disk.store(&[batch("demo", 3..=3, 0), batch("other", 1..=1, 0)]).unwrap_err();
        assert!(!error.to_string().is_empty());
        assert!(disk.database.is_none(), "the file is opened anew for the next batch");
    }
}
