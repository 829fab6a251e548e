//! What no sender should do, in the middle of a call: every pull is 10 ms all the same, memory stays bounded, and a little later the
//! call is heard as before.

use jitter::audio::{AudioBuffer, Config, DecodeError, Decoder, PULL, Packet, Rung};
use packet::fec::red::{self, Block};
use packet::{PayloadType, RtpTime, SeqNo};
use std::time::{Duration, Instant};

const FRAME: u32 = 960;
const MS: Duration = Duration::from_millis(1);
const CODEC: PayloadType = PayloadType(111);
/// Five seconds of frames of 2.5 ms, the shortest that Opus has, and one being decoded.
const FRAMES_MAX: usize = 2001;

/// Frames of 20 ms; anything that is not eight bytes cannot be decoded.
struct Loud;

impl Decoder for Loud {
    fn channels(&self) -> usize {
        2
    }
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (!payload.is_empty()).then_some(FRAME as usize)
    }
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), DecodeError> {
        if payload.len() != 8 {
            return Err(DecodeError);
        }
        out.resize(out.len() + FRAME as usize * 2, 0.5);
        Ok(())
    }
    fn fec(&self, _: &[u8]) -> usize {
        0
    }
    fn reach(&mut self, _: &[u8]) -> usize {
        0
    }
    fn decode_fec(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn decode_deep(&mut self, _: &[u8], _: usize, _: usize, _: &mut Vec<f32>) -> bool {
        false
    }
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        out.resize(out.len() + samples * 2, 0.1);
    }
}

/// A sender that keeps its beat, and whoever listens.
struct Call {
    buffer: AudioBuffer<Loud>,
    now: Instant,
    seq: u16,
    timestamp: u32,
    pulls: u32,
}

impl Call {
    fn new() -> Self {
        #[allow(clippy::disallowed_methods)]
        // The one starting point of virtual time; far from the clock's own zero.
        let now = Instant::now() + Duration::from_secs(100_000);
        let buffer = AudioBuffer::new(Config::default(), Loud);
        Self { buffer, now, seq: 65_400, timestamp: u32::MAX - 48_000, pulls: 0 }
    }

    fn insert(&mut self, seq: u16, timestamp: u32, payload: &[u8]) {
        let packet = Packet { seq: SeqNo(seq), timestamp: RtpTime(timestamp), payload, retransmitted: false };
        self.buffer.insert(self.now, packet);
    }

    fn insert_red(&mut self, payload: &[u8]) {
        let (seq, timestamp) = (SeqNo(self.seq), RtpTime(self.timestamp));
        let packet = Packet { seq, timestamp, payload, retransmitted: false };
        self.buffer.insert_red(self.now, packet, CODEC);
    }

    fn pull(&mut self) {
        let mut out = [f32::NAN; PULL * 2];
        self.buffer.pull(self.now, &mut out);
        assert!(out.iter().all(|sample| (-1.0..=1.0).contains(sample)));
        assert!(self.buffer.poll_nack(self.now).len() <= 500);
        assert!(self.buffer.held() <= FRAMES_MAX, "{} frames", self.buffer.held());
    }

    /// `packets` of 20 ms as they should be, `step` apart in media time.
    fn beat(&mut self, packets: u32, step: u32, mut send: impl FnMut(&mut Self)) {
        for _ in 0..packets {
            send(self);
            self.seq = self.seq.wrapping_add(1);
            self.timestamp = self.timestamp.wrapping_add(step);
            for _ in 0..2 {
                self.pull();
                self.now += MS * 10;
                self.pulls += 1;
            }
        }
    }

    fn speak(&mut self, seconds: u32) {
        self.beat(seconds * 50, FRAME, |call| call.insert(call.seq, call.timestamp, &[1; 8]));
    }
}

type Event = fn(&mut Call);

