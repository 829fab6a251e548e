//! Session keys from master keys (RFC 3711 section 4.3, RFC 7714 section 11). Key derivation rate 0: once per session.

use super::{MasterKey, Profile};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;

/// What a derived key is for (RFC 3711 section 4.3.2).
#[derive(Clone, Copy)]
pub enum Label {
    RtpKey = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpKey = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// AES in counter mode over zeroes, from `(salt XOR label at its place) * 2^16`:
///
/// ```text
/// byte  0 ..........  7 ............ 13 14 15
///       master salt   ^ label           00 00   (counter)
/// ```
pub fn derive(profile: Profile, master: &MasterKey, label: Label, out: &mut [u8]) -> Result<(), Unspecified> {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(master.padded_salt());
    iv[7] ^= label as u8;
    out.fill(0);
    let algorithm = if profile.key_len() == 32 { &AES_256 } else { &AES_128 };
    let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, master.key(profile))?)?;
    key.less_safe_encrypt(out, EncryptionContext::Iv128(FixedLength::from(iv)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_support::hex;
    use super::*;

    #[test]
    fn rfc3711_b3_key_derivation_vectors() {
        let profile = Profile::Aes128CmHmacSha1_80;
        let master = MasterKey::new(
            profile,
            &hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
            &hex("0EC675AD498AFEEBB6960B3AABE6"),
        )
        .unwrap();
        let mut key = [0; 16];
        derive(profile, &master, Label::RtpKey, &mut key).unwrap();
        assert_eq!(key.to_vec(), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        let mut salt = [0; 14];
        derive(profile, &master, Label::RtpSalt, &mut salt).unwrap();
        assert_eq!(salt.to_vec(), hex("30CBBC08863D8C85D49DB34A9AE1"));
        let mut authentication = [0; 94];
        derive(profile, &master, Label::RtpAuthentication, &mut authentication).unwrap();
        let expected = "CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE \
                        E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25 \
                        6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2";
        assert_eq!(authentication.to_vec(), hex(expected));
    }
}
