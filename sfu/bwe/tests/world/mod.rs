//! Flows over one impaired link, in virtual time: what the scenarios and the comparison with other controllers run in.
//!
//! ```text
//! Flow::poll_forward ─► link (shared by all flows) ─► Flow::on_forward
//! Flow::on_back ◄────── link (one for each flow) ◄─── Flow::poll_back
//! ```

pub mod control;
pub mod media;
pub mod meter;
pub mod scenes;
pub mod tcp;

use meter::Meter;
use netem::{Link, LinkConfig, Output};
use packet::rtcp::TransportFeedback;
use std::time::{Duration, Instant};

/// What crosses the links. Its bytes are counted beside it.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A frame of `count` packets; padding has count 0.
    Rtp {
        seq: u16,
        frame: u32,
        count: u16,
    },
    Feedback(TransportFeedback),
    Tcp(u64),
    /// A peer's own bytes.
    #[allow(dead_code, reason = "only the comparison has such peers")]
    Bytes(Vec<u8>),
}

/// A sender and its receiver.
pub trait Flow {
    fn handle_timeout(&mut self, now: Instant);
    fn next(&self) -> Option<Instant>;
    /// From the sender: bytes without IP and UDP headers.
    fn poll_forward(&mut self, now: Instant) -> Option<(usize, Payload)>;
    /// From the receiver.
    fn poll_back(&mut self, now: Instant) -> Option<(usize, Payload)>;
    /// At the receiver.
    fn on_forward(&mut self, now: Instant, payload: Payload);
    /// At the sender.
    fn on_back(&mut self, now: Instant, payload: Payload);
    /// Bits per second that the controller allows; `None` for a flow that has no such number.
    fn estimate(&self) -> Option<u64>;
    /// Of the layers it may send, the one it sends.
    fn layer(&self) -> usize {
        0
    }
    /// When frames were complete at the receiver.
    fn frames(&self) -> &[Instant] {
        &[]
    }
    /// In words, for a look at what happens.
    fn explain(&self) -> String {
        String::new()
    }
}

/// Makes a flow when its time has come.
type Make<'a> = &'a mut dyn FnMut(Instant) -> Box<dyn Flow>;

/// The shared link and what changes when.
#[derive(Clone, Debug)]
pub struct Path {
    pub forward: LinkConfig,
    pub back: LinkConfig,
    /// (after, the forward link from then on)
    pub changes: Vec<(Duration, LinkConfig)>,
}

#[allow(clippy::disallowed_methods, reason = "the one place where the tests take a starting point")]
fn base() -> Instant {
    Instant::now()
}

/// One run of a scene with the flows that `make` makes.
pub fn measure(
    scene: &scenes::Scene,
    seed: u64,
    make: &mut dyn FnMut(Instant, u64, &media::Source) -> Box<dyn Flow>,
) -> Vec<scenes::Figure> {
    let path = (scene.path)(seed, scene);
    let lasts = Duration::from_secs(scene.seconds);
    let make = std::cell::RefCell::new(make);
    let mut first = |now: Instant| (make.borrow_mut())(now, seed, &scene.source);
    let mut twin = |now: Instant| (make.borrow_mut())(now, seed + 1000, &scene.source);
    let mut download = |now: Instant| Box::new(tcp::Tcp::new(now)) as Box<dyn Flow>;
    let later = Duration::from_secs(10);
    let mut flows: Vec<(Duration, Make)> = vec![(Duration::ZERO, &mut first)];
    match scene.company {
        scenes::Company::Alone => {}
        scenes::Company::Twin => flows.push((later, &mut twin)),
        scenes::Company::Tcp => flows.push((later, &mut download)),
    }
    let meters = run(&path, seed, lasts, &mut flows);
    (scene.figures)(scene, &path, &meters)
}

/// Runs each flow from its own beginning, and tells what each got.
pub fn run(path: &Path, seed: u64, lasts: Duration, flows: &mut [(Duration, Make)]) -> Vec<Meter> {
    let start = base();
    let end = start + lasts;
    let mut forward: Link<(usize, Instant, usize, Payload)> = Link::new(path.forward.clone(), seed, start);
    let mut backs: Vec<Link<Payload>> = (0..flows.len())
        .map(|i| Link::new(path.back.clone(), seed ^ (0x5bd1_e995 + i as u64), start))
        .collect();
    let mut live: Vec<Option<Box<dyn Flow>>> = flows.iter().map(|_| None).collect();
    let mut meters: Vec<Meter> = flows.iter().map(|_| Meter::new(start, seed)).collect();
    let mut changes = path.changes.iter().peekable();
    let mut now = start;
    let verbose = std::env::var("BWE_EXPLAIN").is_ok();
    let mut shown = start;
    // What the line would carry, for a look at what happens.
    let carried =
        if verbose { scenes::carried(&path.forward, seed, lasts.as_secs_f64()) } else { Vec::new() };
    while now < end {
        while let Some((_, config)) = changes.next_if(|(at, _)| start + *at <= now) {
            forward.set_config(config.clone());
        }
        for (i, (begin, make)) in flows.iter_mut().enumerate() {
            if live[i].is_none() && start + *begin <= now {
                live[i] = Some(make(now));
            }
            let Some(flow) = &mut live[i] else { continue };
            while let Output::Deliver(payload) = backs[i].poll_output(now) {
                flow.on_back(now, payload);
            }
        }
        while let Output::Deliver((i, sent, bytes, payload)) = forward.poll_output(now) {
            meters[i].arrived(now, sent, bytes);
            live[i].as_mut().expect("it sent").on_forward(now, payload);
        }
        for (i, flow) in live.iter_mut().enumerate() {
            let Some(flow) = flow else { continue };
            if flow.next().is_some_and(|next| next <= now) {
                flow.handle_timeout(now);
            }
            while let Some((bytes, payload)) = flow.poll_forward(now) {
                let fate = forward.handle_datagram(now, bytes, (i, now, bytes, payload));
                meters[i].sent(now, bytes, fate);
            }
            while let Some((bytes, payload)) = flow.poll_back(now) {
                backs[i].handle_datagram(now, bytes, payload);
            }
            meters[i].sample(now, flow.estimate(), flow.layer());
            if verbose && now >= shown {
                let ms = (now - start).as_millis() as usize;
                let part = carried.get(ms.saturating_sub(100)..ms).unwrap_or_default();
                let kbps = part.iter().sum::<f64>() / part.len().max(1) as f64;
                let waits = meters[i].latest_wait(path.forward.delay).as_millis();
                eprintln!(
                    "{:8.3} flow {i} carries {kbps:5.0} waits {waits:4} ms {}",
                    (now - start).as_secs_f64(),
                    flow.explain()
                );
            }
        }
        if now >= shown {
            shown = now + Duration::from_millis(100);
        }
        let mut next = end;
        let mut at = |time: Option<Instant>| next = next.min(time.unwrap_or(end));
        at(forward.poll_timeout());
        backs.iter().for_each(|back| at(back.poll_timeout()));
        at(changes.peek().map(|(at, _)| start + *at));
        for (i, flow) in live.iter().enumerate() {
            match flow {
                Some(flow) => at(flow.next()),
                None => at(Some(start + flows[i].0)),
            }
        }
        // Time only goes forward, also for a flow whose timer is due again at once.
        now = next.max(now + Duration::from_micros(1));
    }
    for (meter, flow) in meters.iter_mut().zip(&live) {
        meter.frames = flow.as_ref().map_or(Vec::new(), |flow| flow.frames().to_vec());
    }
    meters
}
