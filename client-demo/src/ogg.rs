//! Opus packets out of an Ogg file (RFC 3533, RFC 7845), the whole file at once.

use anyhow::{Context, Result, bail, ensure};

/// One Opus packet and how long it plays, in 48 kHz ticks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpusPacket {
    pub data: Vec<u8>,
    pub ticks: u32,
}

/// Reads the first logical stream. The two header packets are checked and left out.
pub fn read(file: &[u8]) -> Result<Vec<OpusPacket>> {
    let mut packets = raw_packets(file)?.into_iter();
    let head = packets.next().context("the file is empty")?;
    ensure!(head.starts_with(b"OpusHead"), "not an Ogg Opus file");
    packets.next().filter(|tags| tags.starts_with(b"OpusTags")).context("the comment header is missing")?;
    let packets: Vec<OpusPacket> = packets
        .map(|data| Ok(OpusPacket { ticks: ticks(&data).context("an Opus packet of no length")?, data }))
        .collect::<Result<_>>()?;
    ensure!(!packets.is_empty(), "no audio in the file");
    Ok(packets)
}

/// Page header, RFC 3533 section 6:
///
/// ```text
/// "OggS" version flags granule(8) serial(4) sequence(4) checksum(4) segments(1) lacing(segments) body
/// ```
fn raw_packets(file: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut packets = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    let mut serial = None;
    let mut rest = file;
    while !rest.is_empty() {
        ensure!(rest.len() >= 27 && rest.starts_with(b"OggS"), "a damaged Ogg page");
        let segments = usize::from(rest[26]);
        let lacing = rest.get(27..27 + segments).context("a cut Ogg page")?;
        let len: usize = lacing.iter().map(|&l| usize::from(l)).sum();
        let mut body = rest.get(27 + segments..27 + segments + len).context("a cut Ogg page")?;
        let this = &rest[14..18];
        if *serial.get_or_insert(this) == this {
            for &lace in lacing {
                let (piece, behind) = body.split_at(usize::from(lace));
                open.extend_from_slice(piece);
                body = behind;
                // 255 means that the packet goes on.
                if lace < 255 {
                    packets.push(std::mem::take(&mut open));
                }
            }
        }
        rest = &rest[27 + segments + len..];
    }
    if packets.is_empty() {
        bail!("no packet in the file");
    }
    Ok(packets)
}

/// Duration from the table of contents byte (RFC 6716 section 3.1), at most 120 ms.
fn ticks(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        12..=15 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * count).filter(|ticks| (1..=5760).contains(ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_is_six_seconds_of_20_ms_packets() {
        let packets = read(crate::playback::SAMPLE_AUDIO).unwrap();
        assert!((299..=302).contains(&packets.len()), "{}", packets.len());
        assert!(packets.iter().all(|p| p.ticks == 960));
    }

    #[test]
    fn a_packet_may_span_pages() {
        let page = |flags: u8, lacing: &[u8], body: &[u8]| {
            let mut page = b"OggS\0".to_vec();
            page.push(flags);
            page.extend([0; 20]);
            page.push(lacing.len() as u8);
            page.extend(lacing);
            page.extend(body);
            page
        };
        let mut file = page(2, &[8], b"OpusHead");
        file.extend(page(0, &[8, 255], &[b"OpusTags".as_slice(), &[0xf8; 255]].concat()));
        file.extend(page(1, &[1], &[7]));
        let packets = read(&file).unwrap();
        assert_eq!(packets.len(), 1);
        assert_eq!((packets[0].data.len(), packets[0].ticks), (256, 960));
    }

    #[test]
    fn damaged_files_are_refused() {
        let sample = crate::playback::SAMPLE_AUDIO;
        assert!(read(&sample[..sample.len() - 5]).is_err());
        assert!(read(b"RIFF....").is_err());
        assert!(read(&[]).is_err());
    }
}
