//! A class in which people leave and join again: what that costs the server, how soon they see something, and that nobody else
//! loses anything.

use super::client::Client;
use super::run::{Run, Running};
use crate::report::{Report, percentile};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub fn run(mut running: Running, run: &Run, per_second: f64, report: &mut Report) -> anyhow::Result<()> {
    let pause = Duration::from_secs_f64(1.0 / per_second.max(0.1));
    let (end, mut next) = (Instant::now() + Duration::from_secs(run.seconds), 0);
    let mut joining: BTreeMap<usize, Instant> = BTreeMap::new();
    let (mut connected_ms, mut seen_ms, mut failed) = (Vec::new(), Vec::new(), 0);
    let before = running.server.usage()?;
    while Instant::now() < end {
        let peer = next % run.shape.peers();
        next += 1;
        if joining.remove(&peer).is_some() {
            failed += 1;
        }
        running.load.clients[peer].leave(Instant::now());
        running.server.leave(peer)?;
        let connection = running.server.join(&run.shape, peer)?;
        running.replace(peer, connection)?;
        joining.insert(peer, Instant::now());
        // In steps, so that the moments of connecting are told apart.
        let until = Instant::now() + pause;
        while Instant::now() < until {
            running.load.run(Duration::from_millis(1), |_| false);
            let clients = &running.load.clients;
            joining.retain(|&peer, since| {
                let (seen, ms) = (clients[peer].streams() > 0, since.elapsed().as_secs_f64() * 1000.0);
                if seen {
                    connected_ms.push(clients[peer].connected_after().as_secs_f64() * 1000.0);
                    seen_ms.push(ms);
                }
                !seen
            });
        }
    }
    let after = running.server.usage()?;
    let joins = seen_ms.len() + failed;
    let lost: u64 = running.load.clients.iter().map(|client: &Client| client.counts.late).sum();
    let cpu_ms = (after.cpu_us - before.cpu_us) as f64 / 1000.0;
    report.figure("joins", joins as f64, "leaves and joins that were made");
    report.figure("joins_failed", failed as f64, "had received nothing when their turn came again");
    report.figure("join_connected_p50_ms", percentile(&mut connected_ms, 0.5), "until keys are there");
    report.figure("join_first_packet_p50_ms", percentile(&mut seen_ms, 0.5), "until the first media packet");
    report.figure("join_first_packet_p95_ms", percentile(&mut seen_ms, 0.95), "");
    report.figure("server_cpu_ms_per_join", cpu_ms / joins as f64, "media of the others included");
    report.figure("late_packets", lost as f64, "out of order or twice");
    Ok(())
}
