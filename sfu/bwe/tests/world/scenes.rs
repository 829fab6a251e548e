//! The scenario table: networks, what is sent, and what is expected of it.

use super::Path;
use super::media::Source;
use super::meter::Meter;
use netem::trace::cellular::Cellular;
use netem::{
    Bitrate, Capacity, GilbertElliott, Jitter, Link, LinkConfig, Loss, Opportunities, Outage, Output,
    QueueLimit, Random, Segment, Segments,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Which other flow is on the link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Company {
    Alone,
    /// Another flow of the same kind, 10 s later.
    Twin,
    /// A download, 10 s later.
    Tcp,
}

#[derive(Clone, Debug)]
pub struct Scene {
    pub name: String,
    pub about: &'static str,
    pub path: fn(u64, &Self) -> Path,
    /// A recorded capacity, if the path uses one.
    pub capacity: Option<Capacity>,
    pub source: Source,
    pub company: Company,
    pub seconds: u64,
    pub figures: fn(&Self, &Path, &[Meter]) -> Vec<Figure>,
    /// An argument of `path` and `figures`: what it is, they know.
    pub number: f64,
}

#[derive(Clone, Debug)]
pub struct Figure {
    /// Unit last.
    pub name: &'static str,
    pub value: f64,
    pub bar: Bar,
}

/// What the value is asked to be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    pub fn met_by(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bar) => value >= bar,
            Self::AtMost(bar) => value <= bar,
        }
    }
}

const LAYERS: &[u64] = &[150_000, 500_000, 1_500_000, 2_500_000];
const LAYERS_1MBPS: &[u64] = &[100_000, 300_000, 800_000, 2_500_000];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A link of constant rate whose queue holds `queue`; 50 ms there and back.
fn narrow(kbps: u64, queue: Duration) -> LinkConfig {
    LinkConfig {
        capacity: Capacity::Constant(Bitrate::kbps(kbps)),
        queue: QueueLimit { bytes: None, wait: Some(queue) },
        delay: ms(25),
        ..LinkConfig::default()
    }
}

fn path(forward: LinkConfig) -> Path {
    Path { forward, back: LinkConfig { delay: ms(25), ..LinkConfig::default() }, changes: Vec::new() }
}

