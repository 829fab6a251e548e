//! How much of anything one description may hold. Real offers stay far below; what is above is refused with
//! [`Error::TooMany`](crate::Error::TooMany) or [`Error::TooLong`](crate::Error::TooLong).

/// Bytes of a whole description. Chromium writes 4 kB for a video m-line with all its codecs; 40 such lines and room to spare.
pub const DESCRIPTION_BYTES: usize = 400_000;
/// Bytes of one line.
pub const LINE_BYTES: usize = 4_096;
/// m-lines: a class of 20 with screens needs 2 * 40 slots and a few to send on.
pub const MEDIA: usize = 128;
/// Payload types in one m-line; Chromium offers 34 for video. There are 128 in all.
pub const FORMATS: usize = 128;
/// Attribute lines in one m-line; Chromium offers about 200 for video.
pub const ATTRIBUTES: usize = 1_000;
/// SSRCs declared in one m-line; Firefox declares six for three layers with their retransmissions.
pub const SSRCS: usize = 32;
/// Simulcast layers of one track.
pub const LAYERS: usize = 4;
/// Candidates of the remote end that are kept; the rest is ignored, because a server with a public port needs none.
pub const CANDIDATES: usize = 32;
/// Lines of a trickled fragment: some for each candidate and m-line.
pub const FRAGMENT_LINES: usize = 1_000;
/// ICE user fragments and passwords (RFC 8839 section 5.4 allows 256 characters).
pub const CREDENTIAL_BYTES: usize = 256;
