//! What an RTP payload says about its frame, without decoding it: descriptors, frame borders, keyframes.

pub mod av1;
pub mod h264;
pub mod opus;
pub mod vp8;
pub mod vp9;

use crate::media::Codec;

/// True if this payload begins a frame that a decoder can start from. Audio: always.
pub fn is_keyframe_start(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus | Codec::Red => true,
        Codec::VideoRed | Codec::Ulpfec | Codec::Flexfec | Codec::Flexfec03 => false,
        Codec::Vp8 => vp8::is_keyframe_start(payload),
        Codec::Vp9 => vp9::is_keyframe_start(payload),
        Codec::H264 => h264::is_keyframe_start(payload),
        Codec::Av1 => av1::is_keyframe_start(payload),
    }
}

/// Width and height in pixels, where the first packet of a key frame says so in clear; VP9 says so in its descriptor.
pub fn picture_size(codec: Codec, payload: &[u8]) -> Option<(u16, u16)> {
    match codec {
        Codec::Vp8 => vp8::picture_size(payload),
        Codec::H264 => h264::picture_size(payload),
        _ => None,
    }
}
