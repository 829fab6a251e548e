//! Recorded networks, read from text or from packet captures. What is broken is an error with its line (or byte) and the reason.

pub mod arrival;
pub mod capacity;
pub mod capture;
pub mod cellular;
pub mod packets;
pub mod recorded;

pub use packets::{PacketTrace, TracePacket};
pub use recorded::{Format, ReadError, Recorded};

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct TraceError {
    /// Counted from 1; the line after the last one if the whole text lacks something.
    pub line: usize,
    pub reason: String,
}

impl TraceError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }

    fn at_end(text: &str, reason: impl Into<String>) -> Self {
        Self::new(text.lines().count() + 1, reason)
    }
}

/// Lines with their number, without empty ones and `#` comments.
fn content_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// A finite number that is not negative.
fn number(line: usize, what: &str, text: &str) -> Result<f64, TraceError> {
    match text.trim().parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err(TraceError::new(line, format!("{what} `{}` is not a number from zero up", shortened(text)))),
    }
}

fn shortened(text: &str) -> String {
    text.trim().chars().take(40).collect()
}
