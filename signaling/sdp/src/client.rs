//! The native client's side: an offer from plain values, and what the answer made of it.

use crate::Error;
use crate::codecs::{Agreed, REPAIR_WINDOW, agree};
use crate::parse::{Direction, Feedback, Media, Session};
use crate::write::{Writer, line};
use packet::ext::{Extension, ExtensionMap};
use packet::media::{Codec, CodecConfig, MediaKind, PeerMedia, SendTrack, Slot};
use packet::{Mid, PayloadType, Rid, Ssrc};
use std::fmt::Write;
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};

/// What goes into an offer: first the tracks, then the slot pairs, in the order given.
#[derive(Clone, Debug)]
pub struct OfferParams<'a> {
    pub ice: IceCredentials,
    pub fingerprint: Fingerprint,
    pub setup: DtlsSetup,
    pub candidates: &'a [Candidate],
    pub codecs: &'a [CodecConfig],
    pub extensions: ExtensionMap,
    pub tracks: &'a [SendTrack],
    /// (audio, video) m-lines to receive on.
    pub pairs: &'a [(Mid, Mid)],
    /// M-line of data channels, behind the tracks.
    pub data: Option<Mid>,
    pub cname: &'a str,
    pub session_id: u64,
    /// Counts the offers of one session.
    pub session_version: u64,
}

/// Opus and VP8 with retransmission, and FlexFEC, which is what the native client publishes and understands.
pub fn native_codecs() -> Vec<CodecConfig> {
    let config = |codec, pt, rtx: Option<u8>, fmtp: &str| CodecConfig {
        codec,
        pt: PayloadType(pt),
        rtx: rtx.map(PayloadType),
        fmtp: fmtp.to_owned(),
        nack: codec != Codec::Flexfec,
        pli: codec == Codec::Vp8,
        transport_cc: true,
    };
    vec![
        config(Codec::Opus, 111, Some(112), "minptime=10;useinbandfec=1"),
        config(Codec::Red, 63, None, "111/111"),
        config(Codec::Vp8, 96, Some(97), ""),
        config(Codec::Flexfec, 98, None, REPAIR_WINDOW),
    ]
}

/// Ids as Chromium gives them, so traces of both read alike.
pub fn native_extensions() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    let ids = [
        (Extension::AudioLevel, 1),
        (Extension::AbsSendTime, 2),
        (Extension::TransportSequence, 3),
        (Extension::Mid, 4),
        (Extension::Rid, 10),
        (Extension::RepairedRid, 11),
        (Extension::AbsCaptureTime, 12),
    ];
    ids.into_iter().for_each(|(extension, id)| map.set(extension, id));
    map
}

pub fn make_offer(params: &OfferParams<'_>) -> String {
    let slots = params
        .pairs
        .iter()
        .flat_map(|&(audio, video)| [(audio, MediaKind::Audio), (video, MediaKind::Video)]);
    let bundle: Vec<Mid> =
        params.tracks.iter().map(|t| t.mid).chain(params.data).chain(slots.clone().map(|s| s.0)).collect();
    let mut w = Writer::new(params.session_id, params.session_version, false, &bundle);
    line!(w, "a=extmap-allow-mixed");
    for (index, track) in params.tracks.iter().enumerate() {
        head(&mut w, params, track.mid, track.kind, index == 0, !track.rids.is_empty());
        line!(w, "a=sendonly");
        line!(w, "a=msid:{} {}", params.cname, track.mid);
        w.codecs(&offered(params.codecs, track.kind));
        if track.rids.is_empty() {
            for &(ssrc, rtx) in &track.ssrcs {
                w.ssrcs(ssrc, (rtx, None), params.cname);
            }
        } else {
            let names: Vec<&str> = track.rids.iter().map(|r| r.as_str()).collect();
            for name in &names {
                line!(w, "a=rid:{name} send");
            }
            line!(w, "a=simulcast:send {}", names.join(";"));
        }
    }
    if let Some(mid) = params.data {
        w.data_media();
        line!(w, "a=mid:{mid}");
        w.secure(&params.ice, params.fingerprint, params.setup);
        if params.tracks.is_empty() {
            w.candidates(params.candidates);
        }
        w.sctp();
    }
    for (index, (mid, kind)) in slots.enumerate() {
        let is_first = index == 0 && params.tracks.is_empty() && params.data.is_none();
        head(&mut w, params, mid, kind, is_first, false);
        line!(w, "a=recvonly");
        w.codecs(&offered(params.codecs, kind));
    }
    w.0
}

