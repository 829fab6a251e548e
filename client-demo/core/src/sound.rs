//! The sound of one slot: the jitter buffer, what was asked for, and what came out of it.

use crate::decoders::BoxedDecoder;
use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet, Rungs};
use packet::media::Codec;
use packet::rtp::RtpHeader;
use packet::{PayloadType, RtpTime, SeqNo};
use std::time::{Duration, Instant};

pub(crate) struct Sound {
    pub buffer: AudioBuffer<Tap>,
    pcm: Vec<f32>,
    asks: Vec<SeqNo>,
    lost: u64,
}

/// What one pull was made of.
pub(crate) struct Pulled<'a> {
    /// Media time of the first sample; None: nothing plays yet, or any more.
    pub timestamp: Option<RtpTime>,
    pub samples: &'a [f32],
    pub heard: Rungs,
    pub delay: Duration,
    pub target: Duration,
    /// Packets given up since the last pull.
    pub lost: u64,
    /// Encoded frames that were decoded for it, if they are kept.
    pub frames: Vec<Vec<u8>>,
}

/// The decoder, and on request every frame that it was given to be heard.
pub(crate) struct Tap {
    decoder: BoxedDecoder,
    keep: bool,
    frames: Vec<Vec<u8>>,
}

impl Sound {
    pub fn new(config: Config, decoder: BoxedDecoder, keep_frames: bool) -> Self {
        let tap = Tap { decoder, keep: keep_frames, frames: Vec::new() };
        let pcm = vec![0.0; PULL * tap.channels()];
        Self { buffer: AudioBuffer::new(config, tap), pcm, asks: Vec::new(), lost: 0 }
    }

    /// `opus`: the payload type of frames, alone or inside of RED.
    pub fn insert(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        rtp: &[u8],
        codec: Codec,
        opus: PayloadType,
        retransmitted: bool,
    ) {
        let (seq, timestamp, payload) = (header.seq, header.timestamp, header.payload(rtp));
        let packet = Packet { seq, timestamp, payload, retransmitted };
        match codec {
            Codec::Red => self.buffer.insert_red(now, packet, opus),
            _ => self.buffer.insert(now, packet),
        }
        // A gap is asked about when it shows, not with the next pull: a round of requests is short of milliseconds.
        self.asks.extend(self.buffer.poll_nack(now));
    }

    /// The next 10 ms.
    pub fn pull(&mut self, at: Instant) -> Pulled<'_> {
        let timestamp = self.buffer.playing();
        let before = self.buffer.stats().heard;
        self.buffer.pull(at, &mut self.pcm);
        self.asks.extend(self.buffer.poll_nack(at));
        let frames = std::mem::take(&mut self.buffer.decoder_mut().frames);
        let stats = self.buffer.stats();
        let lost = stats.lost - std::mem::replace(&mut self.lost, stats.lost);
        Pulled {
            timestamp: timestamp
                .or(self.buffer.playing().map(|next| next.plus((PULL as u32).wrapping_neg()))),
            samples: &self.pcm,
            heard: stats.heard.since(&before),
            delay: stats.delay,
            target: stats.target,
            lost,
            frames,
        }
    }

    pub fn asks_now(&self) -> bool {
        !self.asks.is_empty()
    }

    /// Packets to ask for now.
    pub fn asks(&mut self) -> Vec<SeqNo> {
        std::mem::take(&mut self.asks)
    }
}

impl Decoder for Tap {
    fn channels(&self) -> usize {
        self.decoder.channels()
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        self.decoder.samples(payload)
    }
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        if self.keep {
            self.frames.push(payload.to_vec());
        }
        self.decoder.decode(payload, out)
    }
    fn fec(&self, following: &[u8]) -> usize {
        self.decoder.fec(following)
    }
    fn reach(&mut self, payload: &[u8]) -> usize {
        self.decoder.reach(payload)
    }
    fn decode_fec(&mut self, following: &[u8], samples: usize, out: &mut Vec<f32>) -> bool {
        self.decoder.decode_fec(following, samples, out)
    }
    fn decode_deep(&mut self, later: &[u8], before: usize, samples: usize, out: &mut Vec<f32>) -> bool {
        self.decoder.decode_deep(later, before, samples, out)
    }
    fn is_pause(&mut self, later: &[u8], before: usize, samples: usize) -> bool {
        self.decoder.is_pause(later, before, samples)
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        self.decoder.conceal(samples, out);
    }
    fn reset(&mut self) {
        self.frames.clear();
        self.decoder.reset();
    }
}
