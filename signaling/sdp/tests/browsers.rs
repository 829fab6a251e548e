//! Offers as real browsers wrote them (Chromium 156, Firefox ESR 153; see `descriptions/README.md`), answered.

use packet::ext::Extension;
use packet::media::{Codec, MediaKind, PeerMedia};
use packet::{Mid, PayloadType, Rid};
use sdp::{AnswerParams, Direction, Error, Offer, answer};
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};

const CHROMIUM_PLAIN: &str = include_str!("descriptions/chromium-plain.sdp");
const CHROMIUM_SIMULCAST: &str = include_str!("descriptions/chromium-simulcast.sdp");
const CHROMIUM_DATA: &str = include_str!("descriptions/chromium-data.sdp");
const FIREFOX_PLAIN: &str = include_str!("descriptions/firefox-plain.sdp");
const FIREFOX_SIMULCAST: &str = include_str!("descriptions/firefox-simulcast.sdp");
const FIREFOX_DATA: &str = include_str!("descriptions/firefox-data.sdp");

#[test]
fn chromium_simulcast_is_received_by_rid() {
    let (text, media, _) = answered(CHROMIUM_SIMULCAST);
    assert_eq!(media.tracks[1].rids, ["l", "m", "h"].map(|r| Rid::new(r).unwrap()));
    assert!(media.tracks[1].ssrcs.is_empty());
    let video = section(&text, "1");
    assert!(video.contains("a=simulcast:recv l;m;h\r\n"));
    for rid in ["l", "m", "h"] {
        assert!(video.contains(&format!("a=rid:{rid} recv\r\n")));
    }
    assert!(video.contains("a=recvonly\r\n"));
}

#[test]
fn chromium_without_simulcast_names_its_ssrcs() {
    let (_, media, _) = answered(CHROMIUM_PLAIN);
    assert_eq!(media.tracks[0].ssrcs.len(), 1);
    assert_eq!(media.tracks[0].ssrcs[0].1, None);
    assert_eq!(media.tracks[1].ssrcs.len(), 1);
    assert!(media.tracks[1].ssrcs[0].1.is_some(), "video has a retransmission partner");
    assert!(media.tracks[1].rids.is_empty());
}

#[test]
fn firefox_names_layers_and_ssrcs() {
    let (text, media, _) = answered(FIREFOX_SIMULCAST);
    assert_eq!(media.tracks[1].rids.len(), 3);
    assert_eq!(media.tracks[1].ssrcs.len(), 3);
    assert!(media.tracks[1].ssrcs.iter().all(|s| s.1.is_some()));
    assert!(section(&text, "1").contains("a=simulcast:recv l;m;h\r\n"));
}

#[test]
fn codecs_are_those_we_forward() {
    let (_, media, _) = answered(CHROMIUM_PLAIN);
    let got: Vec<(Codec, u8, Option<u8>)> =
        media.codecs.iter().map(|c| (c.codec, c.pt.0, c.rtx.map(|r| r.0))).collect();
    assert_eq!(
        got,
        [
            (Codec::Opus, 111, None),
            (Codec::Vp8, 96, Some(97)),
            (Codec::H264, 108, Some(109)),
            (Codec::Av1, 45, Some(46)),
            (Codec::Vp9, 98, Some(99)),
            (Codec::Flexfec03, 49, None),
        ]
    );
    let vp8 = &media.codecs[1];
    assert!(vp8.nack && vp8.pli && vp8.transport_cc);
    let (_, media, _) = answered(FIREFOX_PLAIN);
    let got: Vec<(Codec, u8, Option<u8>)> =
        media.codecs.iter().map(|c| (c.codec, c.pt.0, c.rtx.map(|r| r.0))).collect();
    assert_eq!(
        got,
        [
            (Codec::Opus, 109, None),
            (Codec::Vp8, 120, Some(124)),
            (Codec::Vp9, 121, Some(125)),
            (Codec::Av1, 99, Some(100)),
            (Codec::Ulpfec, 123, None),
            (Codec::VideoRed, 122, Some(119)),
        ]
    );
}

