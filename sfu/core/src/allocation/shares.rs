//! The shares of the videos of one subscriber.

use super::{Choice, Inputs, LayerId, Offer, PRIORITY_MAX, PauseReason, Preference, Slot, Why};
use packet::media::MediaKind;
use std::cmp::Reverse;
use std::time::Instant;

/// What is being sent may cost this much more than it should, in percent, before it is taken away: encoders swing.
const TOLERANCE: u64 = 5;
/// A step up needs this much more than its rate, in percent: with the tolerance, more than an estimate swings on a link that stands
/// still.
const MARGIN: u64 = 15;
/// A tile that is this much larger than a layer, in percent, still gets that one: enlarging by less is not seen.
const ENLARGED: u32 = 15;
/// Layers that the link would carry if it were this much better, in percent, are sent by their publishers already.
const REACH: u64 = 40;
/// With less than this to spare, in percent, the layer to fall back to is sent by its publisher too.
const SPARE: u64 = 20;
/// What a tile of unknown size weighs: 640x360.
const AREA_UNKNOWN: u64 = 640 * 360;
/// Beyond full HD a tile asks for no more weight, and below a thumbnail for no less.
const AREA: (u64, u64) = (160 * 90, 1920 * 1080);

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Granted {
    pub choice: Choice,
    pub why: Why,
    /// Bits per second that the change is about.
    pub needed: u64,
    pub soon: Option<LayerId>,
    pub fallback: Option<LayerId>,
    /// The best that the tile can show.
    pub useful: Option<LayerId>,
}

#[derive(Debug, Default)]
pub(super) struct Shares {
    pub slots: Vec<Granted>,
    /// What is taken in all.
    pub spent: u64,
    pub wanted: u64,
    pub next_step: Option<u64>,
}

/// A slot while its share is looked for.
struct Candidate<'a> {
    index: usize,
    slot: &'a Slot,
    /// What the tile can show.
    offers: &'a [Offer],
    /// Of `offers`, how many are within what the slot has had; 0: none.
    had: usize,
    /// Of `offers`, how many may be taken now.
    cap: usize,
    weight: u64,
    /// Of `offers`, how many are taken; 0: paused.
    taken: usize,
}

impl Candidate<'_> {
    /// What having the first `n` offers counts as.
    fn cost(&self, n: usize) -> u64 {
        let Some(rate) = n.checked_sub(1).map(|i| self.offers[i].rate.0) else { return 0 };
        if n <= self.had { rate * 100 / (100 + TOLERANCE) } else { rate * (100 + MARGIN) / 100 }
    }
    fn step(&self) -> u64 {
        self.cost(self.taken + 1).saturating_sub(self.cost(self.taken))
    }
    /// Rate per weight after the next step; what it has had already weighs half as much again.
    fn claim(&self) -> u128 {
        let keeps = self.taken < self.had;
        let weight = u128::from(self.weight) * if keeps { 3 } else { 2 };
        u128::from(self.offers[self.taken].rate.0) * 1_000_000 / weight
    }
}

pub(super) fn share(now: Instant, inputs: &Inputs, budget: u64, base_only: bool) -> Shares {
    let mut shares = Shares { slots: vec![Granted::default(); inputs.slots.len()], ..Shares::default() };
    let videos = inputs.slots.iter().enumerate();
    let mut ranked: Vec<(usize, &Slot)> =
        videos.filter(|(_, s)| s.kind == MediaKind::Video && !s.offers.is_empty()).collect();
    ranked.sort_by_key(|(index, slot)| (rank(slot), *index));

    let mut candidates: Vec<Candidate> = Vec::with_capacity(ranked.len());
    for (index, slot) in ranked {
        let pause = if !slot.preference.visible {
            Some((PauseReason::Hidden, Why::TileSize))
        } else if inputs.last_n.is_some_and(|n| candidates.len() >= n) {
            Some((PauseReason::LastN, Why::Limit))
        } else {
            None
        };
        if let Some((reason, why)) = pause {
            shares.slots[index] = Granted { choice: Choice::Paused(reason), why, ..Granted::default() };
            continue;
        }
        let offers = &slot.offers[..useful(&slot.offers, &slot.preference)];
        let had =
            slot.memory.choice.layer().map_or(0, |had| offers.iter().filter(|o| o.layer <= had).count());
        let allowed = if base_only { 1 } else { offers.len() };
        let free =
            offers.iter().take(allowed).take_while(|offer| slot.memory.may_take(now, offer.layer, budget));
        let cap = free.count().max(had);
        let weight = weight(slot);
        candidates.push(Candidate { index, slot, offers, had, cap, weight, taken: 0 });
    }

    let mut left = budget;
    for candidate in &mut candidates {
        let cost = candidate.cost(1);
        // A held slot that had nothing stays paused; others never lose the base layer to somebody's better one.
        if candidate.cap > 0 && cost <= left {
            candidate.taken = 1;
            left -= cost;
        }
    }
    let mut stuck = vec![false; candidates.len()];
    loop {
        let open = candidates.iter().enumerate();
        let open = open.filter(|(i, c)| c.taken > 0 && c.taken < c.cap && !stuck[*i]);
        let Some((next, _)) = open.min_by_key(|(i, c)| (c.claim(), *i)) else { break };
        let cost = candidates[next].step();
        if cost <= left {
            candidates[next].taken += 1;
            left -= cost;
        } else {
            stuck[next] = true;
        }
    }

    let rate = |c: &Candidate, n: usize| n.checked_sub(1).map_or(0, |i| c.offers[i].rate.0);
    let spent: u64 = candidates.iter().map(|c| rate(c, c.taken)).sum();
    shares.spent = spent;
    for candidate in &candidates {
        let full = rate(candidate, candidate.offers.len());
        shares.wanted += full * (100 + MARGIN) / 100;
        let allowed = if base_only { 1 } else { candidate.offers.len() };
        let mut soon = None;
        if candidate.taken < allowed {
            let more = rate(candidate, candidate.taken + 1) - rate(candidate, candidate.taken);
            let step = (spent + more) * (100 + MARGIN) / 100;
            let next = candidate.offers[candidate.taken].layer;
            if candidate.slot.memory.may_take(now, next, budget) {
                shares.next_step = Some(shares.next_step.map_or(step, |least| least.min(step)));
            }
            let near = spent + more <= budget * (100 + REACH) / 100;
            soon = near.then(|| candidate.offers[candidate.taken].layer);
        }
        let narrow = spent * (100 + SPARE) / 100 > budget;
        let fallback = candidate.taken.checked_sub(2).map(|i| candidate.offers[i].layer).filter(|_| narrow);
        let useful = candidate.offers.last().map(|offer| offer.layer);
        shares.slots[candidate.index] = Granted { soon, fallback, useful, ..granted(candidate, budget) };
    }
    shares
}

