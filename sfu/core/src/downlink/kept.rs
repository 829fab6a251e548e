//! What was sent on sources without RTX, to be repeated.

use packet::SeqNo;

/// Encrypted packets of one audio stream, for as long as a listener may want one again. A packet repeated on its own
/// source is repeated byte for byte: encrypting it anew would use its index twice.
#[derive(Debug, Default)]
pub(super) struct Kept(Vec<(Option<SeqNo>, Vec<u8>)>);

/// 1.28 s of 20 ms packets; a power of two.
const KEPT: usize = 64;

impl Kept {
    pub fn insert(&mut self, seq: SeqNo, packet: &[u8]) {
        if self.0.is_empty() {
            self.0.resize_with(KEPT, Default::default);
        }
        let (number, bytes) = &mut self.0[usize::from(seq.0) & (KEPT - 1)];
        *number = Some(seq);
        bytes.clear();
        bytes.extend_from_slice(packet);
    }
    pub fn get(&self, seq: SeqNo) -> Option<&[u8]> {
        let (number, bytes) = self.0.get(usize::from(seq.0) & (KEPT - 1))?;
        (*number == Some(seq)).then_some(bytes)
    }
}
