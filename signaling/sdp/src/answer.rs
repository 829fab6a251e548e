//! The server's answer to an offer.
//!
//! Every m-line keeps its place (RFC 9429 section 5.3.1). What we cannot carry gets port 0; m-lines the peer sends on
//! become tracks, m-lines it only receives on become slots with an SSRC of ours that never changes.

use crate::codecs::{Agreed, agree, without_fec};
use crate::parse::{Direction, Media, Offer};
use crate::ssrc::SsrcPicker;
use crate::write::{Writer, line};
use crate::{CNAME, Error};
use packet::ext::{Extension, ExtensionMap};
use packet::media::{Codec, CodecConfig, MediaKind, PeerMedia, SendTrack, Slot};
use packet::{Mid, PayloadType, Rid, Ssrc};
use std::fmt::Write;
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};

/// What the server brings to an answer.
#[derive(Clone, Debug)]
pub struct AnswerParams<'a> {
    /// Keep the old ones for a new offer of the same session unless its ICE credentials changed.
    pub ice: IceCredentials,
    pub fingerprint: Fingerprint,
    /// Our role when the offer leaves the choice (`actpass`): `Passive` or `Active`.
    pub setup: DtlsSetup,
    /// In order of preference.
    pub candidates: &'a [Candidate],
    pub ice_lite: bool,
    /// Receive-only audio and video m-lines that share a media stream. Slots not named here have one of their own.
    pub pairs: &'a [(Mid, Mid)],
    /// Negotiate RED (RFC 2198) where offered. Opus stays first unless the offer puts RED first.
    pub red: bool,
    /// Accept data channels where offered.
    pub data: bool,
    /// New slots draw their SSRCs from it.
    pub ssrc_seed: u64,
    /// Outcome of the last offer of this session: slots keep their SSRCs.
    pub previous: Option<&'a PeerMedia>,
    pub session_id: u64,
    /// Counts the answers of one session.
    pub session_version: u64,
}

