//! Session descriptions (RFC 8866) of one WebRTC session: offers parsed, answers written, and the native client's
//! offer and what it reads out of an answer.
//!
//! An offer is hostile input. Every repeated thing has a limit ([`limit`]), lines we do not know are skipped, and what
//! comes out ([`packet::media::PeerMedia`], [`transport::Remote`]) is checked once and then trusted. Never any state between two calls: what must
//! stay the same over a re-offer (the SSRCs of the slots) is an argument.

mod answer;
mod client;
mod codecs;
mod error;
mod fragment;
pub mod limit;
mod parse;
mod ssrc;
mod write;

pub use answer::{AnswerParams, answer};
pub use client::{OfferParams, accept_answer, make_offer, native_codecs, native_extensions};
pub use error::Error;
pub use fragment::{Fragment, make_fragment};
pub use parse::{Direction, Offer, OfferedMedia};

/// The one canonical name of everything the server sends (RFC 3550 section 6.5.1): all of it runs on one clock. Sender
/// reports must carry the same.
pub const CNAME: &str = "sampan";
