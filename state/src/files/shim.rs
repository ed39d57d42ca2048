//! A shim for tests: it records what is done to the files of a folder, and can be a full disk. From the record follow the
//! contents that a power loss may leave: what was synchronised, and any part of the rest.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::Op;

/// What was done, by names within the folder.
#[derive(Clone, Debug)]
pub(crate) enum Done {
    Create(String),
    Write {
        name: String,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    Resize {
        name: String,
        length: u64,
    },
    Sync(String),
    Rename {
        from: String,
        to: String,
    },
    Remove(String),
    SyncFolder,
    /// The test was told that something is safe.
    Promise(String),
}

/// Which operations a full disk refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Full {
    Never,
    /// The n-th, and all after it.
    From(usize),
    /// The n-th alone.
    Once(usize),
}

struct Record {
    done: Vec<Done>,
    full: Full,
    count: usize,
}

static RECORDS: Mutex<BTreeMap<PathBuf, Record>> = Mutex::new(BTreeMap::new());

fn records() -> std::sync::MutexGuard<'static, BTreeMap<PathBuf, Record>> {
    RECORDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a folder.
pub(crate) fn watch(folder: &Path, full: Full) {
    records().insert(folder.to_owned(), Record { done: Vec::new(), full, count: 0 });
}

/// What was done in a folder, which is not watched any more.
pub(crate) fn take(folder: &Path) -> Vec<Done> {
    records().remove(folder).map(|record| record.done).unwrap_or_default()
}

/// Notes that something is safe from now on.
pub(crate) fn promise(folder: &Path, text: impl Into<String>) {
    if let Some(record) = records().get_mut(folder) {
        record.done.push(Done::Promise(text.into()));
    }
}

pub(super) fn admit(op: &Op<'_>) -> io::Result<()> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (folder, done) = match op {
        Op::Create(path) => (super::folder(path), Done::Create(name(path))),
        Op::Write { path, at, bytes } => {
            (super::folder(path), Done::Write { name: name(path), at: *at, bytes: bytes.to_vec() })
        }
        Op::Resize { path, length } => (super::folder(path), Done::Resize { name: name(path), length: *length }),
        Op::Sync(path) => (super::folder(path), Done::Sync(name(path))),
        Op::Rename { from, to } => (super::folder(to), Done::Rename { from: name(from), to: name(to) }),
        Op::Remove(path) => (super::folder(path), Done::Remove(name(path))),
        Op::SyncFolder(folder) => (*folder, Done::SyncFolder),
    };
    let mut records = records();
    let Some(record) = records.get_mut(folder) else { return Ok(()) };
    let number = record.count;
    record.count += 1;
    let refused = match record.full {
        Full::Never => false,
        Full::From(first) => number >= first,
        Full::Once(one) => number == one,
    };
    // Nothing takes room but these.
    if refused && matches!(op, Op::Create(_) | Op::Write { .. } | Op::Sync(_)) {
        if let Op::Write { path, at, bytes } = op
            && let Ok(file) = OpenOptions::new().write(true).open(path)
        {
            // A full disk takes what it has room for.
            let at = at.map_or_else(|| file.metadata().map(|metadata| metadata.len()), Ok)?;
            file.write_all_at(&bytes[..bytes.len() / 2], at)?;
        }
        return Err(io::Error::from(io::ErrorKind::StorageFull));
    }
    record.done.push(done);
    Ok(())
}

/// A file's content: what is on the disk, and what is only in memory.
#[derive(Clone, Default)]
struct Content {
    durable: Vec<u8>,
    pending: Vec<Done>,
}

/// The files of a folder after a power loss behind the first `length` operations. `choose` says yes or no whenever something
/// may have reached the disk or not; changes of the folder do in their order, those of files in any.
pub(crate) fn after_power_loss(
    done: &[Done],
    length: usize,
    choose: &mut dyn FnMut() -> bool,
) -> BTreeMap<String, Vec<u8>> {
    let mut contents: Vec<Content> = Vec::new();
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut durable_names = names.clone();
    let mut pending_names: Vec<BTreeMap<String, usize>> = Vec::new();
    for step in &done[..length] {
        match step {
            Done::Create(name) => {
                contents.push(Content::default());
                names.insert(name.clone(), contents.len() - 1);
                pending_names.push(names.clone());
            }
            Done::Write { name, .. } | Done::Resize { name, .. } => {
                contents[names[name]].pending.push(step.clone());
            }
            Done::Sync(name) => {
                let content = &mut contents[names[name]];
                for change in std::mem::take(&mut content.pending) {
                    change.apply(&mut content.durable);
                }
            }
            Done::Rename { from, to } => {
                let content = names.remove(from).unwrap();
                names.insert(to.clone(), content);
                pending_names.push(names.clone());
            }
            Done::Remove(name) => {
                names.remove(name);
                pending_names.push(names.clone());
            }
            Done::SyncFolder => {
                durable_names = names.clone();
                pending_names.clear();
            }
            Done::Promise(_) => {}
        }
    }
    for later in pending_names {
        if !choose() {
            break;
        }
        durable_names = later;
    }
    let content = |number: usize, choose: &mut dyn FnMut() -> bool| {
        let mut bytes = contents[number].durable.clone();
        contents[number].pending.iter().filter(|_| choose()).for_each(|change| change.apply(&mut bytes));
        bytes
    };
    durable_names.into_iter().map(|(name, number)| (name, content(number, choose))).collect()
}

impl Done {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Done::Write { at, bytes: written, .. } => {
                let at = at.map_or(bytes.len(), |at| at as usize);
                bytes.resize(bytes.len().max(at + written.len()), 0);
                bytes[at..at + written.len()].copy_from_slice(written);
            }
            Done::Resize { length, .. } => bytes.resize(*length as usize, 0),
            _ => {}
        }
    }
}
