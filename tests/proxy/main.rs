//! `netem-proxy`: a bad network in front of a UDP server, for browsers and for trying things by hand.
//!
//! Prints one line with its address when it listens, and runs until it is ended.

use netem::{Bitrate, Capacity, LinkConfig, Loss, PRESETS, Preset, QueueLimit};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;
use tests::proxy::Proxy;

const HELP: &str = "\
netem-proxy --to ADDRESS [--listen ADDRESS] [--preset ID] [--seed N] [what to change of the preset]

  --to ADDRESS       where datagrams go: address and port of the server's UDP socket
  --listen ADDRESS   where clients send to; default 127.0.0.1:0, any free port
  --preset ID        the network, both ways; default S0
  --seed N           the same seed loses the same packets of the same traffic; default 1

Changes of the preset, both ways:
  --delay-ms N       one way
  --loss-percent P   random loss
  --rate-kbps N      capacity, with a queue in front of it
  --queue-ms N       how long that queue may get; default 300
  --policer-kbps N   capacity as a token bucket: what exceeds it is dropped at once, nothing waits
  --burst-bytes N    what passes the policer at once; default 6000

Presets:
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() || arguments.iter().any(|argument| argument == "--help") {
        print!("{HELP}");
        for preset in PRESETS {
            println!("  {:<4} {} (round trip {} ms)", preset.id, preset.about, preset.round_trip.as_millis());
        }
        return ExitCode::SUCCESS;
    }
    match start(&arguments) {
        Ok(proxy) => {
            println!("listening at {}", proxy.address());
            loop {
                std::thread::park();
            }
        }
        Err(why) => {
            eprintln!("netem-proxy: {why}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &[String]) -> Result<Proxy, String> {
    let (mut listen, mut to, mut seed) = (SocketAddr::from(([127, 0, 0, 1], 0)), None, 1);
    let mut preset = &PRESETS[0];
    let mut changes = Changes { queue_ms: 300, burst_bytes: 6000, ..Changes::default() };
    for pair in arguments.chunks(2) {
        let [flag, value] = pair else { return Err(format!("{} needs a value; see --help", pair[0])) };
        match flag.as_str() {
            "--listen" => listen = parsed(flag, value)?,
            "--to" => to = Some(parsed(flag, value)?),
            "--seed" => seed = parsed(flag, value)?,
            "--preset" => {
                preset =
                    Preset::by_id(value).ok_or_else(|| format!("no preset is called {value}; see --help"))?;
            }
            "--delay-ms" => changes.delay_ms = Some(parsed(flag, value)?),
            "--loss-percent" => changes.loss_percent = Some(parsed(flag, value)?),
            "--rate-kbps" => changes.rate_kbps = Some(parsed(flag, value)?),
            "--queue-ms" => changes.queue_ms = parsed(flag, value)?,
            "--policer-kbps" => changes.policer_kbps = Some(parsed(flag, value)?),
            "--burst-bytes" => changes.burst_bytes = parsed(flag, value)?,
            _ => return Err(format!("{flag} is unknown; see --help")),
        }
    }
    let to = to.ok_or("--to is missing; see --help")?;
    let (up, down) = Proxy::links(preset, seed);
    let links = (changes.make(up)?, changes.make(down)?);
    Proxy::start(listen, to, links, seed).map_err(|error| format!("cannot listen at {listen}: {error}"))
}

#[derive(Default)]
struct Changes {
    delay_ms: Option<u64>,
    loss_percent: Option<f64>,
    rate_kbps: Option<u64>,
    queue_ms: u64,
    policer_kbps: Option<u64>,
    burst_bytes: usize,
}

impl Changes {
    fn make(&self, mut link: LinkConfig) -> Result<LinkConfig, String> {
        if let Some(ms) = self.delay_ms {
            link.delay = Duration::from_millis(ms);
        }
        if let Some(percent) = self.loss_percent {
            link.loss = Loss::Random(percent / 100.0);
        }
        match (self.rate_kbps, self.policer_kbps) {
            (Some(_), Some(_)) => return Err("--rate-kbps and --policer-kbps exclude each other".to_owned()),
            (Some(kbps), None) => {
                link.capacity = Capacity::Constant(Bitrate::kbps(kbps));
                let wait = Some(Duration::from_millis(self.queue_ms));
                link.queue = QueueLimit { bytes: None, wait };
            }
            (None, Some(kbps)) => {
                let (rate, burst_bytes) = (Bitrate::kbps(kbps), self.burst_bytes);
                link.capacity = Capacity::Policed { rate, burst_bytes };
            }
            (None, None) => {}
        }
        Ok(link)
    }
}

fn parsed<T: FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} {value} cannot be read; see --help"))
}
