//! The border to a codec. Opus with DRED lives outside this crate's core: it needs C code and a build with cmake.

use thiserror::Error;

/// The payload is not what the decoder understands; the frame is treated as lost and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the payload cannot be decoded")]
pub struct DecodeError;

/// A stateful speech decoder at 48 kHz. Every method that makes samples appends interleaved samples, -1.0 to 1.0, of
/// the stated length to `out`. Calls come in playout order, one for each piece of time.
pub trait Decoder {
    /// 1 or 2.
    fn channels(&self) -> usize;

    /// Samples per channel in a payload, without decoding it. 120 to 5760 (2.5 to 120 ms, RFC 6716).
    fn samples(&self, payload: &[u8]) -> Option<usize>;

    /// A received frame.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError>;

    /// Samples just before `following` that its in-band FEC holds; zero: there is none. In a packet of several frames that
    /// is one frame's worth, however long the packet is.
    fn fec(&self, following: &[u8]) -> usize;

    /// How far back the redundancy inside `payload` goes, in-band FEC and deep, in samples; zero: there is none.
    fn reach(&mut self, payload: &[u8]) -> usize;

    /// The `samples` just before `following`, the end of them from its in-band FEC. `false`: it carries none, or more than
    /// `samples`, and nothing was appended.
    fn decode_fec(&mut self, following: &[u8], samples: usize, out: &mut Vec<f32>) -> bool;

    /// One frame of `samples` that ends `before` samples ahead of the start of `later`, from the deep redundancy
    /// inside `later`. `false`: it carries none that reaches so far back, and nothing was appended. The decoder remembers
    /// what it parsed.
    fn decode_deep(&mut self, later: &[u8], before: usize, samples: usize, out: &mut Vec<f32>) -> bool;

    /// That frame lies in a pause: the deep redundancy inside `later` goes on before it and says nothing of it, since nobody spoke.
    fn is_pause(&mut self, _later: &[u8], _before: usize, _samples: usize) -> bool {
        false
    }

    /// `samples` made up from what was heard before.
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>);

    /// What comes next is another speaker's: nothing of the one before may be heard in it. A decoder without a past has nothing to do.
    fn reset(&mut self) {}
}
