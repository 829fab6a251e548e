//! RTP header extensions (RFC 8285): which id means what, reading and writing both the one- and the two-byte form.
//! One file each below `ext/` for the extensions themselves.

mod abs_capture_time;
mod abs_send_time;
mod audio_level;
pub mod dependency_descriptor;
mod element;
mod mid;
mod playout_delay;
mod repaired_rid;
mod rid;
mod transport_sequence;
mod values;
mod video_orientation;

pub use abs_capture_time::AbsCaptureTime;
pub use abs_send_time::AbsSendTime;
pub use audio_level::AudioLevel;
pub use element::{Element, Elements};
pub use playout_delay::PlayoutDelay;
pub use transport_sequence::TransportSequence;
pub use values::Values;
pub(crate) use values::write_block;
pub use video_orientation::VideoOrientation;

/// Extensions we know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Extension {
    /// urn:ietf:params:rtp-hdrext:sdes:mid
    Mid,
    /// urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
    Rid,
    /// urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id
    RepairedRid,
    /// urn:ietf:params:rtp-hdrext:ssrc-audio-level (RFC 6464)
    AudioLevel,
    /// http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
    AbsSendTime,
    /// http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
    TransportSequence,
    /// http://www.webrtc.org/experiments/rtp-hdrext/playout-delay
    PlayoutDelay,
    /// urn:3gpp:video-orientation
    VideoOrientation,
    /// http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time
    AbsCaptureTime,
    /// https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension
    DependencyDescriptor,
}

impl Extension {
    pub const ALL: [Self; 10] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AudioLevel,
        Self::AbsSendTime,
        Self::TransportSequence,
        Self::PlayoutDelay,
        Self::VideoOrientation,
        Self::AbsCaptureTime,
        Self::DependencyDescriptor,
    ];

    pub fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportSequence => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.uri() == uri)
    }
}

/// Negotiated ids, one map per session (BUNDLE requires the same meaning in every m-line).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExtensionMap {
    ids: [u8; Extension::ALL.len()],
    /// The way back for ids of the one-byte form, which every packet takes several times.
    by_id: [Option<Extension>; 16],
    /// `a=extmap-allow-mixed` (RFC 8285 section 6): one- and two-byte forms may both appear. Without it the one-byte
    /// form is used and an element that does not fit it (longer than 16 bytes) is left out.
    pub allow_mixed: bool,
}

impl ExtensionMap {
    /// `id` 1-14 fits the one-byte form; 15 is reserved; 16-255 needs the two-byte form. Zero removes. Of two extensions
    /// with the same id the first in the order of [`Extension::ALL`] is read.
    pub fn set(&mut self, extension: Extension, id: u8) {
        self.ids[extension as usize] = id;
        for (id, known) in (0..).zip(&mut self.by_id) {
            *known = Extension::ALL.into_iter().find(|&e| id != 0 && self.ids[e as usize] == id);
        }
    }
    pub fn id(&self, extension: Extension) -> Option<u8> {
        Some(self.ids[extension as usize]).filter(|&id| id != 0)
    }
    pub fn extension(&self, id: u8) -> Option<Extension> {
        match self.by_id.get(usize::from(id)) {
            Some(known) => *known,
            None => Extension::ALL.into_iter().find(|&e| self.ids[e as usize] == id),
        }
    }
    pub fn iter(&self) -> impl Iterator<Item = (Extension, u8)> + '_ {
        Extension::ALL.into_iter().filter_map(|e| self.id(e).map(|id| (e, id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_both_ways() {
        for (first, second) in [(1, 15), (15, 16), (16, 255)] {
            let mut map = ExtensionMap::default();
            map.set(Extension::Rid, first);
            map.set(Extension::Mid, second);
            assert_eq!(map.extension(first), Some(Extension::Rid));
            assert_eq!(map.extension(second), Some(Extension::Mid));
            assert_eq!(map.extension(0), None);
            assert_eq!(map.iter().collect::<Vec<_>>(), [(Extension::Mid, second), (Extension::Rid, first)]);
            map.set(Extension::Mid, 0);
            assert_eq!((map.extension(second), map.id(Extension::Mid)), (None, None));
            map.set(Extension::Mid, first);
            assert_eq!(map.extension(first), Some(Extension::Mid), "the first of two with the same id");
        }
    }
}
