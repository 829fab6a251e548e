//! Where messages are kept: a thread of its own in front of a [`Store`], so that a slow disk delays nobody but those who wait for it.
//! Everything that has gathered while it was busy is one transaction.

mod disk;
mod memory;

use std::sync::mpsc;

use access::RevokedState;
use history::{Batch, Loaded, StoreError};

pub use disk::Disk;
pub use memory::Memory;

/// What outlives the process, or at least the room.
pub trait Store: Send {
    fn load(&mut self, room: &str) -> Result<Loaded, StoreError>;
    /// All of them or none.
    fn store(&mut self, batches: &[Batch]) -> Result<(), StoreError>;
    fn revoked(&mut self) -> Result<RevokedState, StoreError>;
    fn keep_revoked(&mut self, state: &RevokedState) -> Result<(), StoreError>;
}

pub(super) enum Job {
    Load(String),
    Store(Batch),
    Revoked(RevokedState),
}

pub(super) enum Answer {
    Loaded(String, Result<Loaded, StoreError>),
    /// Of the room's only batch under way.
    Stored(String, Result<(), StoreError>),
}

/// Batches of one transaction: a bound on how long its first waits.
const BATCHES_MAX: usize = 256;

/// Until nobody can send jobs any more, or nobody takes answers.
pub(super) fn run(mut store: Box<dyn Store>, jobs: &mpsc::Receiver<Job>, answer: impl Fn(Answer) -> bool) {
    while let Ok(first) = jobs.recv() {
        let mut batches = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Load(room) => {
                    let loaded = store.load(&room);
                    complain(loaded.as_ref().err(), "messages cannot be read");
                    if !answer(Answer::Loaded(room, loaded)) {
                        return;
                    }
                }
                Job::Store(batch) => batches.push(batch),
                Job::Revoked(state) => {
                    complain(store.keep_revoked(&state).as_ref().err(), "what was revoked cannot be kept");
                }
            }
            next = (batches.len() < BATCHES_MAX).then(|| jobs.try_recv().ok()).flatten();
        }
        if batches.is_empty() {
            continue;
        }
        let stored = store.store(&batches);
        complain(stored.as_ref().err(), "messages cannot be stored");
        for batch in batches {
            if !answer(Answer::Stored(batch.room, stored.clone())) {
                return;
            }
        }
    }
}

fn complain(error: Option<&StoreError>, what: &str) {
    if let Some(error) = error {
        tracing::error!(%error, "{what}");
    }
}
