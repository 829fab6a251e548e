//! Tokens that are taken and tokens that are not.

use access::{Ban, Claims, Denied, GrantClaims, Revoked, SigningKey, TOKEN_BYTES_MAX, VerifyingKeys};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rooms::{Grants, Source, Sources};

const NOW_S: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn claims() -> Claims {
    Claims {
        room: "demo".into(),
        sub: "ann".into(),
        name: None,
        exp: NOW_S + 60,
        nbf: None,
        jti: Some("t1".into()),
        role: None,
        wait: false,
        grants: GrantClaims::participant(),
    }
}

fn secret_keys() -> VerifyingKeys {
    let mut keys = VerifyingKeys::default();
    keys.add_secret(SECRET).unwrap();
    keys
}

fn token() -> String {
    SigningKey::secret(SECRET).unwrap().sign(&claims()).unwrap()
}

/// A token of these parts with a right HS256 signature.
fn signed(header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET);
    format!("{signed}.{}", BASE64.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes())))
}

#[test]
fn every_algorithm_signs_what_its_key_verifies_and_no_other_key_does() {
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let public = |key: &dyn Fn() -> Vec<u8>| {
        let mut keys = VerifyingKeys::default();
        keys.add_public(&key()).unwrap();
        keys
    };
    let pairs = [
        (SigningKey::secret(SECRET).unwrap(), secret_keys()),
        (
            SigningKey::private(ed25519.to_pkcs8().unwrap().as_ref()).unwrap(),
            public(&|| ed25519.public_key().as_der().unwrap().as_ref().to_vec()),
        ),
        (
            SigningKey::private(p256.to_pkcs8v1().unwrap().as_ref()).unwrap(),
            public(&|| p256.public_key().as_der().unwrap().as_ref().to_vec()),
        ),
    ];
    for (i, (signing, _)) in pairs.iter().enumerate() {
        let token = signing.sign(&claims()).unwrap();
        for (j, (_, verifying)) in pairs.iter().enumerate() {
            let expected = if i == j { Ok(claims()) } else { Err(Denied::Algorithm) };
            assert_eq!(verifying.verify(&token, NOW_S), expected, "{} {j}", signing.algorithm());
        }
    }
}

/// RFC 7515, appendix A.1: a signature that somebody else has made. Its claims are not ours, and signed all the same.
#[test]
fn a_signature_of_the_standard_is_verified() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
        dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let mut keys = VerifyingKeys::default();
    keys.add_secret(&BASE64.decode(key).unwrap()).unwrap();
    assert_eq!(keys.verify(token, NOW_S), Err(Denied::Claims));
    let altered = token.replace("dBjft", "dBjfu");
    assert_eq!(keys.verify(&altered, NOW_S), Err(Denied::Signature));
}

