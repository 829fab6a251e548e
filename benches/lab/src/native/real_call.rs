//! The same call over real sockets: a real server, a process of threads, and the impairment link between them.

use super::measured::{self, Observed};
use super::person::{Codec, Notes, Person, Role, Shared};
use super::virtual_call::Setup;
use crate::outcome::{Call, Client};
use anyhow::{Context as _, Result};
use client_demo::websocket::{self, Url};
use netem::LinkConfig;
use packet::NtpTime;
use packet::media::MediaKind;
use signaling::server::{Listen, Options as ServerOptions, Server};
use signaling::sessions::Rate;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tests::media::{self, Source, Stamp};
use tests::participant::{Output, Participant, Seen};
use tests::proxy::Proxy;
use tokio::net::UdpSocket;
use transport::Certificate;
use wire::ServerMessage;

/// The one with the good network is there before.
const AHEAD: Duration = Duration::from_secs(3);
/// The room has begun by then, so that a place in it can be held.
const LOBBY_AFTER: Duration = Duration::from_millis(500);
/// A join may take so long; the call begins with it.
const JOIN_WITHIN: Duration = Duration::from_secs(5);
const DATAGRAM_MAX: usize = 2048;
const DATAGRAMS_PER_TURN: usize = 64;
/// 2026-01-01 in NTP's seconds since 1900; only differences matter.
const CLOCK: NtpTime = NtpTime(3_976_214_400 << 32);

/// Somebody's end of the call.
struct End {
    role: Role,
    number: u16,
    seed: u64,
    proxy: Proxy,
    tcp: SocketAddr,
    /// In the lobby, if there is one, half a second after the clock began.
    joins_at: Instant,
    leaves_at: Instant,
    clock: (Instant, NtpTime),
}

/// What the world notes in virtual time.
#[derive(Default)]
struct Log {
    sent: BTreeMap<u32, Instant>,
    seen: Vec<(Instant, Stamp)>,
}

pub async fn call(setup: &Setup<'_>) -> Result<Vec<Call>> {
    let Setup { network, seed, seconds, speech, .. } = *setup;
    let server = Server::start(ServerOptions {
        listen: Listen::Localhost(0),
        joins: Rate { burst: 1000, per_second: 1000.0 },
        ..ServerOptions::default()
    })
    .await?;
    let port =
        server.media().candidates(0).first().context("the server has no media address")?.address.port();
    let media = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let http = *server.addresses().iter().find(|a| a.is_ipv4()).context("the server has no page")?;
    let begins = Instant::now() + Duration::from_millis(200);
    let clicked = begins + AHEAD;
    let ends = clicked + JOIN_WITHIN + Duration::from_secs(seconds);
    let end = |name, number, links: (LinkConfig, LinkConfig), joins_at| -> Result<End> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let proxy = Proxy::start_one_leg(any, media, links, seed)?;
        let tcp = proxy.listen_tcp(any, http)?;
        let role = Role {
            name,
            room: "lab",
            speech: Some(speech.clone()),
            sends_video: !network.is_audio_only(),
            lobby: joins_at > begins,
        };
        Ok(End {
            role,
            number,
            seed: seed * 2 + u64::from(number),
            proxy,
            tcp,
            joins_at,
            leaves_at: ends,
            clock: (begins, CLOCK),
        })
    };
    let near = (netem::preset::far_leg(), netem::preset::far_leg());
    let ann = end("ann", 0, near, begins)?;
    let ben = end("ben", 1, network.links(seed), clicked)?;
    let threads = [ann, ben].map(|end| std::thread::spawn(move || take_part(end)));
    let both = tokio::task::spawn_blocking(|| threads.map(|t| t.join())).await?;
    let [ann, ben] = both.map(|joined| joined.unwrap_or_else(|_| anyhow::bail!("a client panicked")));
    let ((ann_notes, ann_log, _), (ben_notes, ben_log, proxy)) = (ann?, ben?);
    let meters = proxy.take_meters();
    server.shut_down().await;
    let shown = |log: &Log, of: &Log| {
        let known = |(at, stamp): &(Instant, Stamp)| Some((*of.sent.get(&stamp.number)?, *at, stamp.layer));
        log.seen.iter().filter_map(known).collect::<Vec<_>>()
    };
    let (up, down) = (&meters.up, &meters.down);
    let both = [
        (Client::Native, &ben_notes, &ann_notes, shown(&ben_log, &ann_log)),
        (Client::NativeUp, &ann_notes, &ben_notes, shown(&ann_log, &ben_log)),
    ];
    both.into_iter()
        .map(|(client, notes, spoken, shown)| {
            measured::call(setup, &Observed { client, clicked, ends, notes, spoken, shown, up, down })
        })
        .collect()
}

/// A thread of its own for each: a client that decodes must not wait for another.
fn take_part(end: End) -> Result<(Notes, Log, Proxy)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(taking_part(end))
}

