//! Transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 2): 16 bits that count
//! all packets of one transport, whatever their SSRC.

use crate::SeqNo;

/// Counts packets of a transport; compared modulo 2^16.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct TransportSequence(pub u16);

impl TransportSequence {
    /// The same circle as RTP sequence numbers, for comparing and extending.
    pub fn as_seq(self) -> SeqNo {
        SeqNo(self.0)
    }
    pub fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk::<2>().map(|&b| Self(u16::from_be_bytes(b)))
    }
    pub fn bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }
}
