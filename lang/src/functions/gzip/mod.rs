//! gzip, byte by byte as Go's `compress/gzip` writes it at its default level: what `base64gzip` gives is stored in states and
//! user data, so another encoding of the same text would show as a change.
//!
//! Deflate leaves an encoder free in where it looks for repetitions, how long it searches, where it cuts blocks and which Huffman
//! lengths of equal cost it takes. The choices here are those of Go: `matches` turns bytes into symbols, `block` chooses how a
//! block is written, `huffman` makes its codes.

mod bits;
mod block;
mod huffman;
mod matches;

use bits::BitWriter;
use block::BlockWriter;

/// Magic number, deflate, no flags, no time, no hints, unknown system.
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];

/// `bytes` as a gzip member without name and time: the data, a flush, and an empty stored block as the last one.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut bits = BitWriter::new(HEADER.to_vec());
    let mut writer = BlockWriter::new(&mut bits);
    matches::find(bytes, |symbols, data| writer.write(symbols, data));
    bits.stored(&[], false);
    bits.stored(&[], true);
    let mut out = bits.finish();
    out.extend_from_slice(&crc32fast::hash(bytes).to_le_bytes());
    // The format keeps the length modulo 2^32.
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out
}

/// One thing that a block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    /// A byte as it is.
    Literal(u8),
    /// `length` bytes as they were `distance` bytes before.
    Match { length: u16, distance: u16 },
}

#[cfg(test)]
mod tests;
