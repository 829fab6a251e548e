//! What one packet is to its frame: where the frame begins and ends, and what the frame needs, as the codec's own
//! payload descriptor or the dependency descriptor says it.

use packet::codec::{av1, h264, vp8, vp9};
use packet::ext::dependency_descriptor::{self, Mandatory};
use packet::media::Codec;

/// Whether a frame begins with this packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Begins {
    Yes,
    No,
    /// The format does not say: it does if the packet before ends a frame.
    AfterEnd,
    /// As `AfterEnd`, and also if nothing is known of the packet before: a decoder can start here.
    Fresh,
}

/// What the first packet of a frame says about its references.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Needs {
    /// Nothing: each frame needs the one before.
    Previous,
    Vp8(vp8::Vp8Descriptor),
    Vp9(Box<vp9::Vp9Descriptor>),
    /// Unparsed: it is read with the structure of the key frame before it, which may not be here yet.
    Descriptor(Vec<u8>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    pub codec: Codec,
    pub begins: Begins,
    /// Last packet of its (layer) frame.
    pub ends: bool,
    /// Last packet of the picture: the RTP marker.
    pub marker: bool,
    /// First packet of a frame that a decoder can start from; for H.264 any that begins an IDR picture or an SPS.
    pub keyframe: bool,
    /// An H.264 sequence parameter set begins in it.
    pub parameter_sets: bool,
    pub needs: Needs,
    /// Bytes of the descriptor in front of the frame's own.
    pub header_len: usize,
}

impl Part {
    /// `None`: the payload ends inside its descriptor, or is not of a video codec.
    pub fn describe(codec: Codec, payload: &[u8], marker: bool, descriptor: Option<&[u8]>) -> Option<Self> {
        let mut part = match codec {
            Codec::Vp8 => of_vp8(payload, marker)?,
            Codec::Vp9 => of_vp9(payload, marker)?,
            Codec::H264 => of_h264(payload, marker)?,
            Codec::Av1 => of_av1(payload, marker)?,
            Codec::Opus
            | Codec::Red
            | Codec::VideoRed
            | Codec::Ulpfec
            | Codec::Flexfec
            | Codec::Flexfec03 => return None,
        };
        if let Some(bytes) = descriptor {
            let mandatory = Mandatory::parse(bytes).ok()?;
            part.begins = if mandatory.start_of_frame { Begins::Yes } else { Begins::No };
            part.ends = mandatory.end_of_frame;
            part.keyframe = dependency_descriptor::is_keyframe_start(bytes);
            let first = if mandatory.start_of_frame { bytes.to_vec() } else { Vec::new() };
            part.needs = Needs::Descriptor(first);
        }
        Some(part)
    }
}

fn of_vp8(payload: &[u8], marker: bool) -> Option<Part> {
    let descriptor = vp8::Vp8Descriptor::parse(payload)?;
    let begins = if descriptor.is_frame_start() { Begins::Yes } else { Begins::No };
    Some(Part {
        codec: Codec::Vp8,
        begins,
        ends: marker,
        marker,
        keyframe: vp8::is_keyframe_start(payload),
        parameter_sets: false,
        needs: Needs::Vp8(descriptor),
        header_len: descriptor.len,
    })
}

fn of_vp9(payload: &[u8], marker: bool) -> Option<Part> {
    let descriptor = vp9::Vp9Descriptor::parse(payload)?;
    Some(Part {
        codec: Codec::Vp9,
        begins: if descriptor.start_of_frame { Begins::Yes } else { Begins::No },
        ends: descriptor.end_of_frame,
        marker,
        keyframe: vp9::is_keyframe_start(payload),
        parameter_sets: false,
        header_len: descriptor.len,
        needs: Needs::Vp9(Box::new(descriptor)),
    })
}

fn of_h264(payload: &[u8], marker: bool) -> Option<Part> {
    let first = payload.first()? & 0x1f;
    let later_fragment = first == h264::nal::FU_A && payload.get(1).is_none_or(|fu| fu & 0x80 == 0);
    let parameter_sets = h264::is_keyframe_start(payload);
    let keyframe = parameter_sets || h264::nal_types(payload).any(|nal| nal == h264::nal::IDR);
    let begins = match (later_fragment, parameter_sets) {
        (true, _) => Begins::No,
        (false, true) => Begins::Fresh,
        (false, false) => Begins::AfterEnd,
    };
    Some(Part {
        codec: Codec::H264,
        begins,
        ends: marker,
        marker,
        keyframe,
        parameter_sets,
        needs: Needs::Previous,
        header_len: 0,
    })
}

fn of_av1(payload: &[u8], marker: bool) -> Option<Part> {
    let header = av1::AggregationHeader::parse(payload)?;
    let keyframe = av1::is_keyframe_start(payload);
    let begins = match (header.continues, keyframe) {
        (true, _) => Begins::No,
        (false, true) => Begins::Yes,
        (false, false) => Begins::AfterEnd,
    };
    Some(Part {
        codec: Codec::Av1,
        begins,
        ends: marker,
        marker,
        keyframe,
        parameter_sets: false,
        needs: Needs::Previous,
        // The aggregation header is needed to put the OBUs together.
        header_len: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_of_frames_in_each_format() {
        for (name, codec, payload, marker, expected) in [
            ("VP8 start", Codec::Vp8, &[0x10, 0x11][..], false, Some((Begins::Yes, false, false))),
            ("VP8 key, alone", Codec::Vp8, &[0x10, 0x10], true, Some((Begins::Yes, true, true))),
            ("VP8 second partition", Codec::Vp8, &[0x11, 0x10], true, Some((Begins::No, true, false))),
            ("VP9 whole key frame", Codec::Vp9, &[0x0c, 1], true, Some((Begins::Yes, true, true))),
            ("VP9 middle", Codec::Vp9, &[0x40, 1], false, Some((Begins::No, false, false))),
            ("H.264 slice", Codec::H264, &[0x41, 1], true, Some((Begins::AfterEnd, true, false))),
            ("H.264 SPS", Codec::H264, &[0x67, 1], false, Some((Begins::Fresh, false, true))),
            ("H.264 later fragment", Codec::H264, &[0x7c, 0x05, 1], false, Some((Begins::No, false, false))),
            ("AV1 new sequence", Codec::Av1, &[0x18, 0x0a], false, Some((Begins::Yes, false, true))),
            (
                "AV1 first of a frame",
                Codec::Av1,
                &[0x10, 0x32],
                false,
                Some((Begins::AfterEnd, false, false)),
            ),
            ("AV1 goes on", Codec::Av1, &[0x90, 0x32], true, Some((Begins::No, true, false))),
            ("cut", Codec::Vp9, &[0x80], true, None),
            ("audio", Codec::Opus, &[0x80], true, None),
        ] {
            let part = Part::describe(codec, payload, marker, None);
            assert_eq!(part.map(|p| (p.begins, p.ends, p.keyframe)), expected, "{name}");
        }
    }

    #[test]
    fn a_dependency_descriptor_wins_over_the_payload() {
        let middle = [0x00, 0, 7];
        let part = Part::describe(Codec::Av1, &[0x18, 0x0a], true, Some(&middle)).unwrap();
        assert_eq!((part.begins, part.ends, part.keyframe), (Begins::No, false, false));
        assert!(Part::describe(Codec::Av1, &[0x18], true, Some(&[0x80])).is_none(), "cut");
    }
}
