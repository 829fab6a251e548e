//! The table of a forwarder that adapts (`tests::adapt`), a test for each row. The bench `adapt` prints it with more seeds.

use tests::adapt::{self, Traces};

/// `SAMPAN_SEED=7` runs one row with this seed only.
fn holds(name: &str) {
    let row = adapt::by_name(name).unwrap_or_else(|| panic!("no row `{name}`"));
    let traces = if row.needs_traces {
        Traces::read(&Traces::folder()).unwrap_or_else(|why| panic!("{name} cannot run: {why}"))
    } else {
        Traces::default()
    };
    let given = std::env::var("SAMPAN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: &[u64] = if row.long { &[1] } else { &[1, 2, 3] };
    let seeds = given.as_ref().map_or(seeds, std::slice::from_ref);
    println!("{name}: {}", row.about);
    let mut missed = Vec::new();
    row.run_all(seeds, &traces, |seed, outcome| {
        println!("  seed {seed}");
        outcome.figures.iter().for_each(|figure| println!("    {figure}"));
        if !outcome.is_met() {
            missed.push(seed);
        }
    });
    assert!(
        missed.is_empty(),
        "{name}: seeds {missed:?} miss their limits, see above\nreplay: SAMPAN_SEED={} cargo test -p tests --test scenarios adapt::{name}\n",
        missed[0]
    );
}

/// Rows that some seed still misses: no test holds them, the bench `adapt` says by how much.
const NOT_HELD_YET: &[&str] =
    &["capacity_steps", "two_flows", "capacity_traces", "loss_traces", "arrival_traces", "isolation"];

macro_rules! rows {
    ($($name:ident)*) => {
        $(#[test] fn $name() { holds(stringify!($name)); })*

        #[test]
        fn every_row_is_a_test_or_known_to_miss() {
            let mut named: Vec<&str> = [$(stringify!($name)),*].iter().chain(NOT_HELD_YET).copied().collect();
            let mut rows: Vec<&str> = adapt::ROWS.iter().map(|row| row.name).collect();
            (named.sort(), rows.sort());
            assert_eq!(rows, named);
        }
    };
}

rows! {
    start_1mbps steady_line jitter_50ms loss_2 loss_10 loss_30 loss_50 outage_500ms outage_2s outage_5s uplink_loss_30 uplink_300kbps
    uplink_fades uplink_policer_500kbps layers_on_demand
    hostile_feedback hostile_requests wrap_around against_tcp
}
