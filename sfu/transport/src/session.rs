//! A session as plain values and as bytes, to go on with in another process.
//!
//! ```text
//! version 1 | profile 1 | flags 1 | local ICE | remote ICE | fingerprint 32 | candidates | path | keys | numbering | windows
//! ```
//! All integers big-endian; text as length (u16) and bytes; lists as count (u16) and entries.

use crate::ice::Path;
use crate::srtp::{Keys, MasterKey, Numbering, Profile, WINDOW_WORDS};
use crate::{Candidate, Fingerprint, IceCredentials};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

const VERSION: u8 = 1;

/// Everything another process needs to go on with this session. Holds keys: store with mode 0600 on a memory file
/// system, never log.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    pub(crate) local: IceCredentials,
    pub(crate) remote: IceCredentials,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) path: Option<Path>,
    pub(crate) keys: Keys,
    pub(crate) numbering: Numbering,
    /// SSRC, highest index and window of what was received.
    pub(crate) received: Vec<(u32, u64, [u64; WINDOW_WORDS])>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("ufrag", &self.local.ufrag)
            .field("path", &self.path)
            .field("numbering", &self.numbering)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The local ufrag, by which the peer's checks will be addressed.
    pub fn local_ufrag(&self) -> &str {
        &self.local.ufrag
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        let profile = self.keys.profile;
        out.push(profile as u8);
        out.push(u8::from(self.path.is_some()) | u8::from(self.numbering.bounded) << 1);
        for text in [&self.local.ufrag, &self.local.pwd, &self.remote.ufrag, &self.remote.pwd] {
            put_bytes(&mut out, text.as_bytes());
        }
        out.extend(self.fingerprint.0);
        put_count(&mut out, self.candidates.len());
        for candidate in &self.candidates {
            put_address(&mut out, candidate.address);
        }
        if let Some(path) = self.path {
            put_address(&mut out, path.local);
            put_address(&mut out, path.remote);
        }
        for master in [&self.keys.local, &self.keys.remote] {
            out.extend(master.key(profile));
            out.extend(master.salt(profile));
        }
        out.extend(self.numbering.reports.0.to_be_bytes());
        out.extend(self.numbering.reports.1.to_be_bytes());
        put_count(&mut out, self.numbering.streams.len());
        for (ssrc, next, ceiling) in &self.numbering.streams {
            out.extend(ssrc.to_be_bytes());
            out.extend(next.to_be_bytes());
            out.extend(ceiling.to_be_bytes());
        }
        put_count(&mut out, self.received.len());
        for (ssrc, highest, seen) in &self.received {
            out.extend(ssrc.to_be_bytes());
            out.extend(highest.to_be_bytes());
            out.extend(seen.iter().flat_map(|word| word.to_be_bytes()));
        }
        out
    }

    /// `None` if the bytes are not exactly what [`Self::to_bytes`] of this version writes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        if from.u8()? != VERSION {
            return None;
        }
        let profile = *Profile::ALL.get(usize::from(from.u8()?))?;
        let flags = from.u8()?;
        let local = IceCredentials { ufrag: from.text()?, pwd: from.text()? };
        let remote = IceCredentials { ufrag: from.text()?, pwd: from.text()? };
        let fingerprint = Fingerprint(from.array()?);
        let candidates = from.list(|from| from.address().map(|address| Candidate { address }))?;
        let path = match flags & 1 {
            0 => None,
            _ => Some(Path { local: from.address()?, remote: from.address()? }),
        };
        let mut master = || {
            let key = from.take(profile.key_len())?;
            MasterKey::new(profile, key, from.take(profile.salt_len())?)
        };
        let keys = Keys { profile, local: master()?, remote: master()? };
        let reports = (from.u64()?, from.u64()?);
        let streams = from.list(|from| Some((from.u32()?, from.u64()?, from.u64()?)))?;
        let numbering = Numbering { streams, reports, bounded: flags & 2 != 0 };
        let received = from.list(|from| {
            let (ssrc, highest, mut seen) = (from.u32()?, from.u64()?, [0; WINDOW_WORDS]);
            for word in &mut seen {
                *word = from.u64()?;
            }
            Some((ssrc, highest, seen))
        })?;
        let session = Self { local, remote, fingerprint, candidates, path, keys, numbering, received };
        from.0.is_empty().then_some(session)
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    // Every list is bounded far below this by its owner.
    out.extend((count as u16).to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend(bytes);
}

fn put_address(out: &mut Vec<u8>, address: SocketAddr) {
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend(ip.octets());
        }
    }
    out.extend(address.port().to_be_bytes());
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }
    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }
    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }
    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
    fn text(&mut self) -> Option<String> {
        let len = self.u16()?;
        String::from_utf8(self.take(len.into())?.to_vec()).ok()
    }
    fn address(&mut self) -> Option<SocketAddr> {
        let ip = match self.u8()? {
            4 => IpAddr::from(self.array::<4>()?),
            6 => IpAddr::from(self.array::<16>()?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, self.u16()?))
    }
    fn list<T>(&mut self, mut entry: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.u16()?;
        (0..count).map(|_| entry(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn session(profile: Profile) -> Session {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let credentials =
            |name: &str| IceCredentials { ufrag: name.to_owned(), pwd: format!("{name}-password") };
        let material: Vec<u8> = (0..100).collect();
        Session {
            local: credentials("server"),
            remote: credentials("client"),
            fingerprint: Fingerprint([7; 32]),
            candidates: vec![Candidate { address: address("[2001:db8::1]:5000") }],
            path: Some(Path { local: address("10.0.0.1:3478"), remote: address("[::1]:9") }),
            keys: Keys::from_exporter(profile, &material, false).unwrap(),
            numbering: Numbering { streams: vec![(9, 1 << 40, 1 << 41)], reports: (5, 6), bounded: true },
            received: vec![(1, 2, [3; WINDOW_WORDS]), (4, 5, [6; WINDOW_WORDS])],
        }
    }

    #[test]
    fn bytes_round_trip() {
        for profile in Profile::ALL {
            let mut session = session(profile);
            assert!(Session::from_bytes(&session.to_bytes()).as_ref() == Some(&session));
            session.path = None;
            session.numbering.bounded = false;
            assert!(Session::from_bytes(&session.to_bytes()).as_ref() == Some(&session));
        }
    }

    #[test]
    fn cut_or_lengthened_bytes_are_refused() {
        let bytes = session(Profile::AeadAes256Gcm).to_bytes();
        for len in 0..bytes.len() {
            assert!(Session::from_bytes(&bytes[..len]).is_none(), "{len}");
        }
        let longer = [bytes, vec![0]].concat();
        assert!(Session::from_bytes(&longer).is_none());
    }

    #[test]
    fn debug_output_names_no_key() {
        let text = format!("{:?}", session(Profile::AeadAes128Gcm));
        assert!(!text.contains("password") && !text.contains("keys"), "{text}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), position: usize) {
            let _ = Session::from_bytes(&bytes);
            let mut valid = session(Profile::AeadAes128Gcm).to_bytes();
            for (at, byte) in bytes.iter().enumerate().take(3) {
                let place = position.wrapping_add(at * 31) % valid.len();
                valid[place] = *byte;
            }
            let _ = Session::from_bytes(&valid);
        }
    }
}
