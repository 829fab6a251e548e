//! `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id` (RFC 8852 section 3.2): on a packet of a redundancy stream
//! (RTX), the layer it repairs. Same bytes as `rtp-stream-id`.

use crate::Rid;

pub(super) fn read(bytes: &[u8]) -> Option<Rid> {
    super::rid::read(bytes)
}