#[test]
fn plain_baseline_is_taken_where_nothing_more_constrained_is_offered() {
    let h264 = |offer: &str| {
        let (text, media, _) = answered(offer);
        let config = media.codecs.into_iter().find(|c| c.codec == Codec::H264);
        config.map(|c| (c.pt.0, c.fmtp.clone(), text.contains(&format!("a=fmtp:{} {}\r\n", c.pt.0, c.fmtp))))
    };
    let fmtp = |id: &str| format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={id}");
    assert_eq!(h264(CHROMIUM_PLAIN), Some((108, fmtp("42e01f"), true)));
    // As FFmpeg announces what it encodes itself.
    let plain = CHROMIUM_PLAIN.replace("=42e01f", "=64001f");
    assert_eq!(h264(&plain), Some((102, fmtp("42001f"), true)));
    for other in ["64001f", "42010a", "4d001f", "42e0", "nonsense", "0x42e0"] {
        let offer = plain.replace("=42001f", &format!("={other}"));
        assert_eq!(h264(&offer), None, "{other}");
    }
}

#[test]
fn red_is_taken_only_when_asked_for() {
    let offer = Offer::parse(CHROMIUM_PLAIN).unwrap();
    let (text, media, _) = answer(&offer, &AnswerParams { red: true, ..params() }).unwrap();
    let red = media.codecs.iter().find(|c| c.codec == Codec::Red).unwrap();
    assert_eq!((red.pt, red.fmtp.as_str()), (PayloadType(63), "111/111"));
    assert!(section(&text, "0").starts_with("m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n"));
}

#[test]
fn fec_goes_to_slots_that_take_it_and_comes_only_from_who_puts_it_first() {
    let fec = |text: &str| text.contains("red/90000") && text.contains("ulpfec/90000");
    let chromium = CHROMIUM_SIMULCAST.replace("flexfec-03", "other");
    for offer in [&chromium, FIREFOX_SIMULCAST] {
        let (text, media, _) = answered(offer);
        assert!(!fec(section(&text, "1")), "a camera that did not ask for it");
        assert!(fec(section(&text, "3")), "a slot");
        let red = media.codecs.iter().find(|c| c.codec == Codec::VideoRed).unwrap();
        assert!(media.codecs.iter().any(|c| c.codec == Codec::Ulpfec && c.rtx.is_none()));
        let line = section(&text, "3").lines().next().unwrap().to_owned();
        assert!(line.contains(&format!(" {}", red.pt.0)), "{line}");
    }
    // The same offer with RED first on the camera's line.
    let camera = section(&chromium, "1");
    let red = camera.lines().find_map(|l| l.strip_prefix("a=rtpmap:")?.strip_suffix(" red/90000")).unwrap();
    let line = camera.lines().next().unwrap();
    let moved = line.replace(&format!(" {red}"), "").replace("SAVPF", &format!("SAVPF {red}"));
    let (text, media, _) = answered(&chromium.replacen(line, &moved, 1));
    assert!(fec(section(&text, "1")));
    assert!(
        media.codecs.iter().find(|c| c.codec == Codec::VideoRed).unwrap().rtx.is_some(),
        "RED is sent again too"
    );
    // Without ULPFEC nothing is left of it.
    let (text, _, _) = answered(&chromium.replace("ulpfec", "other"));
    assert!(!text.contains("red/90000"));
}

