//! A seed is a call: the same one, event for event.

use tests::script::{Network, step};
use tests::{Do, Scenario, World};

fn call(seed: u64) -> World {
    let scenario = Scenario {
        name: "determinism::the_same_seed_gives_the_same_call_byte_for_byte",
        seed,
        steps: vec![
            step("one at a bad place", Do::Join { who: "ada", over: Network::Preset("S2") }),
            step("one on a narrow line", Do::Join { who: "bob", over: Network::Preset("S9") }),
            step("they talk", Do::Run { ms: 4000 }),
            step("others come and go", Do::Churn { rounds: 10, every_ms: 300, most: 4 }),
            step("noise", Do::Attack { datagrams: 200 }),
            step("they talk", Do::Run { ms: 2000 }),
        ],
    };
    scenario.run()
}

#[test]
fn the_same_seed_gives_the_same_call_byte_for_byte() {
    let (once, again) = (call(12), call(12));
    assert!(once.log().lines().count() > 500, "a call has more to tell:\n{}", once.log());
    let different = once.log().lines().zip(again.log().lines()).find(|(a, b)| a != b);
    assert_eq!(different, None);
    assert_eq!(once.log(), again.log());
    assert_ne!(once.log(), call(13).log());
}
