//! What the sender should do about the network, by what this end measured.

use packet::Bitrate;
use std::time::Duration;

/// Travels back to the sender as often as the application likes; every 100 ms is plenty. A sender that has not
/// heard it yet assumes a bad network for its first seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SenderAdvice {
    /// Share of frames that neither copies nor answers bring exactly, 0.0-1.0: what redundancy inside the packets has to cover. An
    /// encoder takes bits from speech in proportion, so it is not the loss of first sendings.
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
const LOSS_THRICE: f32 = 0.45;
/// From here on a round succeeds so seldom that a third answer costs more than it brings.
const LOSS_HOPELESS: f32 = 0.75;
/// From here on a listener behind a server misses more than copies and answers bring in time.
const LOSS_HEARD: f32 = 0.1;
/// From here on losses come in such runs that deep redundancy has to reach far.
const LOSS_FAR: f32 = 0.4;
/// What is expected then at least; below, and on a milder network. Measured with libopus 1.6.1, 20 ms, reach and what is left for the
/// speech itself: 32 kb/s writes nothing below 0.05 and 95 ms (20 kb/s left) at 0.05; 40 kb/s 255 ms (24) at 0.05, 335 ms
/// (22) at 0.1, 695 ms (18) from 0.3 on.
const EXPECTED_FAR: f32 = 0.3;
const EXPECTED_MIN: f32 = 0.05;
/// From here on every frame is sent twice, unasked: it costs what two answers do at this loss, and comes a round trip sooner.
const LOSS_COPIED: f32 = 0.2;
/// 160 ms.
const STRIDE_MAX: f32 = 8.0;
const BITRATE: Bitrate = Bitrate::kbps(32);
const BITRATE_DEEP: Bitrate = Bitrate::kbps(40);

/// What is known of a network when advice is given.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Conditions {
    /// Share of packets lost on first sending, 0.0-1.0.
    pub first_loss: f32,
    /// Packets lost in a row, on average.
    pub mean_run: f32,
    /// Share of frames that nothing repaired exactly, if that is known.
    pub residual: Option<f32>,
    /// Requests are answered.
    pub nack: bool,
    pub round_trip: Duration,
    /// The longest playout delay that the budget allows.
    pub playout_max: Duration,
}

impl SenderAdvice {
    /// The same for who sends to a server that repeats for its listeners, and hears that they lose so much, 0.0-1.0.
    pub fn for_listeners(self, lost: f32) -> Self {
        if lost.is_nan() || lost < LOSS_HEARD {
            return self;
        }
        let expected = if lost < LOSS_FAR { EXPECTED_MIN } else { EXPECTED_FAR };
        let (expected_loss, bitrate) = (self.expected_loss.max(expected), self.bitrate.max(BITRATE_DEEP));
        Self { deep: true, expected_loss, bitrate, ..self }
    }
}

pub fn advise(conditions: &Conditions) -> SenderAdvice {
    let Conditions { first_loss, mean_run, round_trip, playout_max, .. } = *conditions;
    // A round: the gap shows a packet later, the answer comes with one.
    let round = (round_trip + Duration::from_millis(20)).as_micros();
    let rounds = if conditions.nack {
        playout_max.saturating_sub(Duration::from_millis(20)).as_micros() / round
    } else {
        0
    };
    let red_depth = match rounds {
        _ if first_loss < LOSS_MIN => 0,
        0 if first_loss >= 0.1 => 2,
        0 => 1,
        _ => u8::from(first_loss >= LOSS_COPIED),
    };
    let answers = match first_loss {
        loss if loss < LOSS_TWICE => 1,
        loss if (LOSS_THRICE..LOSS_HOPELESS).contains(&loss) => 3,
        _ => 2,
    };
    let deep = first_loss >= LOSS_MIN;
    let residual = conditions.residual.unwrap_or(first_loss).clamp(0.0, 1.0);
    SenderAdvice {
        expected_loss: match first_loss {
            _ if !deep => 0.0,
            loss if loss >= LOSS_FAR => residual.max(EXPECTED_FAR),
            _ => residual.max(EXPECTED_MIN),
        },
        deep,
        bitrate: if deep { BITRATE_DEEP } else { BITRATE },
        red_depth,
        // Further away than most runs are long, and never so far that waiting for it needs a delay of its own.
        red_stride: (mean_run * 1.5).round().clamp(1.0, STRIDE_MAX) as u8,
        answers,
        round_trip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn at(first_loss: f32, round_trip_ms: u32, playout_max_ms: u32) -> Conditions {
        Conditions {
            first_loss,
            mean_run: 1.0 / (1.0 - first_loss),
            residual: None,
            nack: true,
            round_trip: MS * round_trip_ms,
            playout_max: MS * playout_max_ms,
        }
    }

    #[test]
    fn a_clean_network_asks_for_nothing() {
        let advice = advise(&at(0.001, 100, 500));
        assert_eq!((advice.deep, advice.red_depth, advice.answers), (false, 0, 1));
        assert_eq!((advice.bitrate, advice.expected_loss), (BITRATE, 0.0));
    }

    #[test]
    fn copies_replace_the_rounds_that_do_not_fit() {
        assert_eq!(advise(&at(0.1, 100, 500)).red_depth, 0, "requests do it");
        assert_eq!(advise(&at(0.1, 500, 300)).red_depth, 2, "none fits");
        assert_eq!(advise(&Conditions { nack: false, ..at(0.3, 20, 500) }).red_depth, 2, "nobody answers");
    }

    #[test]
    fn bursts_move_copies_apart() {
        let stride = |mean_run| advise(&Conditions { mean_run, ..at(0.3, 100, 500) }).red_stride;
        assert_eq!((stride(1.0), stride(1.43), stride(5.0), stride(50.0)), (2, 2, 8, 8));
    }

    #[test]
    fn heavy_loss_buys_depth() {
        let advice = advise(&at(0.7, 100, 500));
        assert_eq!((advice.deep, advice.bitrate, advice.answers), (true, BITRATE_DEEP, 3));
    }

    #[test]
    fn what_listeners_behind_a_server_lose_is_made_up_for_inside_the_packets_alone() {
        let own = advise(&at(0.0, 20, 500));
        assert_eq!(own.for_listeners(0.05), own, "the server's answers and copies do it");
        let (some, most) = (own.for_listeners(0.3), own.for_listeners(0.7));
        assert_eq!((some.deep, some.bitrate, some.expected_loss), (true, BITRATE_DEEP, EXPECTED_MIN));
        assert_eq!((most.deep, most.expected_loss), (true, EXPECTED_FAR));
        assert_eq!(
            (most.red_depth, most.answers),
            (own.red_depth, own.answers),
            "copies go no further than the server"
        );
        assert_eq!(own.for_listeners(f32::NAN), own);
        let bad = advise(&at(0.5, 100, 500));
        assert_eq!(bad.for_listeners(0.2), bad, "what its own way needs is more");
    }

    #[test]
    fn what_is_repaired_needs_no_redundancy_inside() {
        let advice = advise(&Conditions { residual: Some(0.07), ..at(0.3, 100, 500) });
        assert_eq!(advice.expected_loss, 0.07);
    }
}
