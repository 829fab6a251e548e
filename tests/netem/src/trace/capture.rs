//! Recorded calls: what arrived when, out of a packet capture (pcap, pcapng) or an rtpdump file.
//!
//! Of all RTP in it, the stream with the most packets is taken. What was encrypted does not matter: SRTP leaves the header
//! readable.

use super::arrival::{Arrival, trace_of};
use super::{PacketTrace, ReadError};
use std::collections::BTreeMap;

/// A place in the file, and what is wrong there.
type Broken = (usize, String);

/// RTP out of a file, with the time of arrival in milliseconds.
#[derive(Default)]
struct Heard {
    streams: BTreeMap<u32, Vec<Arrival>>,
    first_us: Option<u64>,
}

/// Magic numbers of a pcap file: microseconds, nanoseconds, each in either byte order.
const PCAP_MAGIC: [[u8; 4]; 4] =
    [[0xa1, 0xb2, 0xc3, 0xd4], [0xd4, 0xc3, 0xb2, 0xa1], [0xa1, 0xb2, 0x3c, 0x4d], [0x4d, 0x3c, 0xb2, 0xa1]];
/// Section header block.
const PCAPNG_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const RTPDUMP_MAGIC: &[u8] = b"#!rtpplay1.0 ";

pub(super) fn is_pcap(bytes: &[u8]) -> bool {
    PCAP_MAGIC.iter().any(|magic| bytes.starts_with(magic))
}

pub(super) fn is_pcapng(bytes: &[u8]) -> bool {
    bytes.starts_with(&PCAPNG_MAGIC)
}

pub(super) fn is_rtpdump(bytes: &[u8]) -> bool {
    bytes.starts_with(RTPDUMP_MAGIC)
}

impl PacketTrace {
    /// A capture of tcpdump or Wireshark, in either of their formats: Ethernet, raw IP, loopback or Linux "any".
    pub fn from_capture(bytes: &[u8]) -> Result<Self, ReadError> {
        let read = if is_pcapng(bytes) { pcapng } else { pcap };
        read(bytes).map_err(broken)?.trace(bytes.len())
    }

    /// A file of rtpdump (rtptools), as Wireshark also writes it.
    pub fn from_rtpdump(bytes: &[u8]) -> Result<Self, ReadError> {
        rtpdump(bytes).map_err(broken)?.trace(bytes.len())
    }
}

fn broken((offset, reason): Broken) -> ReadError {
    ReadError::Binary { offset, reason }
}

impl Heard {
    /// Takes a UDP payload if it is RTP (RFC 3550 section 5.1) and not RTCP (RFC 5761 section 4).
    fn datagram(&mut self, at_us: u64, payload: &[u8]) {
        let [first, second, a, b, c, d, e, f, g, h, i, j, ..] = *payload else { return };
        if first >> 6 != 2 || (192..224).contains(&second) {
            return;
        }
        let first_us = *self.first_us.get_or_insert(at_us);
        let arrival = Arrival {
            // Captures of several interfaces are not quite in order.
            at_ms: at_us as f64 / 1000.0 - first_us as f64 / 1000.0,
            seq: u16::from_be_bytes([a, b]),
            timestamp: u32::from_be_bytes([c, d, e, f]),
        };
        self.streams.entry(u32::from_be_bytes([g, h, i, j])).or_default().push(arrival);
    }

    fn trace(self, end: usize) -> Result<PacketTrace, ReadError> {
        let none = || broken((end, "no RTP in it".to_owned()));
        let longest = self.streams.into_values().max_by_key(Vec::len).ok_or_else(none)?;
        trace_of(&longest, None).map_err(|(packet, reason)| ReadError::Binary {
            offset: end,
            reason: format!("RTP packet {}: {reason}", packet + 1),
        })
    }
}

/// Reads numbers of one byte order at offsets; None beyond the end.
#[derive(Clone, Copy)]
struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Reader<'a> {
    fn u16(self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    fn slice(self, at: usize, len: usize) -> Option<&'a [u8]> {
        self.bytes.get(at..at.checked_add(len)?)
    }
}

