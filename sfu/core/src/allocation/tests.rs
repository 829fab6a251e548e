//! What subscribers get, in tables and over time.

use super::*;
use crate::tests::start;
use std::time::Duration;

const KBPS: [u64; 3] = [120, 400, 1300];
const SIZES: [(u16, u16); 3] = [(240, 135), (480, 270), (960, 540)];

fn camera() -> Vec<Offer> {
    (0..3)
        .map(|i| Offer {
            layer: LayerId { stream: i as u8, spatial: 0, temporal: 0 },
            rate: Bitrate::kbps(KBPS[i]),
            width: SIZES[i].0,
            height: SIZES[i].1,
        })
        .collect()
}

fn video(number: usize) -> Slot {
    Slot {
        mid: Mid::new(&format!("v{number}")).unwrap(),
        kind: MediaKind::Video,
        offers: camera(),
        preference: Preference::default(),
        speaking: None,
        audible: true,
        distrusted: false,
        memory: Memory::default(),
    }
}

fn audio() -> Slot {
    let offer = Offer { rate: Bitrate::kbps(40), ..Offer::default() };
    Slot { mid: Mid::new("a").unwrap(), kind: MediaKind::Audio, offers: vec![offer], ..video(0) }
}

fn inputs(kbps: u64, slots: Vec<Slot>) -> Inputs {
    Inputs { estimate: Some(Bitrate::kbps(kbps)), blind_rate: None, last_n: None, slots }
}

/// Decides and remembers.
fn step(now: Instant, inputs: &mut Inputs) -> Allocation {
    let outcome = allocate(now, inputs);
    for (slot, verdict) in inputs.slots.iter_mut().zip(&outcome.slots) {
        slot.memory = verdict.memory;
    }
    outcome
}

/// A digit per slot: the stream, or `p` for bandwidth, `h` hidden, `n` beyond last-N, `q` not loud, `-` nothing.
fn shown(outcome: &Allocation) -> String {
    let letter = |v: &Verdict| match v.choice {
        Choice::Send(layer) => char::from(b'0' + layer.stream),
        Choice::Paused(PauseReason::Bandwidth) => 'p',
        Choice::Paused(PauseReason::Hidden) => 'h',
        Choice::Paused(PauseReason::LastN) => 'n',
        Choice::Paused(PauseReason::Quiet) => 'q',
        Choice::Nothing => '-',
    };
    outcome.slots.iter().map(letter).collect()
}

fn tile(mut slot: Slot, width: u16, height: u16) -> Slot {
    (slot.preference.width, slot.preference.height) = (width, height);
    slot
}

fn pinned(mut slot: Slot) -> Slot {
    slot.preference.pinned = true;
    slot
}

fn speaker(mut slot: Slot) -> Slot {
    slot.speaking = Some(0);
    slot
}

fn hidden(mut slot: Slot) -> Slot {
    slot.preference.visible = false;
    slot
}

#[test]
fn shares_of_a_link() {
    for (name, kbps, slots, expected) in [
        ("one, room for all", 2000, vec![audio(), video(0)], "02"),
        ("one, room for the middle", 700, vec![audio(), video(0)], "01"),
        ("room for the base", 300, vec![audio(), video(0)], "00"),
        ("audio comes first", 150, vec![audio(), video(0)], "0p"),
        ("audio even beyond the estimate", 20, vec![audio(), video(0)], "0p"),
        ("two share alike", 1300, vec![video(0), video(1)], "11"),
        ("pinned has more of it", 1800, vec![video(0), pinned(video(1))], "02"),
        ("the speaker has more of it", 1800, vec![video(0), speaker(video(1)), video(2)], "020"),
        (
            "a large tile has more of it",
            1800,
            vec![tile(video(0), 240, 135), tile(video(1), 1280, 720)],
            "02",
        ),
        ("a small tile needs no more", 9000, vec![tile(video(0), 200, 120), tile(video(1), 470, 270)], "01"),
        ("a tile a little larger than a layer", 9000, vec![tile(video(0), 270, 150)], "0"),
        ("a tile much larger than a layer", 9000, vec![tile(video(0), 320, 180)], "1"),
        ("a narrow tile that a picture fills", 9000, vec![tile(video(0), 270, 600)], "0"),
        ("hidden", 9000, vec![hidden(video(0)), video(1)], "h2"),
        ("who is pinned is paused last", 150, vec![video(0), video(1), pinned(video(2))], "pp0"),
        ("everybody before anybody's better layer", 480, vec![video(0), video(1), pinned(video(2))], "000"),
    ] {
        let outcome = allocate(start(), &inputs(kbps, slots));
        assert_eq!(shown(&outcome), expected, "{name}: {outcome:?}");
    }
}

#[test]
fn without_feedback_everybody_gets_the_base_layer_within_300_kbps() {
    let slots: Vec<Slot> = (0..4).map(video).collect();
    let mut blind = inputs(0, slots);
    blind.estimate = None;
    assert_eq!(shown(&allocate(start(), &blind)), "00pp");
    blind.slots.truncate(1);
    assert_eq!(shown(&allocate(start(), &blind)), "0");
    blind.blind_rate = Some(Bitrate::kbps(5000));
    assert_eq!(shown(&allocate(start(), &blind)), "2");
}

