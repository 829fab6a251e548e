//! The two transforms, for one direction of RTP or of RTCP: AES-GCM (RFC 7714) and AES-CM with HMAC-SHA1-80 (RFC 3711).

use super::derivation::{Label, derive};
use super::{MasterKey, Profile, RTCP_CLEAR_LEN, SRTCP_INDEX_LEN};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;

const GCM_TAG_LEN: usize = 16;
const SHA1_TAG_LEN: usize = 10;
/// HMAC-SHA1 keys of RFC 3711 section 5.2.
const SHA1_KEY_LEN: usize = 20;
/// `E`: the packet is encrypted. We never send or accept any other.
const ENCRYPTED: u32 = 0x8000_0000;

pub enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    /// Its keys take 1.7 KiB, and few peers choose it.
    CounterMode(Box<CounterMode>),
}

pub struct CounterMode {
    key: EncryptingKey,
    salt: [u8; 14],
    authentication: hmac::Key,
}

impl Cipher {
    pub fn for_rtp(profile: Profile, master: &MasterKey) -> Result<Self, Unspecified> {
        Self::derived(profile, master, [Label::RtpKey, Label::RtpSalt, Label::RtpAuthentication])
    }

    pub fn for_rtcp(profile: Profile, master: &MasterKey) -> Result<Self, Unspecified> {
        Self::derived(profile, master, [Label::RtcpKey, Label::RtcpSalt, Label::RtcpAuthentication])
    }

    fn derived(profile: Profile, master: &MasterKey, labels: [Label; 3]) -> Result<Self, Unspecified> {
        let (mut key, mut salt, mut authentication) = ([0; 32], [0; 14], [0; SHA1_KEY_LEN]);
        derive(profile, master, labels[0], &mut key[..profile.key_len()])?;
        derive(profile, master, labels[1], &mut salt[..profile.salt_len()])?;
        derive(profile, master, labels[2], &mut authentication)?;
        Self::from_session_keys(profile, &key[..profile.key_len()], salt, &authentication)
    }

