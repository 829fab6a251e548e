//! The same as `fec`, for ends that speak FlexFEC: repair packets on a source of their own, over the pictures of the last moments. Our own
//! solve them together; browsers (flexfec-03) use one after the other.

use super::fec::{NARROW, Packets, call_with, in_time, lossy, run_within, with_fec};
use super::peer::{Got, Peer, mid};
use super::world::{World, ms};
use packet::ext::Values;
use packet::fec::flexfec::{self, Flexfec};
use packet::fec::{flexfec03, zero_mutable_extensions};
use packet::media::{Codec, CodecConfig};
use packet::rtp::{Outgoing, RtpHeader};
use packet::{Bitrate, ExtSeq, PayloadType, PeerId, RtpTime, SeqNo, Ssrc};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const FLEXFEC: u8 = 118;

/// Ours, and that of browsers.
const FORMATS: [Codec; 2] = [Codec::Flexfec, Codec::Flexfec03];

fn with_flexfec(peer: &mut Peer, codec: Codec) {
    let video = peer.media.codecs.iter().find(|c| c.codec == Codec::Vp8).unwrap().clone();
    let pt = PayloadType(FLEXFEC);
    peer.media.codecs.push(CodecConfig { codec, pt, rtx: None, nack: false, pli: false, ..video });
    for slot in peer.media.slots.iter_mut().filter(|slot| slot.rtx.is_some()) {
        slot.fec = Some(Ssrc(slot.ssrc.0 + 100_000));
    }
}

/// 1 publishes; 2 watches from `delay` away.
fn call(delay: Duration, format: Option<Codec>, names_pictures: bool) -> World {
    call_with(delay, names_pictures, |peer| format.into_iter().for_each(|format| with_flexfec(peer, format)))
}

/// What a receiver that solves repair packets together makes of a slot.
#[derive(Default)]
struct Watched {
    packets: Packets,
    repairs: usize,
    from_fec: usize,
}

fn watch(world: &World, from: Instant) -> Watched {
    let peer = &world.peers[&2];
    let (slot, map) =
        (peer.media.slots.iter().find(|slot| slot.mid == mid("v0")).unwrap(), peer.media.extensions);
    let peels = peer.media.codecs.iter().any(|codec| codec.codec == Codec::Flexfec03);
    let mut seen = Watched::default();
    let mut newest = ExtSeq(1 << 16);
    let mut media: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let mut repairs: Vec<Vec<u8>> = Vec::new();
    for got in peer.got.iter().filter(|got| [Some(slot.ssrc), slot.fec].contains(&Some(got.header.ssrc))) {
        let counted = got.at >= from;
        let mut note = |packet: &[u8]| {
            let header = RtpHeader::parse(packet).expect("what comes back is a packet");
            let stamp = Got { payload: header.payload(packet).to_vec(), ..got.clone() }.stamp().unwrap();
            if counted {
                seen.packets.entry((stamp.frame, stamp.index)).or_insert((stamp.captured_us, got.at));
            }
        };
        if Some(got.header.ssrc) == slot.fec {
            let source = match peels {
                true => flexfec03::parse(&got.payload).ok().map(|(source, _)| source),
                false => got.header.first_csrc(&got.bytes),
            };
            assert_eq!(source, Some(slot.ssrc));
            seen.repairs += usize::from(counted);
            repairs.push(got.payload.clone());
            if repairs.len() > if peels { LIBWEBRTC_KEEPS } else { flexfec::TOGETHER_MAX } {
                repairs.remove(0);
            }
        } else {
            let seq = newest.nearest(got.header.seq);
            newest = newest.max(seq);
            note(&got.bytes);
            if !got.repaired {
                let mut packet = got.bytes.clone();
                zero_mutable_extensions(&mut packet, &map);
                media.insert(seq.0, packet);
            }
        }
        if peels {
            while let Some((seq, packet)) = peeled(&repairs, slot.ssrc, newest, &media) {
                seen.from_fec += usize::from(counted);
                note(&packet);
                media.insert(seq, packet);
            }
            continue;
        }
        let parsed: Vec<Flexfec> = repairs.iter().map(|payload| Flexfec::parse(payload).unwrap()).collect();
        let received = |seq: SeqNo| media.get(&newest.nearest(seq).0).map(Vec::as_slice);
        let solutions = flexfec::solve(&parsed, |seq| received(seq).is_some());
        let mut back = Vec::new();
        for solution in solutions {
            let mut packet = Vec::new();
            solution.restore(&parsed, slot.ssrc, received, &mut packet).unwrap();
            back.push((newest.nearest(solution.lost).0, packet));
        }
        for (seq, packet) in back {
            seen.from_fec += usize::from(counted);
            note(&packet);
            media.insert(seq, packet);
        }
    }
    seen
}