pub fn all() -> Vec<Scene> {
    let mut scenes = vec![
        Scene {
            name: "steps".into(),
            about: "2.5 Mb/s, 500 kb/s, 2.5 Mb/s",
            path: |_, _| Path {
                changes: vec![(ms(20_000), narrow(500, ms(2000))), (ms(40_000), narrow(2500, ms(2000)))],
                ..path(narrow(2500, ms(2000)))
            },
            source: Source::Follows(4_000_000),
            seconds: 60,
            figures: |_, path, m| {
                let m = &m[0];
                let delay = path.forward.delay;
                vec![
                    at_most("down_s", m.until_estimate(20.0, |e| e <= 525_000), 1.0),
                    at_most("queue_low_p95_ms", m.queueing_ms(delay, 0.95, 21.5, 40.0), 200.0),
                    at_most("queue_low_max_ms", m.queueing_ms(delay, 1.0, 22.0, 40.0), 450.0),
                    // At a fifth of the rate each millisecond of not knowing makes four of queue; 50 ms of round trip and
                    // 50 ms between reports are 400 ms that nobody can avoid.
                    at_most("queue_step_max_ms", m.queueing_ms(delay, 1.0, 20.0, 21.5), 1500.0),
                    at_least("used_low", m.rate(21.0, 40.0) / 500e3, 0.65),
                    at_most("back_s", m.until_estimate(40.0, |e| e >= 2_250_000), 10.0),
                    at_least("used_high", m.rate(50.0, 60.0) / 2500e3, 0.75),
                ]
            },
            ..Scene::base()
        },
        Scene {
            name: "start_1mbps".into(),
            about: "start on 1 Mb/s: the layer of 800 kb/s",
            path: |_, _| path(narrow(1000, ms(300))),
            source: Source::Layers(LAYERS_1MBPS),
            figures: |_, path, m| {
                vec![
                    at_most("layer_s", m[0].until_layer(0.0, 2), 3.0),
                    at_least("layer_share", m[0].layer_share(2, 5.0, 30.0), 0.9),
                    at_most("queue_p95_ms", m[0].queueing_ms(path.forward.delay, 0.95, 0.0, 30.0), 200.0),
                ]
            },
            ..Scene::base()
        },
        Scene {
            name: "two_flows".into(),
            about: "two flows of ours on 2 Mb/s",
            path: |_, _| path(narrow(2000, ms(300))),
            source: Source::Follows(4_000_000),
            company: Company::Twin,
            seconds: 120,
            figures: |_, path, m| {
                let (a, b) = (m[0].rate(60.0, 120.0), m[1].rate(60.0, 120.0));
                vec![
                    at_least("smaller_to_larger", a.min(b) / a.max(b), 0.75),
                    at_least("used", (a + b) / 2000e3, 0.7),
                    at_most("queue_p95_ms", m[0].queueing_ms(path.forward.delay, 0.95, 60.0, 120.0), 200.0),
                ]
            },
            ..Scene::base()
        },
        Scene {
            name: "against_tcp".into(),
            about: "a download beside us on 4 Mb/s",
            path: |_, _| path(narrow(4000, ms(150))),
            source: Source::Follows(4_000_000),
            company: Company::Tcp,
            seconds: 90,
            figures: |_, _, m| {
                vec![
                    at_least("our_share", m[0].rate(30.0, 90.0) / 4000e3, 0.1),
                    at_least("tcp_share", m[1].rate(30.0, 90.0) / 4000e3, 0.1),
                ]
            },
            ..Scene::base()
        },
        Scene {
            name: "queue_300k".into(),
            about: "300 kb/s with a queue of 300 ms",
            path: |_, _| path(narrow(300, ms(300))),
            source: Source::Follows(2_000_000),
            seconds: 60,
            figures: |_, path, m| {
                vec![
                    at_most("queue_p95_ms", m[0].queueing_ms(path.forward.delay, 0.95, 5.0, 60.0), 120.0),
                    at_least("used", m[0].rate(5.0, 60.0) / 300e3, 0.65),
                ]
            },
            ..Scene::base()
        },
        Scene {
            name: "queue_300k_loss5".into(),
            about: "300 kb/s with a queue of 300 ms and 5 % loss (S9)",
            path: |_, _| {
                let mut path = path(narrow(300, ms(300)));
                path.forward.loss = Loss::Random(0.05);
                path.back.loss = Loss::Random(0.05);
                path
            },
            source: Source::Follows(2_000_000),
            seconds: 60,
            figures: |_, path, m| {
                vec![
                    at_most("queue_p95_ms", m[0].queueing_ms(path.forward.delay, 0.95, 5.0, 60.0), 150.0),
                    at_least("used", m[0].rate(5.0, 60.0) / 285e3, 0.6),
                ]
            },
            ..Scene::base()
        },
    ];
    for (name, kbps) in [("policer_500k", 500.0), ("policer_1500k", 1500.0)] {
        scenes.push(Scene {
            name: name.into(),
            about: "a policer without a queue, its bucket 3000 bytes",
            number: kbps,
            path: |_, scene| {
                let rate = Bitrate::kbps(scene.number as u64);
                let capacity = Capacity::Policed { rate, burst_bytes: 3000 };
                path(LinkConfig { capacity, delay: ms(25), ..LinkConfig::default() })
            },
            source: Source::Follows(2_500_000),
            seconds: 60,
            figures: |scene, _, m| {
                vec![
                    at_most("loss_pct", 100.0 * m[0].loss(5.0, 60.0), 5.0),
                    at_least("used", m[0].rate(5.0, 60.0) / scene.number / 1000.0, 0.65),
                ]
            },
            ..Scene::base()
        });
        scenes.push(Scene {
            name: format!("shallow_{}", name.trim_start_matches("policer_")),
            about: "a queue of two packets in front of a narrow link",
            number: kbps,
            path: |_, scene| {
                let mut path = path(narrow(scene.number as u64, ms(1000)));
                path.forward.queue = QueueLimit { bytes: Some(3000), wait: None };
                path
            },
            source: Source::Follows(2_500_000),
            seconds: 60,
            figures: |scene, _, m| {
                vec![
                    at_most("loss_pct", 100.0 * m[0].loss(5.0, 60.0), 7.0),
                    at_least("used", m[0].rate(5.0, 60.0) / scene.number / 1000.0, 0.65),
                ]
            },
            ..Scene::base()
        });
    }
    for (name, loss, back) in [("loss_2", 0.02, 0.02), ("loss_10", 0.1, 0.1), ("loss_30", 0.3, 0.0)] {
        scenes.push(Scene {
            name: name.into(),
            about: "random loss on an unlimited link: the highest layer is kept",
            number: loss,
            capacity: Some(Capacity::Constant(Bitrate((back * 1000.0) as u64))),
            path: |_, scene| {
                let Some(Capacity::Constant(Bitrate(back))) = scene.capacity else { unreachable!() };
                let mut path = path(LinkConfig { delay: ms(50), ..LinkConfig::default() });
                path.forward.loss = Loss::Random(scene.number);
                path.back.loss = Loss::Random(back as f64 / 1000.0);
                path
            },
            source: Source::Layers(LAYERS),
            seconds: 60,
            figures: |_, _, m| {
                vec![
                    at_most("layer_s", m[0].until_layer(0.0, 3), 5.0),
                    at_least("layer_share", m[0].layer_share(3, 5.0, 60.0), 0.99),
                    at_most("down_switches", m[0].down_switches(5.0, 60.0), 0.0),
                ]
            },
            ..Scene::base()
        });
    }
    scenes.push(Scene {
        name: "loss_30_begins".into(),
        about: "30 % random loss begins after 15 s on an unlimited link, both ways",
        path: |_, _| {
            let mut path = path(LinkConfig { delay: ms(50), ..LinkConfig::default() });
            let lossy = LinkConfig { loss: Loss::Random(0.3), ..path.forward.clone() };
            path.changes = vec![(ms(15_000), lossy)];
            path.back.loss = Loss::Random(0.3);
            path
        },
        source: Source::Layers(LAYERS),
        seconds: 60,
        figures: |_, _, m| {
            vec![
                at_least("layer_share", m[0].layer_share(3, 5.0, 60.0), 0.95),
                at_most("down_switches", m[0].down_switches(5.0, 60.0), 0.0),
            ]
        },
        ..Scene::base()
    });
    scenes.push(Scene {
        name: "bursts_30".into(),
        about: "30 % loss in bursts of 5 on an unlimited link (S6)",
        path: |_, _| {
            let mut path = path(LinkConfig { delay: ms(50), ..LinkConfig::default() });
            path.forward.loss = Loss::Bursts(GilbertElliott::bursts(0.3, 5.0));
            path.back.loss = path.forward.loss.clone();
            path
        },
        source: Source::Layers(LAYERS),
        seconds: 60,
        figures: |_, _, m| vec![at_least("layer_share", m[0].layer_share(3, 5.0, 60.0), 0.8)],
        ..Scene::base()
    });
    for (name, lasts_s) in [("outage_500ms", 0.5), ("outage_2s", 2.0), ("outage_5s", 5.0)] {
        scenes.push(Scene {
            name: name.into(),
            about: "nothing gets through either way for a while on 3 Mb/s",
            number: lasts_s,
            path: |_, scene| {
                let mut path = path(narrow(3000, ms(300)));
                let lasts = Duration::from_secs_f64(scene.number);
                path.forward.outages = vec![Outage { begins: ms(20_000), lasts }];
                path.back.outages = path.forward.outages.clone();
                path
            },
            source: Source::Layers(LAYERS),
            figures: |scene, _, m| {
                let back_s = 20.0 + scene.number;
                vec![
                    at_most("picture_s", m[0].until_frame(back_s), 0.5),
                    at_most("layer_s", m[0].until_layer(back_s + 0.1, 3), 3.0),
                    at_least("layer_share", m[0].layer_share(3, back_s + 3.0, 40.0), 0.9),
                ]
            },
            seconds: 40,
            ..Scene::base()
        });
    }
    scenes.push(Scene {
        name: "stall_2s".into(),
        about: "2 s without capacity on 3 Mb/s, what is sent meanwhile waits in a deep queue",
        path: |_, _| {
            let mut path = path(narrow(3000, ms(10_000)));
            let stalled = Segment { lasts: ms(2000), rate: Bitrate(0) };
            let goes_on = Segment { lasts: ms(58_000), rate: Bitrate::kbps(3000) };
            let runs = Segment { lasts: ms(20_000), rate: Bitrate::kbps(3000) };
            path.forward.capacity =
                Capacity::Segments(Arc::new(Segments::new(vec![runs, stalled, goes_on]).expect("sends")));
            path
        },
        source: Source::Layers(LAYERS),
        figures: |_, path, m| {
            vec![
                at_most("picture_s", m[0].until_frame(22.0), 0.5),
                at_most("layer_s", m[0].until_layer(22.1, 3), 3.0),
                at_most("queue_after_p95_ms", m[0].queueing_ms(path.forward.delay, 0.95, 22.0, 30.0), 600.0),
            ]
        },
        seconds: 40,
        ..Scene::base()
    });
    for (name, ordered) in [("jitter_50ms", 1.0), ("jitter_50ms_reordering", 0.0)] {
        scenes.push(Scene {
            name: name.into(),
            about: "0 to 50 ms of jitter on an unlimited link",
            number: ordered,
            path: |_, scene| {
                let mut path = path(LinkConfig { delay: ms(25), ..LinkConfig::default() });
                path.forward.jitter = Jitter::Uniform(ms(50));
                path.forward.keeps_order = scene.number > 0.0;
                path
            },
            source: Source::Layers(LAYERS),
            seconds: 60,
            figures: |_, _, m| {
                vec![
                    at_most("layer_s", m[0].until_layer(0.0, 3), 5.0),
                    at_most("down_switches", m[0].down_switches(5.0, 60.0), 0.0),
                    at_least("layer_share", m[0].layer_share(3, 5.0, 60.0), 0.99),
                ]
            },
            ..Scene::base()
        });
    }
    for (name, ordered) in [("jitter_lobby", 1.0), ("jitter_lobby_reordering", 0.0)] {
        scenes.push(Scene {
            name: name.into(),
            about: "a call after a lobby: jitter of 40 ms on average, 2 % loss, an unlimited link",
            number: ordered,
            path: |_, scene| {
                let mut path =
                    path(LinkConfig { delay: ms(25), loss: Loss::Random(0.02), ..LinkConfig::default() });
                path.forward.jitter = Jitter::Exponential(ms(40));
                path.forward.keeps_order = scene.number > 0.0;
                path.back = path.forward.clone();
                path
            },
            source: Source::LayersAfterLobby(LAYERS),
            figures: |_, _, m| {
                vec![
                    at_most("some_layer_s", m[0].until_layer(3.0, 1), 2.0),
                    at_most("layer_s", m[0].until_layer(3.0, 3), 10.0),
                    at_least("middle_share", m[0].layer_share(2, 6.0, 30.0), 0.9),
                ]
            },
            ..Scene::base()
        });
    }
    scenes.push(Scene {
        name: "jitter_narrow_lobby".into(),
        about: "a call after a lobby: jitter of 40 ms on average, 2 % loss, 1 Mb/s",
        path: |_, _| {
            let mut path = path(LinkConfig { loss: Loss::Random(0.02), ..narrow(1000, ms(500)) });
            path.forward.jitter = Jitter::Exponential(ms(40));
            path
        },
        source: Source::LayersAfterLobby(LAYERS_1MBPS),
        figures: |_, path, m| {
            vec![
                at_most("layer_s", m[0].until_layer(3.0, 1), 3.0),
                at_least("layer_share", m[0].layer_share(1, 6.0, 30.0), 0.9),
                // Of which jitter is 120.
                at_most("queue_p95_ms", m[0].queueing_ms(path.forward.delay, 0.95, 3.0, 30.0), 320.0),
            ]
        },
        ..Scene::base()
    });
    scenes.push(Scene {
        name: "cellular".into(),
        about: "a made-up phone in a car with outages (S10)",
        path: |seed, _| {
            let phone = Cellular {
                median: Bitrate::kbps(2000),
                spread: 0.7,
                outages_per_minute: 1.5,
                outage_shortest: ms(300),
                outage_longest: ms(3000),
            };
            traced(Capacity::Segments(Arc::new(phone.segments(seed, Duration::from_secs(120)))))
        },
        source: Source::Follows(TRACE_WANTED),
        seconds: 120,
        figures: trace_figures,
        ..Scene::base()
    });
    for (name, about, _) in VARYING {
        scenes.push(Scene {
            name: name.into(),
            about,
            path: |seed, scene| {
                let (.., capacity) = VARYING.iter().find(|(name, ..)| *name == scene.name).expect("its own");
                traced(Capacity::Segments(Arc::new(Segments::new(capacity(seed)).expect("sends"))))
            },
            source: Source::Follows(TRACE_WANTED),
            seconds: 120,
            figures: trace_figures,
            ..Scene::base()
        });
    }
    scenes
}

