//! How much of one subscriber's rate may go into sending packets again.

use super::bucket::Bucket;
use packet::Bitrate;
use packet::fec::ahead::{Ahead, Shield};
use packet::fec::window::Decoder;
use packet::media::MediaKind;
use std::time::{Duration, Instant};

/// A leg that loses is repaired for what it loses; beyond that, a quarter of what it is sent is all that requests can
/// buy. A client that asks for everything therefore neither fills its own link with repetitions nor costs the server more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repair {
    spent: Bucket,
    /// Everything that the leg carries.
    rate: Bitrate,
    /// What media it is sent: only that can be lost.
    media: Bitrate,
    /// Share of the packets of this leg that feedback reports lost.
    loss: f64,
    /// FEC for each byte of media: then losses are asked for only so that later pictures have what they refer to.
    fec: f64,
    /// Packets of pictures are sent again before anybody misses them.
    ahead: Option<Ahead>,
    /// Its receiver takes FlexFEC: that goes ahead then, and no copies.
    pub takes_flexfec: bool,
    /// ... without solving repair packets together.
    pub peels: bool,
    shield: Option<Shield>,
    /// The same, were there room.
    wants_shield: Option<Shield>,
    /// How long pictures should be waited for.
    patience: Duration,
    /// Nothing is known of the link yet, and so many bytes may still be sent twice.
    pub starting: bool,
    first_bytes: usize,
    /// First pictures are on their way, and so many bytes of them may be repaired though nobody knows what the leg loses.
    pub young: bool,
    young_bytes: usize,
}

/// Of the media sent, without loss that would explain the requests. With what is saved up, a quarter over ten seconds.
const SHARE: f64 = 0.22;
/// Of the media sent, with any loss: two copies of everything.
const SHARE_MAX: f64 = 2.0;
/// Of everything that may be sent: live media goes on beside it.
const OF_RATE: f64 = 0.67;
/// Repairs are lost too, and loss comes in bursts.
const MARGIN: f64 = 1.25;
/// A second copy of each repair: always from here, where a single one mostly costs another round trip, and a third where
/// the leg has room for it beside the media; a second one earlier where there is room.
const DOUBLED_FROM: f64 = 0.4;
const DOUBLED_WITH_ROOM_FROM: f64 = 0.1;
/// Beyond what copies ahead of loss take: rates vary, and the estimate does.
const TO_SPARE: f64 = 1.1;
/// Less is noise of the measurement.
const NOTICED_FROM: f64 = 0.02;
/// The key frame of a small layer, sent twice: whoever loses a packet of it would see nothing for a round trip more.
const FIRST_BYTES: usize = 12_000;
/// All of it once more, and what is lost of that.
const YOUNG_BYTES: usize = 24_000;
/// What may be spent at once: loss comes in bursts, and an outage of half a second is asked for in one message.
const SAVED: Duration = Duration::from_secs(1);
/// Just begun, or audio only: a burst of a few packets can always be repaired.
const MEDIA_MIN: Bitrate = Bitrate::kbps(100);

/// A picture on a bad link has so many packets.
const PACKETS: f64 = 3.0;
/// So many pictures may be late.
const LATE: f64 = 0.04;
/// From one request for a packet to the next, beyond the round trip: libwebrtc looks for what is missing every 20 ms.
const ROUND_EXTRA: Duration = Duration::from_millis(30);
const ROUNDS_MAX: u32 = 4;
/// Of the 400 ms from capture to screen, what the ways and waiting may take: encoding, decoding and swings take the rest.
const IN_TIME: Duration = Duration::from_millis(300);
/// Receivers are told to wait for less only when this much less would do: what is lost swings.
const LESS_PATIENCE: Duration = Duration::from_millis(90);

impl Default for Repair {
    fn default() -> Self {
        Self {
            spent: Bucket::default(),
            rate: Bitrate::kbps(300),
            media: MEDIA_MIN,
            loss: 0.0,
            fec: 0.0,
            ahead: None,
            takes_flexfec: false,
            peels: false,
            shield: None,
            wants_shield: None,
            patience: Duration::ZERO,
            starting: false,
            first_bytes: FIRST_BYTES,
            young: false,
            young_bytes: YOUNG_BYTES,
        }
    }
}