/// `ForwardErrorCorrection` of libwebrtc remembers so many repair packets.
const LIBWEBRTC_KEEPS: usize = 48;

/// The next packet that a single repair packet brings back.
fn peeled(
    repairs: &[Vec<u8>],
    source: Ssrc,
    newest: ExtSeq,
    media: &BTreeMap<u64, Vec<u8>>,
) -> Option<(u64, Vec<u8>)> {
    repairs.iter().find_map(|payload| {
        let mut packet = Vec::new();
        let received = |seq: SeqNo| media.get(&newest.nearest(seq).0).map(Vec::as_slice);
        let seq = flexfec03::parse(payload).unwrap().1.recover(source, received, &mut packet).ok()?;
        Some((newest.nearest(seq).0, packet))
    })
}

fn run(world: &mut World, delay: Duration, percent: u64, seconds: u64, most: Option<Bitrate>) {
    run_within(world, delay, lossy(false, percent, 5), percent, seconds, most);
}

/// Share of the pictures that are whole within 400 ms.
fn share(format: Option<Codec>, names_pictures: bool, most: Option<Bitrate>, percent: u64) -> f64 {
    let delay = ms(150);
    let mut world = call(delay, format, names_pictures);
    run(&mut world, delay, percent, 4, most);
    let from = world.now;
    run(&mut world, delay, percent, 15, most);
    let seen = watch(&world, from);
    assert_eq!(seen.from_fec > 30, format.is_some(), "{}", seen.from_fec);
    let slot = &world.router.peer_stats(PeerId(2)).unwrap().slots[1];
    assert_eq!(slot.fec_packets > 30, format.is_some(), "{slot:?}");
    in_time(&seen.packets, &world, ms(400))
}

#[test]
fn at_300_ms_and_30_percent_loss_pictures_are_whole_in_time_also_without_room_for_copies() {
    let (ours, browsers) = (Some(Codec::Flexfec), Some(Codec::Flexfec03));
    let narrow = Some(NARROW);
    let shares = [share(ours, true, None, 30), share(ours, true, narrow, 30), share(None, true, narrow, 30)];
    assert!(shares[0] > 0.97, "with room: {shares:?}");
    assert!(shares[1] > 0.85, "narrow: {shares:?}");
    assert!(shares[2] < 0.45, "without: {shares:?}");
    // Whether pictures have names or not.
    let shares = [
        share(browsers, true, None, 30),
        share(browsers, false, None, 30),
        share(browsers, false, narrow, 30),
    ];
    assert!(shares[0] > 0.97 && shares[1] > 0.97, "with room: {shares:?}");
    assert!(shares[2] > 0.85, "narrow: {shares:?}");
    // Where there was room for copies before.
    let copies = share(None, false, None, 30);
    assert!(shares[1] > copies + 0.05, "{shares:?}, with copies {copies}");
    let shares = [10, 50].map(|percent| share(browsers, false, None, percent));
    assert!(shares[0] > 0.97 && shares[1] > 0.9, "{shares:?}");
}

