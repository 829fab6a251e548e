//! Many people, and people who come and go.

use std::time::Duration;
use tests::script::{Network, step};
use tests::world::PersonId;
use tests::{Check, Do, Scenario};

#[test]
fn twenty_people_hear_and_see_each_other() {
    let scenario = Scenario {
        name: "people::twenty_people_hear_and_see_each_other",
        seed: 4,
        steps: vec![
            step("a class comes in", Do::JoinAtOnce { count: 20, over: Network::Preset("S0") }),
            step("and talks", Do::Run { ms: 5000 }),
            step("all see all", Do::Check(Check::Met { audio_ms: 1000, frame_ms: 1500 })),
            step(
                "and nothing is missing",
                Do::Check(Check::Arrives { last_ms: 3000, audio_percent: 99.9, frames_percent: 99.9 }),
            ),
            step("everything is whole", Do::Check(Check::NothingWrong)),
        ],
    };
    scenario.run();
}

#[test]
fn those_who_stay_notice_no_churn() {
    let scenario = Scenario {
        name: "people::those_who_stay_notice_no_churn",
        seed: 5,
        steps: vec![
            step("one comes", Do::JoinAtOnce { count: 1, over: Network::Near }),
            step("and many come and go", Do::Churn { rounds: 60, every_ms: 400, most: 6 }),
            step("then it is quiet", Do::Run { ms: 3000 }),
            step("those who are there all meet", Do::Check(Check::Met { audio_ms: 300, frame_ms: 600 })),
            step(
                "nothing is missing",
                Do::Check(Check::Arrives { last_ms: 2500, audio_percent: 100.0, frames_percent: 100.0 }),
            ),
            step("no tile showed somebody else", Do::Check(Check::NothingWrong)),
            step("the server forgot those who left", Do::Check(Check::NothingLeftBehind)),
        ],
    };
    scenario.run();
}

#[test]
fn a_click_in_the_lobby_is_one_way_of_a_packet_from_being_heard() {
    let scenario = Scenario {
        name: "people::a_click_in_the_lobby_is_one_way_of_a_packet_from_being_heard",
        seed: 7,
        steps: vec![
            step("one talks", Do::Join { who: "ada", over: Network::Near }),
            step("for a while", Do::Run { ms: 1000 }),
            step("another looks at the lobby", Do::Look { who: "ben", over: Network::Preset("S0") }),
            step("and takes their time", Do::Run { ms: 40_000 }),
            step("nobody notices", Do::Check(Check::Unseen { who: "ben" })),
            step("they click", Do::Enter { who: "ben" }),
            step("and talk", Do::Run { ms: 2000 }),
            // A round trip, a packet of sound, and what the buffer waits for; a picture of one layer waits for its turn.
            step("at once", Do::Check(Check::Met { audio_ms: 160, frame_ms: 200 })),
            step("to whom they belong", Do::Check(Check::NothingWrong)),
        ],
    };
    scenario.run();
}

#[test]
fn a_click_in_the_lobby_is_heard_through_half_of_everything_being_lost() {
    let scenario = |seed| Scenario {
        name: "people::a_click_in_the_lobby_is_heard_through_half_of_everything_being_lost",
        seed,
        steps: vec![
            step("one talks", Do::Join { who: "ada", over: Network::Near }),
            step("for a while", Do::Run { ms: 1000 }),
            step("another looks at the lobby", Do::Look { who: "ben", over: Network::Preset("S3") }),
            step("for some seconds", Do::Run { ms: 5000 }),
            step("nobody notices", Do::Check(Check::Unseen { who: "ben" })),
            step("they click", Do::Enter { who: "ben" }),
            step("and talk", Do::Run { ms: 6000 }),
            step("soon", Do::Check(Check::Met { audio_ms: 720, frame_ms: 3000 })),
            step("to whom they belong", Do::Check(Check::NothingWrong)),
        ],
    };
    for seed in 1..=5 {
        scenario(seed).run();
    }
}

