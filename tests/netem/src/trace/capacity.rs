//! Recorded capacity: mahimahi's opportunities, and `seconds Mbit/s` a line.

use super::{TraceError, content_lines, number, shortened};
use crate::capacity::{Bitrate, Opportunities, Segment, Segments};
use std::time::Duration;

impl Opportunities {
    /// One whole millisecond a line, each a chance to send 1500 bytes; the last line is also the length of the trace.
    pub fn from_mahimahi(text: &str) -> Result<Self, TraceError> {
        let mut times_ms: Vec<u32> = Vec::new();
        for (line, content) in content_lines(text) {
            let time_ms: u32 = content.parse().map_err(|_| {
                TraceError::new(
                    line,
                    format!("`{}` is not a whole number of milliseconds", shortened(content)),
                )
            })?;
            if times_ms.last().is_some_and(|earlier| *earlier > time_ms) {
                return Err(TraceError::new(line, format!("{time_ms} ms comes after a later time")));
            }
            times_ms.push(time_ms);
        }
        Self::new(times_ms).ok_or_else(|| TraceError::at_end(text, "no opportunity after time zero"))
    }
}

impl Segments {
    /// `seconds Mbit/s` a line: from this time on this rate, until the next line. The last line only ends the trace.
    pub fn from_seconds_mbps(text: &str) -> Result<Self, TraceError> {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for (line, content) in content_lines(text) {
            let mut fields = content.split_whitespace();
            let (Some(seconds), Some(mbps), None) = (fields.next(), fields.next(), fields.next()) else {
                return Err(TraceError::new(line, "wanted `seconds Mbit/s`"));
            };
            let (seconds, mbps) = (number(line, "time", seconds)?, number(line, "rate", mbps)?);
            if points.last().is_some_and(|(earlier, _)| *earlier >= seconds) {
                return Err(TraceError::new(
                    line,
                    format!("{seconds} s does not come after the line before"),
                ));
            }
            if mbps > 1e6 || seconds > 1e7 {
                return Err(TraceError::new(line, "the number is too large; are the units right?"));
            }
            points.push((seconds, mbps));
        }
        let segments = points.windows(2).map(|pair| Segment {
            lasts: Duration::from_secs_f64(pair[1].0 - pair[0].0),
            rate: Bitrate((pair[0].1 * 1e6).round() as u64),
        });
        Self::new(segments.collect()).ok_or_else(|| {
            TraceError::at_end(text, "it must last 0.1 s and carry 10 kb/s on average, at least")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_rates_become_segments() {
        let segments = Segments::from_seconds_mbps("0.5\t4.0\n1.0 0\n3.0 2.5\n").expect("valid");
        let wanted = [
            Segment { lasts: Duration::from_millis(500), rate: Bitrate(4_000_000) },
            Segment { lasts: Duration::from_secs(2), rate: Bitrate(0) },
        ];
        assert_eq!(segments.as_slice(), wanted);
        assert_eq!(segments.period(), Duration::from_millis(2500));
    }

    #[test]
    fn broken_lines_are_named() {
        let mahimahi = |text| Opportunities::from_mahimahi(text).map(|_| ());
        let rates = |text| Segments::from_seconds_mbps(text).map(|_| ());
        let table = [
            (mahimahi("1\n2.5"), 2, "`2.5` is not a whole number"),
            (mahimahi("5\n4"), 2, "4 ms comes after a later time"),
            (mahimahi("0\n0\n"), 3, "no opportunity after time zero"),
            (rates("0 1\n0 2"), 2, "0 s does not come after"),
            (rates("0 1\n1"), 2, "wanted `seconds Mbit/s`"),
            (rates("0 1\n1 inf"), 2, "rate `inf` is not a number"),
            (rates("0 1e9"), 1, "are the units right"),
            (rates("0 1"), 2, "it must last 0.1 s"),
            (rates("0 0\n1 0\n"), 3, "carry 10 kb/s on average"),
        ];
        for (result, line, reason) in table {
            let error = result.expect_err(reason);
            assert_eq!(error.line, line, "{error}");
            assert!(error.reason.contains(reason), "{error}");
        }
    }
}
