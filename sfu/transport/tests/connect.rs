//! Connecting: roles, versions, loss, and who is let in.

mod world;

use std::sync::Arc;
use std::time::Duration;
use transport::{
    Certificate, CloseReason, DtlsConfig, DtlsSetup, DtlsVersion, Event, IceMode, Profile, Stages, Transport,
    TransportError,
};
use world::{CLIENT, SERVER, World, config, description, origin};

fn dtls(version: DtlsVersion, active_if_free: bool) -> DtlsConfig {
    DtlsConfig { version, active_if_free, ..DtlsConfig::default() }
}

fn stages(world: &World) -> Stages {
    let connected = |event: &Event| match event {
        Event::Connected(stages) => Some(*stages),
        _ => None,
    };
    world.events[SERVER].iter().find_map(|(_, event)| connected(event)).unwrap()
}

#[test]
fn a_client_and_a_server_connect_and_media_flows_both_ways() {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    let connected = world.connect();
    // The server says hello on the first check; the client has its keys two round trips after that began.
    assert_eq!(connected, Duration::from_millis(40));
    for seq in 0..10 {
        assert!(world.say(SERVER, 1, seq));
        assert!(world.say(CLIENT, 2, seq));
    }
    let stages = stages(&world);
    assert_eq!((stages.profile, stages.version), (Profile::AeadAes256Gcm, DtlsVersion::V13));
    assert!(stages.ice <= stages.dtls && stages.dtls <= connected);
    assert_eq!(world.drops[SERVER].len() + world.drops[CLIENT].len(), 0, "{:?}", world.drops);
    assert!(matches!(world.events[SERVER][0].1, Event::IceConnected { .. }));
}

#[test]
fn who_checks_the_path_knows_its_round_trip() {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.connect();
    assert_eq!(world.ends[CLIENT].take_round_trip(), Some(Duration::from_millis(20)));
    assert_eq!(world.ends[CLIENT].take_round_trip(), None, "once");
    // Half of the checks are lost, or their answers; what is measured is always one check and its own answer.
    world.loss = 0.5;
    let mut measured = 0;
    for _ in 0..60 {
        world.run(Duration::from_secs(1), |_| false);
        if let Some(round_trip) = world.ends[CLIENT].take_round_trip() {
            assert_eq!(round_trip, Duration::from_millis(20));
            measured += 1;
        }
    }
    assert!((8..50).contains(&measured), "{measured} of 60 checks");
    assert_eq!(world.ends[SERVER].take_round_trip(), None, "it only answers");
}

#[test]
fn every_role_and_version_connects() {
    use DtlsVersion::{Auto, V12, V13};
    for server_is_client in [false, true] {
        for (server, client) in
            [(V12, V12), (V13, V13), (Auto, V12), (Auto, V13), (V12, Auto), (V13, Auto), (Auto, Auto)]
        {
            let mut world = World::new(dtls(server, server_is_client), dtls(client, false));
            let connected = world.connect();
            assert!(
                world.say(SERVER, 1, 1) && world.say(CLIENT, 2, 1),
                "{server:?} {client:?} {server_is_client}"
            );
            assert_eq!(stages(&world).profile, Profile::AeadAes256Gcm);
            println!("server {server:?} (client role {server_is_client}), client {client:?}: {connected:?}");
        }
    }
}

#[test]
fn loss_delays_but_does_not_prevent() {
    for version in [DtlsVersion::V12, DtlsVersion::V13] {
        let mut times: Vec<Duration> = (0..60)
            .map(|seed| {
                let mut world = World::new(dtls(version, false), dtls(version, false));
                world.loss = 0.3;
                world.dice = world::Dice(seed);
                let connected = world.connect();
                if connected > Duration::from_secs(1) {
                    println!("{seed} {:?}\n{:?}\n{:?}", world.events, world.sent, world.drops);
                }
                connected
            })
            .collect();
        times.sort_unstable();
        println!(
            "{version:?} at 30 % loss, 20 ms round trip: p50 {:?} p95 {:?} max {:?}",
            times[30], times[57], times[59]
        );
        assert!(times[30] < Duration::from_millis(400), "{version:?} {times:?}");
        assert!(times[59] < Duration::from_secs(3), "{version:?} {times:?}");
    }
}

#[test]
fn a_link_that_dies_for_ten_seconds_anywhere_in_the_handshake_still_connects() {
    for (version, server_is_client) in [
        (DtlsVersion::V12, false),
        (DtlsVersion::V12, true),
        (DtlsVersion::V13, false),
        (DtlsVersion::Auto, true),
    ] {
        for at_ms in [5, 15, 25, 35, 45, 55] {
            let config = dtls(version, server_is_client);
            let mut world = World::new(config, config);
            world.run(Duration::from_millis(at_ms), |_| false);
            world.cut = true;
            world.run(Duration::from_secs(10), |_| false);
            world.cut = false;
            let connected = world.connect();
            assert!(
                connected < Duration::from_secs(12),
                "{connected:?} {version:?} {server_is_client} {at_ms}"
            );
            assert!(world.say(SERVER, 1, 1) && world.say(CLIENT, 1, 1));
        }
    }
}

