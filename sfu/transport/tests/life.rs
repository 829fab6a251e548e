//! A connected session: moving, restarting, falling silent, saying goodbye.

mod world;

use std::time::Duration;
use transport::{CloseReason, DtlsConfig, DtlsSetup, Event, ProtectError, Transmit, TransportError};
use world::{CLIENT, SERVER, World, address, credentials, description, rtp};

fn connected() -> World {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.connect();
    world
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Both ends say something; the sequence number moves on.
fn talks(world: &mut World, seq: u16) -> bool {
    world.say(SERVER, 1, seq) && world.say(CLIENT, 2, seq)
}

#[test]
fn a_quiet_call_is_kept_alive_for_minutes() {
    let mut world = connected();
    world.loss = 0.3;
    let ended = world.run(seconds(300), |world| world.closed(SERVER).or(world.closed(CLIENT)).is_some());
    assert!(!ended, "{:?}", world.events);
    world.loss = 0.0;
    assert!(talks(&mut world, 1));
    // Keepalives, not a storm: one check a second.
    assert!(world.sent[CLIENT].len() < 500, "{}", world.sent[CLIENT].len());
}

#[test]
fn half_loss_each_way_does_not_end_a_call_of_minutes() {
    let mut world = connected();
    world.loss = 0.5;
    let ended = world.run(seconds(600), |world| world.closed(SERVER).or(world.closed(CLIENT)).is_some());
    assert!(!ended, "{:?}", world.events);
}

#[test]
fn eighty_percent_loss_each_way_does_not_end_a_call_of_minutes() {
    let mut world = connected();
    world.loss = 0.8;
    let ended = world.run(seconds(180), |world| world.closed(SERVER).or(world.closed(CLIENT)).is_some());
    assert!(!ended, "{:?}", world.events);
}

#[test]
fn consent_expires_at_both_ends_thirty_seconds_after_the_last_check() {
    let mut world = connected();
    world.run(seconds(10), |_| false);
    world.cut = true;
    let cut_at = world.elapsed();
    world.run(seconds(60), |world| world.closed(SERVER).is_some() && world.closed(CLIENT).is_some());
    for side in [SERVER, CLIENT] {
        assert_eq!(world.closed(side), Some(CloseReason::ConsentExpired));
        let (at, _) = world.events[side].last().unwrap();
        let after = *at - cut_at;
        assert!((seconds(27)..=seconds(31)).contains(&after), "{side}: {after:?}");
        let mut buffer = [0x80; 80];
        assert_eq!(world.ends[side].protect_rtp(&mut buffer, 40), Err(ProtectError::Frozen));
    }
}

#[test]
fn an_outage_shorter_than_consent_is_survived() {
    let mut world = connected();
    assert!(talks(&mut world, 1));
    world.cut = true;
    world.run(seconds(25), |_| false);
    world.cut = false;
    world.run(seconds(6), |_| false);
    assert!(world.closed(SERVER).is_none() && world.closed(CLIENT).is_none(), "{:?}", world.events);
    assert!(talks(&mut world, 2));
    world.run(seconds(60), |_| false);
    assert!(talks(&mut world, 3));
}

#[test]
fn a_nat_that_forgets_its_binding_is_followed() {
    let mut world = connected();
    world.nat = Some(address("192.0.2.1:1111"));
    assert!(world.say(CLIENT, 2, 1), "media from a new address is authentic media");
    // Until the next check the server cannot know.
    world.run(seconds(4), |_| false);
    assert_eq!(world.ends[SERVER].remote_address(), Some(address("192.0.2.1:1111")));
    assert!(talks(&mut world, 2));
    let moved =
        world.events[SERVER].iter().filter(|(_, event)| matches!(event, Event::PathChanged { .. })).count();
    assert_eq!(moved, 1);
    // And again, to another port.
    world.nat = Some(address("192.0.2.1:2222"));
    world.run(seconds(10), |_| false);
    assert!(talks(&mut world, 3));
    world.run(seconds(120), |_| false);
    assert!(talks(&mut world, 4));
}

#[test]
fn a_client_that_changes_its_network_keeps_the_call() {
    let mut world = connected();
    assert!(talks(&mut world, 1));
    let mobile = address("100.64.0.9:7000");
    world.configs[CLIENT].local_addresses = vec![mobile];
    let now = world.now;
    world.ends[CLIENT].set_local_addresses(now, &[mobile]);
    let moved = world.run(seconds(2), |world| world.ends[SERVER].remote_address() == Some(mobile));
    assert!(moved, "{:?}", world.events);
    assert_eq!(world.ends[CLIENT].local_address(), Some(mobile));
    assert!(talks(&mut world, 2));
    world.run(seconds(60), |_| false);
    assert!(talks(&mut world, 3));
    // Back to where it was.
    let wifi = address("10.0.0.2:5000");
    world.configs[CLIENT].local_addresses = vec![wifi];
    let now = world.now;
    world.ends[CLIENT].set_local_addresses(now, &[wifi]);
    assert!(
        world.run(seconds(2), |world| world.ends[SERVER].remote_address() == Some(wifi)),
        "{:?}",
        world.events
    );
    assert!(talks(&mut world, 4));
}

#[test]
fn an_ice_restart_keeps_the_call() {
    let mut world = connected();
    assert!(talks(&mut world, 1));
    for round in 0..3u16 {
        let (now, new_client, new_server) =
            (world.now, credentials(&format!("cl{round}")), credentials(&format!("sv{round}")));
        // The client offers new credentials; media goes on meanwhile.
        world.ends[CLIENT].restart_ice(now, new_client.clone(), None).unwrap();
        world.configs[CLIENT].local = new_client;
        world.run(Duration::from_millis(300), |_| false);
        assert!(talks(&mut world, 10 * round + 2));
        let offer = description(&world.configs[CLIENT], DtlsSetup::ActPass);
        let now = world.now;
        world.ends[SERVER].restart_ice(now, new_server.clone(), Some(offer)).unwrap();
        world.configs[SERVER].local = new_server.clone();
        world.run(Duration::from_millis(300), |_| false);
        assert!(talks(&mut world, 10 * round + 3));
        let answer = description(&world.configs[SERVER], DtlsSetup::Passive);
        let now = world.now;
        world.ends[CLIENT].set_remote(now, answer).unwrap();
        world.run(seconds(40), |_| false);
        assert!(talks(&mut world, 10 * round + 4), "{:?} {:?}", world.events, world.drops);
        assert!(world.ends[SERVER].accepts(&new_server.ufrag));
        assert!(!world.ends[SERVER].accepts("srvr"));
    }
    let connections =
        world.events[SERVER].iter().filter(|(_, event)| matches!(event, Event::Connected(_))).count();
    assert_eq!(connections, 1, "the keys stay");
}

#[test]
fn a_restart_cannot_bring_another_certificate() {
    let mut world = connected();
    let mut offer = description(&world.configs[CLIENT], DtlsSetup::ActPass);
    offer.fingerprint.0[0] ^= 1;
    let now = world.now;
    let result = world.ends[SERVER].restart_ice(now, credentials("new"), Some(offer));
    assert_eq!(result, Err(TransportError::FingerprintChanged));
    assert!(talks(&mut world, 1));
}

#[test]
fn goodbye_reaches_the_other_end() {
    for leaver in [SERVER, CLIENT] {
        let mut world = connected();
        let now = world.now;
        world.ends[leaver].close(now);
        world.run(seconds(1), |_| false);
        assert_eq!(world.closed(leaver), Some(CloseReason::Local));
        assert_eq!(world.closed(1 - leaver), Some(CloseReason::PeerClosed));
        assert!(world.ends[1 - leaver].is_closed());
    }
}

#[test]
fn damaged_and_repeated_media_is_counted_and_the_call_goes_on() {
    let mut world = connected();
    let (from, to) = (address("10.0.0.2:5000"), address("10.0.0.1:3478"));
    let plain = rtp(2, 1);
    let mut bytes = plain.clone();
    bytes.resize(plain.len() + 16, 0);
    world.ends[CLIENT].protect_rtp(&mut bytes, plain.len()).unwrap();
    let mut damaged = bytes.clone();
    damaged[20] ^= 4;
    for (bytes, outcome) in
        [(damaged, Some("srtp_bad_tag")), (bytes.clone(), None), (bytes, Some("srtp_replayed"))]
    {
        let result = world.deliver(SERVER, Transmit { from, to, bytes });
        assert_eq!(result.err().map(|reason| reason.name()), outcome);
    }
    assert!(talks(&mut world, 2));
}
