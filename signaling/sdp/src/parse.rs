//! Text in, values out, for offers and answers alike.
//!
//! Unknown lines and attributes are skipped (RFC 8866 section 5); a known one that is malformed refuses the whole
//! description, with the number of its line.

use crate::{Error, limit};
use packet::data::MESSAGE_BYTES_MAX;
use packet::ext::Extension;
use packet::media::MediaKind;
use packet::{Mid, PayloadType, Rid, Ssrc};
use std::net::{IpAddr, SocketAddr};
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};

/// As the writer of the description sees it (RFC 8866 section 6.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

/// An offer that was read without error and carries what a session needs: ICE credentials, a SHA-256 fingerprint,
/// a DTLS role and a BUNDLE group.
#[derive(Clone, Debug)]
pub struct Offer {
    pub(crate) session: Session,
    pub(crate) remote: Remote,
}

/// One audio or video m-line of an offer that is not switched off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OfferedMedia {
    pub mid: Mid,
    pub kind: MediaKind,
    pub direction: Direction,
}

impl Offer {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let session = Session::parse(text)?;
        let remote = session.remote()?;
        Ok(Self { session, remote })
    }

    /// New credentials in a later offer ask for an ICE restart (RFC 8839 section 4.4.1.1.1).
    pub fn ice(&self) -> &IceCredentials {
        &self.remote.ice
    }

    /// Another one in a later offer is another PeerConnection.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.remote.fingerprint
    }

    pub fn media(&self) -> impl Iterator<Item = OfferedMedia> + '_ {
        self.session
            .media
            .iter()
            .filter(|m| m.is_on())
            .filter_map(|m| Some(OfferedMedia { mid: m.mid?, kind: m.kind?, direction: m.direction }))
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    pub bundle: Vec<Mid>,
    pub extmap_allow_mixed: bool,
    pub media: Vec<Media>,
    secure: Secure,
}

/// Attributes of ICE and DTLS, allowed for the session and for each m-line.
#[derive(Clone, Debug, Default)]
struct Secure {
    ufrag: Option<String>,
    pwd: Option<String>,
    fingerprint: Option<Fingerprint>,
    setup: Option<DtlsSetup>,
    candidates: Vec<Candidate>,
}

#[derive(Clone, Debug)]
pub(crate) struct Media {
    /// None: neither audio nor video.
    pub kind: Option<MediaKind>,
    /// First, third and later words of the m-line, token characters and slashes only: a refusal repeats them.
    pub word: String,
    pub protocol: String,
    pub format_words: Vec<String>,
    pub port: u16,
    pub bundle_only: bool,
    pub mid: Option<Mid>,
    pub direction: Direction,
    pub rtcp_mux: bool,
    pub rtcp_rsize: bool,
    pub extmap_allow_mixed: bool,
    /// In the order of the m-line.
    pub formats: Vec<Format>,
    pub extensions: Vec<(Extension, u8, Direction)>,
    /// `a=rid` lines: name and whether the writer sends it.
    pub rids: Vec<(Rid, bool)>,
    /// First alternative of each layer in `a=simulcast`.
    pub simulcast_send: Vec<Rid>,
    pub simulcast_recv: Vec<Rid>,
    pub ssrcs: Vec<Ssrc>,
    /// (media, retransmission) (RFC 4588 section 8.8, `ssrc-group:FID`).
    pub fid: Vec<(Ssrc, Ssrc)>,
    /// (media, repair packets) (RFC 5956 section 4.3, `ssrc-group:FEC-FR`).
    pub fec: Vec<(Ssrc, Ssrc)>,
    /// Of data channels (RFC 8841 sections 5 and 6); the largest message that the writer takes, 0: of any size.
    pub sctp_port: Option<u16>,
    pub max_message_size: Option<u64>,
    attributes: usize,
    secure: Secure,
}

