//! Calls that ring: who invites whom, on which of their devices it rings, and how it ends. No I/O, no clock, no media: a call
//! that is accepted is a room, and what happens there is the rooms' business.
//!
//! ```text
//!             invite                  accept on one device
//!   (nothing) ------> Ringing(until) ---------------------> Accepted --end--> (gone: ended)
//!        |              |  |  |  `-- reject on one device --> (gone: rejected)
//!        |              |  |  `----- cancel by the caller --> (gone: cancelled; missed by the callee)
//!        |              |  `-------- time is up ------------> (gone: missed)
//!        |              `----------- the callee invites the caller: as if accepted there
//!        `-- the callee is in a call already: busy, and missed by the callee
//! ```
//!
//! A person has any number of devices. It rings on all that are there, and on those that come while it rings; when one
//! answers, the others stop. Losing a connection ends nothing: a device that is registered again is told what goes on.

mod call;
mod calls;

pub use call::{CallId, CallInfo, Outcome, Role, Stage};
pub use calls::{ActError, CallState, Calls, CallsState, Device, Event, InviteError, Limits, StageState};
