//! Scenarios as data: steps with descriptions, networks by preset, one seed. A failure prints the line that replays it.

use crate::ledger::Flow;
use crate::native::Native;
use crate::world::{PersonId, SERVER, World};
use client_core::Config;
use netem::{LinkConfig, Preset, Random};
use packet::media::MediaKind;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::Certificate;

pub struct Scenario {
    /// Also the name of its test.
    pub name: &'static str,
    pub seed: u64,
    pub steps: Vec<Step>,
}

pub struct Step {
    pub says: String,
    pub does: Do,
}

#[derive(Clone, Copy, Debug)]
pub enum Do {
    /// One click on Join, by our own client.
    Join {
        who: &'static str,
        over: Network,
    },
    JoinRoom {
        who: &'static str,
        room: &'static str,
        over: Network,
    },
    /// Looks at the lobby, where the server gets ready for them.
    Look {
        who: &'static str,
        over: Network,
    },
    /// A click on Join, by whoever looks at the lobby.
    Enter {
        who: &'static str,
    },
    /// `p0`, `p1`, ... at the same moment.
    JoinAtOnce {
        count: usize,
        over: Network,
    },
    /// A click on Leave.
    Leave {
        who: &'static str,
    },
    /// No goodbye, nothing sent or received any more.
    Vanish {
        who: &'static str,
    },
    /// Another public address.
    Move {
        who: &'static str,
    },
    /// New ICE credentials on both sides.
    RestartIce {
        who: &'static str,
    },
    ChangeNetwork {
        who: &'static str,
        to: Network,
    },
    /// So many datagrams that no client would send, from strangers and with the addresses of those present, one a millisecond.
    Attack {
        datagrams: u32,
    },
    /// Somebody joins or leaves at random every `every_ms`, between one and `most` people being there.
    Churn {
        rounds: u32,
        every_ms: u64,
        most: usize,
    },
    Run {
        ms: u64,
    },
    Check(Check),
}

