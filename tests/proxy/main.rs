//! `netem-proxy`: a bad network in front of a UDP server, for browsers and for trying things by hand.
//!
//! Prints one line with its address when it listens, and runs until it is ended.

use netem::{PRESETS, Preset};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use tests::proxy::Proxy;

const HELP: &str = "\
netem-proxy --to ADDRESS [--listen ADDRESS] [--preset ID] [--seed N]

  --to ADDRESS       where datagrams go: address and port of the server's UDP socket
  --listen ADDRESS   where clients send to; default 127.0.0.1:0, any free port
  --preset ID        the network, both ways; default S0
  --seed N           the same seed loses the same packets of the same traffic; default 1

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
            _ => return Err(format!("{flag} is unknown; see --help")),
        }
    }
    let to = to.ok_or("--to is missing; see --help")?;
    let links = Proxy::links(preset, seed);
    Proxy::start(listen, to, links, seed).map_err(|error| format!("cannot listen at {listen}: {error}"))
}

fn parsed<T: FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag} {value} cannot be read; see --help"))
}
