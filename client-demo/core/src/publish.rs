//! One track we send: frames to packets, a history for retransmission, numbers for sender reports.

use crate::stats::SentTrack;
use packet::codec::vp8::{PictureId, Vp8Descriptor};
use packet::ext::{AudioLevel, ExtensionMap, TransportSequence, Values};
use packet::media::{CodecConfig, MediaKind, SendTrack};
use packet::rtcp::SenderReport;
use packet::rtp::{NoRoom, Outgoing};
use packet::{Mid, NtpTime, RtpTime, SeqNo, Ssrc};
use std::collections::VecDeque;
use std::time::Instant;
use wire::Kind;

/// One encoded frame: an Opus packet or a VP8 picture.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// In the codec's clock: 48 kHz for Opus, 90 kHz for VP8. The client adds a random offset of its own.
    pub timestamp: RtpTime,
    pub data: &'a [u8],
    /// For audio: lets the server choose who speaks.
    pub audio_level: Option<AudioLevel>,
}

/// VP8 bytes in one packet, so that with every extension, a retransmission's two bytes and the tag it stays under
/// the 1200 bytes that pass everywhere.
const PAYLOAD_MAX: usize = 1100;
/// Packets kept for retransmission: a second at 5 Mbit/s.
const HISTORY: usize = 512;
/// A whole packet with all extensions and the SRTP tag.
const BUFFER: usize = 1500;

pub(crate) struct Track {
    pub mid: Mid,
    pub kind: MediaKind,
    codec: CodecConfig,
    pub ssrc: Ssrc,
    rtx_ssrc: Option<Ssrc>,
    timestamp_offset: u32,
    next_seq: SeqNo,
    next_rtx_seq: SeqNo,
    next_picture: u16,
    history: VecDeque<Stored>,
    /// RTP time of the last frame and when it left.
    last: Option<(RtpTime, Instant)>,
    pub sent: SentTrack,
}

struct Stored {
    seq: SeqNo,
    marker: bool,
    timestamp: RtpTime,
    audio_level: Option<AudioLevel>,
    payload: Vec<u8>,
    /// As it went out, when the codec has no retransmission format: then the same bytes are sent again.
    protected: Option<Vec<u8>>,
}

/// A packet to protect and send; `buffer` has room for the tag behind `len`.
pub(crate) struct Unprotected {
    pub buffer: Vec<u8>,
    pub len: usize,
}

impl Track {
    /// None if the track has no SSRC of its own (simulcast, which this client does not send).
    pub fn new(track: &SendTrack, codec: CodecConfig, random: &mut crate::random::Random) -> Option<Self> {
        let &(ssrc, rtx_ssrc) = track.ssrcs.first()?;
        let kind = match track.kind {
            MediaKind::Audio => Kind::Audio,
            MediaKind::Video => Kind::Video,
        };
        Some(Self {
            mid: track.mid,
            kind: track.kind,
            codec,
            ssrc,
            rtx_ssrc,
            timestamp_offset: random.next() as u32,
            // In the lower half, so that no rollover happens among the first packets (RFC 3711 section 3.3.1).
            next_seq: SeqNo(random.next() as u16 & 0x7fff),
            next_rtx_seq: SeqNo(random.next() as u16 & 0x7fff),
            next_picture: random.next() as u16 & 0x7fff,
            history: VecDeque::new(),
            last: None,
            sent: SentTrack {
                mid: track.mid,
                kind,
                frames: 0,
                packets: 0,
                bytes: 0,
                nacked: 0,
                retransmitted: 0,
                keyframes_wanted: 0,
            },
        })
    }

