//! Two and three people on good networks.

use tests::script::{Network, step};
use tests::{Check, Do, Scenario};

#[test]
fn two_people_hear_and_see_each_other() {
    let scenario = Scenario {
        name: "calls::two_people_hear_and_see_each_other",
        seed: 1,
        steps: vec![
            step("ada is there first", Do::Join { who: "ada", over: Network::Preset("S0") }),
            step("and waits", Do::Run { ms: 2000 }),
            step("bob comes", Do::Join { who: "bob", over: Network::Near }),
            step("they talk", Do::Run { ms: 10_000 }),
            step("it began at once", Do::Check(Check::Met { audio_ms: 300, frame_ms: 400 })),
            step(
                "and all of it arrived",
                Do::Check(Check::Arrives { last_ms: 9000, audio_percent: 100.0, frames_percent: 100.0 }),
            ),
            step("without a pause", Do::Check(Check::NoGap { last_ms: 9000, audio_ms: 60, frame_ms: 80 })),
            step("and without mistakes", Do::Check(Check::NothingWrong)),
        ],
    };
    scenario.run();
}

#[test]
fn two_who_click_at_the_same_moment_meet_as_fast() {
    let scenario = Scenario {
        name: "calls::two_who_click_at_the_same_moment_meet_as_fast",
        seed: 2,
        steps: vec![
            step("both click", Do::JoinAtOnce { count: 2, over: Network::Preset("S0") }),
            step("they talk", Do::Run { ms: 3000 }),
            step("it began at once", Do::Check(Check::Met { audio_ms: 350, frame_ms: 450 })),
        ],
    };
    scenario.run();
}

#[test]
fn a_third_joins_and_the_two_notice_nothing_else() {
    let scenario = Scenario {
        name: "calls::a_third_joins_and_the_two_notice_nothing_else",
        seed: 3,
        steps: vec![
            step("two talk", Do::JoinAtOnce { count: 2, over: Network::Near }),
            step("for a while", Do::Run { ms: 5000 }),
            step("eve comes", Do::Join { who: "eve", over: Network::Preset("S0") }),
            step("they talk", Do::Run { ms: 5000 }),
            step("eve hears and sees both at once", Do::Check(Check::Met { audio_ms: 300, frame_ms: 400 })),
            step(
                "nobody's picture stood still",
                Do::Check(Check::NoGap { last_ms: 4000, audio_ms: 60, frame_ms: 80 }),
            ),
            step("everything is whole", Do::Check(Check::NothingWrong)),
            step("eve leaves", Do::Leave { who: "eve" }),
            step("the others go on", Do::Run { ms: 3000 }),
            step("and know", Do::Check(Check::Gone { who: "eve" })),
            step("without a pause", Do::Check(Check::NoGap { last_ms: 3000, audio_ms: 60, frame_ms: 80 })),
            step("the server forgot eve", Do::Check(Check::NothingLeftBehind)),
        ],
    };
    scenario.run();
}
