//! What packets one after the other went through: `0/1` loss strings and per-packet CSV.

use super::{TraceError, content_lines, number};
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TracePacket {
    /// On top of the link's constant delay.
    pub delay: Duration,
    pub lost: bool,
}

/// Never empty; repeated for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketTrace {
    packets: Vec<TracePacket>,
}

/// An hour: a delay above it is a mistake of units.
pub(super) const DELAY_MAX_MS: f64 = 3_600_000.0;

impl PacketTrace {
    /// None if empty.
    pub fn new(packets: Vec<TracePacket>) -> Option<Self> {
        (!packets.is_empty()).then_some(Self { packets })
    }

    pub fn packets(&self) -> &[TracePacket] {
        &self.packets
    }

    /// One character a packet, `1` is lost; line ends do not count.
    pub fn from_loss_string(text: &str) -> Result<Self, TraceError> {
        let mut packets = Vec::new();
        for (line, content) in content_lines(text) {
            for character in content.chars().filter(|c| !c.is_whitespace()) {
                let lost = match character {
                    '0' => false,
                    '1' => true,
                    other => return Err(TraceError::new(line, format!("`{other}` is neither 0 nor 1"))),
                };
                packets.push(TracePacket { delay: Duration::ZERO, lost });
            }
        }
        Self::new(packets).ok_or_else(|| TraceError::at_end(text, "no packets"))
    }

    /// `delay_ms,lost` a line: lost is `0` or `1`, the delay of a lost packet may be left out. A first line of words names
    /// the columns and is skipped.
    pub fn from_csv(text: &str) -> Result<Self, TraceError> {
        let mut packets = Vec::new();
        for (line, content) in content_lines(text) {
            if packets.is_empty() && content.starts_with(|c: char| c.is_ascii_alphabetic()) {
                continue;
            }
            let Some((delay, lost)) = content.split_once(',') else {
                return Err(TraceError::new(line, "wanted `delay_ms,lost`"));
            };
            let lost = match lost.trim() {
                "0" => false,
                "1" => true,
                other => return Err(TraceError::new(line, format!("lost `{other}` is neither 0 nor 1"))),
            };
            let delay_ms = if lost && delay.trim().is_empty() { 0.0 } else { number(line, "delay", delay)? };
            if delay_ms > DELAY_MAX_MS {
                return Err(TraceError::new(line, format!("a delay of {delay_ms} ms is above an hour")));
            }
            packets.push(TracePacket { delay: Duration::from_secs_f64(delay_ms / 1000.0), lost });
        }
        Self::new(packets).ok_or_else(|| TraceError::at_end(text, "no packets"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(trace: &PacketTrace) -> String {
        trace.packets().iter().map(|packet| if packet.lost { '1' } else { '0' }).collect()
    }

    #[test]
    fn loss_strings_are_read_over_line_ends() {
        let trace = PacketTrace::from_loss_string("# lossgen\n0010\r\n11 0\n").expect("valid");
        assert_eq!(losses(&trace), "0010110");
    }

    #[test]
    fn csv_gives_each_packet_its_delay() {
        let trace = PacketTrace::from_csv("delay_ms,lost\n12.5,0\n,1\n0,0\n").expect("valid");
        assert_eq!(losses(&trace), "010");
        assert_eq!(trace.packets()[0].delay, Duration::from_micros(12_500));
    }

    #[test]
    fn broken_lines_are_named() {
        let table = [
            (PacketTrace::from_loss_string("00\n02"), 2, "`2` is neither 0 nor 1"),
            (PacketTrace::from_loss_string("\n# x\n"), 3, "no packets"),
            (PacketTrace::from_csv("1,0\n2"), 2, "wanted `delay_ms,lost`"),
            (PacketTrace::from_csv("1,0\n-2,0"), 2, "delay `-2` is not a number"),
            (PacketTrace::from_csv("NaN,0"), 2, "no packets"),
            (PacketTrace::from_csv("1,yes"), 1, "lost `yes` is neither"),
            (PacketTrace::from_csv(",0"), 1, "delay `` is not a number"),
            (PacketTrace::from_csv("1e9,0"), 1, "above an hour"),
            (PacketTrace::from_csv("delay,lost"), 2, "no packets"),
        ];
        for (result, line, reason) in table {
            let error = result.expect_err(reason);
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(reason), "{error}");
        }
    }
}
