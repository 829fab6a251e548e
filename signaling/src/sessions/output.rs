//! What leaves the sessions.

use std::time::Instant;

use wire::{ErrorCode, ServerMessage};

use super::{Reply, RequestError, RequestId, RoomEvent};

/// One WebSocket, chosen by the shell.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId(pub u64);

/// Drain until `Timeout`.
#[derive(Clone, Debug)]
pub enum Output {
    Send {
        to: ConnectionId,
        message: ServerMessage,
    },
    /// For the worker of the media plane with this index.
    Media {
        worker: usize,
        command: sfu_core::Command,
    },
    /// Read the messages of a room; answer with [`super::Sessions::handle_loaded`].
    Load {
        room: String,
    },
    /// Store messages, whole or not at all; answer with [`super::Sessions::handle_stored`].
    Store(history::Batch),
    /// What was taken back so far: keep it, in place of what was kept before.
    Revoked(access::RevokedState),
    /// For the application's servers, in the order of the room.
    Happened {
        room: String,
        event: RoomEvent,
    },
    /// To [`super::Sessions::handle_request`].
    Reply {
        to: RequestId,
        result: Result<Reply, RequestError>,
    },
    /// End the connection after what was sent before. None: the client wanted to leave. Nothing about this connection
    /// follows, and it need not be reported as closed.
    Close {
        connection: ConnectionId,
        code: Option<ErrorCode>,
    },
    /// Nothing more to do before this instant; None: not before the next input.
    Timeout(Option<(Instant, TimeoutReason)>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeoutReason {
    /// A connection that has not joined yet.
    Join,
    /// A call that rings.
    Ring,
    /// Somebody who waits to be let in.
    Wait,
    /// Somebody whose connection was lost, and who has not come back.
    Away,
}
