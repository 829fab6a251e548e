//! Phones whose network is cut again and again: what was said is read once by everybody, and coming back is quick.

use tests::phones::{Setup, run};

#[test]
fn nothing_that_was_said_is_lost_doubled_or_reordered_by_cuts() {
    for seed in 1..=3 {
        let setup = Setup { phones: 20, phones_per_room: 5, cuts_per_phone: 30, seed, ..Setup::default() };
        let mut outcome = run(&setup, tests::phones::native_join());
        assert_eq!((outcome.lost, outcome.doubled, outcome.reordered), (0, 0, 0), "seed {seed}: {outcome:?}");
        assert_eq!(outcome.cuts, 600);
        assert!(outcome.said > 1_000 && outcome.resumed > 200 && outcome.joined_anew > 20, "{outcome:?}");
        outcome.resume_ms.sort_by(f64::total_cmp);
        let p99 = outcome.resume_ms[outcome.resume_ms.len() * 99 / 100];
        assert!(p99 <= 1_000.0, "seed {seed}: resumed within {p99} ms");
    }
}
