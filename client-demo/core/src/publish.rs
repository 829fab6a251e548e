//! One track we send: frames to packets, one stream for each layer.

use crate::config::Counters;
use crate::random::Random;
use crate::stats::SentTrack;
use crate::stream::{Stored, Stream};
use jitter::send::{self, AudioSender};
use packet::codec::vp8::{PictureId, TemporalLayer, Vp8Descriptor};
use packet::ext::AudioLevel;
use packet::media::{CodecConfig, MediaKind, SendTrack};
use packet::rtcp::SenderReport;
use packet::{Mid, NtpTime, PayloadType, Rid, RtpTime, Ssrc};
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
    /// Simulcast layer, 0 is the smallest. A layer that was not negotiated is not sent.
    pub layer: u8,
    /// For video of which pictures can be left out.
    pub temporal: Option<TemporalLayer>,
    /// For audio: the frame without the deep redundancy inside it, which is what is sent when it is asked for again or repeated in
    /// advance. None: the frame itself.
    pub copy: Option<&'a [u8]>,
    /// For audio: it only says that the silence goes on (DTX), and is sent if something else has to travel.
    pub silence: bool,
}

impl<'a> Frame<'a> {
    /// A frame of a track with one layer.
    pub fn new(timestamp: RtpTime, data: &'a [u8]) -> Self {
        Self { timestamp, data, audio_level: None, layer: 0, temporal: None, copy: None, silence: false }
    }
}

/// VP8 bytes in one packet, so that with every extension, a retransmission's two bytes and the tag it stays under
/// the 1200 bytes that pass everywhere.
const PAYLOAD_MAX: usize = 1100;

pub(crate) struct Track {
    pub mid: Mid,
    pub kind: MediaKind,
    pub codec: CodecConfig,
    pub streams: Vec<Stream>,
    /// Of sound: what goes into which packet.
    pub sound: Option<AudioSender>,
    timestamp_offset: u32,
    pub sent: SentTrack,
}

/// A packet of sound to send, and whether it is a retransmission.
pub(crate) type SoundPacket = (Stored, bool);

impl Track {
    /// None if the track has no SSRC of its own.
    pub fn new(
        track: &SendTrack,
        codec: CodecConfig,
        red: Option<PayloadType>,
        counters: Counters,
        random: &mut Random,
    ) -> Option<Self> {
        let kind = match track.kind {
            MediaKind::Audio => Kind::Audio,
            MediaKind::Video => Kind::Video,
        };
        let mut streams = Vec::new();
        for (index, &ssrcs) in track.ssrcs.iter().enumerate() {
            let rid: Option<Rid> = track.rids.get(index).copied();
            // Without the server's consent to simulcast only the first layer has a meaning.
            if index == 0 || rid.is_some() {
                streams.push(Stream::new(ssrcs, rid, counters, random));
            }
        }
        let timestamp_offset = match counters {
            Counters::Random => random.next() as u32,
            // Seconds before the end.
            Counters::AboutToWrap => u32::MAX - 7 * codec.codec.clock_rate(),
        };
        let first_seq = streams.first()?.next_number();
        let sound = (kind == Kind::Audio).then(|| {
            AudioSender::new(jitter::send::Config {
                codec: codec.pt,
                red,
                rtx: codec.rtx.is_some() && streams[0].rtx_ssrc.is_some(),
                first_seq,
                payload_max: PAYLOAD_MAX,
            })
        });
        Some(Self {
            mid: track.mid,
            kind: track.kind,
            codec,
            streams,
            sound,
            timestamp_offset,
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

    /// The layer that is sent with this SSRC.
    pub fn layer_of(&self, ssrc: Ssrc) -> Option<usize> {
        self.streams.iter().position(|stream| stream.ssrc == ssrc)
    }

    /// Takes one frame of sound; its packet, with copies of earlier ones, is in [`Self::sound_packets`].
    pub fn speak(&mut self, now: Instant, frame: Frame<'_>) {
        let timestamp = frame.timestamp.plus(self.timestamp_offset);
        self.sent.frames += 1;
        if let Some(sound) = &mut self.sound {
            let Frame { data: payload, copy, silence, .. } = frame;
            let copy = copy.unwrap_or(payload);
            sound.frame(now, send::Frame { timestamp, payload, copy, silence });
        }
    }

    /// What is to be sent of sound now.
    pub fn sound_packets(&mut self, audio_level: Option<AudioLevel>) -> Vec<SoundPacket> {
        let Some(sound) = &mut self.sound else { return Vec::new() };
        let mut packets = Vec::new();
        while let Some(outgoing) = sound.poll_packet() {
            let send::Outgoing { seq, timestamp, pt, marker, payload, retransmission } = outgoing;
            if !retransmission {
                self.sent.packets += 1;
                self.sent.bytes += payload.len() as u64;
            }
            packets.push((Stored { seq, pt, marker, timestamp, audio_level, payload }, retransmission));
        }
        let stats = sound.stats();
        self.sent.nacked = stats.requested + stats.requested_again + stats.repeated + stats.unknown;
        self.sent.retransmitted = stats.answers + stats.retransmissions;
        packets
    }

    /// Cuts a picture into packets of nearly equal size. None: there is no such layer.
    pub fn packets(&mut self, frame: Frame<'_>) -> Option<Vec<Stored>> {
        let stream = self.streams.get_mut(usize::from(frame.layer))?;
        let timestamp = frame.timestamp.plus(self.timestamp_offset);
        self.sent.frames += 1;
        let count = frame.data.len().div_ceil(PAYLOAD_MAX).max(1);
        let chunks = frame.data.chunks(frame.data.len().div_ceil(count).max(1));
        let last = chunks.len().saturating_sub(1);
        if frame.temporal.is_some_and(|layer| layer.tid == 0) {
            stream.base_picture = stream.base_picture.wrapping_add(1);
        }
        let descriptor = Vp8Descriptor {
            picture_id: Some(PictureId::Fifteen(stream.next_picture)),
            tl0_pic_idx: frame.temporal.map(|_| stream.base_picture),
            layer: frame.temporal,
            ..Vp8Descriptor::default()
        };
        stream.next_picture = (stream.next_picture + 1) & 0x7fff;
        let packet = |(index, chunk): (usize, &[u8])| {
            let mut payload = Vec::with_capacity(chunk.len() + 6);
            let descriptor = Vp8Descriptor { start_of_partition: index == 0, ..descriptor };
            payload.extend_from_slice(&descriptor.bytes());
            payload.extend_from_slice(chunk);
            self.sent.packets += 1;
            self.sent.bytes += payload.len() as u64;
            Stored {
                seq: stream.number(),
                pt: self.codec.pt,
                marker: index == last,
                timestamp,
                audio_level: None,
                payload,
            }
        };
        Some(chunks.enumerate().map(packet).collect())
    }

    /// One for each layer that has sent something.
    pub fn sender_reports(&self, now: Instant, ntp: NtpTime) -> impl Iterator<Item = SenderReport> {
        let rate = self.codec.codec.clock_rate();
        self.streams.iter().filter_map(move |stream| stream.sender_report(now, ntp, rate))
    }
}