#[test]
fn a_slot_that_takes_flexfec_03_gets_a_source_for_it_and_no_ulpfec() {
    let (text, media, _) = answered(CHROMIUM_SIMULCAST);
    let pt = media.codecs.iter().find(|c| c.codec == Codec::Flexfec03).unwrap().pt;
    assert!(media.codecs.iter().all(|c| ![Codec::VideoRed, Codec::Ulpfec].contains(&c.codec)));
    assert!(!section(&text, "1").contains("flexfec"), "the camera's line did not offer it");
    for slot in media.slots.iter().filter(|slot| slot.kind == MediaKind::Video) {
        let section = section(&text, slot.mid.as_str());
        let (ssrc, fec) = (slot.ssrc.0, slot.fec.unwrap().0);
        for line in [
            format!("a=rtpmap:{} flexfec-03/90000", pt.0),
            format!("a=fmtp:{} repair-window=200000", pt.0),
            format!("a=ssrc-group:FEC-FR {ssrc} {fec}"),
            format!("a=ssrc:{fec} cname:sampan"),
        ] {
            assert!(section.contains(&line), "{line} in {section}");
        }
    }
    // On some lines only: the others have none, and no source for it.
    let last = CHROMIUM_SIMULCAST.rfind("flexfec-03").unwrap();
    let one = CHROMIUM_SIMULCAST.replace("flexfec-03", "other");
    let one =
        format!("{}flexfec-03{}", &one[..one.rfind("other").unwrap()], &CHROMIUM_SIMULCAST[last + 10..]);
    let (text, media, _) = answered(&one);
    assert_eq!(media.slots.iter().filter(|slot| slot.fec.is_some()).count(), 1);
    assert_eq!(text.matches("flexfec-03").count(), 1);
    assert_eq!(text.matches("FEC-FR").count(), 1);
}

/// Chromium sends it behind a field trial, and of simulcast never.
#[test]
fn flexfec_03_of_a_camera_is_taken_where_it_is_one_stream() {
    let with = |offer: &str| {
        let camera = section(offer, "1");
        let line = camera.lines().next().unwrap();
        let lines = "a=rtpmap:49 flexfec-03/90000\r\na=fmtp:49 repair-window=10000000\r\n";
        let more = camera.replacen(line, &format!("{line} 49"), 1).replacen(
            "a=rtpmap",
            &format!("{lines}a=rtpmap"),
            1,
        );
        let (text, media, _) = answered(&offer.replacen(camera, &more, 1));
        let track = media.tracks.into_iter().find(|track| track.kind == MediaKind::Video).unwrap();
        (section(&text, "1").contains("flexfec-03"), track.ssrcs.len())
    };
    assert!(with(CHROMIUM_PLAIN).0);
    assert!(!with(CHROMIUM_SIMULCAST).0);
}

#[test]
fn extensions_keep_the_offered_ids_and_mirror_directions() {
    let (text, media, _) = answered(CHROMIUM_SIMULCAST);
    let id = |e| media.extensions.id(e);
    assert_eq!(id(Extension::AudioLevel), Some(1));
    assert_eq!(id(Extension::TransportSequence), Some(3));
    assert_eq!(id(Extension::Mid), Some(4));
    assert_eq!(id(Extension::Rid), Some(10));
    assert_eq!(id(Extension::RepairedRid), Some(11));
    assert_eq!(id(Extension::DependencyDescriptor), Some(9));
    assert!(text.contains("a=extmap-allow-mixed\r\n"));
    assert!(media.extensions.allow_mixed, "so a structure of layers fits");
    let (_, media, _) = answered(&CHROMIUM_SIMULCAST.replace("a=extmap-allow-mixed\r\n", ""));
    assert!(!media.extensions.allow_mixed);
    assert!(!section(&text, "3").contains("rtp-stream-id"), "a slot has no layers");
    assert!(!text.contains("toffset"));

    let (text, media, _) = answered(FIREFOX_SIMULCAST);
    assert!(media.extensions.allow_mixed, "it says so in every m-line");
    assert!(section(&text, "1").contains("a=extmap:6/sendonly http://www.webrtc.org/"));
    assert!(section(&text, "1").contains("a=extmap:8/recvonly https://aomediacodec"));
    assert!(section(&text, "1").contains("a=extmap-allow-mixed\r\n"));
}

