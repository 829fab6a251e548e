//! The sockets and the clock of one [`client_core::Client`].

use crate::playback::VideoPlayback;
use crate::report::Report;
use crate::talk::{Ear, Mouth};
use crate::websocket::{self, Url};
use anyhow::{Context, Result};
use client_core::{Client, Config, Event, Frame, Output};
use packet::{Mid, NtpTime};
use std::future::Future;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use transport::Certificate;
use wire::Source;

/// Who joins what, and what they publish.
#[derive(Clone)]
pub struct Options {
    pub server: Url,
    pub insecure: bool,
    pub room: String,
    pub name: String,
    /// Ogg Opus (or WAV with feature `opus`) and IVF files' contents; None: nothing is published.
    pub audio: Option<Arc<[u8]>>,
    pub video: Option<Arc<[u8]>>,
    /// What is heard of everybody goes into this WAV file; needs feature `opus`.
    pub record: Option<PathBuf>,
    pub slot_pairs: u32,
    /// Width and height at which pictures are shown, in pixels; None: of any size.
    pub shown: Option<(u16, u16)>,
    pub dtls: transport::DtlsConfig,
    /// So long in the lobby, where everything gets ready that can be; None: there is none.
    pub lobby: Option<Duration>,
    /// Everybody who has this barrier joins at the same moment, with the WebSocket open.
    pub start: Option<Arc<tokio::sync::Barrier>>,
}

/// What the client brings to the handshake unless told otherwise.
pub fn dtls() -> transport::DtlsConfig {
    client_core::Config::dtls_default()
}

/// Datagrams read in one go before timers and messages get their turn.
const DATAGRAMS_PER_TURN: usize = 64;
/// The longest datagram on a path with Ethernet's MTU, and room to spare.
const DATAGRAM_MAX: usize = 2048;

