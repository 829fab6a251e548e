//! Rows of the table of a forwarder that adapts, seed by seed, for people who work on it:
//! `cargo run -p tests --bin adapt-rows -- steps 1..11`. With `SAMPAN_EXPLAIN=1` also what the server measured and decided,
//! every 100 ms.

use tests::adapt::{ROWS, Traces};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let wanted = arguments.next().unwrap_or_default();
    let seeds = arguments.next().unwrap_or_else(|| "1..4".to_owned());
    let Some(seeds) = parse(&seeds) else {
        eprintln!("usage: adapt-rows [PART_OF_A_NAME [SEED | FROM..TO]]");
        std::process::exit(2);
    };
    let traces = Traces::read(&Traces::folder()).unwrap_or_else(|why| {
        eprintln!("{why}");
        Traces::default()
    });
    for row in ROWS.iter().filter(|row| row.name.contains(&wanted)) {
        println!("{}: {}", row.name, row.about);
        let mut held = 0;
        let worst = row.run_all(&seeds, &traces, |seed, outcome| {
            let figures: Vec<String> = outcome.figures.iter().map(ToString::to_string).collect();
            println!("  seed {seed}: {}", figures.join("; "));
            held += usize::from(outcome.is_met());
        });
        let figures: Vec<String> = worst.figures.iter().map(ToString::to_string).collect();
        println!("{}: {held} of {} seeds hold; worst: {}", row.name, seeds.len(), figures.join("; "));
    }
}

fn parse(seeds: &str) -> Option<Vec<u64>> {
    match seeds.split_once("..") {
        Some((from, to)) => Some((from.parse().ok()?..to.parse().ok()?).collect()),
        None => Some(vec![seeds.parse().ok()?]),
    }
}
