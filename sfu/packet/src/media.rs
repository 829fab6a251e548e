//! What was negotiated for one peer, as plain values: the border between `sdp` (which makes them) and
//! `sfu-core` / `client-core` (which live by them).

use crate::ext::ExtensionMap;
use crate::{Mid, PayloadType, Rid, Ssrc};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MediaKind {
    Audio,
    Video,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Codec {
    Opus,
    /// RFC 2198, for audio.
    Red,
    /// RFC 2198, for video: one block a packet, of a picture or of [`Codec::Ulpfec`].
    VideoRed,
    /// RFC 5109, inside [`Codec::VideoRed`].
    Ulpfec,
    /// RFC 8627, on a source of its own.
    Flexfec,
    /// What came before it, as libwebrtc speaks it (draft-ietf-payload-flexible-fec-scheme-03): `flexfec-03`.
    Flexfec03,
    Vp8,
    Vp9,
    H264,
    Av1,
}

impl Codec {
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Red => MediaKind::Audio,
            _ => MediaKind::Video,
        }
    }
    /// Pictures or sound themselves, and not a wrapping or protection of them.
    pub fn is_media(self) -> bool {
        !matches!(self, Self::Red | Self::VideoRed | Self::Ulpfec | Self::Flexfec | Self::Flexfec03)
    }
    /// RTP clock in Hz.
    pub fn clock_rate(self) -> u32 {
        match self.kind() {
            MediaKind::Audio => 48_000,
            MediaKind::Video => 90_000,
        }
    }
}

/// One negotiated payload type. With BUNDLE a payload type means the same in every m-line of the session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodecConfig {
    pub codec: Codec,
    pub pt: PayloadType,
    /// RTX (RFC 4588) payload type whose `apt` is `pt`.
    pub rtx: Option<PayloadType>,
    /// As in `a=fmtp`, e.g. `level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f`.
    pub fmtp: String,
    pub nack: bool,
    pub pli: bool,
    pub transport_cc: bool,
}

/// An m-line on which the peer sends to us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendTrack {
    pub mid: Mid,
    pub kind: MediaKind,
    /// Simulcast layers in the order offered, low to high as the SDK offers them; empty: no simulcast.
    pub rids: Vec<Rid>,
    /// Declared SSRCs with their RTX partner, when the SDP names them (without rids it usually does).
    pub ssrcs: Vec<(Ssrc, Option<Ssrc>)>,
}

/// An m-line on which the peer receives from us: fixed SSRC, rebound from participant to participant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    pub mid: Mid,
    pub kind: MediaKind,
    pub ssrc: Ssrc,
    pub rtx: Option<Ssrc>,
    /// What repair packets (FlexFEC) are sent with.
    pub fec: Option<Ssrc>,
}

/// Everything negotiated with one peer, seen from the server: `tracks` come in, `slots` go out. The native client
/// holds the same value about itself (it sends on `tracks` and receives on `slots`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerMedia {
    pub codecs: Vec<CodecConfig>,
    pub extensions: ExtensionMap,
    pub tracks: Vec<SendTrack>,
    pub slots: Vec<Slot>,
    /// The peer takes data channels, at this SCTP port inside DTLS (RFC 8841 section 5).
    pub sctp_port: Option<u16>,
}
