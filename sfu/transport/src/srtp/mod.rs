//! SRTP and SRTCP (RFC 3711, RFC 7714).

/// Protection profile negotiated in the DTLS handshake (RFC 5764, RFC 7714 section 14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Profile {
    AeadAes256Gcm,
    AeadAes128Gcm,
    Aes128CmHmacSha1_80,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProtectError {
    #[error("no keys yet")]
    NoKeys,
    #[error("not a whole RTP or RTCP packet, or no room for the tag")]
    Malformed,
    #[error("this index was sent already; a repeat resends the stored ciphertext")]
    IndexUsed,
    #[error("the ceiling that is known to be stored is reached")]
    Ceiling,
    #[error("too many SSRCs")]
    TooManySsrcs,
    #[error("the session was frozen for a hand-over, or is closed")]
    Frozen,
}