/// (what happens, how).
const EVENTS: &[(&str, Event)] = &[
    ("every packet comes four times", |call| {
        call.beat(100, FRAME, |call| (0..4).for_each(|_| call.insert(call.seq, call.timestamp, &[1; 8])));
    }),
    ("the last ten seconds come again", |call| {
        let (seq, timestamp) = (call.seq, call.timestamp);
        for back in (1..500u16).rev() {
            call.insert(seq.wrapping_sub(back), timestamp.wrapping_sub(u32::from(back) * FRAME), &[1; 8]);
        }
    }),
    ("one packet from an hour ahead", |call| {
        call.insert(call.seq, call.timestamp.wrapping_add(3600 * 48_000), &[1; 8]);
    }),
    ("one packet from half of all time away", |call| {
        call.insert(call.seq.wrapping_add(32_768), call.timestamp.wrapping_add(1 << 31), &[1; 8]);
    }),
    ("the timeline jumps forward", |call| call.timestamp = call.timestamp.wrapping_add(1_000_000_007)),
    ("the timeline jumps back", |call| call.timestamp = call.timestamp.wrapping_sub(1_000_000_007)),
    ("the numbers jump", |call| call.seq = call.seq.wrapping_add(30_000)),
    ("another source: numbers and timeline begin anew", |call| {
        (call.seq, call.timestamp) = (17, 4711);
    }),
    ("the clock runs at 8 kHz for five seconds", |call| {
        call.beat(250, 160, |call| call.insert(call.seq, call.timestamp, &[1; 8]));
    }),
    ("the clock runs at 90 kHz for five seconds", |call| {
        call.beat(250, 1800, |call| call.insert(call.seq, call.timestamp, &[1; 8]));
    }),
    ("time stands still in the media", |call| {
        call.beat(250, 0, |call| call.insert(call.seq, call.timestamp, &[1; 8]));
    }),
    ("RED for a while, then none", |call| {
        call.beat(100, FRAME, |call| {
            let mut payload = Vec::new();
            let copy = Block { pt: CODEC, offset: FRAME, payload: &[1; 8] };
            red::join(&[copy, Block { pt: CODEC, offset: 0, payload: &[1; 8] }], &mut payload);
            call.insert_red(&payload);
        });
    }),
    ("RED cut short at every length", |call| {
        let mut payload = Vec::new();
        let copy = Block { pt: CODEC, offset: FRAME, payload: &[1; 8] };
        red::join(&[copy, Block { pt: CODEC, offset: 0, payload: &[1; 8] }], &mut payload);
        for len in (0..payload.len()).cycle().take(100) {
            call.beat(1, FRAME, |call| call.insert_red(&payload[..len]));
        }
    }),
    ("RED around another codec", |call| {
        call.beat(100, FRAME, |call| {
            let mut payload = Vec::new();
            red::join(&[Block { pt: PayloadType(0), offset: 0, payload: &[1; 160] }], &mut payload);
            call.insert_red(&payload);
        });
    }),
    ("nothing that can be decoded", |call| {
        call.beat(100, FRAME, |call| call.insert(call.seq, call.timestamp, &[1; 7]));
    }),
    ("nothing at all inside", |call| {
        call.beat(100, FRAME, |call| call.insert(call.seq, call.timestamp, &[]));
    }),
    ("ten thousand packets at once", |call| {
        for _ in 0..10_000 {
            call.insert(call.seq, call.timestamp, &[1; 8]);
            (call.seq, call.timestamp) = (call.seq.wrapping_add(1), call.timestamp.wrapping_add(FRAME));
        }
    }),
    ("ten thousand packets at once, scattered over all of time", |call| {
        for n in 0..10_000u32 {
            call.insert(n.wrapping_mul(40_503) as u16, n.wrapping_mul(2_654_435_761), &[1; 8]);
        }
    }),
    ("our clock stands still for a hundred pulls", |call| {
        (0..100).for_each(|_| call.pull());
    }),
    ("our clock jumps an hour, and the sender's with it", |call| {
        call.now += MS * 3_600_000;
        call.timestamp = call.timestamp.wrapping_add(3600 * 48_000);
    }),
    ("our clock jumps an hour", |call| call.now += MS * 3_600_000),
    ("our clock goes back an hour", |call| call.now -= MS * 3_600_000),
    ("silence for an hour", |call| call.beat(3600 * 50, FRAME, |_| {})),
];

#[test]
fn whatever_comes_in_the_middle_the_call_goes_on() {
    for (name, event) in EVENTS {
        let mut call = Call::new();
        call.speak(5);
        event(&mut call);
        // What was taken for the network's doing is forgotten, and the delay is back.
        call.speak(20);
        let before = call.buffer.stats().clone();
        call.speak(5);
        let after = call.buffer.stats();
        let heard = after.heard.since(&before.heard);
        let exact = heard.samples(Rung::Primary) as f64 / heard.total() as f64;
        assert!(exact > 0.999 && heard.total() > 4 * 48_000, "{name}: {exact} of {heard:?}");
        assert!(after.delay <= MS * 150, "{name}: {:?} of {:?}", after.delay, after.target);
        assert_eq!((after.restarts, after.flushes), (before.restarts, before.flushes), "{name}");
    }
}
