//! What the sender should do about the network, by what this end measured.

use super::target::{ROUND_OVERHEAD, rounds_within};
use packet::Bitrate;
use std::time::Duration;

/// Travels back to the sender as often as the application likes; every 100 ms is plenty. A sender that never hears it
/// behaves as on a clean network.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SenderAdvice {
    /// Share of packets lost on first sending, 0.0-1.0.
    pub expected_loss: f32,
    /// Deep redundancy (DRED) inside every packet.
    pub deep: bool,
    /// Of the encoder, deep redundancy included.
    pub bitrate: Bitrate,
    /// Copies of earlier frames in every packet (RFC 2198).
    pub red_depth: u8,
    /// Frames between one copy and the next: 1 repeats the previous frame, 2 the one before it.
    pub red_stride: u8,
    /// How often the answer to a NACK is sent, one packet after the other.
    pub answers: u8,
    pub round_trip: Duration,
}

/// Below this loss nothing is worth its bits: retransmission alone does it.
const LOSS_MIN: f32 = 0.01;
/// From here on an answer is sent twice: the second costs `loss` of a copy and does what a further round trip of delay would.
const LOSS_TWICE: f32 = 0.02;
/// From here on three times.
const LOSS_THRICE: f32 = 0.4;
/// From here on the encoder gets the bits with which deep redundancy reaches back 700 ms (measured with libopus 1.6.1: 24 kb/s
/// 175 ms, 32: 215, 40: 695, 48: 535).
const LOSS_DEEP: f32 = 0.4;
const BITRATE: Bitrate = Bitrate::kbps(32);
const BITRATE_DEEP: Bitrate = Bitrate::kbps(40);

/// `first_loss`: share of packets lost on first sending. `playout_max`: the longest playout delay the budget allows.
pub fn advise(first_loss: f32, nack: bool, round_trip: Duration, playout_max: Duration) -> SenderAdvice {
    let rounds = if nack { rounds_within(playout_max, round_trip) } else { 0 };
    let red_depth = match rounds {
        _ if first_loss < LOSS_MIN => 0,
        0 if first_loss < 0.1 => 1,
        0 => 2,
        1 if first_loss >= 0.1 => 1,
        _ => 0,
    };
    let answers = match first_loss {
        loss if loss < LOSS_TWICE => 1,
        loss if loss < LOSS_THRICE => 2,
        _ => 3,
    };
    SenderAdvice {
        expected_loss: first_loss,
        deep: first_loss >= LOSS_MIN,
        bitrate: if first_loss >= LOSS_DEEP { BITRATE_DEEP } else { BITRATE },
        red_depth,
        red_stride: 1,
        answers,
        round_trip: round_trip.max(ROUND_OVERHEAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_clean_network_asks_for_nothing() {
        let advice = advise(0.001, true, MS * 100, MS * 500);
        assert_eq!((advice.deep, advice.red_depth, advice.answers), (false, 0, 1));
        assert_eq!(advice.bitrate, BITRATE);
    }

    #[test]
    fn copies_replace_the_rounds_that_do_not_fit() {
        assert_eq!(advise(0.3, true, MS * 100, MS * 500).red_depth, 0, "requests do it");
        assert_eq!(advise(0.3, true, MS * 300, MS * 400).red_depth, 1, "one round fits");
        assert_eq!(advise(0.3, true, MS * 500, MS * 300).red_depth, 2, "none fits");
        assert_eq!(advise(0.3, false, MS * 20, MS * 500).red_depth, 2, "nobody answers");
    }

    #[test]
    fn heavy_loss_buys_depth() {
        let advice = advise(0.7, true, MS * 100, MS * 500);
        assert_eq!((advice.deep, advice.bitrate, advice.answers), (true, BITRATE_DEEP, 3));
    }
}
