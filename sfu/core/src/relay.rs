//! What workers tell each other about a room that lives on several of them.
//!
//! ```text
//!  worker of the publisher                                    worker of a subscriber
//!   uplink ── Packet, once a worker ─────────────────────────► relayed uplink ─► slots
//!          ── Clock, Goodbye ────────────────────────────────►
//!          ◄── Watch: which layers, keyframes; Heard: losses ── every second, and when it changes
//!  worker with the lowest number in the room: who speaks
//!          ◄── Levels   ── Voices ───────────────────────────►
//!  worker of the sender of a data message ── Data ───────────► its receivers
//! ```
//! What may be missed is told again; so nothing waits for an answer, and a worker that was made anew is forgotten after a while.
//! A record is `| length u32 | kind u8 | fields |`, numbers little-endian. Both ends are this program.

use crate::clock::Nanos;
use crate::uplink::LayerSet;
use packet::data::Channel;
use packet::{Mid, PeerId, RoomId, RtpTime};
use std::time::Duration;

/// Bytes for another worker: whole records, which [`Router::handle_relay`](crate::Router::handle_relay) of its router takes.
#[derive(Debug)]
pub struct Relay<'a> {
    /// Number of the worker.
    pub to: usize,
    pub bytes: &'a [u8],
    /// Packets and nothing else: what is lost of them is missed and made good. Everything else should find room first.
    pub is_media: bool,
}

impl Relay<'_> {
    /// Records in it.
    pub fn records(&self) -> usize {
        Records(self.bytes).count()
    }
}

/// Where a track is in the router that it is relayed to, as that one said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Handle {
    pub peer: PeerId,
    pub index: u32,
    pub track: u8,
}

/// A packet as it lies in its publisher's cache, and what is known beside its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Packet<'a> {
    pub to: Handle,
    pub layer: u8,
    /// It did not come as itself.
    pub recovered: bool,
    /// Streams that the publisher was told to send.
    pub told: LayerSet,
    /// Changes when the layer's numbering begins anew.
    pub epoch: u32,
    /// Of packets of this track to this worker.
    pub number: u32,
    /// Arrival, since the routers' common start.
    pub at: Duration,
    pub bytes: &'a [u8],
}

/// What sender reports have said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Clock {
    pub to: Handle,
    pub layer: u8,
    /// Of the publisher's clock.
    pub offset: Option<i64>,
    /// A moment of the publisher's clock, and the layer's timestamp then.
    pub report: Option<(Nanos, RtpTime)>,
}

/// What the subscribers of one worker want of a track.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Watch {
    pub track: Handle,
    pub mid: Mid,
    /// Somebody has it in a slot.
    pub on: bool,
    pub needed: LayerSet,
    pub keyframes: LayerSet,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Record<'a> {
    Packet(Packet<'a>),
    Clock(Clock),
    /// A layer has stopped.
    Goodbye {
        to: Handle,
        layer: u8,
    },
    Watch(Watch),
    /// Hundredths that each who hears the track loses of it.
    Heard {
        peer: PeerId,
        mid: Mid,
        percents: &'a [u8],
    },
    /// The loudest level of each participant of late, as minus dBov.
    Levels {
        room: RoomId,
        levels: List<'a>,
    },
    /// Who speaks, loudest first, and who is heard where not everybody is.
    Voices {
        room: RoomId,
        loudest_first: List<'a>,
        audible: Option<List<'a>>,
    },
    Data(Message<'a>),
}

/// A data message that participants of another worker get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Message<'a> {
    pub room: RoomId,
    pub channel: Channel,
    /// Of reliable messages of the room to this worker.
    pub number: u32,
    /// What others call the sender.
    pub name: &'a [u8],
    /// As the sender wrote it.
    pub addressed: &'a [u8],
}

/// Participants, each with a level or zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct List<'a>(&'a [u8]);

const ENTRY_LEN: usize = 9;

impl<'a> List<'a> {
    pub fn iter(self) -> impl Iterator<Item = (PeerId, u8)> + 'a {
        self.0.chunks_exact(ENTRY_LEN).filter_map(|entry| {
            let (peer, level) = entry.split_first_chunk()?;
            Some((PeerId(u64::from_le_bytes(*peer)), *level.first()?))
        })
    }
}

