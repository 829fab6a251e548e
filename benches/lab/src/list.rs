//! `lab list`.

use crate::network::Network;
use serde_json::json;

/// Numbers are those of seed 1 where a model makes them up.
const SEED: u64 = 1;

pub fn table() -> String {
    let mut text = String::new();
    for network in Network::built_in() {
        let (up, down) = network.links(SEED);
        let (up, down) = (Network::numbers(&up), Network::numbers(&down));
        text += &format!(
            "{:<15} {} (round trip {} ms)\n",
            network.id,
            network.about,
            network.round_trip.as_millis()
        );
        if up == down {
            text += &format!("{:<15}   each way  {up}\n", "");
        } else {
            text += &format!("{:<15}   up    {up}\n{:<15}   down  {down}\n", "", "");
        }
    }
    text + "\nWhat changes over time is made up anew for each seed; the numbers are those of seed 1.\n"
}

pub fn json() -> String {
    let network = |network: Network| {
        let (up, down) = network.links(SEED);
        json!({
            "id": network.id,
            "about": network.about,
            "round_trip_ms": network.round_trip.as_millis() as u64,
            "up": Network::numbers(&up),
            "down": Network::numbers(&down),
        })
    };
    let all: Vec<_> = Network::built_in().into_iter().map(network).collect();
    serde_json::Value::from(all).to_string()
}
