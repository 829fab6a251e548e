//! Streams with their references spelled out: whatever is wanted and whenever it changes, nothing is sent that a decoder
//! cannot follow, what is wanted is reached, and every picture ends once.

use super::*;
use crate::random::Random;
use crate::tests::rtp;
use crate::uplink::{CHAINS_MAX, Targets};
use packet::ext::dependency_descriptor::{DecodeTargetIndication as Dti, Template};
use packet::media::Codec;
use packet::rtp::RtpHeader;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// One spatial layer, three temporal ones, VP8 descriptors.
    Vp8,
    /// Three spatial layers, each predicted from the one below in every picture.
    Vp9,
    /// Three spatial layers that depend on each other in key pictures only.
    Vp9Key,
    /// The same with dependency descriptors.
    Targets,
    TargetsKey,
}

const ALL: [Kind; 5] = [Kind::Vp8, Kind::Vp9, Kind::Vp9Key, Kind::Targets, Kind::TargetsKey];
/// Temporal layers of four pictures in a row.
const PATTERN: [u8; 4] = [0, 2, 1, 2];

impl Kind {
    fn spatials(self) -> u8 {
        if self == Self::Vp8 { 1 } else { 3 }
    }
    fn only_keys_connect_layers(self) -> bool {
        matches!(self, Self::Vp9Key | Self::TargetsKey)
    }
    fn has_targets(self) -> bool {
        matches!(self, Self::Targets | Self::TargetsKey)
    }
    /// Is a frame part of a decode target?
    fn dti(self, frame: (u8, u8), key: bool, target: (u8, u8)) -> Dti {
        let apart = self.only_keys_connect_layers() && !key && frame.0 != target.0;
        if frame.0 > target.0 || frame.1 > target.1 || apart {
            return Dti::NotPresent;
        }
        match () {
            _ if key => Dti::Switch,
            _ if frame.0 == target.0 && frame.1 == 0 => Dti::Switch,
            _ if frame.0 == target.0 && frame.1 == 2 => Dti::Discardable,
            _ if frame.0 == target.0 && target.1 > frame.1 => Dti::Switch,
            _ if frame.0 == target.0 => Dti::Discardable,
            _ => Dti::Required,
        }
    }
}

fn target_layer(target: u8) -> (u8, u8) {
    (target / 3, target % 3)
}

fn structure(kind: Kind) -> Arc<TemplateStructure> {
    let mut templates = Vec::new();
    for spatial in 0..3 {
        for temporal in 0..3 {
            for key in if temporal == 0 { vec![true, false] } else { vec![false] } {
                templates.push(Template {
                    spatial,
                    temporal,
                    dtis: (0..9).map(|t| kind.dti((spatial, temporal), key, target_layer(t))).collect(),
                    frame_diffs: Default::default(),
                    chain_diffs: [0; 3].into_iter().collect(),
                });
            }
        }
    }
    Arc::new(TemplateStructure {
        id_offset: 0,
        decode_targets: 9,
        templates,
        protected_by: (0..9).map(|t| t / 3).collect(),
        chains: 3,
        resolutions: Vec::new(),
    })
}

/// A picture and one of its spatial layers.
type Name = (u32, u8);

struct Frame {
    name: Name,
    refs: Vec<Name>,
    stored: Stored,
}

/// An encoder.
struct Stream {
    kind: Kind,
    picture: u32,
    /// Pictures since the last key.
    since_key: u32,
    number: u16,
    /// Newest frame of each chain.
    chains: [Option<u16>; 3],
    wants_key: bool,
}

impl Stream {
    fn new(kind: Kind) -> Self {
        // Numbers wrap within the test.
        Self { kind, picture: 0, since_key: 0, number: 65_400, chains: [None; 3], wants_key: true }
    }

    fn next(&mut self) -> Vec<Frame> {
        self.picture += 1;
        self.since_key += 1;
        let key = std::mem::take(&mut self.wants_key);
        if key {
            self.since_key = 0;
            self.chains = [None; 3];
        }
        let temporal = PATTERN[self.since_key as usize % 4];
        (0..self.kind.spatials()).map(|spatial| self.frame(spatial, temporal, key)).collect()
    }

