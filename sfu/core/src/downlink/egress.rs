//! Packets that wait for one destination, and how they leave: as few sends as possible.
//!
//! A kernel segments one buffer into datagrams of equal size, only the last of which may be shorter. So a batch takes
//! packets of one size class, makes them equal with a few bytes of RTP padding, and lets one smaller packet close it.
//!
//! ```text
//!  waiting:  V 1180  A 90  V 1181  V 1181  R 64         batch:  |V 1181|V 1181|V 1181|A 90|     next: |R 64|
//! ```
//! Packets of one source never overtake each other, so a receiver sees no reordering that the publisher did not send.

use super::{Ids, Session, SourceRef};
use crate::DropReason;
use crate::uplink::Stored;
use arrayvec::ArrayVec;
use packet::codec::vp8;
use packet::ext::dependency_descriptor;
use packet::rtp::Outgoing;
use packet::{Mid, PayloadType, RtpTime, SeqNo, Ssrc};
use transport::Transport;

/// One packet yet to be written: numbers, and where its payload is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Media {
    pub source: SourceRef,
    pub source_seq: u64,
    pub ssrc: Ssrc,
    pub pt: PayloadType,
    pub seq: SeqNo,
    pub timestamp: RtpTime,
    pub ids: Ids,
    /// Makes it a retransmission of this sequence number.
    pub osn: Option<SeqNo>,
    pub mid: Mid,
    /// Publisher's clock to the router's, nanoseconds.
    pub clock_offset: Option<i64>,
    /// No RTX was negotiated for it: what is sent is kept as it is, to be repeated.
    pub keep: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Item {
    Media(Media),
    /// A compound, by its place in the queue's own bytes.
    Rtcp {
        start: usize,
        end: usize,
    },
    /// A packet of this stream that was sent before, encrypted as it was.
    Repeat(SeqNo),
    Taken,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Queued {
    /// Source it must keep its order in; see [`stream_of`].
    pub stream: u8,
    /// Bytes on the wire.
    pub len: usize,
    pub item: Item,
}

/// Number of a slot's media or RTX source, below 126.
pub(crate) fn stream_of(slot: usize, rtx: bool) -> u8 {
    (slot * 2 + usize::from(rtx)) as u8
}

/// All RTCP is one stream.
const RTCP_STREAM: u8 = 127;

/// Encrypted packets of one audio stream, for as long as a listener may want one again. A packet repeated on its own
/// source is repeated byte for byte: encrypting it anew would use its index twice.
#[derive(Debug, Default)]
struct Kept(Vec<(Option<SeqNo>, Vec<u8>)>);

/// 1.28 s of 20 ms packets; a power of two.
const KEPT: usize = 64;

impl Kept {
    fn insert(&mut self, seq: SeqNo, packet: &[u8]) {
        if self.0.is_empty() {
            self.0.resize_with(KEPT, Default::default);
        }
        let (number, bytes) = &mut self.0[usize::from(seq.0) & (KEPT - 1)];
        *number = Some(seq);
        bytes.clear();
        bytes.extend_from_slice(packet);
    }
    fn get(&self, seq: SeqNo) -> Option<&[u8]> {
        let (number, bytes) = self.0.get(usize::from(seq.0) & (KEPT - 1))?;
        (*number == Some(seq)).then_some(bytes)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Vec<Queued>,
    /// By stream; only those without RTX.
    kept: std::collections::BTreeMap<u8, Kept>,
    /// Everything before is taken.
    first: usize,
    rtcp: Vec<u8>,
    transport_sequence: u16,
}

/// Half a second of 20 Mb/s. A drain follows every burst of datagrams, so this is reached only when nobody drains.
const WAITING_MAX: usize = 2048;
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
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.rtcp.clear();
        self.first = 0;
    }

    pub fn push(&mut self, queued: Queued) -> Result<(), DropReason> {
        if self.waiting.len() - self.first >= WAITING_MAX {
            return Err(DropReason::QueueFull);
        }
        self.waiting.push(queued);
        Ok(())
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
            len: end - start + overhead,
            item: Item::Rtcp { start, end },
        })
    }

    /// Queues a packet of `stream` that was sent before, on the same source.
    pub fn repeat(&mut self, stream: u8, seq: SeqNo) -> Result<(), DropReason> {
        let kept = self.kept.get(&stream).ok_or(DropReason::NackWithoutRtx)?;
        let len = kept.get(seq).ok_or(DropReason::NackUnknown)?.len();
        self.push(Queued { stream, len, item: Item::Repeat(seq) })
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
            q.len == size || q.len < size && opens_padded(i) && matches!(q.item, Item::Media(_))
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

    /// Writes and encrypts the next batch into `buffer`. `cached` finds a stored packet with its bytes; a packet it
    /// does not find is left out. `None` when nothing waits.
    pub fn next_batch<'a>(
        &mut self,
        session: &Session,
        transport: &mut Transport,
        cached: impl Fn(&Media) -> Option<(&'a Stored, &'a [u8])>,
        buffer: &mut Vec<u8>,
        plan: &mut Vec<(usize, usize)>,
        mut dropped: impl FnMut(DropReason),
    ) -> Option<Batch> {
        loop {
            if self.waiting.is_empty() {
                return None;
            }
            let size = self.plan(plan);
            if plan.is_empty() {
                self.clear();
                return None;
            }
            let mut batch = Batch { segment_size: size, ..Batch::default() };
            // Room for the last packet's tag even if a packet turns out longer than planned.
            let needed = plan.len() * size + 2048;
            if buffer.len() < needed {
                buffer.resize(needed, 0);
            }
            for &(i, padding) in plan.iter() {
                let stream = self.waiting[i].stream;
                let item = std::mem::replace(&mut self.waiting[i].item, Item::Taken);
                let out = &mut buffer[batch.len..];
                let written = match item {
                    Item::Media(media) => match cached(&media) {
                        Some((stored, packet)) => {
                            let number = &mut self.transport_sequence;
                            let len =
                                write_media(&media, stored, packet, padding, session, transport, number, out);
                            if let (Ok(len), true) = (&len, media.keep) {
                                self.kept.entry(stream).or_default().insert(media.seq, &out[..*len]);
                            }
                            len
                        }
                        None => Err(DropReason::CacheMiss),
                    },
                    Item::Repeat(seq) => match self.kept.get(&stream).and_then(|kept| kept.get(seq)) {
                        Some(packet) if packet.len() == self.waiting[i].len => {
                            out[..packet.len()].copy_from_slice(packet);
                            Ok(packet.len())
                        }
                        _ => Err(DropReason::CacheMiss),
                    },
                    Item::Rtcp { start, end } => {
                        out[..end - start].copy_from_slice(&self.rtcp[start..end]);
                        transport.protect_rtcp(out, end - start).map_err(|_| DropReason::Protect)
                    }
                    Item::Taken => continue,
                };
                match written {
                    // A shorter one inside would shift all that follow: it was planned with its exact size.
                    Ok(len) if len == size || i == plan[plan.len() - 1].0 && len <= size => {
                        batch.len += len;
                        batch.datagrams += 1;
                    }
                    Ok(_) => dropped(DropReason::Protect),
                    Err(reason) => dropped(reason),
                }
            }
            if self.waiting.iter().skip(self.first).all(|q| q.item == Item::Taken) {
                self.clear();
            }
            if batch.datagrams > 0 {
                batch.segment_size = size.min(batch.len);
                return Some(batch);
            }
        }
    }
}

