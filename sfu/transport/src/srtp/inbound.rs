//! From the peer: authenticate, then believe. Nothing changes before the tag was right.

use super::cipher::Cipher;
use super::window::{Used, WINDOW_WORDS, Window, index_of};
use super::{Keys, RTCP_CLEAR_LEN, RTP_FIXED_HEADER_LEN, be16, be32, rtp_header_len};
use crate::DropReason;
use aws_lc_rs::error::Unspecified;
use packet::ExtSeq;

/// Streams one peer may send in the life of a session: layers, their RTX, screens, and what `replaceTrack` and codec
/// changes add over the hours. Only a peer with the keys can use them up, and only its own. About 40 KiB when full.
pub const SSRCS_MAX: usize = 256;

/// RTCP packets are few.
const RTCP_WINDOW_WORDS: usize = 2;

pub struct Inbound {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_streams: Streams<WINDOW_WORDS>,
    rtcp_streams: Streams<RTCP_WINDOW_WORDS>,
}

impl Inbound {
    pub fn new(keys: &Keys) -> Result<Self, Unspecified> {
        Ok(Self {
            rtp: Cipher::for_rtp(keys.profile, &keys.remote)?,
            rtcp: Cipher::for_rtcp(keys.profile, &keys.remote)?,
            rtp_streams: Streams::default(),
            rtcp_streams: Streams::default(),
        })
    }

    /// Authenticates and decrypts in place; the length without the tag, and the index.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<(usize, ExtSeq), DropReason> {
        if packet.len() < RTP_FIXED_HEADER_LEN + self.rtp.tag_len() {
            return Err(DropReason::SrtpMalformed);
        }
        let header = rtp_header_len(packet).ok_or(DropReason::SrtpMalformed)?;
        let (seq, ssrc) = (be16(packet, 2), be32(packet, 8));
        let place = self.rtp_streams.find(ssrc);
        let index = match place {
            Ok(at) => {
                let window = &self.rtp_streams.windows[at];
                let index = index_of(window.highest(), seq).ok_or(DropReason::SrtpTooOld)?;
                window.check(index)?;
                index
            }
            Err(_) if self.rtp_streams.is_full() => return Err(DropReason::SrtpTooManySsrcs),
            // Both ends begin with rollover counter 0.
            Err(_) => u64::from(seq),
        };
        if packet.len() < header + self.rtp.tag_len() {
            return Err(DropReason::SrtpMalformed);
        }
        let len = self.rtp.open_rtp(ssrc, index, header, packet).map_err(|_| DropReason::SrtpBadTag)?;
        self.rtp_streams.mark(place, ssrc, index);
        Ok((len, ExtSeq(index)))
    }

    /// The same for a compound RTCP packet; its index comes with it.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, DropReason> {
        if packet.len() < RTCP_CLEAR_LEN {
            return Err(DropReason::SrtpMalformed);
        }
        let ssrc = be32(packet, 4);
        let index = self.rtcp.rtcp_index(packet).ok_or(DropReason::SrtpMalformed)?;
        let place = self.rtcp_streams.find(ssrc);
        match place {
            Ok(at) => self.rtcp_streams.windows[at].check(u64::from(index))?,
            Err(_) if self.rtcp_streams.is_full() => return Err(DropReason::SrtpTooManySsrcs),
            Err(_) => {}
        }
        let len = self.rtcp.open_rtcp(ssrc, index, packet).map_err(|_| DropReason::SrtpBadTag)?;
        self.rtcp_streams.mark(place, ssrc, u64::from(index));
        Ok(len)
    }

    /// Highest index and window of every RTP stream, by SSRC. The RTCP windows stay behind: a report that is
    /// delivered twice around a hand-over does no harm.
    pub fn export(&self) -> Vec<(u32, u64, [u64; WINDOW_WORDS])> {
        let streams = self.rtp_streams.ssrcs.iter().zip(&self.rtp_streams.windows);
        streams.map(|(ssrc, window)| (*ssrc, window.highest(), *window.seen())).collect()
    }

    pub fn import(&mut self, streams: &[(u32, u64, [u64; WINDOW_WORDS])]) {
        for (ssrc, highest, seen) in streams.iter().take(SSRCS_MAX) {
            if let Err(at) = self.rtp_streams.find(*ssrc) {
                self.rtp_streams.insert(at, *ssrc, Window::restore(*highest, *seen));
            }
        }
    }
}

impl From<Used> for DropReason {
    fn from(used: Used) -> Self {
        match used {
            Used::Seen => Self::SrtpReplayed,
            Used::TooOld => Self::SrtpTooOld,
        }
    }
}

/// Windows by SSRC, sorted. The last one found is tried first: packets come in runs of one stream.
#[derive(Default)]
struct Streams<const WORDS: usize> {
    ssrcs: Vec<u32>,
    windows: Vec<Window<WORDS>>,
    last: usize,
}

impl<const WORDS: usize> Streams<WORDS> {
    fn is_full(&self) -> bool {
        self.ssrcs.len() >= SSRCS_MAX
    }

    fn find(&mut self, ssrc: u32) -> Result<usize, usize> {
        if self.ssrcs.get(self.last) == Some(&ssrc) {
            return Ok(self.last);
        }
        let place = self.ssrcs.binary_search(&ssrc);
        if let Ok(at) = place {
            self.last = at;
        }
        place
    }

