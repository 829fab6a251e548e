//! Random life in rooms, checked after every step against a model that is too simple to be wrong: it knows who is where
//! and what they publish, and believes about slots only what the outputs say.
//!
//! A failure prints its seed; `SEED=... cargo test -p rooms` runs that one alone.

use std::collections::{BTreeMap, BTreeSet};

use rooms::{
    Event, Grants, Happening, Introduction, Join, JoinError, Limits, MediaKind, Mid, MoveError, Output,
    PeerId, Place, Rooms, Share, SlotPair, Source, Track, UpdateError, main_name,
};

const STEPS: u32 = 400;
const SEEDS: u64 = 10;
const ROOMS_MAX: usize = 5;
const GROUPS: [&str; 2] = ["one", "two"];
const PEOPLE_MAX: usize = 6;
const SLOTS_MAX: usize = 8;

#[derive(Default)]
struct Model {
    people: BTreeMap<PeerId, Person>,
    next: u64,
    /// Step at which each active share began.
    began: BTreeMap<(PeerId, Share), u32>,
    /// Who goes on under which id since the last step.
    renewed: Option<(PeerId, PeerId)>,
    /// How many are in each open room, as far as one who watches knows.
    inside: BTreeMap<String, usize>,
}

struct Person {
    room: String,
    tracks: Vec<Track>,
    slots: Vec<SlotPair>,
    /// What the forwarder was told, by m-line.
    bound: BTreeMap<Mid, (PeerId, Mid)>,
    /// What the client was told, by slot.
    seen: BTreeMap<SlotPair, (PeerId, Share)>,
    /// Whom the client believes to be there.
    others: BTreeMap<PeerId, Vec<Track>>,
    wanted: usize,
    /// Whose connection it believes to be lost.
    away: BTreeSet<PeerId>,
}

/// splitmix64: any seed is a good one.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}

fn mid(number: usize) -> Mid {
    Mid::new(&number.to_string()).unwrap()
}

/// Pairs after the four m-lines that a client sends on.
fn pairs(count: usize) -> Vec<SlotPair> {
    (0..count).map(|i| SlotPair { audio: mid(4 + 2 * i), video: mid(5 + 2 * i) }).collect()
}

fn tracks(random: &mut Random) -> Vec<Track> {
    let all = [Source::Microphone, Source::Camera, Source::Screen, Source::ScreenAudio];
    let mut tracks = Vec::new();
    for (index, source) in all.into_iter().enumerate() {
        if !random.chance(3) {
            tracks.push(Track {
                mid: mid(index),
                source,
                muted: random.chance(2),
                active: random.chance(2),
                encrypted: false,
            });
        }
    }
    tracks
}

fn is_active(tracks: &[Track], share: Share) -> bool {
    tracks.iter().any(|t| t.active && t.source.share() == share)
}

fn source(tracks: &[Track], share: Share, kind: MediaKind) -> Option<Mid> {
    let carries = |t: &&Track| t.active && t.source.share() == share && t.source.kind() == kind;
    tracks.iter().find(carries).map(|t| t.mid)
}

impl Model {
    fn others_in_room(&self, peer: PeerId) -> impl Iterator<Item = (PeerId, &Person)> {
        let room = &self.people[&peer].room;
        self.people.iter().filter(move |(id, p)| **id != peer && p.room == *room).map(|(id, p)| (*id, p))
    }

    /// Rooms that are there: a room with groups is while somebody is in one.
    fn names(&self) -> BTreeSet<&str> {
        self.people.values().flat_map(|p| [p.room.as_str(), main_name(&p.room)]).collect()
    }

    fn update_began(&mut self, step: u32) {
        let mut active = BTreeSet::new();
        for (id, person) in &self.people {
            for share in [Share::Person, Share::Screen] {
                if is_active(&person.tracks, share) {
                    active.insert((*id, share));
                }
            }
        }
        self.began.retain(|share, _| active.contains(share));
        for share in active {
            self.began.entry(share).or_insert(step);
        }
    }

