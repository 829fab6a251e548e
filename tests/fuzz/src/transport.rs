//! A session's secure path, from the bytes of a stranger and from those of a peer with the keys.

use super::chunk;
use super::pair::{self, CLIENT, Pair, SERVER};
use ::transport::{Config, DropReason, DtlsVersion, Incoming, Session, Transport, stun_ufrag};
use aws_lc_rs::hmac;
use packet::demux::{Protocol, classify};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// STUN and whatever else shares the port, into fresh sessions: as it is, and signed with the right password, as a peer
/// that misbehaves could.
pub fn stun_demux(input: &[u8]) {
    classify(input);
    stun_ufrag(input);
    let mut pair = Pair::new(DtlsVersion::V12, false);
    pair.drain(SERVER);
    pair.drain(CLIENT);
    for side in [SERVER, CLIENT] {
        pair.deliver(side, &mut input.to_vec());
        // A request is signed with the receiver's password, a response with the sender's.
        for password in [pair::password(SERVER), pair::password(CLIENT)] {
            let Some(signed) = sign(input, password) else { continue };
            pair.deliver(side, &mut signed.clone());
            pair.now += Duration::from_millis(500);
            pair.drain(side);
            // Once more: a repeated check.
            pair.deliver(side, &mut signed.clone());
        }
        assert!(!pair.ends[side].is_connected() && !pair.ends[side].is_closed());
    }
}

/// Makes a STUN message of `input` (its type, transaction and attributes) with MESSAGE-INTEGRITY and FINGERPRINT
/// (RFC 8489 sections 14.5 and 14.7).
fn sign(input: &[u8], password: &str) -> Option<Vec<u8>> {
    let mut message = input.get(..20 + (input.len().checked_sub(20)? & !3))?.to_vec();
    message[0] &= 0x3f;
    message[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    let set_len = |message: &mut Vec<u8>, more: usize| {
        let len = (message.len() - 20 + more) as u16;
        message[2..4].copy_from_slice(&len.to_be_bytes());
    };
    set_len(&mut message, 24);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let tag = hmac::sign(&key, &message);
    message.extend_from_slice(&[0x00, 0x08, 0, 20]);
    message.extend_from_slice(tag.as_ref());
    set_len(&mut message, 8);
    let fingerprint = crc32(&message) ^ 0x5354_554e;
    message.extend_from_slice(&[0x80, 0x28, 0, 4]);
    message.extend_from_slice(&fingerprint.to_be_bytes());
    Some(message)
}

/// CRC-32 of ITU-T V.42, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc: u32, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Datagrams from an address that has passed a check, into a session that waits for a handshake. The first byte says
/// which end, version and role.
pub fn dtls_record(input: &[u8]) {
    let Some((&kind, mut rest)) = input.split_first() else { return };
    let version = [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto][usize::from(kind >> 2) % 3];
    let side = usize::from(kind & 1);
    let mut pair = Pair::new(version, kind & 2 != 0);
    pair.run(&mut vec![], |bytes| classify(bytes) == Some(Protocol::Stun));
    while let Some(datagram) = chunk(&mut rest) {
        pair.deliver(side, &mut datagram.to_vec());
        pair.now += Duration::from_millis(20);
        pair.drain(side);
        pair.in_flight.clear();
    }
    assert!(!pair.ends[side].is_connected(), "no keys without a handshake");
}

/// Two ends that have connected once; what they are after that is kept.
struct Connected {
    configs: [Config; 2],
    sessions: [Vec<u8>; 2],
    now: Instant,
}

impl Connected {
    fn once() -> &'static Self {
        static CONNECTED: OnceLock<Connected> = OnceLock::new();
        CONNECTED.get_or_init(|| {
            let mut pair = Pair::new(DtlsVersion::V12, false);
            pair.run(&mut vec![], |_| true);
            let sessions = pair.ends.each_mut().map(|end| end.freeze().expect("connected").to_bytes());
            Self { configs: pair.configs, sessions, now: pair.now }
        })
    }

    /// The session in a new object.
    fn end(&self, side: usize) -> Transport {
        let session = Session::from_bytes(&self.sessions[side]).expect("its own bytes");
        Transport::import(self.configs[side].clone(), session, false, self.now).expect("its own session")
    }
}

/// Steps of an operation and a chunk: arbitrary bytes arrive, or the chunk is protected by the peer and arrives whole,
/// twice, or with one bit changed.
pub fn srtp_unprotect(mut input: &[u8]) {
    let connected = Connected::once();
    let [mut server, mut client] = [connected.end(SERVER), connected.end(CLIENT)];
    let (local, from) = (pair::address(SERVER), pair::address(CLIENT));
    let mut receive = |datagram: &[u8]| {
        let mut datagram = datagram.to_vec();
        match server.handle_datagram(connected.now, local, from, &mut datagram) {
            Ok(Incoming::Rtp { packet, .. } | Incoming::Rtcp(packet)) => Ok(packet.to_vec()),
            Ok(Incoming::Handled) => Ok(vec![]),
            Err(reason) => Err(reason),
        }
    };
    while let Some((&operation, rest)) = input.split_first() {
        input = rest;
        let Some(plain) = chunk(&mut input) else { return };
        if operation & 3 == 0 {
            let received = receive(plain);
            assert!(received.is_err() || received == Ok(vec![]), "nothing is authentic by chance");
            continue;
        }
        let mut buffer = plain.to_vec();
        buffer.resize(plain.len() + client.srtcp_overhead(), 0);
        let protected = match classify(plain) {
            Some(Protocol::Rtp) => client.protect_rtp(&mut buffer, plain.len()),
            Some(Protocol::Rtcp) => client.protect_rtcp(&mut buffer, plain.len()),
            _ => continue,
        };
        let Ok(len) = protected else { continue };
        let packet = &mut buffer[..len];
        if operation & 2 != 0 {
            let bit = usize::from(operation >> 2) * 7 % (len * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
            assert!(receive(packet).is_err(), "a changed packet is not authentic");
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        match receive(packet) {
            Ok(received) => {
                assert_eq!(received, plain);
                assert_eq!(receive(packet), Err(DropReason::SrtpReplayed));
            }
            // Older than the window, or one stream too many: bounded, and said so.
            Err(reason) => {
                assert!(matches!(reason, DropReason::SrtpTooOld | DropReason::SrtpTooManySsrcs), "{reason:?}")
            }
        }
    }
}
