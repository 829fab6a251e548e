//! A call in virtual time: a real router, real sessions and two native clients, one of them behind the bad network.

use super::measured::{self, Observed};
use super::person::{Codec, Person, Role, Shared};
use crate::network::Network;
use crate::outcome::{Call, Client};
use anyhow::Result;
use measure::speech::Speech;
use packet::media::MediaKind;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tests::leg::Signaling;
use tests::world::PersonId;
use tests::{Participant, World};
use transport::Certificate;

/// What is said of signaling in virtual time.
pub const SIGNALING: &str = "TCP segments and acknowledgements on the same impaired links as media, a model of Linux's sender (crate tests, stream)";
/// The one with the good network is there before.
const AHEAD: Duration = Duration::from_secs(4);
/// So long does somebody look at the lobby before they click.
pub(super) const LOBBY: Duration = Duration::from_secs(3);
/// A join may take so long before a call counts as failed.
const JOIN_WITHIN: Duration = Duration::from_secs(30);

pub struct Setup<'a> {
    pub network: &'a Network,
    pub seed: u64,
    pub seconds: u64,
    pub speech: &'a Arc<Speech>,
    /// Where recordings go.
    pub folder: &'a Path,
}

/// Both directions: who listens behind the bad network, and who listens to them.
pub fn call(setup: &Setup<'_>) -> Result<Vec<Call>> {
    let Setup { network, seed, seconds, speech, .. } = *setup;
    let mut world = World::new(seed);
    world.set_signaling(Signaling::Shared);
    let sends_video = !network.is_audio_only();
    let role = |name, lobby| Role { name, room: "lab", speech: Some(speech.clone()), sends_video, lobby };
    let near = (netem::preset::far_leg(), netem::preset::far_leg());
    let (ann, ann_notes) = join(&mut world, &role("ann", false), near)?;
    world.run_for(AHEAD - LOBBY);
    let (ben, ben_notes) = join(&mut world, &role("ben", true), network.links(seed))?;
    world.run_for(LOBBY);
    let clicked = world.now();
    world.enter(ben);
    while world.connected_at(ben).is_none()
        && world.now() < clicked + JOIN_WITHIN
        && world.ended(ben).is_none()
    {
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(seconds));
    let ends = world.now();
    let lock = |notes: &Shared| std::mem::take(&mut *notes.lock().unwrap_or_else(PoisonError::into_inner));
    let (ann_notes, ben_notes) = (lock(&ann_notes), lock(&ben_notes));
    let both = [
        (Client::Native, (ben, &ben_notes), (ann, &ann_notes)),
        (Client::NativeUp, (ann, &ann_notes), (ben, &ben_notes)),
    ];
    both.into_iter()
        .map(|(client, (listener, notes), (speaker, spoken))| {
            let flow = World::flow(listener, speaker, MediaKind::Video);
            let arrivals = world.ledger.arrivals(flow).iter();
            let shown = arrivals.filter_map(|a| Some((world.ledger.sent_at(flow, a.number)?, a.at, a.layer)));
            let bad = world.leg(ben);
            let (up, down) = (&bad.up_meter, &bad.down_meter);
            let observed =
                Observed { client, clicked, ends, notes, spoken, shown: shown.collect(), up, down };
            measured::call(setup, &observed)
        })
        .collect()
}

pub(super) fn join(
    world: &mut World,
    role: &Role,
    links: (netem::LinkConfig, netem::LinkConfig),
) -> Result<(PersonId, Shared)> {
    let notes = Shared::default();
    let codec = Codec::new(role)?;
    let (theirs, certificate) = (notes.clone(), Arc::new(Certificate::generate()?));
    let who = world.join((role.name, role.room), links, |home, now, clock, seed| -> Box<dyn Participant> {
        Box::new(Person::new(role, codec, certificate, (home, now, clock, seed), theirs))
    });
    Ok((who, notes))
}
