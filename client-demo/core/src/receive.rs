//! One slot: whose it is, and the buffer behind it.
//!
//! A slot changes hands by a message, media by datagrams, and the two race. On a slot that nobody had before, whatever comes is
//! played at once as that of somebody whose name follows. On any other, packets that come before it is known whose they are wait:
//! until the server has said from which timestamp on the newcomer's media begins (`first_frame`), that is everything. Nothing of
//! one person ever enters a buffer that plays another.

use crate::decoders::Decoders;
use crate::lag::Lag;
use crate::participants::Owner;
use crate::sound::Sound;
use crate::source::SourceStatistics;
use jitter::video::{Payload, Via, VideoBuffer};
use packet::ext::ExtensionMap;
use packet::media::{Codec, CodecConfig, MediaKind, Slot};
use packet::rtp::RtpHeader;
use packet::{NtpTime, RtpTime};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets held back while it is not known whose they are: two seconds of pictures and sound.
const HELD_MAX: usize = 256;
/// Two reports that place a capture further apart do not go by the same clock.
const SAME_CLOCK: Duration = Duration::from_millis(5);

pub(crate) struct Receive {
    pub slot: Slot,
    owner: Option<Owner>,
    /// Somebody else had the slot before.
    used: bool,
    /// From here on it is `owner`'s. None: not known yet (irrelevant if there was nobody before).
    since: Option<RtpTime>,
    bound_at: Instant,
    held: VecDeque<Held>,
    pub source: SourceStatistics,
    /// Of what the owner sends.
    pub lag: Lag,
    pub media: Media,
}

pub(crate) enum Media {
    Sound(Box<Sound>),
    Pictures(Box<Pictures>),
}

pub(crate) struct Pictures {
    pub buffer: VideoBuffer,
    /// Of the packets given up, those that were told.
    lost: u64,
}

impl Pictures {
    /// Packets given up since the last call.
    pub fn newly_lost(&mut self) -> u64 {
        let lost = self.buffer.lost();
        lost - std::mem::replace(&mut self.lost, lost)
    }
}

struct Held {
    at: Instant,
    rtp: Vec<u8>,
    via: Via,
}

/// What every slot's buffer is made from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listening {
    pub codecs: Vec<CodecConfig>,
    pub extensions: ExtensionMap,
    pub decoders: Decoders,
    /// Frames come out with their bytes.
    pub frames: bool,
    /// Of the noise that fills silence.
    pub seed: u64,
}

/// What a packet was good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// Payload bytes that went to the buffer.
    Used(usize),
    Held,
    Dropped(&'static str),
}

impl Receive {
    pub fn new(slot: Slot, now: Instant, listening: &Listening) -> Self {
        let (media, clock_rate) = match slot.kind {
            MediaKind::Audio => {
                let seed = listening.seed ^ u64::from(slot.ssrc.0);
                let config = jitter::audio::Config { seed, ..Default::default() };
                let sound = Sound::new(config, listening.decoders.make(), listening.frames);
                (Media::Sound(Box::new(sound)), Codec::Opus.clock_rate())
            }
            MediaKind::Video => {
                let videos = listening.codecs.iter().filter(|c| c.codec.kind() == MediaKind::Video);
                let config = jitter::video::Config {
                    payloads: videos
                        .map(|c| match c.codec {
                            Codec::Flexfec => (c.pt, Payload::Flexfec),
                            codec => (c.pt, Payload::Codec(codec)),
                        })
                        .collect(),
                    extensions: listening.extensions,
                    keep_data: listening.frames,
                    ..Default::default()
                };
                let pictures = Pictures { buffer: VideoBuffer::new(config), lost: 0 };
                (Media::Pictures(Box::new(pictures)), Codec::Vp8.clock_rate())
            }
        };
        Self {
            slot,
            owner: None,
            used: false,
            since: None,
            bound_at: now,
            held: VecDeque::new(),
            source: SourceStatistics::new(clock_rate, now),
            lag: Lag::default(),
            media,
        }
    }

    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    pub fn bound_at(&self) -> Instant {
        self.bound_at
    }

