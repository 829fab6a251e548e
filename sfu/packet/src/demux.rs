//! What a datagram on the one UDP port is (RFC 7983).

/// Protocols that share the port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

/// By the first byte (RFC 7983), RTP and RTCP apart by payload type (RFC 5761: 64-95 after the marker bit is masked,
/// i.e. packet types 192-223). `None`: nothing we speak.
pub fn classify(datagram: &[u8]) -> Option<Protocol> {
    match *datagram {
        [0..=3, ..] if datagram.len() >= 20 => Some(Protocol::Stun),
        [20..=63, ..] if datagram.len() >= 13 => Some(Protocol::Dtls),
        [128..=191, 192..=223, ..] if datagram.len() >= 8 => Some(Protocol::Rtcp),
        [128..=191, ..] if datagram.len() >= 12 => Some(Protocol::Rtp),
        _ => None,
    }
}
