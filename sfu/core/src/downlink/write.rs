//! One packet's bytes: the stored payload under the slot's own numbers, with the subscriber's extensions, encrypted.

use super::Session;
use super::egress::{Fec, Media, Padding};
use crate::DropReason;
use crate::uplink::Stored;
use packet::ext::{Extension, TransportSequence, Values};
use packet::rtp::{FIXED_HEADER_LEN, Outgoing};
use packet::{Mid, PayloadType};
use transport::Transport;

#[allow(clippy::too_many_arguments, reason = "one call site; the batch loop's own state")]
pub(super) fn write_media<'a>(
    media: &Media,
    (stored, packet): (&Stored, &[u8]),
    cached: impl Fn(&Media, u64) -> Option<(&'a Stored, &'a [u8])>,
    padding: usize,
    session: &Session,
    transport: &mut Transport,
    transport_sequence: &mut u16,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let copies =
        media.copies.map(|copies| copies.head(stored, |number| cached(media, number))).transpose()?;
    let red = media.red.map(|inner| [inner.0 & 0x7f]);
    let head = copies.as_deref().or(red.as_ref().map(|red| &red[..])).unwrap_or_default();
    let number = *transport_sequence;
    let (len, numbered) = write(media, (stored, packet), (media.pt, head), number, padding, session, out)?;
    if numbered {
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    transport.protect_rtp(out, len).map_err(|_| DropReason::Protect)
}

/// A packet as FEC protects it: without RED, and without what is stamped on its way out.
pub(super) fn write_plain(
    media: &Media,
    inner: PayloadType,
    stored: (&Stored, &[u8]),
    session: &Session,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    write(media, stored, (inner, &[]), 0, 0, session, out).map(|(len, _)| len)
}

/// The length, and whether there is a transport-wide number in it.
fn write(
    media: &Media,
    (stored, packet): (&Stored, &[u8]),
    (pt, head): (PayloadType, &[u8]),
    transport_sequence: u16,
    padding: usize,
    session: &Session,
    out: &mut [u8],
) -> Result<(usize, bool), DropReason> {
    let mut extensions = media.extensions(stored, packet, session);
    let descriptor = extensions.dependency_descriptor.map(|received| media.ids.descriptor(received));
    extensions.dependency_descriptor = descriptor.as_deref();
    let numbered = extensions.transport_sequence.is_some();
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = transport_sequence;
    }
    let outgoing = Outgoing {
        marker: stored.header.marker || media.ids.ends_picture,
        pt,
        seq: media.seq,
        timestamp: media.timestamp,
        ssrc: media.ssrc,
        extensions,
        osn: media.osn,
        head,
        payload: stored.header.payload(packet),
        padding_len: padding as u8,
    };
    let layout = outgoing.write(&session.extensions, out).map_err(|_| DropReason::Protect)?;
    let payload = layout.payload.start + head.len()..layout.payload.end;
    media.ids.write(stored.codec, &mut out[payload]);
    Ok((layout.len, numbered))
}

impl Fec {
    fn extensions(&self, session: &Session) -> Values<'static> {
        small_extensions(self.mid, session)
    }

    /// Bytes on the wire, encrypted, with so many bytes of payload.
    pub fn len(&self, payload: usize, session: &Session) -> usize {
        let extensions = self.extensions(session).wire_len(&session.extensions);
        FIXED_HEADER_LEN + extensions + 1 + payload + session.overhead
    }
}

pub(super) fn write_fec(
    fec: &Fec,
    payload: &[u8],
    session: &Session,
    transport: &mut Transport,
    transport_sequence: &mut u16,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let mut extensions = fec.extensions(session);
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = *transport_sequence;
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    let outgoing = Outgoing {
        pt: fec.pt,
        seq: fec.seq,
        timestamp: fec.timestamp,
        ssrc: fec.ssrc,
        extensions,
        head: &[fec.inner.0 & 0x7f],
        payload,
        ..Outgoing::default()
    };
    let layout = outgoing.write(&session.extensions, out).map_err(|_| DropReason::Protect)?;
    transport.protect_rtp(out, layout.len).map_err(|_| DropReason::Protect)
}

/// Of packets that carry no picture of their own.
fn small_extensions(mid: Mid, session: &Session) -> Values<'static> {
    let feedback = session.extensions.id(Extension::TransportSequence).is_some();
    Values {
        mid: Some(mid),
        transport_sequence: feedback.then_some(TransportSequence(0)),
        ..Values::default()
    }
}

impl Padding {
    /// Bytes without payload: what one count byte can say, less what equal sizes in a batch may add.
    const BYTES: u8 = 224;

    fn extensions(&self, session: &Session) -> Values<'static> {
        small_extensions(self.mid, session)
    }

    /// Bytes on the wire, encrypted.
    pub fn len(&self, session: &Session) -> usize {
        let extensions = self.extensions(session).wire_len(&session.extensions);
        FIXED_HEADER_LEN + extensions + usize::from(Self::BYTES) + session.overhead
    }
}

pub(super) fn write_padding(
    padding: &Padding,
    session: &Session,
    transport: &mut Transport,
    transport_sequence: &mut u16,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let mut extensions = padding.extensions(session);
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = *transport_sequence;
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    let outgoing = Outgoing {
        pt: padding.pt,
        seq: padding.seq,
        timestamp: padding.timestamp,
        ssrc: padding.ssrc,
        extensions,
        padding_len: Padding::BYTES,
        ..Outgoing::default()
    };
    let layout = outgoing.write(&session.extensions, out).map_err(|_| DropReason::Protect)?;
    transport.protect_rtp(out, layout.len).map_err(|_| DropReason::Protect)
}
