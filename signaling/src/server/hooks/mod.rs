//! Webhooks: the shell around [`hooks`]. One task owns the core; a thread keeps the journal; each request is a task of its own. The
//! engine only drops events into a queue.

mod journal;
mod send;

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hooks::{Event, Failure, Hooks, Limits, Output, Page, Stats};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use crate::sessions::RoomEvent;
use journal::{Job, Journal};
use send::Sender;
pub use send::{Secret, Url};

/// Where events are told, and what they are signed with.
#[derive(Clone, Debug)]
pub struct Webhooks {
    pub targets: Vec<Url>,
    pub secret: Secret,
}

enum Input {
    Happened {
        at_ms: u64,
        room: String,
        body: String,
    },
    Stored(Result<(), Failure>),
    Read {
        target: usize,
        room: String,
        page: Result<Page, Failure>,
    },
    Sent {
        target: usize,
        room: String,
        seq: u64,
        result: Result<(), Failure>,
    },
    /// Rooms with events after `after`, and the newest of each.
    Found {
        target: usize,
        after: u64,
        rooms: Vec<(String, u64)>,
    },
    Stats(oneshot::Sender<Stats>),
    Stop,
}

/// The way to the task; cheap to clone.
#[derive(Clone)]
pub(super) struct Handle {
    inputs: mpsc::UnboundedSender<Input>,
    journal: std::sync::mpsc::Sender<Job>,
    log: Arc<str>,
    pub targets: Arc<[Url]>,
}

/// An event, as it is sent and as `/v1/events` has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct EventBody {
    /// The same for the same event, however often it is told.
    pub id: String,
    /// Greater means later, in all rooms; without gaps in none.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub room: String,
    #[schema(value_type = RoomEvent)]
    pub event: Box<serde_json::value::RawValue>,
}

impl Handle {
    /// Never waits.
    pub fn happened(&self, room: String, event: &RoomEvent) {
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let at_ms = u64::try_from(at_ms).unwrap_or(u64::MAX);
        match serde_json::to_string(event) {
            Ok(body) => drop(self.inputs.send(Input::Happened { at_ms, room, body })),
            Err(error) => tracing::error!(%error, "an event cannot be written"),
        }
    }

    pub async fn stats(&self) -> Option<Stats> {
        let (reply, stats) = oneshot::channel();
        self.inputs.send(Input::Stats(reply)).ok()?;
        stats.await.ok()
    }

    /// At most `limit` events after this one, of all rooms. None: the journal cannot be read.
    pub async fn events(&self, after: u64, limit: usize) -> Option<Vec<EventBody>> {
        let (reply, events) = oneshot::channel();
        self.journal.send(Job::Events { after, limit, reply }).ok()?;
        Some(events.await.ok()?.into_iter().filter_map(|event| self.body(event)).collect())
    }

    /// After what has happened so far was given to the journal; what was not taken is told after the next start.
    pub fn stop(&self) {
        let _ = self.inputs.send(Input::Stop);
    }

    /// Tells a target everything after this event again.
    pub fn replay(&self, target: usize, after: u64) {
        let _ = self.journal.send(Job::Find { target, after });
    }

    fn body(&self, event: Event) -> Option<EventBody> {
        let Event { seq, at_ms, room, body } = event;
        let event = serde_json::value::RawValue::from_string(body).ok()?;
        Some(EventBody { id: format!("{}-{seq}", self.log), seq, at_ms, room, event })
    }
}

/// `data`: the folder where the journal is kept; None: in memory. `fresh_log`: a random id, should the journal be new.
pub(super) fn start(
    webhooks: &Webhooks,
    data: Option<&Path>,
    fresh_log: &str,
    seed: u64,
) -> Result<Handle, history::StoreError> {
    let urls: Vec<_> = webhooks.targets.iter().map(|url| url.text().to_owned()).collect();
    let mut journal = Journal::open(data, &urls, fresh_log)?;
    let (head, behind) = journal.load()?;
    let log: Arc<str> = journal.log().into();
    let (input, inputs) = mpsc::unbounded_channel();
    let (jobs, to_do) = std::sync::mpsc::channel();
    let answers = input.clone();
    let thread = std::thread::Builder::new().name("journal".into());
    let spawned = thread.spawn(move || journal::run(journal, &to_do, |answer| answers.send(answer).is_ok()));
    spawned.map_err(|error| history::StoreError(format!("no thread for it: {error}")))?;
    let handle = Handle { inputs: input, journal: jobs, log, targets: webhooks.targets.clone().into() };
    let senders = webhooks.targets.iter().map(|url| Sender::new(url.clone(), webhooks.secret.clone()));
    let hooks = Hooks::new(Limits::default(), webhooks.targets.len(), head, behind, seed);
    let shell = Shell { hooks, senders: senders.map(Arc::new).collect(), handle: handle.clone() };
    tokio::spawn(shell.run(inputs));
    Ok(handle)
}

struct Shell {
    hooks: Hooks,
    senders: Vec<Arc<Sender>>,
    handle: Handle,
}

impl Shell {
    async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>) {
        loop {
            self.drain();
            let due = self.hooks.poll_timeout();
            let timeout = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(Input::Stop) | None => return,
                    Some(input) => self.handle(input),
                },
                () = timeout => self.hooks.handle_timeout(Instant::now()),
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = Instant::now();
        match input {
            Input::Happened { at_ms, room, body } => self.hooks.record(at_ms, &room, body),
            Input::Stored(result) => self.hooks.handle_stored(now, result),
            Input::Read { target, room, page } => self.hooks.handle_read(now, target, &room, page),
            Input::Sent { target, room, seq, result } => {
                self.hooks.handle_sent(now, target, &room, seq, result)
            }
            Input::Found { target, after, rooms } => {
                for (room, head) in rooms {
                    self.hooks.replay(target, &room, after, head);
                }
            }
            Input::Stop => {}
            Input::Stats(reply) => drop(reply.send(self.hooks.stats())),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.hooks.poll_output() {
            match output {
                Output::Store { events, behind } => {
                    drop(self.handle.journal.send(Job::Store { events, behind }))
                }
                Output::Keep { target, room, after } => {
                    drop(self.handle.journal.send(Job::Keep { target, room, after }));
                }
                Output::Read { target, room, after, count } => {
                    drop(self.handle.journal.send(Job::Read { target, room, after, count }));
                }
                Output::Send { target, event, failures } => self.send(target, event, failures),
            }
        }
    }

    fn send(&self, target: usize, event: Event, failures: u32) {
        let (room, seq) = (event.room.clone(), event.seq);
        let (sender, inputs) = (self.senders.get(target).cloned(), self.handle.inputs.clone());
        let body = self.handle.body(event);
        tokio::spawn(async move {
            let result = match (sender, body) {
                (Some(sender), Some(body)) => sender.send(&body, failures).await,
                _ => Err(Failure),
            };
            let _ = inputs.send(Input::Sent { target, room, seq, result });
        });
    }
}