/// The text, what was negotiated (seen from the server), and the other end with its DTLS role decided.
pub fn answer(offer: &Offer, params: &AnswerParams<'_>) -> Result<(String, PeerMedia, Remote), Error> {
    let mut remote = offer.remote.clone();
    let setup = match (remote.setup, params.setup) {
        (DtlsSetup::Active, _) => DtlsSetup::Passive,
        (DtlsSetup::Passive, _) | (DtlsSetup::ActPass, DtlsSetup::Active) => DtlsSetup::Active,
        (DtlsSetup::ActPass, _) => DtlsSetup::Passive,
    };
    remote.setup = match setup {
        DtlsSetup::Active => DtlsSetup::Passive,
        _ => DtlsSetup::Active,
    };

    let mut terms = Terms::default();
    let lines: Vec<Line<'_>> = offer
        .session
        .media
        .iter()
        .map(|media| {
            let data = accepted_data(media, offer).filter(|_| params.data && terms.sctp_port.is_none());
            if let Some((mid, port)) = data {
                terms.sctp_port = Some(port);
                return Line::Data(mid);
            }
            match accepted(media, offer, params.red, &mut terms) {
                Some(line) => Line::Accepted(line),
                None => Line::Refused(media),
            }
        })
        .collect();
    let bundle: Vec<Mid> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Accepted(line) => Some(line.mid),
            Line::Data(mid) => Some(*mid),
            Line::Refused(_) => None,
        })
        .collect();
    if bundle.is_empty() {
        return Err(Error::NothingInCommon);
    }

    // Longer values, as of a dependency descriptor with its structure, do not fit the one-byte form.
    let is_mixed = |line: &Line<'_>| match line {
        Line::Accepted(line) => line.media.extmap_allow_mixed,
        Line::Refused(_) | Line::Data(_) => true,
    };
    terms.extensions.allow_mixed = offer.session.extmap_allow_mixed || lines.iter().all(is_mixed);

    let mut ssrcs = SsrcPicker::new(params.ssrc_seed);
    offer.session.media.iter().flat_map(|m| &m.ssrcs).for_each(|&ssrc| ssrcs.take(ssrc));
    let old_slots = params.previous.map_or(&[][..], |p| &p.slots);
    for old in old_slots {
        ssrcs.take(old.ssrc);
        old.rtx.into_iter().chain(old.fec).for_each(|ssrc| ssrcs.take(ssrc));
    }

    let Terms { codecs, extensions, sctp_port } = terms;
    let mut media = PeerMedia { codecs, extensions, sctp_port, ..PeerMedia::default() };
    let mut w = Writer::new(params.session_id, params.session_version, params.ice_lite, &bundle);
    if offer.session.extmap_allow_mixed {
        line!(w, "a=extmap-allow-mixed");
    }
    let mut candidates = Some(params.candidates);
    for line in &lines {
        let line = match line {
            Line::Refused(media) => {
                refuse(&mut w, media);
                continue;
            }
            Line::Data(mid) => {
                w.data_media();
                line!(w, "a=mid:{mid}");
                w.secure(&params.ice, params.fingerprint, setup);
                if let Some(candidates) = candidates.take() {
                    w.candidates(candidates);
                }
                w.sctp();
                continue;
            }
            Line::Accepted(line) => line,
        };
        w.media(line.kind, &line.codecs);
        line!(w, "a=mid:{}", line.mid);
        w.secure(&params.ice, params.fingerprint, setup);
        if let Some(candidates) = candidates.take() {
            w.candidates(candidates);
        }
        line!(w, "a=rtcp-mux");
        if line.media.rtcp_rsize {
            line!(w, "a=rtcp-rsize");
        }
        if line.media.extmap_allow_mixed {
            line!(w, "a=extmap-allow-mixed");
        }
        for &(extension, id, offered) in &line.extensions {
            let direction = match offered {
                Direction::SendOnly => "/recvonly",
                Direction::RecvOnly => "/sendonly",
                _ => "",
            };
            line!(w, "a=extmap:{id}{direction} {}", extension.uri());
        }
        match line.media.direction {
            Direction::Inactive => {
                line!(w, "a=inactive");
                w.codecs(&line.codecs);
            }
            Direction::SendOnly | Direction::SendRecv => {
                line!(w, "a=recvonly");
                w.codecs(&line.codecs);
                write_layers(&mut w, &line.rids);
                media.tracks.push(line.track());
            }
            Direction::RecvOnly => {
                let old = old_slots.iter().find(|s| s.mid == line.mid && s.kind == line.kind);
                let has_rtx = line.codecs.iter().any(|c| c.config.rtx.is_some());
                let has_fec = has_flexfec(&line.codecs);
                let slot = Slot {
                    mid: line.mid,
                    kind: line.kind,
                    ssrc: old.map_or_else(|| ssrcs.pick(), |s| s.ssrc),
                    rtx: has_rtx.then(|| old.and_then(|s| s.rtx).unwrap_or_else(|| ssrcs.pick())),
                    fec: has_fec.then(|| old.and_then(|s| s.fec).unwrap_or_else(|| ssrcs.pick())),
                };
                line!(w, "a=sendonly");
                // A pair is named after its audio line, so the name outlives every new offer.
                let pair = params.pairs.iter().find(|(_, video)| *video == line.mid);
                line!(w, "a=msid:slot-{} {}", pair.map_or(line.mid, |p| p.0), line.mid);
                w.codecs(&line.codecs);
                w.ssrcs(slot.ssrc, (slot.rtx, slot.fec), CNAME);
                media.slots.push(slot);
            }
        }
    }
    Ok((w.0, media, remote))
}

enum Line<'a> {
    Accepted(Accepted<'a>),
    /// Data channels.
    Data(Mid),
    Refused(&'a Media),
}

struct Accepted<'a> {
    media: &'a Media,
    mid: Mid,
    kind: MediaKind,
    codecs: Vec<Agreed>,
    extensions: Vec<(Extension, u8, Direction)>,
    /// Layers both announced by `a=rid` and listed in `a=simulcast:send`.
    rids: Vec<Rid>,
}

impl Accepted<'_> {
    fn track(&self) -> SendTrack {
        let partner = |ssrc| self.media.fid.iter().find(|f| f.0 == ssrc).map(|f| f.1);
        let is_repair = |ssrc| self.media.fid.iter().chain(&self.media.fec).any(|pair| pair.1 == ssrc);
        let ssrcs: Vec<(Ssrc, Option<Ssrc>)> = self
            .media
            .ssrcs
            .iter()
            .filter(|&&ssrc| !is_repair(ssrc))
            .map(|&ssrc| (ssrc, partner(ssrc)))
            .collect();
        SendTrack { mid: self.mid, kind: self.kind, rids: self.rids.clone(), ssrcs }
    }
}

/// What must mean the same in every m-line of the BUNDLE group (RFC 9143 section 9.1).
#[derive(Default)]
struct Terms {
    codecs: Vec<CodecConfig>,
    extensions: ExtensionMap,
    /// Of the first m-line with data channels; there is one association.
    sctp_port: Option<u16>,
}

