//! A camera and its encoder: frames that say what they refer to, cut into packets of each codec's format.

use packet::codec::h264::nal;
use packet::codec::vp8::{self, PictureId, TemporalLayer, Vp8Descriptor};
use packet::ext::dependency_descriptor::{
    DESCRIPTOR_LEN_MAX, DecodeTargetIndication as Dti, DependencyDescriptor, Template, TemplateStructure,
};
use packet::ext::{Extension, ExtensionMap, Values};
use packet::media::Codec;
use packet::rtp::Outgoing;
use packet::{PayloadType, RtpTime, SeqNo, Ssrc};

pub const SSRC: Ssrc = Ssrc(0x0bad_cafe);
const PAYLOAD_MAX: usize = 1100;

/// How frames refer to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Vp8,
    /// Without picture ids, as some hardware encoders send it.
    Vp8Bare,
    /// Three temporal layers: 0 2 1 2.
    Vp8Layers,
    Vp9Flexible,
    /// Two temporal layers, by a group of pictures: 0 1.
    Vp9Group,
    /// Two spatial layers, each picture of two frames.
    Vp9Spatial,
    H264,
    Av1,
    /// Two temporal layers, by dependency descriptor.
    Av1Descriptor,
}

pub const FORMATS: [Format; 9] = [
    Format::Vp8,
    Format::Vp8Bare,
    Format::Vp8Layers,
    Format::Vp9Flexible,
    Format::Vp9Group,
    Format::Vp9Spatial,
    Format::H264,
    Format::Av1,
    Format::Av1Descriptor,
];

impl Format {
    pub fn codec(self) -> Codec {
        match self {
            Self::Vp8 | Self::Vp8Bare | Self::Vp8Layers => Codec::Vp8,
            Self::Vp9Flexible | Self::Vp9Group | Self::Vp9Spatial => Codec::Vp9,
            Self::H264 => Codec::H264,
            Self::Av1 | Self::Av1Descriptor => Codec::Av1,
        }
    }

    pub fn pt(self) -> PayloadType {
        PayloadType(96 + self.codec() as u8)
    }
}

pub fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    map.allow_mixed = true;
    map.set(Extension::DependencyDescriptor, 4);
    map.set(Extension::PlayoutDelay, 5);
    map.set(Extension::TransportSequence, 6);
    map
}

/// What a decoder is told: every frame names itself and those that it needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    pub number: u32,
    pub needs: Vec<u32>,
}

const MARK: &[u8; 4] = b"FRAM";

impl Told {
    /// What is written in the data of a picture: one for each layer.
    pub fn read(data: &[u8]) -> Vec<Self> {
        let mut told = Vec::new();
        let mut at = 0;
        while let Some(found) = data[at..].windows(4).position(|window| window == MARK) {
            let rest = &data[at + found + 4..];
            let word = |n: usize| u32::from_be_bytes(rest[4 * n..4 * n + 4].try_into().unwrap());
            told.push(Self { number: word(0), needs: (0..word(1) as usize).map(|n| word(2 + n)).collect() });
            at += found + 4;
        }
        told
    }

    fn write(&self) -> Vec<u8> {
        let words = [self.number, self.needs.len() as u32].into_iter().chain(self.needs.iter().copied());
        MARK.iter().copied().chain(words.flat_map(u32::to_be_bytes)).collect()
    }
}

pub struct Encoder {
    pub format: Format,
    pub seq: SeqNo,
    pub ssrc: Ssrc,
    pub timestamp: RtpTime,
    /// Of frames (layer frames where a picture has several).
    pub number: u32,
    pub extra: Values<'static>,
    picture: u16,
    tl0: u8,
    frame_number: u16,
    /// Pictures since the last key picture, and frame numbers to refer to.
    since_key: u32,
    base: u32,
    middle: Option<u32>,
    last: [u32; 2],
    keyframe_number: u16,
}

/// One packet and whether it is the last of its picture.
pub type Packets = Vec<Vec<u8>>;