/// Made-up lines whose capacity varies, of which nothing is fitted to a recording.
type Varying = (&'static str, &'static str, fn(u64) -> Vec<Segment>);

const VARYING: [Varying; 3] = [
    ("varying_walk", "1.5 Mb/s that wander by a factor of two", |seed| {
        let walk = Cellular {
            median: Bitrate::kbps(1500),
            spread: 0.7,
            outages_per_minute: 0.0,
            outage_shortest: ms(0),
            outage_longest: ms(0),
        };
        walk.segments(seed, Duration::from_secs(120)).as_slice().to_vec()
    }),
    ("varying_fifth", "3 Mb/s, of which a fifth is left for 2 s every 4 to 12 s", |seed| {
        turns(seed, (4000, 12_000, 3000), (2000, 2000, 600))
    }),
    ("varying_grants", "6 Mb/s for 20 to 80 ms and nothing for as long by turns", |seed| {
        turns(seed, (20, 80, 6000), (20, 80, 0))
    }),
];

/// Two rates by turns for two minutes: (shortest, longest) in milliseconds, kb/s.
fn turns(seed: u64, one: (u64, u64, u64), other: (u64, u64, u64)) -> Vec<Segment> {
    let mut random = Random::for_purpose(seed, 78);
    let mut segments = Vec::new();
    let mut lasted = 0;
    while lasted < 120_000 {
        for (shortest, longest, kbps) in [one, other] {
            let lasts = shortest + (random.share() * (longest - shortest) as f64) as u64;
            segments.push(Segment { lasts: ms(lasts), rate: Bitrate::kbps(kbps) });
            lasted += lasts;
        }
    }
    segments
}

