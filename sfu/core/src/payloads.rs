//! Payload types of one session, and what a publisher's payload type is called by a subscriber.

use packet::PayloadType;
use packet::media::{Codec, CodecConfig};

/// What a payload type means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Meaning {
    Media(Codec),
    /// RTX for this payload type.
    Rtx(PayloadType, Codec),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Payloads {
    codecs: Vec<CodecConfig>,
}

/// A publisher's codec in a subscriber's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mapped {
    pub pt: PayloadType,
    pub rtx: Option<PayloadType>,
    /// The subscriber may ask for lost packets.
    pub nack: bool,
}

impl Payloads {
    pub fn new(codecs: Vec<CodecConfig>) -> Self {
        Self { codecs }
    }

    /// A session has about ten payload types: a walk is faster than a table in a cold cache line.
    pub fn meaning(&self, pt: PayloadType) -> Option<Meaning> {
        self.codecs.iter().find_map(|c| {
            if c.pt == pt {
                Some(Meaning::Media(c.codec))
            } else if c.rtx == Some(pt) {
                Some(Meaning::Rtx(c.pt, c.codec))
            } else {
                None
            }
        })
    }

    pub fn config(&self, pt: PayloadType) -> Option<&CodecConfig> {
        self.codecs.iter().find(|c| c.pt == pt)
    }

    pub fn first(&self, codec: Codec) -> Option<&CodecConfig> {
        self.codecs.iter().find(|c| c.codec == codec)
    }

    /// A payload type that packets of nothing but padding may have.
    pub fn any_rtx(&self) -> Option<PayloadType> {
        self.codecs.iter().find_map(|c| c.rtx)
    }

    /// What `pt` of `publisher` is here; `None`: this session cannot decode it.
    pub fn mapped(&self, publisher: &Payloads, pt: PayloadType) -> Option<Mapped> {
        let theirs = publisher.config(pt)?;
        let same = |ours: &&CodecConfig| ours.codec == theirs.codec && compatible(ours, theirs);
        let ours = self.codecs.iter().find(same)?;
        Some(Mapped { pt: ours.pt, rtx: ours.rtx, nack: ours.nack })
    }
}

/// One parameter of an `a=fmtp` value.
fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';')
        .filter_map(|p| p.trim().split_once('='))
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|p| p.1)
}

/// Same codec; do the profiles agree? The level is what a decoder was asked to promise, not what a stream is.
fn compatible(a: &CodecConfig, b: &CodecConfig) -> bool {
    let same = |name: &str, default: &str| {
        parameter(&a.fmtp, name).unwrap_or(default) == parameter(&b.fmtp, name).unwrap_or(default)
    };
    match a.codec {
        Codec::H264 => {
            // RFC 6184 section 8.1: the first two hex digits are profile_idc. Which constraints of it an encoder keeps to is announced in
            // many ways (42e0, 42c0, 4200), and what real ones send decodes everywhere.
            let profile = |c: &CodecConfig| {
                let id = parameter(&c.fmtp, "profile-level-id").unwrap_or("420010");
                id.get(..2).unwrap_or(id).to_ascii_lowercase()
            };
            same("packetization-mode", "0") && profile(a) == profile(b)
        }
        Codec::Vp9 => same("profile-id", "0"),
        Codec::Av1 => same("profile", "0"),
        Codec::Opus
        | Codec::Red
        | Codec::Vp8
        | Codec::VideoRed
        | Codec::Ulpfec
        | Codec::Flexfec
        | Codec::Flexfec03 => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec(codec: Codec, pt: u8, rtx: Option<u8>, fmtp: &str) -> CodecConfig {
        let (pt, rtx, fmtp) = (PayloadType(pt), rtx.map(PayloadType), fmtp.to_owned());
        CodecConfig { codec, pt, rtx, fmtp, nack: true, pli: true, transport_cc: true }
    }

    #[test]
    fn a_codec_is_found_by_what_it_is_not_by_its_number() {
        let publisher = Payloads::new(vec![
            codec(Codec::Opus, 111, None, "minptime=10"),
            codec(Codec::Vp8, 96, Some(97), ""),
            codec(Codec::H264, 102, Some(103), "packetization-mode=1;profile-level-id=42e01f"),
            codec(Codec::Vp9, 98, None, "profile-id=2"),
            codec(Codec::H264, 104, None, "packetization-mode=1;profile-level-id=42001f"),
            codec(Codec::H264, 105, None, "packetization-mode=1;profile-level-id=42C02A"),
            codec(Codec::H264, 106, None, "packetization-mode=1;profile-level-id=64001f"),
        ]);
        let subscriber = Payloads::new(vec![
            codec(Codec::Opus, 109, None, ""),
            codec(Codec::H264, 126, None, "profile-level-id=42E01F;packetization-mode=0"),
            codec(Codec::H264, 97, Some(98), "profile-level-id=42E034;packetization-mode=1"),
            codec(Codec::Vp8, 120, Some(124), ""),
            codec(Codec::Vp9, 121, None, ""),
        ]);
        for (theirs, ours) in [
            (111, Some((109, None))),
            (96, Some((120, Some(124)))),
            (102, Some((97, Some(98)))),
            (104, Some((97, Some(98)))),
            (105, Some((97, Some(98)))),
            (106, None),
            (98, None),
            (97, None),
            (1, None),
        ] {
            let ours = ours.map(|(pt, rtx): (u8, Option<u8>)| Mapped {
                pt: PayloadType(pt),
                rtx: rtx.map(PayloadType),
                nack: true,
            });
            assert_eq!(subscriber.mapped(&publisher, PayloadType(theirs)), ours, "{theirs}");
        }
        assert_eq!(publisher.meaning(PayloadType(97)), Some(Meaning::Rtx(PayloadType(96), Codec::Vp8)));
        assert_eq!(publisher.meaning(PayloadType(5)), None);
    }
}
