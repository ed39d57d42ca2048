//! All seeds, as they are and damaged: what a fuzzer starts from must hold on every machine.

use std::path::Path;

/// How many damaged copies of each seed are read.
const COPIES: u64 = 40;

#[test]
fn properties_hold_for_all_seeds() -> std::io::Result<()> {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("seeds");
    for target in fuzz::TARGETS {
        let mut seeds = 0;
        for entry in std::fs::read_dir(folder.join(target.name))? {
            let path = entry?.path();
            let text = std::fs::read(&path)?;
            // shown where a test fails
            println!("{}", path.display());
            (target.run)(&text);
            for copy in 0..COPIES {
                (target.run)(&damaged(&text, copy));
            }
            seeds += 1;
        }
        assert!(seeds > 0, "{} has no seeds", target.name);
    }
    Ok(())
}

/// A copy with a byte changed, a piece left out and a piece doubled; the same for the same number.
fn damaged(text: &[u8], copy: u64) -> Vec<u8> {
    let mut state = (copy + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit.max(1)
    };
    let mut result = text.to_vec();
    let place = below(result.len());
    if let Some(byte) = result.get_mut(place) {
        *byte = b"\"${}%[]()<#\\\n~*.,=:?!&|-0e \xc3"[below(29) % 28];
    }
    let (start, length) = (below(result.len()), below(8));
    result.drain(start..(start + length).min(result.len()));
    let (start, length) = (below(result.len()), below(16));
    let piece = result.get(start..(start + length).min(result.len())).unwrap_or_default().to_vec();
    let place = below(result.len());
    result.splice(place..place, piece);
    result
}