    /// Believes what the core says.
    fn take(&mut self, rooms: &mut Rooms) {
        while let Some(output) = rooms.poll_output() {
            match output {
                Output::Bind { subscriber, slot, source } => {
                    let person =
                        self.people.get_mut(&subscriber).expect("a bind is for somebody who is there");
                    let before = match source {
                        Some(source) => person.bound.insert(slot, source),
                        None => person.bound.remove(&slot),
                    };
                    assert_ne!(before, source, "a bind that changes nothing");
                }
                Output::Deliver { to, event } => self.deliver(to, event),
                Output::Move { peer, room } => {
                    assert_eq!(rooms.room_name(room), Some(self.people[&peer].room.as_str()));
                }
                Output::Happened { room, happening } => self.watch(room, &happening),
            }
        }
    }

    /// What is told to whoever watches from outside is a whole story of its own.
    fn watch(&mut self, room: String, happening: &Happening) {
        match happening {
            Happening::Opened => assert!(self.inside.insert(room, 0).is_none(), "opened twice"),
            Happening::Closed => assert_eq!(self.inside.remove(&room), Some(0), "closed around somebody"),
            Happening::Joined { .. } => *self.inside.get_mut(&room).expect("an open room") += 1,
            Happening::Left { .. } => *self.inside.get_mut(&room).expect("an open room") -= 1,
            // Of a room while everybody is in its groups, too.
            Happening::GroupsChanged { .. } => assert!(self.inside.contains_key(&room)),
            _ => assert!(self.inside[&room] > 0, "in a room that nobody is in: {happening:?}"),
        }
    }

    /// Who is where, as those are told who moderate, here everybody.
    fn check_places(&self, to: PeerId, places: &[Place]) {
        let main = main_name(&self.people[&to].room);
        for Place { group, people } in places {
            let name = group.as_ref().map_or(main.to_owned(), |group| format!("{main}\u{1f}{group}"));
            let told: BTreeSet<_> = people.iter().map(|(peer, ..)| *peer).collect();
            let there = self.people.iter().filter(|(_, p)| p.room == name).map(|(id, _)| *id);
            assert_eq!(told, there.collect(), "in {name}");
        }
        assert_eq!(places.len(), GROUPS.len() + 1);
    }

    fn deliver(&mut self, to: PeerId, event: Event) {
        if let Event::Groups(places) = &event {
            return self.check_places(to, places);
        }
        let person = self.people.get_mut(&to).expect("an event is for somebody who is there");
        match event {
            Event::Joined(Introduction { peer, tracks, is_connected, .. }) => {
                if !is_connected {
                    person.away.insert(peer);
                }
                assert!(person.others.insert(peer, tracks).is_none(), "joined twice");
            }
            Event::Left { peer } => {
                person.away.remove(&peer);
                assert!(person.others.remove(&peer).is_some(), "left without being there")
            }
            Event::TrackChanged { peer, track } => {
                let tracks = person.others.get_mut(&peer).expect("a track of somebody who is there");
                assert!(!tracks.contains(&track), "a change that changes nothing");
                tracks.retain(|t| t.mid != track.mid);
                tracks.push(track);
            }
            Event::Bound(bindings) => {
                assert!(!bindings.is_empty());
                for binding in bindings {
                    match binding.peer {
                        Some(peer) => {
                            assert!(person.others.contains_key(&peer), "bound to somebody unknown");
                            person.seen.insert(binding.slot, (peer, binding.share));
                        }
                        None => {
                            let before = person.seen.remove(&binding.slot);
                            assert_eq!(before.map(|b| b.1), Some(binding.share), "freed what was not taken");
                        }
                    }
                }
            }
            Event::Presence { peer, is_connected } => {
                let known = person.others.contains_key(&peer);
                assert!(known, "of somebody who is there");
                assert_ne!(person.away.contains(&peer), !is_connected, "a change that changes nothing");
                match is_connected {
                    true => person.away.remove(&peer),
                    false => person.away.insert(peer),
                };
            }
            Event::Stopped { .. } | Event::RoomChanged(_) => panic!("nobody moderates here"),
            Event::Granted { .. } | Event::RoleChanged { .. } => panic!("nobody's grants change here"),
            Event::Attribute { .. } => panic!("nobody has attributes here"),
            Event::Moved { others, bindings, .. } => {
                person.away = others.iter().filter(|o| !o.is_connected).map(|o| o.peer).collect();
                person.others = others.into_iter().map(|o| (o.peer, o.tracks)).collect();
                person.seen =
                    bindings.into_iter().map(|b| (b.slot, (b.peer.expect("bound"), b.share))).collect();
            }
            Event::Waiting(_) | Event::Groups(_) => panic!("nobody waits here"),
            Event::NeedSlots { wanted } => {
                assert!(wanted > person.slots.len() && wanted > person.wanted && wanted <= SLOTS_MAX);
                person.wanted = wanted;
            }
        }
    }

