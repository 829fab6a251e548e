//! A trace whose format is found out from its content.

use super::{PacketTrace, TraceError, capture, content_lines, shortened};
use crate::capacity::{Capacity, Opportunities, Segments};
use std::fmt;
use std::sync::Arc;

/// What a trace can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One millisecond a line, each a chance to send 1500 bytes.
    Mahimahi,
    /// `0` for a packet that came, `1` for one that was lost.
    LossString,
    /// `seconds Mbit/s` a line.
    SecondsMbps,
    /// `delay_ms,lost` a line.
    PacketCsv,
    /// `arrival_ms,seq,rtp_timestamp,...` a line.
    ArrivalCsv,
    /// pcap or pcapng with RTP in it.
    Capture,
    RtpDump,
}

impl Format {
    pub const ALL: [Self; 7] = [
        Self::Mahimahi,
        Self::LossString,
        Self::SecondsMbps,
        Self::PacketCsv,
        Self::ArrivalCsv,
        Self::Capture,
        Self::RtpDump,
    ];

    /// For people, and for a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mahimahi => "mahimahi",
            Self::LossString => "loss",
            Self::SecondsMbps => "rates",
            Self::PacketCsv => "packets",
            Self::ArrivalCsv => "arrivals",
            Self::Capture => "pcap",
            Self::RtpDump => "rtpdump",
        }
    }

    pub fn about(self) -> &'static str {
        match self {
            Self::Mahimahi => "one whole millisecond a line, each a chance to send 1500 bytes",
            Self::LossString => "one character a packet, 0 came and 1 was lost",
            Self::SecondsMbps => "`seconds Mbit/s` a line: from then on this rate",
            Self::PacketCsv => "`delay_ms,lost` a line, one packet each, lost is 0 or 1",
            Self::ArrivalCsv => "`arrival_ms,seq,rtp_timestamp` a line, one packet each",
            Self::Capture => "a capture of tcpdump or Wireshark (pcap, pcapng) with a call in it",
            Self::RtpDump => "a file of rtpdump",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// By the first bytes or the first lines; None if it looks like none of them.
    fn detect(bytes: &[u8]) -> Option<Self> {
        if capture::is_pcap(bytes) || capture::is_pcapng(bytes) {
            return Some(Self::Capture);
        }
        if capture::is_rtpdump(bytes) {
            return Some(Self::RtpDump);
        }
        let text = std::str::from_utf8(bytes).ok()?;
        let names = |line: &str| line.starts_with(|c: char| c.is_ascii_alphabetic());
        let (_, first) = content_lines(text).find(|(_, line)| !names(line)).or(content_lines(text).next())?;
        if first.contains(',') {
            let is_arrival = first.split(',').count() > 2;
            return Some(if is_arrival { Self::ArrivalCsv } else { Self::PacketCsv });
        }
        let zeros_and_ones = |line: &str| line.chars().all(|c| matches!(c, '0' | '1') || c.is_whitespace());
        if content_lines(text).all(|(_, line)| zeros_and_ones(line)) {
            return Some(Self::LossString);
        }
        // A long first line of noughts and ones is a loss string even if something else stands further down.
        if zeros_and_ones(first) && first.len() > 12 {
            return Some(Self::LossString);
        }
        let numbers = first.split_whitespace().map(|field| field.parse::<f64>().is_ok());
        match numbers.collect::<Vec<bool>>()[..] {
            [true] => Some(Self::Mahimahi),
            [true, true] => Some(Self::SecondsMbps),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a trace cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Text(#[from] TraceError),
    #[error("byte {offset}: {reason}")]
    Binary { offset: usize, reason: String },
    #[error("byte {0}: not text")]
    NotText(usize),
    #[error("the format is not known: it begins `{0}`")]
    Unknown(String),
}

/// What a trace says about one direction.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// How much the link carried.
    Capacity(Capacity),
    /// What packets went through.
    Packets(Arc<PacketTrace>),
}

impl Recorded {
    /// `format`: None to find it out.
    pub fn read(bytes: &[u8], format: Option<Format>) -> Result<(Format, Self), ReadError> {
        let unknown = || {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
            ReadError::Unknown(shortened(&start).escape_default().to_string())
        };
        let format = format.or_else(|| Format::detect(bytes)).ok_or_else(unknown)?;
        let text = || std::str::from_utf8(bytes).map_err(|error| ReadError::NotText(error.valid_up_to()));
        let packets = |trace: PacketTrace| Self::Packets(Arc::new(trace));
        let recorded = match format {
            Format::Mahimahi => {
                Self::Capacity(Capacity::Opportunities(Arc::new(Opportunities::from_mahimahi(text()?)?)))
            }
            Format::SecondsMbps => {
                Self::Capacity(Capacity::Segments(Arc::new(Segments::from_seconds_mbps(text()?)?)))
            }
            Format::LossString => packets(PacketTrace::from_loss_string(text()?)?),
            Format::PacketCsv => packets(PacketTrace::from_csv(text()?)?),
            Format::ArrivalCsv => packets(PacketTrace::from_arrivals_of_any_clock(text()?)?),
            Format::Capture => packets(PacketTrace::from_capture(bytes)?),
            Format::RtpDump => packets(PacketTrace::from_rtpdump(bytes)?),
        };
        Ok((format, recorded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(bytes: &[u8]) -> Result<Format, String> {
        Recorded::read(bytes, None).map(|(format, _)| format).map_err(|error| error.to_string())
    }

    #[test]
    fn the_format_is_found_out() {
        let table: [(&[u8], Format); 6] = [
            (b"1\n4\n4\n", Format::Mahimahi),
            (b"# lossgen\n0010100001\n", Format::LossString),
            (b"0\n1\n0\n", Format::LossString),
            (b"0.5 4\n1 2.5\n", Format::SecondsMbps),
            (b"delay_ms,lost\n1,0\n", Format::PacketCsv),
            (b"arrival_ms,seq,rtp_timestamp\n1,0,0\n21,1,160\n", Format::ArrivalCsv),
        ];
        for (bytes, wanted) in table {
            assert_eq!(format(bytes), Ok(wanted), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_is_no_trace_is_said_so_and_a_broken_one_gets_the_line() {
        let table: [(&[u8], &str); 6] = [
            (b"", "the format is not known"),
            (b"<html>hello", "it begins `<html>hello`"),
            (b"1\n2\nx\n", "line 3: `x` is not a whole number"),
            (b"00100010001000\n0020\n", "line 2: `2` is neither 0 nor 1"),
            (b"0 1\n1 fast\n", "line 2: rate `fast` is not a number"),
            (b"\xff\xfe\x00", "the format is not known"),
        ];
        for (bytes, reason) in table {
            let error = format(bytes).expect_err(reason);
            assert!(error.contains(reason), "{error}; wanted {reason}");
        }
        let forced = Recorded::read(b"ok\xff", Some(Format::Mahimahi)).expect_err("not text");
        assert_eq!(forced.to_string(), "byte 2: not text");
    }

    #[test]
    fn every_format_is_found_by_its_name() {
        for format in Format::ALL {
            assert_eq!(Format::by_name(format.name()), Some(format));
        }
    }
}
