//! One call.

use std::time::Instant;

use crate::Device;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CallId(pub u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Caller,
    Callee,
}

/// What a device is told of a call that goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Ringing,
    Accepted,
}

/// How a call ended, for the one who is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// The callee did not want it.
    Rejected,
    /// The callee is in another call.
    Busy,
    /// The caller gave up.
    Cancelled,
    /// Nobody answered in time.
    Missed,
    /// Another device of the same person has answered.
    AnsweredElsewhere,
    /// Another device of the same person has rejected it.
    RejectedElsewhere,
    /// It was accepted, and is over.
    Ended,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallInfo {
    pub call: CallId,
    pub role: Role,
    pub stage: Stage,
    /// Identity of the other one.
    pub other: String,
    pub room: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Ringing { until: Instant },
    Accepted { by: Device },
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub caller: Device,
    pub callee: String,
    pub room: String,
    pub state: State,
}
