//! Pictures behind a long and lossy way: what will be lost is sent ahead, and what a publisher sent ahead is put to use.

use super::peer::{Got, Peer, Stamp, mid};
use super::world::{Loss, World, ms};
use packet::ext::Values;
use packet::fec::ulpfec::{self, Ulpfec};
use packet::fec::zero_mutable_extensions;
use packet::media::{Codec, CodecConfig};
use packet::rtcp::{Packet, ReceiverReport, ReceptionReport, Remb};
use packet::rtp::{Outgoing, RtpHeader};
use packet::{Bitrate, ExtSeq, PayloadType, PeerId, RtpTime, SeqNo, Ssrc};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const RED: u8 = 115;
const RED_RTX: u8 = 116;
const ULPFEC: u8 = 117;

pub fn with_fec(peer: &mut Peer) {
    let video = peer.media.codecs.iter().find(|c| c.codec == Codec::Vp8).unwrap().clone();
    let config = |codec, pt, rtx| CodecConfig { codec, pt: PayloadType(pt), rtx, ..video.clone() };
    peer.media.codecs.push(config(Codec::VideoRed, RED, Some(PayloadType(RED_RTX))));
    peer.media.codecs.push(config(Codec::Ulpfec, ULPFEC, None));
}

/// Loses a share of the datagrams of one direction.
pub fn lossy(up: bool, percent: u64, seed: u64) -> Loss {
    let mut state = seed;
    Box::new(move |to_router, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        to_router == up && (state >> 33) % 100 < percent
    })
}

/// A receiver report about slot v0, with what a round trip is told by.
pub fn report(world: &mut World, lost: f64) {
    let (now, peer) = (world.now, &world.peers[&2]);
    let ssrc = peer.slot("v0");
    let Some((at, newest)) = peer.reports.iter().rev().find(|(_, r)| r.ssrc == ssrc) else { return };
    let block = ReceptionReport {
        ssrc,
        fraction_lost: (lost * 256.0) as u8,
        last_sr: newest.ntp.middle(),
        delay_since_last_sr: ReceptionReport::delay_units(now - *at),
        ..ReceptionReport::default()
    };
    let report = Packet::ReceiverReport(ReceiverReport { ssrc: Ssrc(1), reports: vec![block] });
    world.send(2, |p| p.send_rtcp(&[report]));
}

/// 1 publishes; 2 watches from `delay` away, and takes FEC or not.
fn call(delay: Duration, takes_fec: bool) -> World {
    call_with(delay, true, |peer| {
        if takes_fec {
            with_fec(peer);
        }
    })
}

/// The same, with what 2 takes.
pub fn call_with(delay: Duration, names_pictures: bool, takes: impl FnOnce(&mut Peer)) -> World {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join_with(2, &[], 1, takes);
    world.peer(1).video(0).picture_ids = names_pictures;
    world.link(2, delay, Box::new(|_, _| false));
    world.bind(2, 0, Some(1));
    world.until_connected();
    world.peer(2).asks = true;
    world.run(ms(2000));
    report(&mut world, 0.0);
    world
}

/// Room for FEC, and none for copies of everything.
pub const NARROW: Bitrate = Bitrate::kbps(1400);

/// Runs with a loss on the way down, reported each second. `most`: what the receiver says that its link carries.
pub fn run_within(
    world: &mut World,
    delay: Duration,
    loss: Loss,
    percent: u64,
    seconds: u64,
    most: Option<Bitrate>,
) {
    world.link(2, delay, loss);
    for _ in 0..seconds {
        report(world, percent as f64 / 100.0);
        if let Some(bitrate) = most {
            let remb = Packet::Remb(Remb { sender: Ssrc(1), bitrate, ssrcs: vec![] });
            world.send(2, |p| p.send_rtcp(&[remb]));
        }
        world.run(ms(1000));
    }
}

fn run(world: &mut World, delay: Duration, loss: Loss, percent: u64, seconds: u64) {
    run_within(world, delay, loss, percent, seconds, Some(NARROW));
}

