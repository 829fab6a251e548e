//! The networks that Chromium is put behind, and what is wanted there.

use super::browsers::Measured;
use crate::report::Report;
use netem::{Bitrate, Capacity, LinkConfig, Preset, QueueLimit};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Publisher,
    Subscriber,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Subscriber => "subscriber",
        }
    }
}

pub struct Scenario {
    pub name: &'static str,
    pub id: &'static str,
    pub about: &'static str,
    pub side: Side,
    /// Up and down of the impaired call.
    pub links: fn(u64) -> (LinkConfig, LinkConfig),
    /// What a page of today would do: `x-google-min-bitrate`.
    pub min_kbps: Option<u32>,
    /// Its video rate is what the others of its side are compared with.
    pub is_clean: bool,
    pub limits: &'static [Limit],
    pub connect: Option<Connect>,
}

/// Wanted milliseconds.
#[derive(Clone, Copy, Default)]
pub struct Connect {
    pub connect_p50: Option<u32>,
    pub connect_p95: Option<u32>,
    pub frame_p50: Option<u32>,
    pub frame_p95: Option<u32>,
}

#[derive(Clone, Copy)]
pub enum Limit {
    Frozen(f64),
    Concealed(f64),
    M2e(f64),
    /// Of the side's own clean rate, per cent.
    OfClean(f64),
    Video(f64),
    Queue(f64),
    Dropped(f64),
}

use Limit::{Concealed, Dropped, Frozen, M2e, OfClean, Queue, Video};

const fn up(name: &'static str, about: &'static str, links: fn(u64) -> (LinkConfig, LinkConfig)) -> Scenario {
    let (limits, connect) = (&[] as &[Limit], None);
    Scenario {
        name,
        id: name,
        about,
        side: Side::Publisher,
        links,
        min_kbps: None,
        is_clean: false,
        limits,
        connect,
    }
}

const fn down(
    name: &'static str,
    id: &'static str,
    about: &'static str,
    links: fn(u64) -> (LinkConfig, LinkConfig),
) -> Scenario {
    Scenario { id, side: Side::Subscriber, ..up(name, about, links) }
}

const fn connect(p50: u32, p95: u32, frame: u32) -> Option<Connect> {
    Some(Connect { connect_p50: Some(p50), connect_p95: Some(p95), frame_p50: Some(frame), frame_p95: None })
}

/// The lowest rate that a page forces, when it does.
const FORCED_KBPS: u32 = 1000;

/// In the order of running: each side's clean row first.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        is_clean: true,
        limits: &[Frozen(1.0), Concealed(1.0)],
        ..up("S0", "clean", |s| preset("S0", s))
    },
    Scenario {
        limits: &[Frozen(2.0), Concealed(1.5), OfClean(95.0)],
        ..up("S1", "publisher: 10 % loss, RTT 100 ms", |s| preset("S1", s))
    },
    Scenario {
        limits: &[Frozen(8.0), Concealed(6.0), OfClean(80.0), Video(400.0)],
        ..up("loss30", "publisher: 30 % loss, RTT 100 ms (S2)", |s| preset("S2", s))
    },
    Scenario {
        limits: &[Frozen(20.0), Concealed(12.0), OfClean(50.0)],
        ..up("S3", "publisher: 50 % loss, RTT 100 ms", |s| preset("S3", s))
    },
    Scenario {
        limits: &[Frozen(10.0), Concealed(8.0), OfClean(80.0)],
        ..up("S6", "publisher: 30 % loss in bursts of 5, RTT 100 ms", |s| preset("S6", s))
    },
    Scenario {
        limits: &[Queue(120.0)],
        ..up("300kbps", "publisher: 300 kb/s, queue of 300 ms, RTT 100 ms", narrow)
    },
    Scenario {
        limits: &[Dropped(5.0)],
        ..up("policer", "publisher: policer of 500 kb/s, 6 kB, RTT 100 ms", policer)
    },
    Scenario {
        min_kbps: Some(FORCED_KBPS),
        ..up("loss30_forced", "baseline: the page sets x-google-min-bitrate; 30 % loss", |s| preset("S2", s))
    },
    Scenario {
        min_kbps: Some(FORCED_KBPS),
        ..up("300kbps_forced", "baseline: x-google-min-bitrate; 300 kb/s", narrow)
    },
    Scenario {
        min_kbps: Some(FORCED_KBPS),
        ..up("policer_forced", "baseline: x-google-min-bitrate; policer of 500 kb/s", policer)
    },
    Scenario {
        is_clean: true,
        limits: &[Frozen(1.0), Concealed(1.0), M2e(150.0)],
        connect: Some(Connect {
            connect_p50: None,
            connect_p95: None,
            frame_p50: Some(250),
            frame_p95: Some(400),
        }),
        ..down("down_S0", "S0", "subscriber: clean, RTT 40 ms", |s| preset("S0", s))
    },
    Scenario {
        limits: &[Frozen(2.0), Concealed(1.5), M2e(350.0), OfClean(95.0)],
        connect: connect(400, 700, 600),
        ..down("down_S1", "S1", "subscriber: 10 % loss, RTT 100 ms", |s| preset("S1", s))
    },
    Scenario {
        limits: &[Frozen(8.0), Concealed(6.0), M2e(500.0), OfClean(80.0), Video(400.0)],
        connect: connect(600, 1500, 900),
        ..down("down_S2", "S2", "subscriber: 30 % loss, RTT 100 ms", |s| preset("S2", s))
    },
    Scenario {
        limits: &[Frozen(20.0), Concealed(12.0), M2e(600.0), OfClean(50.0)],
        connect: connect(900, 3000, 1400),
        ..down("down_S3", "S3", "subscriber: 50 % loss, RTT 100 ms", |s| preset("S3", s))
    },
    Scenario {
        limits: &[Frozen(10.0), Concealed(8.0), M2e(500.0), OfClean(80.0)],
        connect: connect(700, 2000, 1000),
        ..down("down_S6", "S6", "subscriber: 30 % loss in bursts of 5, RTT 100 ms", |s| preset("S6", s))
    },
];

