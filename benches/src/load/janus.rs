//! Janus (Debian package `janus`), its video room, as a server under load: configured afresh, ICE-lite, no limit of bitrate.
//!
//! A participant that publishes has a transport for it, and one more for all it receives. Janus takes no loopback address, so
//! it runs in the bench's [`namespace`](super::namespace).

mod api;
mod sdp;

use super::adapter::{Adapter, Connection, Place};
use super::server::{self, Usage};
use super::shape::{self, Shape};
use anyhow::Context;
use api::Session;
use packet::media::MediaKind;
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const HTTP: &str = "127.0.0.1:8088";
const START_PATIENCE: Duration = Duration::from_secs(10);
/// A client's own address in descriptions: Janus wants one, and being ICE-lite never uses it.
const UNUSED_PORT: u16 = 9;
/// Of the transport for receiving, beside the peer's number: credentials differ.
const RECEIVING: usize = 500_000;

pub struct Janus {
    place: Place,
    child: Child,
    folder: PathBuf,
    rss_at_start_kib: u64,
    anonymous_at_start_kib: u64,
    /// They end with their sessions.
    sessions: Vec<Session>,
}

impl Janus {
    pub fn start(place: Place) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("bench-janus-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text);
        let general = format!(
            "general: {{ configs_folder = \"{}\"; debug_level = 2; session_timeout = 0; }}\n\
             media: {{ ipv6 = false; rtp_port_range = \"20000-60000\"; }}\n\
             nat: {{ ice_lite = true; }}\n",
            folder.display()
        );
        write("janus.jcfg", &general)?;
        write(
            "janus.transport.http.jcfg",
            "general: { json = \"compact\"; base_path = \"/janus\"; http = true; port = 8088; https = false; }\n\
             admin: { admin_http = false; }\n",
        )?;
        write("janus.plugin.videoroom.jcfg", "general: { }\n")?;
        let log = std::fs::File::create(folder.join("log"))?;
        let child = std::process::Command::new("janus")
            .arg("-F")
            .arg(&folder)
            .arg("--disable-colors")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("Janus does not start: install it (Debian: `apt-get install janus`)")?;
        let mut janus = Self {
            place,
            child,
            folder,
            rss_at_start_kib: 0,
            anonymous_at_start_kib: 0,
            sessions: Vec::new(),
        };
        api::wait_until_there(HTTP, START_PATIENCE).with_context(|| {
            let log = std::fs::read_to_string(janus.folder.join("log")).unwrap_or_default();
            format!("Janus does not answer: {}", log.lines().last().unwrap_or("it says nothing"))
        })?;
        janus.rss_at_start_kib = server::rss_kib(janus.child.id());
        janus.anonymous_at_start_kib = server::anonymous_kib(janus.child.id());
        Ok(janus)
    }

    fn room(shape: &Shape, peer: usize) -> u64 {
        shape.room(peer).0 + 1
    }

    fn own_address(&self) -> SocketAddr {
        SocketAddr::new(self.place.address, UNUSED_PORT)
    }

    /// Joins a room and publishes: what we offer, answered.
    fn publish(&mut self, shape: &Shape, peer: usize) -> anyhow::Result<Connection> {
        let mut session = Session::open(HTTP)?;
        let local = shape::client_credentials(peer);
        let offer = sdp::offer(shape, peer, &local, self.place.fingerprint, self.own_address());
        let body = json!({"request": "joinandconfigure", "ptype": "publisher", "room": Self::room(shape, peer),
                          "id": peer as u64 + 1, "display": format!("peer {peer}")});
        let event = session.ask(&body, Some(("offer", &offer.text())))?;
        let answer = event.description.context("Janus answered without a description")?;
        self.sessions.push(session);
        offer.accept(peer, local, &answer)
    }

    /// Everything that the others of its room publish, in one transport: what Janus offers, answered.
    fn subscribe(&mut self, shape: &Shape, peer: usize) -> anyhow::Result<Connection> {
        let mut session = Session::open(HTTP)?;
        let streams: Vec<_> = shape.sources(peer).map(|source| json!({"feed": source as u64 + 1})).collect();
        let body = json!({"request": "join", "ptype": "subscriber", "room": Self::room(shape, peer),
                          "streams": streams});
        let event = until_published(|| session.ask(&body, None))?;
        let offer = event.description.context("Janus offers nothing")?;
        let local = shape::client_credentials(RECEIVING + peer);
        let answer = sdp::answer(&offer, &local, self.place.fingerprint, self.own_address());
        session.ask(&json!({"request": "start"}), Some(("answer", &answer)))?;
        self.sessions.push(session);
        let (video, audio) =
            (sdp::payload_type(&offer, MediaKind::Video), sdp::payload_type(&offer, MediaKind::Audio));
        Ok(Connection {
            peer,
            publishes: false,
            streams: shape.streams_of(peer),
            local,
            remote: sdp::remote(&offer)?,
            extensions: Default::default(),
            video: video.unwrap_or(shape::VIDEO),
            audio: audio.unwrap_or(shape::AUDIO),
        })
    }
}

/// A publisher is connected for us a moment before it is for Janus, which then knows no such feed.
fn until_published(mut ask: impl FnMut() -> anyhow::Result<api::Event>) -> anyhow::Result<api::Event> {
    let give_up = Instant::now() + START_PATIENCE;
    loop {
        match ask() {
            Err(error) if error.to_string().contains("No such feed") && Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(50));
            }
            done => return done,
        }
    }
}

impl Adapter for Janus {
    fn name(&self) -> &'static str {
        "janus"
    }

    fn publishers(&mut self, shape: &Shape) -> anyhow::Result<Vec<Connection>> {
        let mut session = Session::open(HTTP)?;
        for room in 0..shape.rooms as u64 {
            let body = json!({"request": "create", "room": room + 1, "publishers": shape.participants,
                              "bitrate": 0, "audiocodec": "opus", "videocodec": "vp8"});
            session.ask(&body, None)?;
        }
        self.sessions.push(session);
        (0..shape.peers())
            .filter(|&peer| shape.publishes(peer))
            .map(|peer| self.publish(shape, peer))
            .collect()
    }

    fn subscribers(&mut self, shape: &Shape) -> anyhow::Result<Vec<Connection>> {
        let receives = |&peer: &usize| shape.sources(peer).next().is_some();
        (0..shape.peers()).filter(receives).map(|peer| self.subscribe(shape, peer)).collect()
    }

    fn usage(&mut self) -> anyhow::Result<Usage> {
        let pid = self.child.id();
        Ok(Usage {
            cpu_us: server::cpu_us(pid)?,
            rss_kib: server::rss_kib(pid),
            rss_at_start_kib: self.rss_at_start_kib,
            anonymous_kib: server::anonymous_kib(pid),
            anonymous_at_start_kib: self.anonymous_at_start_kib,
            ..Usage::default()
        })
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