#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub pt: PayloadType,
    /// Lower case; empty without `a=rtpmap`.
    pub encoding: String,
    pub clock_rate: u32,
    /// Raw value of `a=fmtp`; never repeated into an answer, only looked into.
    pub fmtp: String,
    pub feedback: Feedback,
}

impl Format {
    /// Value of `name=value` in the format parameters.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|p| {
            let (key, value) = p.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// `a=rtcp-fb` of one payload type (RFC 4585, RFC 5104).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Feedback {
    pub nack: bool,
    pub pli: bool,
    pub fir: bool,
    pub transport_cc: bool,
    pub remb: bool,
}

impl Media {
    /// False if its writer switched it off: port 0 and not `bundle-only` (RFC 9143 section 6).
    pub fn is_on(&self) -> bool {
        self.port != 0 || self.bundle_only
    }

    /// The peer's SCTP port, if this m-line is data channels that take messages of our size.
    pub fn data_port(&self) -> Option<u16> {
        let is_data = self.word == "application"
            && self.protocol == "UDP/DTLS/SCTP"
            && self.format_words.iter().any(|format| format == "webrtc-datachannel");
        // Left out means 64 KiB (RFC 8841 section 6.1).
        let is_enough = self.max_message_size.is_none_or(|max| max == 0 || max >= MESSAGE_BYTES_MAX as u64);
        self.sctp_port.filter(|&port| is_data && is_enough && port != 0)
    }

