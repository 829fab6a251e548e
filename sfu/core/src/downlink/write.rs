//! One packet's bytes: the stored payload under the slot's own numbers, with the subscriber's extensions, encrypted.

use super::Session;
use super::egress::{Media, Padding};
use crate::DropReason;
use crate::uplink::Stored;
use packet::ext::{Extension, TransportSequence, Values};
use packet::rtp::{FIXED_HEADER_LEN, Outgoing};
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
    let mut extensions = media.extensions(stored, packet, session);
    let descriptor = extensions.dependency_descriptor.map(|received| media.ids.descriptor(received));
    extensions.dependency_descriptor = descriptor.as_deref();
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = *transport_sequence;
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    let copies =
        media.copies.map(|copies| copies.head(stored, |number| cached(media, number))).transpose()?;
    let outgoing = Outgoing {
        marker: stored.header.marker || media.ids.ends_picture,
        pt: media.pt,
        seq: media.seq,
        timestamp: media.timestamp,
        ssrc: media.ssrc,
        extensions,
        osn: media.osn,
        head: copies.as_deref().unwrap_or_default(),
        payload: stored.header.payload(packet),
        padding_len: padding as u8,
    };
    let layout = outgoing.write(&session.extensions, out).map_err(|_| DropReason::Protect)?;
    media.ids.write(stored.codec, &mut out[layout.payload]);
    transport.protect_rtp(out, layout.len).map_err(|_| DropReason::Protect)
}

impl Padding {
    /// Bytes without payload: what one count byte can say, less what equal sizes in a batch may add.
    const BYTES: u8 = 224;

    fn extensions(&self, session: &Session) -> Values<'static> {
        let feedback = session.extensions.id(Extension::TransportSequence).is_some();
        Values {
            mid: Some(self.mid),
            transport_sequence: feedback.then_some(TransportSequence(0)),
            ..Values::default()
        }
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