/// What a receiver makes of a slot: when each packet of media was there, as itself or out of FEC.
struct Watched {
    packets: Packets,
    repairs: usize,
    wrapped: usize,
    plain: usize,
    from_fec: usize,
}

fn watch(world: &World, from: Instant) -> Watched {
    let peer = &world.peers[&2];
    let vp8 = peer.media.codecs.iter().find(|c| c.codec == Codec::Vp8).unwrap().pt;
    let (ssrc, map) = (peer.slot("v0"), peer.media.extensions);
    let mut seen = Watched { packets: BTreeMap::new(), repairs: 0, wrapped: 0, plain: 0, from_fec: 0 };
    let mut media: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut pending: Vec<Vec<u8>> = Vec::new();
    let mut newest = ExtSeq(1 << 16);
    for got in peer.on("v0") {
        let seq = newest.nearest(got.header.seq);
        newest = newest.max(seq);
        let mut packet = got.bytes.clone();
        let inner = (got.header.pt.0 == RED).then(|| got.payload[0]);
        let counted = got.at >= from;
        if inner == Some(ULPFEC) {
            seen.repairs += usize::from(counted);
            assert!(!got.repaired, "a repair packet is not sent twice");
            pending.push(got.payload[1..].to_vec());
        } else {
            if let Some(inner) = inner {
                let range = got.header.payload_range();
                packet.remove(range.start);
                packet[1] = packet[1] & 0x80 | inner;
                seen.wrapped += usize::from(counted);
            } else {
                seen.plain += usize::from(counted && !got.repaired);
            }
            let stamp = RtpHeader::parse(&packet).unwrap();
            let stamp = Got { payload: stamp.payload(&packet).to_vec(), ..got.clone() }.stamp().unwrap();
            assert_eq!(packet[1] & 0x7f, vp8.0);
            note(&mut seen, counted, stamp, got.at);
            if !got.repaired {
                zero_mutable_extensions(&mut packet, &map);
                media.insert(seq.0, packet);
            }
        }
        loop {
            let mut found = None;
            for payload in &pending {
                let mut out = Vec::new();
                let received = |seq: SeqNo| media.get(&newest.nearest(seq).0).map(Vec::as_slice);
                if let Ok(seq) = Ulpfec::parse(payload).unwrap().recover(ssrc, received, &mut out) {
                    found = Some((newest.nearest(seq).0, out));
                    break;
                }
            }
            let Some((seq, packet)) = found else { break };
            let header = RtpHeader::parse(&packet).expect("what comes back is a packet");
            assert_eq!((header.ssrc, header.pt), (ssrc, vp8));
            let stamp = Got { payload: header.payload(&packet).to_vec(), ..got.clone() }.stamp().unwrap();
            seen.from_fec += usize::from(counted);
            note(&mut seen, counted, stamp, got.at);
            media.insert(seq, packet);
        }
    }
    seen
}

fn note(seen: &mut Watched, counted: bool, stamp: Stamp, at: Instant) {
    if counted {
        seen.packets.entry((stamp.frame, stamp.index)).or_insert((stamp.captured_us, at));
    }
}

/// By frame and packet in it: when it was captured and when it was there.
pub type Packets = BTreeMap<(u32, u8), (u64, Instant)>;

/// Share of the frames that were whole `within` their capture.
pub fn in_time(packets: &Packets, world: &World, within: Duration) -> f64 {
    let (first, last) = (packets.keys().next().unwrap().0 + 12, packets.keys().last().unwrap().0 - 12);
    let whole = |frame: &u32| {
        (0..3).all(|index| {
            packets
                .get(&(*frame, index))
                .is_some_and(|(captured, at)| *at <= world.start + Duration::from_micros(*captured) + within)
        })
    };
    let frames = first..last;
    frames.clone().filter(whole).count() as f64 / frames.len() as f64
}

