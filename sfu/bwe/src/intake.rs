//! Feedback messages as they come: how many of them are read, which were lost, and where their clock goes on.

use crate::moment::Moment;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Intake {
    count: Option<u8>,
    /// How many messages may be read now, times a million.
    credit: u64,
    credit_at: Moment,
    /// The receiver's clock, extended: 64 ms units.
    reference: Option<i64>,
}

/// A receiver reports every 50 to 250 ms, some in several messages; more than this a second is not read.
const PER_S: u64 = 200;
const BURST: u64 = 20;
const CREDIT: u64 = 1_000_000;

impl Default for Intake {
    fn default() -> Self {
        Self { count: None, credit: BURST * CREDIT, credit_at: Moment::default(), reference: None }
    }
}

impl Intake {
    pub fn takes(&mut self, now: Moment) -> bool {
        let refill = now.since(self.credit_at).as_micros() as u64 * PER_S;
        self.credit_at = self.credit_at.max(now);
        self.credit = self.credit.saturating_add(refill).min(BURST * CREDIT);
        let takes = self.credit >= CREDIT;
        self.credit -= if takes { CREDIT } else { 0 };
        takes
    }

    /// How many messages are missing before this one.
    pub fn lost_before(&mut self, count: u8) -> u64 {
        let lost = self.count.map_or(0, |last| count.wrapping_sub(last).wrapping_sub(1));
        self.count = Some(count);
        // A message that overtook another looks like 255 lost.
        u64::from(if lost < 128 { lost } else { 0 })
    }

    /// What to add to the message's times so that they go on where the 24 bits of its reference wrapped.
    pub fn extended_clock_us(&mut self, reference: i32) -> i64 {
        let short = i64::from(reference);
        let extended = match self.reference {
            None => short,
            Some(last) => last + ((short - last) << 40 >> 40),
        };
        self.reference = Some(extended);
        (extended - short) * 64_000
    }
}
