//! gzip as Go's writer frames it: the data, a flush, and an empty stored block as the last one.

use flate2::{Compress, Compression, Crc, FlushCompress};

/// Magic number, deflate, no flags, no time, no hints, unknown system.
const HEADER: [u8; 10] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
/// A stored block of length zero that is the last; a flush leaves the stream at the border of a byte.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xFF, 0xFF];

/// `bytes` as a gzip member without name and time.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut out = HEADER.to_vec();
    let mut compressor = Compress::new(Compression::default(), false);
    loop {
        out.reserve(bytes.len() / 2 + 256);
        let done = usize::try_from(compressor.total_in()).unwrap_or(usize::MAX);
        let rest = bytes.get(done..).unwrap_or_default();
        let before = (compressor.total_in(), compressor.total_out());
        // Compression into memory does not fail; a full buffer only asks for another round.
        let status = compressor.compress_vec(rest, &mut out, FlushCompress::Sync);
        let stuck = before == (compressor.total_in(), compressor.total_out());
        let flushed = compressor.total_in() == bytes.len() as u64 && out.len() < out.capacity();
        if stuck || flushed || status.is_err() {
            break;
        }
    }
    out.extend_from_slice(&LAST_BLOCK);
    let mut crc = Crc::new();
    crc.update(bytes);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn frames_are_go_s() {
        for (text, expected) in [
            ("", "H4sIAAAAAAAA/wAAAP//AQAA//8AAAAAAAAAAA=="),
            ("é", "H4sIAAAAAAAA/zq8EgAAAP//AQAA//8+jQQOAgAAAA=="),
            ("~/x/../y", "H4sIAAAAAAAA/6rTr9DX09OvBAAAAP//AQAA///VYBYICAAAAA=="),
        ] {
            assert_eq!(STANDARD.encode(compress(text.as_bytes())), expected, "{text}");
        }
        let long: Vec<u8> = (0..300_000u32).flat_map(|i| i.wrapping_mul(i).to_le_bytes()).collect();
        let mut read = Vec::new();
        flate2::read::GzDecoder::new(compress(&long).as_slice()).read_to_end(&mut read).unwrap();
        assert!(read == long);
    }
}