/// Packets that are handed over together; a quarter of what the other end reads at once.
const BATCH_BYTES: usize = 16 * 1024;

/// What waits to be handed over, by worker.
#[derive(Debug, Default)]
pub(crate) struct Outboxes {
    boxes: Vec<[Outbox; 2]>,
    waiting: bool,
}

#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Outboxes {
    pub fn push(&mut self, to: usize, record: &Record) {
        if self.boxes.len() <= to {
            self.boxes.resize_with(to + 1, Default::default);
        }
        self.waiting = true;
        let outbox = &mut self.boxes[to][usize::from(matches!(record, Record::Packet(_)))];
        if outbox.taken == outbox.bytes.len() {
            outbox.bytes.clear();
            outbox.taken = 0;
        }
        record.write(&mut outbox.bytes);
    }

    /// The next records that go to one worker together.
    pub fn pop(&mut self) -> Option<Batch> {
        if !self.waiting {
            return None;
        }
        let is_full = |outbox: &Outbox| outbox.taken < outbox.bytes.len();
        let found =
            self.boxes.iter().enumerate().find_map(|(to, kinds)| Some((to, kinds.iter().position(is_full)?)));
        let Some((to, kind)) = found else {
            self.waiting = false;
            return None;
        };
        let outbox = &mut self.boxes[to][kind];
        let rest = &outbox.bytes[outbox.taken..];
        let mut len = 0;
        while let Some(record) = Records(&rest[len..]).len_of_first()
            && (len == 0 || len + record <= BATCH_BYTES)
        {
            len += record;
        }
        // A record that says nothing of its length is not written here.
        let from = outbox.taken;
        outbox.taken = if len == 0 { outbox.bytes.len() } else { from + len };
        Some(Batch { to, kind, from, until: outbox.taken })
    }

    /// What `pop` has found, until more is pushed.
    pub fn read(&self, batch: Batch) -> Relay<'_> {
        let Batch { to, kind, from, until } = batch;
        Relay { to, bytes: &self.boxes[to][kind].bytes[from..until], is_media: kind == 1 }
    }
}

/// Records that leave together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Batch {
    to: usize,
    kind: usize,
    from: usize,
    until: usize,
}

/// The records in what another worker has handed over; `None`: something that is none, and ends it.
#[derive(Clone, Copy)]
pub(crate) struct Records<'a>(pub &'a [u8]);

impl Records<'_> {
    fn len_of_first(&self) -> Option<usize> {
        let len = 4 + u32::from_le_bytes(*self.0.first_chunk()?) as usize;
        (len <= self.0.len()).then_some(len)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Option<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((record, rest)) = self.len_of_first().and_then(|len| self.0.split_at_checked(len)) else {
            self.0 = &[];
            return Some(None);
        };
        self.0 = rest;
        Some(Record::parse(&record[4..]))
    }
}

