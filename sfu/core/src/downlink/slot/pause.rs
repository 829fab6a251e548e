//! What makes a slot send less, or nothing: the allocation, a full queue, frames of layers that are left out.

use super::{Pictures, Slot, Source};
use crate::DropReason;
use crate::allocation::Choice;
use crate::downlink::Session;
use crate::downlink::egress::{Item, Padding, Queue, Queued, stream_of};
use crate::downlink::munger::seq;
use crate::downlink::pacer::{Class, Pressure};
use crate::uplink::Stored;
use packet::PayloadType;

impl Slot {
    /// The allocation's verdict. A pause ends what is sent at once; another stream waits for its keyframe while the old
    /// one goes on.
    pub fn set_target(&mut self, choice: Choice, source: &Source) {
        self.urgent = choice.is_below(self.choice) || self.urgent && choice == self.choice;
        self.choice = choice;
        match choice {
            Choice::Send(layer) => {
                let sending = self.sending(source);
                if sending == Some(layer.stream) {
                    self.urgent = false;
                }
                // Of a stream that goes on until the keyframe of another, everything.
                let of_this = sending.is_none_or(|stream| stream == layer.stream);
                if let Some(pictures) = &mut self.pictures {
                    pictures.selector.set_target(Some(layer).filter(|_| of_this));
                }
            }
            Choice::Paused(_) | Choice::Nothing => self.stop(),
        }
    }

    /// Until its next keyframe, and what was sent before that is not sent again: most of it was forgotten while it waited.
    pub fn begin_again(&mut self) {
        self.stop();
        self.history.clear();
    }

    /// Nothing is sent until the next start.
    pub fn stop(&mut self) {
        self.current = None;
        self.catching_up = None;
        self.next_report = None;
    }

    /// A queue that fills up gets only what later pictures are made from, and a full one nothing new: what was begun is
    /// sent to its end.
    pub(super) fn relieve(&mut self, pressure: Pressure, stored: &Stored) -> Result<(), DropReason> {
        let leaving = self.urgent && self.target() != self.current.map(|c| c.layer);
        let Some(Pictures { selector, .. }) = self.pictures.as_deref_mut() else { return Ok(()) };
        selector.squeeze(leaving || pressure != Pressure::None);
        // What is being left in favour of less, while something waits already, would only make that come later.
        let stops = pressure == Pressure::Full || leaving && pressure == Pressure::High;
        if stops && !stored.keyframe_start && selector.begins(stored) {
            self.stop();
            return Err(DropReason::PacerPressure);
        }
        Ok(())
    }

    /// The packet is not sent. If packets after it were, its number is a hole that the receiver would ask for: an empty
    /// packet fills it.
    pub(super) fn leave_out(
        &mut self,
        stored: &Stored,
        pt: PayloadType,
        session: &Session,
        queue: &mut Queue,
    ) {
        let Some(hole) = self.seq.skip(stored.ext_seq) else { return };
        if self.history.find(seq(hole)).is_some() {
            return;
        }
        let timestamp = self.time.line(stored.header.timestamp);
        let padding = Padding { pt, seq: seq(hole), timestamp };
        let (stream, class, len) =
            (stream_of(self.index, false), Class::Base, Padding::len(self.mid, session));
        // A full queue leaves the hole.
        let _ = queue.push(Queued { stream, class, probe: None, len, item: Item::Padding(padding) });
    }
}
