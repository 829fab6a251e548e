//! The border to a codec: this crate knows none, whoever runs a client brings one.

use jitter::audio::{DecodeError, Decoder};
use packet::codec::opus;
use std::fmt;
use std::sync::Arc;

/// Makes a decoder for each slot of sound.
#[derive(Clone)]
pub struct Decoders(Arc<dyn Fn() -> BoxedDecoder + Send + Sync>);

/// One slot's decoder, for the thread that runs the client.
pub type BoxedDecoder = Box<dyn Decoder + Send>;

impl Decoders {
    pub fn new(make: impl Fn() -> BoxedDecoder + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    /// Everything is received, asked for, timed and counted as if it were heard, and sounds like silence.
    pub fn silent() -> Self {
        Self::new(|| Box::new(Silent))
    }

    pub(crate) fn make(&self) -> BoxedDecoder {
        (self.0)()
    }
}

impl Default for Decoders {
    fn default() -> Self {
        Self::silent()
    }
}

impl fmt::Debug for Decoders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoders")
    }
}

/// Knows how long a packet is, and nothing that is in it.
struct Silent;

impl Decoder for Silent {
    fn channels(&self) -> usize {
        1
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        opus::duration_samples(payload).map(|samples| samples as usize)
    }
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        let samples = self.samples(payload).ok_or(DecodeError)?;
        self.conceal(samples, out);
        Ok(())
    }
    fn fec(&self, _following: &[u8]) -> usize {
        0
    }
    fn reach(&mut self, _payload: &[u8]) -> usize {
        0
    }
    fn decode_fec(&mut self, _following: &[u8], _samples: usize, _out: &mut Vec<f32>) -> bool {
        false
    }
    fn decode_deep(&mut self, _later: &[u8], _before: usize, _samples: usize, _out: &mut Vec<f32>) -> bool {
        false
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.resize(out.len() + samples, 0.0);
    }
}
