//! What a link promises, by tables and by random use.

#![expect(clippy::disallowed_methods, reason = "a test has to begin at some instant")]

use netem::{
    Bitrate, Capacity, Fate, GilbertElliott, Jitter, Link, LinkConfig, Loss, Outage, Output, PRESETS,
    QueueLimit, Reorder, Stats,
};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Number and time of arrival of packets sent at these times, all of `bytes`.
struct Run {
    arrivals: Vec<(usize, Duration)>,
    fates: Vec<Fate>,
    stats: Stats,
}

fn run(config: &LinkConfig, seed: u64, bytes: usize, sent: &[Duration]) -> Run {
    let start = Instant::now();
    let mut link = Link::new(config.clone(), seed, start);
    let mut arrivals = Vec::new();
    let mut fates = Vec::new();
    let mut drain = |link: &mut Link<usize>, until: Option<Duration>| {
        while let Some(next) =
            link.poll_timeout().filter(|next| until.is_none_or(|until| *next <= start + until))
        {
            while let Output::Deliver(number) = link.poll_output(next) {
                arrivals.push((number, next - start));
            }
        }
    };
    for (number, at) in sent.iter().enumerate() {
        drain(&mut link, Some(*at));
        fates.push(link.handle_datagram(start + *at, bytes, number));
    }
    drain(&mut link, None);
    Run { arrivals, fates, stats: link.stats() }
}

fn every_20_ms(packets: u64) -> Vec<Duration> {
    (0..packets).map(|number| ms(number * 20)).collect()
}

#[test]
fn packets_arrive_when_the_table_says() {
    let without_headers = LinkConfig { overhead_bytes: 0, ..LinkConfig::default() };
    let narrow = Capacity::Constant(Bitrate::kbps(400)); // 1000 bytes in 20 ms
    let table = [
        ("a perfect link", LinkConfig::default(), vec![0, 10], vec![(0, 0), (1, 10)]),
        (
            "delay",
            LinkConfig { delay: ms(50), ..without_headers.clone() },
            vec![0, 10],
            vec![(0, 50), (1, 60)],
        ),
        (
            "a queue builds up",
            LinkConfig { capacity: narrow.clone(), ..without_headers.clone() },
            vec![0, 0, 0, 100],
            vec![(0, 20), (1, 40), (2, 60), (3, 120)],
        ),
        (
            "headers use capacity too",
            LinkConfig { capacity: narrow.clone(), overhead_bytes: 500, ..without_headers.clone() },
            vec![0, 0],
            vec![(0, 30), (1, 60)],
        ),
        (
            "the tail of a full queue is dropped, by bytes",
            LinkConfig {
                capacity: narrow.clone(),
                queue: QueueLimit { bytes: Some(2000), wait: None },
                ..without_headers.clone()
            },
            vec![0, 0, 0, 20, 100],
            vec![(0, 20), (1, 40), (3, 60), (4, 120)],
        ),
        (
            "the tail of a full queue is dropped, by time",
            LinkConfig {
                capacity: narrow,
                queue: QueueLimit { bytes: None, wait: Some(ms(30)) },
                ..without_headers.clone()
            },
            vec![0, 0, 0, 15],
            vec![(0, 20), (1, 40), (3, 60)],
        ),
        (
            "an outage takes what is sent in it and not what is on its way",
            LinkConfig {
                delay: ms(50),
                outages: vec![Outage { begins: ms(10), lasts: ms(20) }],
                ..without_headers
            },
            vec![9, 10, 29, 30],
            vec![(0, 59), (3, 80)],
        ),
    ];
    for (name, config, sent, wanted) in table {
        let sent: Vec<Duration> = sent.into_iter().map(ms).collect();
        let arrivals: Vec<(usize, u64)> =
            run(&config, 1, 1000, &sent).arrivals.iter().map(|(n, at)| (*n, at.as_millis() as u64)).collect();
        assert_eq!(arrivals, wanted, "{name}");
    }
}

#[test]
fn same_seed_same_network_and_another_seed_another() {
    for preset in PRESETS {
        let sent = every_20_ms(2500);
        let once = run(&preset.link(3), 3, 900, &sent);
        let again = run(&preset.link(3), 3, 900, &sent);
        assert_eq!(once.arrivals, again.arrivals, "{}", preset.id);
        let other = run(&preset.link(4), 4, 900, &sent);
        let random = !matches!(preset.id, "S0" | "S12");
        assert_eq!(once.arrivals != other.arrivals, random, "{}", preset.id);
    }
}