/// <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/>: a header of 24 bytes, then records of 16 bytes and data.
fn pcap(bytes: &[u8]) -> Result<Heard, Broken> {
    let big_endian = bytes.first() == Some(&0xa1);
    let nanoseconds = bytes.get(..4).is_some_and(|magic| magic.contains(&0x3c));
    let reader = Reader { bytes, big_endian };
    let link_type = reader.u32(20).ok_or((bytes.len(), "the file ends inside its header".to_owned()))?;
    let link = Link::of(link_type & 0xffff).ok_or((20, unknown_link(link_type)))?;
    let mut heard = Heard::default();
    let mut at = 24;
    while at < bytes.len() {
        let header = (reader.u32(at), reader.u32(at + 4), reader.u32(at + 8));
        let (Some(seconds), Some(fraction), Some(len)) = header else {
            return Err((at, "the file ends inside a packet's header".to_owned()));
        };
        let Some(packet) = reader.slice(at + 16, len as usize) else {
            return Err((at, format!("the packet has {len} bytes, and the file ends before")));
        };
        let micros = if nanoseconds { fraction / 1000 } else { fraction };
        let at_us = u64::from(seconds) * 1_000_000 + u64::from(micros);
        if let Some(payload) = link.udp_payload(packet) {
            heard.datagram(at_us, payload);
        }
        at += 16 + len as usize;
    }
    Ok(heard)
}

/// <https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng/>: blocks of a type, a length, a body and the length again.
fn pcapng(bytes: &[u8]) -> Result<Heard, Broken> {
    let mut reader = Reader { bytes, big_endian: false };
    let mut interfaces: Vec<(Option<Link>, u64)> = Vec::new();
    let mut heard = Heard::default();
    let mut at = 0;
    while at < bytes.len() {
        let ends = || (at, "the file ends inside a block".to_owned());
        if bytes.get(at..at + 4) == Some(&PCAPNG_MAGIC) {
            reader.big_endian = bytes.get(at + 8..at + 12).ok_or_else(ends)? == [0x1a, 0x2b, 0x3c, 0x4d];
            interfaces.clear();
        }
        let kind = reader.u32(at).ok_or_else(ends)?;
        let len = reader.u32(at + 4).ok_or_else(ends)? as usize;
        if len < 12 || !len.is_multiple_of(4) {
            return Err((at, format!("a block cannot have {len} bytes")));
        }
        let block = Reader { bytes: reader.slice(at, len).ok_or_else(ends)?, ..reader };
        match kind {
            1 => {
                let link = block.u16(8).map(u32::from).and_then(Link::of);
                interfaces.push((link, ticks_per_second(block)));
            }
            6 => enhanced_packet(block, &interfaces, &mut heard).map_err(|reason| (at, reason))?,
            _ => {}
        }
        at += len;
    }
    if interfaces.is_empty() || interfaces.iter().all(|(link, _)| link.is_some()) || heard.first_us.is_some()
    {
        return Ok(heard);
    }
    Err((0, "it was captured on links of a kind that is not known here; Ethernet and IP are".to_owned()))
}

/// From the option `if_tsresol` of an interface description; without it, microseconds.
fn ticks_per_second(block: Reader<'_>) -> u64 {
    let mut at = 16;
    while let (Some(code), Some(len)) = (block.u16(at), block.u16(at + 2)) {
        if code == 9 {
            let resolution = block.bytes.get(at + 4).copied().unwrap_or(6);
            let ticks = match resolution & 0x80 {
                0 => 10u64.checked_pow(u32::from(resolution)),
                _ => 1u64.checked_shl(u32::from(resolution & 0x7f)),
            };
            return ticks.unwrap_or(1_000_000).max(1);
        }
        if code == 0 {
            break;
        }
        at += 4 + usize::from(len).next_multiple_of(4);
    }
    1_000_000
}

fn enhanced_packet(
    block: Reader<'_>,
    interfaces: &[(Option<Link>, u64)],
    heard: &mut Heard,
) -> Result<(), String> {
    let short = || "a packet's block is too short".to_owned();
    let interface = block.u32(8).ok_or_else(short)? as usize;
    let ticks =
        u64::from(block.u32(12).ok_or_else(short)?) << 32 | u64::from(block.u32(16).ok_or_else(short)?);
    let packet = block.slice(28, block.u32(20).ok_or_else(short)? as usize).ok_or_else(short)?;
    let Some((link, per_second)) = interfaces.get(interface) else {
        return Err(format!("it names interface {interface}, which the file does not describe"));
    };
    let at_us = (u128::from(ticks) * 1_000_000 / u128::from(*per_second)) as u64;
    if let Some(payload) = link.and_then(|link| link.udp_payload(packet)) {
        heard.datagram(at_us, payload);
    }
    Ok(())
}

