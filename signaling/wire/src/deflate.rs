//! A message in a binary frame: its JSON as raw deflate (RFC 1951). Offers and answers repeat themselves for every m-line and
//! become an eighth or less, so that a join needs one or two TCP segments instead of nine: on a lossy path it is the number
//! of segments that decides how long connecting takes.
//!
//! An answer repeats most of the offer: [`deflate_after`] writes it as what is new against something that the other end has
//! said, half as long again, and it is one segment.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

use crate::limits::MESSAGE_BYTES_MAX;

/// Shorter messages are one TCP segment as they are.
pub const WORTH_BYTES: usize = 1024;

/// zlib's own default: higher levels save a few bytes of an offer for twice the time.
const LEVEL: u8 = 6;

/// The parameter of the WebSocket's URL by which a client says that it reads binary frames.
pub const QUERY: &str = "deflate=1";

/// Likewise, and that it reads those that refer to the first long message it has sent on this connection.
pub const QUERY_REFERRING: &str = "deflate=2";

/// The first byte of a frame that refers: a block type that deflate does not have.
const REFERS: u8 = 7;

/// How far back deflate can refer.
const WINDOW: usize = 32 << 10;

/// Why a binary frame holds no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("not deflated UTF-8")]
    Broken,
    /// More than [`MESSAGE_BYTES_MAX`], however little it is here.
    #[error("larger than a message may be")]
    TooLarge,
}

/// The payload of a binary frame, for whoever reads those. None: the text is better sent as it is.
pub fn deflate(text: &str) -> Option<Vec<u8>> {
    (text.len() > WORTH_BYTES)
        .then(|| compress_to_vec(text.as_bytes(), LEVEL))
        .filter(|b| b.len() < text.len())
}

/// Never panics, and never holds more than [`MESSAGE_BYTES_MAX`] bytes of text.
pub fn inflate(bytes: &[u8]) -> Result<String, InflateError> {
    match decompress_to_vec_with_limit(bytes, MESSAGE_BYTES_MAX) {
        Ok(text) => String::from_utf8(text).map_err(|_| InflateError::Broken),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => Err(InflateError::TooLarge),
        Err(_) => Err(InflateError::Broken),
    }
}

/// A message that others can refer to: the first of a connection that is this long.
pub fn is_long(text: &str) -> bool {
    text.len() > WORTH_BYTES
}

/// As [`deflate`], for an end that has sent `said`.
pub fn deflate_after(text: &str, said: &str) -> Option<Vec<u8>> {
    if !is_long(text) {
        return None;
    }
    let mut compressor = CompressorOxide::new(create_comp_flags_from_zip_params(LEVEL.into(), 0, 0));
    compress_to_output(&mut compressor, newest(said), TDEFLFlush::Sync, |_| true);
    let mut bytes = vec![REFERS];
    compress_to_output(&mut compressor, text.as_bytes(), TDEFLFlush::Finish, |part| {
        bytes.extend_from_slice(part);
        true
    });
    (bytes.len() < text.len()).then_some(bytes)
}

/// As [`inflate`], at the end that has sent `said`, if it was anything long.
pub fn inflate_after(bytes: &[u8], said: Option<&str>) -> Result<String, InflateError> {
    let (bytes, said) = match (bytes.split_first(), said) {
        (Some((&REFERS, rest)), Some(said)) => (rest, newest(said)),
        (Some((&REFERS, _)), None) => return Err(InflateError::Broken),
        _ => return inflate(bytes),
    };
    // A short frame holds a short message, nearly always.
    let mut len = (bytes.len() * 16).clamp(4 << 10, MESSAGE_BYTES_MAX + 1);
    loop {
        let mut out = [said, &vec![0; len]].concat();
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, _, written) =
            decompress(&mut DecompressorOxide::new(), bytes, &mut out, said.len(), flags);
        match status {
            TINFLStatus::Done if written > MESSAGE_BYTES_MAX => return Err(InflateError::TooLarge),
            TINFLStatus::Done => {
                let text = &out[said.len()..said.len() + written];
                return String::from_utf8(text.to_vec()).map_err(|_| InflateError::Broken);
            }
            TINFLStatus::HasMoreOutput if len > MESSAGE_BYTES_MAX => return Err(InflateError::TooLarge),
            TINFLStatus::HasMoreOutput => len = MESSAGE_BYTES_MAX + 1,
            _ => return Err(InflateError::Broken),
        }
    }
}