    /// True if the slot has another owner now; then nothing of the one before comes out any more. Whoever is heard already may only be
    /// given a name.
    pub fn bind(&mut self, now: Instant, owner: Option<Owner>) -> bool {
        if self.owner == owner {
            return false;
        }
        if owner.is_some() && self.owner.as_ref().is_some_and(Owner::is_unnamed) {
            self.owner = owner;
            return false;
        }
        self.used |= std::mem::replace(&mut self.owner, owner).is_some();
        (self.since, self.bound_at, self.lag) = (None, now, Lag::default());
        match &mut self.media {
            Media::Sound(sound) => sound.buffer.begin_anew(),
            Media::Pictures(pictures) => pictures.buffer.begin_anew(),
        }
        true
    }

    /// The newcomer's media begins at `timestamp`.
    pub fn begins(&mut self, timestamp: RtpTime) {
        self.since = Some(timestamp);
    }

    pub fn set_round_trip(&mut self, round_trip: Duration) {
        match &mut self.media {
            Media::Sound(sound) => sound.buffer.set_round_trip(round_trip),
            Media::Pictures(pictures) => pictures.buffer.set_round_trip(round_trip),
        }
    }

    /// A sender report: `rtp` was captured at `ntp`, on the server's clock.
    pub fn sender_report(&mut self, now: Instant, ntp: NtpTime, rtp: RtpTime) {
        // Until the server knows when something was captured it goes by when that came to it.
        let moved = self
            .source
            .captured(rtp)
            .is_some_and(|by_last| ntp.since(by_last).max(by_last.since(ntp)) > SAME_CLOCK);
        if moved {
            self.lag = Lag::default();
        }
        self.source.sender_report(now, ntp, rtp);
    }

    /// How much farther away than the server whoever is in the slot is.
    pub fn set_farther(&mut self, farther: Duration) {
        match &mut self.media {
            Media::Sound(sound) => sound.buffer.set_farther(farther),
            Media::Pictures(pictures) => pictures.buffer.set_farther(farther),
        }
    }

    /// An RTP packet of this slot, or the original out of a retransmission.
    pub fn packet(&mut self, now: Instant, rtp: &[u8], via: Via, listening: &Listening) -> Taken {
        let Ok(header) = RtpHeader::parse(rtp) else { return Taken::Dropped("rtp_malformed") };
        if via == Via::Media {
            self.source.arrived(now, header.seq, header.timestamp);
        }
        if self.owner.is_none() && !self.used {
            (self.owner, self.bound_at) = (Some(Owner::unnamed(self.slot.mid)), now);
        }
        if !self.is_known() || !self.held.is_empty() {
            if self.held.len() == HELD_MAX {
                self.held.pop_front();
            }
            self.held.push_back(Held { at: now, rtp: rtp.to_vec(), via });
            return Taken::Held;
        }
        self.insert(now, &header, rtp, via, listening)
    }

    /// The next packet that was held back, now that it is known whose it is: when it came, and what it was good for.
    pub fn release(&mut self, listening: &Listening) -> Option<(Instant, Taken)> {
        if !self.is_known() {
            return None;
        }
        let Held { at, rtp, via } = self.held.pop_front()?;
        let taken = match RtpHeader::parse(&rtp) {
            Ok(header) => self.insert(at, &header, &rtp, via, listening),
            Err(_) => Taken::Dropped("rtp_malformed"),
        };
        Some((at, taken))
    }

    /// Everything that comes is somebody's.
    fn is_known(&self) -> bool {
        self.owner.is_some() && (self.since.is_some() || !self.used)
    }

