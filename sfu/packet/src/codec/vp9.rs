//! VP9 payload descriptor (RFC 9628 section 4.2).
//!
//! ```text
//! |I|P|L|F|B|E|V|Z|   P inter-picture predicted, B/E begin/end of a layer frame, Z not a reference for upper layers
//! |M| PICTURE ID  |   if I; with M 15 bits in two bytes, else 7 bits
//! | TID |U| SID |D|   if L; U switching up point, D depends on the layer below
//! |   TL0PICIDX   |   if L and not F
//! | P_DIFF      |N|   if P and F, up to three, N: another one follows
//! | N_S |Y|G|-|-|-|   if V: scalability structure
//! ```

use super::vp8::PictureId;
use arrayvec::ArrayVec;

/// Reference indices per frame in flexible mode (RFC 9628 section 4.2: "up to three").
const REFERENCES_MAX: usize = 3;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vp9Descriptor {
    pub picture_id: Option<PictureId>,
    /// Refers to other pictures; a key picture does not.
    pub inter_predicted: bool,
    pub flexible: bool,
    pub start_of_frame: bool,
    pub end_of_frame: bool,
    /// No frame of a higher spatial layer refers to this one.
    pub not_upper_reference: bool,
    pub layer: Option<LayerIndices>,
    /// Non-flexible mode only.
    pub tl0_pic_idx: Option<u8>,
    /// Flexible mode: how many pictures back the references are, 1-127.
    pub references: ArrayVec<u8, REFERENCES_MAX>,
    pub structure: Option<ScalabilityStructure>,
    /// Bytes of the descriptor.
    pub len: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LayerIndices {
    /// 0-7.
    pub tid: u8,
    /// A receiver of lower temporal layers may switch up here.
    pub switching_up: bool,
    /// 0-7.
    pub sid: u8,
    /// Refers to the frame of the spatial layer below in the same picture.
    pub inter_layer: bool,
}

/// Sizes of the spatial layers and, in non-flexible mode, what the pictures refer to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScalabilityStructure {
    /// 1-8.
    pub spatial_layers: u8,
    /// Width and height in pixels, one per spatial layer; empty if absent.
    pub sizes: ArrayVec<(u16, u16), 8>,
    /// The picture that carries the structure is the group's first; then it repeats. At most 255; empty if absent.
    pub group: Vec<GroupPicture>,
}

/// One picture of a group (RFC 9628 section 4.2.1).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupPicture {
    /// 0-7.
    pub tid: u8,
    pub switching_up: bool,
    /// How many pictures back the references are.
    pub references: ArrayVec<u8, REFERENCES_MAX>,
}

struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.payload.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }
    fn pair(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }
}

impl Vp9Descriptor {
    /// `None` if the payload ends inside the descriptor or names more than three references.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader { payload, at: 0 };
        let first = reader.byte()?;
        let mut descriptor = Self {
            inter_predicted: first & 0x40 != 0,
            flexible: first & 0x10 != 0,
            start_of_frame: first & 0x08 != 0,
            end_of_frame: first & 0x04 != 0,
            not_upper_reference: first & 0x01 != 0,
            ..Self::default()
        };
        if first & 0x80 != 0 {
            let high = reader.byte()?;
            descriptor.picture_id = Some(if high & 0x80 != 0 {
                PictureId::Fifteen(u16::from_be_bytes([high & 0x7f, reader.byte()?]))
            } else {
                PictureId::Seven(high)
            });
        }
        if first & 0x20 != 0 {
            let byte = reader.byte()?;
            descriptor.layer = Some(LayerIndices {
                tid: byte >> 5,
                switching_up: byte & 0x10 != 0,
                sid: byte >> 1 & 7,
                inter_layer: byte & 1 != 0,
            });
            if !descriptor.flexible {
                descriptor.tl0_pic_idx = Some(reader.byte()?);
            }
        }
        if descriptor.flexible && descriptor.inter_predicted {
            loop {
                let byte = reader.byte()?;
                descriptor.references.try_push(byte >> 1).ok()?;
                if byte & 1 == 0 {
                    break;
                }
            }
        }
        if first & 0x02 != 0 {
            descriptor.structure = Some(structure(&mut reader)?);
        }
        descriptor.len = reader.at;
        Some(descriptor)
    }
}

/// ```text
/// | N_S |Y|G|-|-|-|    N_S spatial layers minus one
/// | width 2, height 2|  N_S + 1 times, if Y
/// |      N_G      |    if G: pictures in a group, then per picture
/// | TID |U| R |-|-|    and R bytes of P_DIFF
/// ```
fn structure(reader: &mut Reader) -> Option<ScalabilityStructure> {
    let head = reader.byte()?;
    let spatial_layers = (head >> 5) + 1;
    let mut structure = ScalabilityStructure { spatial_layers, ..ScalabilityStructure::default() };
    if head & 0x10 != 0 {
        for _ in 0..spatial_layers {
            structure.sizes.push((reader.pair()?, reader.pair()?));
        }
    }
    if head & 0x08 != 0 {
        for _ in 0..reader.byte()? {
            let head = reader.byte()?;
            let mut picture =
                GroupPicture { tid: head >> 5, switching_up: head & 0x10 != 0, ..GroupPicture::default() };
            for _ in 0..head >> 2 & 3 {
                picture.references.push(reader.byte()?);
            }
            structure.group.push(picture);
        }
    }
    Some(structure)
}