#[test]
fn what_is_wrong_with_a_token_is_found_out() {
    let keys = secret_keys();
    let body = serde_json::to_string(&claims()).unwrap();
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    assert_eq!(keys.verify(&signed(header, &body), NOW_S), Ok(claims()));
    let with = |change: fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        SigningKey::secret(SECRET).unwrap().sign(&claims).unwrap()
    };
    let unsigned = format!("{}.{}.", BASE64.encode(r#"{"alg":"none"}"#), BASE64.encode(&body));
    let cases = [
        (String::new(), Denied::Malformed),
        ("..".into(), Denied::Malformed),
        ("a.b".into(), Denied::Malformed),
        ("!.!.!".into(), Denied::Malformed),
        (token().replace('.', ""), Denied::Malformed),
        (format!("{}=", token()), Denied::Malformed),
        ("x".repeat(TOKEN_BYTES_MAX + 1), Denied::TooLarge),
        (unsigned, Denied::Algorithm),
        (signed(r#"{"alg":"none"}"#, &body), Denied::Algorithm),
        (signed(r#"{"alg":"hs256"}"#, &body), Denied::Algorithm),
        (signed(r#"{"alg":"RS256"}"#, &body), Denied::Algorithm),
        (signed(r#"{"alg":"ES256"}"#, &body), Denied::Algorithm),
        (signed(r#"{"alg":["HS256"]}"#, &body), Denied::Malformed),
        (signed(r#"{"alg":"HS256","crit":["exp"]}"#, &body), Denied::Malformed),
        (signed("{}", &body), Denied::Malformed),
        (signed(header, "{}"), Denied::Claims),
        (signed(header, "[]"), Denied::Claims),
        (signed(header, &body.replace("\"exp\":", "\"expires\":")), Denied::Claims),
        (signed(header, &body.replace("1800000060", "-1")), Denied::Claims),
        (signed(header, &body.replace("1800000060", "1e300")), Denied::Claims),
        (with(|c| c.exp = NOW_S - 6), Denied::Expired),
        (with(|c| c.exp = 0), Denied::Expired),
        (with(|c| c.nbf = Some(NOW_S + 6)), Denied::Early),
        (with(|c| c.nbf = Some(u64::MAX)), Denied::Early),
    ];
    for (index, (token, expected)) in cases.into_iter().enumerate() {
        assert_eq!(keys.verify(&token, NOW_S), Err(expected), "case {index}");
    }
    assert!(keys.verify(&with(|c| c.exp = u64::MAX), NOW_S).is_ok());
    assert!(
        keys.verify(&with(|c| (c.exp, c.nbf) = (NOW_S - 5, Some(NOW_S + 5))), NOW_S).is_ok(),
        "clocks differ"
    );
}

#[test]
fn a_token_that_is_cut_or_altered_anywhere_is_refused() {
    let (keys, token) = (secret_keys(), token());
    for len in 0..token.len() {
        assert!(keys.verify(&token[..len], NOW_S).is_err(), "cut at {len}");
    }
    for at in 0..token.len() {
        let mut altered = token.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        // The last character of base64 may hold bits that mean nothing; a strict decoder refuses those as well.
        assert!(keys.verify(&altered, NOW_S).is_err(), "altered at {at}");
    }
}

#[test]
fn old_and_new_keys_are_taken_side_by_side_and_short_ones_never() {
    let mut keys = VerifyingKeys::default();
    assert!(keys.add_secret(&SECRET[1..]).is_err() && SigningKey::secret(&[]).is_err());
    assert!(keys.add_public(b"no key").is_err() && SigningKey::private(b"no key").is_err());
    assert!(keys.is_empty());
    assert_eq!(keys.verify(&token(), NOW_S), Err(Denied::Algorithm), "without keys nobody gets in");
    keys.add_secret(&[7; 32]).unwrap();
    assert_eq!(keys.verify(&token(), NOW_S), Err(Denied::Signature));
    keys.add_secret(SECRET).unwrap();
    assert!(keys.verify(&token(), NOW_S).is_ok());
}

#[test]
fn what_is_not_granted_is_denied_and_unknown_sources_are_nothing() {
    let grants: GrantClaims = serde_json::from_str(r#"{"join":true,"publish":["camera","smell"]}"#).unwrap();
    let expected = Grants { publish: Sources::NONE.with(Source::Camera), ..Grants::NONE };
    assert_eq!((grants.to_rooms(), grants.join), (expected, true));
    assert_eq!(serde_json::from_str::<GrantClaims>("{}").unwrap().to_rooms(), Grants::NONE);
}

#[test]
fn who_was_removed_and_what_was_revoked_stays_out_across_a_restart() {
    let mut revoked = Revoked::default();
    assert_eq!(revoked.check(&claims(), NOW_S), Ok(()));
    revoked.ban(Ban { room: "demo".into(), identity: "ann".into(), until_s: NOW_S + 10 });
    assert_eq!(revoked.check(&claims(), NOW_S), Err(Denied::Banned));
    let elsewhere = Claims { room: "other".into(), ..claims() };
    let somebody = Claims { sub: "ben".into(), ..claims() };
    assert_eq!((revoked.check(&elsewhere, NOW_S), revoked.check(&somebody, NOW_S)), (Ok(()), Ok(())));
    revoked.revoke("t1", NOW_S + 60);
    let mut again = Revoked::import(revoked.export());
    assert_eq!(again.check(&somebody, NOW_S), Err(Denied::Revoked));
    assert!(again.pardon("demo", "ann") && !again.pardon("demo", "ann"));
    again.forget(NOW_S + 100);
    assert_eq!(again.export(), Default::default());
}

#[test]
fn a_role_lets_in_and_its_grants_are_added_to_those_that_are_named() {
    use rooms::{Role, Source};
    let named = GrantClaims { publish: vec!["screen".into()], record: true, ..GrantClaims::default() };
    let student = Claims { role: Some("student".into()), grants: named, ..claims() };
    let grants = student.grants();
    assert!(student.may_join() && grants.may_publish(Source::Screen) && grants.may_publish(Source::Camera));
    assert!(grants.record && grants.data && !grants.moderate);
    for role in Role::ALL {
        let alone = Claims { role: Some(role.name().into()), grants: GrantClaims::default(), ..claims() };
        assert_eq!((alone.role(), alone.grants()), (Some(role), role.grants()));
    }
    let unknown = Claims { role: Some("king".into()), grants: GrantClaims::default(), ..claims() };
    assert!(!unknown.may_join() && unknown.grants() == rooms::Grants::NONE);
}