/// A receiver that knows pictures by numbers in a row is not harmed, and reads pictures as they are.
#[test]
fn repair_packets_take_no_number_of_the_pictures_whether_those_have_names_or_not() {
    let delay = ms(150);
    for (format, names_pictures) in FORMATS.into_iter().flat_map(|format| [(format, true), (format, false)]) {
        let mut world = call(delay, Some(format), names_pictures);
        run(&mut world, delay, 30, 6, None);
        let from = world.now - ms(3000);
        assert!(watch(&world, from).repairs > 100);
        let media: Vec<&Got> = world.peers[&2].on("v0").into_iter().filter(|got| got.at >= from).collect();
        assert!(media.len() > 100);
        for pair in media.windows(2) {
            let place =
                |got: &Got| got.stamp().map(|stamp| stamp.frame as i32 * 3 + i32::from(stamp.index)).unwrap();
            let step = pair[1].header.seq.since(pair[0].header.seq);
            assert_eq!(i64::from(step), i64::from(place(pair[1]) - place(pair[0])));
        }
    }
}

#[test]
fn whoever_takes_both_kinds_of_browsers_gets_the_one_that_leaves_pictures_as_they_are() {
    let delay = ms(150);
    let mut world = call_with(delay, true, |peer| {
        with_fec(peer);
        with_flexfec(peer, Codec::Flexfec03);
    });
    run(&mut world, delay, 30, 6, Some(NARROW));
    assert!(watch(&world, world.now - ms(3000)).repairs > 50);
    let vp8 = world.peers[&2].media.codecs[1].pt;
    assert!(world.peers[&2].on("v0").iter().all(|got| got.header.pt == vp8), "none in RED");
}

#[test]
fn a_short_or_clean_way_gets_none_and_it_ends_when_the_loss_does() {
    for format in FORMATS {
        for (delay, percent) in [(ms(30), 5), (ms(150), 0)] {
            let mut world = call(delay, Some(format), true);
            let from = world.now;
            run(&mut world, delay, percent, 5, None);
            assert_eq!(watch(&world, from).repairs, 0, "{delay:?}");
        }
        let delay = ms(150);
        let mut world = call(delay, Some(format), true);
        run(&mut world, delay, 30, 4, None);
        run(&mut world, delay, 0, 20, None);
        assert_eq!(watch(&world, world.now - ms(2000)).repairs, 0);
    }
}

#[test]
fn on_a_narrow_line_the_picture_goes_on() {
    let delay = ms(150);
    for format in FORMATS {
        let mut world = call(delay, Some(format), true);
        world.narrow(2, 1300, ms(400));
        run(&mut world, delay, 30, 20, Some(NARROW));
        let seen = watch(&world, world.now - ms(8000));
        let frames: BTreeSet<_> = seen.packets.keys().map(|(frame, _)| frame).collect();
        assert!(frames.len() > 170, "{format:?}: {} of 200", frames.len());
        let share = in_time(&seen.packets, &world, ms(400));
        assert!(share > 0.5, "{format:?}: {share}");
    }
}

/// Packets of a publisher that protects what it sends: frames of three, then repair packets over the last six packets.
struct Shielded {
    format: Codec,
    number: u16,
    frame: u32,
    repair: u16,
    sent: Vec<Vec<u8>>,
}

impl Shielded {
    fn packet(&mut self, world: &World, index: u8) -> Vec<u8> {
        let peer = &world.peers[&1];
        let vp8 = peer.media.codecs[1].pt;
        // VP8: an extended descriptor with a picture id, first of its partition; a keyframe first.
        let start = if index == 0 { 0x10 } else { 0 };
        let mut payload = vec![0x80 | start, 0x80, 0x80, self.frame as u8, u8::from(self.frame > 0)];
        payload.extend([self.frame as u8, index]);
        payload.resize(600 + 40 * usize::from(index), self.frame as u8 ^ index);
        let outgoing = Outgoing {
            marker: index == 2,
            pt: vp8,
            seq: SeqNo(self.number),
            timestamp: RtpTime(self.frame * 3600),
            ssrc: peer.sources[1].ssrc,
            extensions: Values { mid: Some(mid("1")), ..Values::default() },
            payload: &payload,
            ..Outgoing::default()
        };
        self.number = self.number.wrapping_add(1);
        let packet = written(&outgoing, world);
        self.sent.push(packet.clone());
        packet
    }