/// Puts `picture_id` and `tl0_pic_idx` where the payload has them already, in place; each keeps its width, so a 7-bit
/// id takes the low 7 bits. What the payload does not have is not added. False if there is no whole descriptor.
pub fn rewrite(payload: &mut [u8], picture_id: u16, tl0_pic_idx: u8) -> bool {
    let Some(descriptor) = Vp9Descriptor::parse(payload) else { return false };
    let mut at = 1;
    match descriptor.picture_id {
        Some(PictureId::Seven(_)) => {
            payload[at] = picture_id as u8 & 0x7f;
            at += 1;
        }
        Some(PictureId::Fifteen(_)) => {
            payload[at..at + 2].copy_from_slice(&(picture_id & 0x7fff | 0x8000).to_be_bytes());
            at += 2;
        }
        None => {}
    }
    if descriptor.tl0_pic_idx.is_some() {
        // Behind the byte of the layer indices.
        payload[at + 1] = tl0_pic_idx;
    }
    true
}

/// First packet of the lowest layer of a picture that refers to no other. Judged by the descriptor alone, so that it
/// holds for encrypted frames too.
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    Vp9Descriptor::parse(payload).is_some_and(|d| {
        let layer = d.layer.unwrap_or_default();
        d.start_of_frame && !d.inter_predicted && layer.sid == 0 && !layer.inter_layer
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_of_each_mode() {
        let parsed = |bytes: &[u8]| Vp9Descriptor::parse(bytes);
        // 15-bit picture id at its highest, layers, non-flexible.
        let d = parsed(&[0xe8, 0xff, 0xff, 0x35, 255, 9]).unwrap();
        assert_eq!(d.picture_id, Some(PictureId::Fifteen(0x7fff)));
        assert_eq!(d.layer, Some(LayerIndices { tid: 1, switching_up: true, sid: 2, inter_layer: true }));
        assert_eq!((d.tl0_pic_idx, d.len), (Some(255), 5));
        // Flexible with two references.
        let d = parsed(&[0xd4, 0x7f, 1 << 1 | 1, 127 << 1, 9]).unwrap();
        assert_eq!(d.picture_id, Some(PictureId::Seven(0x7f)));
        assert_eq!((&d.references[..], d.len, d.end_of_frame), (&[1, 127][..], 4, true));
        // Four references are one too many.
        assert_eq!(parsed(&[0x50, 3, 3, 3, 2, 9]), None);
        // Structure with sizes of two layers and a group of two pictures.
        let ss = [0x0a, 0x38, 1, 64, 0, 180, 2, 128, 1, 104, 2, 0x00, 0x08, 1, 2, 9];
        let d = parsed(&ss).unwrap();
        let expected: ArrayVec<_, 8> = [(320, 180), (640, 360)].into_iter().collect();
        let group = vec![
            GroupPicture::default(),
            GroupPicture { references: [1, 2].into_iter().collect(), ..GroupPicture::default() },
        ];
        assert_eq!(d.structure, Some(ScalabilityStructure { spatial_layers: 2, sizes: expected, group }));
        assert_eq!(d.len, ss.len() - 1);
        for len in 0..ss.len() - 1 {
            assert_eq!(parsed(&ss[..len]), None, "cut at {len}");
        }
    }

    #[test]
    fn rewriting_keeps_widths_and_neighbours() {
        for (from, picture_id, tl0, to) in [
            (&[0xe8, 0xff, 0xff, 0x35, 255, 9][..], 0, 1, &[0xe8, 0x80, 0x00, 0x35, 1, 9][..]),
            (&[0xe8, 0x7f, 0x35, 255, 9], 0x80, 0, &[0xe8, 0x00, 0x35, 0, 9]),
            (&[0xd4, 0x7f, 1 << 1 | 1, 127 << 1, 9], 5, 77, &[0xd4, 5, 1 << 1 | 1, 127 << 1, 9]),
            (&[0x08, 9], 5, 77, &[0x08, 9]),
        ] {
            let mut payload = from.to_vec();
            assert!(rewrite(&mut payload, picture_id, tl0));
            assert_eq!(payload, to);
        }
        assert!(!rewrite(&mut [0xe8, 0xff], 1, 2), "cut");
    }

    #[test]
    fn a_keyframe_starts_where_nothing_is_referred_to() {
        for (name, payload, expected) in [
            ("plain key frame", &[0x08, 1][..], true),
            ("its second packet", &[0x04, 1], false),
            ("predicted", &[0x48, 1], false),
            ("base layer of a key picture", &[0x28, 0x00, 0, 1], true),
            ("upper layer of a key picture", &[0x28, 0x03, 0, 1], false),
            ("upper layer without inter-layer prediction", &[0x28, 0x02, 0, 1], false),
            ("nothing", &[], false),
            ("cut", &[0x28], false),
        ] {
            assert_eq!(is_keyframe_start(payload), expected, "{name}");
        }
    }
}
