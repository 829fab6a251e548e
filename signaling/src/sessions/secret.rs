//! What must not be guessed: ICE passwords and participant ids. A stream cipher as generator, so that a seed replays a
//! test and yet no output tells anything about the next.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use transport::IceCredentials;

/// 32 characters that cannot be confused with each other, 5 bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

pub(super) struct Secret(ChaCha20Rng);

impl Secret {
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Opaque to clients, never repeated: 60 bits.
    pub fn participant_id(&mut self) -> String {
        let characters = (0..12).map(|_| char::from(ALPHABET[(self.0.next_u32() % 32) as usize]));
        std::iter::once('p').chain(characters).collect()
    }

    /// Known to one participant alone: 130 bits.
    pub fn token(&mut self) -> String {
        let characters = (0..26).map(|_| char::from(ALPHABET[(self.0.next_u32() % 32) as usize]));
        std::iter::once('r').chain(characters).collect()
    }

    /// Opens one room to one side of a call: 130 bits.
    pub fn call_token(&mut self) -> String {
        self.token().replacen('r', "c", 1)
    }

    /// Of a log of messages.
    pub fn log_id(&mut self) -> String {
        let characters = (0..12).map(|_| char::from(ALPHABET[(self.0.next_u32() % 32) as usize]));
        std::iter::once('h').chain(characters).collect()
    }

    /// The ufrag names the worker, so that any worker can tell whose a first datagram is.
    pub fn credentials(&mut self, worker: usize) -> IceCredentials {
        let mut random = [0; sfu::CREDENTIALS_ENTROPY];
        self.0.fill_bytes(&mut random);
        sfu::credentials(worker, &random)
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
    fn a_seed_replays_and_nothing_is_given_out_twice() {
        let mut secret = Secret::new([7; 32]);
        let (a, b) = (secret.credentials(0), secret.credentials(37));
        assert_eq!((&a.ufrag[..2], &b.ufrag[..2]), ("00", "11"));
        assert_ne!(a.pwd, b.pwd);
        assert_ne!(secret.participant_id(), secret.participant_id());
        assert_eq!(Secret::new([7; 32]).credentials(0), a);
    }
}
