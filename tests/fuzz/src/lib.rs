//! What hostile bytes must not break, one plain function per target: libFuzzer looks for inputs, and `cargo test -p tests`
//! replays those that are kept in `corpus/`.
//!
//! A body panics when something is wrong. It takes any bytes, of any length, and keeps nothing between two inputs.

mod audio;
#[path = "../../../sfu/bwe/tests/script/mod.rs"]
mod congestion;
pub mod data;
mod opus;
#[path = "../../../sfu/packet/tests/answers/mod.rs"]
mod packet_answers;
pub mod pair;
mod router;
mod signaling;
pub mod tokens;
mod traces;
mod transport;
#[path = "../../../jitter/tests/video_answers/mod.rs"]
mod video_answers;

pub use self::audio::audio_buffer;
pub use self::data::data_channel;
pub use self::opus::opus;
pub use self::router::router_media;
pub use self::traces::network_trace;
pub use self::transport::{dtls_record, srtp_unprotect, stun_demux};
pub use packet_answers::{codec_descriptors, rtcp, rtp};
pub use signaling::{sdp_offer, signaling_deflate, signaling_json};
pub use tokens::access_token;

/// Takes any bytes; panics if they broke something.
pub type Body = fn(&[u8]);

/// Name and body of every target; a file of `fuzz_targets/` and a folder of `corpus/` has each name.
pub const TARGETS: &[(&str, Body)] = &[
    ("access_token", access_token),
    ("audio_buffer", audio_buffer),
    ("codec_descriptors", codec_descriptors),
    ("congestion_feedback", congestion_feedback),
    ("data_channel", data_channel),
    ("dependency_descriptor", dependency_descriptor),
    ("dtls_record", dtls_record),
    ("fec", fec),
    ("network_trace", network_trace),
    ("opus", opus),
    ("router_media", router_media),
    ("rtcp", rtcp),
    ("rtp", rtp),
    ("sdp_offer", sdp_offer),
    ("signaling_deflate", signaling_deflate),
    ("signaling_json", signaling_json),
    ("srtp_unprotect", srtp_unprotect),
    ("stun_demux", stun_demux),
    ("video_buffer", video_buffer),
];

/// A stream of descriptors, each behind a byte with its length; the structure of one is in force for the next.
pub fn dependency_descriptor(mut input: &[u8]) {
    let mut in_force = None;
    while let [len, rest @ ..] = input {
        let (descriptor, behind) = rest.split_at(rest.len().min(usize::from(*len)));
        if let Some(structure) = packet_answers::dependency_descriptor(descriptor, in_force.as_ref()) {
            in_force = Some(structure);
        }
        input = behind;
    }
}

/// What a sender does and what a peer reports, as steps; see `congestion::drive`.
pub fn congestion_feedback(input: &[u8]) {
    congestion::drive(std::time::Instant::now(), input);
}

/// A script of packets, moments and settings; see `video_answers::video`.
pub fn video_buffer(input: &[u8]) {
    video_answers::video(input);
}

/// A repair payload, then packets, each behind two bytes with its length.
pub fn fec(mut input: &[u8]) {
    let payload = chunk(&mut input).unwrap_or_default();
    let packets: Vec<&[u8]> = std::iter::from_fn(|| chunk(&mut input)).take(16).collect();
    packet_answers::fec(payload, &packets);
}

/// Splits off a chunk behind two bytes with its length, which is cut to what is there.
fn chunk<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (&len, rest) = input.split_first_chunk::<2>()?;
    let (chunk, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(len))));
    *input = rest;
    Some(chunk)
}
