//! The server with real sockets: what a client, a slow client and a hostile client get.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use signaling::server::{Listen, Options, Server, Tls};
use support::{join, offer, pairs, tracks};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};
use wire::{ClientMessage, ErrorCode, ServerMessage, deflate};

/// Far beyond anything that should happen, so that a loaded machine fails no test.
const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> Options {
    let mut options =
        Options { listen: Listen::Address("127.0.0.1:0".parse().unwrap()), ..Options::default() };
    options.media.workers = 1;
    options.media.bind_v6 = None;
    options
}

async fn start(options: Options) -> (Server, SocketAddr) {
    let server = Server::start(options).await.unwrap();
    let address = server.addresses()[0];
    (server, address)
}

struct Client<S>(WebSocketStream<S>);

impl Client<TcpStream> {
    async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap()).await
    }

    async fn over(stream: TcpStream) -> Self {
        let address = stream.peer_addr().unwrap();
        Self(client_async(format!("ws://{address}/ws"), stream).await.unwrap().0)
    }

    /// Says that it reads binary frames, and with which value.
    async fn open_inflating(address: SocketAddr, query: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self(client_async(format!("ws://{address}/ws?x=1&{query}"), stream).await.unwrap().0)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn say(&mut self, message: &ClientMessage) {
        self.write(Message::text(serde_json::to_string(message).unwrap())).await;
    }

    async fn write(&mut self, message: Message) {
        timeout(PATIENCE, self.0.send(message)).await.unwrap().unwrap();
    }

    async fn frame(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.expect("an answer in time").and_then(Result::ok)
    }

    /// The next message that says something about the room: the quality of what is received comes whenever it changes.
    async fn hear(&mut self) -> ServerMessage {
        loop {
            match self.frame().await {
                Some(Message::Text(text)) => match serde_json::from_str(&text).unwrap() {
                    ServerMessage::Quality { .. } => {}
                    message => return message,
                },
                Some(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no message but {other:?}"),
            }
        }
    }

    async fn error(&mut self) -> (Option<u64>, ErrorCode) {
        match self.hear().await {
            ServerMessage::Error { re, code, .. } => (re, code),
            other => panic!("no error but {other:?}"),
        }
    }

    /// Reads on until the other end closes.
    async fn closed(&mut self) -> Option<(CloseCode, String)> {
        loop {
            match self.frame().await {
                Some(Message::Close(frame)) => return frame.map(|f| (f.code, f.reason.to_string())),
                Some(_) => {}
                None => return None,
            }
        }
    }
}

/// A plain request; the whole response as text.
async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut response)).await.unwrap().unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

