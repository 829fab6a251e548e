//! SRTP and SRTCP (RFC 3711, RFC 7714): our own, because the per-packet cost of the media plane is decided here.
//!
//! ```text
//! keys (DTLS exporter) -> derivation -> cipher (expanded once)   per direction
//!                                       + per SSRC: highest index, window of used ones
//! ```
//! Keys are expanded once and packets are changed in place; nothing is allocated per packet.

mod cipher;
mod derivation;
mod inbound;
mod outbound;
mod window;

pub(crate) use inbound::Inbound;
pub(crate) use outbound::{Numbering, Outbound};
pub(crate) use window::WINDOW_WORDS;

/// Protection profile negotiated in the DTLS handshake (RFC 5764, RFC 7714 section 14).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Profile {
    AeadAes256Gcm,
    AeadAes128Gcm,
    Aes128CmHmacSha1_80,
}

impl Profile {
    pub const ALL: [Self; 3] = [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::Aes128CmHmacSha1_80];

    pub fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::Aes128CmHmacSha1_80 => "AES128_CM_HMAC_SHA1_80",
        }
    }

    /// Bytes of master and of session key.
    pub(crate) const fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::Aes128CmHmacSha1_80 => 16,
        }
    }

    /// Bytes of master and of session salt.
    pub(crate) const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::Aes128CmHmacSha1_80 => 14,
        }
    }

    /// Bytes of authentication tag.
    pub(crate) const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 16,
            Self::Aes128CmHmacSha1_80 => 10,
        }
    }
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

/// Master key and salt of one direction; the salt fills the front (RFC 7714 has 12 bytes, RFC 3711 14).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MasterKey {
    key: [u8; 32],
    salt: [u8; 14],
}

impl MasterKey {
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Option<Self> {
        if key.len() != profile.key_len() || salt.len() != profile.salt_len() {
            return None;
        }
        let mut master = Self { key: [0; 32], salt: [0; 14] };
        master.key[..key.len()].copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt);
        Some(master)
    }
    pub fn key(&self, profile: Profile) -> &[u8] {
        &self.key[..profile.key_len()]
    }
    pub fn salt(&self, profile: Profile) -> &[u8] {
        &self.salt[..profile.salt_len()]
    }
    fn padded_salt(&self) -> &[u8; 14] {
        &self.salt
    }
}

/// Both directions, as the DTLS exporter lays them out (RFC 5764 section 4.2):
/// client key | server key | client salt | server salt.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    pub profile: Profile,
    pub local: MasterKey,
    pub remote: MasterKey,
}

impl Keys {
    pub fn from_exporter(profile: Profile, material: &[u8], local_is_client: bool) -> Option<Self> {
        let (key, salt) = (profile.key_len(), profile.salt_len());
        if material.len() < 2 * (key + salt) {
            return None;
        }
        let (keys, salts) = material.split_at(2 * key);
        let client = MasterKey::new(profile, &keys[..key], &salts[..salt])?;
        let server = MasterKey::new(profile, &keys[key..], &salts[salt..2 * salt])?;
        let (local, remote) = if local_is_client { (client, server) } else { (server, client) };
        Some(Self { profile, local, remote })
    }
}

/// Length of the RTP header with CSRCs and extension (RFC 3550 section 5.1), the part that stays in the clear.
/// The padding cannot be checked here: its length is inside the encrypted payload.
fn rtp_header_len(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut len = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(len + 2..len + 4)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (len <= packet.len()).then_some(len)
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// Payload type, sequence number, timestamp and SSRC of RTP: everything before the CSRCs.
const RTP_FIXED_HEADER_LEN: usize = 12;
/// Packet type, length and sender SSRC stay in the clear in SRTCP (RFC 3711 section 3.4).
const RTCP_CLEAR_LEN: usize = 8;
/// `E` bit and 31-bit index.
const SRTCP_INDEX_LEN: usize = 4;

#[cfg(test)]
pub(crate) mod test_support {
    pub fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporter_layout_gives_each_end_the_others_keys() {
        for profile in Profile::ALL {
            let material: Vec<u8> = (0..100).collect();
            let client = Keys::from_exporter(profile, &material, true).unwrap();
            let server = Keys::from_exporter(profile, &material, false).unwrap();
            assert!(client.local == server.remote && client.remote == server.local);
            assert_eq!(client.local.key(profile)[0], 0);
            assert_eq!(usize::from(client.remote.key(profile)[0]), profile.key_len());
            assert_eq!(usize::from(client.local.salt(profile)[0]), 2 * profile.key_len());
            assert!(Keys::from_exporter(profile, &material[..40], true).is_none());
        }
    }

    #[test]
    fn header_length_counts_csrcs_and_extension() {
        let mut packet = vec![0x80; 64];
        assert_eq!(rtp_header_len(&packet), Some(12));
        packet[0] = 0x82;
        assert_eq!(rtp_header_len(&packet), Some(20));
        packet[0] = 0x92;
        packet[22..24].copy_from_slice(&3u16.to_be_bytes());
        assert_eq!(rtp_header_len(&packet), Some(36));
        packet[22..24].copy_from_slice(&u16::MAX.to_be_bytes());
        assert_eq!(rtp_header_len(&packet), None);
        packet[0] = 0x40;
        assert_eq!(rtp_header_len(&packet), None);
        assert_eq!(rtp_header_len(&[]), None);
        assert_eq!(rtp_header_len(&[0x90; 13]), None);
    }
}
