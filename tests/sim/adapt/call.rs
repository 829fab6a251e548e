//! A call to look at: people with layered cameras on good networks, and viewers whose network is the scenario's.

use crate::ledger::Flow;
use crate::meter::Meter;
use crate::native::Native;
use crate::picture::Picture;
use crate::script::ROOM;
use crate::world::{PersonId, World};
use client_core::Config;
use netem::{Bitrate, Capacity, LinkConfig, QueueLimit, Random};
use packet::media::MediaKind;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::Certificate;

pub struct Call {
    pub world: World,
    pub cameras: Vec<PersonId>,
    pub viewers: Vec<PersonId>,
    seeds: Random,
    /// When the world began.
    pub began: Instant,
    explains: bool,
}

const EXPLAINED_EVERY: Duration = Duration::from_millis(100);

impl Call {
    /// So many cameras on good networks, there since two seconds.
    pub fn new(seed: u64, cameras: usize) -> Self {
        let mut call = Self::empty(seed);
        for number in 0..cameras {
            let near = netem::preset::far_leg();
            call.camera(&format!("camera{number}"), (near.clone(), near), |_| {});
        }
        call.run(2.0);
        call
    }

    pub fn empty(seed: u64) -> Self {
        let world = World::new(seed);
        let began = world.now();
        Self {
            world,
            cameras: Vec::new(),
            viewers: Vec::new(),
            seeds: Random::for_purpose(seed, 77),
            began,
            explains: std::env::var_os("SAMPAN_EXPLAIN").is_some(),
        }
    }

    /// Somebody with a layered camera and a microphone, over these links (up, down).
    pub fn camera(
        &mut self,
        name: &str,
        links: (LinkConfig, LinkConfig),
        adjust: impl FnOnce(&mut Config),
    ) -> PersonId {
        let who = self.join(name, links, |config| {
            config.publish.iter_mut().for_each(|publish| publish.layers = 3);
            adjust(config);
        });
        self.cameras.push(who);
        who
    }

    /// Somebody with a microphone who watches everybody.
    pub fn viewer(&mut self, name: &str, links: (LinkConfig, LinkConfig)) -> PersonId {
        let who = self.join(name, links, |config| {
            config.publish.retain(|publish| publish.kind() == wire::Kind::Audio);
        });
        self.viewers.push(who);
        who
    }

    /// Everybody makes their own certificate, unless a crowd comes.
    fn join(
        &mut self,
        name: &str,
        links: (LinkConfig, LinkConfig),
        adjust: impl FnOnce(&mut Config),
    ) -> PersonId {
        self.world.join((name, ROOM), links, |home, now, clock, seed| {
            let certificate = Arc::new(Certificate::generate().expect("a certificate"));
            let mut config = Config::new(ROOM, name, certificate, vec![home], clock, seed);
            adjust(&mut config);
            Box::new(Native::new(config, now))
        })
    }

    pub fn run(&mut self, seconds: f64) {
        let until = self.now() + Duration::from_secs_f64(seconds);
        while self.explains && self.now() + EXPLAINED_EVERY <= until {
            self.world.run_for(EXPLAINED_EVERY);
            self.explain();
            self.explain_cameras();
        }
        self.world.run_for(until - self.now());
    }

    /// One line for each camera: what it makes of the feedback, what that says, and what became of what it sent.
    fn explain_cameras(&mut self) {
        for who in self.cameras.clone() {
            let Some(peer) = self.world.router.owner(self.world.public_address(who)) else { continue };
            let Some(stats) = self.world.router.peer_stats(peer) else { continue };
            let up = stats.uplink;
            let own = self.world.explain(who);
            let meter = &self.world.leg(who).up_meter;
            let (from, now) = (self.now() - EXPLAINED_EVERY, self.now());
            let line = format!(
                "sends by {own}; feedback: {} {:?}, lost {:.2}, queue {} ms; wire {:.0} dropped {:.2} waits {:.0} ms",
                up.losses,
                up.limit.map(packet::Bitrate::as_kbps),
                up.lost,
                up.queue.as_millis(),
                meter.offered_kbps(from, now),
                meter.dropped_share(from, now),
                meter.waited_ms(from, now, 1.0),
            );
            self.world.tell(who, &line);
        }
    }

