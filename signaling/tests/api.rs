//! The server API over a real socket: what an application's server can do, and what nobody else can.

#[path = "support/http.rs"]
mod http;
mod support;
#[path = "support/websocket.rs"]
mod websocket;

use std::net::SocketAddr;
use std::sync::Arc;

use access::{Claims, GrantClaims, SigningKey, VerifyingKeys};
use http::{Response, request};
use serde_json::{Value, json};
use signaling::server::{Listen, Options, Server};
use support::join;
use websocket::Client;
use wire::{ClientMessage, ErrorCode, ServerMessage};

const SECRET: &[u8] = b"a secret that has at least 32 bytes";

fn options() -> Options {
    let mut options =
        Options { listen: Listen::Address("127.0.0.1:0".parse().unwrap()), ..Options::default() };
    options.media.workers = 1;
    options.media.bind_v6 = None;
    options
}

fn with_keys() -> Options {
    let mut keys = VerifyingKeys::default();
    keys.add_secret(SECRET).unwrap();
    let signer = Some(Arc::new(SigningKey::secret(SECRET).unwrap()));
    Options { keys: Some(Arc::new(keys)), signer, ..options() }
}

async fn start(options: Options) -> (Server, SocketAddr) {
    let server = Server::start(options).await.unwrap();
    let address = server.addresses()[0];
    (server, address)
}

fn token(room: &str, grants: GrantClaims) -> String {
    let exp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 600;
    let claims = Claims {
        room: room.into(),
        sub: "backend".into(),
        name: None,
        exp,
        nbf: None,
        jti: None,
        role: None,
        wait: false,
        grants,
    };
    SigningKey::secret(SECRET).unwrap().sign(&claims).unwrap()
}

fn admin(room: &str) -> String {
    token(room, GrantClaims { admin: true, ..GrantClaims::default() })
}

/// The API as an application sees it.
struct Backend(SocketAddr, Option<String>);

impl Backend {
    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        let authorization = self.1.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = Vec::new();
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        headers.extend(body.as_ref().map(|_| ("content-type", "application/json")));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        request(self.0, method, path, &headers, &body).await
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.ask("GET", path, None).await;
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        response.json()
    }
}

#[tokio::test]
async fn an_application_sees_rooms_and_moderates_them() {
    let (server, address) = start(options()).await;
    let api = Backend(address, None);
    assert_eq!(api.get("/v1/rooms").await, json!([]));
    let (mut ann, mut ben) = (Client::open(address).await, Client::open(address).await);
    let ann_id = ann.join("demo room", "Ann", None).await;
    let ben_id = ben.join("demo room", "Ben", None).await;

    let room = api.get("/v1/rooms/demo%20room").await;
    assert_eq!(
        (&room["room"], &room["participants"], &room["locked"]),
        (&json!("demo room"), &json!(2), &json!(false))
    );
    let people = room["people"].as_array().unwrap();
    let names: Vec<_> = people.iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ann", "Ben"]);
    assert_eq!(people[0]["tracks"][1]["source"], "camera");

    let path = "/v1/rooms/demo%20room";
    let patched = api.ask("PATCH", path, Some(json!({"locked": true, "spotlight": ann_id}))).await;
    assert_eq!((patched.status, &patched.json()["spotlight"]), (200, &json!(ann_id)));
    let locked = |m| match m {
        ServerMessage::RoomChanged { locked, spotlight, .. } => Some((locked, spotlight)),
        _ => None,
    };
    assert_eq!(ben.hear(locked).await, (true, Some(ann_id.clone())));
    let patched = api.ask("PATCH", path, Some(json!({"spotlight": null}))).await.json();
    assert_eq!(
        (&patched["locked"], &patched["spotlight"]),
        (&json!(true), &Value::Null),
        "what is left out stays"
    );

    let stop = format!("{path}/participants/{ann_id}/stop");
    assert_eq!(api.ask("POST", &stop, Some(json!({"sources": ["camera"]}))).await.status, 204);
    let stopped = |m| match m {
        ServerMessage::Stopped { sources } => Some(sources),
        _ => None,
    };
    assert_eq!(ann.hear(stopped).await, [wire::Source::Camera]);
    assert_eq!(
        api.ask("POST", &format!("{path}/stop"), Some(json!({"sources": ["microphone"]}))).await.status,
        204
    );
    assert_eq!(ben.hear(stopped).await, [wire::Source::Microphone], "mute all");

    let grants = format!("{path}/participants/{ben_id}/grants");
    assert_eq!(api.ask("PUT", &grants, Some(json!({"subscribe": true}))).await.status, 204);
    let granted = |m| match m {
        ServerMessage::Permissions { grants, .. } => Some(grants),
        _ => None,
    };
    assert_eq!(ben.hear(granted).await, wire::Grants { subscribe: true, ..Default::default() });

    assert_eq!(api.ask("DELETE", &format!("{path}/participants/{ben_id}"), None).await.status, 204);
    let error = |m| match m {
        ServerMessage::Error { code, .. } => Some(code),
        _ => None,
    };
    assert_eq!(ben.hear(error).await, ErrorCode::Removed);
    assert_eq!(api.ask("DELETE", path, None).await.status, 204);
    assert_eq!(ann.hear(error).await, ErrorCode::Removed);
    assert_eq!(api.get("/v1/rooms").await, json!([]));
    let gone = api.ask("GET", path, None).await;
    assert_eq!((gone.status, &gone.json()["code"]), (404, &json!("unknown_room")));
    server.shut_down().await;
}

