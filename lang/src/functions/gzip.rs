//! gzip.

use std::io::Write;

use flate2::{Compression, GzBuilder};

/// `bytes` as a gzip member without name and time.
pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().operating_system(255).write(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.flush());
    written.and_then(|()| encoder.finish()).unwrap_or_default()
}
