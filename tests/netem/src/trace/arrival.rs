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

impl PacketTrace {
    /// `clock_rate_hz` is that of the recording's RTP timestamps.
    pub fn from_arrivals(text: &str, clock_rate_hz: u32) -> Result<Self, TraceError> {
        let mut lateness_ms: BTreeMap<i64, f64> = BTreeMap::new();
        let mut first = None;
        let mut latest = (0i64, 0i64);
        for (line, content) in content_lines(text) {
            if first.is_none() && content.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            let fields: Vec<&str> = content.split(',').collect();
            let [arrival, seq, timestamp, ..] = fields[..] else {
                return Err(TraceError::new(line, "wanted `arrival_ms,seq,rtp_timestamp,...`"));
            };
            let arrival_ms = number(line, "arrival", arrival)?;
            let seq: u16 = whole(line, "seq", seq)?;
            let timestamp: u32 = whole(line, "rtp_timestamp", timestamp)?;
            let &mut (seq_0, timestamp_0) = first.get_or_insert((seq, timestamp));
            // Both unwrapped around the latest packet seen.
            let seq = seq.wrapping_sub(seq_0).wrapping_sub(latest.0 as u16) as i16;
            let timestamp = timestamp.wrapping_sub(timestamp_0).wrapping_sub(latest.1 as u32) as i32;
            let (seq, timestamp) = (latest.0 + i64::from(seq), latest.1 + i64::from(timestamp));
            if seq - latest.0 > GAP_MAX {
                return Err(TraceError::new(
                    line,
                    format!("{} packets are missing before it", seq - latest.0),
                ));
            }
            if seq > latest.0 {
                latest = (seq, timestamp);
            }
            let sent_ms = timestamp as f64 * 1000.0 / f64::from(clock_rate_hz.max(1));
            lateness_ms.entry(seq).or_insert(arrival_ms - sent_ms);
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
        let packets =
            if lateness_ms.is_empty() { Vec::new() } else { (first_seq..=latest.0).map(packet).collect() };
        Self::new(packets).ok_or_else(|| TraceError::at_end(text, "no packets"))
    }
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