impl Terms {
    /// False if one of the payload types already means something else.
    fn admit(&mut self, config: &CodecConfig) -> bool {
        let uses = |c: &CodecConfig, pt: PayloadType| c.pt == pt || c.rtx == Some(pt);
        let same = |c: &CodecConfig| {
            c.pt == config.pt
                && c.codec == config.codec
                && (c.rtx == config.rtx || c.rtx.is_none() || config.rtx.is_none())
        };
        let clash = self
            .codecs
            .iter()
            .filter(|c| !same(c))
            .any(|c| uses(c, config.pt) || config.rtx.is_some_and(|rtx| uses(c, rtx)));
        if clash {
            return false;
        }
        match self.codecs.iter_mut().find(|c| c.pt == config.pt) {
            Some(known) => known.rtx = known.rtx.or(config.rtx),
            None => self.codecs.push(config.clone()),
        }
        true
    }

    fn admit_extension(&mut self, extension: Extension, id: u8) -> bool {
        match (self.extensions.id(extension), self.extensions.extension(id)) {
            (Some(known), _) => known == id,
            (None, Some(_)) => false,
            (None, None) => {
                self.extensions.set(extension, id);
                true
            }
        }
    }
}

fn accepted_data(media: &Media, offer: &Offer) -> Option<(Mid, u16)> {
    let mid = media.mid.filter(|mid| offer.session.bundle.contains(mid) && media.is_on())?;
    Some((mid, media.data_port()?))
}

fn accepted<'a>(media: &'a Media, offer: &Offer, red: bool, terms: &mut Terms) -> Option<Accepted<'a>> {
    let kind = media.kind?;
    let mid = media.mid?;
    let bundled = offer.session.bundle.contains(&mid);
    if !media.is_on() || !bundled || !media.rtcp_mux || media.protocol != "UDP/TLS/RTP/SAVPF" {
        return None;
    }
    let mut codecs = agree(media, red);
    // FEC goes to everybody who takes it: we decide when there is any. Of what a browser sends, all pictures would come in RED
    // and up to half of its rate in FEC, also where requests do; so there it has to come first, as no browser offers it by itself.
    let is_sent_to_us = matches!(media.direction, Direction::SendOnly | Direction::SendRecv);
    let is_wished = !is_sent_to_us || codecs.first().is_some_and(|c| c.config.codec == Codec::VideoRed);
    // libwebrtc protects one stream with it, and where it was agreed for several none of them with anything.
    if is_sent_to_us && !media.simulcast_send.is_empty() {
        codecs.retain(|c| c.config.codec != Codec::Flexfec03);
    }
    if !is_wished || has_flexfec(&codecs) {
        without_fec(&mut codecs);
    }
    codecs.retain(|c| terms.admit(&c.config));
    if codecs.is_empty() {
        return None;
    }
    let mixed = offer.session.extmap_allow_mixed || media.extmap_allow_mixed;
    let receives_only = media.direction == Direction::RecvOnly;
    let layer_name = |e| matches!(e, Extension::Rid | Extension::RepairedRid);
    let extensions = media
        .extensions
        .iter()
        .copied()
        // Slots have declared SSRCs, layers do not exist there.
        .filter(|&(extension, ..)| !(receives_only && layer_name(extension)))
        // The two-byte form may be mixed in only if both say so (RFC 8285 section 6).
        .filter(|&(_, id, _)| id <= 14 || mixed)
        .filter(|&(extension, id, _)| terms.admit_extension(extension, id))
        .collect();
    let announced = |rid: &Rid| media.rids.contains(&(*rid, true));
    let rids = media.simulcast_send.iter().copied().filter(announced).collect();
    Some(Accepted { media, mid, kind, codecs, extensions, rids })
}

/// Repair packets have a source of their own.
fn has_flexfec(codecs: &[Agreed]) -> bool {
    codecs.iter().any(|c| matches!(c.config.codec, Codec::Flexfec | Codec::Flexfec03))
}

fn write_layers(w: &mut Writer, rids: &[Rid]) {
    if rids.is_empty() {
        return;
    }
    for rid in rids {
        line!(w, "a=rid:{rid} recv");
    }
    let _ = write!(w.0, "a=simulcast:recv ");
    for (index, rid) in rids.iter().enumerate() {
        let _ = write!(w.0, "{}{rid}", if index == 0 { "" } else { ";" });
    }
    w.0.push_str("\r\n");
}

fn refuse(w: &mut Writer, media: &Media) {
    line!(w, "m={} 0 {} {}", media.word, media.protocol, media.format_words.join(" "));
    line!(w, "c=IN IP4 0.0.0.0");
    line!(w, "a=inactive");
    if let Some(mid) = media.mid {
        line!(w, "a=mid:{mid}");
    }
}