    fn from_session_keys(
        profile: Profile,
        key: &[u8],
        salt: [u8; 14],
        authentication: &[u8],
    ) -> Result<Self, Unspecified> {
        let gcm = match profile {
            Profile::AeadAes256Gcm => &AES_256_GCM,
            Profile::AeadAes128Gcm => &AES_128_GCM,
            Profile::Aes128CmHmacSha1_80 => {
                return Ok(Self::CounterMode(Box::new(CounterMode {
                    key: EncryptingKey::ctr(UnboundCipherKey::new(&AES_128, key)?)?,
                    salt,
                    authentication: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, authentication),
                })));
            }
        };
        let mut short = [0; 12];
        short.copy_from_slice(&salt[..12]);
        Ok(Self::Gcm { key: LessSafeKey::new(UnboundKey::new(gcm, key)?), salt: short })
    }

    pub fn tag_len(&self) -> usize {
        match self {
            Self::Gcm { .. } => GCM_TAG_LEN,
            Self::CounterMode(_) => SHA1_TAG_LEN,
        }
    }

    /// `buffer[..len]` is a packet whose first `header` bytes stay clear; the tag goes to `buffer[len..]`, which has room.
    pub fn seal_rtp(
        &self,
        ssrc: u32,
        index: u64,
        header: usize,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, Unspecified> {
        let (packet, tag) = buffer.split_at_mut(len);
        let (clear, payload) = packet.split_at_mut(header);
        match self {
            Self::Gcm { key, salt } => {
                let nonce = Nonce::assume_unique_for_key(gcm_rtp_nonce(salt, ssrc, index));
                let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(&clear[..]), payload)?;
                tag[..GCM_TAG_LEN].copy_from_slice(sealed.as_ref());
            }
            Self::CounterMode(keys) => {
                let CounterMode { key, salt, authentication } = &**keys;
                apply_keystream(key, salt, ssrc, index, payload)?;
                let computed = rtp_tag(authentication, packet, index);
                tag[..SHA1_TAG_LEN].copy_from_slice(&computed);
            }
        }
        Ok(len + self.tag_len())
    }

    /// Checks the tag at the end of `packet` and decrypts in place; the length without the tag.
    /// The packet's bytes are worthless after an error.
    pub fn open_rtp(
        &self,
        ssrc: u32,
        index: u64,
        header: usize,
        packet: &mut [u8],
    ) -> Result<usize, Unspecified> {
        let len = packet.len().checked_sub(self.tag_len()).filter(|len| *len >= header).ok_or(Unspecified)?;
        let (body, tag) = packet.split_at_mut(len);
        match self {
            Self::Gcm { key, salt } => {
                let nonce = Nonce::assume_unique_for_key(gcm_rtp_nonce(salt, ssrc, index));
                let (clear, payload) = body.split_at_mut(header);
                key.open_in_place_separate_tag(nonce, Aad::from(&clear[..]), tag, payload)?;
            }
            Self::CounterMode(keys) => {
                let CounterMode { key, salt, authentication } = &**keys;
                verify_slices_are_equal(&rtp_tag(authentication, body, index), tag)?;
                apply_keystream(key, salt, ssrc, index, &mut body[header..])?;
            }
        }
        Ok(len)
    }

    /// `buffer[..len]` is a compound packet; tag and index go behind it, for which there is room.
    ///
    /// ```text
    /// GCM   | header, SSRC (8, clear) | encrypted | tag (16) | E + index (4) |
    /// CM    | header, SSRC (8, clear) | encrypted | E + index (4) | tag (10) |
    /// ```
    pub fn seal_rtcp(
        &self,
        ssrc: u32,
        index: u32,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, Unspecified> {
        let trailer = (ENCRYPTED | index).to_be_bytes();
        match self {
            Self::Gcm { key, salt } => {
                let nonce = Nonce::assume_unique_for_key(gcm_rtcp_nonce(salt, ssrc, index));
                let aad = rtcp_aad(buffer, trailer);
                let tag =
                    key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut buffer[RTCP_CLEAR_LEN..len])?;
                buffer[len..len + GCM_TAG_LEN].copy_from_slice(tag.as_ref());
                buffer[len + GCM_TAG_LEN..][..SRTCP_INDEX_LEN].copy_from_slice(&trailer);
            }
            Self::CounterMode(keys) => {
                let CounterMode { key, salt, authentication } = &**keys;
                apply_keystream(key, salt, ssrc, u64::from(index), &mut buffer[RTCP_CLEAR_LEN..len])?;
                buffer[len..len + SRTCP_INDEX_LEN].copy_from_slice(&trailer);
                let (signed, tag) = buffer.split_at_mut(len + SRTCP_INDEX_LEN);
                let computed = hmac::sign(authentication, signed);
                tag[..SHA1_TAG_LEN].copy_from_slice(&computed.as_ref()[..SHA1_TAG_LEN]);
            }
        }
        Ok(len + self.tag_len() + SRTCP_INDEX_LEN)
    }

    /// The index that an SRTCP packet names, before any authentication; `None` if it is too short or not encrypted.
    pub fn rtcp_index(&self, packet: &[u8]) -> Option<u32> {
        let rest = packet.len().checked_sub(self.tag_len() + SRTCP_INDEX_LEN)?;
        if rest < RTCP_CLEAR_LEN {
            return None;
        }
        let at = match self {
            Self::Gcm { .. } => packet.len() - SRTCP_INDEX_LEN,
            Self::CounterMode(_) => rest,
        };
        let word = super::be32(packet, at);
        (word & ENCRYPTED != 0).then_some(word & !ENCRYPTED)
    }

    /// `index` is what [`Self::rtcp_index`] found. The length of the decrypted compound packet.
    pub fn open_rtcp(&self, ssrc: u32, index: u32, packet: &mut [u8]) -> Result<usize, Unspecified> {
        let len = packet.len() - self.tag_len() - SRTCP_INDEX_LEN;
        match self {
            Self::Gcm { key, salt } => {
                let nonce = Nonce::assume_unique_for_key(gcm_rtcp_nonce(salt, ssrc, index));
                let aad = rtcp_aad(packet, (ENCRYPTED | index).to_be_bytes());
                let (body, trailer) = packet.split_at_mut(len);
                let payload = &mut body[RTCP_CLEAR_LEN..];
                key.open_in_place_separate_tag(nonce, Aad::from(aad), &trailer[..GCM_TAG_LEN], payload)?;
            }
            Self::CounterMode(keys) => {
                let CounterMode { key, salt, authentication } = &**keys;
                let (signed, tag) = packet.split_at_mut(len + SRTCP_INDEX_LEN);
                let computed = hmac::sign(authentication, signed);
                verify_slices_are_equal(&computed.as_ref()[..SHA1_TAG_LEN], tag)?;
                apply_keystream(key, salt, ssrc, u64::from(index), &mut packet[RTCP_CLEAR_LEN..len])?;
            }
        }
        Ok(len)
    }
}

