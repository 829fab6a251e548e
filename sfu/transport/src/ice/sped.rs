//! DTLS inside checks (SPED, draft-hancke-webrtc-sped): a flight rides on the checks that go out every 50 ms anyhow, so one that is lost is
//! there again with the next, whatever timer the peer's DTLS has. Only with peers that speak it: their first check says so.
//!
//! ```text
//!  check {DATA: their packet, ACK: what they have} ─► DTLS ─► answer {DATA: the next of ours that they lack, ACK: what we have}
//!  a check without either: the peer never spoke it, or has everything
//! ```
//! Everything also goes the usual way: what arrives twice is a repetition to DTLS.

use arrayvec::ArrayVec;

const DATA: u16 = 0xc070;
const ACK: u16 = 0xc071;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const HEADER_LEN: usize = 20;

/// Packets that are acknowledged, and known to be acknowledged: several times what a handshake has.
const ACKS_MAX: usize = 16;
/// An answer that is larger may not fit a path; what is longer goes the usual way alone.
const DATA_MAX: usize = 1_150;

const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// What a check carries for DTLS. Both absent: nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Carried<'a> {
    data: Option<&'a [u8]>,
    acks: Option<&'a [u8]>,
}

impl<'a> Carried<'a> {
    /// Of a STUN message, as far as its MESSAGE-INTEGRITY vouches for it.
    pub fn read(message: &'a [u8]) -> Self {
        let mut carried = Self::default();
        let mut rest = message.get(HEADER_LEN..).unwrap_or_default();
        while let [type_high, type_low, len_high, len_low, ..] = *rest {
            let len = usize::from(u16::from_be_bytes([len_high, len_low]));
            let Some(value) = rest.get(4..4 + len) else { break };
            match u16::from_be_bytes([type_high, type_low]) {
                DATA => carried.data = Some(value),
                ACK => carried.acks = Some(value),
                MESSAGE_INTEGRITY => break,
                _ => {}
            }
            rest = rest.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        }
        carried
    }
}

/// What an answer carries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Answer {
    pub data: Option<Vec<u8>>,
    acks: ArrayVec<u32, ACKS_MAX>,
}

impl Answer {
    /// Type and value of its attributes.
    pub fn attributes(&self) -> impl Iterator<Item = (u16, Vec<u8>)> {
        let acks = self.acks.iter().flat_map(|hash| hash.to_be_bytes()).collect();
        self.data.iter().map(|data| (DATA, data.clone())).chain([(ACK, acks)])
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sped {
    /// Of packets that we have.
    received: ArrayVec<u32, ACKS_MAX>,
    /// Of packets that the peer has.
    acked: ArrayVec<u32, ACKS_MAX>,
    /// Packets of a flight take turns.
    turn: usize,
}

impl Sped {
    /// What a check brings for DTLS; `None` where its peer does not speak of it, any more or at all.
    pub fn hear<'a>(&mut self, carried: Carried<'a>) -> Option<&'a [u8]> {
        if carried == Carried::default() {
            self.received.clear();
            return None;
        }
        for hash in carried.acks.unwrap_or_default().as_chunks::<4>().0 {
            note(&mut self.acked, u32::from_be_bytes(*hash));
        }
        let data = carried.data.unwrap_or_default();
        match data {
            // The peer repeats nothing, so there is nothing to acknowledge.
            [] => self.received.clear(),
            _ => note(&mut self.received, crc32(data)),
        }
        Some(data)
    }

    /// The answer to that check. `flight`: what DTLS sent last, as far as it may be needed.
    pub fn answer(&mut self, flight: &[Vec<u8>]) -> Answer {
        let lacks = |packet: &&Vec<u8>| packet.len() <= DATA_MAX && !self.acked.contains(&crc32(packet));
        let lacking: Vec<_> = flight.iter().filter(lacks).collect();
        self.turn = self.turn.wrapping_add(1);
        let data = lacking.get(self.turn % lacking.len().max(1)).map(|packet| (*packet).clone());
        Answer { data, acks: self.received.clone() }
    }
}