impl<'a> Record<'a> {
    fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match *self {
            Self::Packet(Packet { to, layer, recovered, told, epoch, number, at, bytes }) => {
                out.push(0);
                to.write(out);
                out.extend_from_slice(&[layer, u8::from(recovered), told.bits()]);
                out.extend_from_slice(&epoch.to_le_bytes());
                out.extend_from_slice(&number.to_le_bytes());
                out.extend_from_slice(&(at.as_nanos() as u64).to_le_bytes());
                out.extend_from_slice(bytes);
            }
            Self::Clock(Clock { to, layer, offset, report }) => {
                out.push(1);
                to.write(out);
                let known = u8::from(offset.is_some()) | u8::from(report.is_some()) << 1;
                out.extend_from_slice(&[layer, known]);
                let (at, rtp) = report.unwrap_or_default();
                out.extend_from_slice(&offset.unwrap_or_default().to_le_bytes());
                out.extend_from_slice(&at.0.to_le_bytes());
                out.extend_from_slice(&rtp.0.to_le_bytes());
            }
            Self::Goodbye { to, layer } => {
                out.push(2);
                to.write(out);
                out.push(layer);
            }
            Self::Watch(Watch { track, mid, on, needed, keyframes }) => {
                out.push(3);
                track.write(out);
                out.extend_from_slice(&[u8::from(on), needed.bits(), keyframes.bits()]);
                out.extend_from_slice(mid.as_str().as_bytes());
            }
            Self::Heard { peer, mid, percents } => {
                out.push(4);
                out.extend_from_slice(&peer.0.to_le_bytes());
                write_name(out, mid.as_str().as_bytes());
                out.extend_from_slice(percents);
            }
            Self::Levels { room, levels } => {
                out.push(5);
                out.extend_from_slice(&room.0.to_le_bytes());
                out.extend_from_slice(levels.0);
            }
            Self::Voices { room, loudest_first, audible } => {
                out.push(6);
                out.extend_from_slice(&room.0.to_le_bytes());
                out.push(u8::from(audible.is_some()));
                out.extend_from_slice(&(loudest_first.0.len() as u32).to_le_bytes());
                out.extend_from_slice(loudest_first.0);
                out.extend_from_slice(audible.map_or(&[], |list| list.0));
            }
            Self::Data(Message { room, channel, number, name, addressed }) => {
                out.push(7);
                out.extend_from_slice(&room.0.to_le_bytes());
                out.push(channel as u8);
                out.extend_from_slice(&number.to_le_bytes());
                write_name(out, name);
                out.extend_from_slice(addressed);
            }
        }
        let len = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&len.to_le_bytes());
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut from = Fields(bytes);
        let record = match from.u8()? {
            0 => {
                let to = from.handle()?;
                let (layer, recovered, told) = (from.u8()?, from.u8()? != 0, LayerSet::from_bits(from.u8()?));
                let (epoch, number, at) = (from.u32()?, from.u32()?, Duration::from_nanos(from.u64()?));
                Self::Packet(Packet { to, layer, recovered, told, epoch, number, at, bytes: from.0 })
            }
            1 => {
                let (to, layer, known) = (from.handle()?, from.u8()?, from.u8()?);
                let (offset, at, rtp) = (from.u64()? as i64, Nanos(from.u64()? as i64), RtpTime(from.u32()?));
                let (offset, report) =
                    ((known & 1 != 0).then_some(offset), (known & 2 != 0).then_some((at, rtp)));
                Self::Clock(Clock { to, layer, offset, report })
            }
            2 => Self::Goodbye { to: from.handle()?, layer: from.u8()? },
            3 => {
                let (track, on) = (from.handle()?, from.u8()? != 0);
                let (needed, keyframes) = (LayerSet::from_bits(from.u8()?), LayerSet::from_bits(from.u8()?));
                Self::Watch(Watch { track, mid: mid(from.0)?, on, needed, keyframes })
            }
            4 => Self::Heard { peer: PeerId(from.u64()?), mid: mid(from.name()?)?, percents: from.0 },
            5 => Self::Levels { room: RoomId(from.u64()?), levels: List(from.0) },
            6 => {
                let (room, limited, len) = (RoomId(from.u64()?), from.u8()? != 0, from.u32()? as usize);
                let (loudest_first, audible) = from.0.split_at_checked(len)?;
                let audible = limited.then_some(List(audible));
                Self::Voices { room, loudest_first: List(loudest_first), audible }
            }
            7 => {
                let (room, channel) = (RoomId(from.u64()?), Channel::from_stream(from.u8()?.into())?);
                let (number, name) = (from.u32()?, from.name()?);
                Self::Data(Message { room, channel, number, name, addressed: from.0 })
            }
            _ => return None,
        };
        Some(record)
    }
}

impl Handle {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.peer.0.to_le_bytes());
        out.extend_from_slice(&self.index.to_le_bytes());
        out.push(self.track);
    }
}

/// For [`Record::Levels`] and [`Record::Voices`].
pub(crate) fn list(to: &mut Vec<u8>, entries: impl IntoIterator<Item = (PeerId, u8)>) -> List<'_> {
    to.clear();
    for (peer, level) in entries {
        to.extend_from_slice(&peer.0.to_le_bytes());
        to.push(level);
    }
    List(to)
}

