//! Webhooks over real sockets: everything arrives, signed and in order, whatever the target does.

#[path = "support/http.rs"]
mod http;
mod support;
#[path = "support/websocket.rs"]
mod websocket;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::request;
use serde_json::{Value, json};
use signaling::server::{Listen, Options, Secret, Server, Webhooks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use websocket::Client;
use wire::{ClientMessage, ServerMessage};

const SECRET: &[u8] = b"a webhook secret of enough bytes";
const PATIENCE: Duration = Duration::from_secs(60);

/// An application's server. Verifies every signature.
#[derive(Clone)]
struct Target {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Value>>>,
    /// Requests that it refuses from now on.
    refusals: Arc<AtomicUsize>,
    attempts: Arc<AtomicUsize>,
}

impl Target {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (taken, refusals, attempts) = Default::default();
        let target = Self { address, taken, refusals, attempts };
        let own = target.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move {
                    let (headers, body) = read_request(&mut stream).await;
                    let status = own.take(&headers, &body);
                    let answer =
                        format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        target
    }

    fn take(&self, headers: &str, body: &str) -> u16 {
        let header = |name: &str| {
            let line = headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("no {name} in {headers}"))
        };
        assert!(headers.starts_with("POST /hook?app=1 HTTP/1.1\r\n"), "{headers}");
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
        let signature = BASE64_STANDARD.decode(signature).unwrap();
        hmac::verify(&key, format!("{id}.{timestamp}.{body}").as_bytes(), &signature)
            .expect("a good signature");
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let is_refused =
            self.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if is_refused.is_ok() {
            return 503;
        }
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["id"], id);
        self.taken.lock().unwrap().push(event);
        204
    }

    fn types(&self, room: &str) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let of_room = taken.iter().filter(|event| event["room"] == room);
        of_room.map(|event| event["event"]["type"].as_str().unwrap().to_owned()).collect()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            assert!(since.elapsed() < PATIENCE, "{what}: {:?}", self.taken.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((headers, body)) = text.split_once("\r\n\r\n") {
            let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return (format!("{headers}\r\n"), body.to_owned());
            }
        }
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "a request that is cut short");
        bytes.extend(&chunk[..read]);
    }
}

fn options(targets: &[SocketAddr]) -> Options {
    let mut options =
        Options { listen: Listen::Address("127.0.0.1:0".parse().unwrap()), ..Options::default() };
    options.media.workers = 1;
    options.media.bind_v6 = None;
    let urls = targets.iter().map(|address| format!("http://{address}/hook?app=1").parse().unwrap());
    options.webhooks = Some(Webhooks { targets: urls.collect(), secret: Secret::new(SECRET).unwrap() });
    options
}

const STORY: [&str; 7] = [
    "room_started",
    "participant_joined",
    "message_posted",
    "track_changed",
    "participant_joined",
    "participant_left",
    "participant_left",
];

/// Somebody comes, says something, mutes; somebody else comes; both go.
async fn live(address: SocketAddr, room: &str) {
    let mut ann = Client::open(address).await;
    ann.join(room, "Ann", None).await;
    let post = ClientMessage::Post {
        id: 2,
        key: "k".repeat(16),
        topic: "chat".into(),
        body: "Hello".into(),
        room: None,
    };
    ann.say(&post).await;
    ann.hear(|m| matches!(m, ServerMessage::Posted { .. }).then_some(())).await;
    let track = wire::TrackInfo { muted: true, ..support::tracks()[0].clone() };
    ann.say(&ClientMessage::Track { track }).await;
    let mut ben = Client::open(address).await;
    let ben_id = ben.join(room, "Ben", None).await;
    ben.say(&ClientMessage::Leave {}).await;
    ann.hear(|m| match m {
        ServerMessage::ParticipantLeft { participant } => (participant == ben_id).then_some(()),
        _ => None,
    })
    .await;
    ann.say(&ClientMessage::Leave {}).await;
}

