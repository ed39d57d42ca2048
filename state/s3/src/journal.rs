//! The journal of a state: an object beside it.

use std::sync::Arc;

use async_trait::async_trait;
use aws_session::CallError;
use state::JournalError;
use state::body::Bytes;
use state::journal::object::{JournalObject, StoredJournal};

use crate::objects::{self, Bucket, Object, Replaced};
use crate::service::{Clients, Service};

/// The object of a journal.
pub(crate) struct S3Journal {
    service: Arc<Service>,
    key: String,
}

impl S3Journal {
    /// The journal of a state's object.
    pub(crate) fn beside(service: Arc<Service>, object: &str) -> S3Journal {
        S3Journal { key: key(object), service }
    }

    fn bucket<'a>(&'a self, clients: &'a Clients) -> Bucket<'a> {
        Bucket { config: &self.service.config, client: &clients.s3 }
    }

    fn failed(&self, action: &'static str, error: &CallError) -> JournalError {
        JournalError::Remote { action, place: self.place(), reason: error.to_string() }
    }

    fn conflict(&self) -> JournalError {
        JournalError::Conflict { place: self.place() }
    }

    /// The version of what was written; a server that names none is asked for it.
    async fn version(&self, bucket: &Bucket<'_>, etag: Option<String>) -> Result<String, JournalError> {
        if let Some(etag) = etag {
            return Ok(etag);
        }
        let stored = bucket.get(&self.key).await.map_err(|error| self.failed("read", &error))?;
        Ok(stored.and_then(|object| object.etag).unwrap_or_default())
    }
}

/// The journal's object of a state's.
pub(crate) fn key(object: &str) -> String {
    format!("{object}.journal")
}

#[async_trait]
impl JournalObject for S3Journal {
    fn place(&self) -> String {
        self.service.place(&self.key)
    }

    async fn read(&self) -> Result<Option<StoredJournal>, JournalError> {
        let clients = self.service.clients().await?;
        match self.bucket(clients).get(&self.key).await {
            Ok(Some(Object { content, etag, .. })) => {
                Ok(Some(StoredJournal { bytes: content.into_bytes(), version: etag.unwrap_or_default() }))
            }
            Ok(None) => Ok(None),
            // Terraform's users often may read and write the state's own object only.
            Err(error) if objects::is_denied(&error) => Err(JournalError::Refused {
                place: self.place(),
                reason: format!("{error}; allow s3:GetObject, s3:PutObject and s3:DeleteObject on it"),
            }),
            Err(error) => Err(self.failed("read", &error)),
        }
    }

    async fn write(&self, bytes: &[u8], replaced: Option<&str>) -> Result<String, JournalError> {
        let bucket = self.bucket(self.service.clients().await?);
        match bucket
            .replace(&self.key, Bytes::copy_from_slice(bytes), replaced, None)
            .await
            .map_err(|error| self.failed("write", &error))?
        {
            Replaced::Yes(etag) => self.version(&bucket, etag).await,
            Replaced::No(_) => Err(self.conflict()),
        }
    }

    async fn delete(&self, version: &str) -> Result<Option<String>, JournalError> {
        let bucket = self.bucket(self.service.clients().await?);
        match bucket.delete_version(&self.key, version).await {
            Ok(true) => Ok(None),
            Ok(false) => Err(self.conflict()),
            Err(error) if objects::is_denied(&error) => self.write(&[], Some(version)).await.map(Some),
            Err(error) => Err(self.failed("settle", &error)),
        }
    }
}
