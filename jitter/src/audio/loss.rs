//! The share of packets that did not come when they were sent first, whatever repaired them later, and how many in a row.

/// A packet that is overtaken by this many others counts as lost: 160 ms of 20 ms packets.
const REORDER_MAX: u32 = 8;
/// Packets that the mean remembers.
const MEMORY: f32 = 128.0;
/// Below this nothing is lost: one packet in 250.
const FLOOR: f32 = 0.004;
/// A jump further than this is a new stream.
const JUMP_MAX: i64 = 1000;

/// Exponential mean over first sendings; at the start a plain one.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstLoss {
    newest: Option<i64>,
    /// Bit n: the packet n before the newest came.
    came: u64,
    /// Packets from before the first one are nobody's loss: as many judgements are left out.
    before: u32,
    judged: u32,
    share: f32,
    /// The packet judged last did not come.
    in_run: bool,
    /// Runs of losses begun per packet, an exponential mean like `share`.
    runs: f32,
}

impl FirstLoss {
    /// An original came; `seq` unwrapped.
    pub fn arrived(&mut self, seq: i64) {
        let Some(newest) = self.newest else {
            return self.begin(seq);
        };
        match seq - newest {
            back @ -63..=0 => self.came |= 1 << -back,
            steps @ 1..=JUMP_MAX => {
                for _ in 0..steps {
                    self.came <<= 1;
                    self.judge(self.came & 1 << REORDER_MAX != 0);
                }
                self.came |= 1;
                self.newest = Some(seq);
            }
            _ => self.begin(seq),
        }
    }

    fn begin(&mut self, seq: i64) {
        (self.newest, self.came, self.before) = (Some(seq), 1, REORDER_MAX);
    }

    fn judge(&mut self, came: bool) {
        if self.before > 0 {
            self.before -= 1;
            return;
        }
        self.judged = self.judged.saturating_add(1);
        let weight = (1.0 / self.judged as f32).max(1.0 / MEMORY);
        let mean = |mean: &mut f32, is: bool| *mean += (f32::from(u8::from(is)) - *mean) * weight;
        mean(&mut self.share, !came);
        mean(&mut self.runs, !came && !self.in_run);
        self.in_run = !came;
    }

    /// Packets lost in a row, on average; one where nothing is lost.
    pub fn mean_run(&self) -> f32 {
        if self.share() == 0.0 { 1.0 } else { (self.share / self.runs.max(1e-3)).max(1.0) }
    }

    pub fn share(&self) -> f32 {
        if self.share < FLOOR { 0.0 } else { self.share }
    }

    pub fn restart(&mut self) {
        self.newest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seqs: impl Iterator<Item = i64>) -> f32 {
        let mut loss = FirstLoss::default();
        seqs.for_each(|seq| loss.arrived(seq));
        loss.share()
    }

    #[test]
    fn losses_count_and_overtaken_packets_do_not() {
        assert_eq!(after(0..1000), 0.0);
        let third = after((0..1000).filter(|n| n % 3 != 0));
        assert!((third - 1.0 / 3.0).abs() < 0.01, "{third}");
        assert_eq!(after((0..1000).map(|n| n ^ 3)), 0.0, "four in reverse");
        let mut bursts = FirstLoss::default();
        (0..2000).filter(|n| n % 20 >= 6).for_each(|n| bursts.arrived(n));
        assert!((bursts.mean_run() - 6.0).abs() < 0.5, "{}", bursts.mean_run());
        let early = after((0..40).filter(|n| n % 2 != 0));
        assert!((early - 0.5).abs() < 0.1, "known within a second: {early}");
    }

    #[test]
    fn a_jump_is_no_loss() {
        assert_eq!(after([0, 1, 2, 1_000_000, 1_000_001, 5, 6].into_iter()), 0.0);
    }
}
