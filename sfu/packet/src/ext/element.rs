//! The list of elements inside the extension block (RFC 8285 sections 4.2 and 4.3).
//!
//! ```text
//! one-byte form, profile 0xBEDE        two-byte form, profile 0x100x
//! +-+-+-+-+-+-+-+-+-----------         +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+------
//! |  ID   |  L-1  | data ...           |       ID      |     L         | data
//! +-+-+-+-+-+-+-+-+-----------         +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+------
//! ID 1-14, L 1-16; zero is padding; ID 15 ends the list   ID 1-255, L 0-255; ID 0 is padding
//! ```

/// Profile of the one-byte form.
pub(crate) const ONE_BYTE: u16 = 0xbede;
/// Profile of the two-byte form with "appbits" zero; the low four bits are ignored when read.
pub(crate) const TWO_BYTE: u16 = 0x1000;
const TWO_BYTE_MASK: u16 = 0xfff0;

/// One element: its negotiated id and its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Element<'a> {
    pub id: u8,
    pub bytes: &'a [u8],
}

/// Iterator over the elements. A truncated element ends the list: what came before it is still good.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    two_byte: bool,
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// `block` without profile and length. An unknown profile has no elements.
    pub fn new(profile: Option<u16>, block: &'a [u8]) -> Self {
        match profile {
            Some(ONE_BYTE) => Self { two_byte: false, rest: block },
            Some(p) if p & TWO_BYTE_MASK == TWO_BYTE => Self { two_byte: true, rest: block },
            _ => Self { two_byte: false, rest: &[] },
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            self.rest = rest;
            if first == 0 {
                continue;
            }
            let (id, len) = if self.two_byte {
                let (&len, rest) = rest.split_first()?;
                self.rest = rest;
                (first, usize::from(len))
            } else {
                let (id, len) = (first >> 4, usize::from(first & 0x0f) + 1);
                if id == 15 {
                    self.rest = &[];
                    return None;
                }
                (id, len)
            };
            let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            if id == 0 {
                // One-byte form, id 0 with a length: skipped as RFC 8285 section 4.2 asks ("ignored").
                continue;
            }
            return Some(Element { id, bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(profile: u16, block: &[u8]) -> Vec<(u8, Vec<u8>)> {
        Elements::new(Some(profile), block).map(|e| (e.id, e.bytes.to_vec())).collect()
    }

    #[test]
    fn one_byte_form() {
        for (name, block, expected) in [
            (
                "two elements with padding between",
                &[0x10, 7, 0, 0, 0x21, 8, 9, 0][..],
                vec![(1, vec![7]), (2, vec![8, 9])],
            ),
            ("id 15 ends the list", &[0x10, 7, 0xf0, 1, 0x20, 2], vec![(1, vec![7])]),
            ("id 0 with a length is skipped with its data", &[0x01, 0x10, 7, 0x20, 5], vec![(2, vec![5])]),
            ("a truncated element ends the list", &[0x10, 7, 0x23, 1], vec![(1, vec![7])]),
            (
                "sixteen bytes",
                &[0x3f, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
                vec![(3, vec![1; 16])],
            ),
        ] {
            assert_eq!(read(ONE_BYTE, block), expected, "{name}");
        }
    }

    #[test]
    fn two_byte_form() {
        for (name, block, expected) in [
            ("an empty element", &[1, 0, 2, 1, 9][..], vec![(1, vec![]), (2, vec![9])]),
            ("padding", &[0, 0, 200, 1, 9, 0], vec![(200, vec![9])]),
            ("id without length", &[1, 1, 5, 2], vec![(1, vec![5])]),
            ("longer than the block", &[1, 9, 5], vec![]),
        ] {
            assert_eq!(read(TWO_BYTE, block), expected, "{name}");
            assert_eq!(read(0x100f, block), expected, "{name}, with appbits");
        }
    }

    #[test]
    fn an_unknown_profile_has_no_elements() {
        assert_eq!(read(0x1234, &[0x10, 7]), vec![]);
        assert_eq!(Elements::new(None, &[0x10, 7]).count(), 0);
    }
}
