//! Comfort noise: after a fade the line shall sound alive, not cut.

/// White noise at the level of the quietest sound heard lately.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    state: u64,
    /// Mean power of the quietest recent frame.
    floor: f32,
}

/// The floor follows a louder room by this factor a frame: doubles in about three seconds of 20 ms frames.
const RISE: f32 = 1.005;
/// Never louder than -50 dBFS: music that stops is not a noisy room.
const POWER_MAX: f32 = 1e-5;

impl ComfortNoise {
    pub fn new(seed: u64) -> Self {
        Self { state: seed | 1, floor: 0.0 }
    }

    /// Takes a frame of real sound.
    pub fn learn(&mut self, frame: &[f32]) {
        if frame.is_empty() {
            return;
        }
        let power = frame.iter().map(|s| s * s).sum::<f32>() / frame.len() as f32;
        self.floor = power.min((self.floor * RISE).max(1e-12)).min(POWER_MAX);
    }

    pub fn sample(&mut self) -> f32 {
        // xorshift64; uniform in -1..1 has a power of one third.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let uniform = (self.state >> 40) as f32 / (1u32 << 23) as f32 - 1.0;
        uniform * (3.0 * self.floor).sqrt()
    }
}