#[derive(Clone, Copy, Debug)]
pub enum Network {
    /// 10 ms there and back, nothing lost.
    Near,
    /// By its id.
    Preset(&'static str),
    /// Held back packets are overtaken: share and milliseconds.
    Reordering(f64, u64),
}

/// What a user would notice, about everybody present.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// After both clicked on Join, each heard and saw each other within these milliseconds.
    Met { audio_ms: u64, frame_ms: u64 },
    /// Of what was sent in the last `last_ms` (the newest 500 ms aside), at least these shares arrived within 400 ms.
    Arrives { last_ms: u64, audio_percent: f64, frames_percent: f64 },
    /// In the first second of each flow no sound was older than this when it arrived: what is old is not worth hearing.
    BeginsFresh { audio_ms: u64 },
    /// In the last `last_ms` no flow stood still for longer. Sound is noticed when it is decoded, which moves by up to two frames
    /// when its delay is stretched; nobody hears that.
    NoGap { last_ms: u64, audio_ms: u64, frame_ms: u64 },
    /// Everybody was told that this person left, and nothing of theirs came in the last second.
    Gone { who: &'static str },
    /// The server is ready for this person, who looks at the lobby; they are no participant, and nothing came of them or to them.
    Unseen { who: &'static str },
    /// Nothing came from anybody in another room.
    Strangers,
    /// So many are there.
    Present { people: usize },
    /// The server forgot everybody who is not there.
    NothingLeftBehind,
    /// No frame was damaged, shown as somebody else's, or delivered twice.
    NothingWrong,
}

/// A deadline in a conversation: later pictures and sounds are of no use.
const DEADLINE: Duration = Duration::from_millis(400);
/// Frames sent in this last part of a window may still be on their way.
const MARGIN: Duration = Duration::from_millis(500);

/// The room of everybody for whom the script names no other.
pub const ROOM: &str = "room";

pub fn step(says: &str, does: Do) -> Step {
    Step { says: says.to_owned(), does }
}

impl Scenario {
    /// Panics with the step that failed and the line that replays it. Returns the world as it was at the end.
    pub fn run(&self) -> World {
        let seed = std::env::var("SAMPAN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(self.seed);
        let mut world = World::new(seed);
        let mut chance = Random::for_purpose(seed, 1);
        for (number, step) in self.steps.iter().enumerate() {
            if let Err(why) = perform(&mut world, &mut chance, step.does) {
                // What the server decided and asked for, moment by moment.
                if std::env::var_os("SAMPAN_EXPLAIN").is_some() {
                    world
                        .log()
                        .lines()
                        .filter(|line| !line.contains(" gets "))
                        .for_each(|line| println!("{line}"));
                }
                let Self { name, .. } = self;
                panic!(
                    "{name}, step {} ({}): {why}\nreplay: SAMPAN_SEED={seed} cargo test -p tests --test scenarios {name} -- --exact\n",
                    number + 1,
                    step.says,
                );
            }
        }
        world
    }
}

fn perform(world: &mut World, chance: &mut Random, does: Do) -> Result<(), String> {
    match does {
        Do::Join { who, over } => {
            join_native(world, (who, ROOM), over, chance.next_u64());
        }
        Do::JoinRoom { who, room, over } => {
            join_native(world, (who, room), over, chance.next_u64());
        }
        Do::Look { who, over } => {
            join_with(world, (who, ROOM), over, chance.next_u64(), |config| config.lobby = true);
        }
        Do::Enter { who } => world.enter(find(world, who)?),
        Do::JoinAtOnce { count, over } => {
            for number in 0..count {
                join_native(world, (&format!("p{number}"), ROOM), over, chance.next_u64());
            }
        }
        Do::Leave { who } => world.leave(find(world, who)?),
        Do::Vanish { who } => world.vanish(find(world, who)?),
        Do::Move { who } => world.move_to_new_address(find(world, who)?),
        Do::RestartIce { who } => world.restart_ice(find(world, who)?),
        Do::ChangeNetwork { who, to } => {
            let (up, down) = links(to, chance.next_u64());
            world.change_network(find(world, who)?, up, down);
        }
        Do::Attack { datagrams } => attack(world, chance, datagrams),
        Do::Churn { rounds, every_ms, most } => {
            for round in 0..rounds {
                let present = world.present();
                let joins = present.len() <= 1 || (present.len() < most && chance.chance(0.5));
                if joins {
                    join_native(world, (&format!("c{round}"), ROOM), Network::Near, chance.next_u64());
                } else {
                    world.leave(present[chance.below(present.len() as u64) as usize]);
                }
                world.run_for(Duration::from_millis(every_ms));
            }
        }
        Do::Run { ms } => world.run_for(Duration::from_millis(ms)),
        Do::Check(check) => return examine(world, check),
    }
    Ok(())
}

fn find(world: &World, who: &str) -> Result<PersonId, String> {
    world.find(who).ok_or_else(|| format!("the script names `{who}`, who never came"))
}

/// Our own client, as `(name, room)`.
pub fn join_native(world: &mut World, who: (&str, &str), over: Network, seed: u64) -> PersonId {
    join_with(world, who, over, seed, |_| {})
}

fn join_with(
    world: &mut World,
    (name, room): (&str, &str),
    over: Network,
    seed: u64,
    change: impl FnOnce(&mut Config),
) -> PersonId {
    world.join((name, room), links(over, seed), |home, now, clock, seed| {
        let certificate = Arc::new(Certificate::generate().expect("a certificate"));
        let mut config = Config::new(room, name, certificate, vec![home], clock, seed);
        change(&mut config);
        Box::new(Native::new(config, now))
    })
}

/// Up and down.
pub fn links(network: Network, seed: u64) -> (LinkConfig, LinkConfig) {
    match network {
        Network::Near => (netem::preset::far_leg(), netem::preset::far_leg()),
        Network::Preset(id) => {
            let preset = Preset::by_id(id).unwrap_or_else(|| panic!("no preset `{id}`"));
            (preset.link(seed), preset.link(seed ^ 1))
        }
        Network::Reordering(share, held_back_ms) => {
            let reorder = netem::Reorder { share, held_back: Duration::from_millis(held_back_ms) };
            let link = LinkConfig { reorder: Some(reorder), ..netem::preset::far_leg() };
            (link.clone(), link)
        }
    }
}

/// Datagrams of every protocol that are short, long, cut, or only look right at first sight.
fn attack(world: &mut World, chance: &mut Random, datagrams: u32) {
    for _ in 0..datagrams {
        let present = world.present();
        let stranger = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, chance.below(250) as u8)), 1024);
        let from = match chance.below(present.len() as u64 * 2 + 1) as usize {
            known if known < present.len() => world.public_address(present[known]),
            same if same == present.len() * 2 => SERVER,
            _ => stranger,
        };
        let mut datagram = hostile(chance);
        world.inject(from, &mut datagram);
        world.run_for(Duration::from_millis(1));
    }
}

