//! Which frames a decoder can take now, given those it took: by references, not by luck.
//!
//! Frames are judged in the order of sequence, one state machine per way of naming references, chosen by each key frame:
//! the one before in sequence (H.264, AV1 without a descriptor), VP8 picture ids and temporal layers, VP9 picture ids, and
//! the dependency descriptor for any codec that carries it.

mod decoded;
mod descriptor;
mod vp8;
mod vp9;

use super::assembly::Frame;
use super::part::Needs;
use packet::media::Codec;

#[derive(Default)]
pub(crate) struct References {
    state: State,
    codec: Option<Codec>,
}

#[derive(Default)]
enum State {
    /// No key frame yet.
    #[default]
    Nothing,
    /// Last packet of the last frame taken.
    Previous(i64),
    Vp8(vp8::Vp8),
    Vp9(Box<vp9::Vp9>),
    Descriptor(Box<descriptor::Descriptor>),
}

impl References {
    /// A decoder that took what was told to [`took`](Self::took) can decode this frame. `behind`: the last packet of what stands
    /// before it in sequence, if nothing is missing between.
    pub fn decodable(&self, frame: &Frame, behind: Option<i64>) -> bool {
        if frame.keyframe {
            return true;
        }
        if self.codec != Some(frame.codec) {
            return false;
        }
        match (&self.state, &frame.needs) {
            (State::Previous(last), _) => behind == Some(*last),
            (State::Vp8(state), Needs::Vp8(descriptor)) => state.decodable(descriptor, behind),
            (State::Vp9(state), Needs::Vp9(descriptor)) => state.decodable(descriptor),
            (State::Descriptor(state), Needs::Descriptor(bytes)) => state.decodable(bytes),
            _ => false,
        }
    }

    /// The decoder took the frame. Told in the order of sequence, and only what was [`decodable`](Self::decodable).
    pub fn took(&mut self, frame: &Frame, behind: Option<i64>) {
        if frame.keyframe {
            self.codec = Some(frame.codec);
            self.state = match &frame.needs {
                Needs::Previous => State::Previous(frame.last),
                Needs::Vp8(descriptor) => State::Vp8(vp8::Vp8::new(frame, descriptor)),
                Needs::Vp9(descriptor) => vp9::Vp9::new(descriptor)
                    .map_or(State::Previous(frame.last), |state| State::Vp9(Box::new(state))),
                Needs::Descriptor(bytes) => descriptor::Descriptor::new(bytes)
                    .map_or(State::Nothing, |state| State::Descriptor(Box::new(state))),
            };
            return;
        }
        match (&mut self.state, &frame.needs) {
            (State::Previous(last), _) => *last = frame.last,
            (State::Vp8(state), Needs::Vp8(descriptor)) => state.took(frame, descriptor, behind),
            (State::Vp9(state), Needs::Vp9(descriptor)) => state.took(descriptor),
            (State::Descriptor(state), Needs::Descriptor(bytes)) => state.took(bytes),
            _ => {}
        }
    }

    /// Every frame needs the one before: whatever is lost breaks all that follows.
    pub fn is_chain(&self) -> bool {
        match &self.state {
            State::Nothing | State::Previous(_) => true,
            State::Vp8(state) => state.is_chain(),
            State::Vp9(_) | State::Descriptor(_) => false,
        }
    }

    pub fn has_keyframe(&self) -> bool {
        !matches!(self.state, State::Nothing)
    }

    /// The decoder starts anew.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