impl Repair {
    /// `may_go_ahead`: what is lost does not follow the rate, so sending more of it is an answer, and there is time for it. `rtt`: without
    /// queues.
    pub fn set(
        &mut self,
        now: Instant,
        rate: Bitrate,
        media: Bitrate,
        (loss, may_go_ahead): (f64, bool),
        rtt: Option<Duration>,
    ) {
        self.spent.leak(now, self.budget());
        (self.rate, self.media, self.loss) = (rate, media.max(MEDIA_MIN), loss.clamp(0.0, 1.0));
        let shield = if self.peels { Shield::for_peeling(loss, rtt) } else { Shield::new(loss, rtt) };
        self.wants_shield = shield.filter(|_| may_go_ahead && self.takes_flexfec);
        self.shield = self.wants_shield.filter(|shield| shield.fits(self.media.0, self.rate.0));
        self.ahead = Ahead::new(loss, rtt).filter(|_| may_go_ahead && self.wants_shield.is_none());
        let patience = rtt.map_or(Duration::ZERO, |rtt| self.repaired_within(rtt));
        if patience > self.patience || patience + LESS_PATIENCE < self.patience {
            self.patience = patience;
        }
    }

    /// When all but few pictures are whole at the other end, from when they could have been, as far as that is in time.
    fn repaired_within(&self, rtt: Duration) -> Duration {
        if self.loss <= NOTICED_FROM {
            return Duration::ZERO;
        }
        let unasked = self.ahead.map_or(self.loss, Ahead::leaves);
        let answered = (1.0 - self.loss) * (1.0 - self.loss.powi(2));
        let mut late = PACKETS * unasked;
        let mut rounds = 0;
        while late > LATE && rounds < ROUNDS_MAX {
            late *= 1.0 - answered;
            rounds += 1;
        }
        ((rtt + ROUND_EXTRA) * rounds).min(IN_TIME.saturating_sub(rtt / 2))
    }

    /// How long a receiver that does not measure it should wait for a picture; zero: nothing worth it is lost.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// So much FEC for each byte of media from now on.
    pub fn set_fec(&mut self, overhead: f32) {
        self.fec = overhead.into();
    }

    /// How often each packet that is asked for is sent. Of pictures once, where FEC does the rest.
    pub fn copies(&self, kind: MediaKind) -> usize {
        if kind == MediaKind::Video && (self.fec > 0.0 || self.shield.is_some()) {
            return 1;
        }
        let room = |copies| self.rate.0 as f64 > self.media.0 as f64 * (1.0 + self.expected(copies));
        match self.loss {
            loss if loss > DOUBLED_FROM && room(3) => 3,
            loss if loss > DOUBLED_FROM || loss > DOUBLED_WITH_ROOM_FROM && room(2) => 2,
            _ if self.young => 2,
            _ => 1,
        }
    }

    /// Repairs as a multiple of the media, with so many copies of each.
    fn expected(&self, copies: usize) -> f64 {
        self.loss / (1.0 - self.loss.min(0.9)) * copies as f64 * MARGIN + self.fec * MARGIN
    }

    /// What a leg has to carry so that `media` arrives on it, repairs sent twice included.
    pub fn with_repairs(&self, media: Bitrate) -> Bitrate {
        let share = if self.loss > NOTICED_FROM {
            self.expected(if self.fec > 0.0 { 1 } else { 2 }).min(SHARE_MAX)
        } else {
            0.0
        };
        let ahead = self.ahead.filter(|_| self.fec == 0.0).map(Ahead::wants);
        let shield = self.wants_shield.map(|shield| shield.wants(media.0));
        let ahead = ahead.or(shield).map_or(0.0, |wants| wants * TO_SPARE);
        Bitrate((media.0 as f64 * (1.0 + share).max(ahead)) as u64)
    }

    /// Copies ahead leave as little to requests as they should.
    pub fn covers(&self) -> bool {
        self.ahead.is_some_and(|ahead| ahead.covers(self.media.0, self.rate.0))
    }

    /// FlexFEC protects pictures.
    pub fn shields(&self) -> bool {
        self.shield.is_some()
    }

    /// Repair packets of FlexFEC for each packet of pictures, with so many of them in the window. `None`: nothing is protected.
    pub fn shield(&self, window: usize) -> Option<(Decoder, f64)> {
        let shield = self.shield?;
        Some((shield.decoder(), shield.overhead(window, self.media.0, self.rate.0)))
    }

    /// Anything is sent again before somebody misses it.
    pub fn is_ahead(&self) -> bool {
        self.ahead.is_some() || self.starting && self.first_bytes > 0
    }

    /// How often `len` bytes may be sent again before anybody misses them: then they are spent.
    pub fn spend_ahead(&mut self, len: usize) -> usize {
        let first = self.starting && self.first_bytes >= len;
        if first {
            self.first_bytes -= len;
        }
        // FEC goes ahead already.
        let ahead = self.ahead.filter(|_| self.fec == 0.0);
        ahead.map_or(0, |ahead| ahead.copies(self.media.0, self.rate.0)).max(usize::from(first))
    }

