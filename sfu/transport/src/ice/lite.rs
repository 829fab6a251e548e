//! The lite half (RFC 8445 section 2.5): answers checks, lets the peer choose.
//!
//! ```text
//! no path --first check--> provisional --USE-CANDIDATE--> nominated --USE-CANDIDATE on another path--> nominated there
//!                              (a check from elsewhere counts too, once the chosen path has been silent)
//! ```
//! The latest authenticated USE-CANDIDATE wins: a phone that went from Wi-Fi to mobile is followed at once, whatever the
//! priorities of its candidates are.

use super::stun::{self, password_key, sign};
use super::{Answer, CONSENT_TIME, Carried, Checked, Path};
use crate::{DropReason, IceCredentials, Transmit};
use aws_lc_rs::hmac;
use is::stun::StunMessage;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Browsers check a chosen path every 2.5 s or more often. One that missed two such checks, while another path has one, was
/// left without a nomination, as when a NAT forgets its binding.
const SILENT_TIME: Duration = Duration::from_secs(6);

pub(crate) struct Lite {
    local: Credentials,
    /// Still valid while an ICE restart is under way, until the peer nominates under the new ones.
    previous: Option<Box<Credentials>>,
    remote: IceCredentials,
    checked: Checked,
    path: Option<Path>,
    nominated: bool,
    consent_until: Instant,
}

struct Credentials {
    values: IceCredentials,
    key: hmac::Key,
    /// The peer's ufrag that belongs to them.
    remote_ufrag: String,
}

impl Credentials {
    fn new(values: IceCredentials, remote_ufrag: &str) -> Self {
        let key = password_key(values.pwd.as_bytes());
        Self { values, key, remote_ufrag: remote_ufrag.to_owned() }
    }
}

impl Lite {
    pub fn new(local: IceCredentials, remote: IceCredentials, now: Instant) -> Self {
        Self {
            local: Credentials::new(local, &remote.ufrag),
            previous: None,
            remote,
            checked: Checked::default(),
            path: None,
            nominated: false,
            consent_until: now + CONSENT_TIME,
        }
    }

    /// Goes on with a path that another object found. It may be left again for any check.
    pub fn resume(&mut self, path: Path, now: Instant) {
        self.checked.note(path, now);
        self.path = Some(path);
    }

    pub fn restart(&mut self, local: IceCredentials, remote: IceCredentials) {
        if local != self.local.values {
            let old = std::mem::replace(&mut self.local, Credentials::new(local, &remote.ufrag));
            self.previous = Some(Box::new(old));
        }
        self.local.remote_ufrag.clone_from(&remote.ufrag);
        self.remote = remote;
    }

    pub fn local(&self) -> &IceCredentials {
        &self.local.values
    }

    pub fn remote(&self) -> &IceCredentials {
        &self.remote
    }

    pub fn accepts(&self, local_ufrag: &str) -> bool {
        self.local.values.ufrag == local_ufrag
            || self.previous.as_ref().is_some_and(|previous| previous.values.ufrag == local_ufrag)
    }

