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