#[tokio::test]
async fn an_application_posts_and_reads_messages_of_rooms_that_are_empty_and_of_rooms_that_are_not() {
    let (server, address) = start(options()).await;
    let api = Backend(address, None);
    let empty = api.get("/v1/rooms/quiet/messages").await;
    assert_eq!((&empty["head"], &empty["messages"]), (&json!(0), &json!([])));
    let post =
        json!({"topic": "chat", "body": "Good morning", "key": "a key of an application", "name": "Bell"});
    for _ in 0..2 {
        let posted = api.ask("POST", "/v1/rooms/quiet/messages", Some(post.clone())).await;
        assert_eq!((posted.status, &posted.json()["seq"]), (201, &json!(1)), "posted twice, said once");
    }
    let mut ann = Client::open(address).await;
    ann.join("quiet", "Ann", None).await;
    let said = |m| match m {
        ServerMessage::Messages { messages, .. } => Some(messages),
        _ => None,
    };
    let history = ann.hear(said).await;
    assert_eq!(
        (history[0].body.as_str(), history[0].name.as_str(), history[0].participant.as_str()),
        ("Good morning", "Bell", "api")
    );
    for number in 2..=5 {
        let body = json!({"topic": "chat", "body": format!("message {number}")});
        assert_eq!(api.ask("POST", "/v1/rooms/quiet/messages", Some(body)).await.json()["seq"], number);
    }
    assert_eq!(ann.hear(said).await[0].body, "message 2");
    let page = api.get("/v1/rooms/quiet/messages?after=2&limit=2").await;
    let bodies: Vec<_> =
        page["messages"].as_array().unwrap().iter().map(|m| m["body"].as_str().unwrap()).collect();
    assert_eq!(
        (bodies, &page["head"], &page["first"]),
        (vec!["message 3", "message 4"], &json!(5), &json!(1))
    );
    let long = json!({"topic": "chat", "body": "x".repeat(9000)});
    let refused = api.ask("POST", "/v1/rooms/quiet/messages", Some(long)).await;
    assert_eq!((refused.status, &refused.json()["code"]), (400, &json!("bad_post")));
    server.shut_down().await;
}

#[tokio::test]
async fn an_application_rings_at_somebody_who_answers_or_ends_it() {
    let (server, address) = start(options()).await;
    let api = Backend(address, None);
    let mut ben = Client::open(address).await;
    let register = ClientMessage::Register {
        id: 1,
        identity: "ben".into(),
        name: "Ben".into(),
        device: "phone".into(),
        token: None,
    };
    ben.say(&register).await;
    let ring = json!({"from": "desk", "name": "Front desk", "to": "ben"});
    let rang = api.ask("POST", "/v1/calls", Some(ring.clone())).await;
    assert_eq!((rang.status, &rang.json()["state"]), (201, &json!("ringing")));
    let incoming = |m| match m {
        ServerMessage::Incoming { call } => Some(call),
        _ => None,
    };
    let call = ben.hear(incoming).await;
    assert_eq!((call.other.as_str(), call.name.as_deref()), ("desk", Some("Front desk")));
    let again = api.ask("POST", "/v1/calls", Some(ring.clone())).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("in_call")));
    assert_eq!(api.get("/v1/calls").await[0]["callee"], "ben");

    let accept = ClientMessage::Respond { id: 2, call: call.call.clone(), act: wire::CallAct::Accept };
    ben.say(&accept).await;
    let state = |m| match m {
        ServerMessage::CallChanged { state, .. } => Some(state),
        _ => None,
    };
    assert_eq!(ben.hear(state).await, wire::CallState::Accepted);
    let path = format!("/v1/calls/{}", call.call);
    assert_eq!(api.ask("DELETE", &path, None).await.status, 204);
    assert_eq!(ben.hear(state).await, wire::CallState::Ended);
    assert_eq!(api.ask("DELETE", &path, None).await.json()["code"], "unknown_call");

    let rang = api.ask("POST", "/v1/calls", Some(ring)).await.json();
    ben.hear(incoming).await;
    let path = format!("/v1/calls/{}", rang["call"].as_str().unwrap());
    assert_eq!(api.ask("DELETE", &path, None).await.status, 204);
    assert_eq!(ben.hear(state).await, wire::CallState::Cancelled);
    server.shut_down().await;
}