#[tokio::test]
async fn what_happens_in_a_room_is_told_in_its_order_and_to_a_failing_target_again_until_it_is_taken() {
    let (good, bad) = (Target::listen().await, Target::listen().await);
    bad.refusals.store(2, Ordering::Relaxed);
    let server = Server::start(options(&[good.address, bad.address])).await.unwrap();
    let address = server.addresses()[0];
    live(address, "demo").await;
    let whole = STORY.iter().copied().chain(["room_ended"]).collect::<Vec<_>>();
    good.until("the good target has all", |t| t.types("demo") == whole).await;
    bad.until("the failing target has all", |t| t.types("demo") == whole).await;
    assert_eq!(bad.attempts.load(Ordering::Relaxed), whole.len() + 2);
    let taken = good.taken.lock().unwrap().clone();
    let (joined, posted) = (&taken[1]["event"], &taken[2]["event"]);
    assert_eq!((&joined["name"], &joined["tracks"][1]["source"]), (&json!("Ann"), &json!("camera")));
    assert_eq!((&posted["message"]["body"], &posted["message"]["seq"]), (&json!("Hello"), &json!(1)));

    // The same, read and told again.
    let events = request(address, "GET", "/v1/events?after=0&limit=500", &[], "").await.json();
    assert_eq!(events.as_array().unwrap(), &taken);
    let seq = taken[5]["seq"].as_u64().unwrap();
    let replay = json!({"after": seq}).to_string();
    let json_type = [("content-type", "application/json")];
    assert_eq!(request(address, "POST", "/v1/webhooks/1/replay", &json_type, &replay).await.status, 202);
    bad.until("it is told the end again", |t| t.types("demo").len() == whole.len() + whole.len() - 6).await;
    assert_eq!(bad.types("demo")[whole.len()..], whole[6..]);
    let unknown = request(address, "POST", "/v1/webhooks/2/replay", &json_type, &replay).await;
    assert_eq!(unknown.json()["code"], "unknown_webhook");
    let state = request(address, "GET", "/v1/webhooks", &[], "").await.json();
    assert_eq!((&state[1]["failed"], &state[0]["failed"]), (&json!(2), &json!(0)));
    assert_eq!(state[0]["target"], format!("http://{}", good.address), "without what may be secret");
    server.shut_down().await;
}

#[tokio::test]
async fn an_invitation_is_told_for_phones_that_sleep() {
    let target = Target::listen().await;
    let server = Server::start(options(&[target.address])).await.unwrap();
    let mut ann = Client::open(server.addresses()[0]).await;
    let register = ClientMessage::Register {
        id: 1,
        identity: "ann".into(),
        name: "Ann".into(),
        device: "laptop".into(),
        token: None,
    };
    ann.say(&register).await;
    ann.say(&ClientMessage::Invite { id: 2, to: "ben".into(), room: None }).await;
    let call = ann
        .hear(|m| match m {
            ServerMessage::Invited { call, .. } => Some(call),
            _ => None,
        })
        .await;
    target.until("the invitation", |t| t.types(&call.room) == ["call_invited"]).await;
    let invited = target.taken.lock().unwrap()[0]["event"].clone();
    assert_eq!(
        (&invited["from"], &invited["name"], &invited["to"]),
        (&json!("ann"), &json!("Ann"), &json!("ben"))
    );
    ann.say(&ClientMessage::Respond { id: 3, call: call.call, act: wire::CallAct::End }).await;
    target.until("the end", |t| t.types(&call.room) == ["call_invited", "call_missed", "call_ended"]).await;
    server.shut_down().await;
}

#[tokio::test]
async fn a_target_that_is_down_while_the_server_restarts_loses_nothing() {
    let folder = std::env::temp_dir().join(format!("sampan-webhooks-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let (up, down) = (Target::listen().await, Target::listen().await);
    down.refusals.store(usize::MAX / 2, Ordering::Relaxed);
    let options = || Options { data: Some(folder.clone()), ..options(&[up.address, down.address]) };
    let server = Server::start(options()).await.unwrap();
    live(server.addresses()[0], "demo").await;
    up.until("the other target has all", |t| t.types("demo").len() == STORY.len() + 1).await;
    assert!(down.attempts.load(Ordering::Relaxed) >= 1 && down.types("demo").is_empty());
    server.shut_down().await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    down.refusals.store(0, Ordering::Relaxed);
    let server = Server::start(options()).await.unwrap();
    down.until("it has all after the restart", |t| t.types("demo") == up.types("demo")).await;
    live(server.addresses()[0], "later").await;
    down.until("and goes on", |t| t.types("later").len() == STORY.len() + 1).await;
    let seqs: Vec<_> = down.taken.lock().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    server.shut_down().await;
    std::fs::remove_dir_all(&folder).unwrap();
}
