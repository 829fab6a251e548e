//! Picture loss indication (RFC 4585 section 6.3.1): please send a keyframe. No feedback control information.

use super::compound::Element;
use super::write_with_crate;
use crate::Ssrc;
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;

pub(super) const FORMAT: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pli {
    pub sender: Ssrc,
    /// Whose keyframe is wanted.
    pub media: Ssrc,
}

impl Pli {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let pli: PictureLossIndication = element.unmarshal()?;
        Some(Self { sender: Ssrc(pli.sender_ssrc), media: Ssrc(pli.media_ssrc) })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let pli = PictureLossIndication { sender_ssrc: self.sender.0, media_ssrc: self.media.0 };
        write_with_crate(&pli, out);
    }
}
