//! The receive side's ladder, as far as the codec holds its rungs: the packet itself, in-band FEC, deep redundancy, concealment.

use crate::libopus::{self, Channels, Error, Reach, Redundancy};
use jitter::audio::{DecodeError, Decoder};
use packet::codec::opus as rfc6716;

/// No deep redundancy goes further back than this: 1.04 s, what an encoder can be told to write.
const REACH_MAX: usize = 104 * 480;
/// The library unpacks pieces of 40 ms that end where the encoder's look-ahead left them; one more than asked for reaches.
const PARSED_BEYOND: usize = 2 * 1920;
/// Concealment is made in steps of this (2.5 ms), the smallest that the codec knows.
const STEP: usize = 120;
/// Concealment of a longer gap is made in pieces of 20 ms.
const PIECE: usize = 960;

/// A decoder of one Opus stream at 48 kHz. Streams of one channel and of two both come out with the channels asked for.
pub struct OpusDecoder {
    decoder: libopus::Decoder,
    redundancy: Redundancy,
    /// Another, to look at packets as they arrive while a gap is being filled.
    measured: Redundancy,
    /// The packet that `redundancy` was parsed from, and how far back that was asked to go.
    parsed: Vec<u8>,
    parsed_for: usize,
    reach: Option<Reach>,
    /// The last packet that carried none: several are asked in turn, and this one must not push out the other.
    barren: Vec<u8>,
}

impl OpusDecoder {
    /// `complexity` 0-10: from 5 on lost speech is made up by a neural network, from 6 on what arrives is enhanced too, at some
    /// times the cost.
    pub fn new(channels: Channels, complexity: u8) -> Result<Self, Error> {
        let mut decoder = libopus::Decoder::new(channels)?;
        decoder.set_complexity(complexity)?;
        // A packet is at most this long; nothing is allocated afterwards.
        let room = || Vec::with_capacity(rfc6716::SAMPLES_MAX as usize);
        let (redundancy, measured) = (Redundancy::new()?, Redundancy::new()?);
        Ok(Self { decoder, redundancy, measured, parsed: room(), parsed_for: 0, reach: None, barren: room() })
    }

    /// Parses `later` unless that was done, for at least `need` samples.
    fn parse(&mut self, later: &[u8], need: usize) -> Option<Reach> {
        if self.barren == later {
            return None;
        }
        if self.parsed_for < need || self.parsed != later {
            self.reach = self.redundancy.parse(later, need + PARSED_BEYOND);
            self.parsed_for = if self.reach.is_some() { need } else { 0 };
            let remembered = if self.reach.is_some() { &mut self.parsed } else { &mut self.barren };
            remembered.clear();
            remembered.extend_from_slice(later);
        }
        self.reach
    }

    /// Appends `samples` per channel, made by `make` in a length that the codec knows.
    fn append(
        &mut self,
        samples: usize,
        out: &mut Vec<f32>,
        make: impl FnOnce(&mut Self, &mut [f32]) -> Result<usize, Error>,
    ) -> Result<(), Error> {
        let (start, channels) = (out.len(), self.decoder.channels().count());
        out.resize(start + samples.next_multiple_of(STEP) * channels, 0.0);
        let made = make(self, &mut out[start..]);
        out.truncate(start + if made.is_ok() { samples * channels } else { 0 });
        made.map(drop)
    }
}

impl Decoder for OpusDecoder {
    fn channels(&self) -> usize {
        self.decoder.channels().count()
    }

    fn samples(&self, payload: &[u8]) -> Option<usize> {
        // libopus takes a packet of no frames for one of no length.
        rfc6716::duration_samples(payload).map(|samples| samples as usize)
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        let samples = self.samples(payload).ok_or(DecodeError)?;
        self.append(samples, out, |this, out| this.decoder.decode(Some(payload), out))
            .map_err(|_| DecodeError)
    }

    fn fec(&self, following: &[u8]) -> usize {
        match libopus::has_fec(following) {
            true => opus::packet::get_samples_per_frame(following, crate::SAMPLE_RATE).unwrap_or(0),
            false => 0,
        }
    }

    fn reach(&mut self, payload: &[u8]) -> usize {
        let deep = self.measured.measure(payload, REACH_MAX).map_or(0, |reach| reach.oldest.min(REACH_MAX));
        deep.max(self.fec(payload))
    }

    fn decode_fec(&mut self, following: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        // Shorter than its frame, the codec would conceal and call it FEC.
        let held = self.fec(following);
        held > 0
            && samples >= held
            && self.append(samples, out, |this, out| this.decoder.decode_fec(following, out)).is_ok()
    }

    fn decode_deep(&mut self, later: &[u8], before: usize, samples: usize, out: &mut Vec<f32>) -> bool {
        let start = before + samples;
        if start > REACH_MAX {
            return false;
        }
        match self.parse(later, start) {
            Some(reach) if start <= reach.oldest && start > reach.newest => {}
            _ => return false,
        }
        self.append(samples, out, |this, out| this.decoder.decode_deep(&this.redundancy, start as i32, out))
            .is_ok()
    }

    fn is_pause(&mut self, later: &[u8], before: usize, samples: usize) -> bool {
        let start = before + samples;
        start <= REACH_MAX && self.parse(later, start).is_some_and(|reach| start <= reach.newest)
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        let mut left = samples;
        while left > 0 {
            let piece = left.min(PIECE);
            if self.append(piece, out, |this, out| this.decoder.decode(None, out)).is_err() {
                out.resize(out.len() + piece * self.channels(), 0.0);
            }
            left -= piece;
        }
    }

    fn reset(&mut self) {
        self.decoder.reset();
        self.parsed.clear();
        self.barren.clear();
        (self.parsed_for, self.reach) = (0, None);
    }
}