#[test]
fn slots_have_fixed_ssrcs_and_pairs_share_a_stream() {
    for offer in [CHROMIUM_SIMULCAST, FIREFOX_SIMULCAST] {
        let (text, media, _) = answered(offer);
        assert_eq!(media.slots.len(), 4);
        let (audio, video) = (&media.slots[0], &media.slots[1]);
        assert_eq!((audio.kind, video.kind), (MediaKind::Audio, MediaKind::Video));
        assert_eq!(audio.rtx, None);
        let rtx = video.rtx.expect("video is repaired").0;
        assert!(section(&text, "2").contains("a=msid:slot-2 2\r\n"));
        let video_lines = section(&text, "3");
        assert!(video_lines.contains("a=msid:slot-2 3\r\n"));
        assert!(video_lines.contains("a=sendonly\r\n"));
        assert!(video_lines.contains(&format!("a=ssrc-group:FID {} {rtx}\r\n", video.ssrc.0)));
        assert!(video_lines.contains(&format!("a=ssrc:{} cname:sampan\r\n", video.ssrc.0)));
        assert!(video_lines.contains(&format!("a=ssrc:{rtx} cname:sampan\r\n")));
        assert!(section(&text, "5").contains("a=msid:slot-4 5\r\n"));
        let mut all: Vec<u32> =
            media.slots.iter().flat_map(|s| [Some(s.ssrc), s.rtx]).flatten().map(|s| s.0).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 6);
    }
}

#[test]
fn a_new_offer_keeps_the_ssrcs_of_slots() {
    let offer = Offer::parse(CHROMIUM_SIMULCAST).unwrap();
    let (_, first, _) = answer(&offer, &params()).unwrap();
    // The last pair was not there the first time.
    let mut fewer = first.clone();
    fewer.slots.truncate(2);
    let again = AnswerParams { previous: Some(&fewer), ssrc_seed: 99, ..params() };
    let (_, second, _) = answer(&offer, &again).unwrap();
    assert_eq!(second.slots[..2], first.slots[..2]);
    assert_ne!(second.slots[2].ssrc, first.slots[2].ssrc, "drawn from another seed");
}

