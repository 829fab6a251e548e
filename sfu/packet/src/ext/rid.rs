//! `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id` (RFC 8852 section 3.1): which simulcast layer a packet belongs to.

use crate::Rid;

pub(super) fn read(bytes: &[u8]) -> Option<Rid> {
    std::str::from_utf8(bytes).ok().and_then(Rid::new)
}