#[test]
fn at_300_ms_and_30_percent_loss_most_pictures_are_whole_in_time_with_fec_and_few_without() {
    let delay = ms(150);
    let shares = [true, false].map(|takes_fec| {
        let mut world = call(delay, takes_fec);
        let from = world.now + ms(2000);
        run(&mut world, delay, lossy(false, 30, 5), 30, 15);
        let seen = watch(&world, from);
        assert_eq!(seen.repairs > 100, takes_fec, "{}", seen.repairs);
        let slot = &world.router.peer_stats(PeerId(2)).unwrap().slots[1];
        assert_eq!(slot.fec_packets > 100, takes_fec, "{slot:?}");
        in_time(&seen.packets, &world, ms(400))
    });
    assert!(shares[0] > 0.8, "with FEC: {shares:?}");
    assert!(shares[1] < 0.45, "without: {shares:?}");
}

#[test]
fn where_there_is_room_for_copies_of_everything_they_take_the_place_of_fec() {
    let delay = ms(150);
    let mut world = call(delay, true);
    run_within(&mut world, delay, lossy(false, 30, 5), 30, 5, None);
    let from = world.now;
    run_within(&mut world, delay, lossy(false, 30, 6), 30, 15, None);
    let seen = watch(&world, from);
    assert_eq!(seen.repairs, 0);
    let share = in_time(&seen.packets, &world, ms(400));
    assert!(share > 0.8, "{share}");
}

#[test]
fn a_short_or_clean_way_gets_no_fec_and_plain_packets() {
    for (delay, percent) in [(ms(30), 30), (ms(150), 0)] {
        let mut world = call(delay, true);
        let from = world.now;
        run(&mut world, delay, lossy(false, percent, 5), percent, 5);
        let seen = watch(&world, from);
        assert_eq!((seen.repairs, seen.wrapped), (0, 0), "{delay:?}");
        assert!(seen.plain > 100);
    }
}

#[test]
fn fec_ends_when_the_loss_does() {
    let delay = ms(150);
    let mut world = call(delay, true);
    run(&mut world, delay, lossy(false, 30, 5), 30, 3);
    run(&mut world, delay, lossy(false, 0, 5), 0, 16);
    let from = world.now;
    run(&mut world, delay, lossy(false, 0, 5), 0, 2);
    let seen = watch(&world, from);
    assert_eq!((seen.repairs, seen.wrapped), (0, 0));
    assert!(seen.plain > 100);
}

#[test]
fn what_fec_does_not_bring_back_is_sent_again_under_its_own_number() {
    let delay = ms(150);
    let mut world = call(delay, true);
    let from = world.now + ms(1000);
    run(&mut world, delay, lossy(false, 15, 9), 15, 8);
    run(&mut world, delay, lossy(false, 0, 9), 15, 2);
    let seen = watch(&world, from);
    assert!(seen.from_fec > 20, "{}", seen.from_fec);
    assert!(world.peers[&2].rtx_arrived.len() > 20);
    // Each packet there is, whichever way it came, stands where its neighbours expect it.
    let share = in_time(&seen.packets, &world, ms(3000));
    assert!(share > 0.98, "{share}");
    let mut media: Vec<&Got> = world.peers[&2].on("v0");
    media.retain(|got| got.at >= from && got.payload.first() != Some(&ULPFEC));
    media.sort_by_key(|got| got.stamp().map(|s| (s.frame, s.index)));
    for pair in media.windows(2) {
        let [before, after] = [pair[0], pair[1]].map(|got| got.stamp().unwrap());
        let step = pair[1].header.seq.since(pair[0].header.seq);
        if before.frame == after.frame {
            assert_eq!(step, i32::from(after.index - before.index) as i16 as _, "{before:?} {after:?}");
        } else {
            assert!(step >= 1, "{before:?} {after:?}");
        }
        assert_eq!(before.frame == after.frame, pair[0].header.timestamp == pair[1].header.timestamp);
    }
}

