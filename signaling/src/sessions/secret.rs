//! What must not be guessed: ICE passwords and participant ids. A stream cipher as generator, so that a seed replays a
//! test and yet no output tells anything about the next.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use transport::IceCredentials;

/// 32 characters that cannot be confused with each other, 5 bits each; all allowed in ICE (RFC 8839 section 5.4).
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Digits of the worker's index in a ufrag.
const BASE36: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

pub(super) struct Secret(ChaCha20Rng);

impl Secret {
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    fn text(&mut self, characters: usize) -> String {
        (0..characters).map(|_| char::from(ALPHABET[(self.0.next_u32() % 32) as usize])).collect()
    }

    /// Opaque to clients, never repeated: 60 bits.
    pub fn participant_id(&mut self) -> String {
        format!("p{}", self.text(12))
    }

    /// The first two characters of the ufrag are the worker's index, so that any worker can tell whose a first datagram
    /// is. 50 bits of ufrag and 130 of password follow; RFC 8445 section 5.3 asks for 24 and 128.
    pub fn credentials(&mut self, worker: usize) -> IceCredentials {
        let digit = |n: usize| char::from(BASE36[n % 36]);
        let ufrag = format!("{}{}{}", digit(worker / 36), digit(worker), self.text(10));
        IceCredentials { ufrag, pwd: self.text(26) }
    }

    /// For what may be known and must differ: SSRCs, SDP session ids.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_name_the_worker_and_never_repeat() {
        let mut secret = Secret::new([7; 32]);
        let (a, b) = (secret.credentials(0), secret.credentials(37));
        assert_eq!((&a.ufrag[..2], &b.ufrag[..2]), ("00", "11"));
        assert_eq!((a.ufrag.len(), a.pwd.len()), (12, 26));
        assert_ne!(a.pwd, b.pwd);
        assert_eq!(Secret::new([7; 32]).credentials(0), a, "the same seed replays");
    }
}
