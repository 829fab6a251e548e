//! Bad networks.

use tests::script::{Network, step};
use tests::{Check, Do, Scenario};

#[test]
fn ten_percent_loss_costs_hardly_any_sound_or_picture() {
    // Any seed: a packet whose answers are lost three times over stops a picture for a second, which five calls may have once each. What
    // was late in the first second lengthens the delay of sound for ten.
    let scenario = |seed| Scenario {
        name: "networks::ten_percent_loss_costs_hardly_any_sound_or_picture",
        seed,
        steps: vec![
            step("ada has a good network", Do::Join { who: "ada", over: Network::Near }),
            step("and waits", Do::Run { ms: 1000 }),
            step("bob has a bad one", Do::Join { who: "bob", over: Network::Preset("S1") }),
            step("they talk", Do::Run { ms: 20_000 }),
            step("it began soon", Do::Check(Check::Met { audio_ms: 1000, frame_ms: 1500 })),
            step(
                "what was lost was sent again in time",
                Do::Check(Check::Arrives { last_ms: 10_000, audio_percent: 98.0, frames_percent: 90.0 }),
            ),
            step("nothing came twice", Do::Check(Check::NothingWrong)),
        ],
    };
    for seed in [1, 2, 3, 5, 7] {
        scenario(seed).run();
    }
}

#[test]
fn reordering_costs_nothing() {
    let scenario = Scenario {
        name: "networks::reordering_costs_nothing",
        seed: 8,
        steps: vec![
            step(
                "two talk over a network that lets packets overtake",
                Do::JoinAtOnce { count: 2, over: Network::Reordering(0.1, 25) },
            ),
            step("for a while", Do::Run { ms: 10_000 }),
            step("it began soon", Do::Check(Check::Met { audio_ms: 400, frame_ms: 600 })),
            step(
                "everything arrived",
                Do::Check(Check::Arrives { last_ms: 9000, audio_percent: 99.7, frames_percent: 100.0 }),
            ),
            step("and once", Do::Check(Check::NothingWrong)),
        ],
    };
    scenario.run();
}

#[test]
fn a_call_goes_on_from_another_address() {
    let scenario = Scenario {
        name: "networks::a_call_goes_on_from_another_address",
        seed: 9,
        steps: vec![
            step("two talk", Do::JoinAtOnce { count: 2, over: Network::Preset("S0") }),
            step("for a while", Do::Run { ms: 3000 }),
            step("a home router restarts", Do::Move { who: "p0" }),
            step("the call finds the new address", Do::Run { ms: 10_000 }),
            step(
                "no silence longer than a check of the path takes",
                Do::Check(Check::NoGap { last_ms: 10_500, audio_ms: 6000, frame_ms: 6500 }),
            ),
            step(
                "then all is as before",
                Do::Check(Check::Arrives { last_ms: 3000, audio_percent: 100.0, frames_percent: 100.0 }),
            ),
            step("both are still there", Do::Check(Check::Present { people: 2 })),
        ],
    };
    scenario.run();
}

#[test]
fn a_network_that_turns_bad_and_good_again_leaves_no_trace() {
    let scenario = Scenario {
        name: "networks::a_network_that_turns_bad_and_good_again_leaves_no_trace",
        seed: 10,
        steps: vec![
            step("three talk", Do::JoinAtOnce { count: 3, over: Network::Near }),
            step("for a while", Do::Run { ms: 2000 }),
            step("one walks out of the Wi-Fi", Do::ChangeNetwork { who: "p2", to: Network::Preset("S3") }),
            step("and talks on", Do::Run { ms: 5000 }),
            step("and comes back", Do::ChangeNetwork { who: "p2", to: Network::Near }),
            // A buffer believes in a good network after 8 s of it, and plays faster until it has caught up.
            step("to talk", Do::Run { ms: 14_000 }),
            step(
                "all is as before",
                Do::Check(Check::Arrives { last_ms: 2500, audio_percent: 100.0, frames_percent: 100.0 }),
            ),
            step("nothing came twice", Do::Check(Check::NothingWrong)),
        ],
    };
    scenario.run();
}

