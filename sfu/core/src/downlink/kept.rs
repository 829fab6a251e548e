//! What was sent on sources without RTX, to be repeated.

use super::history::AUDIO_DEADLINE;
use packet::SeqNo;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Encrypted packets of one audio stream, oldest first, for as long as a listener may want one again. A packet repeated on its own
/// source is repeated byte for byte: encrypting it anew would use its index twice.
#[derive(Debug, Default)]
pub(super) struct Kept(VecDeque<Packet>);

#[derive(Debug)]
struct Packet {
    seq: SeqNo,
    at: Instant,
    bytes: Vec<u8>,
}

/// In the time that they are kept, 160 a second.
const KEPT_MAX: usize = 64;

impl Kept {
    pub fn insert(&mut self, now: Instant, seq: SeqNo, packet: &[u8]) {
        let mut gone = None;
        while let Some(oldest) = self.0.front()
            && (is_spare(now.saturating_duration_since(oldest.at), AUDIO_DEADLINE, gone.is_some())
                || self.0.len() >= KEPT_MAX)
        {
            gone = self.0.pop_front();
        }
        let mut bytes = gone.map(|gone| gone.bytes).unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(packet);
        self.0.push_back(Packet { seq, at: now, bytes });
    }

    pub fn get(&self, seq: SeqNo) -> Option<&[u8]> {
        self.0.iter().rev().find(|packet| packet.seq == seq).map(|packet| &packet.bytes[..])
    }
}

/// Longer than from one picture to the next.
const SPARE: Duration = Duration::from_millis(50);

/// May something of this age go, which is to be kept for so long? One for one, so that steady traffic neither asks for memory nor gives
/// any back; more of them only when they are a little older, since a picture takes several at once.
fn is_spare(age: Duration, keep: Duration, one_has_gone: bool) -> bool {
    age >= if one_has_gone { keep + SPARE } else { keep }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[test]
    fn sound_is_kept_while_it_can_be_repeated_and_no_longer() {
        let mut kept = Kept::default();
        for n in 0..1000u16 {
            let at = start() + Duration::from_millis(20) * n.into();
            kept.insert(at, SeqNo(n.wrapping_sub(500)), &n.to_be_bytes());
        }
        let of = |n: u16| kept.get(SeqNo(n.wrapping_sub(500))).map(<[u8]>::to_vec);
        assert_eq!(of(999), Some(999u16.to_be_bytes().into()));
        assert_eq!(of(981), Some(981u16.to_be_bytes().into()));
        assert_eq!(of(970), None);
        (0..1000).for_each(|n| kept.insert(start() + Duration::from_secs(30), SeqNo(n), &[0]));
        assert_eq!(kept.0.len(), KEPT_MAX);
    }
}