    fn frame(&mut self, spatial: u8, temporal: u8, key: bool) -> Frame {
        let kind = self.kind;
        let mut refs = Vec::new();
        if spatial > 0 && (key || !kind.only_keys_connect_layers()) {
            refs.push((self.picture, spatial - 1));
        }
        if !key {
            let back = match self.since_key % 4 {
                0 => 4,
                2 => 2,
                _ => 1,
            };
            refs.push((self.picture - back, spatial));
        }
        let scheme = match kind {
            Kind::Vp8 => Scheme::Vp8,
            Kind::Vp9 | Kind::Vp9Key => Scheme::Vp9,
            Kind::Targets | Kind::TargetsKey => Scheme::Targets(self.targets(spatial, temporal, key, &refs)),
        };
        let top = spatial + 1 == kind.spatials();
        let described = Described {
            spatial,
            temporal,
            start: true,
            end: true,
            predicted: !key,
            // VP8: the first picture of the second layer refers to the base alone, so do odd ones of the third. VP9: no
            // picture refers to a higher temporal layer than its own.
            sync: kind != Kind::Vp8 || self.since_key % 4 == 2 || self.since_key % 4 == 1,
            not_upper_reference: !top && !key && kind.only_keys_connect_layers(),
            scheme,
        };
        let mut packet = rtp(self.number, (self.picture * 3000).wrapping_sub(5000), &[1]);
        // The publisher ends a picture with its highest layer.
        packet[1] |= if top { 0x80 } else { 0 };
        let header = RtpHeader::parse(&packet).unwrap();
        let mut stored = Stored::new(u64::from(self.number), header, Codec::Vp9);
        stored.described = described;
        Frame { name: (self.picture, spatial), refs, stored }
    }

    fn targets(&mut self, spatial: u8, temporal: u8, key: bool, refs: &[Name]) -> Targets {
        self.number = self.number.wrapping_add(1);
        let mut chain_diffs = [0; CHAINS_MAX];
        for (diff, newest) in chain_diffs.iter_mut().zip(self.chains) {
            *diff = newest.map_or(0, |newest| self.number.wrapping_sub(newest).min(255) as u8);
        }
        for chain in 0..3 {
            let within =
                spatial <= chain && (key || !self.kind.only_keys_connect_layers() || spatial == chain);
            if temporal == 0 && within {
                self.chains[usize::from(chain)] = Some(self.number);
            }
        }
        // Three frames a picture.
        let mut frame_diffs = [0; 8];
        for (diff, (picture, layer)) in frame_diffs.iter_mut().zip(refs) {
            *diff = ((self.picture - picture) * 3 + u32::from(spatial) - u32::from(*layer)) as u8;
        }
        let mask = |is: &dyn Fn(Dti) -> bool| {
            (0..9u8)
                .filter(|&t| is(self.kind.dti((spatial, temporal), key, target_layer(t))))
                .fold(0, |mask, t| mask | 1 << t)
        };
        Targets {
            frame_number: self.number,
            present: mask(&|dti| dti != Dti::NotPresent),
            switch: mask(&|dti| dti == Dti::Switch),
            active: 0x1ff,
            count: 9,
            chain_diffs,
            frame_diffs,
        }
    }
}

/// What one receiver is sent of a stream.
struct Receiver {
    selector: Selector,
    structure: Option<Arc<TemplateStructure>>,
    decoded: BTreeSet<Name>,
    kind: Kind,
    trace: String,
}

impl Receiver {
    fn new(kind: Kind, wanted: (u8, u8)) -> Self {
        let structure = kind.has_targets().then(|| structure(kind));
        let mut receiver = Self {
            selector: Selector::default(),
            structure,
            decoded: BTreeSet::new(),
            kind,
            trace: String::new(),
        };
        receiver.want(wanted);
        receiver.selector.start();
        receiver
    }

    fn want(&mut self, (spatial, temporal): (u8, u8)) {
        self.selector.set_target(Some(LayerId { stream: 0, spatial, temporal }));
        self.trace = format!("{:?} wanted {spatial}.{temporal}", self.kind);
    }

    /// Names of the frames of one picture that were sent; checks that they can be decoded and end once.
    fn picture(&mut self, frames: &[Frame]) -> Vec<Name> {
        let mut sent = Vec::new();
        let mut ends = Vec::new();
        for frame in frames {
            let first = self.selector.admit(&frame.stored, self.structure.as_ref());
            let again = self.selector.admit(&frame.stored, self.structure.as_ref());
            assert_eq!(first.is_ok(), again.is_ok(), "further packets of a frame go its way");
            let Ok(admitted) = first else { continue };
            let missing: Vec<_> = frame.refs.iter().filter(|name| !self.decoded.contains(name)).collect();
            assert!(missing.is_empty(), "{:?} needs {missing:?}; {}", frame.name, self.trace);
            self.decoded.insert(frame.name);
            sent.push(frame.name);
            ends.push(admitted.ends_picture);
        }
        let last = ends.len().saturating_sub(1);
        let once = ends.iter().enumerate().all(|(i, end)| *end == (i == last));
        assert!(once, "{sent:?} end {ends:?}; {}", self.trace);
        sent
    }
}