/// `00 00 | SSRC | ROC | SEQ` XOR salt (RFC 7714 section 8.1); ROC and SEQ together are the 48-bit index.
fn gcm_rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[6..].copy_from_slice(&index.to_be_bytes()[2..]);
    xor(nonce, salt)
}

/// `00 00 | SSRC | 00 00 | index` XOR salt (RFC 7714 section 9.1).
fn gcm_rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    xor(nonce, salt)
}

fn xor(mut nonce: [u8; 12], salt: &[u8; 12]) -> [u8; 12] {
    for (byte, salt) in nonce.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    nonce
}

/// RTCP header and SSRC, then `E` and index (RFC 7714 section 9.2).
fn rtcp_aad(packet: &[u8], trailer: [u8; 4]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..RTCP_CLEAR_LEN].copy_from_slice(&packet[..RTCP_CLEAR_LEN]);
    aad[RTCP_CLEAR_LEN..].copy_from_slice(&trailer);
    aad
}

/// AES counter mode from `(salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16)` (RFC 3711 section 4.1.1).
fn apply_keystream(
    key: &EncryptingKey,
    salt: &[u8; 14],
    ssrc: u32,
    index: u64,
    payload: &mut [u8],
) -> Result<(), Unspecified> {
    let mut iv = [0; 16];
    iv[4..8].copy_from_slice(&ssrc.to_be_bytes());
    iv[8..14].copy_from_slice(&index.to_be_bytes()[2..]);
    for (byte, salt) in iv.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    key.less_safe_encrypt(payload, EncryptionContext::Iv128(FixedLength::from(iv)))?;
    Ok(())
}

/// First 80 bits of HMAC-SHA1 over the packet and the rollover counter (RFC 3711 section 4.2).
fn rtp_tag(key: &hmac::Key, packet: &[u8], index: u64) -> [u8; SHA1_TAG_LEN] {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(&((index >> 16) as u32).to_be_bytes());
    let mut tag = [0; SHA1_TAG_LEN];
    tag.copy_from_slice(&context.sign().as_ref()[..SHA1_TAG_LEN]);
    tag
}

#[cfg(test)]
mod tests {
    use super::super::test_support::hex;
    use super::*;

    const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 \
                       20646976 69736120 696e2070 61727465 73207472 6573";
    const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 \
                        deadbeef deadbeef deadbeef deadbeef deadbeef";

    fn gcm(profile: Profile) -> Cipher {
        let key: Vec<u8> = (0..32).collect();
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(b"Quid pro quo");
        Cipher::from_session_keys(profile, &key[..profile.key_len()], salt, &[]).unwrap()
    }

    fn sealed_rtp(cipher: &Cipher, plain: &[u8], index: u64) -> Vec<u8> {
        let mut buffer = plain.to_vec();
        buffer.resize(plain.len() + cipher.tag_len(), 0);
        let len = cipher.seal_rtp(super::super::be32(plain, 8), index, 12, &mut buffer, plain.len()).unwrap();
        assert_eq!(len, buffer.len());
        buffer
    }