/// The oldest gives way.
fn note(hashes: &mut ArrayVec<u32, ACKS_MAX>, hash: u32) {
    if hashes.contains(&hash) {
        return;
    }
    if hashes.is_full() {
        hashes.remove(0);
    }
    hashes.push(hash);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::Certificate;
    use crate::dtls::{Dtls, Step};
    use crate::ice::origin;
    use crate::ice::stun::{self, password_key, sign};
    use crate::{
        Candidate, Config, DtlsConfig, DtlsSetup, Event, IceCredentials, IceMode, Output, Remote, Transport,
    };
    use is::stun::StunMessage;
    use std::net::SocketAddr;
    use std::time::Duration;

    const SERVER_PWD: &[u8] = b"password-of-server-long-enough";

    fn check(attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let priority = (0x0024, 1u32.to_be_bytes().to_vec());
        let username = (0x0006, b"server:client".to_vec());
        let controlling = (0x802a, 1u64.to_be_bytes().to_vec());
        let nominate = (0x0025, Vec::new());
        let all: Vec<_> = [username, priority, controlling, nominate]
            .into_iter()
            .chain(attributes.iter().cloned())
            .collect();
        stun::write(0x0001, &[7; 12], all.into_iter(), &password_key(SERVER_PWD))
    }

    #[test]
    fn what_comes_behind_the_integrity_is_nobodys_word() {
        let carried = check(&[(DATA, vec![22; 5]), (ACK, vec![1, 2, 3, 4])]);
        assert_eq!(Carried::read(&carried), Carried { data: Some(&[22; 5]), acks: Some(&[1, 2, 3, 4]) });
        let mut forged = check(&[]);
        forged.extend([0xc0, 0x70, 0, 1, 22, 0, 0, 0]);
        assert_eq!(Carried::read(&forged), Carried::default());
        assert!(
            StunMessage::parse(&carried)
                .unwrap()
                .verify(&[], |_, parts| sign(&password_key(SERVER_PWD), parts))
        );
    }

    #[test]
    fn packets_take_turns_until_they_are_acknowledged() {
        let mut sped = Sped::default();
        let flight = [vec![22, 1], vec![22, 2]];
        let given = |sped: &mut Sped| sped.answer(&flight).data;
        let (one, two) = (given(&mut sped), given(&mut sped));
        assert!(one != two && one.is_some() && two.is_some());
        let acks = crc32(&flight[0]).to_be_bytes();
        assert_eq!(sped.hear(Carried { data: None, acks: Some(&acks) }), Some(&[][..]));
        assert_eq!((given(&mut sped), given(&mut sped)), (Some(vec![22, 2]), Some(vec![22, 2])));
        // What we have is said as long as the peer repeats something.
        assert_eq!(sped.hear(Carried { data: Some(&[22, 9]), acks: None }), Some(&[22, 9][..]));
        assert_eq!(sped.answer(&[]).acks[..], [crc32(&[22, 9])]);
        assert_eq!(sped.hear(Carried::default()), None);
        assert!(sped.answer(&[]).acks.is_empty());
    }

    /// Nothing but checks and their answers gets through, and of those the share that `gets_through`.
    fn handshake(mut gets_through: impl FnMut() -> bool) -> Option<u32> {
        let (own, peer) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
        let (server, client): (SocketAddr, SocketAddr) =
            (SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], 2)));
        let credentials = |name: &str| IceCredentials {
            ufrag: name.into(),
            pwd: format!("password-of-{name}-long-enough"),
        };
        let mut now = origin();
        let config = Config {
            ice: IceMode::Lite,
            local: credentials("server"),
            certificate: std::sync::Arc::new(own.clone()),
            local_addresses: vec![server],
            dtls: DtlsConfig::default(),
        };
        let candidates = vec![Candidate { address: client }];
        let (ice, fingerprint) = (credentials("client"), peer.fingerprint());
        let remote = Remote { ice, fingerprint, setup: DtlsSetup::Passive, candidates };
        let mut transport = Transport::new(config, Some(remote), now).unwrap();
        let mut theirs = Dtls::new(DtlsConfig::default(), false, &peer, own.fingerprint(), now).unwrap();
        let (mut sped, mut steps) = (Sped::default(), Vec::new());
        theirs.start(now, &mut steps);
        for checks in 0..200 {
            let Answer { data, acks } = sped.answer(theirs.flight());
            let acks = (ACK, acks.iter().flat_map(|hash| hash.to_be_bytes()).collect());
            let carried: Vec<_> = data.into_iter().map(|data| (DATA, data)).chain([acks]).collect();
            if gets_through() {
                let mut datagram = check(&carried);
                transport.handle_datagram(now, server, client, &mut datagram).unwrap();
            }
            loop {
                match transport.poll_output() {
                    Output::Transmit(out) if out.bytes[0] == 1 && gets_through() => {
                        let key = password_key(SERVER_PWD);
                        let answer = StunMessage::parse(&out.bytes).unwrap();
                        assert!(answer.verify(&[], |_, parts| sign(&key, parts)));
                        assert_eq!(answer.mapped_address(), Some(client));
                        let data = sped.hear(Carried::read(&out.bytes)).filter(|data| !data.is_empty());
                        if let Some(data) = data {
                            let _ = theirs.handle(now, data, &mut steps);
                        }
                    }
                    Output::Event(Event::Connected(_)) => return Some(checks),
                    Output::Timeout(..) => break,
                    // The usual way is closed.
                    Output::Transmit(_) | Output::Data(_) | Output::Event(_) => {}
                }
            }
            assert!(!steps.iter().any(|step| matches!(step, Step::Mismatch | Step::NoSrtpProfile)));
            now += Duration::from_millis(50);
            transport.handle_timeout(now);
        }
        None
    }

    #[test]
    fn a_handshake_needs_nothing_but_checks() {
        let checks = handshake(|| true).expect("connected");
        assert!(checks <= 3, "{checks}");
    }

    #[test]
    fn at_half_loss_each_way_it_takes_as_many_checks_as_chance_wants() {
        let mut state = 5u64;
        let checks = handshake(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 63 == 0
        });
        assert!(checks.is_some_and(|checks| checks <= 40), "{checks:?}");
    }
}
