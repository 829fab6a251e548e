//! Trickled pieces of a description (`application/trickle-ice-sdpfrag`, RFC 8840 section 9), as WHIP and WHEP use them.

use std::fmt::Write;

use packet::Mid;
use packet::media::MediaKind;
use transport::{Candidate, IceCredentials};

use crate::parse::ice_text;
use crate::write::{Writer, line};
use crate::{Error, limit};

/// What we need of one: the other end finds us, so its candidates do not matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// Those that it belongs to, or new ones for an ICE restart. None: it says none.
    pub ice: Option<IceCredentials>,
}

impl Fragment {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (mut ufrag, mut pwd) = (None, None);
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            if number > limit::FRAGMENT_LINES {
                return Err(Error::TooMany("lines"));
            }
            let bad = |what| Error::Malformed { line: number, what };
            if let Some(value) = line.strip_prefix("a=ice-ufrag:") {
                ufrag = Some(ice_text(value.trim(), 4).ok_or(bad("a=ice-ufrag"))?);
            } else if let Some(value) = line.strip_prefix("a=ice-pwd:") {
                pwd = Some(ice_text(value.trim(), 22).ok_or(bad("a=ice-pwd"))?);
            }
        }
        match (ufrag, pwd) {
            (Some(ufrag), Some(pwd)) => Ok(Self { ice: Some(IceCredentials { ufrag, pwd }) }),
            (None, None) => Ok(Self { ice: None }),
            (Some(_), None) => Err(Error::Missing("a=ice-pwd")),
            (None, Some(_)) => Err(Error::Missing("a=ice-ufrag")),
        }
    }
}

/// Our answer to an ICE restart: new credentials and every candidate. `first`: the first m-line of the BUNDLE group.
pub fn make_fragment(ice: &IceCredentials, first: (Mid, MediaKind), candidates: &[Candidate]) -> String {
    let mut w = Writer(String::new());
    line!(w, "a=ice-lite");
    line!(w, "a=ice-ufrag:{}", ice.ufrag);
    line!(w, "a=ice-pwd:{}", ice.pwd);
    let word = match first.1 {
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
    };
    line!(w, "m={word} 9 UDP/TLS/RTP/SAVPF 0");
    line!(w, "a=mid:{}", first.0);
    w.candidates(candidates);
    w.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_says_whose_candidates_it_carries() {
        let candidates = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n\
            a=mid:0\r\na=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n\
            a=end-of-candidates\r\n";
        let ice = IceCredentials { ufrag: "EsAw".into(), pwd: "P2uYro0UCOQ4zxjKXaWCBui1".into() };
        assert_eq!(Fragment::parse(candidates), Ok(Fragment { ice: Some(ice.clone()) }));
        assert_eq!(Fragment::parse(""), Ok(Fragment { ice: None }));
        let address = "192.0.2.9:7".parse().unwrap();
        let ours = make_fragment(&ice, (Mid::new("0").unwrap(), MediaKind::Audio), &[Candidate { address }]);
        assert_eq!(Fragment::parse(&ours), Ok(Fragment { ice: Some(ice) }));
        assert!(ours.contains("192.0.2.9 7 typ host\r\na=end-of-candidates\r\n"));
    }

    #[test]
    fn half_or_odd_credentials_are_refused() {
        for text in [
            "a=ice-ufrag:EsAw",
            "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
            "a=ice-ufrag:E\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
            "a=ice-ufrag:EsAw\na=ice-pwd:short",
            "a=ice-ufrag:Es w\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        ] {
            assert!(Fragment::parse(text).is_err(), "{text}");
        }
        assert!(Fragment::parse(&"a=x\n".repeat(10_000)).is_err());
    }
}