/// libwebrtc puts a picture together of numbers in a row.
#[test]
fn repair_packets_never_stand_between_the_packets_of_a_picture() {
    let delay = ms(150);
    for (lost_up, packets, interval) in [(0, 60, ms(800)), (20, 3, ms(40))] {
        let mut world = call(delay, true);
        world.link(1, ms(20), lossy(true, lost_up, 3));
        let video = world.peer(1).video(0);
        (video.packets_per_frame, video.interval) = (packets, interval);
        run(&mut world, delay, lossy(false, 0, 5), 30, 6);
        assert!(watch(&world, world.now - ms(3000)).repairs > 50);
        let mut media: Vec<&Got> = world.peers[&2].on("v0");
        media.retain(|got| got.payload.first() != Some(&ULPFEC));
        media.sort_by_key(|got| got.stamp().map(|s| (s.frame, s.index)));
        for pair in media.windows(2) {
            let [before, after] = [pair[0], pair[1]].map(|got| got.stamp().unwrap());
            if before.frame == after.frame && before.index + 1 == after.index {
                assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1), "{before:?} {after:?}");
            }
        }
    }
}

#[test]
fn pictures_without_ids_get_no_fec_and_are_in_nobodys_way_once_they_end() {
    let delay = ms(150);
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join_with(2, &[], 2, with_fec);
    world.join(3, &[], 1);
    world.peer(3).video(0).picture_ids = false;
    world.link(2, delay, Box::new(|_, _| false));
    world.bind(2, 0, Some(1));
    world.bind(2, 1, Some(3));
    world.until_connected();
    world.peer(2).asks = true;
    world.run(ms(2000));
    run(&mut world, delay, lossy(false, 30, 5), 30, 4);
    let seen = watch(&world, world.now - ms(2000));
    assert_eq!((seen.repairs, seen.wrapped), (0, 0));
    world.bind(2, 1, None);
    // Two pictures had no room, so FEC gives way for half a minute.
    run(&mut world, delay, lossy(false, 30, 5), 30, 34);
    let seen = watch(&world, world.now - ms(2000));
    assert!(seen.repairs > 20, "{}", seen.repairs);
}

#[test]
fn fec_gives_way_before_a_picture_is_paused() {
    let delay = ms(150);
    let mut world = call(delay, true);
    // For the picture and what is sent again there is room, for as much FEC as the loss is worth there is not.
    world.narrow(2, 1300, ms(400));
    run(&mut world, delay, lossy(false, 30, 5), 30, 20);
    let seen = watch(&world, world.now - ms(8000));
    let frames = seen.packets.keys().map(|(frame, _)| frame).collect::<std::collections::BTreeSet<_>>().len();
    assert!(frames > 170, "{frames} of 200");
}

/// Packets of a publisher as a browser with ULPFEC sends them: frames of three in RED, then two repair packets.
struct Shielded {
    number: u16,
    frame: u32,
    /// Everything as it was sent, by number.
    sent: BTreeMap<u16, Vec<u8>>,
}

impl Shielded {
    fn new(world: &mut World) -> Self {
        world.peer(1).video(0).running = false;
        world.run(ms(60));
        Self { number: 65_500, frame: 0, sent: BTreeMap::new() }
    }

    fn packet(&mut self, world: &World, marker: bool, payload: &[u8]) -> Vec<u8> {
        let peer = &world.peers[&1];
        let outgoing = Outgoing {
            marker,
            pt: PayloadType(RED),
            seq: SeqNo(self.number),
            timestamp: RtpTime(self.frame * 3600),
            ssrc: peer.sources[1].ssrc,
            extensions: Values { mid: Some(mid("1")), ..Values::default() },
            payload,
            ..Outgoing::default()
        };
        let mut packet = vec![0; 1500];
        let len = outgoing.write(&peer.media.extensions, &mut packet).unwrap().len;
        packet.truncate(len);
        self.sent.insert(self.number, packet.clone());
        self.number = self.number.wrapping_add(1);
        packet
    }

