//! Base64 as Go reads it: line breaks are skipped, unused bits at the end are ignored, padding is required.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LAX: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The bytes, or `None` where the text is not Base64.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    if text.contains(['\r', '\n']) {
        return LAX.decode(text.replace(['\r', '\n'], "")).ok();
    }
    LAX.decode(text).ok()
}

/// Where Go finds the mistake of a text that is not Base64: the offset of a byte, or of what is left of a group of four.
pub(super) fn corrupt_at(text: &str) -> usize {
    let bytes = text.as_bytes();
    let line_break = |at: usize| matches!(bytes.get(at), Some(b'\r' | b'\n'));
    let (mut at, mut held) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\r' | b'\n' => {}
            b'=' if held > 1 => break,
            byte if alphabet::STANDARD.as_str().as_bytes().contains(byte) => held = (held + 1) % 4,
            _ => return at,
        }
        at += 1;
    }
    if at == bytes.len() {
        return at - held;
    }
    let past_breaks = |at: usize| (at..).find(|at| !line_break(*at)).unwrap_or(at);
    let mut end = at + 1;
    if held == 2 {
        end = past_breaks(end);
        match bytes.get(end) {
            Some(b'=') => end += 1,
            Some(_) => return end - 1,
            None => return end,
        }
    }
    past_breaks(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_where_go_finds_it() {
        let texts = ["a", "ab", "abc", "ab!d", "abcda", "abcd!", "ab=d", "ab==x", "=", "abc=e", "ab=", "a===", "abcd="];
        let expected = [0, 0, 0, 2, 4, 4, 2, 4, 0, 4, 3, 1, 4];
        assert_eq!(texts.map(corrupt_at), expected);
        assert_eq!(["YWJjZ\n", "a\u{e9}==", "abcdef==g"].map(corrupt_at), [5, 1, 8]);
        assert!(texts.iter().all(|text| decode(text).is_none()));
    }
}