async fn metric(address: SocketAddr, name: &str) -> u64 {
    let page = get(address, "/metrics", "").await;
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

/// Until the metric has the value.
async fn settles(address: SocketAddr, name: &str, value: u64) {
    let since = Instant::now();
    while metric(address, name).await != value {
        assert!(since.elapsed() < PATIENCE, "{name} does not become {value}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Until the other end closes or resets; how long that took.
async fn until_closed(mut stream: TcpStream) -> Duration {
    let since = Instant::now();
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection ends");
    since.elapsed()
}

#[tokio::test]
async fn two_clients_join_and_see_each_other_come_and_go() {
    let grace = Duration::from_millis(1500);
    let (server, address) = start(Options { grace, ..options() }).await;
    let mut ann = Client::open(address).await;
    ann.say(&join(1, "demo", "Ann", 4)).await;
    let ServerMessage::Joined { re: 1, answer: Some(answer), participants, server_ms, .. } = ann.hear().await
    else {
        panic!()
    };
    assert!(participants.is_empty() && answer.contains("a=candidate:") && answer.contains("a=setup:active"));
    assert!(server_ms > 0.0 && server_ms < 5000.0, "{server_ms}");

    let mut ben = Client::open(address).await;
    ben.say(&join(7, "demo", "Ben", 4)).await;
    let ServerMessage::Joined { re: 7, participants, bindings, participant, .. } = ben.hear().await else {
        panic!()
    };
    assert_eq!((participants[0].name.as_str(), bindings.len()), ("Ann", 1));
    assert!(
        matches!(ann.hear().await, ServerMessage::ParticipantJoined { participant } if participant.name == "Ben")
    );
    assert!(matches!(ann.hear().await, ServerMessage::Bindings { .. }));
    settles(address, "sampan_participants", 2).await;
    settles(address, "sampan_sfu_peers", 2).await;

    ben.say(&ClientMessage::Leave {}).await;
    assert_eq!(ben.closed().await, Some((CloseCode::Normal, String::new())));
    assert_eq!(ann.hear().await, ServerMessage::ParticipantLeft { participant });
    // A connection that is just cut is waited for, and then leaves as well.
    drop(ann);
    settles(address, "sampan_participants_away", 1).await;
    settles(address, "sampan_participants", 0).await;
    settles(address, "sampan_sfu_peers", 0).await;
    settles(address, "sampan_connections", 0).await;
    server.shut_down().await;
}

#[tokio::test]
async fn long_messages_are_compressed_for_those_who_read_that_and_for_nobody_else() {
    let (server, address) = start(options()).await;
    let mut ann = Client::open_inflating(address, deflate::QUERY).await;
    let first = ann.frame().await;
    assert_eq!(first, Some(Message::binary(vec![])), "the server reads binary frames, too");
    let text = serde_json::to_string(&join(1, "demo", "Ann", 8)).unwrap();
    let bytes = deflate::deflate(&text).unwrap();
    assert!(bytes.len() * 5 < text.len(), "{} of {}", bytes.len(), text.len());
    ann.write(Message::binary(bytes)).await;
    let Some(Message::Binary(answer)) = ann.frame().await else { panic!("not compressed") };
    let inflated = deflate::inflate(&answer).unwrap();
    assert!(answer.len() * 5 < inflated.len(), "{} of {}", answer.len(), inflated.len());
    let joined: ServerMessage = serde_json::from_str(&inflated).unwrap();
    assert!(matches!(joined, ServerMessage::Joined { re: 1, .. }), "{joined:?}");

    let mut ben = Client::open(address).await;
    ben.say(&join(1, "demo", "Ben", 8)).await;
    assert!(
        matches!(ben.hear().await, ServerMessage::Joined { participants, .. } if participants.len() == 1)
    );
    // Short ones stay readable.
    assert!(matches!(ann.hear().await, ServerMessage::ParticipantJoined { .. }));
    ann.say(&ClientMessage::Ping { id: 2 }).await;
    assert!(matches!(ann.hear().await, ServerMessage::Pong { re: 2 } | ServerMessage::Bindings { .. }));
    server.shut_down().await;
}

#[tokio::test]
async fn the_answer_to_a_join_refers_to_it_and_what_follows_does_not() {
    let (server, address) = start(options()).await;
    let mut ann = Client::open_inflating(address, deflate::QUERY_REFERRING).await;
    assert_eq!(ann.frame().await, Some(Message::binary(vec![])));
    let text = serde_json::to_string(&join(1, "demo", "Ann", 8)).unwrap();
    ann.write(Message::binary(deflate::deflate(&text).unwrap())).await;
    let Some(Message::Binary(answer)) = ann.frame().await else { panic!("not compressed") };
    assert!(deflate::inflate(&answer).is_err());
    let inflated = deflate::inflate_after(&answer, Some(&text)).unwrap();
    let alone = deflate::deflate(&inflated).unwrap();
    assert!(answer.len() * 3 < alone.len() * 2, "{} bytes, {} alone", answer.len(), alone.len());
    let joined: ServerMessage = serde_json::from_str(&inflated).unwrap();
    assert!(matches!(joined, ServerMessage::Joined { re: 1, .. }), "{joined:?}");

    let ClientMessage::Join { offer, tracks, slots, .. } = join(2, "demo", "Ann", 8) else { unreachable!() };
    ann.say(&ClientMessage::Offer { id: 2, offer, tracks, slots }).await;
    loop {
        match ann.frame().await {
            Some(Message::Binary(answer)) => {
                assert!(deflate::inflate(&answer).unwrap().contains("\"re\":2"));
                break;
            }
            Some(_) => {}
            None => panic!("no answer to the offer"),
        }
    }
    server.shut_down().await;
}

#[tokio::test]
async fn a_bomb_is_a_message_that_is_too_large() {
    let (server, address) = start(options()).await;
    let mut client = Client::open(address).await;
    let bytes = deflate::deflate(&" ".repeat(10_000_000)).unwrap();
    assert!(bytes.len() < 20_000);
    client.write(Message::binary(bytes)).await;
    assert_eq!(client.error().await, (None, ErrorCode::MessageTooLarge));
    assert_eq!(client.closed().await.map(|(code, _)| u16::from(code)), Some(1009));
    server.shut_down().await;
}

#[tokio::test]
async fn what_is_no_message_gets_an_error_and_the_connection_goes_on() {
    let (server, address) = start(options()).await;
    let mut client = Client::open(address).await;
    client.write(Message::text("no json")).await;
    assert_eq!(client.error().await, (None, ErrorCode::BadMessage));
    client.write(Message::text(r#"{"type":"dance","id":3}"#)).await;
    assert_eq!(client.error().await, (Some(3), ErrorCode::UnknownMessage));
    client.write(Message::binary(vec![0, 159, 146, 150])).await;
    assert_eq!(client.error().await, (None, ErrorCode::BadMessage));
    client
        .say(&ClientMessage::Join {
            id: 4,
            room: "a".into(),
            name: "b".into(),
            offer: "v=0\r\n".into(),
            tracks: vec![],
            slots: vec![],
            token: None,
            history: None,
            role: None,
        })
        .await;
    assert_eq!(client.error().await, (Some(4), ErrorCode::BadSdp));
    client.say(&ClientMessage::Ping { id: 5 }).await;
    assert_eq!(client.hear().await, ServerMessage::Pong { re: 5 });
    for _ in 0..10 {
        client.write(Message::text("[]")).await;
    }
    let end = client.closed().await;
    assert_eq!(end, Some((CloseCode::Policy, "bad_message".into())), "too often");
    server.shut_down().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_connection_with_its_code() {
    let (server, address) = start(options()).await;
    let mut client = Client::open(address).await;
    let text = format!(r#"{{"type":"ping","id":1,"x":"{}"}}"#, "x".repeat(wire::limits::MESSAGE_BYTES_MAX));
    // The server may close before all of it is written.
    let _ = client.0.send(Message::text(text)).await;
    assert_eq!(client.error().await, (None, ErrorCode::MessageTooLarge));
    assert_eq!(client.closed().await, Some((CloseCode::Size, "message_too_large".into())));
    settles(address, "sampan_errors_total{code=\"message_too_large\"}", 1).await;
    settles(address, "sampan_connections", 0).await;
    server.shut_down().await;
}

#[tokio::test]
async fn full_rooms_and_too_many_joins_are_refused_with_their_codes() {
    let mut options = options();
    options.rooms.participants_per_room = 1;
    options.rooms.rooms = 1;
    options.joins.burst = 3;
    options.joins.per_second = 0.001;
    let (server, address) = start(options).await;
    let mut first = Client::open(address).await;
    first.say(&join(1, "demo", "a", 1)).await;
    assert!(matches!(first.hear().await, ServerMessage::Joined { .. }));
    let mut second = Client::open(address).await;
    second.say(&join(2, "demo", "b", 1)).await;
    assert_eq!(second.error().await, (Some(2), ErrorCode::RoomFull));
    second.say(&join(3, "other", "b", 1)).await;
    assert_eq!(second.error().await, (Some(3), ErrorCode::TooManyRooms));
    second.say(&join(4, "demo", "b", 1)).await;
    assert_eq!(second.error().await, (Some(4), ErrorCode::TooManyJoins));
    server.shut_down().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_nobody_else_notices() {
    let mut options = options();
    options.queue_messages = 8;
    options.queue_bytes = 64 * 1024;
    let (server, address) = start(options).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut slow = Client::over(socket.connect(address).await.unwrap()).await;
    slow.say(&join(1, "demo", "slow", 24)).await;
    let mut other = Client::open(address).await;
    other.say(&join(1, "demo", "other", 4)).await;
    assert!(matches!(other.hear().await, ServerMessage::Joined { .. }));
    // Each is answered with tens of kilobytes, more in all than sockets hold.
    for id in 2..95 {
        let again = ClientMessage::Offer { id, offer: offer(24, "abcd"), tracks: tracks(), slots: pairs(24) };
        let text = serde_json::to_string(&again).unwrap();
        if !matches!(timeout(PATIENCE, slow.0.send(Message::text(text))).await, Ok(Ok(()))) {
            break;
        }
    }
    settles(address, "sampan_errors_total{code=\"slow_consumer\"}", 1).await;
    // It may come back.
    settles(address, "sampan_participants_away", 1).await;
    settles(address, "sampan_connections", 1).await;
    let since = Instant::now();
    other.say(&ClientMessage::Ping { id: 9 }).await;
    while other.hear().await != (ServerMessage::Pong { re: 9 }) {}
    assert!(since.elapsed() < Duration::from_secs(5));
    drop(slow);
    server.shut_down().await;
}

#[tokio::test]
async fn a_websocket_that_falls_silent_is_closed() {
    let options = Options { silence: Duration::from_millis(600), ..options() };
    let (server, address) = start(options).await;
    // One answers pings because it is read, the other does not.
    let mut alive = Client::open(address).await;
    let dead = Client::open(address).await;
    settles(address, "sampan_connections", 2).await;
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(2500) {
        let _ = timeout(Duration::from_millis(100), alive.0.next()).await;
    }
    assert_eq!(metric(address, "sampan_connections").await, 1);
    alive.say(&ClientMessage::Ping { id: 1 }).await;
    assert_eq!(alive.hear().await, ServerMessage::Pong { re: 1 });
    drop(dead);
    server.shut_down().await;
}

#[tokio::test]
async fn a_connection_that_never_finishes_its_request_is_closed() {
    let header_timeout = Duration::from_millis(500);
    let options = Options { header_timeout, http_lifetime: Duration::from_secs(3), ..options() };
    let (server, address) = start(options).await;
    let in_time = header_timeout..Duration::from_secs(5);

    let silent = TcpStream::connect(address).await.unwrap();
    assert!(in_time.contains(&until_closed(silent).await), "one that says nothing");

    let mut partial = TcpStream::connect(address).await.unwrap();
    partial.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-a: ").await.unwrap();
    assert!(in_time.contains(&until_closed(partial).await), "one that stops in the middle");

    // One that adds a byte again and again never finishes either.
    let since = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    writer.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-a: ").await.unwrap();
    let dripping = tokio::spawn(async move {
        while writer.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut rest)).await.expect("the connection ends");
    assert!(in_time.contains(&since.elapsed()), "one that drips");
    dripping.abort();

    // Idle after a request.
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(until_closed(idle).await < Duration::from_secs(5), "one that keeps the connection for nothing");
    settles(address, "sampan_http_connections", 1).await;
    server.shut_down().await;
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let (server, address) = start(options()).await;
    let response = get(address, "/", &format!("x-a: {}\r\n", "a".repeat(100_000))).await;
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 431"), "{response}");
    server.shut_down().await;
}

#[tokio::test]
async fn connections_are_capped_and_the_place_is_free_again_afterwards() {
    let options = Options { connections_per_address: 3, ..options() };
    let (server, address) = start(options).await;
    let mut held: Vec<Client<TcpStream>> = Vec::new();
    for _ in 0..3 {
        held.push(Client::open(address).await);
    }
    let refused = get(address, "/healthz", "").await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    // Those inside go on.
    held[0].say(&ClientMessage::Ping { id: 1 }).await;
    assert_eq!(held[0].hear().await, ServerMessage::Pong { re: 1 });
    held.pop();
    let since = Instant::now();
    while !get(address, "/healthz", "").await.starts_with("HTTP/1.1 200") {
        assert!(since.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.shut_down().await;
}

#[tokio::test]
async fn pages_have_their_types_and_unknown_paths_are_not_found() {
    let (server, address) = start(options()).await;
    let page = get(address, "/", "").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("content-type: text/html"), "{page}");
    assert!(page.contains("content-security-policy: default-src 'self'"));
    assert!(page.contains("<!doctype html>") || page.contains("<!DOCTYPE html>"));
    let script = get(address, "/sdk/index.js", "").await;
    assert!(
        script.starts_with("HTTP/1.1 200") && script.contains("content-type: text/javascript"),
        "{script}"
    );
    for path in ["/nothing", "/../Cargo.toml", "/sdk/../../Cargo.toml", "/package.json", "/sdk", "/sdk/"] {
        assert!(get(address, path, "").await.starts_with("HTTP/1.1 404"), "{path}");
    }
    assert!(get(address, "/healthz", "").await.ends_with("\r\n\r\nok\n"));
    assert!(get(address, "/readyz", "").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/ws", "").await.starts_with("HTTP/1.1 400"), "no upgrade asked for");
    server.shut_down().await;
}

#[tokio::test]
async fn going_down_is_told_and_does_not_wait_for_those_who_do_not_read() {
    let (server, address) = start(options()).await;
    let mut client = Client::open(address).await;
    client.say(&join(1, "demo", "a", 4)).await;
    assert!(matches!(client.hear().await, ServerMessage::Joined { .. }));
    let _deaf = Client::open(address).await;
    let idle = TcpStream::connect(address).await.unwrap();
    let since = Instant::now();
    let down = tokio::spawn(server.shut_down());
    assert_eq!(client.error().await, (None, ErrorCode::ShuttingDown));
    assert_eq!(client.closed().await, Some((CloseCode::Restart, "shutting_down".into())));
    down.await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    drop(idle);
}

/// A certificate for `localhost` in files, and a client's trust in it.
fn certificate() -> (Tls, tokio_rustls::TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wss");
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    (Tls::Files { certificate, key }, Arc::new(config).into())
}

#[tokio::test]
async fn everything_works_over_tls_and_a_handshake_without_end_is_closed() {
    let (tls, connector) = certificate();
    let header_timeout = Duration::from_millis(500);
    let (server, address) = start(Options { tls, header_timeout, ..options() }).await;
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (websocket, _) =
        client_async(format!("wss://localhost:{}/ws", address.port()), stream).await.unwrap();
    let mut client = Client(websocket);
    client.say(&join(1, "demo", "a", 4)).await;
    assert!(matches!(client.hear().await, ServerMessage::Joined { re: 1, .. }));

    let mut stuck = TcpStream::connect(address).await.unwrap();
    // A handshake record of 512 bytes, of which none follows.
    stuck.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
    assert!((header_timeout..Duration::from_secs(5)).contains(&until_closed(stuck).await));
    let silent = TcpStream::connect(address).await.unwrap();
    assert!((header_timeout..Duration::from_secs(5)).contains(&until_closed(silent).await));

    client.say(&ClientMessage::Ping { id: 2 }).await;
    assert_eq!(client.hear().await, ServerMessage::Pong { re: 2 });
    server.shut_down().await;
}