    #[test]
    fn rfc7714_section_16_srtp_vectors() {
        let expected = [
            (
                Profile::AeadAes128Gcm,
                "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a \
                 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
            ),
            (
                Profile::AeadAes256Gcm,
                "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 \
                 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
            ),
        ];
        for (profile, expected) in expected {
            let (cipher, plain) = (gcm(profile), hex(RTP));
            let mut packet = sealed_rtp(&cipher, &plain, 0xf17b);
            assert_eq!(packet, hex(expected), "{profile:?}");
            let len = cipher.open_rtp(0x5501_a0b2, 0xf17b, 12, &mut packet).unwrap();
            assert_eq!(packet[..len], plain);
        }
    }

    #[test]
    fn rfc7714_section_17_srtcp_vectors() {
        let expected = [
            (
                Profile::AeadAes128Gcm,
                "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda \
                 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
            ),
            (
                Profile::AeadAes256Gcm,
                "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be \
                 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
            ),
        ];
        for (profile, expected) in expected {
            let (cipher, plain) = (gcm(profile), hex(RTCP));
            let mut buffer = plain.clone();
            buffer.resize(plain.len() + 20, 0);
            let len = cipher.seal_rtcp(0x4d61_7273, 0x5d4, &mut buffer, plain.len()).unwrap();
            assert_eq!(len, buffer.len());
            assert_eq!(buffer, hex(expected), "{profile:?}");
            assert_eq!(cipher.rtcp_index(&buffer), Some(0x5d4));
            let len = cipher.open_rtcp(0x4d61_7273, 0x5d4, &mut buffer).unwrap();
            assert_eq!(buffer[..len], plain);
        }
    }

    #[test]
    fn rfc3711_b2_counter_mode_keystream() {
        let mut salt = [0; 14];
        salt.copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        let key = hex("2B7E151628AED2A6ABF7158809CF4F3C");
        let cipher = Cipher::from_session_keys(Profile::Aes128CmHmacSha1_80, &key, salt, &[0; 20]).unwrap();
        let Cipher::CounterMode(keys) = &cipher else { panic!("counter mode asked for") };
        let key = &keys.key;
        let mut zeroes = [0; 48];
        apply_keystream(key, &salt, 0, 0, &mut zeroes).unwrap();
        let expected = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB \
                        41E95B3BB0A2E8DD477901E4FCA894C0";
        assert_eq!(zeroes.to_vec(), hex(expected));
    }

    /// The reference packet that libsrtp checks itself with, keys of RFC 3711 B.3.
    #[test]
    fn counter_mode_with_hmac_whole_packet() {
        let profile = Profile::Aes128CmHmacSha1_80;
        let master = MasterKey::new(
            profile,
            &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
            &hex("0EC675AD498AFEEBB6960B3AABE6"),
        )
        .unwrap();
        let cipher = Cipher::for_rtp(profile, &master).unwrap();
        let plain = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
        let mut packet = sealed_rtp(&cipher, &plain, 0x1234);
        assert_eq!(
            packet,
            hex("800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402 b78d6acc 99ea179b 8dbb")
        );
        let len = cipher.open_rtp(0xcafe_babe, 0x1234, 12, &mut packet).unwrap();
        assert_eq!(packet[..len], plain);
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for profile in Profile::ALL {
            let master =
                MasterKey::new(profile, &[7; 32][..profile.key_len()], &[9; 14][..profile.salt_len()]);
            let cipher = Cipher::for_rtp(profile, &master.unwrap()).unwrap();
            let plain = hex(RTP);
            let sealed = sealed_rtp(&cipher, &plain, 0xf17b);
            for bit in 0..sealed.len() * 8 {
                let mut broken = sealed.clone();
                broken[bit / 8] ^= 1 << (bit % 8);
                assert!(cipher.open_rtp(0x5501_a0b2, 0xf17b, 12, &mut broken).is_err(), "{profile:?} {bit}");
            }
            let mut other_rollover = sealed.clone();
            assert!(cipher.open_rtp(0x5501_a0b2, 0x1_f17b, 12, &mut other_rollover).is_err());
        }
    }
}
