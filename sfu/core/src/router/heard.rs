//! What is lost of sound on its way down: how often it is repeated there, and what its publisher is told.

use super::Router;
use crate::Event;
use crate::downlink::{Downlink, Slot};
use packet::media::MediaKind;

impl Router {
    /// Redundant copies of what these slots carry follow what the whole link loses, and publishers are told.
    pub(super) fn hear_loss(&mut self, index: usize, which: impl Fn(&Slot) -> bool) {
        let Downlink { slots, bandwidth, .. } = &mut self.downlinks[index];
        let lost = bandwidth.lost() as f32;
        let sound = slots.iter_mut().filter(|slot| slot.kind == MediaKind::Audio && which(slot));
        sound.for_each(|slot| slot.redundancy.on_transport(lost));
        self.tell_heard(index);
    }

    /// Tells those whom this subscriber hears what is lost of them, where that is news.
    fn tell_heard(&mut self, index: usize) {
        for slot in 0..self.downlinks[index].slots.len() {
            let slot = &self.downlinks[index].slots[slot];
            let Some(bound) = slot.bound.filter(|_| slot.kind == MediaKind::Audio) else { continue };
            if self.relayed[bound.index].is_some() {
                self.relay_heard(bound.index, bound.track);
            } else {
                self.tell_heard_of(bound.index, bound.track);
            }
        }
    }

    /// Of all who hear a track, on whatever worker.
    pub(super) fn tell_heard_of(&mut self, index: usize, track: u8) {
        let Some(link) = &self.links[index] else { return };
        let track = &mut self.uplinks[index].tracks[usize::from(track)];
        if !track.heard.is_due(self.now) {
            return;
        }
        let slots = track.subscribers.iter().filter_map(|to| self.downlinks[to.peer].slots.get(to.slot));
        let far = track.far.iter().flat_map(|far| &far.lost).map(|percent| f32::from(*percent) / 100.0);
        let lost = slots.map(|slot| slot.redundancy.lost()).chain(far);
        if let Some(tenths) = track.heard.update(self.now, lost) {
            let (publisher, mid) = (link.id, track.mid);
            self.agenda.events.push_back(Event::SoundLost { publisher, mid, tenths });
        }
    }
}
