//! Packets that wait for one destination, and how they leave: as few sends as possible.
//!
//! A kernel segments one buffer into datagrams of equal size, only the last of which may be shorter. So a batch takes
//! packets of one size class, makes them equal with a few bytes of RTP padding, and lets one smaller packet close it.
//!
//! ```text
//!  waiting:  V 1180  A 90  V 1181  V 1181  R 64         batch:  |V 1181|V 1181|V 1181|A 90|     next: |R 64|
//! ```
//! Packets of one source never overtake each other, so a receiver sees no reordering that the publisher did not send.

use super::fec::RepairId;
use super::kept::Kept;
use super::pacer::{Class, Pacer};
use super::red::Copies;
use super::slot::Slot;
use super::write::{Sources, write_fec, write_media, write_padding};
use super::{Repair, Session};
use crate::DropReason;
use bwe::ProbeId;
use packet::{Mid, PayloadType, RtpTime, SeqNo, Ssrc, prefetch};
use std::time::Instant;
use transport::Transport;

/// One packet yet to be written. What it is made of, and its numbers, are in the history of its slot.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Media {
    /// On the slot's stream.
    pub seq: SeqNo,
    pub pt: PayloadType,
    /// A retransmission of it, on the RTX source.
    pub again: bool,
    /// The publisher's clock was known when it was queued: it carries the time of its capture, if it came with that.
    pub clock_known: bool,
    /// No RTX was negotiated for it: what is sent is kept as it is, to be repeated.
    pub keep: bool,
    /// Earlier packets in the same one; then `pt` is that of RED.
    pub copies: Option<Copies>,
    /// What the receiver is told to wait for before it shows it.
    pub playout: Option<[u8; 3]>,
    pub form: Form,
}

/// What FEC makes of a packet. One that it protects it protects as it is, so a batch adds nothing to it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Form {
    Plain,
    /// FlexFEC does.
    Protected,
    /// ULPFEC does: it goes out inside RED, whose payload type the packet has, as this.
    Red(PayloadType),
}

impl Form {
    pub fn red(self) -> Option<PayloadType> {
        if let Self::Red(inner) = self { Some(inner) } else { None }
    }
}

/// The source that a packet leaves on, and its m-line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlet {
    pub ssrc: Ssrc,
    pub mid: Mid,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Item {
    Media(Media),
    /// A compound, by its place in the queue's own bytes.
    Rtcp {
        start: u32,
        end: u32,
    },
    /// A packet of this stream that was sent before, encrypted as it was.
    Repeat(SeqNo),
    Padding(Padding),
    Fec(Fec),
    /// The first datagram in the queue's own list: they leave in its order.
    Data,
    Taken,
}

/// A packet without payload on an RTX source: it fills a probe before there is anything to send twice.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Padding {
    pub pt: PayloadType,
    pub seq: SeqNo,
    pub timestamp: RtpTime,
}

/// A repair packet; its payload is kept by the queue.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Fec {
    pub pt: PayloadType,
    pub kind: FecKind,
    pub seq: SeqNo,
    pub timestamp: RtpTime,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum FecKind {
    /// Inside RED, as this payload type.
    Ulpfec(PayloadType),
    /// On the slot's source for it.
    Flexfec,
    /// The same, as libwebrtc has it.
    Flexfec03,
}

/// Hundreds of them wait for each subscriber when a call begins: 40 bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Queued {
    /// Source it must keep its order in; see [`stream_of`].
    pub stream: u8,
    pub class: Class,
    /// The probe it is part of; the pacer's to say.
    pub probe: Option<ProbeId>,
    /// Bytes on the wire.
    pub len: usize,
    pub item: Item,
}

/// Number of a slot's media or RTX source, below 126.
pub(crate) fn stream_of(slot: usize, rtx: bool) -> u8 {
    (slot * 2 + usize::from(rtx)) as u8
}

/// Of repairs: their numbers are given when they leave.
pub(crate) fn is_rtx(stream: u8) -> bool {
    stream % 2 == 1 && stream != RTCP_STREAM
}

/// All RTCP is one stream.
const RTCP_STREAM: u8 = 127;
/// All data channels are one.
const DATA_STREAM: u8 = 126;