    /// Cuts a frame into packets of nearly equal size. `transport_sequence` counts all packets of the transport.
    pub fn packets(
        &mut self,
        now: Instant,
        frame: Frame<'_>,
        map: &ExtensionMap,
        transport_sequence: &mut u16,
    ) -> Result<Vec<Unprotected>, NoRoom> {
        let timestamp = frame.timestamp.plus(self.timestamp_offset);
        self.last = Some((timestamp, now));
        self.sent.frames += 1;
        let count = match self.kind {
            MediaKind::Audio => 1,
            MediaKind::Video => frame.data.len().div_ceil(PAYLOAD_MAX).max(1),
        };
        let size = frame.data.len().div_ceil(count).max(1);
        let mut packets = Vec::with_capacity(count);
        for (index, chunk) in frame.data.chunks(size).enumerate() {
            let mut payload = Vec::with_capacity(chunk.len() + 4);
            if self.kind == MediaKind::Video {
                let descriptor = Vp8Descriptor {
                    start_of_partition: index == 0,
                    picture_id: Some(PictureId::Fifteen(self.next_picture)),
                    ..Vp8Descriptor::default()
                };
                payload.extend_from_slice(&descriptor.bytes());
            }
            payload.extend_from_slice(chunk);
            let stored = Stored {
                seq: self.next_seq,
                // Audio: set only behind silence (RFC 7587 section 4.1), which files do not have.
                marker: self.kind == MediaKind::Video && index + 1 == frame.data.chunks(size).len(),
                timestamp,
                audio_level: frame.audio_level,
                payload,
                protected: None,
            };
            packets.push(self.write(&stored, None, map, transport_sequence)?);
            self.next_seq = self.next_seq.plus(1);
            self.sent.packets += 1;
            self.sent.bytes += stored.payload.len() as u64;
            self.history.push_back(stored);
            if self.history.len() > HISTORY {
                self.history.pop_front();
            }
        }
        if self.kind == MediaKind::Video {
            self.next_picture = (self.next_picture + 1) & 0x7fff;
        }
        Ok(packets)
    }

    /// Keeps the bytes of the packet that just went out, for codecs without a retransmission format.
    pub fn keep_protected(&mut self, bytes: &[u8]) {
        if self.codec.rtx.is_none()
            && let Some(last) = self.history.back_mut()
        {
            last.protected = Some(bytes.to_vec());
        }
    }

    /// What to send because `seq` did not arrive; None: too old.
    pub fn repeat(&mut self, seq: SeqNo, map: &ExtensionMap, transport_sequence: &mut u16) -> Option<Repeat> {
        self.sent.nacked += 1;
        let newest = self.history.back()?.seq;
        let back = usize::try_from(newest.since(seq)).ok()?;
        let index = self.history.len().checked_sub(back + 1)?;
        let stored = &self.history[index];
        let repeat = match (&stored.protected, self.rtx_ssrc, self.codec.rtx) {
            (Some(bytes), ..) => Repeat::Again(bytes.clone()),
            (None, Some(_), Some(_)) => {
                let packet = self.write(stored, Some(self.next_rtx_seq), map, transport_sequence).ok()?;
                self.next_rtx_seq = self.next_rtx_seq.plus(1);
                Repeat::Rtx(packet)
            }
            _ => return None,
        };
        self.sent.retransmitted += 1;
        Some(repeat)
    }

    fn write(
        &self,
        stored: &Stored,
        rtx: Option<SeqNo>,
        map: &ExtensionMap,
        transport_sequence: &mut u16,
    ) -> Result<Unprotected, NoRoom> {
        let plain = Outgoing {
            marker: stored.marker,
            pt: self.codec.pt,
            seq: stored.seq,
            timestamp: stored.timestamp,
            ssrc: self.ssrc,
            extensions: Values {
                mid: Some(self.mid),
                audio_level: stored.audio_level,
                transport_sequence: Some(TransportSequence(*transport_sequence)),
                ..Values::default()
            },
            payload: &stored.payload,
            ..Outgoing::default()
        };
        let outgoing = match (rtx, self.codec.rtx, self.rtx_ssrc) {
            (Some(seq), Some(pt), Some(ssrc)) => Outgoing { pt, seq, ssrc, osn: Some(stored.seq), ..plain },
            _ => plain,
        };
        let mut buffer = vec![0; BUFFER.max(stored.payload.len() + 200)];
        let len = outgoing.write(map, &mut buffer)?.len;
        *transport_sequence = transport_sequence.wrapping_add(1);
        Ok(Unprotected { buffer, len })
    }

    /// None before the first packet.
    pub fn sender_report(&self, now: Instant, ntp: NtpTime) -> Option<SenderReport> {
        let (timestamp, at) = self.last?;
        let rate = u128::from(self.codec.codec.clock_rate());
        let elapsed = now.saturating_duration_since(at).as_nanos() * rate / 1_000_000_000;
        Some(SenderReport {
            ssrc: self.ssrc,
            ntp,
            rtp: timestamp.plus(elapsed as u32),
            packets: self.sent.packets as u32,
            octets: self.sent.bytes as u32,
            reports: Vec::new(),
        })
    }
}

pub(crate) enum Repeat {
    /// A new packet in the retransmission format.
    Rtx(Unprotected),
    /// The very same protected bytes.
    Again(Vec<u8>),
}
