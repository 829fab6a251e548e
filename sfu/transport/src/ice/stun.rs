//! Connectivity checks as bytes (RFC 8489); `is` parses and writes them, the HMAC is ours.

use super::sped::crc32;
use crate::DropReason;
use aws_lc_rs::hmac;
use is::stun::StunMessage;
use std::net::{IpAddr, SocketAddr};

const HEADER_LEN: usize = 20;
/// Of an answer over IPv6 that carries nothing more.
const USUAL_LEN: usize = 76;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const USERNAME: u16 = 0x0006;
const BINDING_SUCCESS: u16 = 0x0101;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

/// The local ufrag a connectivity check is addressed to: whose datagram it is, before any authentication.
/// `None` if it is not a STUN Binding request with a USERNAME of the form `local:remote` (RFC 8445 section 7.2.2).
pub fn stun_ufrag(datagram: &[u8]) -> Option<&str> {
    if datagram.get(..2)? != BINDING_REQUEST || datagram.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    let mut rest = datagram.get(HEADER_LEN..)?;
    while let [type_high, type_low, len_high, len_low, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let value = rest.get(4..4 + len)?;
        if u16::from_be_bytes([type_high, type_low]) == USERNAME {
            let (local, _remote) = std::str::from_utf8(value).ok()?.split_once(':')?;
            return Some(local);
        }
        rest = rest.get(4 + len.next_multiple_of(4)..)?;
    }
    None
}

/// What an answer repeats of its request. Of a datagram that was told to be STUN.
pub fn transaction(datagram: &[u8]) -> Option<&[u8; 12]> {
    datagram.get(8..HEADER_LEN)?.as_array()
}

pub fn parse(datagram: &[u8]) -> Result<StunMessage<'_>, DropReason> {
    StunMessage::parse(datagram).map_err(|_| DropReason::StunMalformed)
}

/// HMAC-SHA1 as MESSAGE-INTEGRITY wants it. Our own provider, so that no second SHA-1 runs.
#[derive(Debug)]
pub struct HmacSha1;

impl is::Sha1HmacProvider for HmacSha1 {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        sign(&password_key(key), payloads)
    }
}

pub fn password_key(password: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password)
}

pub fn sign(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 20] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    let mut tag = [0; 20];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

/// An answer with MESSAGE-INTEGRITY and FINGERPRINT.
pub fn to_bytes(message: StunMessage<'_>, key: &hmac::Key) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 256];
    let len = message.to_bytes(Some(&[]), &mut bytes, |_, parts| sign(key, parts)).ok()?;
    bytes.truncate(len);
    Some(bytes)
}

/// The answer to a Binding request, with these attributes more.
pub fn binding_reply(
    request: &[u8],
    mapped: SocketAddr,
    more: impl Iterator<Item = (u16, Vec<u8>)>,
    key: &hmac::Key,
) -> Option<Vec<u8>> {
    let transaction = transaction(request)?;
    let attributes = [(XOR_MAPPED_ADDRESS, xor(mapped, transaction))].into_iter().chain(more);
    Some(write(BINDING_SUCCESS, transaction, attributes, key))
}

/// Kind, transaction and attributes, then MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 sections 14.5 and 14.7).
pub(super) fn write(
    kind: u16,
    transaction: &[u8; 12],
    attributes: impl Iterator<Item = (u16, Vec<u8>)>,
    key: &hmac::Key,
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(USUAL_LEN);
    [&kind.to_be_bytes()[..], &[0; 2], &MAGIC_COOKIE, transaction]
        .iter()
        .for_each(|part| bytes.extend(*part));
    let push = |bytes: &mut Vec<u8>, kind: u16, value: &[u8]| {
        bytes.extend(kind.to_be_bytes());
        bytes.extend((value.len() as u16).to_be_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    // The length that is signed counts the attribute that signs.
    let set_len = |bytes: &mut Vec<u8>, more: usize| {
        let len = (bytes.len() - HEADER_LEN + more) as u16;
        bytes[2..4].copy_from_slice(&len.to_be_bytes());
    };
    for (kind, value) in attributes {
        push(&mut bytes, kind, &value);
    }
    set_len(&mut bytes, 24);
    let tag = sign(key, &[&bytes]);
    push(&mut bytes, MESSAGE_INTEGRITY, &tag);
    set_len(&mut bytes, 8);
    let fingerprint = crc32(&bytes) ^ FINGERPRINT_XOR;
    push(&mut bytes, FINGERPRINT, &fingerprint.to_be_bytes());
    bytes
}

fn xor(address: SocketAddr, transaction: &[u8; 12]) -> Vec<u8> {
    let port = address.port() ^ u16::from_be_bytes([MAGIC_COOKIE[0], MAGIC_COOKIE[1]]);
    let [high, low] = port.to_be_bytes();
    let mut value = Vec::with_capacity(20);
    match address.ip() {
        IpAddr::V4(ip) => value.extend([0, 1, high, low].iter().chain(&ip.octets())),
        IpAddr::V6(ip) => value.extend([0, 2, high, low].iter().chain(&ip.octets())),
    }
    let mask = MAGIC_COOKIE.iter().chain(transaction);
    value[4..].iter_mut().zip(mask).for_each(|(octet, mask)| *octet ^= mask);
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use is::stun::TransId;
    use proptest::prelude::*;

    fn check(username: &str) -> Vec<u8> {
        let message = StunMessage::binding_request(username, TransId::new(), true, 1, 1, true);
        to_bytes(message, &password_key(b"password")).unwrap()
    }

    #[test]
    fn the_first_half_of_the_username_names_the_session() {
        assert_eq!(stun_ufrag(&check("01abcd:remote")), Some("01abcd"));
        assert_eq!(stun_ufrag(&check("x:y:z")), Some("x"));
    }

    #[test]
    fn anything_else_names_nobody() {
        let mut response = check("a:b");
        response[0] = 1;
        assert_eq!(stun_ufrag(&response), None);
        assert_eq!(stun_ufrag(&[]), None);
        assert_eq!(stun_ufrag(&check("a:b")[..22]), None);
    }

    /// RFC 5769 section 2.1: a request whose ufrag, password and HMAC are known.
    #[test]
    fn rfc5769_sample_request_is_authentic() {
        let request = crate::srtp::test_support::hex(
            "00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74 \
             00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020 \
             00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf",
        );
        assert_eq!(stun_ufrag(&request), Some("evtj"));
        let key = password_key(b"VOkJxbRl1RmTxUk/WvJxBt");
        assert!(parse(&request).unwrap().verify(&[], |_, parts| sign(&key, parts)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), aimed in any::<bool>()) {
            if aimed && bytes.len() >= 8 {
                bytes[..2].copy_from_slice(&BINDING_REQUEST);
                bytes[4..8].copy_from_slice(&MAGIC_COOKIE);
            }
            let _ = stun_ufrag(&bytes);
            let _ = parse(&bytes);
        }
    }
}
