//! Whose datagram is it? With one port for all workers the kernel spreads flows without knowing our peers.
//!
//! A STUN check says it itself: the first two characters of our ufrag are the worker's number. Everything else goes by
//! source address: to the worker that has claimed it, after the check was authenticated there, else to our own router.
//! A claim runs out unless repeated, and the checks that keep consent alive (RFC 7675) repeat it every few seconds.

use crate::ring::Head;
use packet::demux::{Protocol, classify};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use transport::{IceCredentials, stun_ufrag};

/// The most workers that two characters can number.
pub const MAX_WORKERS: usize = 36 * 36;

/// Longer than a peer lives without a check (30 s, RFC 7675).
const CLAIM_LIFETIME: Duration = Duration::from_secs(60);

/// Claimed addresses that one worker remembers. When full, the expired ones go; if none is, the new one is not taken and
/// its datagrams are dropped as those of an unknown address until there is room.
const MAX_CLAIMS: usize = 100_000;

/// Characters of a ufrag after the worker's number (48 bits) and of a password (144 bits; RFC 8445 asks for 24 and 128).
const UFRAG_RANDOM: usize = 8;
const PWD_RANDOM: usize = 24;

/// Random bytes that [`credentials`] turns into text.
pub const CREDENTIALS_ENTROPY: usize = UFRAG_RANDOM + PWD_RANDOM;

/// Credentials whose checks find their way to `worker`. `random` comes from a secure source.
pub fn credentials(worker: usize, random: &[u8; CREDENTIALS_ENTROPY]) -> IceCredentials {
    // The 64 `ice-char`s of RFC 8839 section 5.4.
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let character = |&byte: &u8| char::from(ALPHABET[usize::from(byte & 63)]);
    let digit = |d: usize| char::from_digit((d % 36) as u32, 36).expect("below 36");
    let (ufrag, pwd) = random.split_at(UFRAG_RANDOM);
    IceCredentials {
        ufrag: [digit(worker / 36), digit(worker)].into_iter().chain(ufrag.iter().map(character)).collect(),
        pwd: pwd.iter().map(character).collect(),
    }
}

/// The worker whose number a ufrag of ours begins with.
pub fn worker_of(ufrag: &str) -> Option<usize> {
    let mut characters = ufrag.chars();
    let mut digit = || {
        let c = characters.next().filter(|c| !c.is_ascii_uppercase())?;
        c.to_digit(36).map(|d| d as usize)
    };
    Some(digit()? * 36 + digit()?)
}

/// One worker's knowledge of the others' peers.
#[derive(Debug)]
pub struct Steer {
    own: usize,
    workers: usize,
    claims: HashMap<SocketAddr, Claim>,
}

#[derive(Debug)]
struct Claim {
    worker: usize,
    until: Instant,
}

impl Steer {
    /// For worker `own` of `workers` that share a port. One worker, or a port of its own: everything is ours.
    pub fn new(own: usize, workers: usize) -> Self {
        Self { own, workers, claims: HashMap::new() }
    }

    /// The worker that takes a datagram.
    pub fn owner(&self, from: SocketAddr, datagram: &[u8]) -> usize {
        if self.workers <= 1 {
            return self.own;
        }
        if is_check(datagram)
            && let Some(worker) = stun_ufrag(datagram).and_then(worker_of)
            && worker < self.workers
        {
            return worker;
        }
        if self.claims.is_empty() {
            return self.own;
        }
        self.claims.get(&from).map_or(self.own, |claim| claim.worker)
    }

    /// Another worker has a peer at this address.
    pub fn claim(&mut self, from: SocketAddr, worker: usize, now: Instant) {
        if self.claims.len() >= MAX_CLAIMS && !self.claims.contains_key(&from) {
            self.claims.retain(|_, claim| claim.until > now);
            if self.claims.len() >= MAX_CLAIMS {
                return;
            }
        }
        self.claims.insert(from, Claim { worker, until: now + CLAIM_LIFETIME });
    }