#[test]
fn a_click_behind_a_link_that_was_full_in_the_lobby_is_not_spent_on_probing_it() {
    let scenario = |seed| Scenario {
        name: "people::a_click_behind_a_link_that_was_full_in_the_lobby_is_not_spent_on_probing_it",
        seed,
        steps: vec![
            step("one talks", Do::Join { who: "ada", over: Network::Near }),
            step("for a while", Do::Run { ms: 1000 }),
            step("another looks at the lobby", Do::Look { who: "ben", over: Network::Preset("S9") }),
            step("for some seconds", Do::Run { ms: 5000 }),
            step("they click", Do::Enter { who: "ben" }),
            step("and talk", Do::Run { ms: 1000 }),
        ],
    };
    for seed in 1..=8 {
        let world = scenario(seed).run();
        let clicked = world.joined_at(PersonId(1)) + Duration::from_millis(50);
        let offered =
            world.leg(PersonId(1)).down_meter.offered_kbps(clicked, clicked + Duration::from_millis(150));
        // The first packets of sound and pictures are a little more than the rate; with a cluster they were 490 and more.
        assert!(offered < 420.0, "seed {seed}: {offered} kb/s for a link of 300");
    }
}

#[test]
fn somebody_whose_battery_ends_is_gone_after_the_consent_time() {
    let scenario = Scenario {
        name: "people::somebody_whose_battery_ends_is_gone_after_the_consent_time",
        seed: 6,
        steps: vec![
            step("three talk", Do::JoinAtOnce { count: 3, over: Network::Preset("S0") }),
            step("for a while", Do::Run { ms: 3000 }),
            step("one battery ends", Do::Vanish { who: "p1" }),
            step("25 s are not enough to be sure", Do::Run { ms: 25_000 }),
            step(
                "the others talk on",
                Do::Check(Check::NoGap { last_ms: 24_000, audio_ms: 40, frame_ms: 80 }),
            ),
            step("after 31 s nobody consents to be sent to", Do::Run { ms: 6500 }),
            step("the others know", Do::Check(Check::Gone { who: "p1" })),
            step("the server forgot", Do::Check(Check::NothingLeftBehind)),
        ],
    };
    scenario.run();
}

#[test]
fn two_rooms_know_nothing_of_each_other() {
    let scenario = Scenario {
        name: "people::two_rooms_know_nothing_of_each_other",
        seed: 18,
        steps: vec![
            step("two talk here", Do::JoinAtOnce { count: 2, over: Network::Near }),
            step("one elsewhere", Do::JoinRoom { who: "ada", room: "elsewhere", over: Network::Near }),
            step("and another", Do::JoinRoom { who: "bob", room: "elsewhere", over: Network::Near }),
            step("all talk", Do::Run { ms: 3000 }),
            step("each with those in their room", Do::Check(Check::Met { audio_ms: 300, frame_ms: 400 })),
            step("nobody with the others", Do::Check(Check::Strangers)),
            step("the server has two rooms", Do::Check(Check::NothingLeftBehind)),
            step("one room empties", Do::Leave { who: "ada" }),
            step("wholly", Do::Leave { who: "bob" }),
            step("a moment later", Do::Run { ms: 1000 }),
            step("it is gone", Do::Check(Check::NothingLeftBehind)),
            step("the other goes on", Do::Check(Check::NoGap { last_ms: 2000, audio_ms: 40, frame_ms: 80 })),
        ],
    };
    scenario.run();
}

#[test]
fn somebody_who_lost_the_page_comes_back_at_once_and_the_ghost_goes_later() {
    let scenario = Scenario {
        name: "people::somebody_who_lost_the_page_comes_back_at_once_and_the_ghost_goes_later",
        seed: 19,
        steps: vec![
            step("three talk", Do::JoinAtOnce { count: 3, over: Network::Near }),
            step("for a while", Do::Run { ms: 2000 }),
            step("one computer crashes", Do::Vanish { who: "p1" }),
            step("and starts again", Do::Run { ms: 3000 }),
            step("its owner joins again", Do::Join { who: "again", over: Network::Near }),
            step("they talk", Do::Run { ms: 2000 }),
            step("as before", Do::Check(Check::Met { audio_ms: 300, frame_ms: 400 })),
            step("the consent time passes", Do::Run { ms: 30_000 }),
            step("the ghost is gone", Do::Check(Check::Gone { who: "p1" })),
            step(
                "nobody noticed more than that",
                Do::Check(Check::NoGap { last_ms: 30_000, audio_ms: 40, frame_ms: 80 }),
            ),
            step("the server forgot it", Do::Check(Check::NothingLeftBehind)),
            step("no tile showed somebody else", Do::Check(Check::NothingWrong)),
        ],
    };
    scenario.run();
}
