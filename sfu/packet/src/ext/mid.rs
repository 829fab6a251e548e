//! `urn:ietf:params:rtp-hdrext:sdes:mid` (RFC 9143 section 15): which m-line a packet belongs to. UTF-8 text of 1-16
//! bytes here.

use crate::Mid;

pub(super) fn read(bytes: &[u8]) -> Option<Mid> {
    std::str::from_utf8(bytes).ok().and_then(Mid::new)
}