    pub fn budget(&self) -> Bitrate {
        let of_media =
            self.media.0 as f64 * self.expected(self.copies(MediaKind::Video)).clamp(SHARE, SHARE_MAX);
        Bitrate(of_media.min(self.rate.0 as f64 * OF_RATE) as u64)
    }

    /// May `bytes` be sent again now? Then they are spent.
    pub fn spend(&mut self, now: Instant, bytes: usize) -> bool {
        let budget = self.budget();
        self.spent.leak(now, budget);
        let may = self.spent.is_below(SAVED, budget);
        if may {
            self.spent.add(bytes);
            return true;
        }
        let of_first = self.young && self.young_bytes >= bytes;
        if of_first {
            self.young_bytes -= bytes;
        }
        of_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    /// kb/s granted to somebody who asks all the time, after the first burst.
    fn granted(rate: Bitrate, media: Bitrate, loss: f64) -> u64 {
        let mut repair = Repair::default();
        repair.set(start(), rate, media, (loss, true), None);
        let mut bytes = 0;
        for i in 0..12_000u64 {
            let now = start() + Duration::from_millis(i);
            while repair.spend(now, 1000) {
                bytes += if i >= 2000 { 1000 } else { 0 };
            }
        }
        bytes * 8 / 10_000
    }

    #[test]
    fn requests_get_a_quarter_of_the_media_and_more_only_where_packets_are_lost() {
        let kbps = Bitrate::kbps;
        for (name, rate, media, loss, expected) in [
            ("no loss", 1000, 1000, 0.0, 220),
            ("a wide link with little on it", 9000, 1000, 0.0, 220),
            ("once", 1000, 1000, 0.3, 535),
            ("twice, with room", 9000, 1000, 0.3, 1070),
            ("twice, without, within the link", 1000, 1000, 0.5, 670),
            ("all lost", 9000, 1000, 1.0, 2000),
        ] {
            let granted = granted(kbps(rate), kbps(media), loss);
            assert!(granted.abs_diff(expected) <= 25, "{name}: {granted} kb/s");
        }
    }

    #[test]
    fn the_first_bytes_are_sent_twice_until_something_is_known() {
        let mut repair = Repair::default();
        assert_eq!(repair.spend_ahead(1000), 0, "not even begun");
        repair.starting = true;
        let twice: usize = (0..100).map(|_| repair.spend_ahead(1000)).sum();
        assert_eq!(twice, FIRST_BYTES / 1000);
        let mut known = Repair { starting: true, ..Repair::default() };
        assert_eq!(known.spend_ahead(1000), 1);
        known.starting = false;
        assert_eq!((known.spend_ahead(1000), known.is_ahead()), (0, false));
    }

    #[test]
    fn copies_go_ahead_of_loss_by_chance_unless_fec_does() {
        let mut repair = Repair::default();
        let mut ahead = |by_chance, fec| {
            repair.set_fec(fec);
            repair.set(start(), Bitrate::kbps(9000), Bitrate::kbps(1000), (0.3, by_chance), None);
            repair.spend_ahead(1000)
        };
        assert_eq!([ahead(true, 0.0), ahead(false, 0.0), ahead(true, 0.9)], [1, 0, 0]);
        repair.set_fec(0.0);
        assert!(repair.with_repairs(Bitrate::kbps(1000)) > Bitrate::kbps(2500), "it is probed for");
    }

    #[test]
    fn sound_is_repeated_as_often_whatever_protects_pictures() {
        let mut repair = Repair { takes_flexfec: true, ..Repair::default() };
        let rtt = Some(Duration::from_millis(100));
        repair.set(start(), Bitrate::kbps(12_000), Bitrate::kbps(1000), (0.7, true), rtt);
        assert!(repair.shields());
        assert_eq!((repair.copies(MediaKind::Video), repair.copies(MediaKind::Audio)), (1, 3));
    }

    #[test]
    fn two_copies_at_high_loss_and_earlier_where_there_is_room() {
        let mut repair = Repair::default();
        for (rate, loss, copies) in [
            (1000, 0.0, 1),
            (1000, 0.4, 1),
            (1000, 0.41, 2),
            (1000, 2.0, 2),
            (9000, 0.5, 3),
            (9000, 0.05, 1),
            (9000, 0.15, 2),
        ] {
            repair.set(start(), Bitrate::kbps(rate), Bitrate::kbps(1000), (loss, true), None);
            assert_eq!(repair.copies(MediaKind::Video), copies, "{rate} {loss}");
        }
    }
}