#[test]
fn a_newcomer_hears_somebody_with_a_bad_uplink_from_now_on_not_from_the_past() {
    let scenario = Scenario {
        name: "networks::a_newcomer_hears_somebody_with_a_bad_uplink_from_now_on_not_from_the_past",
        seed: 14,
        steps: vec![
            step("ada has a bad network", Do::Join { who: "ada", over: Network::Preset("S2") }),
            step("and talks", Do::Run { ms: 6000 }),
            step("bob comes", Do::Join { who: "bob", over: Network::Near }),
            step("they talk", Do::Run { ms: 4000 }),
            step("cyd comes", Do::Join { who: "cyd", over: Network::Near }),
            step("they talk", Do::Run { ms: 4000 }),
            // The whole budget of a buffer (553 ms) and the way there: ada hears those who come through 30 % loss.
            step("both began with what ada said then", Do::Check(Check::BeginsFresh { audio_ms: 640 })),
        ],
    };
    scenario.run();
}

#[test]
fn outages_are_over_when_the_link_returns() {
    let scenario = Scenario {
        name: "networks::outages_are_over_when_the_link_returns",
        seed: 15,
        steps: vec![
            step("ada has a good network", Do::Join { who: "ada", over: Network::Near }),
            step(
                "bob's is cut at 15 s for 0.5 s and at 30 s for 2 s",
                Do::Join { who: "bob", over: Network::Preset("S12") },
            ),
            step("they talk, the first cut is over", Do::Run { ms: 16_000 }),
            step("it was short", Do::Check(Check::NoGap { last_ms: 5000, audio_ms: 700, frame_ms: 1100 })),
            step("the second cut is over for a second", Do::Run { ms: 17_000 }),
            step(
                "sound and picture are back",
                Do::Check(Check::NoGap { last_ms: 5000, audio_ms: 2100, frame_ms: 2500 }),
            ),
            step("they talk on", Do::Run { ms: 3000 }),
            step(
                "all is as before",
                Do::Check(Check::Arrives { last_ms: 2500, audio_percent: 100.0, frames_percent: 100.0 }),
            ),
        ],
    };
    scenario.run();
}

#[test]
fn an_ice_restart_is_not_noticed() {
    let scenario = Scenario {
        name: "networks::an_ice_restart_is_not_noticed",
        seed: 16,
        steps: vec![
            step("two talk", Do::JoinAtOnce { count: 2, over: Network::Preset("S0") }),
            step("for a while", Do::Run { ms: 3000 }),
            step("one asks for new credentials", Do::RestartIce { who: "p1" }),
            step("they talk on", Do::Run { ms: 5000 }),
            step("without a pause", Do::Check(Check::NoGap { last_ms: 7000, audio_ms: 60, frame_ms: 120 })),
            step("a home router restarts too", Do::Move { who: "p1" }),
            step("and credentials are new again", Do::RestartIce { who: "p1" }),
            step("they talk on", Do::Run { ms: 6000 }),
            step(
                "the restart found the new address at once",
                Do::Check(Check::NoGap { last_ms: 6500, audio_ms: 500, frame_ms: 900 }),
            ),
            step("both are there", Do::Check(Check::Present { people: 2 })),
        ],
    };
    scenario.run();
}

#[test]
fn one_bad_network_is_nobody_elses() {
    let scenario = Scenario {
        name: "networks::one_bad_network_is_nobody_elses",
        seed: 17,
        steps: vec![
            step("five talk", Do::JoinAtOnce { count: 5, over: Network::Near }),
            step("for a while", Do::Run { ms: 3000 }),
            step("one at a bad place comes", Do::Join { who: "bad", over: Network::Preset("S13") }),
            step("and suffers", Do::Run { ms: 10_000 }),
            step("and gives up", Do::Leave { who: "bad" }),
            step("a moment later", Do::Run { ms: 100 }),
            step(
                "the five had noticed nothing",
                Do::Check(Check::NoGap { last_ms: 10_000, audio_ms: 60, frame_ms: 80 }),
            ),
            step(
                "and missed nothing",
                Do::Check(Check::Arrives { last_ms: 10_000, audio_percent: 100.0, frames_percent: 100.0 }),
            ),
        ],
    };
    scenario.run();
}