/// Names are mids and ids of participants, below 256 bytes; what is longer is cut.
fn write_name(out: &mut Vec<u8>, name: &[u8]) {
    let name = &name[..name.len().min(255)];
    out.push(name.len() as u8);
    out.extend_from_slice(name);
}

fn mid(bytes: &[u8]) -> Option<Mid> {
    Mid::new(std::str::from_utf8(bytes).ok()?)
}

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
    fn u8(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn name(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.u8()?);
        let (name, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(name)
    }
    fn handle(&mut self) -> Option<Handle> {
        Some(Handle { peer: PeerId(self.u64()?), index: self.u32()?, track: self.u8()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(of: &[u8]) -> Vec<Record<'_>> {
        let handle = Handle { peer: PeerId(u64::MAX - 1), index: 70_000, track: 3 };
        let mid = Mid::new("0123456789abcdef").unwrap();
        let told = LayerSet::from_bits(0b101);
        let at = Duration::from_nanos(1_234_567_890_123);
        vec![
            Record::Packet(Packet {
                to: handle,
                layer: 2,
                recovered: true,
                told,
                epoch: 9,
                number: u32::MAX,
                at,
                bytes: of,
            }),
            Record::Clock(Clock { to: handle, layer: 0, offset: Some(-5), report: None }),
            Record::Clock(Clock { to: handle, layer: 1, offset: None, report: Some((Nanos(7), RtpTime(8))) }),
            Record::Goodbye { to: handle, layer: 1 },
            Record::Watch(Watch {
                track: handle,
                mid,
                on: true,
                needed: told,
                keyframes: LayerSet::default(),
            }),
            Record::Heard { peer: PeerId(4), mid, percents: of },
            Record::Levels { room: RoomId(5), levels: List(of) },
            Record::Voices { room: RoomId(5), loudest_first: List(of), audible: None },
            Record::Voices { room: RoomId(5), loudest_first: List(&[]), audible: Some(List(of)) },
            Record::Data(Message {
                room: RoomId(6),
                channel: Channel::Lossy,
                number: 3,
                name: b"anna",
                addressed: of,
            }),
        ]
    }

    #[test]
    fn records_cross_in_their_order_packets_apart_and_in_batches() {
        for len in [0, 9, 1200] {
            let bytes = vec![7; len];
            let sent = records(&bytes);
            let mut outboxes = Outboxes::default();
            assert!(outboxes.pop().is_none());
            for _ in 0..40 {
                sent.iter().for_each(|record| outboxes.push(2, record));
            }
            let (mut packets, mut rest) = (0, 0);
            while let Some(batch) = outboxes.pop() {
                let relay = outboxes.read(batch);
                assert!(relay.to == 2 && relay.bytes.len() <= BATCH_BYTES);
                for record in Records(relay.bytes).map(|record| record.expect("a record")) {
                    assert_eq!(matches!(record, Record::Packet(_)), relay.is_media);
                    if relay.is_media {
                        assert_eq!(record, sent[0]);
                        packets += 1;
                    } else {
                        assert_eq!(record, sent[1 + rest % (sent.len() - 1)]);
                        rest += 1;
                    }
                }
            }
            assert_eq!((packets, rest), (40, 40 * (sent.len() - 1)));
            assert!(outboxes.pop().is_none());
        }
    }

    #[test]
    fn whatever_is_cut_or_changed_is_no_record_and_no_panic() {
        let of = [1; 30];
        for record in records(&of) {
            let mut bytes = Vec::new();
            record.write(&mut bytes);
            for len in 0..bytes.len() {
                let found: Vec<_> = Records(&bytes[..len]).collect();
                assert!(found.iter().all(Option::is_none), "{len} of {record:?}");
            }
            for at in 0..bytes.len() {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0xff;
                assert!(Records(&bytes).count() <= 2);
            }
        }
    }

    #[test]
    fn a_list_names_participants_and_their_levels() {
        let mut bytes = Vec::new();
        let entries = [(PeerId(3), 40), (PeerId(u64::MAX), 127)];
        assert_eq!(list(&mut bytes, entries).iter().collect::<Vec<_>>(), entries);
    }
}