#[test]
fn one_impairment_does_not_move_the_losses_of_another() {
    let losses = |config: &LinkConfig| {
        let run = run(config, 9, 100, &every_20_ms(500));
        run.fates.iter().map(|fate| *fate == Fate::Lost).collect::<Vec<_>>()
    };
    let plain = LinkConfig { loss: Loss::Random(0.2), ..LinkConfig::default() };
    let more = LinkConfig {
        jitter: Jitter::Uniform(ms(30)),
        duplicate: 0.3,
        reorder: Some(Reorder { share: 0.1, held_back: ms(50) }),
        capacity: Capacity::Constant(Bitrate::kbps(500)),
        ..plain.clone()
    };
    assert_eq!(losses(&plain), losses(&more));
}

#[test]
fn held_back_packets_are_overtaken_as_often_as_asked() {
    let config = LinkConfig {
        delay: ms(30),
        keeps_order: true,
        reorder: Some(Reorder { share: 0.1, held_back: ms(30) }),
        ..LinkConfig::default()
    };
    let sent = every_20_ms(5000);
    let run = run(&config, 1, 100, &sent);
    let late = run.arrivals.iter().filter(|(number, at)| *at - sent[*number] == ms(60)).count();
    assert!((450..550).contains(&late), "{late} of 5000 held back");
    assert!(run.arrivals.iter().all(|(number, at)| [ms(30), ms(60)].contains(&(*at - sent[*number]))));
    assert!(!run.arrivals.is_sorted_by_key(|(number, _)| *number));
}

#[test]
fn jitter_has_the_mean_asked_for() {
    for (jitter, mean_ms) in [(Jitter::Uniform(ms(80)), 40.0), (Jitter::Exponential(ms(40)), 40.0)] {
        let sent = every_20_ms(20_000);
        let config = LinkConfig { jitter, ..LinkConfig::default() };
        let run = run(&config, 1, 100, &sent);
        let total: Duration = run.arrivals.iter().map(|(number, at)| *at - sent[*number]).sum();
        let mean = total.as_secs_f64() * 1000.0 / sent.len() as f64;
        assert!((mean / mean_ms - 1.0).abs() < 0.03, "{jitter:?}: {mean} ms");
    }
}

#[test]
fn traces_are_followed_from_their_first_line_unless_the_seed_shifts_them() {
    let trace = Arc::new(netem::trace::PacketTrace::from_csv("0,0\n30,0\n,1\n").expect("valid"));
    let config = LinkConfig { trace: Some(trace), ..LinkConfig::default() };
    let first = run(&config, 1, 100, &every_20_ms(6));
    let arrivals: Vec<(usize, u64)> =
        first.arrivals.iter().map(|(n, at)| (*n, at.as_millis() as u64)).collect();
    assert_eq!(arrivals, [(0, 0), (1, 50), (3, 60), (4, 110)]);
    let shifted = LinkConfig { shifted_by_seed: true, ..config };
    let starts: std::collections::BTreeSet<Vec<usize>> = (0..20)
        .map(|seed| run(&shifted, seed, 100, &every_20_ms(3)).arrivals.iter().map(|(n, _)| *n).collect())
        .collect();
    assert_eq!(starts.len(), 3, "three lines, three places to begin: {starts:?}");
}

#[test]
fn a_changed_network_leaves_what_is_on_its_way_alone() {
    let start = Instant::now();
    let mut link = Link::new(LinkConfig { delay: ms(100), ..LinkConfig::default() }, 1, start);
    link.handle_datagram(start, 100, 'a');
    link.set_config(LinkConfig { delay: ms(10), ..LinkConfig::default() });
    link.handle_datagram(start + ms(1), 100, 'b');
    assert_eq!(link.poll_output(start + ms(11)), Output::Deliver('b'));
    assert_eq!(link.poll_output(start + ms(11)), Output::Timeout(Some(start + ms(100))));
    assert_eq!(link.poll_output(start + ms(100)), Output::Deliver('a'));
    assert_eq!(link.poll_output(start + ms(100)), Output::Timeout(None));
}

