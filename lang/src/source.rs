//! Source files and places in them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};

use unicode_segmentation::UnicodeSegmentation;

/// Names a file of [`Sources`]. `FileId::NONE` stands for text that has no file (a command line argument, say).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

impl FileId {
    /// No file.
    pub const NONE: FileId = FileId(u32::MAX);
}

/// A half-open range of bytes in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Range {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Range {
    /// The place of what has no place.
    pub const NONE: Range = Range { file: FileId::NONE, start: 0, end: 0 };

    /// The place of what should have one, but none is known: it is shown as line 0 of a file without a name.
    pub const LOST: Range = Range { file: FileId::NONE, start: 0, end: 1 };

    /// A range of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Range {
        Range { file, start: start as u32, end: end as u32 }
    }

    /// The smallest range that holds both. Keeps `self`'s file.
    pub fn to(self, other: Range) -> Range {
        Range { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The empty range at the start of this one.
    pub fn at_start(self) -> Range {
        Range { end: self.start, ..self }
    }

    /// The empty range at the end of this one.
    pub fn at_end(self) -> Range {
        Range { start: self.end, ..self }
    }
}

/// A place for people: lines and columns count from 1, columns in grapheme clusters as HCL counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in grapheme clusters, from 1.
    pub column: usize,
    /// Byte offset in the file, from 0.
    pub byte: usize,
}

/// One file: its name as diagnostics show it (relative to the working directory) and its text.
#[derive(Debug)]
pub struct Source {
    /// The name that diagnostics show.
    pub name: PathBuf,
    /// The bytes as read; not necessarily UTF-8.
    pub bytes: Arc<[u8]>,
    /// Whether diagnostics leave the text out: what comes from a command line or the environment may be a secret.
    pub is_private: bool,
    line_starts: OnceLock<Vec<u32>>,
}

impl Source {
    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let breaks = self.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i as u32 + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }

    /// Line and column of a byte offset; offsets beyond the end are clamped.
    pub fn position(&self, byte: u32) -> Position {
        let byte = (byte as usize).min(self.bytes.len());
        let starts = self.line_starts();
        let line = starts.partition_point(|s| *s as usize <= byte);
        let start = starts[line - 1] as usize;
        let before = String::from_utf8_lossy(&self.bytes[start..byte]);
        // HCL's scanner does not count a byte order mark as a column.
        let before = if start == 0 { before.trim_start_matches('\u{feff}') } else { &before };
        let mut column = before.graphemes(true).count() + 1;
        if self.name.extension().is_some_and(|extension| extension == "json") {
            // HCL's JSON scanner counts a tab as two columns.
            column += before.bytes().filter(|b| *b == b'\t').count();
        }
        Position { line, column, byte }
    }

    /// A range of this file as text, for messages: `main.tf:3,1-9`, or `main.tf:3,1-4,2` over several lines.
    pub fn place(&self, range: Range) -> String {
        let (start, end) = (self.position(range.start), self.position(range.end));
        let name = self.name.display();
        if start.line == end.line {
            format!("{name}:{},{}-{}", start.line, start.column, end.column)
        } else {
            format!("{name}:{},{}-{},{}", start.line, start.column, end.line, end.column)
        }
    }

    /// The text of a line (from 1), without its line break.
    pub fn line(&self, line: usize) -> String {
        let starts = self.line_starts();
        let Some(start) = line.checked_sub(1).and_then(|i| starts.get(i)) else { return String::new() };
        let end = starts.get(line).map_or(self.bytes.len(), |e| *e as usize);
        String::from_utf8_lossy(&self.bytes[*start as usize..end]).trim_end_matches(['\n', '\r']).to_owned()
    }

    /// How many lines the file has.
    pub fn line_count(&self) -> usize {
        self.line_starts().len()
    }
}

/// Every file that a run has read; shared by parser and renderer. Cloning shares the table.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Arc<RwLock<Vec<Arc<Source>>>>,
}

impl Sources {
    /// An empty table.
    pub fn new() -> Sources {
        Sources::default()
    }

    /// Adds a file and returns its id.
    pub fn add(&self, name: impl AsRef<Path>, bytes: impl Into<Arc<[u8]>>) -> FileId {
        self.insert(name.as_ref(), bytes.into(), false)
    }

    /// Adds a text that diagnostics must not show, and returns its id.
    pub fn add_private(&self, name: impl AsRef<Path>, bytes: impl Into<Arc<[u8]>>) -> FileId {
        self.insert(name.as_ref(), bytes.into(), true)
    }

    fn insert(&self, name: &Path, bytes: Arc<[u8]>, is_private: bool) -> FileId {
        let source = Source { name: name.to_owned(), bytes, is_private, line_starts: OnceLock::new() };
        let mut files = self.files.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        files.push(Arc::new(source));
        FileId(files.len() as u32 - 1)
    }

    /// All files so far, in the order in which they were added.
    pub fn all(&self) -> Vec<Arc<Source>> {
        self.files.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// The file of an id; `None` for [`FileId::NONE`].
    pub fn get(&self, file: FileId) -> Option<Arc<Source>> {
        let files = self.files.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        files.get(file.0 as usize).cloned()
    }
}
