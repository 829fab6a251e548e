//! One packet's bytes: the stored payload under the slot's own numbers, with the subscriber's extensions, encrypted.

use super::egress::{Fec, FecKind, Media, Outlet, Padding};
use super::history::Sent;
use super::slot::Slot;
use super::{Session, SourceRef};
use crate::DropReason;
use crate::uplink::Stored;
use packet::ext::{Extension, TransportSequence, Values};
use packet::rtp::{CSRC_LEN, FIXED_HEADER_LEN, Outgoing};
use packet::{Mid, PayloadType, SeqNo};
use transport::Transport;

/// Finds a publisher's packet by its source and number there, with its bytes and the offset of its publisher's clock.
pub(crate) trait Sources<'a>: Fn(SourceRef, u64) -> Option<Kept<'a>> {}
impl<'a, F: Fn(SourceRef, u64) -> Option<Kept<'a>>> Sources<'a> for F {}

/// What a publisher's packet is, its bytes, and what is to be added to its publisher's clock.
pub(crate) type Kept<'a> = (&'a Stored, &'a [u8], Option<i64>);

/// `before`: repairs that have left on the slot's RTX source.
#[allow(clippy::too_many_arguments, reason = "one call site; the batch loop's own state")]
pub(super) fn write_media<'a>(
    media: &Media,
    slot: &Slot,
    before: u16,
    sources: &impl Sources<'a>,
    padding: usize,
    session: &Session,
    transport: &mut Transport,
    transport_sequence: &mut u16,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let Some(sent) = slot.sent(media.seq) else { return Err(DropReason::CacheMiss) };
    let Some(kept) = sources(sent.source, sent.source_seq) else { return Err(DropReason::CacheMiss) };
    if media.clock_known && kept.2.is_none() {
        return Err(DropReason::CacheMiss);
    }
    let earlier = |number| sources(sent.source, number).map(|(stored, packet, _)| (stored, packet));
    let copies = media.copies.map(|copies| copies.head(kept.0, earlier)).transpose()?;
    let red = media.form.red().map(|inner| [inner.0 & 0x7f]);
    let head = copies.as_deref().or(red.as_ref().map(|red| &red[..])).unwrap_or_default();
    let seq = if media.again { slot.rtx_start().plus(before) } else { media.seq };
    let outlet = slot.outlet(media.again);
    let number = *transport_sequence;
    let (len, numbered) =
        write(media, (&sent, kept), (outlet, seq, media.pt, head), number, padding, session, out)?;
    if numbered {
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    transport.protect_rtp(out, len).map_err(|_| DropReason::Protect)
}

/// A packet as FEC protects it: without RED, and without what is stamped on its way out.
pub(super) fn write_plain(
    media: &Media,
    what: (&Sent, Kept),
    (outlet, inner): (Outlet, PayloadType),
    session: &Session,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    write(media, what, (outlet, media.seq, inner, &[]), 0, 0, session, out).map(|(len, _)| len)
}

/// The length, and whether there is a transport-wide number in it.
fn write(
    media: &Media,
    (sent, (stored, packet, clock_offset)): (&Sent, Kept),
    (outlet, seq, pt, head): (Outlet, SeqNo, PayloadType, &[u8]),
    transport_sequence: u16,
    padding: usize,
    session: &Session,
    out: &mut [u8],
) -> Result<(usize, bool), DropReason> {
    let ids = sent.ids(stored);
    let offset = clock_offset.filter(|_| media.clock_known);
    let mut extensions = media.extensions((stored, packet), (outlet.mid, offset), session);
    let descriptor = extensions.dependency_descriptor.map(|received| ids.descriptor(received));
    extensions.dependency_descriptor = descriptor.as_deref();
    let numbered = extensions.transport_sequence.is_some();
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = transport_sequence;
    }
    let outgoing = Outgoing {
        marker: stored.header.marker || ids.ends_picture,
        pt,
        seq,
        timestamp: sent.timestamp(stored),
        ssrc: outlet.ssrc,
        extensions,
        csrc: None,
        osn: media.again.then_some(media.seq),
        head,
        payload: stored.header.payload(packet),
        padding_len: padding as u8,
    };
    let layout = outgoing.write(&session.extensions, out).map_err(|_| DropReason::Protect)?;
    let payload = layout.payload.start + head.len()..layout.payload.end;
    ids.write(stored.codec, &mut out[payload]);
    Ok((layout.len, numbered))
}

impl Fec {
    /// Bytes on the wire, encrypted, with so many bytes of payload.
    pub fn len(&self, payload: usize, mid: Mid, session: &Session) -> usize {
        let extensions = small_extensions(mid, session).wire_len(&session.extensions);
        let head = match self.kind {
            FecKind::Ulpfec(_) => 1,
            FecKind::Flexfec => CSRC_LEN,
            FecKind::Flexfec03 => 0,
        };
        FIXED_HEADER_LEN + extensions + head + payload + session.overhead
    }
}

pub(super) fn write_fec(
    fec: &Fec,
    payload: &[u8],
    slot: &Slot,
    session: &Session,
    transport: &mut Transport,
    transport_sequence: &mut u16,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let mut extensions = small_extensions(slot.mid, session);
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = *transport_sequence;
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    let (ssrc, csrc, inner) = match fec.kind {
        FecKind::Ulpfec(inner) => (slot.ssrc, None, Some([inner.0 & 0x7f])),
        FecKind::Flexfec => (slot.fec.ok_or(DropReason::CacheMiss)?, Some(slot.ssrc), None),
        FecKind::Flexfec03 => (slot.fec.ok_or(DropReason::CacheMiss)?, None, None),
    };
    let outgoing = Outgoing {
        pt: fec.pt,
        seq: fec.seq,
        timestamp: fec.timestamp,
        ssrc,
        csrc,
        extensions,
        head: inner.as_ref().map_or(&[], |inner| &inner[..]),
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

    /// Bytes on the wire, encrypted.
    pub fn len(mid: Mid, session: &Session) -> usize {
        let extensions = small_extensions(mid, session).wire_len(&session.extensions);
        FIXED_HEADER_LEN + extensions + usize::from(Self::BYTES) + session.overhead
    }
}

pub(super) fn write_padding(
    padding: &Padding,
    outlet: Outlet,
    session: &Session,
    transport: &mut Transport,
    transport_sequence: &mut u16,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let mut extensions = small_extensions(outlet.mid, session);
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = *transport_sequence;
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    let outgoing = Outgoing {
        pt: padding.pt,
        seq: padding.seq,
        timestamp: padding.timestamp,
        ssrc: outlet.ssrc,
        extensions,
        padding_len: Padding::BYTES,
        ..Outgoing::default()
    };
    let layout = outgoing.write(&session.extensions, out).map_err(|_| DropReason::Protect)?;
    transport.protect_rtp(out, layout.len).map_err(|_| DropReason::Protect)
}
