//! A look at an SCTP packet (RFC 9260 section 3) before the association gets it.
//!
//! ```text
//!  | ports, tag, checksum: 12 | type 1 | flags 1 | length 2 | value, filled up to 4 | type ...
//!                               DATA:        TSN 4 | stream 2 | number 2 | protocol 4 | bytes
//!                               FORWARD TSN: TSN 4 | stream 2 | number 2 | stream 2 | number 2 ...
//! ```
//! `dcsctp` keeps something for every stream that is named to it, up to 65,536 of them in each direction. Here are two.

use crate::DropReason;
use packet::data::Channel;

const HEADER_LEN: usize = 12;
const DATA: u8 = 0;
const INIT: u8 = 1;
const FORWARD_TSN: u8 = 192;
/// In front of a DATA chunk's bytes.
const DATA_HEADER_LEN: usize = 16;
const FORWARD_TSN_HEADER_LEN: usize = 8;

/// What a packet is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Contents {
    /// It asks for an association.
    pub is_init: bool,
    /// It carries what an application says, and so may wait behind sound and pictures.
    pub has_data: bool,
}

/// Every chunk is whole, and every stream is one of ours.
pub(super) fn check(packet: &[u8]) -> Result<Contents, DropReason> {
    let mut rest = packet.get(HEADER_LEN..).ok_or(DropReason::SctpMalformed)?;
    let mut contents = Contents::default();
    while !rest.is_empty() {
        let [kind, _, high, low, ..] = *rest else { return Err(DropReason::SctpMalformed) };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let chunk = rest.get(..len.max(4)).ok_or(DropReason::SctpMalformed)?;
        match kind {
            DATA => {
                contents.has_data = true;
                is_ours(chunk.get(8..DATA_HEADER_LEN).ok_or(DropReason::SctpMalformed)?)?;
            }
            FORWARD_TSN => {
                let skipped = chunk.get(FORWARD_TSN_HEADER_LEN..).ok_or(DropReason::SctpMalformed)?;
                skipped.chunks(4).try_for_each(is_ours)?;
            }
            INIT => contents.is_init = true,
            _ => {}
        }
        // The last chunk need not be filled up.
        rest = rest.get(len.max(4).next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(contents)
}

/// The stream at the front is a channel.
fn is_ours(stream: &[u8]) -> Result<(), DropReason> {
    let [high, low, ..] = *stream else { return Err(DropReason::SctpMalformed) };
    let stream = u16::from_be_bytes([high, low]);
    Channel::from_stream(stream).map(|_| ()).ok_or(DropReason::SctpUnknownStream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(chunks: &[&[u8]]) -> Vec<u8> {
        [&[0; HEADER_LEN][..], &chunks.concat()].concat()
    }

    /// One byte on a stream, filled up.
    fn data(stream: u8) -> Vec<u8> {
        vec![DATA, 3, 0, 17, 0, 0, 0, 1, 0, stream, 0, 0, 0, 0, 0, 53, 7, 0, 0, 0]
    }

    #[test]
    fn data_is_known_on_the_two_channels_and_on_no_other_stream() {
        for stream in [0, 1] {
            let contents = Contents { has_data: true, is_init: false };
            assert_eq!(check(&packet(&[&data(stream)])), Ok(contents));
        }
        assert_eq!(check(&packet(&[&data(0), &data(2)])), Err(DropReason::SctpUnknownStream));
        let skips = |stream| [FORWARD_TSN, 0, 0, 16, 0, 0, 0, 9, 0, 1, 0, 5, 0, stream, 0, 5];
        assert_eq!(check(&packet(&[&skips(0)])), Ok(Contents::default()));
        assert_eq!(check(&packet(&[&skips(9)])), Err(DropReason::SctpUnknownStream));
    }

    #[test]
    fn what_is_cut_anywhere_is_malformed_and_nothing_is_read_beyond_it() {
        let whole = packet(&[&[INIT, 0, 0, 20], &[0; 16], &data(1)]);
        assert_eq!(check(&whole), Ok(Contents { is_init: true, has_data: true }));
        for len in 0..whole.len() - 3 {
            // Between two chunks a packet may end.
            let ends = len == HEADER_LEN || len == HEADER_LEN + 20;
            assert_eq!(check(&whole[..len]).is_ok(), ends, "{len}");
        }
        // A length shorter than the head of a chunk does not stand still.
        assert_eq!(check(&packet(&[&[7, 0, 0, 0], &[7, 0, 0, 1]])), Ok(Contents::default()));
    }
}
