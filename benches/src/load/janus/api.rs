//! Janus's API over HTTP: a request is posted, and what a plugin says to it comes with the next long poll of its session.

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// One session with one handle of the video room.
pub struct Session {
    server: &'static str,
    id: u64,
    handle: u64,
}

/// What the plugin said.
pub struct Event {
    /// The SDP that came with it.
    pub description: Option<String>,
}

impl Session {
    pub fn open(server: &'static str) -> anyhow::Result<Self> {
        let created = post(server, "/janus", &json!({"janus": "create", "transaction": "create"}))?;
        let id = created["data"]["id"].as_u64().context("Janus gives no session")?;
        let attach = json!({"janus": "attach", "plugin": "janus.plugin.videoroom", "transaction": "attach"});
        let attached = post(server, &format!("/janus/{id}"), &attach)?;
        let handle = attached["data"]["id"].as_u64().context("Janus has no video room")?;
        Ok(Self { server, id, handle })
    }

    /// Asks the room and waits for what it says.
    pub fn ask(&mut self, body: &Value, description: Option<(&str, &str)>) -> anyhow::Result<Event> {
        let mut message = json!({"janus": "message", "transaction": "ask", "body": body});
        if let Some((kind, sdp)) = description {
            message["jsep"] = json!({"type": kind, "sdp": sdp, "trickle": false});
        }
        let path = format!("/janus/{}/{}", self.id, self.handle);
        let mut answer = post(self.server, &path, &message)?;
        let give_up = Instant::now() + PATIENCE;
        // An acknowledgement is not an answer, and what happens to the transport is none either.
        while answer["janus"] == "ack" || answer["plugindata"].is_null() {
            ensure!(answer["janus"] != "error", "Janus: {}", answer["error"]["reason"]);
            ensure!(Instant::now() < give_up, "Janus does not answer {}", body["request"]);
            answer = request(self.server, "GET", &format!("/janus/{}?maxev=1", self.id), "")?;
        }
        let data = &answer["plugindata"]["data"];
        if let Some(error) = data["error"].as_str() {
            bail!("Janus refuses {}: {error}", body["request"]);
        }
        Ok(Event { description: answer["jsep"]["sdp"].as_str().map(str::to_owned) })
    }
}

/// Until the server answers.
pub fn wait_until_there(server: &str, patience: Duration) -> anyhow::Result<()> {
    let give_up = Instant::now() + patience;
    loop {
        match request(server, "GET", "/janus/info", "") {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > give_up => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn post(server: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    request(server, "POST", path, &body.to_string())
}

/// One request, one connection; version 1.0, so that the answer does not come in chunks.
fn request(server: &str, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (_, body) = response.split_once("\r\n\r\n").context("no HTTP answer")?;
    serde_json::from_str(body).with_context(|| format!("{method} {path}: {body}"))
}