/// The outcome for one slot, and what a change of it is due to.
fn granted(candidate: &Candidate, budget: u64) -> Granted {
    let Candidate { slot, offers, had, taken, .. } = *candidate;
    let before = slot.memory.choice;
    let gone = before.layer().is_some_and(|layer| !slot.offers.iter().any(|o| o.layer == layer));
    let choice = match taken.checked_sub(1) {
        Some(i) => Choice::Send(offers[i].layer),
        None => Choice::Paused(PauseReason::Bandwidth),
    };
    let rate = |n: usize| n.checked_sub(1).and_then(|i| offers.get(i)).map_or(0, |o| o.rate.0);
    let (why, needed) = if taken == 0 {
        (Why::Congestion, rate(1))
    } else if taken > had {
        let why = match before {
            Choice::Nothing => Why::Began,
            Choice::Paused(PauseReason::Hidden | PauseReason::LastN) => Why::Asked,
            _ if slot.memory.useful < Some(offers[taken - 1].layer) => Why::Asked,
            _ => Why::Room,
        };
        (why, rate(taken))
    } else if taken < had {
        let alone = rate(had) <= budget;
        (if alone && had > 1 && rate(had) * 2 <= budget { Why::Others } else { Why::Congestion }, rate(had))
    } else {
        // Everything the tile shows of what it had: more is there and of no use, or is there no longer.
        let why = match gone {
            true if slot.distrusted => Why::Contradiction,
            true => Why::LayerGone,
            false => Why::TileSize,
        };
        (why, rate(taken))
    };
    Granted { choice, why, needed, ..Granted::default() }
}

/// How many of the offers a tile can show: up to the smallest that covers it, and all of that size.
fn useful(offers: &[Offer], preference: &Preference) -> usize {
    let (width, height) = (u32::from(preference.width), u32::from(preference.height));
    let covers = |offer: &Offer| {
        let has = |size: u16, tile: u32| u32::from(size) * (100 + ENLARGED) / 100 >= tile;
        // A portrait picture in a wide tile is as high as the tile, and the other way round: one side is enough.
        offer.height > 0 && (has(offer.height, height) || has(offer.width, width))
    };
    if width == 0 || height == 0 {
        return offers.len();
    }
    let Some(first) = offers.iter().position(covers) else { return offers.len() };
    let size = |offer: &Offer| (offer.width, offer.height);
    offers.iter().rposition(|offer| size(offer) == size(&offers[first])).unwrap_or(first).max(first) + 1
}

/// Who is served first: smallest first.
fn rank(slot: &Slot) -> impl Ord + use<> {
    let Preference { pinned, priority, .. } = slot.preference;
    (Reverse(pinned), slot.speaking.unwrap_or(u8::MAX), Reverse(priority), Reverse(area(&slot.preference)))
}

fn area(preference: &Preference) -> u64 {
    match u64::from(preference.width) * u64::from(preference.height) {
        0 => AREA_UNKNOWN,
        area => area.clamp(AREA.0, AREA.1),
    }
}

fn weight(slot: &Slot) -> u64 {
    let pinned = if slot.preference.pinned { 4 } else { 1 };
    let speaking = match slot.speaking {
        Some(0) => 4,
        Some(_) => 2,
        None => 1,
    };
    (area(&slot.preference) * pinned * speaking) << slot.preference.priority.min(PRIORITY_MAX)
}
