//! Writing bits, the lowest first.

/// A code of a Huffman table, with its bits already in the order in which they are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    /// Zero for a symbol that has no code.
    pub(super) length: u8,
}

/// Collects bits into bytes.
pub(super) struct BitWriter {
    out: Vec<u8>,
    pending: u64,
    pending_length: u32,
}

impl BitWriter {
    /// Appends to `out`.
    pub(super) fn new(out: Vec<u8>) -> BitWriter {
        BitWriter { out, pending: 0, pending_length: 0 }
    }

    /// Writes the lowest `length` bits of `value`.
    pub(super) fn bits(&mut self, value: u32, length: u32) {
        self.pending |= u64::from(value) << self.pending_length;
        self.pending_length += length;
        while self.pending_length >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.pending_length -= 8;
        }
    }

    pub(super) fn code(&mut self, code: Code) {
        self.bits(u32::from(code.bits), u32::from(code.length));
    }

    /// Writes a stored block; `data` is at most 65535 bytes.
    pub(super) fn stored(&mut self, data: &[u8], last: bool) {
        self.bits(u32::from(last), 3);
        self.align();
        let length = data.len() as u16;
        self.out.extend_from_slice(&length.to_le_bytes());
        self.out.extend_from_slice(&(!length).to_le_bytes());
        self.out.extend_from_slice(data);
    }

    /// What was written, filled up to a whole byte.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.align();
        self.out
    }

    fn align(&mut self) {
        if self.pending_length > 0 {
            self.bits(0, 8 - self.pending_length);
        }
    }
}
