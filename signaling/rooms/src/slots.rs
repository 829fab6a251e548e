//! The slot pairs of one subscriber, and who is in them.
//!
//! Stable: whoever has a slot keeps it until the share ends. A newcomer takes the first slot that nobody was in yet,
//! otherwise the one that has been free for longest: what the former owner sent is then least likely to be still on its
//! way. When there is none, shares wait in the order in which they began.

use packet::{Mid, PeerId, media::MediaKind};

use crate::{Binding, Output, Share};

/// Two receive-only m-lines that share a media stream at the subscriber, so that lip-sync works.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SlotPair {
    pub audio: Mid,
    pub video: Mid,
}

#[derive(Debug)]
struct Slot {
    pair: SlotPair,
    occupant: Option<(PeerId, Share)>,
    /// What the forwarder was told to send on each m-line.
    audio: Option<(PeerId, Mid)>,
    video: Option<(PeerId, Mid)>,
    /// Which freeing of this subscriber's slots was the last one of this slot, counted from 1; 0: nobody was in it yet.
    freed: u64,
}

/// Sizes a client grows its offer to: few m-lines keep the first SDP small, doubling keeps renegotiations rare.
const STEPS: [usize; 4] = [4, 8, 16, 24];
/// One pair stays free so that the next newcomer costs no renegotiation.
const SPARE: usize = 1;

#[derive(Debug)]
pub(crate) struct Slots {
    subscriber: PeerId,
    slots: Vec<Slot>,
    /// The last number of pairs asked for; asked once.
    asked: usize,
    /// Slots freed so far.
    freed: u64,
    count_max: usize,
}

impl Slots {
    pub(crate) fn new(subscriber: PeerId, count_max: usize) -> Self {
        Self { subscriber, slots: Vec::new(), asked: 0, freed: 0, count_max }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = SlotPair> + '_ {
        self.slots.iter().map(|s| s.pair)
    }

    /// Slots that somebody is in.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = Binding> + '_ {
        self.slots.iter().filter_map(|slot| {
            let (peer, share) = slot.occupant?;
            Some(Binding { slot: slot.pair, peer: Some(peer), share })
        })
    }

    /// What is sent on the m-line `mid` now.
    pub(crate) fn source(&self, mid: Mid) -> Option<(PeerId, Mid)> {
        self.slots.iter().find_map(|s| match mid {
            m if m == s.pair.audio => s.audio,
            m if m == s.pair.video => s.video,
            _ => None,
        })
    }

    /// A publisher goes on under another id: nothing changes hands, and [`Self::settle`] binds what is sent anew.
    pub(crate) fn rename(&mut self, old: PeerId, new: PeerId) {
        for (peer, _) in self.slots.iter_mut().filter_map(|s| s.occupant.as_mut()) {
            if *peer == old {
                *peer = new;
            }
        }
    }

    /// Pairs that are new in a longer offer. The ones known already stay as they are.
    pub(crate) fn extend(&mut self, pairs: &[SlotPair]) {
        let fresh = pairs.iter().skip(self.slots.len());
        self.slots.extend(fresh.map(|&pair| Slot {
            pair,
            occupant: None,
            audio: None,
            video: None,
            freed: 0,
        }));
    }

    /// Brings the slots in line with the room: `shares` are the active shares of everybody else in the order in which
    /// they began, `source` says which m-line of a share carries a kind. Pushes what the forwarder must do; returns the
    /// slots that changed hands.
    pub(crate) fn settle(
        &mut self,
        shares: &[(PeerId, Share)],
        source: impl Fn(PeerId, Share, MediaKind) -> Option<Mid>,
        outputs: &mut impl Extend<Output>,
    ) -> Vec<Binding> {
        let before: Vec<_> = self.slots.iter().map(|s| s.occupant).collect();
        for slot in &mut self.slots {
            if slot.occupant.is_some_and(|share| !shares.contains(&share)) {
                slot.occupant = None;
                self.freed += 1;
                slot.freed = self.freed;
            }
        }
        for share in shares {
            if self.slots.iter().any(|s| s.occupant == Some(*share)) {
                continue;
            }
            let free = self.slots.iter_mut().filter(|s| s.occupant.is_none()).min_by_key(|s| s.freed);
            let Some(free) = free else { break };
            free.occupant = Some(*share);
        }
        let subscriber = self.subscriber;
        for slot in &mut self.slots {
            let wanted = |kind| {
                let (peer, share) = slot.occupant?;
                Some((peer, source(peer, share, kind)?))
            };
            let (audio, video) = (wanted(MediaKind::Audio), wanted(MediaKind::Video));
            if slot.audio != audio {
                slot.audio = audio;
                outputs.extend([Output::Bind { subscriber, slot: slot.pair.audio, source: audio }]);
            }
            if slot.video != video {
                slot.video = video;
                outputs.extend([Output::Bind { subscriber, slot: slot.pair.video, source: video }]);
            }
        }
        let changed = self.slots.iter().zip(before).filter(|(slot, before)| slot.occupant != *before);
        let binding = |(slot, before): (&Slot, Option<(PeerId, Share)>)| {
            let (_, share) = slot.occupant.or(before)?;
            Some(Binding { slot: slot.pair, peer: slot.occupant.map(|(peer, _)| peer), share })
        };
        changed.filter_map(binding).collect()
    }

    /// How many pairs the client should offer in all, if it has to offer more: asked while one is still spare, and once.
    /// A client without any slot does not want to receive.
    pub(crate) fn more_needed(&mut self, shares: usize) -> Option<usize> {
        let offered = self.slots.len();
        if offered == 0 || offered > shares + SPARE {
            return None;
        }
        let wanted =
            STEPS.into_iter().find(|&step| step > shares + SPARE).unwrap_or(usize::MAX).min(self.count_max);
        if wanted <= offered || wanted <= self.asked {
            return None;
        }
        self.asked = wanted;
        Some(wanted)
    }
}
