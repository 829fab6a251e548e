//! Descriptions to and from Janus: our own offer for what is published, and its offer turned into an answer.

use super::super::adapter::Connection;
use super::super::shape::{self, Shape};
use anyhow::Context;
use packet::PayloadType;
use packet::media::{MediaKind, SendTrack};
use sdp::{OfferParams, accept_answer, make_offer, native_codecs};
use std::net::SocketAddr;
use transport::{Candidate, DtlsSetup, Fingerprint, IceCredentials, Remote};

/// What one peer publishes.
pub struct Offer {
    local: IceCredentials,
    fingerprint: Fingerprint,
    candidates: [Candidate; 1],
    tracks: Vec<SendTrack>,
}

pub fn offer(
    shape: &Shape,
    peer: usize,
    local: &IceCredentials,
    fingerprint: Fingerprint,
    address: SocketAddr,
) -> Offer {
    let mut tracks = shape.media(peer).tracks;
    // No simulcast: every subscriber would be given a layer by hand.
    tracks.iter_mut().for_each(|track| track.rids.clear());
    Offer { local: local.clone(), fingerprint, candidates: [Candidate { address }], tracks }
}

impl Offer {
    fn with<T>(&self, work: impl FnOnce(&OfferParams) -> T) -> T {
        let codecs = native_codecs();
        work(&OfferParams {
            ice: self.local.clone(),
            fingerprint: self.fingerprint,
            setup: DtlsSetup::Active,
            candidates: &self.candidates,
            codecs: &codecs,
            extensions: shape::extensions(),
            tracks: &self.tracks,
            pairs: &[],
            data: None,
            cname: "bench",
            session_id: 1,
            session_version: 1,
        })
    }

    pub fn text(&self) -> String {
        self.with(make_offer)
    }

    /// The transport that the answer makes of it.
    pub fn accept(&self, peer: usize, local: IceCredentials, answer: &str) -> anyhow::Result<Connection> {
        let (media, _) = self.with(|params| accept_answer(params, answer)).context("Janus's answer")?;
        Ok(Connection {
            peer,
            publishes: true,
            streams: 0,
            local,
            remote: remote(answer)?,
            extensions: media.extensions,
            video: shape::VIDEO,
            audio: shape::AUDIO,
        })
    }
}

/// The other end, which is the DTLS server.
pub fn remote(description: &str) -> anyhow::Result<Remote> {
    let value = |name: &str| description.lines().find_map(|line| line.trim_end().strip_prefix(name));
    let ice = IceCredentials {
        ufrag: value("a=ice-ufrag:").context("no ice-ufrag")?.to_owned(),
        pwd: value("a=ice-pwd:").context("no ice-pwd")?.to_owned(),
    };
    let hex = value("a=fingerprint:sha-256 ").context("no SHA-256 fingerprint")?;
    let mut fingerprint = [0; 32];
    for (byte, text) in fingerprint.iter_mut().zip(hex.split(':')) {
        *byte = u8::from_str_radix(text, 16)?;
    }
    let mut candidates: Vec<Candidate> = description.lines().filter_map(candidate).collect();
    candidates.sort();
    candidates.dedup();
    Ok(Remote { ice, fingerprint: Fingerprint(fingerprint), setup: DtlsSetup::Passive, candidates })
}

/// `a=candidate:FOUNDATION COMPONENT udp PRIORITY ADDRESS PORT typ host`, of the first component.
fn candidate(line: &str) -> Option<Candidate> {
    let words: Vec<&str> = line.strip_prefix("a=candidate:")?.split_whitespace().collect();
    let host = words.get(1) == Some(&"1") && words.get(7) == Some(&"host");
    let udp = words.get(2).is_some_and(|word| word.eq_ignore_ascii_case("udp"));
    let address = SocketAddr::new(words.get(4)?.parse().ok()?, words.get(5)?.parse().ok()?);
    (host && udp).then_some(Candidate { address })
}

/// The first VP8 or Opus in a description.
pub fn payload_type(description: &str, kind: MediaKind) -> Option<PayloadType> {
    let codec = if kind == MediaKind::Video { "vp8/90000" } else { "opus/48000" };
    description.lines().find_map(|line| {
        let (number, name) = line.trim_end().strip_prefix("a=rtpmap:")?.split_once(' ')?;
        let number = number.parse().ok().filter(|_| name.to_ascii_lowercase().starts_with(codec));
        number.map(PayloadType)
    })
}

/// Takes everything that is offered, without header extensions, as the DTLS client.
pub fn answer(offer: &str, local: &IceCredentials, fingerprint: Fingerprint, address: SocketAddr) -> String {
    let hex: Vec<String> = fingerprint.0.iter().map(|byte| format!("{byte:02X}")).collect();
    let (IceCredentials { ufrag, pwd }, hex, ip, port) = (local, hex.join(":"), address.ip(), address.port());
    let secure = format!(
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\na=fingerprint:sha-256 {hex}\r\na=setup:active\r\n\
         a=candidate:1 1 udp 2130706431 {ip} {port} typ host\r\n"
    );
    let kept = ["v=", "s=", "t=", "c=", "m=", "a=group:", "a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"];
    let mut answer = String::new();
    for line in offer.lines().map(str::trim_end) {
        if line.starts_with("o=") {
            answer += "o=- 1 1 IN IP4 127.0.0.1\r\n";
        } else if line == "a=sendonly" || line == "a=sendrecv" {
            answer += "a=recvonly\r\n";
        } else if line.starts_with("a=mid:") {
            answer += &format!("{line}\r\na=rtcp-mux\r\n{secure}");
        } else if kept.iter().any(|prefix| line.starts_with(prefix)) {
            answer += line;
            answer += "\r\n";
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\no=- 7 1 IN IP4 10.66.0.1\r\ns=x\r\nt=0 0\r\na=group:BUNDLE 0\r\na=ice-lite\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\nc=IN IP4 10.66.0.1\r\na=sendonly\r\na=mid:0\r\na=rtcp-mux\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdef012345\r\na=setup:actpass\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=extmap:1 urn:x\r\n\
        a=ssrc:5 cname:c\r\na=candidate:1 1 udp 2015363327 10.66.0.1 20011 typ host\r\na=end-of-candidates\r\n";

    #[test]
    fn an_offer_says_where_and_who_the_server_is() {
        let remote = remote(OFFER).unwrap();
        assert_eq!(remote.candidates, [Candidate { address: "10.66.0.1:20011".parse().unwrap() }]);
        assert_eq!((remote.ice.ufrag.as_str(), remote.fingerprint.0[31]), ("abcd", 255));
        assert_eq!(payload_type(OFFER, MediaKind::Video), Some(PayloadType(96)));
        assert_eq!(payload_type(OFFER, MediaKind::Audio), None);
    }

    #[test]
    fn an_answer_takes_what_is_offered_and_names_the_client() {
        let local = IceCredentials { ufrag: "mine".into(), pwd: "secret".into() };
        let answer = answer(OFFER, &local, Fingerprint([7; 32]), "10.66.0.1:9".parse().unwrap());
        for line in ["a=recvonly", "a=mid:0", "a=ice-ufrag:mine", "a=setup:active", "a=rtpmap:96 VP8/90000"] {
            assert!(answer.contains(&format!("{line}\r\n")), "{line} in {answer}");
        }
        assert!(!answer.contains("extmap") && !answer.contains("abcd") && !answer.contains("ssrc"));
    }
}
