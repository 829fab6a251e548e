//! RTP (RFC 3550 section 5.1): a header as plain numbers, outgoing packets built from stored ones, changes in place.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |                             SSRC                              |
//! |                       CSRC, CC times                          |
//! | X: extension profile          | X: length in 32-bit words     |
//! |                       X: extension elements                   |
//! |                            payload                            |
//! |                      | P: padding, last byte is its length    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

mod header;
mod outgoing;
mod patch;
pub mod rtx;

pub use header::{ParseError, RtpHeader};
pub use outgoing::{Layout, NoRoom, Outgoing};
pub use patch::{PADDING_MAX, add_padding, set_marker, set_payload_type, set_seq, set_ssrc, set_timestamp};

/// Header without CSRCs and extensions, in bytes (RFC 3550 section 5.1).
pub const FIXED_HEADER_LEN: usize = 12;
/// Of each contributing source.
pub const CSRC_LEN: usize = 4;