    /// One line for each viewer: what its link is taken to carry, why, and what it is sent.
    fn explain(&mut self) {
        for who in self.viewers.clone() {
            let Some(peer) = self.world.router.owner(self.world.public_address(who)) else { continue };
            let Some(stats) = self.world.router.peer_stats(peer) else { continue };
            let down = &stats.downlink;
            let mut line = format!(
                "{:5} kb/s {} {} acked {:?} queue {} ms, pacer {} ms, loss {:.2}/{:.2} limit {:?}, rtt {:?}, repair {} of {}, probes {}, wanted {};",
                down.estimate.as_kbps(),
                down.source,
                down.usage,
                down.acknowledged.map(packet::Bitrate::as_kbps),
                down.network_queue.as_millis(),
                down.pacer_queue.as_millis(),
                down.loss,
                down.inherent_loss,
                down.loss_limit.map(packet::Bitrate::as_kbps),
                stats.rtt.map(|rtt| rtt.as_millis()),
                down.repair.as_kbps(),
                down.repair_max.as_kbps(),
                down.probes,
                stats.wanted.as_kbps(),
            );
            for slot in
                stats.slots.iter().filter(|slot| slot.kind == MediaKind::Video && slot.source.is_some())
            {
                let sent = slot.sent.map_or_else(|| "-".to_owned(), |sent| sent.to_string());
                line += &format!(" [{} as {sent}, {} kb/s]", slot.choice, slot.bitrate.as_kbps());
            }
            let meter = self.down(who);
            let (from, now) = (self.now() - EXPLAINED_EVERY, self.now());
            line += &format!(
                " wire {:.0} of {:.0} waits {:.0} ms",
                meter.offered_kbps(from, now),
                self.world.leg(who).down.could_pass(from, now, Bitrate::kbps(100_000)) as f64 * 0.08,
                meter.waited_ms(from, now, 1.0)
            );
            let sound = World::flow(who, self.cameras[0], MediaKind::Audio);
            let latest = self.world.ledger.latest(sound, from, now);
            line +=
                &format!(" sound {:?} ms; {}", latest.map(|late| late.as_millis()), self.world.explain(who));
            self.world.tell(who, &line);
        }
    }

    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// Between the given numbers, by chance of the seed.
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.seeds.share()
    }

    /// Of the first camera.
    pub fn picture(&self, viewer: PersonId, from: Instant, to: Instant) -> Picture {
        Picture::of(&self.world.ledger, self.flow(viewer), from, to)
    }

    pub fn flow(&self, viewer: PersonId) -> Flow {
        World::flow(viewer, self.cameras[0], MediaKind::Video)
    }

    /// Share of the first camera's sound that came within 400 ms.
    pub fn sound(&self, viewer: PersonId, from: Instant, to: Instant) -> f64 {
        let flow = World::flow(viewer, self.cameras[0], MediaKind::Audio);
        let share = self.world.ledger.share(flow, from, to, Duration::from_millis(400));
        share.unwrap_or(0.0)
    }

    /// What was sent down to them.
    pub fn down(&self, viewer: PersonId) -> &Meter {
        &self.world.leg(viewer).down_meter
    }
}

impl Drop for Call {
    /// `SAMPAN_EXPLAIN=1` tells what the server decided and asked for, moment by moment.
    fn drop(&mut self) {
        if self.explains {
            let told = |line: &&str| !line.contains(" gets ");
            self.world.log().lines().filter(told).for_each(|line| println!("      {line}"));
        }
    }
}

/// A line with this capacity, an ordinary deep queue in front of it and this delay each way.
pub fn line(rate: Bitrate, one_way_ms: f64) -> LinkConfig {
    LinkConfig {
        capacity: Capacity::Constant(rate),
        queue: QueueLimit { bytes: None, wait: Some(Duration::from_secs(2)) },
        delay: Duration::from_secs_f64(one_way_ms / 1000.0),
        ..LinkConfig::default()
    }
}

/// No limit but this delay each way.
pub fn wide(one_way_ms: f64) -> LinkConfig {
    LinkConfig { delay: Duration::from_secs_f64(one_way_ms / 1000.0), ..LinkConfig::default() }
}

pub fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub fn ms_since(earlier: Instant, later: Option<Instant>) -> f64 {
    later.map_or(f64::INFINITY, |later| later.saturating_duration_since(earlier).as_secs_f64() * 1000.0)
}