    fn new(value: &str, direction: Direction) -> Result<Self, &'static str> {
        let mut words = value.split(' ').filter(|w| !w.is_empty());
        let plain =
            |w: &&str| w.len() <= 64 && w.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./*".contains(&b));
        let word = words.next().filter(plain).ok_or("m-line")?.to_owned();
        let port = words.next().ok_or("m-line")?;
        let port = port.split('/').next().and_then(|p| p.parse().ok()).ok_or("port")?;
        let protocol = words.next().filter(plain).ok_or("m-line")?.to_owned();
        let kind = match word.as_str() {
            "audio" => Some(MediaKind::Audio),
            "video" => Some(MediaKind::Video),
            _ => None,
        };
        let mut media = Self {
            kind,
            word,
            protocol,
            format_words: Vec::new(),
            port,
            bundle_only: false,
            mid: None,
            direction,
            rtcp_mux: false,
            rtcp_rsize: false,
            extmap_allow_mixed: false,
            formats: Vec::new(),
            extensions: Vec::new(),
            rids: Vec::new(),
            simulcast_send: Vec::new(),
            simulcast_recv: Vec::new(),
            ssrcs: Vec::new(),
            fid: Vec::new(),
            fec: Vec::new(),
            sctp_port: None,
            max_message_size: None,
            attributes: 0,
            secure: Secure::default(),
        };
        for format in words {
            if !plain(&format) || media.format_words.len() == limit::FORMATS {
                return Err("format list");
            }
            media.format_words.push(format.to_owned());
            if kind.is_some() {
                let pt = payload_type(format).ok_or("payload type")?;
                if media.format(pt).is_some() {
                    return Err("format list: a payload type twice");
                }
                media.formats.push(Format {
                    pt,
                    encoding: String::new(),
                    clock_rate: 0,
                    fmtp: String::new(),
                    feedback: Feedback::default(),
                });
            }
        }
        Ok(media)
    }

    fn format(&mut self, pt: PayloadType) -> Option<&mut Format> {
        self.formats.iter_mut().find(|f| f.pt == pt)
    }

    /// One attribute; the error names what was malformed.
    fn attribute(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        self.attributes += 1;
        if self.attributes > limit::ATTRIBUTES {
            return Err("m-line: too many attributes");
        }
        match name {
            "mid" => self.mid = Some(Mid::new(value).ok_or("a=mid (1 to 16 token characters)")?),
            "bundle-only" => self.bundle_only = true,
            "rtcp-mux" => self.rtcp_mux = true,
            "rtcp-rsize" => self.rtcp_rsize = true,
            "extmap-allow-mixed" => self.extmap_allow_mixed = true,
            "rtpmap" => self.rtpmap(value).ok_or("a=rtpmap")?,
            "fmtp" => {
                let (pt, parameters) = value.split_once(' ').ok_or("a=fmtp")?;
                if let Some(format) = self.format(payload_type(pt).ok_or("a=fmtp")?) {
                    format.fmtp = parameters.to_owned();
                }
            }
            "rtcp-fb" => {
                let (pt, kind) = value.split_once(' ').ok_or("a=rtcp-fb")?;
                if pt == "*" {
                    self.formats.iter_mut().for_each(|f| f.feedback.add(kind));
                } else if let Some(format) = self.format(payload_type(pt).ok_or("a=rtcp-fb")?) {
                    format.feedback.add(kind);
                }
            }
            "extmap" => self.extmap(value).ok_or("a=extmap")?,
            "rid" => {
                let mut words = value.split(' ');
                let rid = words.next().and_then(Rid::new).ok_or("a=rid")?;
                let sends = match words.next() {
                    Some("send") => true,
                    Some("recv") => false,
                    _ => return Err("a=rid"),
                };
                if self.rids.len() == limit::LAYERS {
                    return Err("a=rid: too many layers");
                }
                if self.rids.iter().any(|&(known, _)| known == rid) {
                    return Err("a=rid: a layer twice");
                }
                self.rids.push((rid, sends));
            }
            "simulcast" => {
                let words: Vec<&str> = value.split(' ').filter(|w| !w.is_empty()).take(4).collect();
                for pair in words.chunks(2) {
                    let layers = simulcast(pair.get(1).ok_or("a=simulcast")?).ok_or("a=simulcast")?;
                    match pair[0] {
                        "send" => self.simulcast_send = layers,
                        "recv" => self.simulcast_recv = layers,
                        _ => return Err("a=simulcast"),
                    }
                }
            }
            "ssrc" => {
                let ssrc = ssrc(value.split(' ').next().unwrap_or("")).ok_or("a=ssrc")?;
                if !self.ssrcs.contains(&ssrc) {
                    if self.ssrcs.len() == limit::SSRCS {
                        return Err("a=ssrc: too many");
                    }
                    self.ssrcs.push(ssrc);
                }
            }
            "sctp-port" => self.sctp_port = Some(value.trim().parse().map_err(|_| "a=sctp-port")?),
            "max-message-size" => {
                self.max_message_size = Some(value.trim().parse().map_err(|_| "a=max-message-size")?);
            }
            "ssrc-group" => {
                let mut words = value.split(' ');
                let pairs = match words.next() {
                    Some("FID") => &mut self.fid,
                    Some("FEC-FR") => &mut self.fec,
                    _ => return Ok(()),
                };
                let mut next = || words.next().and_then(ssrc).ok_or("a=ssrc-group");
                let pair = (next()?, next()?);
                if pairs.len() == limit::SSRCS {
                    return Err("a=ssrc-group: too many");
                }
                pairs.push(pair);
            }
            _ => {
                if let Some(direction) = direction(name) {
                    self.direction = direction;
                } else {
                    self.secure.attribute(name, value)?;
                }
            }
        }
        Ok(())
    }

    fn rtpmap(&mut self, value: &str) -> Option<()> {
        let (pt, encoding) = value.split_once(' ')?;
        let pt = payload_type(pt)?;
        let mut parts = encoding.trim().split('/');
        let name = parts.next()?.to_ascii_lowercase();
        let clock_rate = parts.next()?.parse().ok()?;
        if let Some(format) = self.format(pt) {
            format.encoding = name;
            format.clock_rate = clock_rate;
        }
        Some(())
    }

    fn extmap(&mut self, value: &str) -> Option<()> {
        let mut words = value.split(' ');
        let mut id = words.next()?.split('/');
        let uri = words.next()?;
        let number: u16 = id.next()?.parse().ok()?;
        let direction = match id.next() {
            Some(word) => direction(word)?,
            None => Direction::SendRecv,
        };
        // 15 is reserved in the one-byte form, ids from 4096 on are for negotiation only (RFC 8285 section 4).
        let usable = u8::try_from(number).ok().filter(|&id| id != 0 && id != 15);
        if let (Some(extension), Some(id)) = (Extension::from_uri(uri), usable) {
            self.extensions.push((extension, id, direction));
        }
        Some(())
    }
}

impl Feedback {
    fn add(&mut self, kind: &str) {
        match kind.trim() {
            "nack" => self.nack = true,
            "nack pli" => self.pli = true,
            "ccm fir" => self.fir = true,
            "transport-cc" => self.transport_cc = true,
            "goog-remb" => self.remb = true,
            _ => {}
        }
    }
}

impl Secure {
    fn attribute(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "ice-ufrag" => self.ufrag = Some(ice_text(value, 4).ok_or("a=ice-ufrag")?),
            "ice-pwd" => self.pwd = Some(ice_text(value, 22).ok_or("a=ice-pwd")?),
            "fingerprint" => {
                let (hash, digest) = value.split_once(' ').ok_or("a=fingerprint")?;
                // Several hashes of one certificate may be listed (RFC 8122 section 5).
                if hash.eq_ignore_ascii_case("sha-256") {
                    self.fingerprint = Some(fingerprint(digest).ok_or("a=fingerprint")?);
                }
            }
            "setup" => {
                self.setup = Some(match value {
                    "actpass" => DtlsSetup::ActPass,
                    "active" => DtlsSetup::Active,
                    "passive" => DtlsSetup::Passive,
                    _ => return Err("a=setup"),
                });
            }
            "candidate" if self.candidates.len() < limit::CANDIDATES => {
                self.candidates.extend(candidate(value));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Session {
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > limit::DESCRIPTION_BYTES {
            return Err(Error::TooLong(limit::DESCRIPTION_BYTES));
        }
        let mut session = Self::default();
        let mut default_direction = Direction::SendRecv;
        for (index, line) in text.split('\n').enumerate() {
            let bad = |what| Error::Malformed { line: index + 1, what };
            let line = line.strip_suffix('\r').unwrap_or(line);
            if index == 0 && line != "v=0" {
                return Err(bad("first line (v=0 expected)"));
            }
            if line.is_empty() {
                continue;
            }
            if line.len() > limit::LINE_BYTES {
                return Err(bad("line: too long"));
            }
            let Some((kind, value)) = line.split_once('=') else { return Err(bad("line")) };
            match kind {
                "m" => {
                    if session.media.len() == limit::MEDIA {
                        return Err(Error::TooMany("m-lines"));
                    }
                    session.media.push(Media::new(value, default_direction).map_err(bad)?);
                }
                "a" => {
                    let (name, value) = value.split_once(':').unwrap_or((value, ""));
                    match session.media.last_mut() {
                        Some(media) => media.attribute(name, value).map_err(bad)?,
                        None => match (name, direction(name)) {
                            (_, Some(direction)) => default_direction = direction,
                            ("group", _) => session.group(value).map_err(bad)?,
                            ("extmap-allow-mixed", _) => session.extmap_allow_mixed = true,
                            _ => session.secure.attribute(name, value).map_err(bad)?,
                        },
                    }
                }
                _ => {}
            }
        }
        session.check_mids()?;
        Ok(session)
    }

    fn group(&mut self, value: &str) -> Result<(), &'static str> {
        let mut words = value.split(' ').filter(|w| !w.is_empty());
        // Of several groups the first counts: all our media takes one path.
        if words.next() == Some("BUNDLE") && self.bundle.is_empty() {
            for word in words {
                if self.bundle.len() == limit::MEDIA {
                    return Err("a=group: too many m-lines");
                }
                self.bundle.push(Mid::new(word).ok_or("a=group")?);
            }
        }
        Ok(())
    }

    fn check_mids(&self) -> Result<(), Error> {
        if self.media.is_empty() {
            return Err(Error::Missing("an m-line"));
        }
        let mut seen = std::collections::BTreeSet::new();
        if !self.media.iter().filter_map(|m| m.mid).all(|mid| seen.insert(mid)) {
            return Err(Error::Conflict("two m-lines have the same a=mid"));
        }
        Ok(())
    }

    /// ICE and DTLS of the BUNDLE group: from its first m-line that is on, else from the session.
    pub fn remote(&self) -> Result<Remote, Error> {
        if self.bundle.is_empty() {
            return Err(Error::Missing("a=group:BUNDLE"));
        }
        let tagged = self
            .media
            .iter()
            .find(|m| m.is_on() && m.mid.is_some_and(|mid| self.bundle.contains(&mid)))
            .ok_or(Error::Missing("an m-line of the BUNDLE group"))?;
        let (own, all) = (&tagged.secure, &self.secure);
        let ufrag = own.ufrag.as_ref().or(all.ufrag.as_ref()).ok_or(Error::Missing("a=ice-ufrag"))?;
        let pwd = own.pwd.as_ref().or(all.pwd.as_ref()).ok_or(Error::Missing("a=ice-pwd"))?;
        Ok(Remote {
            ice: IceCredentials { ufrag: ufrag.clone(), pwd: pwd.clone() },
            fingerprint: own
                .fingerprint
                .or(all.fingerprint)
                .ok_or(Error::Missing("a=fingerprint:sha-256"))?,
            setup: own.setup.or(all.setup).ok_or(Error::Missing("a=setup"))?,
            candidates: own.candidates.iter().chain(&all.candidates).copied().collect(),
        })
    }
}

fn direction(name: &str) -> Option<Direction> {
    Some(match name {
        "sendrecv" => Direction::SendRecv,
        "sendonly" => Direction::SendOnly,
        "recvonly" => Direction::RecvOnly,
        "inactive" => Direction::Inactive,
        _ => return None,
    })
}

fn payload_type(text: &str) -> Option<PayloadType> {
    text.parse().ok().filter(|&pt| pt < 128).map(PayloadType)
}

fn ssrc(text: &str) -> Option<Ssrc> {
    text.parse().ok().map(Ssrc)
}

/// ice-char of RFC 8839 section 5.4: letters, digits, `+` and `/`. Our own and every browser's keep to it.
pub(crate) fn ice_text(text: &str, min: usize) -> Option<String> {
    let ok = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/');
    (ok && (min..=limit::CREDENTIAL_BYTES).contains(&text.len())).then(|| text.to_owned())
}

fn fingerprint(text: &str) -> Option<Fingerprint> {
    let mut digest = [0; 32];
    let mut parts = text.trim().split(':');
    for byte in &mut digest {
        let part = parts.next().filter(|p| p.len() == 2 && !p.starts_with('+'))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(Fingerprint(digest))
}

/// `foundation component transport priority address port typ ...` (RFC 8839 section 5.1). None for what we do not use:
/// TCP, names instead of addresses (mDNS), other components.
fn candidate(text: &str) -> Option<Candidate> {
    let words: Vec<&str> = text.split(' ').take(8).collect();
    let [_, "1", transport, _, address, port, "typ", _] = words[..] else { return None };
    let address: IpAddr = address.parse().ok()?;
    let port: u16 = port.parse().ok()?;
    (transport.eq_ignore_ascii_case("udp") && port != 0)
        .then(|| Candidate { address: SocketAddr::new(address, port) })
}

/// `l;m;~h` or `l,l2;m`: layers by `;`, alternatives by `,`, `~` for paused (RFC 8853 section 5.1).
fn simulcast(text: &str) -> Option<Vec<Rid>> {
    let layers: Vec<&str> = text.split(';').take(limit::LAYERS + 1).collect();
    if layers.len() > limit::LAYERS {
        return None;
    }
    layers.into_iter().map(|layer| Rid::new(layer.split(',').next()?.trim_start_matches('~'))).collect()
}