/// rtptools' file format: a line of text, 16 bytes of header, then records of 8 bytes and data.
fn rtpdump(bytes: &[u8]) -> Result<Heard, Broken> {
    let line =
        bytes.iter().position(|byte| *byte == b'\n').ok_or((0, "the first line does not end".to_owned()))?;
    let reader = Reader { bytes, big_endian: true };
    let mut heard = Heard::default();
    let mut at = line + 1 + 16;
    if at > bytes.len() {
        return Err((bytes.len(), "the file ends inside its header".to_owned()));
    }
    while at < bytes.len() {
        let header = (reader.u16(at), reader.u16(at + 2), reader.u32(at + 4));
        let (Some(record), Some(packet_len), Some(offset_ms)) = header else {
            return Err((at, "the file ends inside a record's header".to_owned()));
        };
        let len = usize::from(record);
        if len < 8 {
            return Err((at, format!("a record cannot have {len} bytes")));
        }
        let Some(data) = reader.slice(at + 8, len - 8) else {
            return Err((at, format!("the record has {len} bytes, and the file ends before")));
        };
        // A length of zero marks RTCP.
        if packet_len > 0 {
            heard.datagram(u64::from(offset_ms) * 1000, data);
        }
        at += len;
    }
    Ok(heard)
}

/// What is in front of the IP header (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy)]
enum Link {
    /// Four bytes of address family.
    Loopback,
    Ethernet,
    Raw,
    /// So many bytes, the protocol in the first or in the last two of them.
    Cooked {
        header: usize,
        protocol_at: usize,
    },
}

impl Link {
    fn of(link_type: u32) -> Option<Self> {
        match link_type {
            0 | 108 => Some(Self::Loopback),
            1 => Some(Self::Ethernet),
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::Cooked { header: 16, protocol_at: 14 }),
            276 => Some(Self::Cooked { header: 20, protocol_at: 0 }),
            _ => None,
        }
    }

    fn udp_payload(self, packet: &[u8]) -> Option<&[u8]> {
        let reader = Reader { bytes: packet, big_endian: true };
        let ip_at = match self {
            Self::Loopback => 4,
            Self::Raw => 0,
            Self::Cooked { header, protocol_at } => {
                matches!(reader.u16(protocol_at)?, 0x0800 | 0x86dd).then_some(header)?
            }
            Self::Ethernet => {
                let mut at = 12;
                // Each VLAN tag puts four bytes in front of the protocol.
                while matches!(reader.u16(at)?, 0x8100 | 0x88a8) {
                    at += 4;
                }
                matches!(reader.u16(at)?, 0x0800 | 0x86dd).then_some(at + 2)?
            }
        };
        let ip = packet.get(ip_at..)?;
        let udp = match ip.first()? >> 4 {
            4 => {
                let is_whole = u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x3fff == 0;
                (is_whole && ip.get(9) == Some(&17))
                    .then(|| ip.get(usize::from(ip[0] & 15) * 4..))
                    .flatten()?
            }
            6 => (ip.get(6) == Some(&17)).then(|| ip.get(40..)).flatten()?,
            _ => return None,
        };
        udp.get(8..)
    }
}

