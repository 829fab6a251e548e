//! Text from a browser: an offer, and messages of the WebSocket.

use sdp::{AnswerParams, Offer, answer};
use transport::{DtlsSetup, Fingerprint, IceCredentials};

fn params() -> AnswerParams<'static> {
    AnswerParams {
        ice: IceCredentials { ufrag: "00ab".into(), pwd: "0123456789abcdef012345".into() },
        fingerprint: Fingerprint([7; 32]),
        setup: DtlsSetup::Passive,
        candidates: &[],
        ice_lite: true,
        pairs: &[],
        red: true,
        data: true,
        ssrc_seed: 1,
        previous: None,
        session_id: 1,
        session_version: 1,
    }
}

/// What parses is answered or refused; what is answered is answered again with the same slots.
pub fn sdp_offer(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(offer) = Offer::parse(text) else { return };
    let Ok((_, media, _)) = answer(&offer, &params()) else { return };
    let again = AnswerParams { previous: Some(&media), ssrc_seed: 2, session_version: 2, ..params() };
    let (_, media_again, _) = answer(&offer, &again).expect("the same offer is answered again");
    assert_eq!(media_again.slots, media.slots);
}

/// What parses is written and parses to the same; what does not is refused in few words.
pub fn signaling_json(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match wire::parse(text) {
        Ok(message) => {
            let written = serde_json::to_string(&message).expect("a message is JSON");
            assert_eq!(wire::parse(&written).as_ref(), Ok(&message));
        }
        Err(refusal) => assert!(refusal.message.chars().count() <= 300, "{}", refusal.message),
    }
}

/// A binary frame holds text of a bounded size, which is deflated and inflated to the same, or none.
pub fn signaling_deflate(input: &[u8]) {
    // A frame that refers, with the input's first half as what was said.
    let (said, frame) = input.split_at(input.len() / 2);
    if let Ok(said) = std::str::from_utf8(said)
        && let Ok(text) = wire::deflate::inflate_after(frame, Some(said))
    {
        assert!(text.len() <= wire::limits::MESSAGE_BYTES_MAX);
        if let Some(bytes) = wire::deflate::deflate_after(&text, said) {
            assert_eq!(wire::deflate::inflate_after(&bytes, Some(said)).as_ref(), Ok(&text));
        }
    }
    let Ok(text) = wire::deflate::inflate(input) else { return };
    assert!(text.len() <= wire::limits::MESSAGE_BYTES_MAX);
    if let Some(bytes) = wire::deflate::deflate(&text) {
        assert_eq!(wire::deflate::inflate(&bytes).as_ref(), Ok(&text));
    }
    signaling_json(text.as_bytes());
}