#[test]
fn nothing_is_sent_that_cannot_be_decoded_whatever_is_wanted() {
    for kind in ALL {
        for seed in 0..40 {
            let mut random = Random::new(seed);
            let mut pick = |n: u8| (random.next() >> 8) as u8 % n;
            let layer = |pick: &mut dyn FnMut(u8) -> u8| (pick(kind.spatials()), pick(3));
            let mut stream = Stream::new(kind);
            let mut receiver = Receiver::new(kind, layer(&mut pick));
            for _ in 0..300 {
                if pick(12) == 0 {
                    let wanted = layer(&mut pick);
                    receiver.want(wanted);
                }
                receiver.selector.squeeze(pick(10) == 0);
                stream.wants_key |= pick(60) == 0;
                receiver.picture(&stream.next());
            }
        }
    }
}

#[test]
fn what_is_wanted_is_reached_at_the_next_keyframe_and_less_at_once() {
    for kind in ALL {
        for from in 0..9 {
            for to in 0..9 {
                let (from, to) = (target_layer(from), target_layer(to));
                if from.0.max(to.0) >= kind.spatials() {
                    continue;
                }
                let mut stream = Stream::new(kind);
                let mut receiver = Receiver::new(kind, from);
                for _ in 0..9 {
                    receiver.picture(&stream.next());
                }
                assert_eq!(receiver.selector.current(), from, "{kind:?}");
                receiver.want(to);
                let mut pictures = 0;
                while receiver.selector.current() != to {
                    receiver.picture(&stream.next());
                    pictures += 1;
                    assert!(pictures < 30, "{kind:?} {from:?} to {to:?}");
                    stream.wants_key |= receiver.selector.needs_keyframe(|| None);
                }
                let stays_below = to.0 <= from.0 && to.1 <= from.1 && !kind.only_keys_connect_layers();
                let (limit, what) = match (to.0.cmp(&from.0), stays_below) {
                    (_, true) => (1, "down at the next picture"),
                    (Ordering::Greater, _) => (2, "up at the keyframe that is asked for"),
                    _ => (5, "within a cycle"),
                };
                assert!(pictures <= limit, "{kind:?} {from:?} to {to:?}: {what}, not after {pictures}");
                // From here on everything of the layer is sent, and nothing above it.
                for _ in 0..8 {
                    let picture = stream.next();
                    let temporal = picture[0].stored.described.temporal;
                    let sent = receiver.picture(&picture);
                    let expected = if temporal > to.1 {
                        0
                    } else if kind.only_keys_connect_layers() {
                        1
                    } else {
                        usize::from(to.0) + 1
                    };
                    assert_eq!(sent.len(), expected, "{kind:?} at {to:?}: {sent:?}");
                }
            }
        }
    }
}

#[test]
fn under_pressure_only_the_base_layer_goes_on() {
    for kind in [Kind::Vp8, Kind::Vp9, Kind::Targets] {
        let mut stream = Stream::new(kind);
        let mut receiver = Receiver::new(kind, (kind.spatials() - 1, 2));
        for _ in 0..9 {
            receiver.picture(&stream.next());
        }
        receiver.selector.squeeze(true);
        let sent: Vec<Name> = (0..12).flat_map(|_| receiver.picture(&stream.next())).collect();
        assert_eq!(sent.len(), 3, "{kind:?} {sent:?}");
        assert!(sent.iter().all(|(_, spatial)| *spatial == 0));
    }
}

#[test]
fn a_late_packet_of_a_frame_that_was_sent_is_sent_and_of_another_is_not() {
    let mut stream = Stream::new(Kind::Vp8);
    let mut receiver = Receiver::new(Kind::Vp8, (0, 0));
    let pictures: Vec<Vec<Frame>> = (0..8).map(|_| stream.next()).collect();
    for picture in &pictures {
        receiver.picture(picture);
    }
    for (i, picture) in pictures.iter().enumerate() {
        let late = receiver.selector.admit(&picture[0].stored, None);
        assert_eq!(late.is_ok(), i % 4 == 0, "{i}");
        assert!(late.is_ok() || !late.unwrap_err().first_of_frame, "its number has closed up already");
    }
}

#[test]
fn the_receiver_hears_which_decode_targets_are_left() {
    let mut stream = Stream::new(Kind::Targets);
    let mut receiver = Receiver::new(Kind::Targets, (1, 1));
    let mut key = stream.next().remove(0).stored;
    key.dependency_descriptor = crate::uplink::span(1, 3);
    let admitted = receiver.selector.admit(&key, receiver.structure.as_ref()).unwrap();
    // 0.0, 0.1, 1.0 and 1.1 of nine.
    assert_eq!(admitted.active_targets, Some((0b0_0001_1011, 9)));
}