/// Takes part until `stop` is ready, the server ends it or the media path breaks; `watch` sees every event.
pub async fn run(
    options: &Options,
    mut watch: impl FnMut(&Event),
    stop: impl Future<Output = ()>,
) -> Result<Report> {
    let certificate = Arc::new(Certificate::generate()?);
    let start = Instant::now();
    let mut connection = websocket::connect(&options.server, options.insecure).await?;
    let socket = udp_socket(connection.local).context("no UDP socket")?;
    let local = socket.local_addr()?;
    let clock = (Instant::now(), ntp_now());
    let seed = u64::from_ne_bytes(random_bytes()?);
    let mut config = Config::new(&options.room, &options.name, certificate, vec![local], clock, seed);
    config.slot_pairs = options.slot_pairs;
    config.dtls = options.dtls;
    config.lobby = options.lobby.is_some();
    let mut ear = Ear::new(options.record.as_deref())?;
    ear.configure(&mut config);
    config.publish.retain(|publish| match publish.kind() {
        wire::Kind::Audio => options.audio.is_some(),
        wire::Kind::Video => options.video.is_some(),
    });
    if let Some(barrier) = &options.start {
        barrier.wait().await;
    }
    let now = Instant::now();
    let mut client = Client::new(config, now)?;
    let mut enters_at = options.lobby.map(|lobby| now + lobby);
    let mut player = Player {
        audio: options.audio.as_deref().map(|f| Mouth::new(f, now)).transpose()?,
        video: options.video.as_deref().map(|f| VideoPlayback::new(f, now)).transpose()?,
        microphone: client.mid(Source::Microphone),
        camera: client.mid(Source::Camera),
        playing: false,
    };
    let mut told = 0;
    let mut report =
        Report { engine: "own", room: options.room.clone(), name: options.name.clone(), ..Report::default() };
    let mut stop = pin!(stop);
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut over = false;
    loop {
        let mut wake = loop {
            match client.poll_output() {
                Output::Message(message) => over |= connection.sender.send(message).is_err(),
                Output::Transmit(transmit) => {
                    // A full socket buffer loses the datagram, as the network would.
                    let _ = socket.try_send_to(&transmit.bytes, transmit.to);
                }
                Output::Event(event) => {
                    over |= player.event(&event, &mut report);
                    ear.event(&event)?;
                    watch(&event);
                }
                Output::Timeout(at, _) => break at,
            }
        };
        if over {
            break;
        }
        if let Some(shown) = options.shown.filter(|_| player.playing)
            && client.slots().count() > told
        {
            told = client.slots().count();
            client.prefer(preferences(&client, shown));
            continue;
        }
        wake = player.due().into_iter().chain(enters_at).fold(wake, Instant::min);
        tokio::select! {
            biased;
            () = &mut stop => break,
            message = connection.receiver.recv() => match message {
                Some(message) => client.handle_message(Instant::now(), message),
                None => {
                    report.errors.push("the server closed the connection".to_owned());
                    break;
                }
            },
            readable = socket.readable() => {
                readable?;
                for _ in 0..DATAGRAMS_PER_TURN {
                    let Ok((len, from)) = socket.try_recv_from(&mut buffer) else { break };
                    client.handle_datagram(Instant::now(), local, from, &mut buffer[..len]);
                }
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        let now = Instant::now();
        if enters_at.is_some_and(|at| at <= now) {
            enters_at = None;
            client.enter(now);
        }
        client.handle_timeout(now);
        player.play(now, &mut client)?;
    }
    ear.finish()?;
    let stats = client.stats();
    client.leave();
    loop {
        match client.poll_output() {
            Output::Message(message) => drop(connection.sender.send(message)),
            Output::Timeout(..) => break,
            Output::Transmit(_) | Output::Event(_) => {}
        }
    }
    report.take(stats);
    report.seconds = start.elapsed().as_secs_f64();
    connection.ended().await;
    Ok(report)
}

/// Every picture is shown at this size.
fn preferences(client: &Client, (width, height): (u16, u16)) -> Vec<wire::Preference> {
    let video = client.slots().filter(|slot| slot.kind == packet::media::MediaKind::Video);
    let preference = |mid: &Mid| wire::Preference {
        mid: mid.to_string(),
        width,
        height,
        visible: true,
        pinned: false,
        priority: 0,
    };
    video.map(|slot| preference(&slot.mid)).collect()
}

/// What is published, once there is a path.
struct Player {
    audio: Option<Mouth>,
    video: Option<VideoPlayback>,
    microphone: Option<Mid>,
    camera: Option<Mid>,
    playing: bool,
}

impl Player {
    /// True: it is over.
    fn event(&mut self, event: &Event, report: &mut Report) -> bool {
        match event {
            Event::Connected => self.start(Instant::now()),
            Event::KeyframeWanted { mid, .. } if Some(*mid) == self.camera => {
                if let Some(video) = &mut self.video {
                    video.keyframe_wanted(Instant::now());
                }
            }
            Event::Refused { code, message } => {
                report.errors.push(format!("{code:?}: {message}"));
                // Before the first path this was the join.
                return !self.playing;
            }
            Event::BadAnswer(why) => {
                report.errors.push(format!("the server's answer cannot be used: {why}"));
                return true;
            }
            Event::Closed(reason) => {
                report.errors.push(format!("the media path ended: {}", reason.name()));
                return true;
            }
            _ => {}
        }
        false
    }

    fn start(&mut self, now: Instant) {
        self.playing = true;
        if let Some(audio) = &mut self.audio {
            audio.start_at(now);
        }
        if let Some(video) = &mut self.video {
            video.start_at(now);
        }
    }

    fn due(&self) -> Option<Instant> {
        let audio = self.audio.as_ref().map(Mouth::due);
        let video = self.video.as_ref().map(VideoPlayback::due);
        audio.into_iter().chain(video).min().filter(|_| self.playing)
    }

    fn play(&mut self, now: Instant, client: &mut Client) -> Result<()> {
        if !self.playing {
            return Ok(());
        }
        if let (Some(audio), Some(mid)) = (&mut self.audio, self.microphone) {
            audio.speak(now, mid, client)?;
        }
        if let (Some(video), Some(mid)) = (&mut self.video, self.camera) {
            while let Some(frame) = video.take(now) {
                let timestamp = frame.timestamp;
                // A frame that cannot be sent (not connected any more) is gone, as with a camera.
                let _ = client.send_frame(now, mid, Frame::new(timestamp, frame.data));
            }
        }
        Ok(())
    }
}

/// Bound to the address from which the server was reached: the only path that a server with a public port needs.
fn udp_socket(local: SocketAddr) -> Result<UdpSocket> {
    let socket = StdUdpSocket::bind((local.ip(), 0))?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket)?)
}

pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

/// Seconds between 1900 (NTP) and 1970 (Unix), RFC 5905 figure 4.
const NTP_UNIX_OFFSET_S: u64 = 2_208_988_800;

fn ntp_now() -> NtpTime {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    NtpTime(NTP_UNIX_OFFSET_S << 32).plus(unix)
}
