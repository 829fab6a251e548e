//! What a bot saw, as JSON.

use client_core::Rung;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub engine: &'static str,
    pub room: String,
    pub name: String,
    /// Our own id; absent: never joined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participant: Option<String>,
    pub connected: bool,
    pub seconds: f64,
    /// Milliseconds since the start of the join.
    pub stages: wire::Stages,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    pub slot_pairs: usize,
    pub sent: Vec<Sent>,
    pub received: Vec<Received>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// Datagrams and packets not used, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// What went wrong, for people.
    pub errors: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    pub kind: wire::Kind,
    pub frames: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    pub bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nacked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retransmitted: Option<u64>,
    pub keyframes_wanted: u64,
}

/// Transport-wide feedback messages, and packets of ours they reported missing.
#[derive(Clone, Debug, Serialize)]
pub struct Feedback {
    pub sent: u64,
    pub received: u64,
    pub lost: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Received {
    pub participant: String,
    pub name: String,
    pub share: wire::Share,
    pub audio: Audio,
    pub video: Video,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Audio {
    pub packets: u64,
    pub bytes: u64,
    /// Packets of which nothing was there when they were to be played.
    pub lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<f64>,
    /// The first sound, through the jitter buffer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_heard_ms: Option<f64>,
    /// Milliseconds of sound, by what they were made from: the packet, its retransmission, a redundant copy (RED), in-band FEC, deep
    /// redundancy (DRED), concealment, comfort noise.
    pub heard_ms: BTreeMap<&'static str, f64>,
    /// Of what was heard: made up, and parametric out of later packets.
    pub concealed_pct: f64,
    pub synthesised_pct: f64,
    /// Playout delay.
    pub buffer_p50_ms: f64,
    pub buffer_p95_ms: f64,
    pub buffer_target_ms: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Video {
    pub packets: u64,
    pub bytes: u64,
    pub lost: u64,
    /// Pictures shown.
    pub frames: u64,
    pub keyframes: u64,
    /// Within 400 ms of capture, as far as this end can tell; after their moment; with a packet that was lost at first.
    pub in_time: u64,
    pub late: u64,
    pub repaired: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<f64>,
    pub freezes: u64,
    pub frozen_ms: f64,
    pub longest_gap_ms: f64,
    /// Playout delay.
    pub buffer_ms: f64,
    /// Pictures behind sound (positive) or ahead of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew_ms: Option<f64>,
}

impl Report {
    /// The numbers of our own client.
    pub fn take(&mut self, stats: client_core::Stats) {
        self.participant = stats.participant;
        self.connected = stats.connected;
        self.stages = stats.stages;
        self.round_trip_ms = stats.round_trip.map(|rtt| rtt.as_secs_f64() * 1000.0);
        self.slot_pairs = stats.slot_pairs;
        self.sent = stats
            .sent
            .into_iter()
            .map(|s| Sent {
                kind: s.kind,
                frames: s.frames,
                packets: Some(s.packets),
                bytes: s.bytes,
                nacked: Some(s.nacked),
                retransmitted: Some(s.retransmitted),
                keyframes_wanted: s.keyframes_wanted,
            })
            .collect();
        self.received = stats.received.into_iter().map(Received::from).collect();
        self.feedback = Some(Feedback {
            sent: stats.feedbacks_sent,
            received: stats.feedbacks_received,
            lost: stats.feedback_lost,
        });
        self.dropped = stats.dropped.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
    }
}

impl From<client_core::Received> for Received {
    fn from(r: client_core::Received) -> Self {
        Self {
            participant: r.participant,
            name: r.name,
            share: r.share,
            audio: Audio::from(r.audio),
            video: Video::from(r.video),
        }
    }
}

impl From<client_core::AudioReceived> for Audio {
    fn from(audio: client_core::AudioReceived) -> Self {
        let heard_ms = |rung: Rung| audio.heard.samples(rung) as f64 / 48.0;
        Self {
            packets: audio.packets,
            bytes: audio.bytes,
            lost: audio.lost,
            first_ms: audio.first_ms,
            first_heard_ms: audio.first_heard_ms,
            heard_ms: Rung::ALL.map(|rung| (rung.name(), heard_ms(rung))).into(),
            concealed_pct: 100.0 * audio.concealed(),
            synthesised_pct: 100.0 * audio.synthesised(),
            buffer_p50_ms: ms(audio.buffer_p50),
            buffer_p95_ms: ms(audio.buffer_p95),
            buffer_target_ms: ms(audio.target),
        }
    }
}

impl From<client_core::VideoReceived> for Video {
    fn from(video: client_core::VideoReceived) -> Self {
        Self {
            packets: video.packets,
            bytes: video.bytes,
            lost: video.lost,
            frames: video.frames,
            keyframes: video.keyframes,
            in_time: video.in_time,
            late: video.late,
            repaired: video.repaired,
            first_ms: video.first_ms,
            freezes: video.freezes,
            frozen_ms: video.frozen_ms,
            longest_gap_ms: video.longest_gap_ms,
            buffer_ms: ms(video.delay),
            skew_ms: video.skew_us.map(|us| us as f64 / 1000.0),
        }
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
