//! Whatever arrives, nothing panics and nobody's session ends.

mod world;

use proptest::prelude::*;
use std::cell::RefCell;
use std::time::Duration;
use transport::{DtlsConfig, DtlsVersion, Transmit, stun_ufrag};
use world::{CLIENT, Dice, SERVER, World, address};

/// A first byte that names a protocol, or any.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        Just(0u8),
        Just(1),
        Just(20),
        Just(21),
        Just(22),
        Just(23),
        Just(0x80),
        Just(0x2f),
        any::<u8>()
    ];
    let second = prop_oneof![Just(1u8), Just(0xfe), Just(200), Just(96), any::<u8>()];
    (first, second, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(first, second, rest)| {
        let mut bytes = vec![first, second];
        bytes.extend(rest);
        bytes
    })
}

/// A DTLS record (RFC 6347 section 4.1) around a handshake message that says what it is, with made-up contents.
fn record() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(any::<u8>(), 0..120);
    (20u8..27, 0u16..3, 0u64..20, 0u8..25, 0u16..6, body).prop_map(
        |(content, epoch, number, kind, message, body)| {
            let mut handshake = vec![kind];
            let len = (body.len() as u32).to_be_bytes();
            handshake.extend(&len[1..]);
            handshake.extend(message.to_be_bytes());
            handshake.extend([0, 0, 0]);
            handshake.extend(&len[1..]);
            handshake.extend(body);
            let mut record = vec![content, 0xfe, 0xfd];
            record.extend(epoch.to_be_bytes());
            record.extend(&number.to_be_bytes()[2..]);
            record.extend((handshake.len() as u16).to_be_bytes());
            record.extend(handshake);
            record
        },
    )
}

fn from_peer(side: usize, bytes: Vec<u8>) -> Transmit {
    let (server, client) = (address("10.0.0.1:3478"), address("10.0.0.2:5000"));
    let (from, to) = if side == SERVER { (client, server) } else { (server, client) };
    Transmit { from, to, bytes }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_before_and_while_connecting(
        datagrams in proptest::collection::vec(prop_oneof![datagram(), record()], 1..30),
        checked: bool,
        version in prop_oneof![Just(DtlsVersion::V12), Just(DtlsVersion::V13), Just(DtlsVersion::Auto)],
        server_is_client: bool,
    ) {
        let dtls = DtlsConfig { version, active_if_free: server_is_client, ..DtlsConfig::default() };
        let mut world = World::new(dtls, DtlsConfig { active_if_free: false, ..dtls });
        if checked {
            // The forger's datagrams come from an address that passed a check: the peer's own.
            world.run(Duration::from_millis(12), |_| false);
        }
        for bytes in datagrams {
            for side in [SERVER, CLIENT] {
                let mut transmit = from_peer(side, bytes.clone());
                if !checked {
                    transmit.from = address("203.0.113.9:9");
                }
                let _ = world.deliver(side, transmit);
            }
        }
        prop_assert!(!world.ends[SERVER].is_closed() && !world.ends[CLIENT].is_closed(), "{:?}", world.events);
        if !checked {
            prop_assert!(world.connect() < Duration::from_secs(1));
        }
    }

    #[test]
    fn stun_ufrag_never_panics(bytes in datagram()) {
        let _ = stun_ufrag(&bytes);
    }
}

thread_local! {
    /// Two calls that all cases of the test below attack.
    static CALLS: RefCell<[(World, u16); 2]> = RefCell::new([DtlsVersion::V12, DtlsVersion::V13].map(|version| {
        let dtls = DtlsConfig { version, ..DtlsConfig::default() };
        let mut world = World::new(dtls, dtls);
        world.connect();
        (world, 0)
    }));
}

proptest! {
    #[test]
    fn garbage_into_a_call(bytes in prop_oneof![datagram(), record()]) {
        CALLS.with_borrow_mut(|calls| {
            for (world, seq) in calls {
                for side in [SERVER, CLIENT] {
                    let outcome = world.deliver(side, from_peer(side, bytes.clone()));
                    // DTLS that is dropped silently is `Handled`; nothing else may pass for authentic.
                    prop_assert!(outcome.is_err() || (20..=63).contains(&bytes[0]), "{:?}", bytes);
                }
                *seq = seq.wrapping_add(1);
                prop_assert!(world.say(SERVER, 1, *seq) && world.say(CLIENT, 2, *seq));
                prop_assert!(!world.ends[SERVER].is_closed() && !world.ends[CLIENT].is_closed(), "{:?}", world.events);
            }
            Ok(())
        })?;
    }
}

/// Alerts are in the clear until the keys are there: a forged goodbye must not be believed.
#[test]
fn a_forged_goodbye_in_the_handshake_is_not_believed() {
    for version in [DtlsVersion::V12, DtlsVersion::V13, DtlsVersion::Auto] {
        for level in [0, 1, 2] {
            let dtls = DtlsConfig { version, ..DtlsConfig::default() };
            let mut world = World::new(dtls, dtls);
            world.run(Duration::from_millis(12), |_| false);
            let goodbye = vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, level, 0];
            let _ = world.deliver(SERVER, from_peer(SERVER, goodbye));
            world.connect();
        }
    }
}

/// Real datagrams, each sometimes damaged in a few places, are what parsers fear most.
#[test]
fn damaged_handshakes_never_panic_and_many_still_connect() {
    let mut connected = 0;
    for seed in 0..150 {
        let mut world = World::new(DtlsConfig::default(), DtlsConfig::default());
        world.dice = Dice(seed);
        let mut dice = Dice(seed ^ 0xabcd);
        world.damage = Some(Box::new(move |bytes: &mut Vec<u8>| {
            if dice.roll() < 0.2 {
                for _ in 0..1 + (dice.roll() * 3.0) as usize {
                    let at = (dice.roll() * bytes.len() as f64) as usize;
                    bytes[at] ^= 1 << (dice.roll() * 8.0) as u32;
                }
            }
        }));
        let both = |world: &World| world.ends.iter().all(transport::Transport::is_connected);
        connected += usize::from(world.run(Duration::from_secs(5), both));
    }
    println!("{connected} of 150 connected in 5 s with every fifth datagram damaged");
    // A handshake message that is damaged and still parses spoils the transcript, which DTLS cannot repair.
    assert!(connected >= 50, "{connected}");
}
