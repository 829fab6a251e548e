//! Datagrams that nobody in the call has sent.

use tests::script::{Network, step};
use tests::{Check, Do, Scenario};

#[test]
fn malformed_datagrams_during_a_call_hurt_nobody() {
    let scenario = Scenario {
        name: "hostile::malformed_datagrams_during_a_call_hurt_nobody",
        seed: 11,
        steps: vec![
            step("three talk", Do::JoinAtOnce { count: 3, over: Network::Near }),
            step("for a while", Do::Run { ms: 2000 }),
            step("somebody floods the port, with their addresses too", Do::Attack { datagrams: 5000 }),
            step("and stops", Do::Run { ms: 1000 }),
            step(
                "nothing was missing",
                Do::Check(Check::Arrives { last_ms: 6500, audio_percent: 100.0, frames_percent: 100.0 }),
            ),
            step(
                "nothing stood still",
                Do::Check(Check::NoGap { last_ms: 6500, audio_ms: 60, frame_ms: 80 }),
            ),
            step("nothing false was seen or heard", Do::Check(Check::NothingWrong)),
            step("nobody was thrown out", Do::Check(Check::Present { people: 3 })),
            step("no stranger got in", Do::Check(Check::NothingLeftBehind)),
        ],
    };
    let world = scenario.run();
    let dropped: u64 = world.router.stats().dropped.iter().map(|(_, count)| count).sum();
    // The rest are DTLS records from the addresses of those present, which the handshake discards (RFC 6347 section 4.1.2.7).
    assert!(dropped >= 4000, "of 5000 datagrams {dropped} were counted");
}