async fn taking_part(end: End) -> Result<(Notes, Log, Proxy)> {
    let End { role, number, seed, proxy, tcp, joins_at, leaves_at, clock } = end;
    let url = Url::parse(&format!("ws://{tcp}/ws"))?;
    let codec = Codec::new(&role)?;
    let certificate = Arc::new(Certificate::generate()?);
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let local = socket.local_addr()?;
    // Open before the click, as on a warm page.
    let connecting = tokio::time::timeout_at(leaves_at.into(), websocket::connect(&url, false)).await;
    let mut connection = connecting.context("the server was not reached")??;
    let comes_at = if role.lobby { clock.0 + LOBBY_AFTER } else { joins_at };
    tokio::time::sleep_until(comes_at.into()).await;
    let notes = Shared::default();
    let now = Instant::now();
    let mut person = Person::new(&role, codec, certificate, (local, now, clock, seed), notes.clone());
    let (mut log, mut source): (Log, Option<Source>) = (Log::default(), None);
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut clicks_at = role.lobby.then_some(joins_at);
    while Instant::now() < leaves_at {
        let now = Instant::now();
        if clicks_at.is_some_and(|at| at <= now) {
            clicks_at = None;
            person.enter(now);
        }
        let budget = person.video_budget();
        while let Some(frame) = source.as_mut().and_then(|source| source.poll(now, budget)) {
            if frame.stamp.kind == MediaKind::Video {
                log.sent.entry(frame.stamp.number).or_insert(now);
            }
            person.send_frame(now, &frame);
        }
        let wakes = loop {
            match person.poll_output(Instant::now()) {
                Output::Message(message) => drop(connection.sender.send(message)),
                // A full socket buffer loses the datagram, as the network would.
                Output::Transmit { to, bytes } => drop(socket.try_send_to(&bytes, to)),
                Output::Seen(seen) => note(seen, number, seed, &person, &mut source, &mut log),
                Output::Timeout(at) => break at,
            }
        };
        let due = wakes
            .into_iter()
            .chain(source.as_ref().map(Source::poll_timeout))
            .chain(clicks_at)
            .chain([leaves_at])
            .min();
        tokio::select! {
            biased;
            message = connection.receiver.recv() => match message {
                Some(message) => person.handle_message(Instant::now(), through(message, proxy.address())),
                None => break,
            },
            readable = socket.readable() => {
                readable?;
                for _ in 0..DATAGRAMS_PER_TURN {
                    let Ok((length, from)) = socket.try_recv_from(&mut buffer) else { break };
                    person.handle_datagram(Instant::now(), from, &mut buffer[..length]);
                }
            }
            () = tokio::time::sleep_until(due.unwrap_or(leaves_at).into()) => {}
        }
        person.handle_timeout(Instant::now());
    }
    drop(person);
    let notes = std::mem::take(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((notes, log, proxy))
}

fn note(seen: Seen, number: u16, seed: u64, person: &Person, source: &mut Option<Source>, log: &mut Log) {
    let now = Instant::now();
    match seen {
        Seen::Connected => {
            source.get_or_insert_with(|| match person.sends_layers() {
                true => Source::simulcast(number, now, seed),
                false => Source::new(number, now),
            });
        }
        Seen::KeyframeWanted { layer } => {
            if let Some(source) = source {
                source.want_keyframe(layer);
            }
        }
        Seen::LayersWanted(layers) => {
            if let Some(source) = source {
                source.want_layers(&layers);
            }
        }
        Seen::Frame { kind: MediaKind::Video, data, .. } => {
            log.seen.extend(media::read(MediaKind::Video, &data).map(|stamp| (now, stamp)));
        }
        _ => {}
    }
}

/// Candidates of an answer lead through the link.
fn through(mut message: ServerMessage, link: SocketAddr) -> ServerMessage {
    if let ServerMessage::Joined { answer: Some(answer), .. }
    | ServerMessage::Held { answer: Some(answer), .. }
    | ServerMessage::Answer { answer, .. } = &mut message
    {
        *answer = answer.split_inclusive('\n').map(|line| candidate(line, link)).collect();
    }
    message
}

fn candidate(line: &str, link: SocketAddr) -> String {
    if !line.starts_with("a=candidate:") {
        return line.to_owned();
    }
    let (ip, port) = (link.ip().to_string(), link.port().to_string());
    // foundation, component, transport, priority, address, port, ...
    let field = |(place, field): (usize, &str)| match place {
        4 => ip.clone(),
        5 => port.clone(),
        _ => field.to_owned(),
    };
    let fields: Vec<String> = line.trim_end().split(' ').enumerate().map(field).collect();
    fields.join(" ") + "\r\n"
}

#[cfg(test)]
mod candidates {
    use super::*;

    #[test]
    fn candidates_lead_through_the_link_and_nothing_else_changes() {
        let link = SocketAddr::from(([127, 0, 0, 1], 9));
        let line = "a=candidate:1 1 udp 2130706431 192.0.2.7 8080 typ host\r\n";
        assert_eq!(candidate(line, link), "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n");
        assert_eq!(candidate("a=mid:0\r\n", link), "a=mid:0\r\n");
    }
}