impl Encoder {
    /// Counters begin just before they wrap.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            seq: SeqNo(65_500),
            ssrc: SSRC,
            timestamp: RtpTime(u32::MAX - 90_000),
            number: 0,
            extra: Values::default(),
            picture: 0x7ff0,
            tl0: 250,
            frame_number: 65_530,
            since_key: 0,
            base: 0,
            middle: None,
            last: [0; 2],
            keyframe_number: 0,
        }
    }

    /// The next picture, `bytes` long, `ticks` after the one before: its first frame number and its packets.
    pub fn picture(&mut self, keyframe: bool, bytes: usize, ticks: u32) -> (u32, Packets) {
        let first = self.number;
        self.timestamp = self.timestamp.plus(ticks);
        if keyframe {
            self.since_key = 0;
        }
        let packets = match self.format {
            Format::Vp8 | Format::Vp8Bare | Format::Vp8Layers => self.vp8(keyframe, bytes),
            Format::Vp9Flexible | Format::Vp9Group => self.vp9(keyframe, bytes),
            Format::Vp9Spatial => self.vp9_spatial(keyframe, bytes),
            Format::H264 => self.h264(keyframe, bytes),
            Format::Av1 | Format::Av1Descriptor => self.av1(keyframe, bytes),
        };
        self.picture = (self.picture + 1) & 0x7fff;
        self.since_key += 1;
        (first, packets)
    }

    fn data(&mut self, head: &[u8], needs: Vec<u32>, bytes: usize) -> Vec<u8> {
        let told = Told { number: self.number, needs };
        let mut data = [head, &told.write()].concat();
        let pattern = self.number as u8;
        while data.len() < bytes {
            data.push((data.len() as u8).wrapping_mul(3) ^ pattern | 0x80);
        }
        self.last = [self.number, self.last[0]];
        self.number += 1;
        data
    }

    fn rtp(&mut self, marker: bool, payload: &[u8], descriptor: Option<&[u8]>) -> Vec<u8> {
        let outgoing = Outgoing {
            marker,
            pt: self.format.pt(),
            seq: self.seq,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            extensions: Values { dependency_descriptor: descriptor, ..self.extra },
            payload,
            ..Outgoing::default()
        };
        self.seq = self.seq.plus(1);
        let mut buffer = vec![0; payload.len() + 400];
        let len = outgoing.write(&extensions(), &mut buffer).unwrap().len;
        buffer.truncate(len);
        buffer
    }

    fn vp8(&mut self, keyframe: bool, bytes: usize) -> Packets {
        let layered = self.format == Format::Vp8Layers;
        let tid = if layered { [0, 2, 1, 2][self.since_key as usize % 4] } else { 0 };
        let previous = vec![self.number.wrapping_sub(1)];
        let (needs, layer_sync) = match tid {
            _ if keyframe => (vec![], false),
            _ if !layered => (previous, false),
            0 => (vec![self.base], false),
            1 => (vec![self.base], true),
            _ => match self.middle {
                None => (vec![self.base], true),
                Some(middle) => (vec![self.base, middle], false),
            },
        };
        match tid {
            0 => (self.base, self.middle) = (self.number, None),
            1 => self.middle = Some(self.number),
            _ => {}
        }
        if layered && tid == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let descriptor = Vp8Descriptor {
            picture_id: (self.format != Format::Vp8Bare).then_some(PictureId::Fifteen(self.picture)),
            tl0_pic_idx: layered.then_some(self.tl0),
            layer: layered.then_some(TemporalLayer { tid, layer_sync }),
            ..Vp8Descriptor::default()
        };
        let data = self.data(&[u8::from(!keyframe)], needs, bytes);
        vp8::packetize(&data, descriptor, PAYLOAD_MAX)
            .map(|f| self.rtp(f.marker, &[&f.head[..], f.payload].concat(), None))
            .collect()
    }

    fn vp9(&mut self, keyframe: bool, bytes: usize) -> Packets {
        let group = self.format == Format::Vp9Group;
        // In the group every second picture is of the upper temporal layer, and nothing refers to it.
        let back = if !group || self.since_key % 2 == 1 { 1 } else { 2 };
        let needs = if keyframe { vec![] } else { vec![self.number - back] };
        let data = self.data(&[], needs, bytes);
        self.vp9_packets(&data, keyframe, None, back as u8, true)
    }

    fn vp9_spatial(&mut self, keyframe: bool, bytes: usize) -> Packets {
        let (below, above) = (self.last[1], self.last[0]);
        let needs = if keyframe { vec![] } else { vec![below] };
        let data = self.data(&[], needs, bytes / 3);
        let mut packets = self.vp9_packets(&data, keyframe, Some(0), 1, false);
        let low = self.last[0];
        let needs = if keyframe { vec![low] } else { vec![low, above] };
        let data = self.data(&[], needs, bytes - bytes / 3);
        packets.extend(self.vp9_packets(&data, keyframe, Some(1), 1, true));
        packets
    }

    fn vp9_packets(&mut self, data: &[u8], keyframe: bool, sid: Option<u8>, back: u8, last: bool) -> Packets {
        let group = self.format == Format::Vp9Group;
        let structure = group && keyframe;
        let chunks: Vec<&[u8]> = data.chunks(PAYLOAD_MAX).collect();
        let count = chunks.len();
        let mut packets = Vec::new();
        for (n, chunk) in chunks.into_iter().enumerate() {
            let (begins, ends) = (n == 0, n + 1 == count);
            let flag = |on: bool, bit: u8| u8::from(on) << bit;
            let mut payload = vec![
                0x80 | flag(!keyframe, 6)
                    | flag(sid.is_some() || group, 5)
                    | flag(!group, 4)
                    | flag(begins, 3)
                    | flag(ends, 2)
                    | flag(structure && begins, 1),
            ];
            payload.extend((self.picture | 0x8000).to_be_bytes());
            if let Some(sid) = sid {
                payload.push(sid << 1 | u8::from(sid > 0));
            } else if group {
                payload.push(((self.since_key % 2) as u8) << 5);
                payload.push(self.tl0);
            }
            if !group && !keyframe {
                payload.push(back << 1);
            }
            if structure && begins {
                // One spatial layer, no size, a group of two pictures: 0 refers two back, 1 one back.
                payload.extend([0x08, 2, 0x04, 2, 0x24, 1]);
            }
            payload.extend_from_slice(chunk);
            packets.push(self.rtp(ends && last, &payload, None));
        }
        packets
    }

    fn h264(&mut self, keyframe: bool, bytes: usize) -> Packets {
        let needs = if keyframe { vec![] } else { vec![self.number - 1] };
        let header = if keyframe { 0x60 | nal::IDR } else { 0x41 };
        let data = self.data(&[], needs, bytes);
        let mut packets = Vec::new();
        if keyframe {
            packets.push(self.rtp(false, &[0x78, 0, 3, 0x67, 0x42, 1, 0, 2, 0x68, 1], None));
        }
        if data.len() < PAYLOAD_MAX {
            packets.push(self.rtp(true, &[&[header], &data[..]].concat(), None));
            return packets;
        }
        let chunks: Vec<&[u8]> = data.chunks(PAYLOAD_MAX).collect();
        let count = chunks.len();
        for (n, chunk) in chunks.into_iter().enumerate() {
            let (begins, ends) = (n == 0, n + 1 == count);
            let fu = u8::from(begins) << 7 | u8::from(ends) << 6 | header & 0x1f;
            packets.push(self.rtp(ends, &[&[header & 0xe0 | nal::FU_A, fu], chunk].concat(), None));
        }
        packets
    }

    fn av1(&mut self, keyframe: bool, bytes: usize) -> Packets {
        let described = self.format == Format::Av1Descriptor;
        // With a descriptor every second frame is of the upper temporal layer.
        let upper = described && self.since_key % 2 == 1;
        let back = if !described || upper { 1 } else { 2 };
        let needs = if keyframe { vec![] } else { vec![self.number - back] };
        if keyframe {
            self.keyframe_number = self.frame_number;
        }
        // A frame OBU (type 6) without its size.
        let data = self.data(&[0x30], needs, bytes);
        let chunks: Vec<&[u8]> = data.chunks(PAYLOAD_MAX).collect();
        let count = chunks.len();
        let mut packets = Vec::new();
        for (n, chunk) in chunks.into_iter().enumerate() {
            let (begins, ends) = (n == 0, n + 1 == count);
            let header =
                u8::from(!begins) << 7 | u8::from(!ends) << 6 | 1 << 4 | u8::from(keyframe && begins) << 3;
            let payload = [&[header], chunk].concat();
            let mut bytes = [0; DESCRIPTOR_LEN_MAX];
            let descriptor = described.then(|| {
                let structure = l1t2();
                let descriptor = DependencyDescriptor {
                    start_of_frame: begins,
                    end_of_frame: ends,
                    template_id: if keyframe { 0 } else { 1 + u8::from(upper) },
                    frame_number: self.frame_number,
                    structure: (keyframe && begins).then(|| structure.clone()),
                    ..DependencyDescriptor::default()
                };
                let len = descriptor.write(Some(&structure), &mut bytes).unwrap();
                &bytes[..len]
            });
            packets.push(self.rtp(ends, &payload, descriptor));
        }
        self.frame_number = self.frame_number.wrapping_add(1);
        packets
    }
}

fn l1t2() -> TemplateStructure {
    let template = |temporal, dtis: [Dti; 2], diffs: &[u16], chain: u8| Template {
        spatial: 0,
        temporal,
        dtis: dtis.into_iter().collect(),
        frame_diffs: diffs.iter().copied().collect(),
        chain_diffs: [chain].into_iter().collect(),
    };
    TemplateStructure {
        id_offset: 0,
        decode_targets: 2,
        templates: vec![
            template(0, [Dti::Switch, Dti::Switch], &[], 0),
            template(0, [Dti::Switch, Dti::Switch], &[2], 2),
            template(1, [Dti::NotPresent, Dti::Discardable], &[1], 1),
        ],
        protected_by: [0, 0].into_iter().collect(),
        chains: 1,
        resolutions: vec![],
    }
}