/// A packet that left with a transport-wide sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Departed {
    pub seq: SeqNo,
    /// Bytes on the wire.
    pub len: usize,
    pub class: Class,
    pub probe: Option<ProbeId>,
    /// Slot and number of the media in it, and whether it is a repetition.
    pub media: Option<(u8, SeqNo, bool)>,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub pacer: Pacer,
    /// What may be spent on sending again, and on FEC.
    pub repair: Repair,
    /// Payloads of repair packets that wait.
    fec: std::collections::BTreeMap<RepairId, Vec<u8>>,
    /// Datagrams of data channels that have not left, those that the pacer holds last.
    data: std::collections::VecDeque<Vec<u8>>,
    /// Released: leaves with this drain.
    waiting: Vec<Queued>,
    /// By stream; only those without RTX.
    kept: std::collections::BTreeMap<u8, Kept>,
    /// Repairs that have left, by slot: they may overtake each other while they wait.
    rtx_sent: Vec<u16>,
    /// Everything before is taken.
    first: usize,
    rtcp: Vec<u8>,
    transport_sequence: u16,
}

/// A packet this much shorter than its batch is padded, at one percent of a full packet's cost; beyond, it closes it.
const PADDING_MAX: usize = 16;
/// UDP_MAX_SEGMENTS of the Linux kernel.
const SEGMENTS_MAX: usize = 64;
/// What fits one IPv6 datagram before segmentation, with room for its headers.
const BYTES_MAX: usize = 65_000;
/// How far a batch looks for packets of its size.
const LOOK_AHEAD: usize = 256;

/// What was built into the buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Batch {
    pub len: usize,
    pub segment_size: usize,
    pub datagrams: usize,
}

impl Queue {
    /// Forgets everything, also what the pacer holds.
    pub fn clear(&mut self) {
        self.pacer.clear();
        self.fec.clear();
        self.data.clear();
        self.drained();
    }

    /// Everything released has left. RTCP never waits in the pacer, so nothing refers to its bytes any more.
    fn drained(&mut self) {
        self.waiting.clear();
        self.rtcp.clear();
        self.first = 0;
    }

    /// Once in a while: the room that nothing has needed since.
    pub fn give_back(&mut self) {
        let room = self.pacer.give_back();
        if self.waiting.capacity() > room {
            self.waiting.shrink_to(room);
        }
    }

    /// Something will be queued in a moment.
    pub fn prefetch_lists(&self) {
        self.pacer.prefetch_lists();
        prefetch::start(&self.waiting);
    }

    fn rtx_sent(&mut self, stream: u8) -> u16 {
        let slot = usize::from(stream / 2);
        if self.rtx_sent.len() <= slot {
            self.rtx_sent.resize(slot + 1, 0);
        }
        self.rtx_sent[slot]
    }