#[tokio::test]
async fn a_token_of_the_api_lets_its_bearer_in_until_it_is_revoked() {
    let (server, address) = start(with_keys()).await;
    let api = Backend(address, Some(admin("demo")));
    let minted =
        api.ask("POST", "/v1/tokens", Some(json!({"room": "demo", "identity": "ann", "name": "Ann"}))).await;
    assert_eq!(minted.status, 201, "{}", minted.body);
    let minted = minted.json();
    let mut ann = Client::open(address).await;
    ann.join("demo", "ignored", Some(minted["token"].as_str().unwrap().into())).await;
    let person = &api.get("/v1/rooms/demo").await["people"][0];
    assert_eq!((&person["name"], &person["identity"]), (&json!("Ann"), &json!("ann")));
    let elsewhere = api.ask("POST", "/v1/tokens", Some(json!({"room": "other", "identity": "ann"}))).await;
    assert_eq!(elsewhere.status, 403, "a token for one room mints for that room");

    let path = format!("/v1/tokens/{}/revocation", minted["jti"].as_str().unwrap());
    assert_eq!(
        api.ask("PUT", &path, Some(json!({"exp": minted["exp"]}))).await.status,
        403,
        "for every room only"
    );
    let every = Backend(address, Some(admin("*")));
    assert_eq!(every.ask("PUT", &path, Some(json!({"exp": minted["exp"]}))).await.status, 204);
    let error = |m| match m {
        ServerMessage::Error { code, .. } => Some(code),
        _ => None,
    };
    assert_eq!(ann.hear(error).await, ErrorCode::Removed);
    let mut again = Client::open(address).await;
    again.say(&with_token("demo", minted["token"].as_str().unwrap())).await;
    assert_eq!(again.hear(error).await, ErrorCode::AccessDenied);
    server.shut_down().await;
}