fn preset(id: &str, seed: u64) -> (LinkConfig, LinkConfig) {
    let preset = Preset::by_id(id).expect("one of the presets");
    (preset.link(seed), preset.link(seed ^ 1))
}

/// Only the way up is narrow: it is the publisher's.
fn narrow(_: u64) -> (LinkConfig, LinkConfig) {
    let delay = Duration::from_millis(50);
    let queue = QueueLimit { bytes: None, wait: Some(Duration::from_millis(300)) };
    let up = LinkConfig {
        capacity: Capacity::Constant(Bitrate::kbps(300)),
        queue,
        delay,
        ..LinkConfig::default()
    };
    (up, LinkConfig { delay, ..LinkConfig::default() })
}

fn policer(_: u64) -> (LinkConfig, LinkConfig) {
    let delay = Duration::from_millis(50);
    let capacity = Capacity::Policed { rate: Bitrate::kbps(500), burst_bytes: 6000 };
    (LinkConfig { capacity, delay, ..LinkConfig::default() }, LinkConfig { delay, ..LinkConfig::default() })
}

/// None: nothing is wanted of it.
pub fn tell(
    report: &mut Report,
    scenario: &Scenario,
    measured: &Measured,
    seen: &[(&str, f64)],
    clean_kbps: Option<f64>,
) -> Option<bool> {
    let prefix = format!("chromium_{}", scenario.name);
    let seen_as = |name: &str| seen.iter().find(|(n, _)| *n == name).map_or(f64::NAN, |(_, value)| *value);
    let of_clean = clean_kbps.map_or(f64::NAN, |clean| 100.0 * measured.video_kbps / clean);
    let is_met = |limit: &Limit| match *limit {
        Frozen(most) => measured.frozen_pct.is_some_and(|pct| pct <= most),
        Concealed(most) => measured.concealed_pct.is_some_and(|pct| pct <= most),
        M2e(most) => measured.m2e_ms.is_some_and(|ms| ms <= most),
        OfClean(least) => of_clean >= least,
        Video(least) => measured.video_kbps >= least,
        Queue(most) => seen_as("queue_p95_ms") <= most,
        Dropped(most) => seen_as("dropped_pct") <= most,
    };
    let wanted = |find: fn(&Limit) -> Option<(&'static str, f64)>| {
        let limit = scenario.limits.iter().find_map(|limit| Some((limit, find(limit)?)));
        limit.map_or(String::new(), |(limit, (word, value))| {
            format!("{word} {value}{}", if is_met(limit) { "" } else { "  MISSED" })
        })
    };
    report.heading(format!("chromium {}: {}", scenario.name, scenario.about));
    let mut figure = |name: &str, value: Option<f64>, meaning: String| {
        report.figure(format!("{prefix}_{name}"), value.unwrap_or(f64::NAN), meaning);
    };
    let video = wanted(|limit| if let Video(v) = limit { Some(("at least", *v)) } else { None });
    figure("video_kbps", Some(measured.video_kbps), format!("of video at the subscriber {video}"));
    if !scenario.is_clean && clean_kbps.is_some() {
        let meaning = wanted(|limit| if let OfClean(v) = limit { Some(("at least", *v)) } else { None });
        figure("of_clean_pct", Some(of_clean), meaning);
    }
    let frozen = wanted(|limit| if let Frozen(v) = limit { Some(("at most", *v)) } else { None });
    figure("frozen_pct", measured.frozen_pct, frozen);
    let concealed = wanted(|limit| if let Concealed(v) = limit { Some(("at most", *v)) } else { None });
    figure("concealed_pct", measured.concealed_pct, concealed);
    let m2e = wanted(|limit| if let M2e(v) = limit { Some(("at most", *v)) } else { None });
    figure("m2e_p50_ms", measured.m2e_ms, m2e);
    figure("audio_buffer_ms", measured.audio_buffer_ms, "mean".to_owned());
    figure("fps", Some(measured.fps), String::new());
    figure("width", measured.width, "of the last picture".to_owned());
    figure("sent_kbps", Some(measured.sent_kbps), "of video by the publisher, all layers".to_owned());
    figure("estimate_kbps", measured.estimate_kbps, "of the publishing browser, at the end".to_owned());
    for (rid, fps) in ["l", "m", "h"].into_iter().zip(&measured.sent_fps) {
        figure(&format!("sent_{rid}_fps"), Some(*fps), String::new());
    }
    figure("rtx_kbps", Some(measured.rtx_kbps), "retransmitted, at the subscriber".to_owned());
    figure("keyframes", Some(measured.keyframes), "decoded".to_owned());
    let queue = wanted(|limit| if let Queue(v) = limit { Some(("at most", *v)) } else { None });
    let dropped = wanted(|limit| if let Dropped(v) = limit { Some(("at most", *v)) } else { None });
    figure("queue_p95_ms", Some(seen_as("queue_p95_ms")), queue);
    figure("dropped_pct", Some(seen_as("dropped_pct")), dropped);
    figure("wire_kbps", Some(seen_as("wire_kbps")), "into the impaired direction".to_owned());
    (!scenario.limits.is_empty()).then(|| scenario.limits.iter().all(is_met))
}
