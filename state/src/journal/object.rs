//! Journals in objects of services that know conditional writes: S3, Cloud Storage.

use std::sync::Arc;

use async_trait::async_trait;

use super::JournalError;
use super::lined::{LinedJournal, Medium};
use super::lines::Records;
use crate::codec::Codec;

/// An object that holds a journal.
#[async_trait]
pub trait JournalObject: Send + Sync + 'static {
    /// The object as messages name it.
    fn place(&self) -> String;

    /// What it holds, if it is there.
    async fn read(&self) -> Result<Option<StoredJournal>, JournalError>;

    /// Replaces the version that was read or written last; `None`: there was none. Returns the new version.
    ///
    /// # Errors
    /// [`JournalError::Conflict`] if another version is there: whoever wrote it has the lock.
    async fn write(&self, bytes: &[u8], replaced: Option<&str>) -> Result<String, JournalError>;

    /// Removes this version. Where that is not allowed, it is left empty, with the version that is returned.
    ///
    /// # Errors
    /// As [`JournalObject::write`].
    async fn delete(&self, version: &str) -> Result<Option<String>, JournalError>;
}

/// The content of an object.
pub struct StoredJournal {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The name of this version: an entity tag, a generation.
    pub version: String,
}

/// A journal in an object. A write replaces the whole: what is not settled is small.
pub type ObjectJournal = LinedJournal<ObjectMedium>;

/// The object of a journal.
pub struct ObjectMedium {
    object: Arc<dyn JournalObject>,
    bytes: Vec<u8>,
    version: Option<String>,
}

impl ObjectJournal {
    /// Opens the journal of an earlier run, or a new one, with records that are written so. Nothing is written yet.
    ///
    /// # Errors
    /// What the service says, and damage.
    pub async fn open(object: impl JournalObject, codec: Codec) -> Result<ObjectJournal, JournalError> {
        let stored = object.read().await?;
        let (mut bytes, version) = stored.map_or((Vec::new(), None), |stored| (stored.bytes, Some(stored.version)));
        let (records, length) = Records::parse(object.place(), &bytes, codec)?;
        bytes.truncate(length);
        Ok(LinedJournal::new(records, length > 0, ObjectMedium { object: Arc::new(object), bytes, version }))
    }
}

#[async_trait]
impl Medium for ObjectMedium {
    async fn append(&mut self, mut lines: Vec<u8>) -> Result<(), JournalError> {
        self.bytes.append(&mut lines);
        self.version = Some(self.object.write(&self.bytes, self.version.as_deref()).await?);
        Ok(())
    }

    async fn rewrite(&mut self, lines: Vec<u8>) -> Result<(), JournalError> {
        self.bytes = lines;
        self.version = match &self.version {
            Some(version) if self.bytes.is_empty() => self.object.delete(version).await?,
            version => Some(self.object.write(&self.bytes, version.as_deref()).await?),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
