//! Native clients that join, wait for sound and picture and leave.

use super::Joins;
use anyhow::{Context, Result};
use client_core::Event;
use client_demo::own::{self, Options};
use client_demo::playback::{SAMPLE_AUDIO, SAMPLE_VIDEO};
use client_demo::websocket::Url;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Barrier, Notify, oneshot};
use wire::Stages;

/// A join that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two joins, so that the last one's goodbye is not measured.
const PAUSE: Duration = Duration::from_millis(150);

/// Somebody who talks in a room until dropped.
pub struct Talker {
    _stop: oneshot::Sender<()>,
}

impl Talker {
    /// Ready once its media flows.
    pub async fn start(url: &str, room: &str) -> Result<Self> {
        let options = options(url, room, "talker")?;
        let (stop, stopped) = oneshot::channel::<()>();
        let ready = Arc::new(Notify::new());
        let connected = ready.clone();
        // A client stays on one thread; this one has its own, so that it takes no time from whoever is measured.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            let watch = move |event: &Event| {
                if *event == Event::Connected {
                    connected.notify_one();
                }
            };
            runtime.block_on(own::run(&options, watch, async { drop(stopped.await) }))
        });
        tokio::time::timeout(PATIENCE, ready.notified()).await.context("the talker does not connect")?;
        // A group of pictures and an estimate of the round trip are there.
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(Self { _stop: stop })
    }
}

/// One after the other into `room`.
pub async fn joins(url: &str, room: &str, count: usize) -> Result<Joins> {
    let mut joins =
        Joins { prefix: "native", who: "native client", stages: Vec::new(), shown_ms: Vec::new(), failed: 0 };
    for number in 0..count {
        joins.add(join(options(url, room, &format!("joiner {number}"))?, None).await?);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(joins)
}

/// Two at a time, each time into a room of its own.
pub async fn together(url: &str, count: usize) -> Result<Joins> {
    let who = "two native clients at once";
    let mut joins =
        Joins { prefix: "native_together", who, stages: Vec::new(), shown_ms: Vec::new(), failed: 0 };
    for number in 0..count {
        let room = format!("pair {number}");
        let barrier = Arc::new(Barrier::new(2));
        let one = |name| {
            let options = options(url, &room, name)?;
            anyhow::Ok(Options { start: Some(barrier.clone()), ..options })
        };
        // Whoever is ready stays for the other.
        let ready = Arc::new(Barrier::new(2));
        let (ann, ben) = tokio::join!(join(one("ann")?, Some(ready.clone())), join(one("ben")?, Some(ready)));
        joins.add(ann?);
        joins.add(ben?);
        tokio::time::sleep(PAUSE).await;
    }
    Ok(joins)
}

impl Joins {
    fn add(&mut self, stages: Stages) {
        self.failed += usize::from(stages.first_audio_ms.is_none() || stages.first_frame_ms.is_none());
        self.stages.push(stages);
    }
}

/// Until there was sound and picture, or patience ends.
async fn join(options: Options, together: Option<Arc<Barrier>>) -> Result<Stages> {
    let all = Arc::new(Notify::new());
    let seen = all.clone();
    let (mut sound, mut picture) = (false, false);
    let watch = move |event: &Event| {
        sound |= matches!(event, Event::FirstAudio { .. });
        picture |= matches!(event, Event::FirstFrame { .. });
        if sound && picture {
            seen.notify_one();
        }
    };
    let over = async {
        all.notified().await;
        if let Some(barrier) = together {
            barrier.wait().await;
        }
    };
    let stop = async { drop(tokio::time::timeout(PATIENCE, over).await) };
    let report = own::run(&options, watch, stop).await?;
    for error in &report.errors {
        eprintln!("{}: {error}", options.name);
    }
    Ok(report.stages)
}

fn options(url: &str, room: &str, name: &str) -> Result<Options> {
    Ok(Options {
        server: Url::parse(url)?,
        insecure: false,
        room: room.to_owned(),
        name: name.to_owned(),
        audio: Some(SAMPLE_AUDIO.into()),
        video: Some(SAMPLE_VIDEO.into()),
        record: None,
        slot_pairs: 4,
        shown: None,
        lobby: None,
        dtls: own::dtls(),
        start: None,
    })
}