fn newest(said: &str) -> &[u8] {
    &said.as_bytes()[said.len().saturating_sub(WINDOW)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> String {
        let path = format!("{}/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_was_deflated_is_inflated_to_the_same() {
        let text = fixture("client_join").repeat(20);
        let bytes = deflate(&text).unwrap();
        assert!(bytes.len() * 8 < text.len(), "{} of {}", bytes.len(), text.len());
        assert_eq!(inflate(&bytes), Ok(text));
        let largest = "\u{e9}".repeat(MESSAGE_BYTES_MAX / 2);
        assert_eq!(inflate(&deflate(&largest).unwrap()), Ok(largest));
    }

    #[test]
    fn an_answer_says_only_what_is_new_and_nobody_else_can_read_it() {
        let (join, joined) = (fixture("client_join").repeat(20), fixture("server_joined").repeat(8));
        let answer = [&join[200..], &joined].concat();
        let (alone, after) = (deflate(&answer).unwrap(), deflate_after(&answer, &join).unwrap());
        assert!(after.len() < alone.len(), "{} of {}", after.len(), alone.len());
        assert_eq!(inflate_after(&after, Some(&join)).as_ref(), Ok(&answer));
        assert_eq!(inflate_after(&alone, Some(&join)).as_ref(), Ok(&answer), "one that refers to nothing");
        assert_eq!(inflate_after(&after, None), Err(InflateError::Broken));
        assert_eq!(inflate(&after), Err(InflateError::Broken));
        assert_ne!(inflate_after(&after, Some(&joined.repeat(9))).as_ref(), Ok(&answer));
        assert_eq!(deflate_after("short", &join), None);
        // Only the newest of what was said is in reach, and it may be cut within a character.
        let said = ["\u{e9}".repeat(40_000), join].concat();
        let after = deflate_after(&answer, &said[..said.len() - 1]).unwrap();
        assert_eq!(inflate_after(&after, Some(&said[..said.len() - 1])), Ok(answer));
        for len in 0..after.len() {
            assert_eq!(inflate_after(&after[..len], Some(&said)), Err(InflateError::Broken), "{len}");
        }
    }

    #[test]
    fn a_bomb_that_refers_is_too_large() {
        let said = fixture("client_join").repeat(20);
        for len in [MESSAGE_BYTES_MAX + 1, 50_000_000] {
            let bytes = deflate_after(&"x".repeat(len), &said).unwrap();
            assert_eq!(inflate_after(&bytes, Some(&said)), Err(InflateError::TooLarge), "{len}");
        }
    }

    #[test]
    fn what_gains_nothing_is_sent_as_it_is() {
        assert_eq!(deflate(""), None);
        assert_eq!(deflate(&"x".repeat(WORTH_BYTES)), None);
        assert!(deflate(&"x".repeat(WORTH_BYTES + 1)).is_some());
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from((state >> 25) as u8)
        });
        // Seven random bits a byte: an eighth is saved, and no more.
        let noise: String = noise.take(2000).collect();
        assert!(deflate(&noise).is_none_or(|bytes| bytes.len() > noise.len() * 7 / 8));
    }

    #[test]
    fn a_bomb_is_too_large_and_is_never_unfolded() {
        for len in [MESSAGE_BYTES_MAX + 1, 50_000_000] {
            let bytes = compress_to_vec(&vec![b'x'; len], LEVEL);
            assert_eq!(inflate(&bytes), Err(InflateError::TooLarge), "{len}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_deflate_at_all_is_broken() {
        let whole = deflate(&fixture("client_join").repeat(20)).unwrap();
        for len in 0..whole.len() {
            assert_eq!(inflate(&whole[..len]), Err(InflateError::Broken), "{len} of {}", whole.len());
        }
        for bytes in [&[0, 159, 146, 150][..], &[0xff; 40], b"{\"type\":\"leave\"}"] {
            assert_eq!(inflate(bytes), Err(InflateError::Broken), "{bytes:?}");
        }
        assert_eq!(inflate(&compress_to_vec(&[0xff; 2000], LEVEL)), Err(InflateError::Broken), "no UTF-8");
    }
}
