//! Random life of a video buffer against its model: whatever comes, what goes out is an ordered part of what came in, nothing
//! goes out twice, memory is bounded, and nobody is woken for nothing.

mod video_answers;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_script_holds(script in proptest::collection::vec(any::<u8>(), 0..2000)) {
        video_answers::video(&script);
    }

    /// Mostly proper streams, so that pictures do come out: packets that begin and end frames, some lost, some elsewhere.
    #[test]
    fn a_stream_with_faults_holds(steps in proptest::collection::vec(step(), 1..600)) {
        let mut script = vec![0xff, 0xf0];
        steps.into_iter().for_each(|step| script.extend(step));
        video_answers::video(&script);
    }
}

fn step() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        // A whole frame in one packet, a frame in two, a key frame.
        20 => (0u8..8).prop_map(|late| vec![3, 0b011 | late << 5]),
        10 => (0u8..8).prop_map(|late| vec![3, 0b001, 3, 0b010 | late << 5]),
        3 => Just(vec![3, 0b0111]),
        // Lost, elsewhere, moments, restarts.
        3 => Just(vec![3, 0b1011]),
        3 => any::<[u8; 5]>().prop_map(|at| vec![8, at[0], at[1], at[2], at[3], at[4]]),
        3 => any::<u8>().prop_map(|ms| vec![0, ms]),
        1 => any::<[u8; 3]>().prop_map(|what| vec![10, what[0], what[1], what[2]]),
        1 => any::<[u8; 5]>().prop_map(|what| vec![13, what[0], what[1], what[2], what[3], what[4]]),
    ]
}
