//! The publisher's side: one hand-over a packet and worker, and what the others want.

use crate::relay::{Clock, List, Packet, Record, Watch};
use crate::router::Router;
use crate::router::forward::Arrived;
use crate::router::ingress::GROUP_AGE_MAX;
use crate::speakers;
use crate::timers::Owner;
use crate::uplink::{Far, Place, Uplink};
use crate::{DropReason, TimeoutReason};
use packet::{Mid, PeerId, RoomId};
use std::time::Duration;

/// Of a cached group of pictures for subscribers on another worker: a third of a second of a large camera, a quarter of what fits between two
/// workers.
const GROUP_BYTES_MAX: u64 = 128 * 1024;
/// Between two looks for workers that have not been heard of.
const EXPIRY: Duration = Duration::from_secs(1);
/// More listeners than one worker serves.
const LISTENERS_MAX: usize = 4096;

impl Router {
    /// Packets of one track to the workers where somebody has it in a slot, or to one of them.
    pub(in crate::router) fn hand_over(&mut self, run: &[Arrived], only: Option<usize>) {
        let Some(&Arrived { index, track, .. }) = run.first() else { return };
        let Some(track) = self.uplinks[index].tracks.get_mut(usize::from(track)) else { return };
        let told = track.wants.all_told();
        let chosen = |which: &usize| only.is_none_or(|only| only == *which);
        for (_, far) in track.far.iter_mut().enumerate().filter(|(which, _)| chosen(which)) {
            for arrived in run {
                let layer = &track.layers[usize::from(arrived.layer)];
                let Some((stored, bytes)) = layer.cache.get(arrived.ext_seq) else {
                    self.agenda.dropped.count(DropReason::CacheMiss);
                    continue;
                };
                let at = self.clock.since_start(layer.cache.arrival(stored).unwrap_or(self.now));
                let packet = Packet {
                    to: far.to,
                    layer: arrived.layer,
                    recovered: !stored.verbatim,
                    told,
                    epoch: layer.epoch,
                    number: far.number,
                    at,
                    bytes,
                };
                self.outboxes.push(far.worker, &Record::Packet(packet));
                far.number = far.number.wrapping_add(1);
                self.agenda.stats.packets_relayed += 1;
            }
        }
    }

    /// Somebody begins to watch from another worker: what a newcomer here would find is handed over.
    fn hand_over_what_is_here(&mut self, index: usize, number: u8, which: usize) {
        self.tell_clocks(index, number, Some(which));
        let mut run = Vec::new();
        let track = &self.uplinks[index].tracks[usize::from(number)];
        for (layer, state) in (0..).zip(&track.layers) {
            let Some(highest) = state.reception.highest() else { continue };
            // Without a group one packet, which says that the layer is there.
            let first = state.fresh_group(self.now, GROUP_AGE_MAX, GROUP_BYTES_MAX).unwrap_or(highest);
            let here = (first..=highest).filter(|&ext_seq| state.cache.contains(ext_seq));
            run.extend(here.map(|ext_seq| Arrived::new(index, number, layer, ext_seq)));
        }
        // In the order of their arrival, as the layers' ends are told by it.
        let arrival = |a: &Arrived| {
            let cache = &track.layers[usize::from(a.layer)].cache;
            cache.get(a.ext_seq).and_then(|(stored, _)| cache.arrival(stored))
        };
        run.sort_by_key(arrival);
        self.hand_over(&run, Some(which));
    }

    /// What sender reports have said of a track: to all who have it, or to one.
    pub(in crate::router) fn tell_clocks(&mut self, index: usize, number: u8, only: Option<usize>) {
        let Uplink { tracks, clock, .. } = &self.uplinks[index];
        let Some(track) = tracks.get(usize::from(number)) else { return };
        for (which, far) in track.far.iter().enumerate() {
            if only.is_some_and(|only| only != which) {
                continue;
            }
            for (layer, state) in (0..).zip(&track.layers) {
                let (offset, report) = (clock.offset(), state.clock.report());
                if report.is_some() {
                    self.outboxes
                        .push(far.worker, &Record::Clock(Clock { to: far.to, layer, offset, report }));
                }
            }
        }
    }