    /// Media and repair packets of one frame.
    fn frame(&mut self, world: &World) -> Vec<Vec<u8>> {
        let vp8 = world.peers[&1].media.codecs[1].pt.0;
        let (mut out, mut plain) = (Vec::new(), Vec::new());
        for index in 0..3u8 {
            let mut payload = vec![vp8];
            // VP8: an extended descriptor with a picture id, first of its partition; a keyframe first.
            payload.extend([0x80 | if index == 0 { 0x10 } else { 0 }, 0x80, 0x80, self.frame as u8]);
            payload.push(u8::from(self.frame > 0));
            payload.extend([self.frame as u8, index]);
            payload.resize(600 + 40 * usize::from(index), self.frame as u8 ^ index);
            let packet = self.packet(world, index == 2, &payload);
            let mut inner = packet.clone();
            let at = RtpHeader::parse(&packet).unwrap().payload_range().start;
            inner.remove(at);
            inner[1] = inner[1] & 0x80 | vp8;
            plain.push(inner);
            out.push(packet);
        }
        for pair in [[0, 1], [1, 2]] {
            let mut payload = vec![ULPFEC];
            ulpfec::encode(&pair.map(|n: usize| &plain[n][..]), &mut payload).unwrap();
            out.push(self.packet(world, false, &payload));
        }
        self.frame += 1;
        out
    }

    fn send(&mut self, world: &mut World, lost: impl Fn(u32, usize) -> bool) {
        let frame = self.frame;
        for (n, packet) in self.frame(world).into_iter().enumerate() {
            if !lost(frame, n) {
                world.send(1, |p| p.send_raw(&packet));
            }
        }
        world.run(ms(40));
    }
}

/// 1 publishes in RED with ULPFEC, 2 and 3 watch; 3 knows neither.
fn shielded_call() -> (World, Shielded) {
    let mut world = World::new();
    world.join_with(1, &[], 1, with_fec);
    world.join_with(2, &[], 1, with_fec);
    world.join(3, &[], 1);
    (2..=3).for_each(|number| world.bind(number, 0, Some(1)));
    // Running only to connect: the source is another one afterwards.
    world.peer(1).video(0).running = false;
    world.until_connected();
    let sender = Shielded::new(&mut world);
    (world, sender)
}

#[test]
fn what_a_publisher_sent_ahead_replaces_what_was_lost_and_takes_no_number_of_its_own() {
    let (mut world, mut sender) = shielded_call();
    // Both of what overlaps, in turn; numbers cross the wrap.
    for _ in 0..60 {
        sender.send(&mut world, |frame, n| {
            frame > 0 && (frame % 3 == 1 && n == 1 || frame % 3 == 2 && (n == 0 || n == 2))
        });
    }
    world.run(ms(200));
    for number in 2..=3 {
        let seen: Vec<&Got> = world.peers[&number].on("v0");
        assert_eq!(seen.len(), 180, "peer {number}");
        let mut sorted = seen.clone();
        sorted.sort_by_key(|got| {
            got.header.timestamp.0.wrapping_sub(seen[0].header.timestamp.0) as u64 * 65_536
                + u64::from(got.header.seq.since(seen[0].header.seq) as u16)
        });
        for (n, pair) in sorted.windows(2).enumerate() {
            assert_eq!(pair[1].header.seq, pair[0].header.seq.plus(1), "peer {number}, packet {n}");
        }
        for (n, got) in sorted.iter().enumerate() {
            assert_eq!(got.payload.len(), 599 + 40 * (n % 3), "the packet itself, without RED");
            assert_eq!(got.payload[5..7], [(n / 3) as u8, (n % 3) as u8]);
        }
    }
    let stats = world.router.stats();
    assert_eq!((stats.fec_received, stats.fec_recovered), (120, 60), "{stats:?}");
    let layer = &world.router.peer_stats(PeerId(1)).unwrap().tracks[1].layers[0];
    assert_eq!(layer.recovered, 60);
}