fn head(w: &mut Writer, params: &OfferParams<'_>, mid: Mid, kind: MediaKind, first: bool, layers: bool) {
    w.media(kind, &offered(params.codecs, kind));
    line!(w, "a=mid:{mid}");
    w.secure(&params.ice, params.fingerprint, params.setup);
    if first {
        w.candidates(params.candidates);
    }
    line!(w, "a=rtcp-mux");
    line!(w, "a=rtcp-rsize");
    for (extension, id) in params.extensions.iter() {
        let fits = match extension {
            Extension::Rid | Extension::RepairedRid => layers,
            Extension::AudioLevel => kind == MediaKind::Audio,
            Extension::VideoOrientation | Extension::DependencyDescriptor => kind == MediaKind::Video,
            _ => true,
        };
        if fits {
            line!(w, "a=extmap:{id} {}", extension.uri());
        }
    }
}

fn offered(codecs: &[CodecConfig], kind: MediaKind) -> Vec<Agreed> {
    codecs
        .iter()
        .filter(|c| c.codec.kind() == kind)
        .map(|config| Agreed {
            config: config.clone(),
            feedback: Feedback {
                nack: config.nack,
                pli: config.pli,
                fir: config.pli,
                transport_cc: config.transport_cc,
                remb: false,
            },
        })
        .collect()
}

/// What `answer` made of the offer: `tracks` are those we may send on, `slots` what will arrive. M-lines that were
/// refused are simply not there.
///
/// Errors: a description that does not parse, m-lines that are not those of the offer, no DTLS role, nothing accepted.
pub fn accept_answer(params: &OfferParams<'_>, answer: &str) -> Result<(PeerMedia, Remote), Error> {
    let session = Session::parse(answer)?;
    let remote = session.remote()?;
    if remote.setup == DtlsSetup::ActPass {
        return Err(Error::Conflict("an answer must choose its DTLS role"));
    }
    let mut media = PeerMedia::default();
    // The offer has said the same.
    media.extensions.allow_mixed = session.extmap_allow_mixed;
    let mut expected = params
        .tracks
        .iter()
        .map(|t| t.mid)
        .chain(params.data)
        .chain(params.pairs.iter().flat_map(|&(audio, video)| [audio, video]));
    for line in &session.media {
        if line.mid.is_none() || line.mid != expected.next() {
            return Err(Error::Conflict("the answer's m-lines are not those of the offer"));
        }
        if line.is_on() {
            media.sctp_port = line.data_port().or(media.sctp_port);
            accept_line(params, line, &mut media);
        }
    }
    if expected.next().is_some() {
        return Err(Error::Conflict("the answer has fewer m-lines than the offer"));
    }
    if media.tracks.is_empty() && media.slots.is_empty() {
        return Err(Error::NothingInCommon);
    }
    Ok((media, remote))
}

fn accept_line(params: &OfferParams<'_>, line: &Media, media: &mut PeerMedia) {
    let (Some(mid), Some(kind)) = (line.mid, line.kind) else { return };
    for Agreed { config, .. } in agree(line, true) {
        if params.codecs.iter().any(|c| c.codec == config.codec && c.pt == config.pt)
            && !media.codecs.iter().any(|c| c.pt == config.pt)
        {
            media.codecs.push(config);
        }
    }
    for &(extension, id, _) in &line.extensions {
        if params.extensions.id(extension) == Some(id) {
            media.extensions.set(extension, id);
        }
    }
    let they_receive = matches!(line.direction, Direction::RecvOnly | Direction::SendRecv);
    let they_send = matches!(line.direction, Direction::SendOnly | Direction::SendRecv);
    if let Some(track) = params.tracks.iter().find(|t| t.mid == mid && they_receive) {
        let mut track = track.clone();
        let taken = |rid: &Rid| line.simulcast_recv.contains(rid);
        if track.rids.iter().any(taken) {
            // The sources stay beside the layers they are for.
            let mut kept = track.rids.iter().map(taken);
            track.ssrcs.retain(|_| kept.next().unwrap_or(false));
            track.rids.retain(taken);
        } else {
            track.rids.clear();
            track.ssrcs.truncate(1);
        }
        media.tracks.push(track);
    } else if they_send {
        let is_repair = |ssrc: &Ssrc| line.fid.iter().chain(&line.fec).any(|pair| pair.1 == *ssrc);
        if let Some(&ssrc) = line.ssrcs.iter().find(|ssrc| !is_repair(ssrc)) {
            let partner =
                |pairs: &[(Ssrc, Ssrc)]| pairs.iter().find(|pair| pair.0 == ssrc).map(|pair| pair.1);
            let (rtx, fec) = (partner(&line.fid), partner(&line.fec));
            media.slots.push(Slot { mid, kind, ssrc, rtx, fec });
        }
    }
}