fn any_link() -> impl Strategy<Value = LinkConfig> {
    let capacity = prop_oneof![Just(None), (50u64..5000).prop_map(Some)];
    let loss = prop_oneof![
        Just(Loss::None),
        (0.0..1.0f64).prop_map(Loss::Random),
        (0.0..0.8f64, 1.0..10.0f64)
            .prop_map(|(share, packets)| Loss::Bursts(GilbertElliott::bursts(share, packets))),
    ];
    let jitter = prop_oneof![
        Just(Jitter::None),
        (0..100u64).prop_map(|most| Jitter::Uniform(ms(most))),
        (0..50u64).prop_map(|mean| Jitter::Exponential(ms(mean))),
    ];
    let limits = (proptest::option::of(2000usize..100_000), proptest::option::of(0..500u64));
    let order = (0.0..1.0f64, 0..200u64, any::<bool>(), proptest::option::of((0.0..0.5f64, 1..100u64)));
    (capacity, loss, jitter, limits, order).prop_map(
        |(kbps, loss, jitter, (bytes, wait), (duplicate, delay, keeps_order, reorder))| LinkConfig {
            capacity: kbps.map_or(Capacity::Unlimited, |kbps| Capacity::Constant(Bitrate::kbps(kbps))),
            queue: QueueLimit { bytes, wait: wait.map(ms) },
            loss,
            jitter,
            duplicate: duplicate * 0.5,
            delay: ms(delay),
            keeps_order,
            reorder: reorder.map(|(share, held)| Reorder { share, held_back: ms(held) }),
            ..LinkConfig::default()
        },
    )
}

proptest! {
    #[test]
    fn nothing_is_invented_nothing_unaccounted_and_nothing_early(
        config in any_link(), seed: u64, gaps in prop::collection::vec(0..40u64, 1..300),
    ) {
        let sent: Vec<Duration> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(ms(*at)) }).collect();
        let run = run(&config, seed, 900, &sent);
        let stats = run.stats;
        prop_assert_eq!(stats.offered, sent.len() as u64);
        prop_assert_eq!(stats.delivered, run.arrivals.len() as u64);
        prop_assert_eq!(stats.offered, stats.delivered - stats.duplicated + stats.lost + stats.dropped);
        prop_assert_eq!(stats.delivered_bytes, stats.delivered * 900);
        for (number, fate) in run.fates.iter().enumerate() {
            let copies = run.arrivals.iter().filter(|(arrived, _)| *arrived == number).count();
            let wanted = match fate { Fate::Delivered => 1, Fate::DeliveredTwice => 2, _ => 0 };
            prop_assert_eq!(copies, wanted);
        }
        for (number, at) in &run.arrivals {
            prop_assert!(*at >= sent[*number] + config.delay);
        }
        prop_assert!(run.arrivals.is_sorted_by_key(|(_, at)| *at));
        if let Some(most) = config.queue.wait {
            let one_packet = ms(928 * 8 / 50 + 1);
            prop_assert!(stats.queue_max <= most + one_packet);
        }
    }

    #[test]
    fn order_is_kept_without_jitter_or_when_asked_for(mut config in any_link(), seed: u64, jitter: bool) {
        config.reorder = None;
        config.duplicate = 0.0;
        if jitter { config.keeps_order = true } else { config.jitter = Jitter::None }
        let run = run(&config, seed, 500, &every_20_ms(300));
        prop_assert!(run.arrivals.is_sorted_by_key(|(number, _)| *number));
    }

    #[test]
    fn capacity_is_never_exceeded(kbps in 50u64..5000, bytes in 1usize..1500, window in 1usize..50, seed: u64) {
        let config = LinkConfig { capacity: Capacity::Constant(Bitrate::kbps(kbps)), ..LinkConfig::default() };
        let run = run(&config, seed, bytes, &vec![Duration::ZERO; 200]);
        let bits = (window * (bytes + 28) * 8) as f64;
        for pair in run.arrivals.windows(window + 1) {
            let took = pair[window].1 - pair[0].1;
            prop_assert!(bits <= took.as_secs_f64() * kbps as f64 * 1000.0 * 1.000_001 + 1.0);
        }
    }
}
