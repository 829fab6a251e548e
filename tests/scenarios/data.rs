//! Data channels from a native client through the whole server.

use client_core::{Config, Event};
use packet::data::Channel;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tests::World;
use tests::native::Native;
use tests::script::{Network, links};
use tests::world::PersonId;
use transport::Certificate;

type Heard = Rc<RefCell<Vec<(String, Channel, u32)>>>;

fn join(world: &mut World, name: &str, data: bool) -> (PersonId, Heard) {
    let heard = Heard::default();
    let keeps = heard.clone();
    let certificate = Arc::new(Certificate::generate().unwrap());
    let who = world.join((name, "room"), links(Network::Preset("S1"), 9), |home, now, clock, seed| {
        let config = Config { data, ..Config::new("room", name, certificate, vec![home], clock, seed) };
        let watch = move |_, event: &Event| {
            if let Event::Data { participant, channel, payload } = event {
                let number = u32::from_be_bytes(payload[..].try_into().unwrap());
                keeps.borrow_mut().push((participant.clone(), *channel, number));
            }
        };
        Box::new(Native::watched(config, now, watch))
    });
    (who, heard)
}

#[test]
fn native_clients_say_things_over_a_tenth_of_loss_and_whoever_takes_no_data_goes_on_without() {
    let mut world = World::new(21);
    let (ada, _) = join(&mut world, "ada", true);
    let (_, bob_heard) = join(&mut world, "bob", true);
    let (cem, cem_heard) = join(&mut world, "cem", false);
    world.run_for(Duration::from_secs(4));
    for number in 0..300u32 {
        for channel in Channel::ALL {
            let payload = number.to_be_bytes();
            assert!(world.with_participant(ada, |who, now| who.send_data(now, channel, &payload)));
        }
        world.run_for(Duration::from_millis(20));
    }
    world.run_for(Duration::from_secs(8));
    let numbers = |channel| -> Vec<u32> {
        bob_heard.borrow().iter().filter(|(_, on, _)| *on == channel).map(|(_, _, number)| *number).collect()
    };
    assert_eq!(numbers(Channel::Reliable), (0..300).collect::<Vec<_>>());
    let lossy = numbers(Channel::Lossy).len();
    assert!((200..290).contains(&lossy), "{lossy} of 300 over two ways");
    assert_eq!(*cem_heard.borrow(), []);
    assert_eq!(world.ended(cem), None);
    assert!(world.connected_at(cem).is_some());
}
