//! Copies of a picture's packets that go out before anybody misses one. Where a lot is lost a request and its answer are lost too, and
//! a picture that is a round trip late holds up all that refer to it; a copy costs what it weighs.
//!
//! ```text
//!   30 % lost, room for twice the media:   packet ─10 ms─ copy        9 % are left to be asked for
//! ```

use super::window::{self, Decoder};
use std::time::Duration;

/// From capture to the screen, and what of it rendering takes: pictures that come later are not waited for.
const LATENCY_BUDGET: Duration = Duration::from_millis(400);
const RENDER: Duration = Duration::from_millis(20);
/// Rounds of requests that bring back enough of what is lost.
const ROUNDS: u32 = 2;
/// Share of the packets that may be left to requests, and where those come too late: to nobody.
const LEFT: f64 = 0.1;
const LEFT_UNASKED: f64 = 0.03;
const COPIES_MAX: usize = 6;
/// Of the rate of a path, what media and all that repairs it may take: beyond, there is one copy less.
const FILLED: f64 = 0.85;
/// A request is answered so often, and answers are lost too.
const ANSWERS: f64 = 2.5;

/// Between two copies: longer than a burst of loss on a radio link, shorter than a round trip.
pub const COPY_AFTER: Duration = Duration::from_millis(10);

/// What is lost can be asked for, and once more, and is still in time. `rtt`: without queues.
pub fn leaves_rounds(rtt: Option<Duration>) -> bool {
    rtt.is_none_or(|rtt| {
        let left = LATENCY_BUDGET.saturating_sub(RENDER + rtt / 2);
        left.as_micros().checked_div(rtt.as_micros()).is_none_or(|rounds| rounds >= u128::from(ROUNDS))
    })
}

/// How many copies a path should have that loses packets by chance.
#[derive(Clone, Copy, Debug)]
pub struct Ahead {
    /// 0.0-1.0.
    lost: f64,
    wanted: usize,
}

impl Ahead {
    /// `None`: so little is lost that requests do.
    pub fn new(lost: f64, rtt: Option<Duration>) -> Option<Self> {
        if lost <= LEFT {
            return None;
        }
        let lost = lost.min(1.0);
        let goal = if leaves_rounds(rtt) { LEFT } else { LEFT_UNASKED };
        let wanted = (1..COPIES_MAX).find(|&copies| left(lost, copies) <= goal).unwrap_or(COPIES_MAX);
        Some(Self { lost, wanted })
    }

    /// What each byte of media takes in all with so many copies of it, requests for what is left answered.
    fn weight(self, copies: usize) -> f64 {
        1.0 + copies as f64 + left(self.lost, copies) / (1.0 - self.lost.min(0.9)) * ANSWERS
    }

    /// For each byte of media, what a path has to carry that is to take all copies.
    pub fn wants(self) -> f64 {
        self.weight(self.wanted) / FILLED
    }

    /// Share of the packets that all copies leave to requests.
    pub fn leaves(self) -> f64 {
        left(self.lost, self.wanted)
    }

    /// There is room for all copies.
    pub fn covers(self, media: u64, rate: u64) -> bool {
        self.copies(media, rate) == self.wanted
    }

    /// Copies beside each packet: as many as there is room for where media takes so much of a path's rate.
    pub fn copies(self, media: u64, rate: u64) -> usize {
        let fits = |copies: &usize| media as f64 * self.weight(*copies) <= rate as f64 * FILLED;
        (1..=self.wanted).rev().find(fits).unwrap_or(0)
    }
}

/// How much FlexFEC goes ahead on a path that loses packets by chance, in place of copies: a repair packet stands for whichever of some
/// thirty packets is lost, so half as many do more.
#[derive(Clone, Copy, Debug)]
pub struct Shield {
    /// 0.0-1.0.
    lost: f64,
    /// Requests are answered in time.
    in_time: bool,
    /// The other end does not solve repair packets together.
    peels: bool,
}

/// From this loss on, below which copies do where there is room (a narrow line looks as if it lost 10 % now and then); and where requests come
/// too late.
const SHIELDED_FROM: f64 = 0.2;
const SHIELDED_FROM_UNASKED: f64 = 0.02;
/// At most so many repair packets for a packet.
const REPAIRS_MAX: f64 = 3.0;
/// Repair packets in a window that say nothing that others do not.
const DEPENDENT: f64 = 2.0;
/// Standard deviations of what is lost that the repair packets are to be enough for.
const MARGIN: f64 = 2.0;
const MARGIN_UNASKED: f64 = 3.0;
/// So many times as much for whoever does not solve repair packets together. Found by trying.
const PEELING: f64 = 1.5;
/// For them there is no other way, so that more of a path's rate may go into it than [`FILLED`].
const FILLED_PEELING: f64 = 0.95;
/// What is asked for all the same, for each byte of media and each share of loss.
const ASKED: f64 = 0.5;

impl Shield {
    /// `None`: requests do.
    pub fn new(lost: f64, rtt: Option<Duration>) -> Option<Self> {
        let in_time = leaves_rounds(rtt);
        let from = if in_time { SHIELDED_FROM } else { SHIELDED_FROM_UNASKED };
        (lost > from).then_some(Self { lost: lost.min(1.0), in_time, peels: false })
    }

    /// The same for an end that does not solve repair packets together: copies do where requests are answered in time.
    pub fn for_peeling(lost: f64, rtt: Option<Duration>) -> Option<Self> {
        Self::new(lost, rtt).filter(|shield| !shield.in_time).map(|shield| Self { peels: true, ..shield })
    }