    /// What must be true between any two steps. `before`: the slots as they were.
    fn check(&self, rooms: &Rooms, before: &BTreeMap<PeerId, BTreeMap<SlotPair, (PeerId, Share)>>) {
        assert_eq!(rooms.stats().participants, self.people.len());
        assert_eq!(rooms.stats().rooms, self.names().len());
        for (id, person) in &self.people {
            // Everybody knows exactly who is there and what they publish, as far as it is active.
            let others: BTreeSet<_> = self.others_in_room(*id).map(|(id, _)| id).collect();
            assert_eq!(person.others.keys().copied().collect::<BTreeSet<_>>(), others);
            for (other, known) in &person.others {
                let active = |tracks: &[Track]| {
                    let mut active: Vec<_> = tracks.iter().filter(|t| t.active).copied().collect();
                    active.sort_by_key(|t| t.mid);
                    active
                };
                assert_eq!(active(known), active(&self.people[other].tracks));
            }
            // Slots hold active shares of others, each once; nobody waits while a slot is free.
            let shares: BTreeSet<_> =
                self.began.keys().filter(|(owner, _)| others.contains(owner)).copied().collect();
            let seated: BTreeSet<_> = person.seen.values().copied().collect();
            assert_eq!(seated.len(), person.seen.len(), "one share in two slots");
            assert!(seated.is_subset(&shares), "a slot holds what is not there");
            assert_eq!(
                seated.len(),
                shares.len().min(person.slots.len()),
                "a slot is free and somebody waits"
            );
            // Whoever had a slot and still shares keeps it; those who got one were not overtaken by a later share.
            for (slot, share) in before.get(id).into_iter().flatten() {
                if shares.contains(share) {
                    assert_eq!(person.seen.get(slot), Some(share), "moved");
                }
            }
            let was_seated: BTreeSet<_> =
                before.get(id).into_iter().flatten().map(|(_, share)| *share).collect();
            let newly = seated.difference(&was_seated).map(|s| self.began[s]).max();
            let waiting = shares.difference(&seated).map(|s| self.began[s]).min();
            assert!(newly.zip(waiting).is_none_or(|(newly, waiting)| newly <= waiting), "overtaken");
            // The forwarder sends what the client was told, and nothing else.
            let mut expected = BTreeMap::new();
            for (slot, (owner, share)) in &person.seen {
                let tracks = &self.people[owner].tracks;
                let lines = [(slot.audio, MediaKind::Audio), (slot.video, MediaKind::Video)];
                for (line, kind) in lines {
                    if let Some(source) = source(tracks, *share, kind) {
                        expected.insert(line, (*owner, source));
                    }
                }
            }
            assert_eq!(person.bound, expected);
            let known = rooms.participant(*id).unwrap();
            assert!(person.slots.iter().all(|s| known.source(s.video) == expected.get(&s.video).copied()));
            // One slot stays spare, or more were asked for.
            let is_short = !person.slots.is_empty() && person.slots.len() <= shares.len() + 1;
            assert!(
                !is_short || person.slots.len() == SLOTS_MAX || person.wanted > person.slots.len(),
                "not asked"
            );
        }
    }

