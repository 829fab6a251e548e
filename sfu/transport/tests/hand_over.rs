//! A call goes on in a new object: after a planned freeze, and after a crash.

mod world;

use packet::{ExtSeq, SeqNo, Ssrc};
use std::collections::BTreeSet;
use std::time::Duration;
use transport::{DropReason, DtlsConfig, ProtectError, Session, Transport};
use world::{CLIENT, SERVER, World, address, rtp};

fn connected() -> World {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.connect();
    world
}

/// What the new process gets: bytes.
fn through_bytes(session: &Session) -> Session {
    Session::from_bytes(&session.to_bytes()).unwrap()
}

fn replace(world: &mut World, side: usize, session: &Session, after_crash: bool) {
    let config = world.configs[side].clone();
    world.ends[side] = Transport::import(config, through_bytes(session), after_crash, world.now).unwrap();
}

#[test]
fn a_frozen_session_goes_on_without_a_jump() {
    for side in [SERVER, CLIENT] {
        let mut world = connected();
        for seq in 65_530..=65_535 {
            assert!(world.say(side, 1, seq) && world.say(1 - side, 2, seq));
        }
        assert!(world.say(side, 1, 0) && world.say(1 - side, 2, 0));
        let session = world.ends[side].freeze().unwrap();
        let mut buffer = [0x80; 80];
        assert_eq!(world.ends[side].protect_rtp(&mut buffer, 40), Err(ProtectError::Frozen));
        let mut media = rtp(2, 1);
        let (to, from) = (address("10.0.0.1:3478"), address("10.0.0.2:5000"));
        let refused = world.ends[side].handle_datagram(world.now, to, from, &mut media);
        assert_eq!(refused, Err(DropReason::SessionClosed));
        replace(&mut world, side, &session, false);
        assert_eq!(world.ends[side].next_index(Ssrc(1)), Some(ExtSeq(65_537)));
        assert!(world.say(side, 1, 1), "the rollover counter came along");
        assert!(world.say(1 - side, 2, 1), "the other direction's too");
        // The address and consent came along as well: the call lives on for minutes.
        world.run(Duration::from_secs(120), |_| false);
        assert!(world.say(side, 1, 2) && world.say(1 - side, 2, 2), "{:?} {:?}", world.events, world.drops);
        assert!(!world.ends[SERVER].is_closed() && !world.ends[CLIENT].is_closed());
    }
}

#[test]
fn replays_are_still_known_after_a_hand_over() {
    let mut world = connected();
    let plain = rtp(2, 7);
    let mut packet = plain.clone();
    packet.resize(plain.len() + 16, 0);
    world.ends[CLIENT].protect_rtp(&mut packet, plain.len()).unwrap();
    let (to, from) = (address("10.0.0.1:3478"), address("10.0.0.2:5000"));
    let now = world.now;
    world.ends[SERVER].handle_datagram(now, to, from, &mut packet.clone()).unwrap();
    let session = world.ends[SERVER].freeze().unwrap();
    replace(&mut world, SERVER, &session, false);
    let again = world.ends[SERVER].handle_datagram(now, to, from, &mut packet);
    assert_eq!(again, Err(DropReason::SrtpReplayed));
}

#[test]
fn after_a_crash_no_index_is_used_twice_and_the_receiver_follows() {
    let mut world = connected();
    world.ends[SERVER].reserve(Ssrc(1), SeqNo(60_000)).unwrap();
    let mut stored = world.ends[SERVER].export().unwrap();
    let mut used = BTreeSet::new();
    // Each life sends until somewhere between two snapshots and dies without a word.
    for life in [3000, 9000, 100, 17_000, 20_000] {
        for sent in 0..life {
            if world.ends[SERVER].export_due() && sent % 100 == 0 {
                stored = world.ends[SERVER].export().unwrap();
                world.ends[SERVER].snapshot_stored();
            }
            let index = world.ends[SERVER].next_index(Ssrc(1)).unwrap();
            assert!(used.insert(index), "{index:?} twice");
            assert!(world.say(SERVER, 1, index.seq().0), "{index:?}: {:?}", world.drops);
        }
        let last = *used.last().unwrap();
        replace(&mut world, SERVER, &stored, true);
        let next = world.ends[SERVER].next_index(Ssrc(1)).unwrap();
        assert!(next > last && next.0 - last.0 < 1 << 15, "{last:?} to {next:?}");
        let mut buffer = rtp(1, next.seq().0);
        buffer.resize(80, 0);
        assert_eq!(
            world.ends[SERVER].protect_rtp(&mut buffer, 52),
            Err(ProtectError::Ceiling),
            "first the new state is stored, then something is sent"
        );
        assert!(world.ends[SERVER].export_due());
        stored = world.ends[SERVER].export().unwrap();
        world.ends[SERVER].snapshot_stored();
    }
    world.run(Duration::from_secs(60), |_| false);
    assert!(world.say(CLIENT, 2, 1));
}

#[test]
fn there_is_nothing_to_export_before_the_keys() {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    assert!(world.ends[SERVER].export().is_none() && world.ends[SERVER].freeze().is_none());
    assert!(!world.ends[SERVER].export_due());
    world.connect();
    assert!(!world.ends[SERVER].export_due(), "nobody stores snapshots");
}
