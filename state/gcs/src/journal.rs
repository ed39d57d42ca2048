//! The journal of a state: an object beside it.

use std::sync::Arc;

use async_trait::async_trait;
use state::JournalError;
use state::journal::object::{JournalObject, StoredJournal};

use crate::config::Config;
use crate::objects::{CallError, Content, NOTHING};

/// The object of a journal; its versions are generations.
pub(crate) struct GcsJournal {
    config: Arc<Config>,
    object: String,
}

impl GcsJournal {
    /// The journal of a state's object.
    pub(crate) fn beside(config: Arc<Config>, object: &str) -> GcsJournal {
        GcsJournal { object: name(object), config }
    }

    fn failed(&self, action: &'static str, error: CallError) -> JournalError {
        JournalError::Remote { action, place: self.place(), reason: error.text }
    }

    fn conflict(&self) -> JournalError {
        JournalError::Conflict { place: self.place() }
    }
}

/// The journal's object of a state's.
pub(crate) fn name(object: &str) -> String {
    format!("{object}.journal")
}

#[async_trait]
impl JournalObject for GcsJournal {
    fn place(&self) -> String {
        self.config.place(&self.object)
    }

    async fn read(&self) -> Result<Option<StoredJournal>, JournalError> {
        match self.config.get(&self.object, Content::State).await {
            Ok(stored) => {
                Ok(stored
                    .map(|stored| StoredJournal { bytes: stored.content.into_bytes(), version: stored.generation }))
            }
            // Somebody's permission may be for the state's own object only.
            Err(error) if error.is_denied() => Err(JournalError::Refused {
                place: self.place(),
                reason: format!(
                    "{}; allow storage.objects.get, storage.objects.create and storage.objects.delete on it",
                    error.text
                ),
            }),
            Err(error) => Err(self.failed("read", error)),
        }
    }

    async fn write(&self, bytes: &[u8], replaced: Option<&str>) -> Result<String, JournalError> {
        let replaced = replaced.unwrap_or(NOTHING);
        let upload = self.config.upload(&self.object, Content::State, |body| {
            body.extend_from_slice(bytes);
            Ok::<_, JournalError>(())
        })?;
        let error = match self.config.put(&upload, Some(replaced)).await {
            Err(error) if error.is_conflict() => error,
            other => return other.map_err(|error| self.failed("write", error)),
        };
        // Its answer may have been lost on its way, and this is the repetition.
        match self.config.get(&self.object, Content::State).await {
            Ok(Some(stored)) if stored.content == *bytes => Ok(stored.generation),
            Ok(_) => Err(self.conflict()),
            Err(_) => Err(self.failed("write", error)),
        }
    }

    async fn delete(&self, version: &str) -> Result<Option<String>, JournalError> {
        match self.config.delete(&self.object, Some(version)).await {
            // The repetition of a request whose answer was lost finds nothing.
            Ok(_) => Ok(None),
            Err(error) if error.is_conflict() => Err(self.conflict()),
            Err(error) if error.is_denied() => self.write(&[], Some(version)).await.map(Some),
            Err(error) => Err(self.failed("settle", error)),
        }
    }
}