    fn step(&mut self, rooms: &mut Rooms, random: &mut Random, step: u32) {
        let ids: Vec<_> = self.people.keys().copied().collect();
        match random.below(16) {
            10 => {
                let Some(peer) = random.pick(&ids) else { return };
                rooms.set_connected(peer, random.chance(2));
            }
            11 => self.renew(rooms, random),
            13..=15 => self.shift(rooms, random),
            0..=2 => self.join(rooms, random),
            3 => {
                let Some(peer) = random.pick(&ids) else { return };
                self.people.remove(&peer);
                assert!(rooms.leave(peer));
                assert!(!rooms.leave(peer), "left twice");
            }
            4..=7 => {
                let Some(peer) = random.pick(&ids) else { return };
                let person = self.people.get_mut(&peer).unwrap();
                let Some(mut track) = random.pick(&person.tracks) else { return };
                if random.chance(4) {
                    track.muted = !track.muted;
                } else {
                    track.active = !track.active;
                }
                person.tracks.iter_mut().filter(|t| t.mid == track.mid).for_each(|t| *t = track);
                rooms.set_track(peer, track).unwrap();
            }
            _ => {
                let Some(peer) = random.pick(&ids) else { return };
                let person = self.people.get_mut(&peer).unwrap();
                let count = (person.slots.len() + random.below(4)).min(SLOTS_MAX);
                if random.chance(5) && !person.slots.is_empty() {
                    let fewer = pairs(person.slots.len() - 1);
                    let refused = rooms.update(peer, person.tracks.clone(), &fewer);
                    assert!(matches!(refused, Err(UpdateError::Slots(_))), "slots never go away");
                    return;
                }
                let wished = tracks(random);
                // What is no longer named is as if not active.
                let gone = person.tracks.iter().filter(|t| !wished.iter().any(|w| w.mid == t.mid));
                let gone: Vec<_> = gone.map(|t| Track { active: false, ..*t }).collect();
                rooms.update(peer, wished.clone(), &pairs(count)).unwrap();
                person.tracks = wished.into_iter().chain(gone).collect();
                person.slots = pairs(count);
            }
        }
        self.update_began(step);
    }

    /// Somebody is moved to a group, or out of it.
    fn shift(&mut self, rooms: &mut Rooms, random: &mut Random) {
        let ids: Vec<_> = self.people.keys().copied().collect();
        let Some(peer) = random.pick(&ids) else { return };
        let main = main_name(&self.people[&peer].room).to_owned();
        let id = rooms.find(&main).expect("the room of a group is there");
        rooms.set_groups(id, &GROUPS.map(str::to_owned)).unwrap();
        let group = random.pick(&[None, Some(GROUPS[0]), Some(GROUPS[1])]).flatten();
        let target = group.map_or(main.clone(), |group| format!("{main}\u{1f}{group}"));
        let is_full = !self.names().contains(target.as_str()) && self.names().len() >= ROOMS_MAX;
        let moved = rooms.move_to(peer, group);
        assert_eq!(moved, if is_full { Err(MoveError::TooManyRooms(ROOMS_MAX)) } else { Ok(()) });
        let person = self.people.get_mut(&peer).unwrap();
        if !is_full && person.room != target {
            person.room = target;
            // What is shared begins anew there.
            self.began.retain(|(owner, _), _| *owner != peer);
        }
    }

    /// Somebody goes on with other m-lines under another id.
    fn renew(&mut self, rooms: &mut Rooms, random: &mut Random) {
        let ids: Vec<_> = self.people.keys().copied().collect();
        let Some(old) = random.pick(&ids) else { return };
        let new = PeerId(self.next);
        self.next += 1;
        let (tracks, slots) = (tracks(random), pairs(random.below(SLOTS_MAX) + 1));
        rooms.renew(old, new, tracks.clone(), &slots).unwrap();
        assert_eq!(rooms.renew(old, new, tracks.clone(), &slots), Err(UpdateError::NotJoined));
        let mut person = self.people.remove(&old).unwrap();
        let gone = person.tracks.iter().filter(|t| !tracks.iter().any(|w| w.mid == t.mid));
        let gone: Vec<_> = gone.map(|t| Track { active: false, ..*t }).collect();
        person.tracks = tracks.into_iter().chain(gone).collect();
        (person.slots, person.wanted) = (slots, 0);
        person.bound.clear();
        let bindings = rooms.participant(new).unwrap().bindings();
        person.seen = bindings.map(|b| (b.slot, (b.peer.unwrap(), b.share))).collect();
        self.people.insert(new, person);
        let renamed = |peer: PeerId| if peer == old { new } else { peer };
        for person in self.people.values_mut() {
            person.others =
                std::mem::take(&mut person.others).into_iter().map(|(p, t)| (renamed(p), t)).collect();
            person.away = std::mem::take(&mut person.away).into_iter().map(renamed).collect();
            person.seen.values_mut().for_each(|(owner, _)| *owner = renamed(*owner));
        }
        self.began =
            std::mem::take(&mut self.began).into_iter().map(|((p, s), at)| ((renamed(p), s), at)).collect();
        self.renewed = Some((old, new));
    }

