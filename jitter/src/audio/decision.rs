//! What the next 10 ms are made of.

use std::time::Duration;

/// NetEQ's names for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Speech as it came, or a frame repaired from redundancy.
    Normal,
    /// One pitch period less, where the signal repeats itself well.
    Accelerate,
    /// The same where it repeats itself at all: far too late.
    FastAccelerate,
    /// One pitch period more.
    PreemptiveExpand,
    /// Speech made up: nothing is there.
    Expand,
    /// The first real speech after made-up speech, faded in.
    Merge,
    /// Silence that was announced, or a fade that has ended.
    ComfortNoise,
}

impl Decision {
    pub const ALL: [Self; 7] = [
        Self::Normal,
        Self::Accelerate,
        Self::FastAccelerate,
        Self::PreemptiveExpand,
        Self::Expand,
        Self::Merge,
        Self::ComfortNoise,
    ];
}

/// Pulls by what was decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Decisions([u64; Decision::ALL.len()]);

impl Decisions {
    pub fn add(&mut self, decision: Decision) {
        self.0[decision as usize] += 1;
    }
    pub fn pulls(&self, decision: Decision) -> u64 {
        self.0[decision as usize]
    }
}

/// What is there to play next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The frame itself, or already decoded sound.
    Here,
    /// The frame is missing and a later one is here.
    Gap,
    /// Nothing from here on.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Situation {
    /// Playout delay of the sample played now.
    pub delay: Duration,
    pub target: Duration,
    pub next: Next,
    /// The gap can be filled from redundancy.
    pub repairable: bool,
    /// The sender announced silence.
    pub silent: bool,
    /// What was played last was made up.
    pub concealing: bool,
    /// And it has faded to nothing.
    pub faded: bool,
    /// Pulls since time was stretched.
    pub since_stretch: u32,
}

/// Above the target by this much before time is removed: the width of one usual packet.
const SLACK: Duration = Duration::from_millis(20);
/// Above the target by this much before a period is removed at any similarity worth the name.
const FAST_SLACK: Duration = Duration::from_millis(200);
/// Below the target by this much before time is added: half a packet is no reason.
const SLACK_BELOW: Duration = Duration::from_millis(10);
/// Pulls between two changes, so that no voice warbles (NetEQ: 5).
const STRETCH_PAUSE: u32 = 5;

pub fn decide(situation: &Situation) -> Decision {
    let Situation { delay, target, .. } = *situation;
    let available = situation.next == Next::Here || situation.next == Next::Gap && situation.repairable;
    if situation.silent && situation.next != Next::Here {
        return Decision::ComfortNoise;
    }
    if !available {
        return if situation.faded { Decision::ComfortNoise } else { Decision::Expand };
    }
    if situation.concealing {
        return Decision::Merge;
    }
    if situation.next != Next::Here || situation.since_stretch < STRETCH_PAUSE {
        return Decision::Normal;
    }
    match () {
        () if delay > target + FAST_SLACK => Decision::FastAccelerate,
        () if delay > target + SLACK => Decision::Accelerate,
        () if delay + SLACK_BELOW < target => Decision::PreemptiveExpand,
        () => Decision::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn calm() -> Situation {
        Situation {
            delay: MS * 100,
            target: MS * 100,
            next: Next::Here,
            repairable: false,
            silent: false,
            concealing: false,
            faded: false,
            since_stretch: 100,
        }
    }

    #[test]
    fn every_situation_has_its_decision() {
        let table = [
            ("on target", calm(), Decision::Normal),
            ("a little late", Situation { delay: MS * 119, ..calm() }, Decision::Normal),
            ("late", Situation { delay: MS * 121, ..calm() }, Decision::Accelerate),
            ("far too late", Situation { delay: MS * 301, ..calm() }, Decision::FastAccelerate),
            ("a little early", Situation { delay: MS * 96, ..calm() }, Decision::Normal),
            ("early", Situation { delay: MS * 80, ..calm() }, Decision::PreemptiveExpand),
            ("just stretched", Situation { delay: MS * 300, since_stretch: 4, ..calm() }, Decision::Normal),
            ("a gap", Situation { next: Next::Gap, ..calm() }, Decision::Expand),
            ("a repairable gap", Situation { next: Next::Gap, repairable: true, ..calm() }, Decision::Normal),
            ("dry", Situation { next: Next::Nothing, ..calm() }, Decision::Expand),
            (
                "dry for long",
                Situation { next: Next::Nothing, concealing: true, faded: true, ..calm() },
                Decision::ComfortNoise,
            ),
            ("back", Situation { concealing: true, delay: MS * 400, ..calm() }, Decision::Merge),
            ("silence", Situation { next: Next::Nothing, silent: true, ..calm() }, Decision::ComfortNoise),
            ("speech ends silence", Situation { silent: true, ..calm() }, Decision::Normal),
        ];
        for (name, situation, wanted) in table {
            assert_eq!(decide(&situation), wanted, "{name}");
        }
    }
}
