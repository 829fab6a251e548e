//! Which of the offered codecs we take, and with which parameters.
//!
//! The order of the offer is kept: browsers send with the first codec of the answer, so what they prefer is what we
//! get. Parameters are written anew from values that were understood; nothing of the offer is repeated unread.

use crate::parse::{Feedback, Format, Media};
use packet::PayloadType;
use packet::media::{Codec, CodecConfig};

/// One codec of one m-line as both sides agreed.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub config: CodecConfig,
    pub feedback: Feedback,
}

/// Audio and video codecs of `media` that we carry. Without retransmission of its own when the m-line has none.
pub(crate) fn agree(media: &Media, with_red: bool) -> Vec<Agreed> {
    let mut agreed: Vec<Agreed> = Vec::new();
    let has_constrained = media.formats.iter().filter_map(baseline).any(|baseline| baseline.is_constrained);
    for format in &media.formats {
        let Some((codec, fmtp)) = recognise(format) else { continue };
        let is_second_choice =
            has_constrained && baseline(format).is_some_and(|baseline| !baseline.is_constrained);
        if Some(codec.kind()) != media.kind
            || is_second_choice
            || codec == Codec::Red && !with_red
            || agreed.iter().any(|a| a.config.codec == codec)
        {
            continue;
        }
        let feedback = format.feedback;
        agreed.push(Agreed {
            config: CodecConfig {
                codec,
                pt: format.pt,
                rtx: rtx_of(media, format.pt),
                fmtp,
                nack: feedback.nack,
                pli: feedback.pli,
                transport_cc: feedback.transport_cc,
            },
            feedback,
        });
    }
    // RED carries Opus blocks by payload type: it means nothing without it.
    let opus = agreed.iter().find(|a| a.config.codec == Codec::Opus).map(|a| a.config.pt);
    // ULPFEC comes inside RED.
    if ![Codec::VideoRed, Codec::Ulpfec].iter().all(|codec| agreed.iter().any(|a| a.config.codec == *codec)) {
        without_fec(&mut agreed);
    }
    // Nobody needs two kinds.
    if agreed.iter().any(|a| a.config.codec == Codec::Flexfec) {
        agreed.retain(|a| a.config.codec != Codec::Flexfec03);
    }
    // Wrappings mean nothing without what they wrap.
    if agreed.iter().all(|a| !a.config.codec.is_media()) {
        agreed.clear();
    }
    match opus {
        Some(pt) => {
            for red in agreed.iter_mut().filter(|a| a.config.codec == Codec::Red) {
                red.config.fmtp = format!("{0}/{0}", pt.0);
            }
        }
        None => agreed.retain(|a| a.config.codec != Codec::Red),
    }
    agreed
}

/// From the first packet that a repair packet is made of to the repair packet: longer than ours reach back.
pub(crate) const REPAIR_WINDOW: &str = "repair-window=200000";

/// Without what comes in RED.
pub(crate) fn without_fec(agreed: &mut Vec<Agreed>) {
    agreed.retain(|a| !matches!(a.config.codec, Codec::VideoRed | Codec::Ulpfec));
}

fn rtx_of(media: &Media, pt: PayloadType) -> Option<PayloadType> {
    media
        .formats
        .iter()
        .find(|f| {
            f.encoding == "rtx"
                && f.parameter("apt").and_then(|apt| apt.parse().ok()) == Some(pt.0)
                && f.pt != pt
        })
        .map(|f| f.pt)
}

/// H264 as we carry it.
struct Baseline {
    profile_level_id: u32,
    /// What every browser decodes. Encoders that announce the plain profile (FFmpeg) use no more of it, so it does where nothing else is offered.
    is_constrained: bool,
}

/// Baseline in packetization mode 1: profile_idc 66, the reserved low bits of profile-iop clear; constrained with constraint_set1 (RFC 6184 table 5).
fn baseline(format: &Format) -> Option<Baseline> {
    let mode = format.parameter("packetization-mode").unwrap_or("0");
    if (format.encoding.as_str(), format.clock_rate, mode) != ("h264", 90_000, "1") {
        return None;
    }
    let id = format.parameter("profile-level-id").unwrap_or("42000a");
    let profile_level_id = (id.len() == 6).then(|| u32::from_str_radix(id, 16).ok())??;
    let is_baseline = profile_level_id >> 16 == 0x42 && profile_level_id >> 8 & 0x0f == 0;
    is_baseline.then_some(Baseline { profile_level_id, is_constrained: profile_level_id >> 8 & 0x40 != 0 })
}

fn recognise(format: &Format) -> Option<(Codec, String)> {
    let number = |name: &str, default: u32| match format.parameter(name) {
        Some(text) => text.parse().ok(),
        None => Some(default),
    };
    Some(match (format.encoding.as_str(), format.clock_rate) {
        ("opus", 48_000) => (Codec::Opus, "minptime=10;useinbandfec=1".to_owned()),
        ("red", 48_000) => (Codec::Red, String::new()),
        ("red", 90_000) => (Codec::VideoRed, String::new()),
        ("ulpfec", 90_000) => (Codec::Ulpfec, String::new()),
        // RFC 8627 section 5.1.1: in microseconds, and required.
        ("flexfec", 90_000) if number("repair-window", 0)? > 0 => (Codec::Flexfec, REPAIR_WINDOW.to_owned()),
        ("flexfec-03", 90_000) if number("repair-window", 0)? > 0 => {
            (Codec::Flexfec03, REPAIR_WINDOW.to_owned())
        }
        ("vp8", 90_000) => (Codec::Vp8, String::new()),
        // Profile 0 is 8 bit 4:2:0 (RFC 9628 section 7.1); absent means 0.
        ("vp9", 90_000) if number("profile-id", 0)? == 0 => (Codec::Vp9, "profile-id=0".to_owned()),
        // Absent: profile 0, level 5 (3.1), tier 0 (AV1 RTP specification section 7.2.1).
        ("av1", 90_000) if number("profile", 0)? == 0 && number("tier", 0)? == 0 => {
            let level = number("level-idx", 5)?.min(31);
            (Codec::Av1, format!("level-idx={level};profile=0;tier=0"))
        }
        ("h264", 90_000) => {
            let id = baseline(format)?.profile_level_id;
            let fmtp = format!("level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={id:06x}");
            (Codec::H264, fmtp)
        }
        _ => return None,
    })
}
