//! A message in a binary frame: its JSON as raw deflate (RFC 1951). Offers and answers repeat themselves for every m-line and
//! become an eighth or less, so that a join needs one or two TCP segments instead of nine: on a lossy path it is the number
//! of segments that decides how long connecting takes.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

use crate::limits::MESSAGE_BYTES_MAX;

/// Shorter messages are one TCP segment as they are.
pub const WORTH_BYTES: usize = 1024;

/// zlib's own default: higher levels save a few bytes of an offer for twice the time.
const LEVEL: u8 = 6;

/// The parameter of the WebSocket's URL by which a client says that it reads binary frames.
pub const QUERY: &str = "deflate=1";

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
