//! S13: one of many behind a bad network must be nobody else's business.

use crate::network::Network;
use crate::outcome::{Client, Extra, hundredth};
use anyhow::{Context as _, Result};
use tests::adapt::{ROWS, Traces};

/// The row of the adapting forwarder that says so, under the lab's names.
const ROW: &str = "isolation";

pub fn isolation(network: &Network, seed: u64) -> Result<Vec<Extra>> {
    let row = ROWS.iter().find(|row| row.name == ROW).context("the row of isolation is gone")?;
    let outcome = row.run_all(&[seed], &Traces::default(), |_, _| {});
    let extra = |figure: &tests::adapt::Figure| Extra {
        scenario: network.id.clone(),
        client: Client::Native,
        seed,
        name: format!("class_{}", figure.name),
        value: hundredth(figure.value),
        how: row.about.to_owned(),
    };
    Ok(outcome.figures.iter().filter(|figure| figure.value.is_finite()).map(extra).collect())
}
