//! A world in virtual time: native participants, one router, the signaling sessions, and a bad network between them.
//!
//! ```text
//!  participant --- up link ----> router        Nothing here waits: the world jumps to the next moment at which a
//!      |      <--- down link ---   |           packet arrives or a timer is due. A call of minutes is a test of
//!      |                           |           seconds, and a seed gives the same call, event for event.
//!      +---- signaling pipe --> sessions
//! ```
//!
//! The parts are those of the product: nothing is a mock. What is made up is the network ([`netem`]), TCP under the
//! signaling ([`pipe`]) and the pictures and sounds ([`media`]), which carry who sent them and when, so that the world
//! can say what a person would have noticed.
//!
//! [`proxy`] is the one part that does wait: the same links on real sockets, for browsers.

pub mod adapt;
pub mod bottleneck;
pub mod encoder;
pub mod ledger;
pub mod leg;
pub mod media;
pub mod meter;
pub mod native;
pub mod participant;
pub mod phones;
pub mod picture;
pub mod pipe;
pub mod proxy;
pub mod script;
pub mod stream;
pub mod tcp;
pub mod world;

pub use participant::Participant;
pub use script::{Check, Do, Scenario, Step};
pub use world::World;