/// More than nearly all of the traces carry.
const TRACE_WANTED: u64 = 20_000_000;

fn traced(capacity: Capacity) -> Path {
    let forward = LinkConfig {
        capacity,
        queue: QueueLimit { bytes: None, wait: Some(ms(2000)) },
        delay: ms(25),
        shifted_by_seed: true,
        ..LinkConfig::default()
    };
    path(forward)
}

/// (name, contents)
fn recorded(files: Vec<(String, String)>) -> Result<Vec<Scene>, String> {
    let mut scenes = Vec::new();
    for (name, text) in files {
        let capacity = if name.ends_with(".txt") {
            Segments::from_seconds_mbps(&text).map(|s| Capacity::Segments(Arc::new(s)))
        } else {
            Opportunities::from_mahimahi(&text).map(|o| Capacity::Opportunities(Arc::new(o)))
        };
        let capacity = capacity.map_err(|error| format!("{name}: {error}"))?;
        scenes.push(Scene {
            name: format!("trace_{}", name.replace(['.', '-'], "_")),
            about: "recorded capacity",
            capacity: Some(capacity),
            path: |_, scene| traced(scene.capacity.clone().expect("recorded")),
            source: Source::Follows(TRACE_WANTED),
            seconds: 120,
            figures: trace_figures,
            ..Scene::base()
        });
    }
    Ok(scenes)
}