#[test]
fn a_retransmission_of_red_is_taken_apart_too_and_repair_packets_are_never_missed_for_long() {
    let (mut world, mut sender) = shielded_call();
    for _ in 0..20 {
        // The last packet and both repair packets are lost.
        sender.send(&mut world, |frame, n| (3..19).contains(&frame) && n >= 2);
        // Asked for, and answered in RTX of RED; a repair packet is not kept by a browser.
        let asked: Vec<SeqNo> = world.peers[&1]
            .control
            .iter()
            .filter_map(|(_, p)| match p {
                Packet::Nack(nack) => Some(nack.lost().collect::<Vec<_>>()),
                _ => None,
            })
            .flatten()
            .collect();
        world.peer(1).control.clear();
        let mut rtx_number = sender.frame as u16 * 100;
        for seq in asked {
            let original = sender.sent[&seq.0].clone();
            let header = RtpHeader::parse(&original).unwrap();
            if header.payload(&original)[0] == ULPFEC {
                continue;
            }
            let peer = &world.peers[&1];
            let outgoing = Outgoing {
                marker: header.marker,
                pt: PayloadType(RED_RTX),
                seq: SeqNo(rtx_number),
                timestamp: header.timestamp,
                ssrc: peer.sources[1].rtx.unwrap(),
                osn: Some(seq),
                payload: header.payload(&original),
                ..Outgoing::default()
            };
            rtx_number += 1;
            let mut packet = vec![0; 1500];
            let len = outgoing.write(&peer.media.extensions, &mut packet).unwrap().len;
            world.send(1, |p| p.send_raw(&packet[..len]));
        }
        world.run(ms(20));
    }
    world.run(ms(500));
    let whole = world.peers[&3]
        .on("v0")
        .iter()
        .map(|got| (got.payload[5], got.payload[6]))
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(whole.len(), 60, "{whole:?}");
}

#[test]
fn fec_that_lies_is_counted_and_nobody_else_notices() {
    let (mut world, mut sender) = shielded_call();
    // Before any picture.
    let early = sender.packet(&world, false, &[ULPFEC, 1, 2, 3]);
    world.send(1, |p| p.send_raw(&early));
    world.run(ms(30));
    assert_eq!(world.dropped("malformed_fec"), 1);
    for _ in 0..5 {
        sender.send(&mut world, |_, _| false);
    }
    let vp8 = world.peers[&1].media.codecs[1].pt.0;
    let lies: Vec<Vec<u8>> = vec![
        vec![],
        vec![ULPFEC],
        vec![0x80 | vp8, 0, 0, 9, vp8, 1],
        vec![RED, RED, vp8],
        vec![5, 1, 2, 3],
        [&[ULPFEC][..], &[0xff; 40]].concat(),
        [&[ULPFEC][..], &[0; 40]].concat(),
    ];
    for lie in &lies {
        let packet = sender.packet(&world, false, lie);
        world.send(1, |p| p.send_raw(&packet));
        world.run(ms(5));
    }
    assert!(
        world.dropped("malformed_red") >= 4 && world.dropped("malformed_fec") >= 3,
        "{:?}",
        world.router.stats()
    );
    // Groups of what is not there yet, with bodies of noise: what they yield is no packet, or one nobody shows.
    for n in 0..200u16 {
        let mut payload = vec![ULPFEC, 0, 0];
        payload.extend(sender.number.wrapping_add(n % 7).to_be_bytes());
        payload.extend([0, 0, 0, n as u8, 0, 30, 0, 30, 0x80 >> (n % 3) | 0x20, n as u8]);
        payload.extend([n as u8; 30]);
        let packet = sender.packet(&world, false, &payload);
        world.send(1, |p| p.send_raw(&packet));
        world.run(ms(2));
    }
    let before = world.peers[&2].on("v0").len();
    for _ in 0..10 {
        sender.send(&mut world, |_, _| false);
    }
    world.run(ms(100));
    assert!(world.peers[&2].on("v0").len() >= before + 30, "pictures go on");
}