#[tokio::test]
async fn an_application_leads_a_class_from_outside() {
    let (server, address) = start(with_keys()).await;
    let api = Backend(address, Some(admin("class")));
    let mint = |identity: &str, role: &str, wait: bool| json!({"room": "class", "identity": identity, "name": identity, "role": role, "wait": wait});
    let token_of = async |body: Value| {
        let minted = api.ask("POST", "/v1/tokens", Some(body)).await;
        minted.json()["token"].as_str().expect(&minted.body).to_owned()
    };
    let teacher = token_of(mint("ann", "teacher", true)).await;
    let mut ann = Client::open(address).await;
    ann.join("class", "ignored", Some(teacher)).await;
    let student = token_of(mint("ben", "student", true)).await;
    let mut ben = Client::open(address).await;
    ben.say(&with_token("class", &student)).await;
    ben.hear(|m| matches!(m, ServerMessage::Waiting { .. }).then_some(())).await;
    let waiting = api.get("/v1/rooms/class/waiting").await;
    assert_eq!((waiting.as_array().unwrap().len(), &waiting[0]["identity"]), (1, &json!("ben")));
    let ben_id = waiting[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.get("/v1/rooms/class").await["participants"], 1, "who waits is not in it");
    let unknown = api.ask("POST", "/v1/rooms/class/waiting/admit", Some(json!({"participant": "x"}))).await;
    assert_eq!(unknown.json()["code"], "unknown_participant");
    let admitted =
        api.ask("POST", "/v1/rooms/class/waiting/admit", Some(json!({"participant": ben_id}))).await;
    assert_eq!(admitted.status, 204, "{}", admitted.body);
    ben.hear(|m| matches!(m, ServerMessage::Joined { .. }).then_some(())).await;
    let people = api.get("/v1/rooms/class").await["people"].clone();
    assert_eq!(
        (&people[1]["role"], &people[1]["grants"]["publish"]),
        (&json!("student"), &json!(["microphone", "camera"]))
    );

    let path = format!("/v1/rooms/class/participants/{ben_id}/role");
    assert_eq!(api.ask("PUT", &path, Some(json!({"role": "audience"}))).await.status, 204);
    let role = ben.hear(|m| match m {
        ServerMessage::Permissions { role, .. } => role,
        _ => None,
    });
    assert_eq!(role.await, wire::Role::Audience);

    let set = async |body: Value| api.ask("POST", "/v1/rooms/class/attributes", Some(body)).await;
    let first = set(json!({"key": "topic", "value": "fractions", "version": 0})).await;
    assert_eq!((first.status, &first.json()["version"]), (200, &json!(1)));
    let conflict = set(json!({"key": "topic", "value": "decimals", "version": 0})).await;
    assert_eq!((conflict.status, &conflict.json()["code"]), (409, &json!("conflict")));
    assert_eq!(conflict.json()["present"], json!({"value": "fractions", "version": 1}));
    assert_eq!(set(json!({"participant": ben_id, "value": "{}"})).await.status, 200);
    let room = api.get("/v1/rooms/class").await;
    assert_eq!(room["attributes"], json!([{"key": "topic", "value": "fractions", "version": 1}]));
    assert_eq!(room["people"][1]["attributes"], json!([{"value": "{}", "version": 1}]));

    let groups = api.ask("PUT", "/v1/rooms/class/groups", Some(json!({"groups": ["one"]}))).await;
    assert_eq!((groups.status, &groups.json()["groups"]), (200, &json!(["one"])));
    let moving =
        |people: Option<Vec<&str>>, group: Option<&str>| json!({"participants": people, "group": group});
    let moved =
        api.ask("POST", "/v1/rooms/class/groups/move", Some(moving(Some(vec![&ben_id]), Some("one")))).await;
    assert_eq!(moved.status, 204, "{}", moved.body);
    let group = ben.hear(|m| match m {
        ServerMessage::Moved { group, .. } => Some(group),
        _ => None,
    });
    assert_eq!(group.await.as_deref(), Some("one"));
    let people = &api.get("/v1/rooms/class%1Fone").await["people"];
    assert_eq!(people[0]["id"], json!(ben_id), "a group is a room, and of the token's");
    let nowhere =
        api.ask("POST", "/v1/rooms/class/groups/move", Some(moving(Some(vec![&ben_id]), Some("two")))).await;
    assert_eq!((nowhere.status, &nowhere.json()["code"]), (404, &json!("unknown_group")));
    assert_eq!(api.ask("POST", "/v1/rooms/class/groups/move", Some(moving(None, None))).await.status, 204);
    assert_eq!(api.get("/v1/rooms/class").await["people"].as_array().unwrap().len(), 2);

    let patch = json!({"waiting": true, "publish": ["camera"]});
    let patched = api.ask("PATCH", "/v1/rooms/class", Some(patch)).await.json();
    assert_eq!((&patched["waiting"], &patched["publish"]), (&json!(true), &json!(["camera"])));
    let cleo = token_of(mint("cleo", "audience", false)).await;
    let mut late = Client::open(address).await;
    late.say(&with_token("class", &cleo)).await;
    late.hear(|m| matches!(m, ServerMessage::Waiting { .. }).then_some(())).await;
    assert_eq!(api.ask("POST", "/v1/rooms/class/waiting/refuse", Some(json!({}))).await.status, 204);
    let code = late.hear(|m| match m {
        ServerMessage::Error { code, .. } => Some(code),
        _ => None,
    });
    assert_eq!(code.await, ErrorCode::NotAdmitted);
    drop(ann);
    server.shut_down().await;
}

fn with_token(room: &str, token: &str) -> ClientMessage {
    match join(1, room, "Ann", 4) {
        ClientMessage::Join { id, room, name, offer, tracks, slots, history, .. } => ClientMessage::Join {
            id,
            room,
            name,
            offer,
            tracks,
            slots,
            history,
            token: Some(token.into()),
            role: None,
        },
        other => other,
    }
}

