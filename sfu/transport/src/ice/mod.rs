//! Finding and keeping a path to the peer (RFC 8445, RFC 7675).
//!
//! Two ends, two state machines: [`lite::Lite`] answers checks and follows the peer's nomination, [`full::Full`] checks and
//! nominates. Both keep the list of addresses that passed an authenticated check: DTLS is listened to from nowhere else.

mod full;
mod lite;
mod sped;
mod stun;

pub(crate) use full::Full;
pub(crate) use lite::Lite;
pub(crate) use sped::{Answer, Carried, Sped};
pub use stun::stun_ufrag;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the peer may be silent before sending to it must end (RFC 7675 section 5.1).
pub(crate) const CONSENT_TIME: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    pub local: SocketAddr,
    pub remote: SocketAddr,
}

/// Addresses a peer may have checked from: its interfaces, times two address families, times what NATs make of them.
const CHECKED_MAX: usize = 16;

/// Paths on which an authenticated check passed, with its time; the oldest gives way when the list is full.
#[derive(Default)]
struct Checked(Vec<(Path, Instant)>);

impl Checked {
    fn note(&mut self, path: Path, now: Instant) {
        if let Some(known) = self.0.iter_mut().find(|(known, _)| *known == path) {
            known.1 = now;
            return;
        }
        if self.0.len() == CHECKED_MAX
            && let Some(oldest) = (0..self.0.len()).min_by_key(|at| self.0[*at].1)
        {
            self.0.remove(oldest);
        }
        self.0.push((path, now));
    }

    fn contains(&self, remote: SocketAddr, now: Instant) -> bool {
        self.0.iter().any(|(path, at)| path.remote == remote && now < *at + CONSENT_TIME)
    }

    fn last(&self, path: Path) -> Option<Instant> {
        self.0.iter().find(|(known, _)| *known == path).map(|(_, at)| *at)
    }
}

/// Where virtual time begins in tests.
#[cfg(test)]
#[expect(clippy::disallowed_methods)]
fn origin() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_checked_path_gives_way() {
        let start = origin();
        let path = |port| Path {
            local: SocketAddr::from(([127, 0, 0, 1], 1)),
            remote: SocketAddr::from(([127, 0, 0, 1], port)),
        };
        let mut checked = Checked::default();
        for port in 0..CHECKED_MAX as u16 {
            checked.note(path(port), start + Duration::from_millis(port.into()));
        }
        let later = start + Duration::from_secs(1);
        checked.note(path(0), later);
        checked.note(path(99), later);
        assert!(checked.contains(path(0).remote, later));
        assert!(!checked.contains(path(1).remote, later));
        assert!(checked.contains(path(99).remote, later));
        assert!(!checked.contains(path(99).remote, later + CONSENT_TIME));
    }
}
