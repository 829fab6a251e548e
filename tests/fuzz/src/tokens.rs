//! A token that somebody brings: its text, and the header and claims behind a good signature.

use access::{Claims, Denied, GrantClaims, SigningKey, VerifyingKeys};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD as BASE64;

pub const SECRET: &[u8] = b"a secret that has at least 32 bytes";
/// Seconds since 1970.
pub const NOW_S: u64 = 1_800_000_000;

fn keys() -> VerifyingKeys {
    let mut keys = VerifyingKeys::default();
    keys.add_secret(SECRET).expect("long enough");
    keys
}

/// What is let in was signed by us, in time, and says the same when it is written again. A letter more or less is not it.
fn check(token: &str) {
    let keys = keys();
    let Ok(claims) = keys.verify(token, NOW_S) else { return };
    assert!(claims.exp.saturating_add(5) >= NOW_S && claims.nbf.is_none_or(|nbf| nbf <= NOW_S + 5));
    let (signed, signature) = token.rsplit_once('.').expect("a signed token");
    let signature = BASE64.decode(signature.as_bytes()).expect("base64url");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    hmac::verify(&key, signed.as_bytes(), &signature).expect("signed by us");
    let again = SigningKey::secret(SECRET).expect("long enough").sign(&claims).expect("claims are JSON");
    assert_eq!(keys.verify(&again, NOW_S), Ok(claims));
    let shorter = &token[..token.len() - 1];
    assert!(keys.verify(shorter, NOW_S).is_err());
    assert!(keys.verify(&format!("{token}A"), NOW_S).is_err());
}

/// The input is the text of a token, and once more its header and claims, apart by a zero byte, behind a good signature.
pub fn access_token(input: &[u8]) {
    if let Ok(token) = std::str::from_utf8(input) {
        check(token);
        assert_ne!(keys().verify(token, NOW_S).err(), Some(Denied::Room), "rooms are the caller's business");
    }
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
    let signature = hmac::sign(&key, signed.as_bytes());
    check(&format!("{signed}.{}", BASE64.encode(signature.as_ref())));
}

/// First inputs: good ones, and those that are wrong in one way each.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let claims = Claims {
        room: "demo".into(),
        sub: "ann".into(),
        name: Some("Ann".into()),
        exp: NOW_S + 60,
        nbf: Some(NOW_S),
        jti: Some("t1".into()),
        role: Some("student".into()),
        wait: true,
        grants: GrantClaims { moderate: true, ..GrantClaims::participant() },
    };
    let sign = |claims: &Claims| {
        SigningKey::secret(SECRET).expect("long enough").sign(claims).expect("claims are JSON")
    };
    let good = sign(&claims);
    let expired = sign(&Claims { exp: NOW_S - 60, ..claims.clone() });
    let early = sign(&Claims { nbf: Some(NOW_S + 60), ..claims.clone() });
    let (body, _) = good.rsplit_once('.').expect("a signed token");
    let unsigned =
        format!("{}.{}.", BASE64.encode(br#"{"alg":"none"}"#), body.split_once('.').expect("two parts").1);
    let header = br#"{"alg":"HS256","typ":"JWT"}"#.as_slice();
    let parts = |header: &[u8], claims: &[u8]| [header, &[0], claims].concat();
    let text = br#"{"room":"demo","sub":"ann","exp":1800000060,"grants":{"join":true,"publish":["camera"]}}"#;
    let deep = b"[".repeat(3000);
    let forever = br#"{"room":"*","sub":"","exp":18446744073709551615,"nbf":0,"grants":{"admin":true}}"#;
    let inputs: [(&str, Vec<u8>); 10] = [
        ("good", good.clone().into_bytes()),
        ("cut", good[..good.len() / 2].to_owned().into_bytes()),
        ("expired", expired.into_bytes()),
        ("early", early.into_bytes()),
        ("unsigned", unsigned.into_bytes()),
        ("claims", parts(header, text)),
        ("critical", parts(br#"{"alg":"HS256","crit":["b64"]}"#, text)),
        ("forever", parts(header, forever)),
        ("deep", parts(header, &deep)),
        ("another_algorithm", parts(br#"{"alg":"EdDSA"}"#, text)),
    ];
    inputs.into_iter().map(|(name, bytes)| (format!("{name}.bin"), bytes)).collect()
}