    /// Made of these of the packets sent last.
    fn repair(&mut self, world: &World, back: &[usize]) -> Vec<u8> {
        let chosen: Vec<&[u8]> = back.iter().map(|back| &self.sent[self.sent.len() - back][..]).collect();
        let mut payload = Vec::new();
        let is_ours = self.format == Codec::Flexfec;
        let encoded = match is_ours {
            true => flexfec::encode(&chosen, &mut payload),
            false => flexfec03::encode(&chosen, &mut payload),
        };
        encoded.unwrap();
        // The other names it inside.
        let csrc = is_ours.then_some(world.peers[&1].sources[1].ssrc);
        self.repair_of(world, &payload, csrc)
    }

    fn repair_of(&mut self, world: &World, payload: &[u8], csrc: Option<Ssrc>) -> Vec<u8> {
        self.repair = self.repair.wrapping_add(1);
        let outgoing = Outgoing {
            pt: PayloadType(FLEXFEC),
            seq: SeqNo(self.repair),
            ssrc: Ssrc(77_777),
            csrc,
            payload,
            ..Outgoing::default()
        };
        written(&outgoing, world)
    }
}

fn written(outgoing: &Outgoing, world: &World) -> Vec<u8> {
    let mut packet = vec![0; 1500];
    let len = outgoing.write(&world.peers[&1].media.extensions, &mut packet).unwrap().len;
    packet.truncate(len);
    packet
}

/// 1 publishes with FlexFEC, 2 and 3 watch.
fn shielded_call(format: Codec) -> (World, Shielded) {
    let mut world = World::new();
    world.join_with(1, &[], 1, |peer| with_flexfec(peer, format));
    world.join(2, &[], 1);
    world.join_with(3, &[], 1, |peer| with_flexfec(peer, format));
    (2..=3).for_each(|number| world.bind(number, 0, Some(1)));
    world.peer(1).video(0).running = false;
    world.until_connected();
    world.run(ms(60));
    (world, Shielded { format, number: 65_500, frame: 0, repair: 0, sent: Vec::new() })
}

#[test]
fn what_a_publisher_protects_comes_back_though_its_own_repair_packets_were_too_few() {
    FORMATS.into_iter().for_each(comes_back);
}

fn comes_back(format: Codec) {
    let (mut world, mut sender) = shielded_call(format);
    for frame in 0..60u32 {
        sender.frame = frame;
        for index in 0..3u8 {
            let packet = sender.packet(&world, index);
            // Of every fourth frame two are lost, and of the next one one.
            let lost = frame > 0 && (frame % 4 == 1 && index != 1 || frame % 4 == 2 && index == 1);
            if !lost {
                world.send(1, |p| p.send_raw(&packet));
            }
        }
        if frame > 0 {
            for back in [&[1, 2, 5][..], &[2, 4, 6], &[1, 3, 4, 5]] {
                // Behind the frame that has lost two only one gets through.
                let packet = sender.repair(&world, back);
                if frame % 4 != 1 || back[0] == 2 {
                    world.send(1, |p| p.send_raw(&packet));
                }
            }
        }
        world.run(ms(40));
    }
    world.run(ms(200));
    for number in 2..=3 {
        let mut frames: Vec<_> =
            world.peers[&number].on("v0").iter().map(|got| (got.payload[5], got.payload[6])).collect();
        frames.sort_unstable();
        frames.dedup();
        assert_eq!(frames.len(), 180, "peer {number}");
    }
    let stats = world.router.stats();
    assert!(stats.fec_received > 140 && stats.fec_recovered >= 40, "{stats:?}");
}

