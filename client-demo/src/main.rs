//! `sampan-bot`: joins a room as a native participant, publishes audio and video from files, receives everybody and
//! prints what it received as JSON.

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand, ValueEnum};
use client_core::Event;
use client_demo::own::{self, Options};
use client_demo::playback::{SAMPLE_AUDIO, SAMPLE_VIDEO};
use client_demo::report::Report;
use client_demo::websocket::Url;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[derive(Parser)]
#[command(name = "sampan-bot", about = "A native participant for Sampan rooms")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Join a room, publish and receive until the time is over or Ctrl-C
    Join(Join),
}

#[derive(clap::Args)]
struct Join {
    /// Name of the room
    #[arg(long)]
    room: String,
    /// Address of the server
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws")]
    server: String,
    /// Name shown to the others
    #[arg(long, default_value = "bot")]
    name: String,
    /// Ogg Opus file to publish in a loop, or a WAV file, which is encoded as the network needs it (WAV in builds with `--features
    /// opus`) [default: a built-in sample]
    #[arg(long, value_name = "FILE")]
    audio: Option<PathBuf>,
    /// WAV file for what is heard of everybody, mixed (in builds with `--features opus`)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// VP8 IVF file to publish in a loop [default: a built-in sample]
    #[arg(long, value_name = "FILE")]
    video: Option<PathBuf>,
    /// Publish no audio
    #[arg(long, conflicts_with = "audio")]
    no_audio: bool,
    /// Publish no video
    #[arg(long, conflicts_with = "video")]
    no_video: bool,
    /// Leave after this many seconds [default: stay until Ctrl-C]
    #[arg(long)]
    seconds: Option<f64>,
    /// Print the report on one line and nothing else
    #[arg(long)]
    json: bool,
    /// Accept any TLS certificate (for a server with a self-signed one)
    #[arg(long)]
    insecure: bool,
    /// Pairs of slots offered at the start; more follow when the room needs them
    #[arg(long, default_value_t = 4)]
    slots: u32,
    /// Look at the lobby for so many seconds first: the media path comes up there, and times count from when it is left
    #[arg(long, value_name = "SECONDS", conflicts_with = "engine")]
    lobby: Option<f64>,
    /// Size at which pictures are shown, as 480x270: larger layers are neither sent here nor, if nobody else shows them, made
    /// [default: any size]
    #[arg(long, value_name = "WxH", value_parser = size)]
    show: Option<(u16, u16)>,
    /// Which WebRTC implementation to run on
    #[arg(long, value_enum, default_value_t = Engine::Own)]
    engine: Engine,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Our own client
    Own,
    /// The independent `webrtc` crate
    Webrtc,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Join(join) = Arguments::parse().command;
    match run(&join).await {
        Ok(report) => {
            let text = if join.json {
                serde_json::to_string(&report)
            } else {
                serde_json::to_string_pretty(&report)
            };
            println!("{}", text.unwrap_or_default());
            if report.participant.is_some() && report.connected {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("sampan-bot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(join: &Join) -> Result<Report> {
    let options = Options {
        server: Url::parse(&join.server)?,
        insecure: join.insecure,
        room: join.room.clone(),
        name: join.name.clone(),
        audio: file(join.audio.as_deref(), join.no_audio, SAMPLE_AUDIO)?,
        video: file(join.video.as_deref(), join.no_video, SAMPLE_VIDEO)?,
        record: join.record.clone(),
        slot_pairs: join.slots,
        shown: join.show,
        lobby: join.lobby.map(Duration::try_from_secs_f64).transpose().context("--lobby")?,
        dtls: own::dtls(),
        start: None,
    };
    let quiet = join.json;
    let watch = move |event: &Event| {
        if !quiet {
            say(event);
        }
    };
    let seconds = join.seconds;
    let stop = async move {
        let time = async {
            match seconds {
                Some(seconds) => tokio::time::sleep(Duration::from_secs_f64(seconds.max(0.0))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = time => {}
            () = interrupted() => {}
        }
    };
    match join.engine {
        Engine::Own => own::run(&options, watch, stop).await,
        Engine::Webrtc if join.record.is_some() || join.show.is_some() => {
            bail!("--record and --show need our own engine: leave out `--engine webrtc`")
        }
        Engine::Webrtc => client_demo::independent::run(&options, stop).await,
    }
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parsed =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    parsed
        .filter(|&(width, height)| width > 0 && height > 0)
        .ok_or_else(|| "is no size: write it as 480x270".to_owned())
}

/// Ctrl-C, or the wish of a service manager.
async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    drop(tokio::signal::ctrl_c().await);
}

fn file(path: Option<&Path>, none: bool, sample: &'static [u8]) -> Result<Option<Arc<[u8]>>> {
    match path {
        _ if none => Ok(None),
        None => Ok(Some(sample.into())),
        Some(path) => {
            let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Some(bytes.into()))
        }
    }
}

/// One line on standard error for what a person watching would like to know.
fn say(event: &Event) {
    match event {
        Event::Joined { participant, others } => {
            eprintln!("joined as {participant}, {} already there", others.len());
        }
        Event::Connected => eprintln!("connected: media flows"),
        Event::ParticipantJoined(who) => eprintln!("{} ({}) came", who.name, who.id),
        Event::ParticipantLeft(id) => eprintln!("{id} left"),
        Event::FirstAudio { participant } => eprintln!("first sound of {participant}"),
        Event::FirstFrame { participant } => eprintln!("first picture of {participant}"),
        Event::Refused { message, .. } => eprintln!("refused: {message}"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_is_two_numbers_above_zero() {
        assert_eq!(size("480x270"), Ok((480, 270)));
        for wrong in ["", "480", "x", "480x", "0x270", "480x0", "480x270x1", "70000x1", "-1x1"] {
            assert!(size(wrong).is_err(), "{wrong:?}");
        }
    }
}
