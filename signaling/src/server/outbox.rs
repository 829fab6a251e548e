//! The bounded queue from the engine to one WebSocket. The engine never waits for a client: what does not fit ends the
//! connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::{mpsc, watch};
use wire::ErrorCode;

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    /// The client wanted to leave.
    Left,
    Error(ErrorCode),
}

#[derive(Debug)]
pub(super) enum Outgoing {
    Text(Utf8Bytes),
    End(Ending),
}

#[derive(Debug)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Outgoing>,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
    cut: watch::Sender<Option<Ending>>,
}

/// The WebSocket's end.
pub(super) struct Inbox {
    queue: mpsc::Receiver<Outgoing>,
    bytes: Arc<AtomicUsize>,
    cut: watch::Receiver<Option<Ending>>,
}

pub(super) fn outbox(messages_max: usize, bytes_max: usize) -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(messages_max.max(1));
    let bytes = Arc::new(AtomicUsize::new(0));
    let (cut, cut_receiver) = watch::channel(None);
    let inbox = Inbox { queue: receiver, bytes: bytes.clone(), cut: cut_receiver };
    (Outbox { queue: sender, bytes, bytes_max, cut }, inbox)
}

impl Outbox {
    /// False: full.
    pub fn send(&self, text: String) -> bool {
        let len = text.len();
        // An empty queue takes a message of any size.
        let queued = self.bytes.fetch_add(len, Ordering::Relaxed);
        if queued > 0 && queued + len > self.bytes_max {
            self.bytes.fetch_sub(len, Ordering::Relaxed);
            return false;
        }
        match self.queue.try_send(Outgoing::Text(text.into())) {
            Ok(()) => true,
            // The WebSocket is gone and will be reported as closed.
            Err(mpsc::error::TrySendError::Closed(_)) => true,
            Err(mpsc::error::TrySendError::Full(_)) => false,
        }
    }

    /// After what was sent before, or at once if there is no room for that or the client does not read anyway.
    pub fn end(&self, ending: Ending) {
        let is_slow = ending == Ending::Error(ErrorCode::SlowConsumer);
        if is_slow || self.queue.try_send(Outgoing::End(ending)).is_err() {
            self.cut.send_replace(Some(ending));
        }
    }
}

impl Inbox {
    /// None: the engine has forgotten this connection.
    pub async fn next(&mut self) -> Option<Outgoing> {
        let outgoing = self.queue.recv().await?;
        Some(self.taken(outgoing))
    }

    /// What is there already.
    pub fn try_next(&mut self) -> Option<Outgoing> {
        let outgoing = self.queue.try_recv().ok()?;
        Some(self.taken(outgoing))
    }

    fn taken(&self, outgoing: Outgoing) -> Outgoing {
        if let Outgoing::Text(text) = &outgoing {
            self.bytes.fetch_sub(text.len(), Ordering::Relaxed);
        }
        outgoing
    }

    /// Resolves when the connection must end whatever is still queued.
    pub fn cut(&self) -> impl Future<Output = Ending> + use<> {
        let mut cut = self.cut.clone();
        async move {
            let ending = cut.wait_for(Option::is_some).await.ok().and_then(|ending| *ending);
            match ending {
                Some(ending) => ending,
                // The engine has forgotten this connection: nobody cuts it any more.
                None => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_says_so_by_messages_and_by_bytes() {
        let (sender, mut inbox) = outbox(2, 100);
        assert!(sender.send("x".repeat(500)), "an empty queue takes anything");
        assert!(!sender.send("y".into()), "bytes");
        assert!(matches!(inbox.next().await, Some(Outgoing::Text(_))));
        assert!(sender.send("a".into()) && sender.send("b".into()));
        assert!(!sender.send("c".into()), "messages");
        sender.end(Ending::Left);
        assert_eq!(inbox.cut().await, Ending::Left, "no room for the end, so it cuts");
    }

    #[tokio::test]
    async fn the_end_comes_after_what_was_sent() {
        let (sender, mut inbox) = outbox(4, 100);
        assert!(sender.send("a".into()));
        sender.end(Ending::Error(ErrorCode::BadName));
        assert!(matches!(inbox.next().await, Some(Outgoing::Text(t)) if t.as_str() == "a"));
        assert!(matches!(inbox.next().await, Some(Outgoing::End(Ending::Error(ErrorCode::BadName)))));
        drop(sender);
        assert!(inbox.next().await.is_none());
    }
}
