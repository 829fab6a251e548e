//! What a bot saw, as JSON.

use serde::Serialize;
use std::collections::BTreeMap;

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
    pub lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<f64>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Video {
    pub packets: u64,
    pub bytes: u64,
    pub lost: u64,
    /// Pictures that a decoder could show.
    pub frames: u64,
    pub keyframes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ms: Option<f64>,
    pub freezes: u64,
    pub frozen_ms: f64,
    pub longest_gap_ms: f64,
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
            audio: Audio {
                packets: r.audio.packets,
                bytes: r.audio.bytes,
                lost: r.audio.lost,
                first_ms: r.audio.first_ms,
            },
            video: Video {
                packets: r.video.packets,
                bytes: r.video.bytes,
                lost: r.video.lost,
                frames: r.video.frames,
                keyframes: r.video.keyframes,
                first_ms: r.video.first_ms,
                freezes: r.video.freezes,
                frozen_ms: r.video.frozen_ms,
                longest_gap_ms: r.video.longest_gap_ms,
            },
        }
    }
}
