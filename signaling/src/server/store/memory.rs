//! Messages in memory, for a server that was given no folder: they outlive their room, not the process.

use std::collections::{BTreeMap, VecDeque};

use access::RevokedState;
use history::{Batch, Loaded, StoreError};

use super::Store;

/// Logs kept; then the one that was written first is forgotten. With the limits of a log that is 2 GiB at the very most.
const ROOMS_MAX: usize = 1_000;

#[derive(Debug, Default)]
pub struct Memory {
    logs: BTreeMap<String, Loaded>,
    order: VecDeque<String>,
    revoked: RevokedState,
}

impl Store for Memory {
    fn load(&mut self, room: &str) -> Result<Loaded, StoreError> {
        Ok(self.logs.get(room).cloned().unwrap_or_default())
    }

    fn store(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        for batch in batches {
            if !self.logs.contains_key(&batch.room) {
                self.order.push_back(batch.room.clone());
            }
            let log = self.logs.entry(batch.room.clone()).or_default();
            log.log.get_or_insert_with(|| batch.log.clone());
            log.entries.extend(batch.entries.iter().cloned());
            log.head = log.entries.last().map_or(log.head, |entry| entry.seq);
            log.entries.retain(|entry| entry.seq >= batch.keep_from);
        }
        while self.logs.len() > ROOMS_MAX
            && let Some(first) = self.order.pop_front()
        {
            self.logs.remove(&first);
        }
        Ok(())
    }

    fn revoked(&mut self) -> Result<RevokedState, StoreError> {
        Ok(self.revoked.clone())
    }

    fn keep_revoked(&mut self, state: &RevokedState) -> Result<(), StoreError> {
        self.revoked = state.clone();
        Ok(())
    }
}