#[test]
fn repair_packets_that_lie_are_counted_and_nobody_else_notices() {
    let (mut world, mut sender) = shielded_call(Codec::Flexfec);
    let own = world.peers[&1].sources[1].ssrc;
    let mut send = |world: &mut World, payload: &[u8], csrc| {
        let packet = sender.repair_of(world, payload, csrc);
        world.send(1, |p| p.send_raw(&packet));
        world.run(ms(2));
    };
    // Of a source that is not there yet, of none, of another's, and nothing that can be read.
    let good = [&[0; 8][..], &65_500u16.to_be_bytes(), &[0xf8, 0], &[1; 40]].concat();
    for csrc in [Some(Ssrc(1)), None, Some(world.peers[&2].slot("v0"))] {
        send(&mut world, &good, csrc);
    }
    world.run(ms(60));
    assert_eq!(world.dropped("malformed_fec"), 3);
    // The last can be read, and protects more than anybody does.
    let wide = [&[0; 8][..], &65_500u16.to_be_bytes(), &[0x7f, 0xff, 0x7f], &[0xff; 11], &[1; 40]].concat();
    for lie in [&[][..], &[0xff; 40], &[0; 11], &[0; 2000], &wide] {
        send(&mut world, &lie[..lie.len().min(1200)], Some(own));
    }
    world.run(ms(60));
    assert_eq!(world.dropped("malformed_fec"), 8);
    for n in 0..300u16 {
        let mask = [0x7f, n as u8, 0x55, 0x55, 0x55, n as u8, 1, 1, 1, 1, 1, 1, 1, 1];
        let lie = [
            &[0, 0, 0, 30, 0, 0, 0, n as u8][..],
            &65_400u16.wrapping_add(n % 150).to_be_bytes(),
            &mask,
            &[n as u8; 30],
        ];
        send(&mut world, &lie.concat(), Some(own));
    }
    ten_pictures_arrive(&mut world, &mut sender);
    assert_eq!(world.dropped("malformed_fec"), 8);
}

/// What lies has done nothing to what is true.
fn ten_pictures_arrive(world: &mut World, sender: &mut Shielded) {
    for frame in 0..10 {
        sender.frame = frame;
        for index in 0..3 {
            let packet = sender.packet(world, index);
            world.send(1, |p| p.send_raw(&packet));
        }
        world.run(ms(40));
    }
    world.run(ms(100));
    assert!(world.peers[&2].on("v0").len() >= 27, "{}", world.peers[&2].on("v0").len());
}

#[test]
fn repair_packets_of_browsers_that_lie_are_counted_and_nobody_else_notices() {
    let (mut world, mut sender) = shielded_call(Codec::Flexfec03);
    let own = world.peers[&1].sources[1].ssrc;
    let mut send = |world: &mut World, payload: &[u8]| {
        let packet = sender.repair_of(world, payload, None);
        world.send(1, |p| p.send_raw(&packet));
        world.run(ms(2));
    };
    let of = |ssrc: Ssrc, base: u16, rest: &[u8]| {
        [&[0; 8][..], &[1, 0, 0, 0], &ssrc.0.to_be_bytes(), &base.to_be_bytes(), rest].concat()
    };
    // Of a source that is not there yet, and of another's.
    for source in [Ssrc(1), world.peers[&2].slot("v0"), world.peers[&1].sources[0].ssrc] {
        send(&mut world, &of(source, 65_500, &[0xf8, 0, 1, 2, 3]));
    }
    let good = of(own, 65_500, &[0xf8, 0, 1, 2, 3]);
    let changed = |at: usize, value: u8| [&good[..at], &[value], &good[at + 1..]].concat();
    let wide = of(own, 65_500, &[&[0x7f, 0xff, 0x7f][..], &[0xff; 11], &[1; 40]].concat());
    let lies =
        [vec![], good[..19].to_vec(), changed(8, 0), changed(8, 2), changed(0, 0x80), changed(0, 0x40), wide];
    let count = lies.len() as u64;
    for lie in lies {
        send(&mut world, &lie);
    }
    world.run(ms(60));
    let before = world.dropped("malformed_fec");
    assert!(before > count, "{before}");
    for n in 0..300u16 {
        let mask = [0x7f, n as u8, 0x55, 0x55, 0x55, n as u8, 0x81, 1, 1, 1, 1, 1, 1, 1];
        let mut lie = of(own, 65_400u16.wrapping_add(n % 150), &[&mask[..], &[n as u8; 30]].concat());
        (lie[3], lie[7]) = (30, n as u8);
        send(&mut world, &lie);
    }
    ten_pictures_arrive(&mut world, &mut sender);
    assert_eq!(world.dropped("malformed_fec"), before);
}