    pub fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    /// A check of one of our own peers came from this address: nobody else's claim counts any longer.
    pub fn reclaim(&mut self, from: SocketAddr) {
        self.claims.remove(&from);
    }
}

/// Whether a datagram may say by itself whose it is.
pub fn is_check(datagram: &[u8]) -> bool {
    classify(datagram) == Some(Protocol::Stun)
}

/// The record by which a worker tells another that a source address is one of its peers'.
pub fn claim_record(from: SocketAddr, local: SocketAddr) -> Head {
    Head { from, local, received: Duration::ZERO, segment_size: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_carry_their_worker_and_are_valid_ice_text() {
        for worker in [0, 1, 35, 36, 700, MAX_WORKERS - 1] {
            let credentials = credentials(worker, &std::array::from_fn(|i| (i * 37) as u8));
            assert_eq!(worker_of(&credentials.ufrag), Some(worker));
            assert!(
                (4..=256).contains(&credentials.ufrag.len()) && (22..=256).contains(&credentials.pwd.len())
            );
            let text = credentials.ufrag + &credentials.pwd;
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/'));
        }
    }

    #[test]
    fn a_foreign_ufrag_names_no_worker() {
        for ufrag in ["", "0", "+1abc", "A0abc", "é1"] {
            assert_eq!(worker_of(ufrag), None, "{ufrag:?}");
        }
    }

    #[test]
    fn a_check_goes_by_its_ufrag_and_media_by_the_latest_claim() {
        let now = Instant::now();
        let from = "192.0.2.1:1000".parse().unwrap();
        let media = [0x80; 20];
        let mut steer = Steer::new(1, 3);
        assert_eq!(steer.owner(from, &media), 1, "nobody has claimed it");
        steer.claim(from, 2, now);
        assert_eq!(steer.owner(from, &media), 2);
        assert_eq!(steer.owner(from, &check_for("01abcdef")), 1, "the check itself says it is ours");
        assert_eq!(steer.owner(from, &check_for("00abcdef")), 0);
        assert_eq!(steer.owner(from, &check_for("zzabcdef")), 2, "no such worker: by address");
        steer.reclaim(from);
        assert_eq!(steer.owner(from, &media), 1);
        steer.claim(from, 0, now);
        assert_eq!(steer.owner(from, &media), 0);
    }

    #[test]
    fn a_worker_with_a_port_of_its_own_hands_nothing_over() {
        let steer = Steer::new(1, 1);
        assert_eq!(steer.owner("192.0.2.1:1000".parse().unwrap(), &check_for("00abcdef")), 1);
    }

    #[test]
    fn claims_are_bounded_and_expired_ones_make_room() {
        let now = Instant::now();
        let mut steer = Steer::new(0, 2);
        let address = |i: usize| SocketAddr::from(([10, (i >> 16) as u8, (i >> 8) as u8, i as u8], 9));
        (0..MAX_CLAIMS + 10).for_each(|i| steer.claim(address(i), 1, now));
        assert_eq!(steer.claims.len(), MAX_CLAIMS);
        steer.claim(address(MAX_CLAIMS + 1), 1, now + CLAIM_LIFETIME);
        assert_eq!(steer.claims.len(), 1);
    }

    /// A Binding request (RFC 8489) with nothing but a USERNAME.
    fn check_for(ufrag: &str) -> Vec<u8> {
        let username = format!("{ufrag}:peer");
        let padded = username.len().div_ceil(4) * 4;
        let mut datagram = vec![0, 1, 0, (4 + padded) as u8, 0x21, 0x12, 0xa4, 0x42];
        datagram.extend([7; 12]);
        datagram.extend([0, 6, 0, username.len() as u8]);
        datagram.extend(username.bytes());
        datagram.resize(20 + 4 + padded, 0);
        datagram
    }
}
