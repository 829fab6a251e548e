//! What crossed the impaired link, out of the meters of either direction.

use crate::outcome::{Leg, Timeline, hundredth};
use netem::Fate;
use std::time::Instant;
use tests::meter::Meter;

/// IPv4 and UDP, or as much of IPv4 and TCP as a meter leaves out.
const HEADERS: usize = 28;

/// All of one direction between two moments.
pub fn leg(meter: &Meter, from: Instant, to: Instant) -> Leg {
    let (mut all, mut lost, mut dropped) = (0u64, 0u64, 0u64);
    for packet in meter.between(from, to) {
        all += 1;
        lost += u64::from(matches!(packet.fate, Fate::Lost | Fate::LostInOutage));
        dropped += u64::from(packet.fate == Fate::Dropped);
    }
    let percent = |count: u64| hundredth(100.0 * count as f64 / all.max(1) as f64);
    Leg {
        offered_kbps: hundredth(meter.offered_kbps(from, to)),
        delivered_kbps: hundredth(meter.passed_kbps(from, to)),
        lost_pct: percent(lost),
        dropped_pct: percent(dropped),
        queue_p95_ms: hundredth(meter.waited_ms(from, to, 0.95)),
    }
}

/// Of packets with one of these payload types, in kb/s with IP and UDP headers.
pub fn kbps_of(meter: &Meter, payload_types: &[u8], from: Instant, to: Instant) -> f64 {
    let of = meter.between(from, to).filter(|p| p.payload_type.is_some_and(|pt| payload_types.contains(&pt)));
    let bytes: usize = of.map(|packet| packet.bytes + HEADERS).sum();
    hundredth(bytes as f64 * 0.008 / to.saturating_duration_since(from).as_secs_f64().max(1e-3))
}

/// What was handed in and what got through, over time.
pub fn over_time(
    timeline: &mut Timeline,
    name: &str,
    meter: &Meter,
    from: Instant,
    to: Instant,
    steps: usize,
) {
    let per_step = 8.0 / crate::outcome::STEP_MS as f64;
    let at = |at: Instant| at.saturating_duration_since(from).as_secs_f64() * 1000.0;
    let arrived = |fate| matches!(fate, Fate::Delivered | Fate::DeliveredTwice);
    let bytes = |fate_counts: bool| {
        meter
            .between(from, to)
            .filter(move |packet| !fate_counts || arrived(packet.fate))
            .map(move |packet| (at(packet.at), (packet.bytes + HEADERS) as f64))
    };
    timeline.add_sums(&format!("{name}_offered_kbps"), steps, bytes(false), per_step);
    timeline.add_sums(&format!("{name}_delivered_kbps"), steps, bytes(true), per_step);
    let lost = meter.between(from, to).map(|p| (at(p.at), if arrived(p.fate) { 0.0 } else { 100.0 }));
    timeline.add(&format!("{name}_lost_pct"), steps, lost);
    let waited = meter.between(from, to).map(|p| (at(p.at), p.waited.as_secs_f64() * 1000.0));
    timeline.add(&format!("{name}_queue_ms"), steps, waited);
}
