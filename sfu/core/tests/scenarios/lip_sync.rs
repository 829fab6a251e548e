//! Sound and picture of one person belong together, whoever sat in the slot before.

use super::peer::Got;
use super::world::{World, ms};
use packet::rtcp::SenderReport;
use packet::{NtpTime, Ssrc};
use std::time::Instant;

/// When the receiver thinks that a packet was captured, in ms of the router's clock, from the last report before it.
fn captured_ms(got: &Got, reports: &[(Instant, SenderReport)], rate: i64) -> Option<f64> {
    let (_, report) = reports.iter().rev().find(|(at, r)| r.ssrc == got.header.ssrc && *at <= got.at)?;
    let ticks = i64::from(got.header.timestamp.since(report.rtp));
    Some(ntp_ms(report.ntp) + (ticks * 1000) as f64 / rate as f64)
}

fn ntp_ms(ntp: NtpTime) -> f64 {
    (ntp.0 - super::world::EPOCH.0) as f64 / 4_294_967_296.0 * 1000.0
}

/// How far picture is behind sound for the receiver, at most, over everything that came since.
pub fn worst_offset(world: &World, to: u64, since: Instant) -> (f64, usize) {
    let peer = &world.peers[&to];
    let offsets = |slot: &str, rate: i64| -> Vec<(Instant, f64)> {
        let got = peer.on(slot).into_iter().filter(|g| g.at >= since);
        got.filter_map(|g| {
            let thinks = captured_ms(g, &peer.reports, rate)?;
            Some((g.at, thinks - g.stamp()?.captured_us as f64 / 1000.0))
        })
        .collect()
    };
    let (audio, video) = (offsets("a0", 48_000), offsets("v0", 90_000));
    let mut worst = 0f64;
    for (at, video) in &video {
        // The sound that plays at the same time.
        if let Some((_, audio)) = audio.iter().rev().find(|(a, _)| a <= at) {
            worst = worst.max((video - audio).abs());
        }
    }
    (worst, video.len())
}

#[test]
fn lip_sync_holds_from_the_first_report_on() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(5000));
    // After the publisher's first reports, sound and picture are exact.
    let (worst, frames) = worst_offset(&world, 2, world.start + ms(2000));
    assert!(frames > 100 && worst < 5.0, "{worst} ms over {frames}");
}

#[test]
fn lip_sync_holds_while_a_slot_changes_hands() {
    let mut world = World::new();
    for number in 1..=3 {
        world.join(number, &[], 1);
    }
    // One of them is far away and has a slow encoder.
    world.link(2, ms(90), Box::new(|_, _| false));
    world.peer(2).video(0).encode = ms(70);
    world.bind(3, 0, Some(1));
    world.until_connected();
    world.run(ms(4000));
    for from in [2, 1, 2, 1] {
        let at = world.now;
        world.bind(3, 0, Some(from));
        world.run(ms(2500));
        let (worst, frames) = worst_offset(&world, 3, at);
        assert!(frames > 80 && worst < 80.0, "{worst} ms over {frames} with {from}");
        // Half a second later it is exact again.
        let (worst, _) = worst_offset(&world, 3, at + ms(800));
        assert!(worst < 5.0, "{worst} ms with {from}");
    }
}

#[test]
fn a_receiver_that_fits_a_line_through_many_reports_is_not_misled() {
    let mut world = World::new();
    for number in 1..=3 {
        world.join(number, &[], 1);
    }
    world.link(2, ms(60), Box::new(|_, _| false));
    world.bind(3, 0, Some(1));
    world.until_connected();
    for from in [1, 2, 1, 2] {
        world.bind(3, 0, Some(from));
        world.run(ms(3000));
    }
    // All reports of one slot lie on one line within 40 ms, whoever was bound: libwebrtc fits the last twenty.
    for (slot, rate) in [("a0", 48.0), ("v0", 90.0)] {
        let ssrc: Ssrc = world.peers[&3].slot(slot);
        let reports: Vec<_> = world.peers[&3].reports.iter().filter(|(_, r)| r.ssrc == ssrc).collect();
        assert!(reports.len() > 10, "{}", reports.len());
        let offset = |r: &SenderReport| {
            let ticks = f64::from(r.rtp.since(reports[0].1.rtp));
            ticks / rate - (ntp_ms(r.ntp) - ntp_ms(reports[0].1.ntp))
        };
        let worst = reports.iter().map(|(_, r)| offset(r).abs()).fold(0.0, f64::max);
        assert!(worst < 40.0, "{slot}: {worst} ms");
    }
}

#[test]
fn reports_count_what_was_sent() {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(3000));
    let peer = &world.peers[&2];
    let ssrc = peer.slot("v0");
    let (at, last) = peer.reports.iter().rev().find(|(_, r)| r.ssrc == ssrc).unwrap();
    let before: Vec<_> = peer.on("v0").into_iter().filter(|g| g.at <= *at).collect();
    assert!((i64::from(last.packets) - before.len() as i64).abs() <= 3, "{last:?} {}", before.len());
    let octets: usize = before.iter().map(|g| g.payload.len()).sum();
    assert!((i64::from(last.octets) - octets as i64).abs() <= 3100, "{last:?} {octets}");
    // The report's clock is the router's.
    assert!((ntp_ms(last.ntp) - ((*at - world.start).as_millis() as f64 - 10.0)).abs() < 2.0);
}
