//! Files that runs leave behind: whatever damage they have, they are read or refused, and what is read is written as it was.

use std::path::Path;

use planner::planfile::{self, SealingKey};
use state::codec::sealed;
use state::journal::local::LocalJournal;
use state::{Codec, v4};

/// Reads a state and writes it again.
pub fn state(text: &[u8]) {
    // what it is, if it is encrypted, can be asked of anything
    let _ = sealed(text);
    let Ok(Some(state)) = v4::read(text) else { return };
    let written = v4::write(&state);
    match v4::read(&written) {
        Ok(Some(again)) => {
            assert!(again == state, "a state is read as it was written");
            assert!(v4::write(&again) == written, "a state is written as it was read");
        }
        other => panic!("a state that was written can be read: {other:?}"),
    }
}

/// Reads the content of a plan and writes it into a file.
pub fn plan(text: &[u8]) {
    let Ok(saved) = planfile::decode(text) else { return };
    let Ok(bytes) = planfile::write(&saved, || Ok::<_, ()>(None)) else { return };
    match planfile::read(&bytes, || None) {
        Ok(again) => assert!(again.workspace == saved.workspace, "a plan is read as it was written"),
        Err(error) => panic!("a plan that was written can be read: {error}"),
    }
}

/// Reads a plan file.
pub fn plan_file(bytes: &[u8]) {
    // what can't be read is refused, and nothing more
    let _ = planfile::read(bytes, || Some(SealingKey([7; 32])));
}

/// Reads lines as the records of a journal: as they are, and with the checksums that they would have.
pub fn journal(text: &[u8]) {
    let mut checked = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        checked.extend_from_slice(format!("{:08x} ", crc32fast::hash(line)).as_bytes());
        checked.extend_from_slice(line);
        checked.push(b'\n');
    }
    for bytes in [text, &checked] {
        let Ok(records) = LocalJournal::parse(Path::new("journal"), bytes, &Codec::default()) else { continue };
        assert!(records.is_sorted_by_key(|record| record.id), "records are in the order of intents");
    }
}