    /// Answers a check. The answer goes back where it came from, with what `dtls` gives for what the check carries.
    pub fn handle(
        &mut self,
        now: Instant,
        path: Path,
        datagram: &[u8],
        dtls: impl FnOnce(Carried<'_>) -> Option<Answer>,
        transmits: &mut Vec<Transmit>,
    ) -> Result<(), DropReason> {
        let message = stun::parse(datagram)?;
        if !message.is_binding_request() {
            return Err(DropReason::StunUnexpected);
        }
        let (local_ufrag, remote_ufrag) = message.split_username().ok_or(DropReason::StunMalformed)?;
        let current = self.local.values.ufrag == local_ufrag;
        let credentials = if current { Some(&self.local) } else { self.previous.as_deref() }
            .filter(|it| it.values.ufrag == local_ufrag && it.remote_ufrag == remote_ufrag)
            .ok_or(DropReason::StunOtherUser)?;
        if !message.verify(&[], |_, parts| sign(&credentials.key, parts)) {
            return Err(DropReason::StunBadIntegrity);
        }
        let conflict = message.ice_controlled().is_some();
        let answer = if conflict {
            stun::to_bytes(StunMessage::binding_role_conflict_reply(message.trans_id()), &credentials.key)
        } else {
            let carried = dtls(Carried::read(datagram));
            let more = carried.iter().flat_map(Answer::attributes);
            stun::binding_reply(datagram, path.remote, more, &credentials.key)
        };
        if let Some(bytes) = answer {
            transmits.push(Transmit { from: path.local, to: path.remote, bytes });
        }
        if conflict {
            return Err(DropReason::StunRoleConflict);
        }
        self.consent_until = now + CONSENT_TIME;
        self.checked.note(path, now);
        self.choose(now, path, message.use_candidate(), current);
        Ok(())
    }

    fn choose(&mut self, now: Instant, path: Path, nominates: bool, current: bool) {
        let silent = match self.path {
            None => true,
            Some(chosen) => self.checked.last(chosen).is_none_or(|last| now >= last + SILENT_TIME),
        };
        // A nomination under the old credentials must not undo one under the new.
        let nominates = nominates && (current || self.previous.is_some() && !self.nominated_under_current());
        if nominates {
            self.nominated = true;
            if current {
                self.previous = None;
            }
        }
        if nominates || silent {
            self.path = Some(path);
        }
    }

    fn nominated_under_current(&self) -> bool {
        self.previous.is_none() && self.nominated
    }

    pub fn path(&self) -> Option<Path> {
        self.path
    }

    pub fn is_checked(&self, remote: SocketAddr, now: Instant) -> bool {
        self.checked.contains(remote, now)
    }

    pub fn consent_until(&self) -> Instant {
        self.consent_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice::origin;
    use is::stun::{StunMessage, TransId};

    fn credentials(name: &str) -> IceCredentials {
        IceCredentials { ufrag: name.to_owned(), pwd: format!("password-of-{name}-long-enough") }
    }

    fn path(port: u16) -> Path {
        Path {
            local: SocketAddr::from(([127, 0, 0, 1], 1)),
            remote: SocketAddr::from(([127, 0, 0, 1], port)),
        }
    }

    fn check(local: &str, remote: &str, nominate: bool) -> Vec<u8> {
        let username = format!("{local}:{remote}");
        let message = StunMessage::binding_request(&username, TransId::new(), true, 1, 1, nominate);
        stun::to_bytes(message, &password_key(credentials(local).pwd.as_bytes())).unwrap()
    }

    fn lite(now: Instant) -> Lite {
        Lite::new(credentials("server"), credentials("client"), now)
    }

    #[test]
    fn the_latest_nomination_wins_and_checks_alone_do_not_move() {
        let now = origin();
        let (mut lite, mut out) = (lite(now), Vec::new());
        assert_eq!(lite.path(), None);
        lite.handle(now, path(10), &check("server", "client", false), |_| None, &mut out).unwrap();
        assert_eq!(lite.path(), Some(path(10)), "somewhere to send to before any nomination");
        lite.handle(now, path(20), &check("server", "client", false), |_| None, &mut out).unwrap();
        assert_eq!(lite.path(), Some(path(10)));
        for port in [20, 30, 10] {
            lite.handle(now, path(port), &check("server", "client", true), |_| None, &mut out).unwrap();
            assert_eq!(lite.path(), Some(path(port)));
        }
        assert_eq!(out.len(), 5);
        assert!(out.iter().all(|transmit| transmit.from == path(1).local));
        let answer = StunMessage::parse(&out[4].bytes).unwrap();
        assert_eq!(answer.mapped_address(), Some(path(10).remote));
        let key = password_key(credentials("server").pwd.as_bytes());
        assert!(answer.verify(&[], |_, parts| sign(&key, parts)));
    }

    #[test]
    fn a_silent_path_is_left_without_nomination() {
        let now = origin();
        let (mut lite, mut out) = (lite(now), Vec::new());
        lite.handle(now, path(10), &check("server", "client", true), |_| None, &mut out).unwrap();
        let soon = now + Duration::from_secs(3);
        lite.handle(soon, path(20), &check("server", "client", false), |_| None, &mut out).unwrap();
        assert_eq!(lite.path(), Some(path(10)));
        let later = now + SILENT_TIME;
        lite.handle(later, path(20), &check("server", "client", false), |_| None, &mut out).unwrap();
        assert_eq!(lite.path(), Some(path(20)));
    }

    #[test]
    fn strangers_are_counted_and_not_answered() {
        let now = origin();
        let (mut lite, mut out) = (lite(now), Vec::new());
        let mut forged = check("server", "client", true);
        let end = forged.len() - 9;
        forged[end] ^= 1;
        let other_password = {
            let message = StunMessage::binding_request("server:client", TransId::new(), true, 1, 1, true);
            stun::to_bytes(message, &password_key(b"guess")).unwrap()
        };
        let cases = [
            (check("other", "client", true), DropReason::StunOtherUser),
            (check("server", "stranger", true), DropReason::StunOtherUser),
            (other_password, DropReason::StunBadIntegrity),
            (forged, DropReason::StunBadIntegrity),
            (vec![0; 20], DropReason::StunMalformed),
        ];
        for (datagram, reason) in cases {
            assert_eq!(lite.handle(now, path(10), &datagram, |_| None, &mut out), Err(reason));
        }
        assert!(out.is_empty());
        assert_eq!(lite.path(), None);
        assert!(!lite.is_checked(path(10).remote, now));
    }

    #[test]
    fn a_peer_that_wants_to_be_controlled_is_told_of_the_conflict() {
        let now = origin();
        let (mut lite, mut out) = (lite(now), Vec::new());
        let message = StunMessage::binding_request("server:client", TransId::new(), false, 1, 1, false);
        let bytes = stun::to_bytes(message, &password_key(credentials("server").pwd.as_bytes())).unwrap();
        assert_eq!(lite.handle(now, path(10), &bytes, |_| None, &mut out), Err(DropReason::StunRoleConflict));
        assert_eq!(StunMessage::parse(&out[0].bytes).unwrap().error_code().map(|(code, _)| code), Some(487));
        assert_eq!(lite.path(), None);
    }

    #[test]
    fn a_restart_keeps_the_old_path_until_the_new_one_is_nominated() {
        let now = origin();
        let (mut lite, mut out) = (lite(now), Vec::new());
        lite.handle(now, path(10), &check("server", "client", true), |_| None, &mut out).unwrap();
        lite.restart(credentials("server2"), credentials("client2"));
        assert_eq!(lite.path(), Some(path(10)));
        assert!(lite.accepts("server") && lite.accepts("server2"));
        lite.handle(now, path(10), &check("server", "client", true), |_| None, &mut out).unwrap();
        assert_eq!(
            lite.handle(now, path(10), &check("server", "client2", true), |_| None, &mut out),
            Err(DropReason::StunOtherUser)
        );
        lite.handle(now, path(20), &check("server2", "client2", false), |_| None, &mut out).unwrap();
        assert_eq!(lite.path(), Some(path(10)));
        lite.handle(now, path(20), &check("server2", "client2", true), |_| None, &mut out).unwrap();
        assert_eq!(lite.path(), Some(path(20)));
        assert!(!lite.accepts("server"));
        assert_eq!(
            lite.handle(now, path(10), &check("server", "client", true), |_| None, &mut out),
            Err(DropReason::StunOtherUser)
        );
    }
}
