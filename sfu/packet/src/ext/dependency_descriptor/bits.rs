//! Bits, most significant first, as the descriptor's syntax tables count them.

/// Reads; everything after the end is `None`.
#[derive(Clone, Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    /// `f(n)`: an unsigned number of `n` <= 32 bits.
    pub fn bits(&mut self, n: u32) -> Option<u32> {
        let end = self.at + n as usize;
        if end > self.bytes.len() * 8 {
            return None;
        }
        let mut value = 0;
        while self.at < end {
            let byte = u32::from(self.bytes[self.at / 8]);
            let used = self.at % 8;
            let take = (8 - used).min(end - self.at);
            let part = byte >> (8 - used - take) & ((1 << take) - 1);
            value = value << take | part;
            self.at += take;
        }
        Some(value)
    }
    pub fn flag(&mut self) -> Option<bool> {
        self.bits(1).map(|b| b == 1)
    }
    /// `ns(n)`: one of `n` >= 1 values, in as few bits as possible.
    pub fn non_symmetric(&mut self, n: u32) -> Option<u32> {
        let (width, short) = non_symmetric_shape(n);
        let value = self.bits(width - 1)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + self.bits(1)?)
    }
}

/// Bits of the longer code words, and how many values have the shorter ones.
fn non_symmetric_shape(n: u32) -> (u32, u32) {
    let width = u32::BITS - n.leading_zeros();
    (width, (1 << width) - n)
}

/// Writes into a buffer; past its end everything is `None`.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl<'a> BitWriter<'a> {
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, at: 0 }
    }
    /// The low `n` <= 32 bits of `value`.
    pub fn bits(&mut self, value: u32, n: u32) -> Option<()> {
        for i in (0..n).rev() {
            let byte = self.bytes.get_mut(self.at / 8)?;
            if self.at.is_multiple_of(8) {
                *byte = 0;
            }
            *byte |= ((value >> i & 1) as u8) << (7 - self.at % 8);
            self.at += 1;
        }
        Some(())
    }
    pub fn flag(&mut self, value: bool) -> Option<()> {
        self.bits(u32::from(value), 1)
    }
    pub fn non_symmetric(&mut self, value: u32, n: u32) -> Option<()> {
        let (width, short) = non_symmetric_shape(n);
        if value < short {
            return self.bits(value, width - 1);
        }
        self.bits(value + short, width)
    }
    /// Whole bytes written, the last one filled with zero bits.
    pub fn len(&self) -> usize {
        self.at.div_ceil(8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_symmetric_numbers_round_trip_for_every_range() {
        for n in 1..=40 {
            for value in 0..n {
                let mut bytes = [0xff; 2];
                BitWriter::new(&mut bytes).non_symmetric(value, n).unwrap();
                assert_eq!(BitReader::new(&bytes).non_symmetric(n), Some(value), "{value} of {n}");
            }
        }
    }

    #[test]
    fn numbers_cross_bytes() {
        let mut bytes = [0xff; 5];
        let mut writer = BitWriter::new(&mut bytes);
        writer.bits(0b101, 3).unwrap();
        writer.bits(0xdead_beef, 32).unwrap();
        assert_eq!(writer.len(), 5);
        assert_eq!(writer.bits(0, 6), None);
        let mut reader = BitReader::new(&bytes);
        assert_eq!((reader.bits(3), reader.bits(32)), (Some(0b101), Some(0xdead_beef)));
        assert_eq!(reader.bits(6), None);
        assert_eq!(reader.bits(5), Some(0));
        assert_eq!(reader.bits(0), Some(0));
    }
}
