//! Which header extensions a packet has on its way to one subscriber, and how long that makes it.

use crate::clock::Nanos;
use crate::downlink::egress::Media;
use crate::downlink::{Ids, Session};
use crate::uplink::Stored;
use packet::Mid;
use packet::ext::{AbsCaptureTime, PlayoutDelay, TransportSequence, Values};
use packet::rtp::FIXED_HEADER_LEN;

impl Media {
    /// Header extensions as this subscriber gets them; the transport sequence number is a placeholder of its size.
    /// `offset`: publisher's clock to the router's, nanoseconds.
    pub fn extensions<'a>(
        &self,
        (stored, packet): (&Stored, &'a [u8]),
        (mid, offset): (Mid, Option<i64>),
        session: &Session,
    ) -> Values<'a> {
        use packet::ext::Extension;
        let map = &session.extensions;
        let feedback = map.id(Extension::TransportSequence).is_some();
        // The publisher's capture clock becomes the router's; without a known offset it would mislead.
        let captured = stored.abs_capture_time.bytes(packet).and_then(AbsCaptureTime::read);
        let abs_capture_time = captured.zip(offset).map(|(time, offset)| AbsCaptureTime {
            capture: Nanos(Nanos::from_ntp(time.capture).0.wrapping_add(offset)).ntp(),
            clock_offset: None,
        });
        Values {
            mid: Some(mid),
            audio_level: stored.audio_level,
            transport_sequence: feedback.then_some(TransportSequence(0)),
            // One of the two is enough for any estimator, and this one is longer.
            abs_send_time: (!feedback).then(Default::default),
            playout_delay: self.playout.or(stored.playout_delay).and_then(|bytes| PlayoutDelay::read(&bytes)),
            video_orientation: stored.video_orientation,
            abs_capture_time,
            dependency_descriptor: stored.dependency_descriptor.bytes(packet),
            ..Values::default()
        }
    }

    /// Bytes of the extensions on the wire, with their padding.
    pub(super) fn extensions_len(&self, stored: &Stored, ids: &Ids, mid: Mid, session: &Session) -> usize {
        // Their bytes do not matter here, their lengths do.
        const ZEROS: [u8; 255] = [0; 255];
        let mut values = self.extensions((stored, &[]), (mid, None), session);
        if !stored.abs_capture_time.is_empty() && self.clock_known {
            values.abs_capture_time = AbsCaptureTime::read(&ZEROS[..8]);
        }
        if !stored.dependency_descriptor.is_empty() {
            values.dependency_descriptor = Some(&ZEROS[..descriptor_len(stored, ids)]);
        }
        values.wire_len(&session.extensions)
    }

    /// Bytes on the wire, encrypted.
    pub fn len(&self, stored: &Stored, ids: &Ids, mid: Mid, session: &Session) -> usize {
        let osn = if self.again { packet::rtp::rtx::OSN_LEN } else { 0 };
        let payload = stored.header.payload_range().len();
        FIXED_HEADER_LEN + self.extensions_len(stored, ids, mid, session) + osn + payload + session.overhead
    }
}

/// Which extensions a packet has: what their length depends on within one slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Shape {
    audio_level: bool,
    video_orientation: bool,
    playout_delay: bool,
    capture_time: bool,
    dependency_descriptor: usize,
}

impl Shape {
    pub fn of(stored: &Stored, ids: &Ids, playout: bool, clock_known: bool) -> Self {
        Self {
            audio_level: stored.audio_level.is_some(),
            video_orientation: stored.video_orientation.is_some(),
            playout_delay: playout || stored.playout_delay.is_some(),
            capture_time: clock_known && !stored.abs_capture_time.is_empty(),
            dependency_descriptor: descriptor_len(stored, ids),
        }
    }
}

fn descriptor_len(stored: &Stored, ids: &Ids) -> usize {
    ids.active_targets.map_or(stored.dependency_descriptor.len(), |active| usize::from(active.len))
}