#[test]
fn data_channels_are_accepted_where_they_are_wanted_and_the_rest_stays_the_same() {
    for offer in [CHROMIUM_DATA, FIREFOX_DATA] {
        let offer = Offer::parse(offer).unwrap();
        let (text, media, _) = answer(&offer, &AnswerParams { data: true, ..params() }).unwrap();
        assert!(text.contains("a=group:BUNDLE 0 1 2 3 4 5 6\r\n"));
        assert_eq!((media.slots.len(), media.sctp_port), (4, Some(5000)));
        let lines = section(&text, "6");
        assert!(lines.starts_with("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
        for line in
            ["a=ice-ufrag:0aSampan", "a=setup:passive", "a=sctp-port:5000", "a=max-message-size:20480"]
        {
            assert!(lines.contains(&format!("{line}\r\n")), "{line} in {lines}");
        }
        assert!(!lines.contains("rtcp") && !lines.contains("candidate"));
        let (text, media, _) = answer(&offer, &params()).unwrap();
        assert!(text.contains("a=group:BUNDLE 0 1 2 3 4 5\r\n"));
        assert_eq!((media.slots.len(), media.sctp_port), (4, None));
        let refused = section(&text, "6");
        assert!(refused.starts_with("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"));
        assert!(!refused.contains("ice-ufrag"));
    }
}

#[test]
fn data_channels_that_cannot_be_ours_are_refused() {
    for (from, to) in [
        ("a=max-message-size:262144", "a=max-message-size:16384"),
        ("a=sctp-port:5000\r\n", ""),
        ("a=sctp-port:5000", "a=sctp-port:0"),
        ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP"),
        ("webrtc-datachannel", "other"),
    ] {
        assert!(CHROMIUM_DATA.contains(from) && !from.is_empty());
        let offer = Offer::parse(&CHROMIUM_DATA.replace(from, to)).unwrap();
        let (text, media, _) = answer(&offer, &AnswerParams { data: true, ..params() }).unwrap();
        assert_eq!(media.sctp_port, None, "{to}");
        assert!(section(&text, "6").starts_with("m=application 0 "), "{to}");
    }
    let any_size = CHROMIUM_DATA.replace("a=max-message-size:262144", "a=max-message-size:0");
    let other_port = any_size.replace("a=sctp-port:5000", "a=sctp-port:4999");
    let (_, media, _) =
        answer(&Offer::parse(&other_port).unwrap(), &AnswerParams { data: true, ..params() }).unwrap();
    assert_eq!(media.sctp_port, Some(4999));
    for bad in ["a=sctp-port:70000", "a=sctp-port:x"] {
        assert!(Offer::parse(&CHROMIUM_DATA.replace("a=sctp-port:5000", bad)).is_err(), "{bad}");
    }
}

#[test]
fn transport_is_answered_once_with_every_candidate() {
    for offer in [CHROMIUM_PLAIN, FIREFOX_PLAIN] {
        let (text, _, remote) = answered(offer);
        assert!(text.contains("a=ice-lite\r\n"));
        assert_eq!(text.matches("a=end-of-candidates\r\n").count(), 1);
        let first = section(&text, "0");
        assert!(first.contains("a=candidate:1 1 udp 2130706431 127.0.0.1 3478 typ host\r\n"));
        assert!(first.contains("a=candidate:2 1 udp 2130706175 ::1 3478 typ host\r\n"));
        assert_eq!(text.matches("a=setup:passive\r\n").count(), 6);
        assert_eq!(text.matches("a=rtcp-mux\r\n").count(), 6);
        assert_eq!(remote.setup, DtlsSetup::Active);
    }
    let (_, _, remote) = answered(CHROMIUM_SIMULCAST);
    assert_eq!(remote.ice.ufrag, "jibE");
    assert_eq!(remote.ice.pwd, "jU7cyy7g0uZhK7p9H7a4yUh2");
    assert_eq!(remote.fingerprint.0[..3], [0xa9, 0x84, 0xca]);
}

#[test]
fn we_can_be_the_dtls_client() {
    let offer = Offer::parse(CHROMIUM_PLAIN).unwrap();
    let active = AnswerParams { setup: DtlsSetup::Active, ..params() };
    let (text, _, remote) = answer(&offer, &active).unwrap();
    assert!(text.contains("a=setup:active\r\n"));
    assert_eq!(remote.setup, DtlsSetup::Passive);
    // A choice made in the offer is respected.
    let decided = CHROMIUM_PLAIN.replace("a=setup:actpass", "a=setup:active");
    let (text, _, remote) = answer(&Offer::parse(&decided).unwrap(), &active).unwrap();
    assert!(text.contains("a=setup:passive\r\n"));
    assert_eq!(remote.setup, DtlsSetup::Active);
}

#[test]
fn offered_media_is_listed_for_checking_messages() {
    let offer = Offer::parse(FIREFOX_DATA).unwrap();
    let listed: Vec<_> = offer.media().map(|m| (m.mid.to_string(), m.kind, m.direction)).collect();
    assert_eq!(listed.len(), 6);
    assert_eq!(listed[1], ("1".to_owned(), MediaKind::Video, Direction::SendOnly));
    assert_eq!(listed[2], ("2".to_owned(), MediaKind::Audio, Direction::RecvOnly));
}

#[test]
fn a_switched_off_line_stays_off() {
    // What a browser offers after `transceiver.stop()` (RFC 9429 section 5.2.2): port 0 and not bundle-only.
    let offer = CHROMIUM_PLAIN
        .replacen("m=video 9 ", "m=video 0 ", 1)
        .replace("a=group:BUNDLE 0 1 ", "a=group:BUNDLE 0 ");
    let (text, media, _) = answered(&offer);
    assert!(text.contains("\r\nm=video 0 UDP/TLS/RTP/SAVPF 96 97"));
    assert!(text.contains("a=group:BUNDLE 0 2 3 4 5\r\n"));
    assert_eq!(media.tracks.len(), 1);
}

#[test]
fn an_offer_that_lacks_a_foundation_is_refused_with_its_name() {
    let without = |line: &str| {
        let text: String =
            CHROMIUM_PLAIN.lines().filter(|l| !l.starts_with(line)).map(|l| format!("{l}\r\n")).collect();
        Offer::parse(&text).unwrap_err()
    };
    assert_eq!(without("a=fingerprint"), Error::Missing("a=fingerprint:sha-256"));
    assert_eq!(without("a=ice-ufrag"), Error::Missing("a=ice-ufrag"));
    assert_eq!(without("a=ice-pwd"), Error::Missing("a=ice-pwd"));
    assert_eq!(without("a=setup"), Error::Missing("a=setup"));
    assert_eq!(without("a=group"), Error::Missing("a=group:BUNDLE"));
    assert_eq!(without("m="), Error::Missing("an m-line"));
}

#[test]
fn lines_without_multiplexing_or_known_codecs_are_refused() {
    let no_mux = CHROMIUM_PLAIN.replace("a=rtcp-mux\r\n", "");
    assert_eq!(answer(&Offer::parse(&no_mux).unwrap(), &params()), Err(Error::NothingInCommon));
    let other = CHROMIUM_PLAIN.replace(" opus/48000", " speex/48000");
    let (text, media, _) = answered(&other);
    assert!(text.contains("m=audio 0 UDP/TLS/RTP/SAVPF 111 63"));
    assert!(media.codecs.iter().all(|c| c.codec.kind() == MediaKind::Video));
}

#[test]
fn a_payload_type_with_two_meanings_keeps_the_first() {
    // Allowed in two m-lines of one session, not in one BUNDLE group (RFC 9143 section 9.1).
    let at = CHROMIUM_PLAIN.rfind("a=rtpmap:96 VP8/90000").unwrap();
    let mut offer = CHROMIUM_PLAIN.to_owned();
    offer.replace_range(at..at + 21, "a=rtpmap:96 AV1/90000");
    let (text, media, _) = answered(&offer);
    assert_eq!(media.codecs.iter().filter(|c| c.pt.0 == 96).count(), 1);
    assert!(!section(&text, "5").contains("rtpmap:96 "));
    assert!(section(&text, "3").contains("rtpmap:96 VP8"));
}

fn params() -> AnswerParams<'static> {
    let pairs: Vec<(Mid, Mid)> =
        [("2", "3"), ("4", "5")].map(|(a, v)| (Mid::new(a).unwrap(), Mid::new(v).unwrap())).into();
    let candidates =
        ["127.0.0.1:3478", "[::1]:3478"].map(|a| Candidate { address: a.parse().unwrap() }).to_vec();
    AnswerParams {
        ice: IceCredentials { ufrag: "0aSampan".into(), pwd: "abcdefghijklmnopqrstuvwx".into() },
        fingerprint: Fingerprint([7; 32]),
        setup: DtlsSetup::Passive,
        candidates: candidates.leak(),
        ice_lite: true,
        pairs: pairs.leak(),
        red: false,
        data: false,
        ssrc_seed: 1,
        previous: None,
        session_id: 42,
        session_version: 1,
    }
}

fn answered(offer: &str) -> (String, PeerMedia, Remote) {
    answer(&Offer::parse(offer).unwrap(), &params()).unwrap()
}

/// The m-section with this mid.
fn section<'a>(answer: &'a str, mid: &str) -> &'a str {
    answer
        .match_indices("m=")
        .filter(|&(at, _)| at > 0 && answer.as_bytes()[at - 1] == b'\n')
        .map(|(at, _)| {
            let end = answer[at..].find("\r\nm=").map_or(answer.len(), |n| at + n + 2);
            &answer[at..end]
        })
        .find(|s| s.contains(&format!("\r\na=mid:{mid}\r\n")))
        .unwrap_or_else(|| panic!("no section {mid} in {answer}"))
}