#[test]
fn the_last_n_are_the_pinned_the_loudest_and_then_the_large() {
    let mut room =
        inputs(9000, vec![video(0), speaker(video(1)), pinned(video(2)), tile(video(3), 960, 540)]);
    for (n, expected) in [(4, "2222"), (3, "n222"), (2, "n22n"), (1, "nn2n"), (0, "nnnn")] {
        room.last_n = Some(n);
        assert_eq!(shown(&allocate(start(), &room)), expected);
    }
}

#[test]
fn who_is_not_loud_enough_is_not_sent_and_takes_no_rate() {
    let mut quiet = audio();
    quiet.audible = false;
    let outcome = allocate(start(), &inputs(9000, vec![audio(), quiet]));
    assert_eq!(shown(&outcome), "0q");
    assert_eq!(outcome.wanted, Bitrate::kbps(50));
}

#[test]
fn what_is_wanted_and_what_the_next_step_takes() {
    let outcome = allocate(start(), &inputs(700, vec![audio(), video(0), hidden(video(1))]));
    assert_eq!(outcome.wanted, Bitrate::kbps(50 + 1300 * 115 / 100));
    assert_eq!(outcome.next_step, Some(Bitrate::kbps(50 + 1300 * 115 / 100)));
    assert_eq!(outcome.slots[1].soon, None, "twice the link is out of reach");
    let outcome = allocate(start(), &inputs(1200, vec![video(0)]));
    assert_eq!(outcome.slots[0].soon.map(|l| l.stream), Some(2), "its publisher begins ahead of need");
    let outcome = allocate(start(), &inputs(9000, vec![video(0)]));
    assert_eq!((outcome.next_step, outcome.slots[0].soon), (None, None));
}

/// Runs `seconds` at the estimate that `kbps` gives for each tenth of a second; when the first video changed.
fn switches(room: &mut Inputs, seconds: u64, mut kbps: impl FnMut(u64) -> u64) -> Vec<(u64, String)> {
    let mut found: Vec<(u64, String)> = Vec::new();
    for tenth in 0..seconds * 10 {
        room.estimate = Some(Bitrate::kbps(kbps(tenth)));
        let outcome = step(start() + Duration::from_millis(100 * tenth), room);
        let now = shown(&outcome);
        if found.last().is_none_or(|(_, last)| *last != now) {
            found.push((tenth, now));
        }
    }
    found
}

#[test]
fn on_a_link_that_stands_still_so_does_the_picture() {
    // The estimate of one and the same link swings by a tenth around every rate that could be a border.
    for link_kbps in (100..2000).step_by(20) {
        let mut room = inputs(0, vec![audio(), video(0), video(1)]);
        let wave = |tenth: u64| link_kbps + link_kbps / 10 * (tenth * 7 % 11) / 10 - link_kbps / 20;
        let found = switches(&mut room, 120, wave);
        let settled = found.iter().filter(|(at, _)| *at >= 100).count();
        assert!(settled <= 11, "{link_kbps}: {found:?}");
        for window in 0..110u64 {
            let within =
                found.iter().filter(|(at, _)| (window * 10..window * 10 + 100).contains(at) && *at >= 300);
            assert!(within.count() <= 1, "{link_kbps} at {window} s: {found:?}");
        }
    }
}

