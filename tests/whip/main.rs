//! WHIP and WHEP over real sockets, with a WebRTC stack that is not ours at both ends: what an encoder publishes is played, an ICE
//! restart goes on, and what is wrong is refused as RFC 9725 says.

#[path = "../../signaling/tests/support/http.rs"]
mod http;
mod peer;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::{Response, request};
use peer::Peer;
use signaling::server::{Listen, Options, Server};
use str0m::format::Codec;
use str0m::media::Direction;

const SDP: (&str, &str) = ("content-type", "application/sdp");
const FRAGMENT: (&str, &str) = ("content-type", "application/trickle-ice-sdpfrag");
/// Far beyond anything that should happen, so that a loaded machine fails no test.
const PATIENCE: Duration = Duration::from_secs(30);

async fn start() -> (Server, SocketAddr) {
    let mut options =
        Options { listen: Listen::Address("127.0.0.1:0".parse().unwrap()), ..Options::default() };
    options.media.workers = 1;
    options.media.bind_v6 = None;
    options.media.udp_port = 0;
    let server = Server::start(options).await.unwrap();
    let address = server.addresses()[0];
    (server, address)
}

async fn post(address: SocketAddr, path: &str, offer: &str) -> Response {
    let response = request(address, "POST", path, &[SDP], offer).await;
    assert_eq!(response.status, 201, "{}", response.body);
    assert_eq!(response.header("content-type"), Some("application/sdp"));
    response
}

/// A keyframe of one packet or several, with a number in it.
fn picture(codec: Codec, number: u8) -> Vec<u8> {
    let filling = vec![number; 3000];
    match codec {
        // Frame tag of a keyframe, start code and 640x360 (RFC 6386 section 9.1).
        Codec::Vp8 => [&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0x68, 1][..], &filling].concat(),
        // SPS of 640x360 (constrained baseline 3.0), PPS and an IDR slice.
        _ => {
            let sps = [
                0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0x84, 0, 0, 3, 0, 4, 0, 0, 3, 0, 0xf0,
                0x3c, 0x58, 0xba, 0x80,
            ];
            [&[0, 0, 0, 1][..], &sps, &[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65, 0x88], &filling]
                .concat()
        }
    }
}

/// Publishes until the player has so many more of each; both have a turn of some milliseconds.
fn talk(publisher: &mut Peer, player: &mut Peer, codec: Codec, more: usize) {
    let count = |player: &Peer, codec| player.heard.iter().filter(|(of, _)| *of == codec).count();
    let wanted = [Codec::Opus, codec].map(|codec| (codec, count(player, codec) + more));
    let since = Instant::now();
    let mut number = 0u8;
    while wanted.iter().any(|(codec, wanted)| count(player, *codec) < *wanted) {
        assert!(
            since.elapsed() < PATIENCE,
            "connected: {} {}, heard {} sounds and {} pictures",
            publisher.is_connected,
            player.is_connected,
            count(player, Codec::Opus),
            count(player, codec)
        );
        if publisher.is_connected {
            number = number.wrapping_add(1);
            publisher.send(publisher.audio, Codec::Opus, &[0xfc, number, 1, 2, 3]);
            publisher.send(publisher.video, codec, &picture(codec, number));
        }
        publisher.run(Duration::from_millis(10));
        player.run(Duration::from_millis(10));
    }
}