    fn join(&mut self, rooms: &mut Rooms, random: &mut Random) {
        let peer = PeerId(self.next);
        let room = format!("room {}", random.below(ROOMS_MAX + 1));
        let slots = if random.chance(8) { Vec::new() } else { pairs(random.below(SLOTS_MAX) + 1) };
        let join = Join {
            room: room.clone(),
            name: format!("n{}", peer.0),
            tracks: tracks(random),
            slots,
            identity: None,
            grants: Grants::ALL,
            role: None,
            must_wait: false,
        };
        let here = self.people.values().filter(|p| main_name(&p.room) == room).count();
        let expected = match here {
            0 if self.names().len() >= ROOMS_MAX => Err(JoinError::TooManyRooms(ROOMS_MAX)),
            PEOPLE_MAX => Err(JoinError::RoomFull(PEOPLE_MAX)),
            _ => Ok(()),
        };
        let told = rooms.check_join(peer, &join);
        let got = rooms.join(peer, join.clone());
        assert_eq!(told, got, "checked and done differ");
        assert_eq!(got.clone().map(drop), expected);
        let Ok(id) = got else { return };
        self.next += 1;
        assert_eq!(rooms.join(peer, join.clone()), Err(JoinError::Twice));
        let others = rooms.participants(id).filter(|p| p.peer() != peer);
        let away = rooms.participants(id).filter(|p| !p.is_connected()).map(|p| p.peer()).collect();
        let others = others.map(|p| (p.peer(), p.tracks().to_vec())).collect();
        let bindings = rooms.participant(peer).unwrap().bindings();
        let seen = bindings.map(|b| (b.slot, (b.peer.unwrap(), b.share))).collect();
        let Join { tracks, slots, .. } = join;
        let person = Person { room, tracks, slots, bound: BTreeMap::new(), seen, others, wanted: 0, away };
        self.people.insert(peer, person);
    }
}

fn run(seed: u64) {
    let limits = Limits {
        rooms: ROOMS_MAX,
        participants_per_room: PEOPLE_MAX,
        slots_per_participant: SLOTS_MAX,
        ..Limits::default()
    };
    let mut rooms = Rooms::new(limits);
    let mut model = Model::default();
    let mut random = Random(seed);
    for step in 0..STEPS {
        let mut before: BTreeMap<_, _> = model.people.iter().map(|(id, p)| (*id, p.seen.clone())).collect();
        model.step(&mut rooms, &mut random, step);
        if let Some((old, new)) = model.renewed.take() {
            // Its own slots are new ones; everybody else keeps it where it was.
            before.remove(&old);
            let seats = before.values_mut().flat_map(|seen| seen.values_mut());
            seats.filter(|(owner, _)| *owner == old).for_each(|(owner, _)| *owner = new);
        }
        model.take(&mut rooms);
        model.check(&rooms, &before);
    }
    assert!(model.next > 20, "hardly anybody came");
}

#[test]
fn random_life_agrees_with_the_model() {
    let chosen = std::env::var("SEED").ok().map(|s| s.parse().expect("SEED is a number"));
    let seeds = chosen.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        if std::panic::catch_unwind(|| run(seed)).is_err() {
            panic!("replay with: SEED={seed} cargo test -p rooms");
        }
    }
}
