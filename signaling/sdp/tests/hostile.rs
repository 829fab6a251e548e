//! Offers that nobody's browser wrote. The answer is an error with a reason, quickly, whatever comes.

use proptest::prelude::*;
use sdp::{AnswerParams, Error, Offer, answer, limit};
use transport::{DtlsSetup, Fingerprint, IceCredentials};

const REAL: [&str; 2] =
    [include_str!("descriptions/chromium-simulcast.sdp"), include_str!("descriptions/firefox-data.sdp")];

#[test]
fn limits_hold() {
    let head = "v=0\r\n";
    assert_eq!(
        Offer::parse(&"x".repeat(limit::DESCRIPTION_BYTES + 1)).unwrap_err(),
        Error::TooLong(limit::DESCRIPTION_BYTES)
    );
    let many = format!("{head}{}", "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n".repeat(limit::MEDIA + 1));
    assert_eq!(Offer::parse(&many).unwrap_err(), Error::TooMany("m-lines"));
    let m = format!("{head}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n");
    for (lines, what) in [
        ("a=x\r\n".repeat(limit::ATTRIBUTES + 1), "m-line: too many attributes"),
        ((0..=limit::SSRCS).map(|n| format!("a=ssrc:{n} cname:x\r\n")).collect(), "a=ssrc: too many"),
        ((0..=limit::LAYERS).map(|n| format!("a=rid:r{n} send\r\n")).collect(), "a=rid: too many layers"),
        ("a=simulcast:send a;b;c;d;e\r\n".to_owned(), "a=simulcast"),
        (format!("a={}\r\n", "y".repeat(limit::LINE_BYTES)), "line: too long"),
    ] {
        match Offer::parse(&format!("{m}{lines}")).unwrap_err() {
            Error::Malformed { what: got, .. } => assert_eq!(got, what),
            other => panic!("{what}: {other}"),
        }
    }
}

#[test]
fn malformed_lines_are_named_with_their_number() {
    for (line, what) in [
        ("nonsense", "line"),
        ("a=mid:with space", "a=mid (1 to 16 token characters)"),
        ("a=mid:12345678901234567", "a=mid (1 to 16 token characters)"),
        ("a=rtpmap:300 VP8/90000", "a=rtpmap"),
        ("a=rtpmap:96 VP8", "a=rtpmap"),
        ("a=ssrc:99999999999 cname:x", "a=ssrc"),
        ("a=ssrc-group:FID 1", "a=ssrc-group"),
        ("a=extmap:x urn:y", "a=extmap"),
        ("a=rid:a both", "a=rid"),
        ("a=ice-ufrag:ab", "a=ice-ufrag"),
        ("a=ice-pwd:tooshort", "a=ice-pwd"),
        ("a=ice-pwd:0123456789012345678901\u{e9}", "a=ice-pwd"),
        ("a=setup:holdconn", "a=setup"),
        ("a=fingerprint:sha-256 AA:BB", "a=fingerprint"),
        ("m=audio", "m-line"),
        ("m=audio 99999 UDP/TLS/RTP/SAVPF 0", "port"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 128", "payload type"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 0 0", "format list: a payload type twice"),
        ("m=<b> 9 UDP/TLS/RTP/SAVPF 0", "m-line"),
    ] {
        let text = format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n{line}\r\n");
        assert_eq!(Offer::parse(&text).unwrap_err(), Error::Malformed { line: 3, what }, "{line}");
    }
    assert_eq!(
        Offer::parse("hello").unwrap_err(),
        Error::Malformed { line: 1, what: "first line (v=0 expected)" }
    );
}

#[test]
fn two_lines_with_one_mid_are_refused() {
    let offer = REAL[0].replace("a=mid:3\r\n", "a=mid:2\r\n");
    assert_eq!(Offer::parse(&offer).unwrap_err(), Error::Conflict("two m-lines have the same a=mid"));
}

#[test]
fn nothing_unread_of_an_offer_comes_back_in_the_answer() {
    let offer = REAL[0]
        .replace("a=fmtp:111 minptime=10", "a=fmtp:111 evil=<script>;minptime=10")
        .replace("level-idx=5;", "level-idx=5;evil=1;")
        .replace("a=msid:", "a=msid:evil");
    let answer = answer(&Offer::parse(&offer).unwrap(), &params()).unwrap().0;
    assert!(!answer.contains("evil"), "{answer}");
}

proptest! {
    #[test]
    fn any_text_is_answered_or_refused(text in "\\PC{0,200}") {
        try_it(&text);
        try_it(&format!("v=0\r\n{text}"));
    }

    /// Real offers with lines dropped, doubled, swapped and bytes changed get into the deep corners.
    #[test]
    fn any_mutation_of_a_real_offer_is_answered_or_refused(
        which in 0..REAL.len(),
        edits in prop::collection::vec((0u8..5, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<char>()), 1..12),
    ) {
        let mut lines: Vec<String> = REAL[which].lines().map(str::to_owned).collect();
        for (kind, a, b, c) in edits {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            match kind {
                0 => { lines.remove(a); }
                1 => { let line = lines[a].clone(); lines.insert(b, line); }
                2 => lines.swap(a, b),
                3 => { let at = lines[a].char_indices().nth(b % 40).map_or(0, |x| x.0); lines[a].insert(at, c); }
                _ => { let keep = lines[a].chars().take(b % 60).collect(); lines[a] = keep; }
            }
            if lines.is_empty() { break; }
        }
        try_it(&lines.join("\r\n"));
    }
}

/// Must not panic, and what is answered must be read back by our own parser as an answer's peer would.
fn try_it(text: &str) {
    let Ok(offer) = Offer::parse(text) else { return };
    if let Ok((text, media, _)) = answer(&offer, &params()) {
        let again = Offer::parse(&text).expect("our own answer parses");
        assert!(again.media().count() >= media.tracks.len() + media.slots.len());
    }
}

fn params() -> AnswerParams<'static> {
    AnswerParams {
        ice: IceCredentials { ufrag: "0aSampan".into(), pwd: "abcdefghijklmnopqrstuvwx".into() },
        fingerprint: Fingerprint([7; 32]),
        setup: DtlsSetup::Passive,
        candidates: &[],
        ice_lite: true,
        pairs: &[],
        red: true,
        data: true,
        ssrc_seed: 1,
        previous: None,
        session_id: 42,
        session_version: 1,
    }
}
