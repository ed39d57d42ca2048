//! The journal of a local state: a file of lines, appended and synced.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::lined::{LinedJournal, Medium};
use super::lines::Records;
use super::{JournalError, JournalRecord};
use crate::codec::Codec;
use crate::files;

/// A journal in a file. The file is made by the first intent and removed when all are settled.
pub type LocalJournal = LinedJournal<FileMedium>;

/// The file of a journal.
pub struct FileMedium {
    path: PathBuf,
    /// How many of its bytes are good, until it is open.
    length: u64,
    /// Open from the first write on.
    file: Option<File>,
}

impl LocalJournal {
    /// Opens the journal of an earlier run, or a new one. Nothing is written yet: without the lock this only looks.
    ///
    /// # Errors
    /// A file that can't be read or is damaged.
    pub fn open(path: impl Into<PathBuf>) -> Result<LocalJournal, JournalError> {
        LocalJournal::open_with(path, Codec::default())
    }

    /// The same with records that are written so.
    ///
    /// # Errors
    /// As [`LocalJournal::open`].
    pub fn open_with(path: impl Into<PathBuf>, codec: Codec) -> Result<LocalJournal, JournalError> {
        let path = path.into();
        let bytes = files::read(&path).map_err(io_error("read", &path))?.unwrap_or_default();
        let (records, length) = Records::parse(path.display().to_string(), &bytes, codec)?;
        let medium = FileMedium { path, length: length as u64, file: None };
        Ok(LinedJournal::new(records, length > 0, medium))
    }

    /// The records that a journal's content holds.
    ///
    /// # Errors
    /// As [`LocalJournal::open`].
    pub fn parse(path: &Path, bytes: &[u8], codec: &Codec) -> Result<Vec<JournalRecord>, JournalError> {
        Records::parse(path.display().to_string(), bytes, codec.clone()).map(|(records, _)| records.all())
    }
}

#[async_trait]
impl Medium for FileMedium {
    async fn append(&mut self, lines: Vec<u8>) -> Result<(), JournalError> {
        let (path, length, file) = (self.path.clone(), self.length, self.file.take());
        let written = blocking(move || append(&path, length, file, &lines).map_err(io_error("write", &path))).await?;
        self.file = Some(written);
        Ok(())
    }

    async fn rewrite(&mut self, lines: Vec<u8>) -> Result<(), JournalError> {
        // A new file takes the old one's place.
        self.file = None;
        self.length = lines.len() as u64;
        let path = self.path.clone();
        blocking(move || {
            let result = if lines.is_empty() {
                files::remove(&path).and_then(|()| files::sync_folder(files::folder(&path)))
            } else {
                files::replace(&path, &lines)
            };
            result.map_err(io_error("rewrite", &path))
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(JournalError::Aborted))
}

fn append(path: &Path, length: u64, open: Option<File>, lines: &[u8]) -> io::Result<File> {
    if let Some(file) = open {
        files::append(&file, path, lines)?;
        files::sync_data(&file, path)?;
        return Ok(file);
    }
    let file = files::create(OpenOptions::new().append(true).mode(0o600), path)?;
    let found = file.metadata()?.len();
    if found > length {
        // Else what was cut off might come back with a part of the lines behind it.
        files::set_len(&file, path, length)?;
        files::sync(&file, path)?;
    }
    files::append(&file, path, lines)?;
    files::sync(&file, path)?;
    if found == 0 {
        files::sync_folder(files::folder(path))?;
    }
    Ok(file)
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source: Arc::new(source) }
}

#[cfg(test)]
mod tests;