    pub fn decoder(self) -> Decoder {
        if self.peels { Decoder::Peels { lost: self.lost } } else { Decoder::Solves }
    }

    /// Repair packets for each packet of a window of so many, so that hardly ever more of both is lost than repair packets arrive.
    fn wanted(self, window: usize) -> f64 {
        let (lost, window) = (self.lost, window.max(1) as f64);
        let margin = if self.in_time { MARGIN } else { MARGIN_UNASKED };
        let enough = |repairs: &f64| {
            let deviation = (lost * (1.0 - lost) * (1.0 + repairs) / window).sqrt();
            repairs * (1.0 - lost) >= lost + DEPENDENT / window + margin * deviation
        };
        let tenths = (1..).map(|tenths| f64::from(tenths) / 10.0);
        let solved = tenths.take_while(|repairs| *repairs < REPAIRS_MAX).find(enough).unwrap_or(REPAIRS_MAX);
        if self.peels { (solved * PEELING).min(REPAIRS_MAX) } else { solved }
    }

    /// Repair packets for each packet that there is room for.
    fn room(self, media: u64, rate: u64) -> f64 {
        let filled = if self.peels { FILLED_PEELING } else { FILLED };
        rate as f64 * filled / media.max(1) as f64 - 1.0 - self.lost * ASKED
    }

    /// For each byte of media, what a path has to carry that is to take all of it.
    pub fn wants(self, media: u64) -> f64 {
        (1.0 + self.wanted(window::packets_of(media)) + self.lost * ASKED) / FILLED
    }

    /// There is room for enough to be of use: for a copy of everything, or where nothing can be asked for in time, for what is lost.
    pub fn fits(self, media: u64, rate: u64) -> bool {
        let least = if self.in_time { 1.0 } else { self.lost / (1.0 - self.lost.min(0.9)) };
        self.room(media, rate) >= self.wanted(window::packets_of(media)).min(least)
    }

    /// Repair packets for each packet, as many as there is room for where media takes so much of a path's rate.
    pub fn overhead(self, window: usize, media: u64, rate: u64) -> f64 {
        self.wanted(window).min(self.room(media, rate)).max(0.0)
    }
}

/// Share of the packets of which neither they nor any copy arrive.
fn left(lost: f64, copies: usize) -> f64 {
    lost.powi(copies as i32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn copies_follow_the_loss_as_far_as_there_is_room() {
        for (lost, rate, copies) in [
            (0.0, 9000, 0),
            (0.1, 9000, 0),
            (0.3, 9000, 1),
            (0.3, 3000, 1),
            (0.3, 2000, 0),
            (0.5, 9000, 3),
            (0.5, 5000, 2),
            (0.5, 3000, 0),
            (0.7, 12_000, 6),
            (0.7, 5000, 0),
            (1.0, 9000, 0),
        ] {
            let ahead = Ahead::new(lost, Some(MS * 100));
            assert_eq!(ahead.map_or(0, |ahead| ahead.copies(1000, rate)), copies, "{lost} {rate}");
        }
    }

    #[test]
    fn more_of_them_where_nothing_can_be_asked_for_in_time() {
        assert!(leaves_rounds(None) && leaves_rounds(Some(Duration::ZERO)) && leaves_rounds(Some(MS * 150)));
        assert!(!leaves_rounds(Some(MS * 160)));
        let copies = |rtt: u32| Ahead::new(0.3, Some(MS * rtt)).unwrap().copies(1000, 9000);
        assert_eq!((copies(100), copies(300)), (1, 2));
    }

    #[test]
    fn repair_packets_follow_the_loss_and_the_window_as_far_as_there_is_room() {
        let shield = |lost, rtt: u32| Shield::new(lost, Some(MS * rtt));
        assert!(shield(0.2, 100).is_none() && shield(0.02, 300).is_none());
        for (lost, rtt, window, rate, fits, expected) in [
            (0.3, 100, 24, 9000, true, 1.0),
            (0.3, 300, 24, 9000, true, 1.3),
            (0.3, 300, 5, 9000, true, 2.8),
            (0.5, 100, 24, 9000, true, 1.9),
            (0.7, 100, 24, 9000, true, 3.0),
            // Little room: of use only where nothing can be asked for.
            (0.3, 100, 24, 2000, false, 0.55),
            (0.3, 300, 24, 2000, true, 0.55),
            (0.3, 300, 24, 1500, false, 0.125),
            (0.3, 300, 24, 1000, false, 0.0),
        ] {
            let shield = shield(lost, rtt).unwrap();
            let overhead = shield.overhead(window, 1_200_000, rate * 1200);
            assert!((overhead - expected).abs() < 0.11, "{lost} {rtt} {window} {rate}: {overhead}");
            assert_eq!(shield.fits(1_200_000, rate * 1200), fits, "{lost} {rtt} {window} {rate}");
        }
        let shield = shield(0.5, 300).unwrap();
        let rate = (1_200_000.0 * shield.wants(1_200_000)).ceil() as u64;
        assert!(shield.overhead(window::packets_of(1_200_000), 1_200_000, rate) >= 2.0);
    }

    #[test]
    fn a_path_that_carries_what_is_wanted_gets_every_copy() {
        for percent in 11..=99 {
            let ahead = Ahead::new(f64::from(percent) / 100.0, None).unwrap();
            let rate = (1_000_000.0 * ahead.wants()).ceil() as u64;
            assert_eq!(ahead.copies(1_000_000, rate), ahead.wanted, "{percent} %");
        }
    }
}