    fn insert(
        &mut self,
        at: Instant,
        header: &RtpHeader,
        rtp: &[u8],
        via: Via,
        listening: &Listening,
    ) -> Taken {
        if self.since.is_some_and(|since| header.timestamp.since(since) < 0) {
            return Taken::Dropped("of_the_one_before");
        }
        // Of pictures themselves: repair packets are none, what they bring back is.
        let mut bytes = if via == Via::Fec { 0 } else { header.payload(rtp).len() };
        if let Some(captured) = self.source.captured(header.timestamp).filter(|_| bytes > 0) {
            self.lag.add(at, captured);
        }
        match &mut self.media {
            Media::Sound(sound) => {
                let codec = listening.codecs.iter().find(|c| c.pt == header.pt).map(|c| c.codec);
                let opus = listening.codecs.iter().find(|c| c.codec == Codec::Opus).map(|c| c.pt);
                let Some((codec, opus)) = codec.filter(|c| c.kind() == MediaKind::Audio).zip(opus) else {
                    return Taken::Dropped("unknown_payload_type");
                };
                if bytes > 0 {
                    sound.insert(at, header, rtp, codec, opus, via == Via::Rtx);
                }
            }
            Media::Pictures(pictures) => {
                let before = pictures.buffer.bytes_recovered_by_fec();
                if let Err(reason) = pictures.buffer.insert(at, rtp, via) {
                    return Taken::Dropped(reason.name());
                }
                bytes += (pictures.buffer.bytes_recovered_by_fec() - before) as usize;
            }
        }
        Taken::Used(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use packet::rtp::Outgoing;
    use packet::{Mid, PayloadType, SeqNo, Ssrc};

    #[test]
    fn what_races_the_message_waits_for_it_and_is_never_somebody_elses() {
        let now = start();
        let (mut receive, listening) = slot(now);
        let arrive =
            |receive: &mut Receive, seq: u16| receive.packet(now, &packet(seq), Via::Media, &listening);
        assert_eq!(arrive(&mut receive, 0), Taken::Used(2), "there can be but one");
        assert!(receive.owner().is_some_and(Owner::is_unnamed));
        assert!(!receive.bind(now, Some(owner("ann"))), "a name and nothing else");
        assert_eq!(receive.owner(), Some(&owner("ann")));
        assert_eq!(arrive(&mut receive, 1), Taken::Used(2));
        receive.bind(now, Some(owner("ben")));
        assert_eq!([2, 3].map(|seq| arrive(&mut receive, seq)), [Taken::Held, Taken::Held]);
        assert_eq!(receive.release(&listening), None);
        receive.begins(RtpTime(3 * 960));
        let late = [receive.release(&listening), receive.release(&listening)].map(|r| r.unwrap().1);
        assert_eq!(late, [Taken::Dropped("of_the_one_before"), Taken::Used(2)]);
        assert_eq!(arrive(&mut receive, 4), Taken::Used(2));
        assert_eq!(arrive(&mut receive, 1), Taken::Dropped("of_the_one_before"));
        assert!(receive.bind(now, None));
        for seq in 0..2 * HELD_MAX as u16 {
            assert_eq!(arrive(&mut receive, seq), Taken::Held, "it may be a newcomer's");
        }
        assert_eq!(receive.held.len(), HELD_MAX);
    }

    #[test]
    fn a_way_that_was_measured_before_captures_were_known_is_forgotten() {
        let start = start();
        let (mut receive, listening) = slot(start);
        let server = |ms: u64| NtpTime((3_900_000_000 << 32) + (ms << 32) / 1000);
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut reports = Lag::default();
        reports.add(at(20), server(0));
        // What is captured is 50 ms from the server, which takes its arrival there for the capture at first; both are 20 ms from here.
        let way = |receive: &Receive| receive.lag.beyond(&reports).map(|way| way.as_millis());
        receive.sender_report(at(20), server(50), RtpTime(0));
        receive.packet(at(90), &packet(1), Via::Media, &listening);
        assert_eq!(way(&receive), Some(0));
        receive.sender_report(at(120), server(100), RtpTime(100 * 48));
        receive.packet(at(190), &packet(6), Via::Media, &listening);
        let way = way(&receive).unwrap();
        assert!((49..=51).contains(&way), "{way}");
    }

    fn slot(now: Instant) -> (Receive, Listening) {
        let slot =
            Slot { mid: Mid::new("2").unwrap(), kind: MediaKind::Audio, ssrc: Ssrc(7), rtx: None, fec: None };
        let listening = Listening { codecs: sdp::native_codecs(), ..Listening::default() };
        (Receive::new(slot, now, &listening), listening)
    }

    fn owner(name: &str) -> Owner {
        Owner { participant: name.to_owned(), screen: false }
    }

    fn packet(seq: u16) -> Vec<u8> {
        let outgoing = Outgoing {
            pt: PayloadType(111),
            seq: SeqNo(seq),
            timestamp: RtpTime(u32::from(seq) * 960),
            ssrc: Ssrc(7),
            payload: &[0xf8, 1],
            ..Outgoing::default()
        };
        let mut packet = vec![0; 100];
        let len = outgoing.write(&ExtensionMap::default(), &mut packet).unwrap().len;
        packet.truncate(len);
        packet
    }

    #[allow(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    fn start() -> Instant {
        Instant::now()
    }
}
