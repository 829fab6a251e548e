//! Redundant audio data (RFC 2198): one packet, several frames.
//!
//! ```text
//!  0                   1                   2                   3
//!  |1|   block PT  |  timestamp offset         |   block length    |   redundant block, oldest first
//!  |0|   block PT  |                                                   primary block, the last header
//! ```

use crate::PayloadType;

/// Blocks one packet may carry. Depth 8 at 20 ms already exceeds what a 341 ms offset is good for.
pub const BLOCKS_MAX: usize = 16;
/// Largest timestamp offset a header can hold: 14 bits, 341 ms at 48 kHz.
pub const OFFSET_MAX: u32 = (1 << 14) - 1;
/// Longest redundant block: 10 bits.
pub const LENGTH_MAX: usize = (1 << 10) - 1;

/// One block. The primary's offset is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block<'a> {
    pub pt: PayloadType,
    /// Ticks before the packet's own timestamp.
    pub offset: u32,
    pub payload: &'a [u8],
}

/// Splits a RED payload, oldest block first, the primary last. `None`: lengths that do not fit, or too many blocks.
pub fn split(payload: &[u8]) -> Option<impl Iterator<Item = Block<'_>>> {
    let mut headers = [(PayloadType(0), 0u32, 0usize); BLOCKS_MAX];
    let mut count = 0;
    let mut rest = payload;
    let primary = loop {
        match *rest {
            [first, ref after @ ..] if first & 0x80 == 0 => {
                rest = after;
                break PayloadType(first);
            }
            [first, high, middle, low, ref after @ ..] if count < BLOCKS_MAX => {
                let offset = u32::from(high) << 6 | u32::from(middle) >> 2;
                let length = usize::from(middle & 3) << 8 | usize::from(low);
                headers[count] = (PayloadType(first & 0x7f), offset, length);
                count += 1;
                rest = after;
            }
            _ => return None,
        }
    };
    let redundant: usize = headers[..count].iter().map(|h| h.2).sum();
    if redundant > rest.len() {
        return None;
    }
    let (mut blocks, primary_payload) = rest.split_at(redundant);
    let redundant = headers.into_iter().take(count).map(move |(pt, offset, length)| {
        let (payload, after) = blocks.split_at(length);
        blocks = after;
        Block { pt, offset, payload }
    });
    Some(redundant.chain([Block { pt: primary, offset: 0, payload: primary_payload }]))
}

/// Writes `blocks` (oldest first, the last one is the primary) as one RED payload at the end of `out`.
/// Redundant blocks that no header can describe (too long, too old) are left out; returns how many were written.
pub fn join(blocks: &[Block<'_>], out: &mut Vec<u8>) -> usize {
    let Some((primary, redundant)) = blocks.split_last() else {
        return 0;
    };
    let skip = redundant.len().saturating_sub(BLOCKS_MAX);
    let fits = |b: &&Block<'_>| b.payload.len() <= LENGTH_MAX && b.offset <= OFFSET_MAX && b.offset > 0;
    let kept = || redundant[skip..].iter().filter(fits);
    for block in kept() {
        let length = block.payload.len() as u32;
        let word = block.offset << 10 | length;
        out.extend([0x80 | block.pt.0, (word >> 16) as u8, (word >> 8) as u8, word as u8]);
    }
    out.push(primary.pt.0 & 0x7f);
    for block in kept() {
        out.extend_from_slice(block.payload);
    }
    out.extend_from_slice(primary.payload);
    kept().count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(offset: u32, payload: &[u8]) -> Block<'_> {
        Block { pt: PayloadType(111), offset, payload }
    }

    #[test]
    fn what_is_joined_is_split_again() {
        for blocks in [
            vec![block(0, b"primary")],
            vec![block(960, b"old"), block(0, b"primary")],
            vec![block(OFFSET_MAX, &[7; LENGTH_MAX]), block(1920, b""), block(960, b"x"), block(0, b"")],
        ] {
            let mut payload = Vec::new();
            assert_eq!(join(&blocks, &mut payload), blocks.len());
            assert_eq!(split(&payload).unwrap().collect::<Vec<_>>(), blocks);
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        // RFC 2198 section 6 in our payload types: one redundant block of 2 bytes, 960 ticks before.
        let mut payload = Vec::new();
        join(&[block(960, b"ab"), block(0, b"cd")], &mut payload);
        assert_eq!(payload, [0x80 | 111, 0x0f, 0x00, 0x02, 111, b'a', b'b', b'c', b'd']);
    }

    #[test]
    fn what_no_header_can_hold_is_left_out() {
        let long = [0; LENGTH_MAX + 1];
        let mut payload = Vec::new();
        let blocks = [block(OFFSET_MAX + 1, b"a"), block(960, &long), block(0, b"primary")];
        assert_eq!(join(&blocks, &mut payload), 1);
        assert_eq!(payload, b"\x6fprimary");
        assert_eq!(join(&[], &mut payload), 0);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for bad in [&[][..], &[0x80 | 111], &[0xef, 0, 0, 5, 111, 1, 2], &[0x80; 3]] {
            assert!(split(bad).is_none(), "{bad:?}");
        }
        let endless = [0x80 | 111, 0, 0, 0].repeat(BLOCKS_MAX + 1);
        assert!(split(&endless).is_none());
    }
}