fn hostile(chance: &mut Random) -> Vec<u8> {
    let length = match chance.below(4) {
        0 => chance.below(24),
        1 => chance.below(200),
        _ => chance.below(1500),
    };
    let mut datagram: Vec<u8> = (0..length).map(|_| chance.next_u64() as u8).collect();
    let heads: [&[u8]; 8] = [
        // A Binding request whose length does not fit; one with the cookie and attributes of noise.
        &[0, 1, 0xff, 0xff, 0x21, 0x12, 0xa4, 0x42],
        &[0, 1, 0, 60, 0x21, 0x12, 0xa4, 0x42],
        // DTLS 1.2: handshake, application data, an alert.
        &[22, 0xfe, 0xfd, 0, 0],
        &[23, 0xfe, 0xfd, 0, 1],
        &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40],
        // RTP with an extension and CSRCs, with padding; RTCP.
        &[0x9f, 111],
        &[0xb0, 96],
        &[0x81, 205, 0, 3],
    ];
    let head = heads[chance.below(heads.len() as u64) as usize];
    let head = &head[..head.len().min(datagram.len())];
    if chance.chance(0.9) {
        datagram[..head.len()].copy_from_slice(head);
    }
    datagram
}

fn examine(world: &World, check: Check) -> Result<(), String> {
    let mut wrong = String::new();
    let now = world.now();
    let present = world.present();
    let back = |ms: u64| now - Duration::from_millis(ms);
    match check {
        Check::Met { audio_ms, frame_ms } => {
            for (flow, limit_ms, since) in flows(world, &present, audio_ms, frame_ms) {
                let first = world.ledger.first(flow, since);
                match first.map(|at| at - since) {
                    Some(took) if took <= Duration::from_millis(limit_ms) => {}
                    took => complain(
                        &mut wrong,
                        world,
                        flow,
                        format!("first after {took:?}, {limit_ms} ms allowed"),
                    ),
                }
            }
        }
        Check::Arrives { last_ms, audio_percent, frames_percent } => {
            for (flow, ..) in flows(world, &present, 0, 0) {
                let wanted = if flow.kind == MediaKind::Audio { audio_percent } else { frames_percent };
                let share = world.ledger.share(flow, back(last_ms), now - MARGIN, DEADLINE);
                match share.map(|share| share * 100.0) {
                    Some(percent) if percent >= wanted => {}
                    percent => {
                        complain(&mut wrong, world, flow, format!("{percent:?} % in time, {wanted} % wanted"))
                    }
                }
            }
        }
        Check::BeginsFresh { audio_ms } => {
            for (flow, _, since) in flows(world, &present, 0, 0) {
                let Some(first) = world.ledger.first(flow, since).filter(|_| flow.kind == MediaKind::Audio)
                else {
                    continue;
                };
                let late =
                    world.ledger.latest(flow, first, first + Duration::from_secs(1)).unwrap_or_default();
                if late > Duration::from_millis(audio_ms) {
                    complain(&mut wrong, world, flow, format!("begins {late:?} late, {audio_ms} ms allowed"));
                }
            }
        }
        Check::NoGap { last_ms, audio_ms, frame_ms } => {
            for (flow, limit_ms, _) in flows(world, &present, audio_ms, frame_ms) {
                let gap = world.ledger.longest_gap(flow, back(last_ms), now);
                if gap > Duration::from_millis(limit_ms) {
                    complain(&mut wrong, world, flow, format!("nothing for {gap:?}, {limit_ms} ms allowed"));
                }
            }
        }
        Check::Gone { who } => {
            let gone = find(world, who)?;
            for listener in &present {
                if !world.knows_left(*listener, gone) {
                    let _ = writeln!(wrong, "{} was not told", world.name(*listener));
                }
                for kind in [MediaKind::Audio, MediaKind::Video] {
                    let flow = World::flow(*listener, gone, kind);
                    if world.ledger.last(flow).is_some_and(|at| at >= back(1000)) {
                        complain(&mut wrong, world, flow, "still comes".to_owned());
                    }
                }
            }
        }
        Check::Unseen { who } => {
            let looks = find(world, who)?;
            let stats = world.sessions.stats();
            if (stats.held, stats.participants) != (1, present.len() - 1) {
                let _ = writeln!(wrong, "{} held, {} participants", stats.held, stats.participants);
            }
            if world.router.stats().connected != present.len() {
                let _ = writeln!(wrong, "the media path is not up");
            }
            for &other in present.iter().filter(|other| **other != looks) {
                for (receiver, sender) in [(looks, other), (other, looks)] {
                    for kind in [MediaKind::Audio, MediaKind::Video] {
                        let flow = World::flow(receiver, sender, kind);
                        if world.ledger.last(flow).is_some() {
                            complain(&mut wrong, world, flow, "came through the door".to_owned());
                        }
                    }
                }
            }
        }
        Check::Strangers => {
            for &receiver in &present {
                for &sender in present.iter().filter(|sender| world.room(**sender) != world.room(receiver)) {
                    for kind in [MediaKind::Audio, MediaKind::Video] {
                        let flow = World::flow(receiver, sender, kind);
                        if world.ledger.last(flow).is_some() {
                            complain(&mut wrong, world, flow, "came from another room".to_owned());
                        }
                    }
                }
            }
        }
        Check::Present { people } => {
            if present.len() != people {
                let names: Vec<&str> = present.iter().map(|who| world.name(*who)).collect();
                let _ = writeln!(wrong, "{} are there, {people} wanted: {names:?}", present.len());
            }
        }
        Check::NothingLeftBehind => {
            let (sessions, router) = (world.sessions.stats(), world.router.stats());
            let counts = [sessions.connections, sessions.participants, router.peers, router.connected];
            if counts != [present.len(); 4] {
                let _ = writeln!(
                    wrong,
                    "{} are there; connections, participants, peers, connected: {counts:?}",
                    present.len()
                );
            }
            let rooms = present.iter().map(|who| world.room(*who)).collect::<BTreeSet<_>>().len();
            if [sessions.rooms, router.rooms] != [rooms; 2] {
                let _ = writeln!(wrong, "{} rooms, the router has {}", sessions.rooms, router.rooms);
            }
        }
        Check::NothingWrong => {
            if world.ledger.wrong > 0 {
                let _ = writeln!(wrong, "{} frames were damaged or somebody else's", world.ledger.wrong);
            }
            for (flow, ..) in flows(world, &present, 0, 0) {
                let repeated = world.ledger.repeated(flow);
                if repeated > 0 {
                    complain(&mut wrong, world, flow, format!("{repeated} frames came twice"));
                }
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    if let Some(who) = present.first() {
        let _ = writeln!(wrong, "{}", world.describe(*who));
    }
    let _ = writeln!(wrong, "{:#?}", world.router.stats());
    Err(format!("{check:?}\n{wrong}"))
}

/// Every direction between two who are in one room, with its limit and the later of the two joins.
fn flows(world: &World, present: &[PersonId], audio_ms: u64, frame_ms: u64) -> Vec<(Flow, u64, Instant)> {
    let mut flows = Vec::new();
    for &receiver in present {
        let together =
            |sender: &&PersonId| **sender != receiver && world.room(**sender) == world.room(receiver);
        for &sender in present.iter().filter(together) {
            let since = world.joined_at(receiver).max(world.joined_at(sender));
            flows.push((World::flow(receiver, sender, MediaKind::Audio), audio_ms, since));
            flows.push((World::flow(receiver, sender, MediaKind::Video), frame_ms, since));
        }
    }
    flows
}

fn complain(wrong: &mut String, world: &World, flow: Flow, what: String) {
    // Twenty people have 760 flows; the first few say enough.
    if wrong.lines().count() < 12 {
        let name = |number: u16| world.name(PersonId(number.into()));
        let _ =
            writeln!(wrong, "{:?} of {} at {}: {what}", flow.kind, name(flow.sender), name(flow.receiver));
    }
}