fn unknown_link(link_type: u32) -> String {
    format!(
        "link type {link_type} is not known here; Ethernet (1), raw IP (101), loopback (0) and Linux cooked (113, 276) are"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms of G.711: number, milliseconds of arrival.
    fn rtp(seq: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 0];
        packet.extend(seq.to_be_bytes());
        packet.extend((u32::from(seq) * 160).to_be_bytes());
        packet.extend(7u32.to_be_bytes());
        packet.extend([0xff; 20]);
        packet
    }

    fn ipv4(payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0, 9, 0, 9, 0, 0, 0, 0]);
        packet.extend(payload);
        packet
    }

    fn ethernet(payload: &[u8]) -> Vec<u8> {
        [&[0; 12][..], &[0x81, 0, 0, 5, 8, 0], &ipv4(payload)].concat()
    }

    /// Packet 2 is lost, packet 3 late by 7 ms; RTCP and another stream lie in between.
    const ARRIVALS: [(u16, u32); 4] = [(0, 1000), (1, 1020), (3, 1067), (4, 1080)];

    fn datagrams() -> Vec<(u32, Vec<u8>)> {
        let mut all = vec![(1001, [&[0x80, 200][..], &[0; 26]].concat())];
        all.push((1002, [&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0; 20]].concat()));
        all.extend(ARRIVALS.map(|(seq, at)| (at, rtp(seq))));
        all
    }

    fn pcap_file(big_endian: bool) -> Vec<u8> {
        let word = |word: u32| if big_endian { word.to_be_bytes() } else { word.to_le_bytes() };
        let mut file = [0xa1b2_c3d4, 0x0002_0004, 0, 0, 65535, 1].map(word).concat();
        for (at, payload) in datagrams() {
            let packet = ethernet(&payload);
            let len = packet.len() as u32;
            file.extend([at / 1000, at % 1000 * 1000, len, len].map(word).concat());
            file.extend(packet);
        }
        file
    }

    fn pcapng_file() -> Vec<u8> {
        let block = |kind: u32, body: Vec<u8>| {
            let len = (body.len() as u32 + 12).to_le_bytes();
            [&kind.to_le_bytes()[..], &len, &body, &len].concat()
        };
        let mut file =
            block(0x0a0d_0d0a, [&0x1a2b_3c4du32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
        // Raw IP, a clock of milliseconds.
        file.extend(block(1, [&[101, 0, 0, 0, 0, 0, 0, 0][..], &[9, 0, 1, 0, 3, 0, 0, 0], &[0; 4]].concat()));
        for (at, payload) in datagrams() {
            let mut packet = ipv4(&payload);
            let len = packet.len() as u32;
            packet.resize(packet.len().next_multiple_of(4), 0);
            let head = [0, 0, at, len, len].map(u32::to_le_bytes).concat();
            file.extend(block(6, [head, packet].concat()));
        }
        file
    }

    fn rtpdump_file() -> Vec<u8> {
        let mut file = b"#!rtpplay1.0 10.0.0.1/9\n".to_vec();
        file.extend([0; 16]);
        for (at, payload) in datagrams() {
            let len = payload.len() as u16;
            file.extend((len + 8).to_be_bytes());
            file.extend(if payload[1] == 200 { 0 } else { len }.to_be_bytes());
            file.extend((at - 1000).to_be_bytes());
            file.extend(payload);
        }
        file
    }

    #[test]
    fn every_kind_of_file_gives_delays_and_losses_of_its_longest_stream() {
        let files = [
            ("pcap", PacketTrace::from_capture(&pcap_file(true))),
            ("pcap, little endian", PacketTrace::from_capture(&pcap_file(false))),
            ("pcapng", PacketTrace::from_capture(&pcapng_file())),
            ("rtpdump", PacketTrace::from_rtpdump(&rtpdump_file())),
        ];
        for (name, trace) in files {
            let trace = trace.unwrap_or_else(|error| panic!("{name}: {error}"));
            let delays: Vec<Option<u128>> =
                trace.packets().iter().map(|p| (!p.lost).then_some(p.delay.as_millis())).collect();
            assert_eq!(delays, [Some(0), Some(0), None, Some(7), Some(0)], "{name}");
        }
    }

    #[test]
    fn a_broken_file_is_told_with_the_place_and_the_reason() {
        let cut = |file: Vec<u8>, by: usize| file[..file.len() - by].to_vec();
        let capture = |file: &[u8]| PacketTrace::from_capture(file).map(|_| ());
        let table = [
            (capture(&cut(pcap_file(true), 5)), "the packet has 78 bytes, and the file ends before"),
            (capture(&pcap_file(true)[..24]), "byte 24: no RTP in it"),
            (capture(&pcap_file(true)[..10]), "the file ends inside its header"),
            (capture(&[&pcap_file(true)[..20], &[0, 0, 0, 99]].concat()), "link type 99 is not known"),
            (capture(&cut(pcapng_file(), 5)), "the file ends inside a block"),
            (PacketTrace::from_rtpdump(&cut(rtpdump_file(), 5)).map(|_| ()), "the record has 40 bytes"),
            (PacketTrace::from_rtpdump(b"#!rtpplay1.0 x").map(|_| ()), "the first line does not end"),
        ];
        for (result, reason) in table {
            let error = result.expect_err(reason).to_string();
            assert!(error.starts_with("byte ") && error.contains(reason), "{error}; wanted {reason}");
        }
    }
}
