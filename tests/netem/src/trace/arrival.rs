//! Recorded arrivals of real RTP: `arrival_ms,seq,rtp_timestamp,payload_type,size_bytes`.
//!
//! A sequence number that never came is a lost packet; the delay of one that came is how much later it arrived, against
//! its RTP timestamp, than the fastest packet of the recording.

use super::packets::DELAY_MAX_MS;
use super::{PacketTrace, TraceError, TracePacket, content_lines, number};
use std::collections::BTreeMap;
use std::time::Duration;

/// A longer run of missing sequence numbers is a restart of the sender, not loss.
const GAP_MAX: i64 = 1000;

/// More packets than this, lost ones included, are no call: 22 hours of speech.
const PACKETS_MAX: i64 = 4_000_000;
/// Clocks of RTP media; a recording does not say which is its own.
const CLOCKS_HZ: [u32; 5] = [8_000, 16_000, 32_000, 48_000, 90_000];

/// One RTP packet as it came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub at_ms: f64,
    pub seq: u16,
    pub timestamp: u32,
}

impl PacketTrace {
    /// `clock_rate_hz` is that of the recording's RTP timestamps.
    pub fn from_arrivals(text: &str, clock_rate_hz: u32) -> Result<Self, TraceError> {
        Self::from_arrival_lines(text, Some(clock_rate_hz))
    }

    /// The clock is found out: with the right one a recording lasts as long by its timestamps as by its arrivals.
    pub fn from_arrivals_of_any_clock(text: &str) -> Result<Self, TraceError> {
        Self::from_arrival_lines(text, None)
    }

    fn from_arrival_lines(text: &str, clock_rate_hz: Option<u32>) -> Result<Self, TraceError> {
        let (mut arrivals, mut lines) = (Vec::new(), Vec::new());
        for (line, content) in content_lines(text) {
            if arrivals.is_empty() && content.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            let fields: Vec<&str> = content.split(',').collect();
            let [arrival, seq, timestamp, ..] = fields[..] else {
                return Err(TraceError::new(line, "wanted `arrival_ms,seq,rtp_timestamp,...`"));
            };
            arrivals.push(Arrival {
                at_ms: number(line, "arrival", arrival)?,
                seq: whole(line, "seq", seq)?,
                timestamp: whole(line, "rtp_timestamp", timestamp)?,
            });
            lines.push(line);
        }
        if arrivals.is_empty() {
            return Err(TraceError::at_end(text, "no packets"));
        }
        trace_of(&arrivals, clock_rate_hz).map_err(|(packet, reason)| TraceError::new(lines[packet], reason))
    }
}

/// In the order of arrival, at least one. An error names the packet.
pub(super) fn trace_of(
    arrivals: &[Arrival],
    clock_rate_hz: Option<u32>,
) -> Result<PacketTrace, (usize, String)> {
    let clock_hz = f64::from(clock_rate_hz.unwrap_or_else(|| clock_of(arrivals)).max(1));
    let Some(first) = arrivals.first() else { return Err((0, "no packets".to_owned())) };
    let mut lateness_ms: BTreeMap<i64, f64> = BTreeMap::new();
    let mut latest = (0i64, 0i64);
    for (number, arrival) in arrivals.iter().enumerate() {
        // Both unwrapped around the latest packet seen.
        let seq = arrival.seq.wrapping_sub(first.seq).wrapping_sub(latest.0 as u16) as i16;
        let timestamp = arrival.timestamp.wrapping_sub(first.timestamp).wrapping_sub(latest.1 as u32) as i32;
        let (seq, timestamp) = (latest.0 + i64::from(seq), latest.1 + i64::from(timestamp));
        if seq - latest.0 > GAP_MAX {
            return Err((number, format!("{} packets are missing before it", seq - latest.0)));
        }
        if seq > latest.0 {
            latest = (seq, timestamp);
        }
        let sent_ms = timestamp as f64 * 1000.0 / clock_hz;
        lateness_ms.entry(seq).or_insert(arrival.at_ms - sent_ms);
        let first_seq = lateness_ms.keys().next().copied().unwrap_or(0);
        if latest.0 - first_seq > PACKETS_MAX {
            return Err((number, format!("more than {PACKETS_MAX} packets")));
        }
    }
    let fastest = lateness_ms.values().copied().fold(f64::INFINITY, f64::min);
    let first_seq = lateness_ms.keys().next().copied().unwrap_or(0);
    let packet = |seq| match lateness_ms.get(&seq) {
        Some(lateness) => {
            let delay_ms = (lateness - fastest).min(DELAY_MAX_MS);
            TracePacket { delay: Duration::from_secs_f64(delay_ms / 1000.0), lost: false }
        }
        None => TracePacket { delay: Duration::ZERO, lost: true },
    };
    PacketTrace::new((first_seq..=latest.0).map(packet).collect()).ok_or((0, "no packets".to_owned()))
}

fn clock_of(arrivals: &[Arrival]) -> u32 {
    let (Some(first), Some(last)) = (arrivals.first(), arrivals.last()) else { return CLOCKS_HZ[0] };
    let ticks = f64::from(last.timestamp.wrapping_sub(first.timestamp));
    let hz = ticks * 1000.0 / (last.at_ms - first.at_ms).max(1.0);
    let off = |clock: &u32| (hz.max(1.0) / f64::from(*clock)).ln().abs();
    CLOCKS_HZ.into_iter().min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(CLOCKS_HZ[0])
}

fn whole<T: std::str::FromStr>(line: usize, what: &str, text: &str) -> Result<T, TraceError> {
    let value = text.trim().parse();
    value.map_err(|_| TraceError::new(line, format!("{what} `{}` is out of range", super::shortened(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_against_the_fastest_packet_and_gaps_are_losses() {
        // 20 ms packets at 8 kHz: the second is 5 ms late, the third never came, the fourth and fifth changed places.
        let text = "arrival_ms,seq,rtp_timestamp,payload_type,size_bytes\n\
                    100,65534,4294967200,0,10\n125,65535,64,0,10\n168,2,544,0,10\n170,1,384,0,10\n";
        let trace = PacketTrace::from_arrivals(text, 8000).expect("valid");
        let delays: Vec<Option<u128>> =
            trace.packets().iter().map(|p| (!p.lost).then_some(p.delay.as_millis())).collect();
        assert_eq!(delays, [Some(12), Some(17), None, Some(22), Some(0)]);
    }

    #[test]
    fn a_recording_tells_its_clock() {
        let lines = |step: u32| (0..100).map(move |n| format!("{},{n},{},0,100\n", n * 20 + n % 3, n * step));
        for step in [160, 320, 960, 1800] {
            let text = format!("arrival_ms,seq,rtp_timestamp\n{}", lines(step).collect::<String>());
            let trace = PacketTrace::from_arrivals_of_any_clock(&text).expect("valid");
            let worst = trace.packets().iter().map(|packet| packet.delay).max();
            assert!(worst <= Some(Duration::from_millis(3)), "{step} ticks a packet: {worst:?}");
        }
    }

    #[test]
    fn broken_lines_are_named() {
        let table = [
            ("", 1, "no packets"),
            ("1,2", 1, "wanted `arrival_ms"),
            ("1,2,3\n2,70000,3", 2, "seq `70000`"),
            ("1,2,3\n2,5000,3", 2, "4998 packets are missing"),
            ("1,2,3\nx,3,3", 2, "arrival `x`"),
        ];
        for (text, line, reason) in table {
            let error = PacketTrace::from_arrivals(text, 8000).expect_err(reason);
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(reason), "{error}");
        }
    }
}