/// One scene for each file of a folder, in the order of their names.
pub fn read_folder(folder: &std::path::Path) -> Result<Vec<Scene>, String> {
    let said = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = std::fs::read_dir(folder).map_err(said)?;
    let mut paths: Vec<_> =
        entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>().map_err(said)?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, std::fs::read_to_string(&path).map_err(said)?));
    }
    if files.is_empty() {
        return Err(format!("{} is empty", folder.display()));
    }
    recorded(files)
}

fn trace_figures(scene: &Scene, path: &Path, m: &[Meter]) -> Vec<Figure> {
    let end = scene.seconds as f64;
    let used = m[0].rate(5.0, end) / capacity_of(&path.forward, m[0].seed, 5.0, end);
    vec![
        at_least("used", used, if scene.capacity.is_some() { 0.65 } else { 0.58 }),
        at_most("queue_p95_ms", m[0].queueing_ms(path.forward.delay, 0.95, 5.0, end), 200.0),
    ]
}

/// Bits per second that a link carries when something always waits in front of it.
fn capacity_of(config: &LinkConfig, seed: u64, from_s: f64, to_s: f64) -> f64 {
    let carried = carried(config, seed, to_s);
    carried.iter().skip((from_s * 1000.0) as usize).sum::<f64>() / (to_s - from_s)
}

