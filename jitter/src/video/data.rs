//! The payloads of a frame joined into what a decoder takes: VP8 and VP9 frames as they are, H.264 as an Annex B byte
//! stream, AV1 as OBUs with their sizes.

use packet::codec::h264::nal;
use packet::media::Codec;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// OBU header (AV1 specification section 5.3.2): the extension byte follows; the size follows.
const OBU_EXTENSION: u8 = 0x04;
const OBU_HAS_SIZE: u8 = 0x02;

/// `payloads` in sequence order, for AV1 with their aggregation header, for the others behind their descriptor. `None`: what
/// is inside contradicts the format.
pub(crate) fn join(codec: Codec, payloads: &[&[u8]]) -> Option<Vec<u8>> {
    match codec {
        Codec::H264 => annex_b(payloads),
        Codec::Av1 => obus(payloads),
        _ => Some(payloads.concat()),
    }
}

/// RFC 6184: single NAL units, STAP-A and FU-A.
fn annex_b(payloads: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(payloads.iter().map(|p| p.len() + START_CODE.len()).sum());
    for payload in payloads {
        match *payload {
            [first, rest @ ..] if first & 0x1f == nal::STAP_A => {
                let mut rest = rest;
                while let Some((&len, behind)) = rest.split_first_chunk::<2>() {
                    let (unit, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(len)))?;
                    out.extend(START_CODE);
                    out.extend_from_slice(unit);
                    rest = behind;
                }
            }
            [first, fu, rest @ ..] if first & 0x1f == nal::FU_A => {
                if fu & 0x80 != 0 {
                    out.extend(START_CODE);
                    out.push(first & 0xe0 | fu & 0x1f);
                } else if out.is_empty() {
                    return None; // A fragment of nothing.
                }
                out.extend_from_slice(rest);
            }
            [first, ..] if (1..=23).contains(&(first & 0x1f)) => {
                out.extend(START_CODE);
                out.extend_from_slice(payload);
            }
            _ => return None,
        }
    }
    Some(out)
}

/// AV1 RTP payload specification section 4.3: elements are OBUs or pieces of them.
fn obus(payloads: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(payloads.iter().map(|p| p.len() + 2).sum());
    let mut open: Vec<u8> = Vec::new();
    for payload in payloads {
        let header = packet::codec::av1::AggregationHeader::parse(payload)?;
        let mut rest = &payload[1..];
        let mut number = 0u8;
        if header.continues == open.is_empty() {
            return None; // A piece of nothing, or an OBU that never ended.
        }
        while !rest.is_empty() {
            number += 1;
            let has_length = header.elements == 0 || number < header.elements;
            let element = if has_length {
                let (len, behind) = leb128(rest)?;
                let (element, behind) = behind.split_at_checked(len)?;
                rest = behind;
                element
            } else {
                std::mem::take(&mut rest)
            };
            open.extend_from_slice(element);
            if !(rest.is_empty() && header.continued) {
                with_size(&open, &mut out)?;
                open.clear();
            }
        }
    }
    open.is_empty().then_some(out)
}

fn with_size(obu: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let &first = obu.first()?;
    if first & OBU_HAS_SIZE != 0 {
        out.extend_from_slice(obu);
        return Some(());
    }
    let header_len = if first & OBU_EXTENSION != 0 { 2 } else { 1 };
    let (header, body) = obu.split_at_checked(header_len)?;
    out.push(first | OBU_HAS_SIZE);
    out.extend_from_slice(&header[1..]);
    let mut len = body.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(body);
    Some(())
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (n, byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[n + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h264_becomes_a_byte_stream() {
        let fragments: [&[u8]; 2] = [&[0x7c, 0x85, 0xaa], &[0x7c, 0x45, 0xbb]];
        let stap: &[u8] = &[0x78, 0, 2, 0x67, 1, 0, 1, 0x68];
        for (name, payloads, expected) in [
            ("one unit", &[&[0x41, 9][..]][..], Some(vec![0, 0, 0, 1, 0x41, 9])),
            ("aggregate", &[stap], Some(vec![0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68])),
            ("fragments", &fragments, Some(vec![0, 0, 0, 1, 0x65, 0xaa, 0xbb])),
            ("a later fragment alone", &fragments[1..], None),
            ("an aggregate that lies", &[&[0x78, 0, 9, 1]], None),
            ("an unknown format", &[&[0x7d, 1]], None),
        ] {
            assert_eq!(join(Codec::H264, payloads), expected, "{name}");
        }
    }

    #[test]
    fn av1_pieces_become_obus_with_sizes() {
        // W = 2: a sequence header with its length, then the first piece of a frame; W = 1, Z: its rest.
        let first: &[u8] = &[0x68, 2, 0x08, 0xaa, 0x30, 1, 2];
        let second: &[u8] = &[0x90, 3, 4];
        let expected = vec![0x0a, 1, 0xaa, 0x32, 4, 1, 2, 3, 4];
        assert_eq!(join(Codec::Av1, &[first, second]), Some(expected));
        assert_eq!(join(Codec::Av1, &[second]), None, "a piece of nothing");
        assert_eq!(join(Codec::Av1, &[first]), None, "never ended");
        // W = 0: each with its length; one has its size already, one an extension byte.
        let all: &[u8] = &[0x00, 3, 0x32, 1, 7, 3, 0x34, 0x20, 9];
        assert_eq!(join(Codec::Av1, &[all]), Some(vec![0x32, 1, 7, 0x36, 0x20, 1, 9]));
    }

    #[test]
    fn vp8_is_joined_as_it_is() {
        assert_eq!(join(Codec::Vp8, &[&[1, 2], &[3]]), Some(vec![1, 2, 3]));
    }
}