#[allow(clippy::too_many_arguments, reason = "one call site; the batch loop's own state")]
fn write_media(
    media: &Media,
    stored: &Stored,
    packet: &[u8],
    padding: usize,
    session: &Session,
    transport: &mut Transport,
    transport_sequence: &mut u16,
    out: &mut [u8],
) -> Result<usize, DropReason> {
    let mut extensions = media.extensions(stored, packet, session);
    let mut descriptor: ArrayVec<u8, { dependency_descriptor::DESCRIPTOR_LEN_MAX }> = ArrayVec::new();
    if let (Some(bytes), Some(number)) = (extensions.dependency_descriptor, media.ids.frame_number)
        && descriptor.try_extend_from_slice(bytes).is_ok()
    {
        dependency_descriptor::set_frame_number(&mut descriptor, number);
        extensions.dependency_descriptor = Some(&descriptor);
    }
    if let Some(number) = &mut extensions.transport_sequence {
        number.0 = *transport_sequence;
        *transport_sequence = transport_sequence.wrapping_add(1);
    }
    let outgoing = Outgoing {
        marker: stored.header.marker,
        pt: media.pt,
        seq: media.seq,
        timestamp: media.timestamp,
        ssrc: media.ssrc,
        extensions,
        osn: media.osn,
        head: &[],
        payload: stored.header.payload(packet),
        padding_len: padding as u8,
    };
    let layout = outgoing.write(&session.extensions, out).map_err(|_| DropReason::Protect)?;
    if media.ids.picture_id.is_some() || media.ids.tl0_pic_idx.is_some() {
        let (picture_id, tl0) = (media.ids.picture_id.unwrap_or(0), media.ids.tl0_pic_idx.unwrap_or(0));
        vp8::rewrite(&mut out[layout.payload], picture_id, tl0);
    }
    transport.protect_rtp(out, layout.len).map_err(|_| DropReason::Protect)
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
                source: SourceRef::default(),
                source_seq: 0,
                ssrc: Ssrc(1),
                pt: PayloadType(96),
                seq: SeqNo(0),
                timestamp: RtpTime(0),
                ids: Ids::default(),
                osn: None,
                mid: Mid::new("0").unwrap(),
                clock_offset: None,
                keep: false,
            };
            let item =
                if stream == RTCP_STREAM { Item::Rtcp { start: 0, end: len } } else { Item::Media(media) };
            queue.push(Queued { stream, len, item }).unwrap();
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
                let Queued { stream, len, item } = queue.waiting[i];
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

    #[test]
    fn a_queue_that_nobody_drains_is_bounded() {
        let mut queue = Queue::default();
        let rtcp = Queued { stream: RTCP_STREAM, len: 10, item: Item::Rtcp { start: 0, end: 10 } };
        assert!((0..WAITING_MAX).all(|_| queue.push(rtcp).is_ok()));
        assert_eq!(queue.push(rtcp), Err(DropReason::QueueFull));
    }
}