#[test]
fn checks_go_on_at_one_pace_until_there_is_an_answer_or_consent_is_gone() {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.cut = true;
    world.run(Duration::from_secs(20), |_| false);
    let checks = world.sent[CLIENT].len();
    assert!((350..=420).contains(&checks), "{checks} checks in 20 s at 50 ms");
    world.cut = false;
    assert!(world.connect() < Duration::from_millis(20_300), "{:?}", world.events);

    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    world.cut = true;
    world.run(Duration::from_secs(40), |_| false);
    assert_eq!(world.closed(CLIENT), Some(CloseReason::ConsentExpired));
    assert_eq!(world.closed(SERVER), Some(CloseReason::ConsentExpired));
    let silent_since = world.sent[CLIENT].last().unwrap().0;
    assert!(silent_since <= Duration::from_secs(30), "{silent_since:?}");
}

#[test]
fn flights_are_repeated_at_a_fixed_pace() {
    let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
    // The client answers, but is never heard.
    world.run(Duration::from_millis(15), |_| false);
    world.cut = true;
    let before = world.sent[SERVER].len();
    world.run(Duration::from_secs(1), |_| false);
    let flights = world.sent[SERVER][before..].iter().filter(|(_, len)| *len > 110).count();
    assert!((18..=22).contains(&flights), "{flights} hellos in a second at 50 ms");
}

#[test]
fn the_last_flight_is_repeated_until_the_client_uses_the_keys() {
    let sizes_after_keys = |world: &mut World| {
        world.run(Duration::from_secs(5), |world| world.ends[SERVER].is_connected());
        let before = world.sent[SERVER].len();
        world.run(Duration::from_secs(3), |_| false);
        world.sent[SERVER][before..].iter().filter(|(_, len)| *len == 75).count()
    };
    let server_12 = dtls(DtlsVersion::V12, false);
    let mut silent = World::new(server_12, server_12);
    assert_eq!(sizes_after_keys(&mut silent), 20, "one second's worth");

    let mut talking = World::new(server_12, server_12);
    talking.connect();
    assert!(talking.say(CLIENT, 2, 1));
    let before = talking.sent[SERVER].len();
    talking.run(Duration::from_secs(1), |_| false);
    assert!(talking.sent[SERVER][before..].iter().all(|(_, len)| *len != 75));
}

#[test]
fn a_client_may_offer_every_profile() {
    for version in [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto] {
        let everything = DtlsConfig { offer_gcm_only: false, ..dtls(version, false) };
        let mut world = World::new(dtls(DtlsVersion::Auto, false), everything);
        world.connect();
        assert!(world.say(SERVER, 1, 1) && world.say(CLIENT, 2, 1));
    }
}

#[test]
fn the_wrong_certificate_ends_the_session_at_either_end() {
    for liar in [SERVER, CLIENT] {
        let mut configs = [config(SERVER, DtlsConfig::default()), config(CLIENT, DtlsConfig::default())];
        let announced = configs[liar].clone();
        configs[liar].certificate = Arc::new(Certificate::generate().unwrap());
        let now = origin();
        let [server, client] = configs;
        let mut world = World::with(server, client, DtlsConfig::default().setup());
        // The victim was told another certificate than the liar will show.
        let told =
            description(&announced, if liar == SERVER { DtlsSetup::Active } else { DtlsSetup::Passive });
        world.ends[1 - liar] = Transport::new(world.configs[1 - liar].clone(), Some(told), now).unwrap();
        world.now = now;
        world.run(Duration::from_secs(2), |world| world.closed(1 - liar).is_some());
        assert_eq!(world.closed(1 - liar), Some(CloseReason::FingerprintMismatch));
        assert!(!world.ends[1 - liar].is_connected());
    }
}

#[test]
fn a_peer_that_never_shakes_hands_is_given_up() {
    let mut world = World::new(dtls(DtlsVersion::V12, false), dtls(DtlsVersion::V12, false));
    // Both ends wait for the other's hello.
    let told = description(&world.configs[SERVER], DtlsSetup::Active);
    world.ends[CLIENT] = Transport::new(world.configs[CLIENT].clone(), Some(told), world.now).unwrap();
    world.run(Duration::from_secs(40), |world| world.closed(SERVER).is_some());
    assert_eq!(world.closed(SERVER), Some(CloseReason::HandshakeTimeout));
}

#[test]
fn the_same_run_sends_the_same_sizes_at_the_same_times() {
    let certificates = [Certificate::generate().unwrap(), Certificate::generate().unwrap()].map(Arc::new);
    let run = || {
        let mut configs = [config(SERVER, DtlsConfig::default()), config(CLIENT, DtlsConfig::default())];
        for (config, certificate) in configs.iter_mut().zip(&certificates) {
            config.certificate = certificate.clone();
        }
        let [server, client] = configs;
        let mut world = World::with(server, client, DtlsConfig::default().setup());
        world.loss = 0.2;
        world.connect();
        world.run(Duration::from_secs(20), |_| false);
        world.sent
    };
    let first = run();
    assert!(first[SERVER].len() > 5);
    for _ in 0..5 {
        assert_eq!(run(), first);
    }
}

#[test]
fn certificates_have_one_size() {
    let sizes: Vec<_> = (0..200).map(|_| Certificate::generate().unwrap().der().len()).collect();
    assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "{sizes:?}");
}

#[test]
fn a_full_agent_without_addresses_is_refused() {
    let mut config = config(CLIENT, DtlsConfig::default());
    config.ice = IceMode::Full { tie_breaker: 1 };
    config.local_addresses.clear();
    assert_eq!(Transport::new(config, None, origin()).err(), Some(TransportError::NoLocalAddress));
}
