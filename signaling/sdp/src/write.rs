//! The lines that offers and answers share.

use crate::codecs::Agreed;
use packet::data::MESSAGE_BYTES_MAX;
use packet::media::{Codec, MediaKind};
use packet::{Mid, Ssrc};
use std::fmt::Write;
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials};

/// Everybody's; it is inside DTLS and means nothing.
const SCTP_PORT: u16 = 5000;

/// A description under construction.
pub(crate) struct Writer(pub String);

macro_rules! line {
    ($writer:expr, $($part:tt)*) => {{
        // Writing to a String cannot fail.
        let _ = write!($writer.0, $($part)*);
        $writer.0.push_str("\r\n");
    }};
}
pub(crate) use line;

impl Writer {
    pub fn new(session_id: u64, version: u64, ice_lite: bool, bundle: &[Mid]) -> Self {
        let mut w = Self(String::with_capacity(4096));
        line!(w, "v=0");
        // 63 bits, because some parsers read it signed (RFC 8866 section 5.2 asks for a numeric string).
        line!(w, "o=- {} {} IN IP4 127.0.0.1", session_id >> 1, version);
        line!(w, "s=-");
        line!(w, "t=0 0");
        if ice_lite {
            line!(w, "a=ice-lite");
        }
        let _ = write!(w.0, "a=group:BUNDLE");
        for mid in bundle {
            let _ = write!(w.0, " {mid}");
        }
        w.0.push_str("\r\n");
        line!(w, "a=msid-semantic: WMS *");
        w
    }

    /// `m=` with payload types, and `c=`.
    pub fn media(&mut self, kind: MediaKind, agreed: &[Agreed]) {
        let word = match kind {
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
        };
        let _ = write!(self.0, "m={word} 9 UDP/TLS/RTP/SAVPF");
        for Agreed { config, .. } in agreed {
            let _ = write!(self.0, " {}", config.pt.0);
            if let Some(rtx) = config.rtx {
                let _ = write!(self.0, " {}", rtx.0);
            }
        }
        self.0.push_str("\r\n");
        line!(self, "c=IN IP4 0.0.0.0");
        line!(self, "a=rtcp:9 IN IP4 0.0.0.0");
    }

    /// `m=` of data channels with `c=`; what an association needs to know follows the transport's lines.
    pub fn data_media(&mut self) {
        line!(self, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel");
        line!(self, "c=IN IP4 0.0.0.0");
    }

    pub fn sctp(&mut self) {
        line!(self, "a=sctp-port:{SCTP_PORT}");
        line!(self, "a=max-message-size:{MESSAGE_BYTES_MAX}");
    }

    pub fn secure(&mut self, ice: &IceCredentials, fingerprint: Fingerprint, setup: DtlsSetup) {
        line!(self, "a=ice-ufrag:{}", ice.ufrag);
        line!(self, "a=ice-pwd:{}", ice.pwd);
        line!(self, "a=ice-options:trickle");
        let digest: Vec<String> = fingerprint.0.iter().map(|b| format!("{b:02X}")).collect();
        line!(self, "a=fingerprint:sha-256 {}", digest.join(":"));
        let setup = match setup {
            DtlsSetup::ActPass => "actpass",
            DtlsSetup::Active => "active",
            DtlsSetup::Passive => "passive",
        };
        line!(self, "a=setup:{setup}");
    }

    /// All candidates and the word that no more will come (RFC 8840 section 8.2). In order of preference.
    pub fn candidates(&mut self, candidates: &[Candidate]) {
        for (index, candidate) in candidates.iter().enumerate() {
            // RFC 8445 section 5.1.2.1 with type preference 126 (host) and component 1.
            let priority = (126 << 24) | ((65_535 - index.min(65_535) as u32) << 8) | 255;
            let address = candidate.address;
            line!(
                self,
                "a=candidate:{} 1 udp {priority} {} {} typ host",
                index + 1,
                address.ip(),
                address.port()
            );
        }
        line!(self, "a=end-of-candidates");
    }

    pub fn codecs(&mut self, agreed: &[Agreed]) {
        for Agreed { config, feedback } in agreed {
            let pt = config.pt.0;
            let encoding = match config.codec {
                Codec::Opus => "opus/48000/2",
                Codec::Red => "red/48000/2",
                Codec::VideoRed => "red/90000",
                Codec::Ulpfec => "ulpfec/90000",
                Codec::Flexfec => "flexfec/90000",
                Codec::Flexfec03 => "flexfec-03/90000",
                Codec::Vp8 => "VP8/90000",
                Codec::Vp9 => "VP9/90000",
                Codec::H264 => "H264/90000",
                Codec::Av1 => "AV1/90000",
            };
            line!(self, "a=rtpmap:{pt} {encoding}");
            let kinds = [
                (feedback.remb, "goog-remb"),
                (feedback.transport_cc, "transport-cc"),
                (feedback.fir, "ccm fir"),
                (feedback.nack, "nack"),
                (feedback.pli, "nack pli"),
            ];
            for (_, kind) in kinds.into_iter().filter(|(on, _)| *on) {
                line!(self, "a=rtcp-fb:{pt} {kind}");
            }
            if !config.fmtp.is_empty() {
                line!(self, "a=fmtp:{pt} {}", config.fmtp);
            }
            if let Some(rtx) = config.rtx {
                line!(self, "a=rtpmap:{} rtx/{}", rtx.0, config.codec.clock_rate());
                line!(self, "a=fmtp:{} apt={pt}", rtx.0);
            }
        }
    }

    pub fn ssrcs(&mut self, ssrc: Ssrc, (rtx, fec): (Option<Ssrc>, Option<Ssrc>), cname: &str) {
        if let Some(rtx) = rtx {
            line!(self, "a=ssrc-group:FID {} {}", ssrc.0, rtx.0);
        }
        if let Some(fec) = fec {
            // RFC 5956 section 4.3.
            line!(self, "a=ssrc-group:FEC-FR {} {}", ssrc.0, fec.0);
        }
        for ssrc in [Some(ssrc), rtx, fec].into_iter().flatten() {
            line!(self, "a=ssrc:{} cname:{cname}", ssrc.0);
        }
    }
}
