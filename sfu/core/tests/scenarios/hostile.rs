//! Peers that lie, and strangers.

use super::peer::{OPUS, mid};
use super::world::{World, ms};
use packet::ext::Values;
use packet::rtcp::{Nack, Packet, ReceiverReport, ReceptionReport};
use packet::rtp::Outgoing;
use packet::{PayloadType, PeerId, RtpTime, SeqNo, Ssrc};

fn rtp(ssrc: u32, pt: u8, seq: u16, values: Values, map: &packet::ext::ExtensionMap) -> Vec<u8> {
    let outgoing = Outgoing {
        pt: PayloadType(pt),
        seq: SeqNo(seq),
        timestamp: RtpTime(1),
        ssrc: Ssrc(ssrc),
        extensions: values,
        payload: &[0x10, 0, 0, 0],
        ..Outgoing::default()
    };
    let mut bytes = vec![0; 200];
    let len = outgoing.write(map, &mut bytes).unwrap().len;
    bytes.truncate(len);
    bytes
}

fn two() -> World {
    let mut world = World::new();
    world.join(1, &[], 1);
    world.join(2, &[], 1);
    world.bind_all();
    world.until_connected();
    world.run(ms(500));
    world
}

#[test]
fn strangers_are_counted_and_not_answered() {
    let mut world = World::new();
    let from = "203.0.113.7:1".parse().unwrap();
    for (datagram, reason) in [
        (vec![], "not_our_protocol"),
        (vec![0xff; 100], "not_our_protocol"),
        (vec![0; 20], "unknown_ufrag"),
        (vec![22; 60], "unknown_address"),
        (vec![0x80; 60], "unknown_address"),
    ] {
        let before = world.dropped(reason);
        world.inject(from, datagram);
        assert_eq!(world.dropped(reason), before + 1, "{reason}");
    }
    assert_eq!(world.router.stats().datagrams_out, 0);
}

#[test]
fn sources_of_one_peer_are_capped_and_named() {
    let mut world = two();
    let map = world.peers[&1].media.extensions;
    for i in 0..100 {
        let values = Values { mid: Some(mid("0")), ..Values::default() };
        let packet = rtp(50_000 + i, OPUS, 1, values, &map);
        world.send(1, |p| p.send_raw(&packet));
    }
    world.run(ms(20));
    // An m-line without rids has one source: each new one takes the place of the last, nothing grows.
    assert!(world.router.peer_stats(PeerId(1)).unwrap().tracks.iter().all(|t| t.layers.len() == 1));
    let lies = [
        (OPUS, Values { mid: Some(mid("7")), ..Values::default() }, "unknown_ssrc"),
        (OPUS, Values { mid: Some(mid("1")), ..Values::default() }, "wrong_kind"),
        (1, Values::default(), "unknown_payload_type"),
    ];
    for (seq, (pt, values, reason)) in lies.into_iter().enumerate() {
        let before = world.dropped(reason);
        let packet = rtp(70_000, pt, seq as u16, values, &map);
        world.send(1, |p| p.send_raw(&packet));
        world.run(ms(20));
        assert!(world.dropped(reason) > before, "{reason}");
    }
}

#[test]
fn video_on_the_source_of_audio_is_refused() {
    let mut world = two();
    let map = world.peers[&1].media.extensions;
    let (ssrc, pt) = (world.peer(1).audio().ssrc.0, world.peers[&1].media.codecs[1].pt.0);
    let packet = rtp(ssrc, pt, 9, Values::default(), &map);
    // Its own sequence number would end up in the audio stream's numbering.
    world.peer(1).audio().running = false;
    world.run(ms(50));
    world.send(1, |p| p.send_raw(&packet));
    world.run(ms(20));
    assert_eq!(world.dropped("wrong_kind"), 1);
}

#[test]
fn a_nack_for_everything_is_bounded_and_nobody_else_notices() {
    let mut world = two();
    let ssrc = world.peer(2).slot("v0");
    let out_before = world.router.stats().retransmissions;
    for _ in 0..50 {
        let all = Nack::new(Ssrc(1), ssrc, (0..=u16::MAX).take(20_000).map(SeqNo));
        let nonsense = Nack::new(Ssrc(1), Ssrc(4), [SeqNo(1)]);
        world.send(2, |p| p.send_rtcp(&[Packet::Nack(all.clone()), Packet::Nack(nonsense)]));
        world.run(ms(2));
    }
    let resent = world.router.stats().retransmissions - out_before;
    assert!(resent < 400, "{resent}");
    assert!(world.dropped("nack_unknown") > 0 && world.dropped("feedback_unknown_ssrc") >= 40);
    assert!(world.dropped("nack_repeated") > 0);
    let before = world.peers[&1].got.len();
    world.run(ms(500));
    assert!(world.peers[&1].got.len() > before + 40);
}

#[test]
fn reports_with_absurd_numbers_change_nothing() {
    let mut world = two();
    world.run(ms(2000));
    let ssrc = world.peer(2).slot("v0");
    for last_sr in [1, 0x8000_0000, u32::MAX] {
        let block = ReceptionReport {
            ssrc,
            fraction_lost: 255,
            total_lost: -(1 << 23),
            highest_seq: u32::MAX,
            jitter: u32::MAX,
            last_sr,
            delay_since_last_sr: u32::MAX,
        };
        let report = ReceiverReport { ssrc: Ssrc(1), reports: vec![block; 31] };
        world.send(2, |p| p.send_rtcp(&[Packet::ReceiverReport(report)]));
    }
    world.run(ms(50));
    let stats = world.router.peer_stats(PeerId(2)).unwrap();
    assert_eq!(stats.rtt, None, "no round trip of minutes is believed");
    assert_eq!(stats.slots[1].lost, -(1 << 23));
    let before = world.peers[&2].got.len();
    world.run(ms(500));
    assert!(world.peers[&2].got.len() > before + 40);
}

#[test]
fn noise_after_authentication_hurts_nobody() {
    let mut world = two();
    let mut state = 99u64;
    let mut noise = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    let vp8 = world.peers[&1].media.codecs[1].pt.0;
    for i in 0..2000u32 {
        let mut packet: Vec<u8> = (0..12 + noise() as usize).map(|_| noise()).collect();
        packet[0] = 0x80 | (packet[0] & 0x3f);
        packet[1] = [OPUS, vp8, vp8 + 1, packet[1] & 0x3f][i as usize % 4];
        let ssrc = [1010, 1020, 1021, 77_777][noise() as usize % 4];
        packet[8..12].copy_from_slice(&u32::to_be_bytes(ssrc));
        world.send(1, |p| p.send_raw(&packet));
        if i % 20 == 0 {
            world.run(ms(1));
        }
    }
    world.run(ms(3000));
    // The other direction never noticed.
    let audio = world.peers[&1].on("a0");
    let gaps = audio.windows(2).filter(|p| p[1].header.seq != p[0].header.seq.plus(1)).count();
    assert_eq!(gaps, 0);
    assert!(world.now - audio.last().unwrap().at < ms(100));
}
