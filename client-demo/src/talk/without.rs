//! Without a codec: everything arrives, is asked for and counted as if it were heard, and sounds like silence.

use anyhow::{Result, bail, ensure};
use client_core::{Client, Config, Event};
use packet::Mid;
use std::convert::Infallible;
use std::path::Path;
use std::time::Instant;

const BUILD: &str =
    "this build has no Opus: build it with `cargo build -p client-demo --features opus` (needs cmake)";

/// There is none.
pub(crate) struct Microphone(Infallible);

impl Microphone {
    pub fn due(&self) -> Instant {
        match self.0 {}
    }
    pub fn start_at(&mut self, _now: Instant) {
        match self.0 {}
    }
}

pub(super) fn microphone(_file: &[u8], _start: Instant) -> Result<Microphone> {
    bail!("a WAV file has to be encoded, and {BUILD}")
}

pub(super) fn speak(
    microphone: &mut Microphone,
    _now: Instant,
    _mid: Mid,
    _client: &mut Client,
) -> Result<()> {
    match microphone.0 {}
}

pub(crate) struct Ear;

impl Ear {
    pub fn new(record: Option<&Path>) -> Result<Self> {
        ensure!(record.is_none(), "what is heard cannot be recorded: {BUILD}");
        Ok(Self)
    }
    pub fn configure(&self, _config: &mut Config) {}
    pub fn event(&mut self, _event: &Event) -> Result<()> {
        Ok(())
    }
    pub fn finish(self) -> Result<()> {
        Ok(())
    }
}