    fn mark(&mut self, place: Result<usize, usize>, ssrc: u32, index: u64) {
        match place {
            Ok(at) => self.windows[at].mark(index),
            Err(at) => self.insert(at, ssrc, Window::starting_with(index)),
        }
    }

    fn insert(&mut self, at: usize, ssrc: u32, window: Window<WORDS>) {
        self.ssrcs.insert(at, ssrc);
        self.windows.insert(at, window);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Outbound, Profile};
    use super::*;

    fn pair(profile: Profile) -> (Outbound, Inbound) {
        let material: Vec<u8> = (0..100).collect();
        let keys = |client| Keys::from_exporter(profile, &material, client).unwrap();
        (Outbound::new(&keys(true)).unwrap(), Inbound::new(&keys(false)).unwrap())
    }

    fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend(seq.to_be_bytes());
        packet.extend([0, 0, 0, 1]);
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0xab; 40]);
        packet
    }

    fn sealed(outbound: &mut Outbound, ssrc: u32, seq: u16) -> Vec<u8> {
        let plain = rtp(ssrc, seq);
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + 16, 0);
        let len = outbound.seal_rtp(&mut buffer, plain.len()).unwrap();
        buffer.truncate(len);
        buffer
    }

    #[test]
    fn packets_arrive_across_the_wrap_out_of_order_and_once() {
        for profile in Profile::ALL {
            let (mut outbound, mut inbound) = pair(profile);
            let sequence: Vec<u16> = (65_500..=65_535).chain(0..40).collect();
            let packets: Vec<_> = sequence.iter().map(|seq| sealed(&mut outbound, 7, *seq)).collect();
            // Swap neighbours, so that the packets around the wrap arrive in the wrong order too.
            for at in (0..packets.len()).map(|at| at ^ 1) {
                let mut packet = packets[at].clone();
                let (len, ext_seq) = inbound.open_rtp(&mut packet).unwrap();
                assert_eq!(packet[..len], rtp(7, sequence[at]));
                assert_eq!(ext_seq, ExtSeq(65_500 + at as u64));
                let mut again = packets[at].clone();
                assert_eq!(inbound.open_rtp(&mut again), Err(DropReason::SrtpReplayed));
            }
        }
    }

    #[test]
    fn a_wrong_tag_changes_nothing() {
        for profile in Profile::ALL {
            let (mut outbound, mut inbound) = pair(profile);
            let first = sealed(&mut outbound, 7, 1);
            inbound.open_rtp(&mut first.clone()).unwrap();
            // A forged packet far ahead must not move the rollover counter or the window.
            for seq in [2, 30_000, 32_768, 65_535] {
                let mut forged = first.clone();
                forged[2..4].copy_from_slice(&u16::to_be_bytes(seq));
                assert!(matches!(
                    inbound.open_rtp(&mut forged),
                    Err(DropReason::SrtpBadTag | DropReason::SrtpTooOld)
                ));
            }
            let mut unknown = first.clone();
            unknown[11] ^= 1;
            assert_eq!(inbound.open_rtp(&mut unknown), Err(DropReason::SrtpBadTag));
            assert_eq!(inbound.export().len(), 1, "no state for an SSRC that was never authenticated");
            let mut second = sealed(&mut outbound, 7, 2);
            assert_eq!(inbound.open_rtp(&mut second).unwrap().1, ExtSeq(2));
        }
    }

    #[test]
    fn rtcp_has_an_index_of_its_own_and_is_not_replayed() {
        for profile in Profile::ALL {
            let (mut outbound, mut inbound) = pair(profile);
            for round in 0..3 {
                let plain = [0x80, 201, 0, 1, 0, 0, 0, round];
                let mut buffer = [0; 28];
                buffer[..8].copy_from_slice(&plain);
                let len = outbound.seal_rtcp(&mut buffer, 8).unwrap();
                let mut packet = buffer[..len].to_vec();
                assert_eq!(inbound.open_rtcp(&mut packet), Ok(8));
                assert_eq!(packet[..8], plain);
                assert_eq!(inbound.open_rtcp(&mut buffer[..len]), Err(DropReason::SrtpReplayed));
            }
            let mut packet = [0x80, 201, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            assert_eq!(inbound.open_rtcp(&mut packet), Err(DropReason::SrtpMalformed));
        }
    }

    #[test]
    fn the_number_of_streams_is_bounded_and_old_ones_go_on() {
        let (mut outbound, mut inbound) = pair(Profile::AeadAes256Gcm);
        for ssrc in 0..SSRCS_MAX as u32 {
            inbound.open_rtp(&mut sealed(&mut outbound, ssrc, 1)).unwrap();
        }
        let mut one_more = sealed(&mut outbound, 5000, 1);
        assert_eq!(inbound.open_rtp(&mut one_more), Err(DropReason::SrtpTooManySsrcs));
        assert!(inbound.open_rtp(&mut sealed(&mut outbound, 3, 2)).is_ok());
    }

    #[test]
    fn truncated_packets_are_malformed() {
        for profile in Profile::ALL {
            let (mut outbound, mut inbound) = pair(profile);
            let packet = sealed(&mut outbound, 7, 1);
            for len in 0..packet.len() {
                assert!(inbound.open_rtp(&mut packet[..len].to_vec()).is_err());
                assert!(inbound.open_rtcp(&mut packet[..len].to_vec()).is_err());
            }
            assert!(inbound.open_rtp(&mut packet.clone()).is_ok());
        }
    }
}