    /// Something may leave, now or later.
    pub fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.pacer.has_work()
    }

    #[inline]
    pub fn push(&mut self, queued: Queued) -> Result<(), DropReason> {
        self.pacer.push(queued)
    }

    /// Queues a repair packet of a slot: of ULPFEC in the line of the pictures whose numbers it shares, of FlexFEC behind everything else.
    pub fn push_fec(
        &mut self,
        slot: usize,
        len: usize,
        fec: Fec,
        payload: Vec<u8>,
    ) -> Result<(), DropReason> {
        let (stream, class) = match fec.kind {
            FecKind::Ulpfec(_) => (stream_of(slot, false), Class::Base),
            FecKind::Flexfec | FecKind::Flexfec03 if !self.pacer.takes_ahead() => {
                return Err(DropReason::NoRoomAhead);
            }
            FecKind::Flexfec | FecKind::Flexfec03 => (stream_of(slot, true), Class::Ahead),
        };
        self.push(Queued { stream, class, probe: None, len, item: Item::Fec(fec) })?;
        self.fec.insert(RepairId::new(stream, fec.seq), payload);
        Ok(())
    }

    /// Forgets all pictures that wait, and what repairs them.
    pub fn clear_video(&mut self) {
        self.pacer.clear_video();
        self.fec.clear();
    }

    /// Queues a datagram of a data channel, encrypted as it is.
    pub fn push_data(&mut self, datagram: Vec<u8>) {
        let len = datagram.len();
        self.data.push_back(datagram);
        self.pacer.push_data(Queued {
            stream: DATA_STREAM,
            class: Class::Data,
            probe: None,
            len,
            item: Item::Data,
        });
    }

    /// Queues a compound RTCP packet that `write` appends.
    pub fn push_rtcp(&mut self, overhead: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), DropReason> {
        let start = self.rtcp.len();
        write(&mut self.rtcp);
        let end = self.rtcp.len();
        if start == end {
            return Ok(());
        }
        self.push(Queued {
            stream: RTCP_STREAM,
            class: Class::Rtcp,
            probe: None,
            len: end - start + overhead,
            item: Item::Rtcp { start: start as u32, end: end as u32 },
        })
    }

    /// Bytes of a packet that [`Self::repeat`] would send again.
    pub fn kept_len(&self, stream: u8, seq: SeqNo) -> Result<usize, DropReason> {
        let kept = self.kept.get(&stream).ok_or(DropReason::NackWithoutRtx)?;
        Ok(kept.get(seq).ok_or(DropReason::NackUnknown)?.len())
    }

    /// Queues a packet of `stream` that was sent before, on the same source.
    pub fn repeat(&mut self, stream: u8, seq: SeqNo) -> Result<(), DropReason> {
        let len = self.kept_len(stream, seq)?;
        self.push(Queued { stream, class: Class::Audio, probe: None, len, item: Item::Repeat(seq) })
    }

    /// Picks the next batch: indices into `waiting` with their padding, in the order of sending, and the segment size.
    fn plan(&mut self, plan: &mut Vec<(usize, usize)>) -> usize {
        plan.clear();
        while self.waiting.get(self.first).is_some_and(|q| q.item == Item::Taken) {
            self.first += 1;
        }
        let end = self.waiting.len().min(self.first + LOOK_AHEAD);
        let window = || (self.first..end).filter(|&i| self.waiting[i].item != Item::Taken);
        // The largest packet that may go first opens the batch: everything else can follow it.
        let mut seen = 0u128;
        let heads = window().filter(|&i| {
            let bit = 1u128 << self.waiting[i].stream;
            let first = seen & bit == 0;
            seen |= bit;
            first
        });
        let Some(opener) = heads.max_by_key(|&i| (self.waiting[i].len, std::cmp::Reverse(i))) else {
            return 0;
        };
        let largest = self.waiting[opener].len;
        // Packets of one frame differ by a byte or two, and the first is not always the longest.
        let size = window().map(|i| self.waiting[i].len).filter(|&len| len <= largest + PADDING_MAX).max();
        let size = size.unwrap_or(largest);
        let opens_padded = |i: usize| self.waiting[i].len + PADDING_MAX >= size;
        // Padding only pays for company: one packet alone keeps its size.
        let fits = |i: usize| {
            let q = &self.waiting[i];
            let may_grow = matches!(q.item, Item::Media(media) if media.form == Form::Plain);
            q.len == size || q.len < size && opens_padded(i) && may_grow
        };
        let mut blocked = 0u128;
        let mut closer = None;
        let mut bytes = 0;
        for i in window() {
            let (queued, bit) = (&self.waiting[i], 1u128 << self.waiting[i].stream);
            if blocked & bit != 0 {
                continue;
            }
            let room = plan.len() < SEGMENTS_MAX - 1 && bytes + size <= BYTES_MAX - size;
            if fits(i) && room {
                plan.push((i, size - queued.len));
                bytes += size;
                continue;
            }
            blocked |= bit;
            if queued.len < size && closer.is_none() {
                closer = Some(i);
            }
        }
        if plan.is_empty() {
            // The largest cannot be padded to the size that was hoped for: it goes alone.
            plan.push((opener, 0));
            return largest;
        }
        if plan.len() == 1 && closer.is_none() {
            let (i, _) = plan[0];
            plan[0].1 = 0;
            return self.waiting[i].len;
        }
        plan.extend(closer.map(|i| (i, 0)));
        size
    }

    /// Lets go what the pacer lets go, then writes and encrypts the next batch into `buffer`: a packet whose slot or publisher has it no
    /// longer is left out. `departed` hears of every packet that feedback will be about. `None` when nothing may leave now.
    #[allow(clippy::too_many_arguments, reason = "one call site; what the batch is made of and made into")]
    pub fn next_batch<'a>(
        &mut self,
        now: Instant,
        session: &Session,
        slots: &[Slot],
        transport: &mut Transport,
        sources: impl Sources<'a>,
        buffer: &mut Vec<u8>,
        plan: &mut Vec<(usize, usize)>,
        mut departed: impl FnMut(Departed),
        mut dropped: impl FnMut(DropReason),
    ) -> Option<Batch> {
        self.pacer.release(now, &mut self.waiting, &mut dropped);
        loop {
            if self.waiting.is_empty() {
                return None;
            }
            let size = self.plan(plan);
            if plan.is_empty() {
                self.drained();
                return None;
            }
            let mut batch = Batch { segment_size: size, ..Batch::default() };
            // Room for the last packet's tag even if a packet turns out longer than planned.
            let needed = plan.len() * size + 2048;
            if buffer.len() < needed {
                buffer.resize(needed, 0);
            }
            for &(i, padding) in plan.iter() {
                let Queued { stream, class, probe, .. } = self.waiting[i];
                let item = std::mem::replace(&mut self.waiting[i].item, Item::Taken);
                // It waits with the pictures whose numbers it shares, and counts as what it is.
                let class = if matches!(item, Item::Fec(_)) { Class::Ahead } else { class };
                let out = &mut buffer[batch.len..];
                let number = self.transport_sequence;
                let slot = slots.get(usize::from(stream / 2));
                // Repairs that have left before it on the RTX source.
                let before = if is_rtx(stream) { self.rtx_sent(stream) } else { 0 };
                let carries = match item {
                    Item::Media(media) => Some((stream / 2, media.seq, media.again)),
                    _ => None,
                };
                let numbers = &mut self.transport_sequence;
                let written = match (item, slot) {
                    (Item::Media(media), Some(slot)) => {
                        let len = write_media(
                            &media, slot, before, &sources, padding, session, transport, numbers, out,
                        );
                        if let (Ok(len), true) = (&len, media.keep) {
                            self.kept.entry(stream).or_default().insert(now, media.seq, &out[..*len]);
                        }
                        len
                    }
                    (Item::Repeat(seq), _) => match self.kept.get(&stream).and_then(|kept| kept.get(seq)) {
                        Some(packet) if packet.len() == self.waiting[i].len => {
                            out[..packet.len()].copy_from_slice(packet);
                            Ok(packet.len())
                        }
                        _ => Err(DropReason::CacheMiss),
                    },
                    (Item::Padding(padding), Some(slot)) => {
                        let padding = Padding { seq: padding.seq.plus(before), ..padding };
                        write_padding(&padding, slot.outlet(is_rtx(stream)), session, transport, numbers, out)
                    }
                    (Item::Fec(fec), Some(slot)) => match self.fec.remove(&RepairId::new(stream, fec.seq)) {
                        Some(payload) => write_fec(&fec, &payload, slot, session, transport, numbers, out),
                        None => Err(DropReason::CacheMiss),
                    },
                    (Item::Data, _) => match self.data.pop_front() {
                        Some(datagram) => {
                            out[..datagram.len()].copy_from_slice(&datagram);
                            Ok(datagram.len())
                        }
                        None => Err(DropReason::CacheMiss),
                    },
                    (Item::Rtcp { start, end }, _) => {
                        let compound = &self.rtcp[start as usize..end as usize];
                        out[..compound.len()].copy_from_slice(compound);
                        transport.protect_rtcp(out, compound.len()).map_err(|_| DropReason::Protect)
                    }
                    (Item::Taken, _) => continue,
                    (_, None) => Err(DropReason::CacheMiss),
                };
                match written {
                    // A shorter one inside would shift all that follow: it was planned with its exact size.
                    Ok(len) if len == size || i == plan[plan.len() - 1].0 && len <= size => {
                        if is_rtx(stream) && !matches!(item, Item::Fec(_)) {
                            let sent = &mut self.rtx_sent[usize::from(stream / 2)];
                            *sent = sent.wrapping_add(1);
                        }
                        batch.len += len;
                        batch.datagrams += 1;
                        if self.transport_sequence != number {
                            departed(Departed { seq: SeqNo(number), len, class, probe, media: carries });
                        }
                    }
                    Ok(_) => dropped(DropReason::Protect),
                    Err(reason) => dropped(reason),
                }
            }
            if self.waiting.iter().skip(self.first).all(|q| q.item == Item::Taken) {
                self.drained();
            }
            if batch.datagrams > 0 {
                batch.segment_size = size.min(batch.len);
                return Some(batch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Queues (stream, bytes) and returns the batches as lists of (stream, bytes, padding), checking what must hold
    /// for all: one size but for the last, nothing overtaken, nothing lost.
    fn batches(packets: &[(u8, usize)]) -> Vec<Vec<(u8, usize, usize)>> {
        let mut queue = Queue::default();
        for &(stream, len) in packets {
            let media = Media {
                seq: SeqNo(0),
                pt: PayloadType(96),
                again: false,
                clock_known: false,
                keep: false,
                copies: None,
                playout: None,
                form: Form::Plain,
            };
            let rtcp = Item::Rtcp { start: 0, end: len as u32 };
            let item = if stream == RTCP_STREAM { rtcp } else { Item::Media(media) };
            queue.waiting.push(Queued { stream, class: Class::Base, probe: None, len, item });
        }
        let mut all = Vec::new();
        let mut order: Vec<Vec<usize>> = vec![Vec::new(); 128];
        let mut plan = Vec::new();
        loop {
            let size = queue.plan(&mut plan);
            if plan.is_empty() {
                break;
            }
            let mut batch = Vec::new();
            for (n, &(i, padding)) in plan.iter().enumerate() {
                let Queued { stream, len, item, .. } = queue.waiting[i];
                assert_ne!(item, Item::Taken);
                assert!(len + padding == size || n + 1 == plan.len() && len + padding < size);
                assert!(padding == 0 || stream != RTCP_STREAM, "RTCP is not padded");
                order[usize::from(stream)].push(i);
                queue.waiting[i].item = Item::Taken;
                batch.push((stream, len, padding));
            }
            assert!(batch.len() <= SEGMENTS_MAX && batch.len() * size <= BYTES_MAX);
            all.push(batch);
        }
        assert!(order.iter().all(|o| o.is_sorted()), "overtaken: {order:?}");
        assert_eq!(order.iter().map(Vec::len).sum::<usize>(), packets.len(), "lost");
        all
    }

    #[test]
    fn a_frame_and_an_audio_packet_are_one_send() {
        let sends = batches(&[(0, 90), (1, 1180), (1, 1181), (1, 1181), (RTCP_STREAM, 60)]);
        assert_eq!(sends[0], [(1, 1180, 1), (1, 1181, 0), (1, 1181, 0), (0, 90, 0)]);
        assert_eq!(sends[1], [(RTCP_STREAM, 60, 0)]);
        assert_eq!(sends.len(), 2);
    }

    #[test]
    fn what_waits_is_small() {
        assert_eq!(size_of::<Queued>(), 40);
    }

    #[test]
    fn a_lone_packet_is_not_padded() {
        assert_eq!(batches(&[(0, 100)]), [[(0, 100, 0)]]);
        assert_eq!(batches(&[(0, 100), (0, 500)]), [[(0, 100, 0)], [(0, 500, 0)]]);
    }

    #[test]
    fn a_short_last_packet_of_one_frame_does_not_hold_up_the_next_frame() {
        let sends = batches(&[(1, 1000), (1, 1000), (1, 400), (1, 1100), (1, 1100)]);
        let expected = [vec![(1, 1000, 0), (1, 1000, 0), (1, 400, 0)], vec![(1, 1100, 0), (1, 1100, 0)]];
        assert_eq!(sends, expected);
    }

    #[test]
    fn twenty_voices_of_like_size_are_one_send() {
        let voices: Vec<_> = (0..20).map(|i| (i * 2, 100 + usize::from(i) % 15)).collect();
        assert_eq!(batches(&voices).len(), 1);
    }

    #[test]
    fn whatever_is_queued_leaves_once_and_in_order() {
        let mut random = crate::random::Random::new(7);
        for round in 0..500 {
            let count = random.next() as usize % 200;
            let packets: Vec<_> = (0..count)
                .map(|_| {
                    let stream = [0, 1, 2, 3, 40, RTCP_STREAM][random.next() as usize % 6];
                    (stream, 60 + random.next() as usize % if round % 2 == 0 { 1300 } else { 20 })
                })
                .collect();
            batches(&packets);
        }
    }
}
