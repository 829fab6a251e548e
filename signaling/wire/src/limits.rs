//! What one connection may do; numbers that both ends know.

/// One message, either direction. An offer with 24 slot pairs is about 120 kB when codecs are narrowed down
/// (`setCodecPreferences`), and twice that when they are not.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Messages a client may send in a burst, and how fast the allowance grows again. A user who toggles everything all the
/// time sends a few messages a second.
pub const MESSAGES_BURST: u32 = 100;
pub const MESSAGES_PER_SECOND: u32 = 20;

/// Refused messages after which the connection ends: a client that is wrong that often is not going to be right.
pub const REFUSALS_MAX: u32 = 10;

/// Slots that one `prefer` may name: both m-lines of every pair, and some to spare.
pub const PREFERENCES_MAX: usize = 64;

/// Seconds from the opening of the connection to the first `join`. A warm page opens the connection before the click and
/// may wait in the lobby for a while; a page that needs longer opens a new one.
pub const JOIN_TIMEOUT_S: u64 = 3600;

/// Of a `post`.
pub const POST_BODY_BYTES_MAX: usize = 8 * 1024;
pub const POST_TOPIC_BYTES_MAX: usize = 32;
pub const POST_KEY_BYTES_MAX: usize = 64;

/// Of a `state`.
pub const STATE_KEY_BYTES_MAX: usize = 32;
pub const STATE_VALUE_BYTES_MAX: usize = 1024;

/// How long somebody waits to be let in: a class that begins late still finds everybody.
pub const WAIT_TIMEOUT_S: u64 = 900;