/// Every operation of the document, with its path filled in.
async fn operations(address: SocketAddr) -> Vec<(String, String)> {
    let document = request(address, "GET", "/v1/openapi.json", &[], "").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let fill = |part| match part {
                "{webhook}" => "0",
                part if str::starts_with(part, "{") => "some",
                part => part,
            };
            let path: Vec<_> = path.split('/').map(fill).collect();
            operations.push((method.to_uppercase(), path.join("/")));
        }
    }
    operations
}

#[tokio::test]
async fn nothing_is_done_without_a_token_for_it() {
    let (server, address) = start(with_keys()).await;
    let mut ann = Client::open(address).await;
    let ann_token = token("demo", GrantClaims { moderate: true, ..GrantClaims::participant() });
    ann.join("demo", "Ann", Some(ann_token.clone())).await;
    let altered = format!("{}x", admin("*"));
    let tokens = [None, Some(ann_token), Some(altered), Some("x".into()), Some(admin("elsewhere"))];
    let mut first = None;
    for (method, path) in operations(address).await {
        let path = path.replacen("/v1/rooms/some", "/v1/rooms/demo", 1);
        for token in &tokens {
            let api = Backend(address, token.clone());
            // A body that fits everything, so that nothing but the token is wrong.
            let body = json!({"sources": [], "topic": "t", "body": "b", "from": "a", "name": "a", "to": "b",
                "room": "demo", "identity": "a", "exp": 1, "after": 0, "role": "student", "groups": []});
            let refused = api.ask(&method, &path, Some(body)).await;
            assert_eq!(refused.status, 403, "{method} {path} with {token:?}: {}", refused.body);
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
            assert_eq!(
                first.get_or_insert(refused.body.clone()),
                &refused.body,
                "every refusal reads the same"
            );
        }
    }
    assert_eq!(Backend(address, Some(admin("demo"))).get("/v1/rooms/demo").await["participants"], 1);
    server.shut_down().await;
}

#[tokio::test]
async fn the_document_names_every_route_and_no_other() {
    let (server, address) = start(options()).await;
    let operations = operations(address).await;
    for path in operations.iter().map(|(_, path)| path).collect::<std::collections::BTreeSet<_>>() {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let is_named = operations.contains(&(method.to_owned(), path.clone()));
            let status = request(address, method, path, &[("content-type", "application/json")], "").await;
            let is_routed = status.status != 405 && !status.body.contains("unknown_path");
            assert_eq!(is_routed, is_named, "{method} {path}: {} {}", status.status, status.body);
        }
    }
    // What is routed stands in one place; a path that is not in the document would be one more here.
    let routes = include_str!("../src/server/api/mod.rs").matches(".route(\"/v1/").count();
    let paths: std::collections::BTreeSet<_> = operations.iter().map(|(_, path)| path).collect();
    assert_eq!(routes, paths.len() + 2, "the document itself and the fallback are no operations");
    server.shut_down().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_explained_as_json() {
    let (server, address) = start(options()).await;
    let json_type = [("content-type", "application/json")];
    let large = format!("{{\"topic\":\"{}\"}}", "x".repeat(70_000));
    let deep = "[".repeat(50_000);
    let cases = [
        ("GET", "/v1/nothing", &[][..], "", 404, "unknown_path"),
        ("PUT", "/v1/rooms", &[][..], "", 405, "method_not_allowed"),
        ("GET", "/v1/rooms/%ff", &[][..], "", 400, "bad_request"),
        ("GET", "/v1/rooms/a/messages?after=x", &[][..], "", 400, "bad_request"),
        ("POST", "/v1/calls", &[][..], "{}", 415, "unsupported_media_type"),
        ("POST", "/v1/calls", &json_type[..], "{", 400, "bad_request"),
        ("POST", "/v1/calls", &json_type[..], &deep, 400, "bad_request"),
        ("POST", "/v1/rooms/a/messages", &json_type[..], &large, 413, "body_too_large"),
        ("POST", "/v1/tokens", &json_type[..], "{\"room\":\"a\",\"identity\":\"b\"}", 501, "cannot_sign"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let response = request(address, method, path, headers, body).await;
        let problem = response.json();
        assert_eq!(
            (response.status, problem["code"].as_str()),
            (status, Some(code)),
            "{method} {path}: {problem}"
        );
        for field in ["message", "remedy"] {
            assert!(!problem[field].as_str().unwrap().is_empty(), "{method} {path}: {problem}");
        }
    }
    let page = request(address, "GET", "/v1", &[], "").await;
    assert!(page.status == 200 && page.body.contains("/v1/rooms/{room}"));
    server.shut_down().await;
}