#[test]
fn down_is_at_once_and_up_again_after_a_rest() {
    let mut room = inputs(0, vec![audio(), video(0)]);
    let found = switches(&mut room, 60, |tenth| if (200..300).contains(&tenth) { 500 } else { 2500 });
    let expected = [(0, "02"), (200, "01"), (300, "02")];
    let expected: Vec<_> = expected.iter().map(|(at, now)| (*at, now.to_string())).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_step_up_that_did_not_last_waits_longer_each_time() {
    let mut room = inputs(0, vec![video(0)]);
    let mut up = 0;
    // The link looks wide until the high layer is sent on it.
    for tenth in 0..3000u64 {
        let now = start() + Duration::from_millis(100 * tenth);
        let sends_high = room.slots[0].memory.choice.layer().is_some_and(|l| l.stream == 2);
        room.estimate = Some(Bitrate::kbps(if sends_high { 600 } else { 2000 }));
        let before = sends_high;
        step(now, &mut room);
        up += u64::from(!before && room.slots[0].memory.choice.layer().is_some_and(|l| l.stream == 2));
    }
    assert!((4..=8).contains(&up), "{up} tries in five minutes");
}

#[test]
fn what_failed_is_held_and_what_is_smaller_is_not() {
    let mut room = inputs(0, vec![audio(), video(0)]);
    // Up for two seconds on a link that then carries nothing, and then a fifth of what it did.
    let link = |tenth| match tenth {
        0..20 => 2500,
        20..25 => 50,
        _ => 470,
    };
    let found = switches(&mut room, 60, link);
    let expected = [(0, "02"), (20, "0p"), (30, "00")].map(|(at, now)| (at, now.to_string()));
    assert_eq!(
        found, expected,
        "470 less 50 for sound carries the middle layer's 400 without its margin only"
    );
    let found = switches(&mut room, 60, |tenth| if tenth < 300 { 600 } else { 2500 });
    assert_eq!(found.last().unwrap().1, "02", "{found:?}");
}

#[test]
fn what_failed_for_a_moment_is_tried_again_with_twice_what_it_took() {
    for (kbps, shown) in [(900, "1"), (700, "0")] {
        let mut room = inputs(0, vec![tile(video(0), 480, 270)]);
        // Somebody else's burst lets the estimate fall two seconds after the step up; it was tried with far more than it takes.
        let link = |tenth| match tenth {
            0..10 => 200,
            10..30 => 3000,
            30..33 => 200,
            _ => kbps,
        };
        let found = switches(&mut room, 15, link);
        assert_eq!(found[..3], [(0, "0"), (10, "1"), (30, "0")].map(|(at, now)| (at, now.to_string())));
        assert_eq!(found.last().unwrap().1, shown, "{kbps}: {found:?}");
    }
}

#[test]
fn a_paused_tile_comes_back_when_there_is_room_and_the_log_says_why() {
    let mut room = inputs(0, vec![audio(), tile(video(0), 960, 540)]);
    let mut log = DecisionLog::default();
    let mut now = start();
    for kbps in [2000, 100, 100, 2000] {
        room.estimate = Some(Bitrate::kbps(kbps));
        step(now, &mut room).decisions.into_iter().for_each(|decision| log.push(decision));
        now += Duration::from_secs(30);
    }
    let lines: Vec<String> =
        log.iter().filter(|d| d.slot == room.slots[1].mid).map(|d| d.to_string()).collect();
    assert_eq!(
        lines,
        [
            "nothing to layer 2.0.0: it began; 1300 kb/s of 1950 kb/s for video",
            "layer 2.0.0 to paused (bandwidth): the link carries 100 kb/s and audio comes first; the smallest layer takes 120 kb/s of 50",
            "paused (bandwidth) to layer 2.0.0: the link carries 2000 kb/s now; this takes 1300 kb/s",
        ]
    );
}

#[test]
fn the_log_forgets_the_oldest() {
    let mut log = DecisionLog::default();
    let mut room = inputs(2000, vec![video(0)]);
    for i in 0..200u16 {
        room.slots[0].preference.visible = i % 2 == 0;
        step(start() + Duration::from_secs(i.into()), &mut room)
            .decisions
            .into_iter()
            .for_each(|d| log.push(d));
    }
    assert_eq!(log.iter().count(), 64);
    assert_eq!(log.iter().next_back().unwrap().at, start() + Duration::from_secs(199));
}

#[test]
fn what_changes_for_a_tile_has_its_reason() {
    let mut room = inputs(1500, vec![video(0), video(1)]);
    let mut why = |change: &dyn Fn(&mut Inputs)| {
        change(&mut room);
        let decisions = step(start(), &mut room).decisions;
        decisions.iter().filter(|d| d.slot == room.slots[0].mid).map(|d| d.why).collect::<Vec<_>>()
    };
    assert_eq!(why(&|_| {}), [Why::Began]);
    assert_eq!(why(&|_| {}), []);
    assert_eq!(why(&|room| room.estimate = Some(Bitrate::kbps(9000))), [Why::Room]);
    assert_eq!(why(&|room| room.slots[0] = tile(room.slots[0].clone(), 480, 270)), [Why::TileSize]);
    assert_eq!(why(&|room| room.slots[0] = tile(room.slots[0].clone(), 960, 540)), [Why::Asked]);
    assert_eq!(why(&|room| room.slots[0].offers.truncate(2)), [Why::LayerGone]);
    assert_eq!(why(&|room| room.slots[0].preference.visible = false), [Why::TileSize]);
    assert_eq!(why(&|room| room.slots[0].preference.visible = true), [Why::Asked]);
    let contradictory = |room: &mut Inputs| {
        room.slots[0].distrusted = true;
        room.slots[0].offers.truncate(1);
    };
    assert_eq!(why(&contradictory), [Why::Contradiction]);
    assert_eq!(why(&|room| room.slots[0].offers.clear()), [Why::LayerGone]);
}

#[test]
fn the_same_inputs_give_the_same_outcome_and_the_order_of_equals_is_theirs() {
    let slots: Vec<Slot> = (0..20).map(video).collect();
    let room = inputs(4000, slots);
    let first = allocate(start(), &room);
    assert_eq!(first, allocate(start(), &room));
    let shown = shown(&first);
    let (more, less) = shown.split_at(shown.rfind('1').unwrap() + 1);
    assert!(more.bytes().all(|b| b == b'1') && less.bytes().all(|b| b == b'0'), "{shown}");
}
