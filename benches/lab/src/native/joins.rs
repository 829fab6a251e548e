//! Joins into a room that talks, one after the other, in virtual time: percentiles of connecting.

use super::person::{Role, Shared};
use super::virtual_call::{LOBBY, join};
use crate::network::Network;
use crate::outcome::{Client, Joins, STAGES, stage};
use anyhow::Result;
use netem::Random;
use std::sync::PoisonError;
use std::time::Duration;
use tests::World;
use tests::leg::Signaling;

/// Joins in one world: everybody who ever came is looked at in every turn.
const A_WORLD: u64 = 25;
/// A join that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(25);
/// A group of pictures and an estimate of the talker's own leg are there.
const AHEAD: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// `count` of them, on losses of their own each.
pub fn virtual_joins(network: &Network, seed: u64, count: u64) -> Result<Joins> {
    let mut joins = Joins {
        scenario: network.id.clone(),
        client: Client::Native,
        count,
        failed: 0,
        patience_s: PATIENCE.as_secs_f64(),
        stages_ms: STAGES.iter().map(|(name, _)| ((*name).to_owned(), Vec::new())).collect(),
    };
    let mut left = count;
    for number in 0.. {
        if left == 0 {
            break;
        }
        let some = left.min(A_WORLD);
        let seed = Random::for_purpose(seed, 40 + number).next_u64();
        some_joins(network, seed, some, &mut joins)?;
        left -= some;
    }
    joins.stages_ms.values_mut().for_each(|times| times.sort_unstable_by(f64::total_cmp));
    Ok(joins)
}

fn some_joins(network: &Network, seed: u64, count: u64, joins: &mut Joins) -> Result<()> {
    let mut world = World::new(seed);
    world.set_signaling(Signaling::Shared);
    let mut chance = Random::for_purpose(seed, 1);
    let sends_video = !network.is_audio_only();
    let near = (netem::preset::far_leg(), netem::preset::far_leg());
    let role = |name, lobby| Role { name, room: "joins", speech: None, sends_video, lobby };
    join(&mut world, &role("talker", false), near)?;
    world.run_for(AHEAD);
    // All of them look at the lobby, and one after the other clicks.
    let lobby: Result<Vec<(_, Shared)>> = (0..count)
        .map(|_| join(&mut world, &role("newcomer", true), network.links(chance.next_u64())))
        .collect();
    world.run_for(LOBBY);
    for (who, notes) in lobby? {
        // Not always at the same moment between two pictures.
        world.run_for(Duration::from_millis(300) + Duration::from_micros(chance.below(80_000)));
        let clicked = world.now();
        world.enter(who);
        let complete = || {
            let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.first_heard().is_some() && (notes.first_frame.is_some() || !sends_video)
        };
        while !complete() && world.now() < clicked + PATIENCE && world.ended(who).is_none() {
            world.run_for(LOOK_EVERY);
        }
        joins.failed += u64::from(!complete());
        let notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        let stages = super::stages(&notes, clicked);
        for (name, times) in &mut joins.stages_ms {
            times.extend(stage(&stages, name));
        }
        drop(notes);
        world.leave(who);
    }
    Ok(())
}