    pub(in crate::router) fn tell_goodbye(&mut self, index: usize, place: Place) {
        for far in &self.uplinks[index].tracks[usize::from(place.track)].far {
            self.outboxes.push(far.worker, &Record::Goodbye { to: far.to, layer: place.layer });
        }
    }

    /// Index and number of a track of one of our own publishers.
    fn own_track(&self, peer: PeerId, mid: Mid) -> Result<(usize, u8), DropReason> {
        let found = self.by_id.get(&peer).filter(|&&index| self.links[index].is_some());
        let &index = found.ok_or(DropReason::RelayUnknown)?;
        let track = self.uplinks[index].tracks.iter().position(|track| track.mid == mid);
        Ok((index, track.ok_or(DropReason::RelayUnknown)? as u8))
    }

    pub(super) fn on_watch(&mut self, from: usize, watch: &Watch) -> Result<(), DropReason> {
        let Watch { track: to, mid, on, needed, keyframes } = *watch;
        let (index, number) = match self.own_track(to.peer, mid) {
            // It has left, and so nobody watches it.
            Err(_) if !on => return Ok(()),
            found => found?,
        };
        let track = &mut self.uplinks[index].tracks[usize::from(number)];
        let known = track.far.iter().position(|far| far.worker == from);
        if !on {
            if let Some(known) = known {
                track.far.swap_remove(known);
            }
            self.update_wants(index);
            return Ok(());
        }
        let begins = known.is_none_or(|known| track.far[known].to != to);
        if let Some(known) = known.filter(|_| begins) {
            track.far.swap_remove(known);
        }
        let which = known.filter(|_| !begins).unwrap_or_else(|| {
            track.far.push(Far::new(from, to, self.now));
            track.far.len() - 1
        });
        track.far[which].needed = needed;
        track.far[which].heard_of(self.now);
        if begins {
            self.hand_over_what_is_here(index, number, which);
        }
        let timer = (Owner::Peer(index), TimeoutReason::Relay);
        self.agenda.timers.set_no_later(timer, self.now + EXPIRY);
        self.update_wants(index);
        for stream in (0..8).filter(|&stream| keyframes.contains(stream)) {
            self.want_keyframe(index, number, stream);
        }
        Ok(())
    }

    pub(super) fn on_heard(
        &mut self,
        from: usize,
        peer: PeerId,
        mid: Mid,
        percents: &[u8],
    ) -> Result<(), DropReason> {
        let (index, number) = self.own_track(peer, mid)?;
        let track = &mut self.uplinks[index].tracks[usize::from(number)];
        let far = track.far.iter_mut().find(|far| far.worker == from).ok_or(DropReason::RelayUnknown)?;
        far.lost.clear();
        far.lost.extend_from_slice(&percents[..percents.len().min(LISTENERS_MAX)]);
        self.tell_heard_of(index, number);
        Ok(())
    }

    /// Workers that have not been heard of watch no longer.
    pub(in crate::router) fn expire_far(&mut self, index: usize) {
        let now = self.now;
        let mut any = false;
        for track in &mut self.uplinks[index].tracks {
            track.far.retain(|far| far.until > now);
            any |= !track.far.is_empty();
        }
        if any {
            self.agenda.timers.set((Owner::Peer(index), TimeoutReason::Relay), now + EXPIRY);
        }
        self.update_wants(index);
    }

    /// How loud participants of another worker are.
    pub(super) fn on_levels(&mut self, room: RoomId, levels: List) -> Result<(), DropReason> {
        let known = self.rooms.contains_key(&room);
        for (peer, level) in levels.iter() {
            let index = self.by_id.get(&peer).copied();
            if let Some(relayed) = index.and_then(|index| self.relayed[index].as_mut()) {
                relayed.level = Some(relayed.level.map_or(level, |loudest| loudest.min(level)));
            }
        }
        if !known {
            return Err(DropReason::RelayUnknown);
        }
        let timer = (Owner::Room(room), TimeoutReason::Speakers);
        self.agenda.timers.set_no_later(timer, self.now + speakers::TICK);
        Ok(())
    }
}
