//! A participant with valid keys and bad intentions: what it says may hurt itself only.

use super::call::{Call, secs, wide};
use super::{Context, Outcome, Row};
use crate::world::PersonId;
use netem::Random;
use packet::rtcp::{FeedbackBuilder, Fir, FirEntry, Nack, Pli, Remb};
use packet::{Bitrate, SeqNo, Ssrc};
use std::time::Duration;

pub const FEEDBACK: Row = Row {
    name: "hostile_feedback",
    about: "1000 lying reports a second (all lost, all received, out of range), REMB of zero and of the maximum: nobody else notices",
    run: feedback,
    long: false,
    needs_traces: false,
};

pub const REQUESTS: Row = Row {
    name: "hostile_requests",
    about: "NACK for everything and 1000 keyframe requests a second: repetitions at most 25 % of the rate, keyframes at most one in 500 ms",
    run: requests,
    long: false,
    needs_traces: false,
};

const SECONDS: f64 = 15.0;

/// A camera, a viewer, and a third whose compounds are made by `mischief` every millisecond from 10 s on.
fn call(seed: u64, mut mischief: impl FnMut(&mut Random, &[Ssrc]) -> Vec<u8>) -> (Call, PersonId, PersonId) {
    let mut call = Call::new(seed, 1);
    let one_way = call.between(10.0, 30.0);
    let viewer = call.viewer("viewer", (wide(one_way), wide(one_way)));
    let villain = call.viewer("villain", (wide(one_way), wide(one_way)));
    call.run(10.0);
    let mut chance = Random::for_purpose(seed, 4);
    for _ in 0..(SECONDS * 1000.0) as u32 {
        call.world.with_participant(villain, |participant, now| {
            let slots = participant.video_slots();
            let compound = mischief(&mut chance, &slots);
            participant.send_rtcp(now, &compound);
        });
        call.world.run_for(Duration::from_millis(1));
    }
    (call, viewer, villain)
}

fn judge_others(outcome: &mut Outcome, call: &Call, viewer: PersonId) {
    let begun = call.now() - secs(SECONDS);
    let before = call.down(viewer).offered_kbps(begun - secs(4.0), begun);
    let during = call.down(viewer).offered_kbps(begun + secs(1.0), call.now());
    let picture = call.picture(viewer, begun, call.now());
    outcome.told("viewer_before_kbps", before);
    outcome.told("viewer_during_kbps", during);
    outcome.at_most("viewer_frozen_pct", 100.0 * picture.frozen, 0.0);
    outcome.at_most("viewer_downs", picture.downs as f64, 0.0);
    outcome.at_least("viewer_sound_pct", 100.0 * call.sound(viewer, begun, call.now() - secs(0.5)), 100.0);
}

fn feedback(context: &Context) -> Outcome {
    let mut count = 0u8;
    let (call, viewer, villain) = call(context.seed, |chance, slots| {
        count = count.wrapping_add(1);
        let media = slots.first().copied().unwrap_or(Ssrc(0));
        let mut bytes = Vec::new();
        let base = chance.next_u64() as u16;
        let at_us = (chance.below(1 << 40)) as i64;
        let mut builder = FeedbackBuilder::new(Ssrc(1), media, count, SeqNo(base), at_us);
        match chance.below(3) {
            // One arrived, hundreds did not.
            0 => {
                builder.push(SeqNo(base.wrapping_add(900)), at_us + 1000);
            }
            // All of them, all at once, sent or not.
            1 => {
                for n in 1..300 {
                    builder.push(SeqNo(base.wrapping_add(n)), at_us);
                }
            }
            _ => {
                for n in 1..50 {
                    builder.push(SeqNo(base.wrapping_add(n * 7)), at_us + i64::from(n) * 9000);
                }
            }
        }
        builder.finish().write(&mut bytes);
        let rate = if chance.chance(0.5) { Bitrate(0) } else { Bitrate(u64::MAX) };
        Remb { sender: Ssrc(1), bitrate: rate, ssrcs: slots.to_vec() }.write(&mut bytes);
        bytes
    });
    let mut outcome = Outcome::default();
    judge_others(&mut outcome, &call, viewer);
    let meter = call.down(villain);
    let begun = call.now() - secs(SECONDS);
    // Its own picture is its own problem, but padding and probes must not run away with its line.
    outcome.at_most("villain_down_kbps", meter.offered_kbps(begun, call.now()), 6000.0);
    outcome
}

fn requests(context: &Context) -> Outcome {
    let mut turn = 0u32;
    let (call, viewer, villain) = call(context.seed, |_, slots| {
        turn += 1;
        let mut bytes = Vec::new();
        for &media in slots {
            // The whole circle of numbers once in 64 ms.
            let first = (turn * 1024) as u16;
            let lost = (0..1024).map(|n| SeqNo(first.wrapping_add(n)));
            Nack::new(Ssrc(1), media, lost).write(&mut bytes);
            Pli { sender: Ssrc(1), media }.write(&mut bytes);
            let entries = vec![FirEntry { media, seq: turn as u8 }];
            Fir { sender: Ssrc(1), entries }.write(&mut bytes);
            if bytes.len() > 900 {
                break;
            }
        }
        bytes
    });
    let mut outcome = Outcome::default();
    judge_others(&mut outcome, &call, viewer);
    let begun = call.now() - secs(SECONDS);
    let bytes = |wanted: u8| -> f64 {
        let packets = call.down(villain).between(begun, call.now());
        packets.filter(|p| p.payload_type == Some(wanted)).map(|p| p.bytes as f64).sum()
    };
    outcome.at_most("repeated_share", bytes(97) / bytes(96).max(1.0), 0.27);
    let keyframes = call.world.keyframes_wanted(call.cameras[0]).iter();
    let most = (0..3)
        .map(|layer| keyframes.clone().filter(|(at, asked)| *at >= begun && *asked == layer).count())
        .max();
    outcome.at_most("keyframes_a_second", most.unwrap_or(0) as f64 / SECONDS, 2.1);
    outcome
}