async fn publish_and_play(codec: Codec) {
    let (server, address) = start().await;
    let (mut publisher, offer) = Peer::new(Direction::SendOnly, codec);
    let published = post(address, "/whip/demo", &offer).await;
    publisher.accept(&published.body);
    let (mut player, offer) = Peer::new(Direction::RecvOnly, codec);
    let played = post(address, "/whep/demo", &offer).await;
    player.accept(&played.body);
    let both = tokio::task::spawn_blocking(move || {
        talk(&mut publisher, &mut player, codec, 10);
        (publisher, player)
    });
    let (_publisher, player) = both.await.unwrap();
    for (of, data) in &player.heard {
        let number = if *of == Codec::Opus { data[1] } else { data[data.len() - 1] };
        let sent = if *of == Codec::Opus { vec![0xfc, number, 1, 2, 3] } else { picture(codec, number) };
        assert!(*data == sent, "what was published is what is played: {of:?}, {} bytes", data.len());
    }
    let room = request(address, "GET", "/v1/rooms/demo", &[], "").await.json();
    let names: Vec<_> =
        room["people"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["WHIP", "WHEP"]);
    for session in [&published, &played] {
        let location = session.header("location").unwrap();
        assert_eq!(request(address, "DELETE", location, &[], "").await.status, 200);
        assert_eq!(request(address, "DELETE", location, &[], "").await.status, 404);
    }
    assert_eq!(request(address, "GET", "/v1/rooms", &[], "").await.body, "[]");
    server.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vp8_and_opus_are_published_and_played() {
    publish_and_play(Codec::Vp8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h264_and_opus_are_published_and_played() {
    publish_and_play(Codec::H264).await;
}

/// The lines of a description that name the ICE session.
fn credentials(description: &str) -> Vec<&str> {
    let mut lines: Vec<_> = description
        .lines()
        .filter(|line| line.starts_with("a=ice-ufrag") || line.starts_with("a=ice-pwd"))
        .collect();
    lines.dedup();
    lines.truncate(2);
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ice_restart_goes_on_and_stale_patches_are_refused() {
    let (server, address) = start().await;
    let (mut publisher, offer) = Peer::new(Direction::SendOnly, Codec::Vp8);
    let published = post(address, "/whip/demo", &offer).await;
    publisher.accept(&published.body);
    let (mut player, player_offer) = Peer::new(Direction::RecvOnly, Codec::Vp8);
    player.accept(&post(address, "/whep/demo", &player_offer).await.body);
    let both = tokio::task::spawn_blocking(move || {
        talk(&mut publisher, &mut player, Codec::Vp8, 3);
        (publisher, player)
    });
    let (mut publisher, mut player) = both.await.unwrap();

    let (location, etag) = (published.header("location").unwrap(), published.header("etag").unwrap());
    let candidates = format!(
        "{}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=end-of-candidates\r\n",
        credentials(&offer).join("\r\n")
    );
    let patch =
        async |headers: &[(&str, &str)], body: &str| request(address, "PATCH", location, headers, body).await;
    assert_eq!(
        patch(&[FRAGMENT, ("if-match", etag)], &candidates).await.status,
        204,
        "candidates of this session"
    );
    assert_eq!(patch(&[FRAGMENT, ("etag", etag)], &candidates).await.status, 204, "as early drafts had it");
    assert_eq!(patch(&[FRAGMENT], &candidates).await.status, 428);
    assert_eq!(patch(&[FRAGMENT, ("if-match", "\"another\"")], &candidates).await.status, 412);
    assert_eq!(patch(&[SDP, ("if-match", etag)], &candidates).await.status, 415);
    assert_eq!(patch(&[FRAGMENT, ("if-match", "*")], "a=ice-ufrag:half").await.status, 400);

    let restarted = publisher.restart_ice();
    let fragment = credentials(&restarted).join("\r\n");
    let answer = patch(&[FRAGMENT, ("if-match", "*")], &fragment).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_ne!(answer.header("etag"), Some(etag));
    assert_eq!(
        patch(&[FRAGMENT, ("if-match", etag)], &candidates).await.status,
        412,
        "the session before is over"
    );
    let mut description = published.body.clone();
    for (old, new) in credentials(&published.body).into_iter().zip(credentials(&answer.body)) {
        description = description.replace(old, new);
    }
    publisher.accept(&description);
    let talking = tokio::task::spawn_blocking(move || talk(&mut publisher, &mut player, Codec::Vp8, 10));
    talking.await.unwrap();
    server.shut_down().await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_any_page_may_ask() {
    let (server, address) = start().await;
    let (_, offer) = Peer::new(Direction::SendOnly, Codec::Vp8);
    let (_, recvonly) = Peer::new(Direction::RecvOnly, Codec::Vp8);
    let cases = [
        ("POST", "/whip/demo", &[][..], offer.as_str(), 415),
        ("POST", "/whip/demo", &[SDP][..], "v=0", 400),
        ("POST", "/whip/demo", &[SDP][..], &recvonly, 400),
        ("POST", "/whep/demo", &[SDP][..], &offer, 400),
        ("GET", "/whip/demo", &[][..], "", 405),
        ("PUT", "/whip/session/some", &[][..], "", 405),
        ("PATCH", "/whip/session/some", &[FRAGMENT, ("if-match", "*")][..], "", 404),
        ("DELETE", "/whip/session/some", &[][..], "", 404),
    ];
    for (method, path, headers, body, status) in cases {
        let response = request(address, method, path, headers, body).await;
        assert_eq!(response.status, status, "{method} {path}: {}", response.body);
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{method} {path}");
        assert!(!response.json()["remedy"].as_str().unwrap().is_empty());
    }
    let options = request(address, "OPTIONS", "/whip/demo", &[], "").await;
    assert_eq!((options.status, options.header("accept-post")), (204, Some("application/sdp")));
    assert_eq!(request(address, "GET", "/v1/rooms", &[], "").await.body, "[]", "nobody came in");
    server.shut_down().await;
}