/// Bits that a link carries in each millisecond when something always waits in front of it.
pub fn carried(config: &LinkConfig, seed: u64, to_s: f64) -> Vec<f64> {
    let config = LinkConfig {
        queue: QueueLimit { bytes: Some(30_000), wait: None },
        loss: Loss::None,
        delay: Duration::ZERO,
        ..config.clone()
    };
    let start = super::base();
    let mut link = Link::new(config, seed, start);
    let tick = |tick| {
        let now: Instant = start + ms(tick);
        let mut bits = 0.0;
        while let Output::Deliver(()) = link.poll_output(now) {
            bits += 1500.0 * 8.0;
        }
        while matches!(link.handle_datagram(now, 1472, ()), netem::Fate::Delivered) {}
        bits
    };
    (0..(to_s * 1000.0) as u64).map(tick).collect()
}

fn at_least(name: &'static str, value: f64, bar: f64) -> Figure {
    Figure { name, value, bar: Bar::AtLeast(bar) }
}

fn at_most(name: &'static str, value: f64, bar: f64) -> Figure {
    Figure { name, value, bar: Bar::AtMost(bar) }
}

impl Scene {
    fn base() -> Self {
        Self {
            name: String::new(),
            about: "",
            path: |_, _| path(LinkConfig::default()),
            capacity: None,
            source: Source::Follows(0),
            company: Company::Alone,
            seconds: 30,
            figures: |_, _, _| Vec::new(),
            number: 0.0,
        }
    }
}
