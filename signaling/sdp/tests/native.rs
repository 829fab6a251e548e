//! The native client's offer, answered by the server side, read back.

use packet::ext::Extension;
use packet::media::{MediaKind, SendTrack};
use packet::{Mid, Rid, Ssrc};
use sdp::{AnswerParams, Error, Offer, OfferParams, accept_answer, answer, make_offer};
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials};

#[test]
fn both_ends_agree_on_tracks_slots_codecs_and_transport() {
    let tracks = tracks();
    let pairs = pairs();
    let offered = offer_params(&tracks, &pairs);
    let candidates = [Candidate { address: "192.0.2.1:3478".parse().unwrap() }];
    let answering = AnswerParams { candidates: &candidates, pairs: &pairs, ..answer_params() };
    let offer = Offer::parse(&make_offer(&offered)).unwrap();
    let (text, server, server_remote) = answer(&offer, &answering).unwrap();
    let (client, client_remote) = accept_answer(&offered, &text).unwrap();

    assert_eq!(client, server, "one truth, seen from both ends");
    assert_eq!(client.tracks, tracks);
    assert_eq!(client.slots.len(), 4);
    assert_eq!(client.sctp_port, Some(5000));
    assert_eq!(client.codecs, sdp::native_codecs());
    assert_eq!(client.extensions.id(Extension::TransportSequence), Some(3));
    assert_eq!(server_remote.ice, offered.ice);
    assert_eq!(server_remote.setup, DtlsSetup::Active);
    assert_eq!(client_remote.ice, answering.ice);
    assert_eq!(client_remote.setup, DtlsSetup::Passive);
    assert_eq!(client_remote.fingerprint, answering.fingerprint);
    assert_eq!(client_remote.candidates, candidates);
}

#[test]
fn repair_packets_of_a_slot_have_a_source_of_their_own_that_outlives_a_new_offer() {
    let (tracks, pairs) = (tracks(), pairs());
    let offered = offer_params(&tracks, &pairs);
    let text = make_offer(&offered);
    assert!(text.contains(
        "a=rtpmap:98 flexfec/90000\r\na=rtcp-fb:98 transport-cc\r\na=fmtp:98 repair-window=200000\r\n"
    ));
    let offer = Offer::parse(&text).unwrap();
    let (text, server, _) = answer(&offer, &answer_params()).unwrap();
    let of = |kind| server.slots.iter().filter(move |slot| slot.kind == kind);
    assert!(of(MediaKind::Audio).all(|slot| slot.fec.is_none()));
    for slot in of(MediaKind::Video) {
        let (ssrc, fec) = (slot.ssrc.0, slot.fec.unwrap().0);
        assert!(text.contains(&format!("a=ssrc-group:FEC-FR {ssrc} {fec}\r\n")));
        assert!(text.contains(&format!("a=ssrc:{fec} cname:")));
    }
    let again = AnswerParams { previous: Some(&server), ssrc_seed: 2, ..answer_params() };
    assert_eq!(answer(&offer, &again).unwrap().1.slots, server.slots);
    // RFC 8627 section 5.1.1: without a window it is none.
    let other = make_offer(&offered).replace("repair-window=200000", "repair-window=0");
    let (text, server, _) = answer(&Offer::parse(&other).unwrap(), &answer_params()).unwrap();
    assert!(!text.contains("flexfec") && !text.contains("FEC-FR"));
    assert!(server.slots.iter().all(|slot| slot.fec.is_none()));
}

#[test]
fn layers_survive_the_exchange() {
    let mut tracks = tracks();
    tracks[1].rids = ["l", "h"].map(|r| Rid::new(r).unwrap()).into();
    tracks[1].ssrcs.clear();
    let offered = offer_params(&tracks, &[]);
    let offer = Offer::parse(&make_offer(&offered)).unwrap();
    let (text, server, _) = answer(&offer, &answer_params()).unwrap();
    assert_eq!(server.tracks[1].rids, tracks[1].rids);
    assert_eq!(accept_answer(&offered, &text).unwrap().0.tracks[1].rids, tracks[1].rids);
    assert_eq!(server.extensions.id(Extension::Rid), Some(10));
}

#[test]
fn a_refused_line_is_absent() {
    let (tracks, pairs) = (tracks(), pairs());
    let offered = offer_params(&tracks, &pairs);
    let text = make_offer(&offered).replacen("a=rtcp-mux\r\n", "", 1);
    let (text, ..) = answer(&Offer::parse(&text).unwrap(), &answer_params()).unwrap();
    let (client, _) = accept_answer(&offered, &text).unwrap();
    assert_eq!(client.tracks, tracks[1..]);
}

#[test]
fn a_foreign_answer_is_refused() {
    let (tracks, pairs) = (tracks(), pairs());
    let offered = offer_params(&tracks, &pairs);
    let offer = Offer::parse(&make_offer(&offered)).unwrap();
    let (text, ..) = answer(&offer, &answer_params()).unwrap();
    let swapped = text.replace("a=mid:a\r\n", "a=mid:z\r\n");
    assert!(matches!(accept_answer(&offered, &swapped), Err(Error::Conflict(_))));
    let undecided = text.replace("a=setup:passive", "a=setup:actpass");
    assert!(matches!(accept_answer(&offered, &undecided), Err(Error::Conflict(_))));
    let cut = &text[..text.rfind("m=").unwrap()];
    assert!(matches!(accept_answer(&offered, cut), Err(Error::Conflict(_))));
}

fn tracks() -> Vec<SendTrack> {
    let track = |mid, kind, ssrc, rtx: Option<u32>| SendTrack {
        mid: Mid::new(mid).unwrap(),
        kind,
        rids: vec![],
        ssrcs: vec![(Ssrc(ssrc), rtx.map(Ssrc))],
    };
    vec![track("a", MediaKind::Audio, 11, None), track("v", MediaKind::Video, 12, Some(13))]
}

fn pairs() -> Vec<(Mid, Mid)> {
    [("s0a", "s0v"), ("s1a", "s1v")].map(|(a, v)| (Mid::new(a).unwrap(), Mid::new(v).unwrap())).into()
}

fn offer_params<'a>(tracks: &'a [SendTrack], pairs: &'a [(Mid, Mid)]) -> OfferParams<'a> {
    OfferParams {
        ice: IceCredentials { ufrag: "client".into(), pwd: "0123456789abcdefghijklmn".into() },
        fingerprint: Fingerprint([9; 32]),
        setup: DtlsSetup::ActPass,
        candidates: &[],
        codecs: sdp::native_codecs().leak(),
        extensions: sdp::native_extensions(),
        tracks,
        pairs,
        data: Mid::new("data"),
        cname: "bot",
        session_id: 1,
        session_version: 1,
    }
}

fn answer_params() -> AnswerParams<'static> {
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
