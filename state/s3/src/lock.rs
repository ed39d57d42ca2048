//! Locks: a file beside the state, an item of the table, or both, the file first.

use aws_session::CallError;
use state::{LockError, LockInfo};

use crate::objects::{self, Bucket, If};
use crate::service::Service;
use crate::table::{self, Table};

/// The locks of one state.
pub(crate) struct Locks<'a> {
    service: &'a Service,
    /// The object of the state.
    object: &'a str,
    /// The bucket and the name of the lock file.
    file: Option<(Bucket<'a>, String)>,
    table: Option<Table<'a>>,
}

/// Why a lock is not given back, and who holds it.
struct Refusal {
    reason: String,
    holder: Option<Box<LockInfo>>,
}

impl<'a> Locks<'a> {
    pub(crate) async fn new(service: &'a Service, object: &'a str) -> Result<Locks<'a>, LockError> {
        let config = &service.config;
        let clients = service.clients().await?;
        let file = config.lock_file.then(|| (Bucket { config, client: &clients.s3 }, format!("{object}.tflock")));
        let table = config.table.as_deref().map(|name| Table { name, client: &clients.dynamodb });
        Ok(Locks { service, object, file, table })
    }

    /// One attempt to take them.
    pub(crate) async fn take(&self, info: &LockInfo) -> Result<(), LockError> {
        let content = serde_json::to_string(info).unwrap_or_default();
        if let Some((bucket, name)) = &self.file
            && let Err(error) = bucket.put(name, content.as_bytes(), If::Nothing).await
        {
            if !objects::is_conflict(&error) {
                return Err(self.service.failed("lock", self.object, &error).into());
            }
            let holder = self.holder_of_file(bucket, name).await;
            self.unless_ours(info, holder, error)?;
        }
        let Some(table) = &self.table else { return Ok(()) };
        let place = self.service.place(self.object);
        let Err(error) = table.lock(&place, &content).await else { return Ok(()) };
        let result = if table::is_conflict(&error) {
            let holder = table.holder(&place).await.unwrap_or_default();
            self.unless_ours(info, holder, error)
        } else {
            Err(self.service.failed("lock", self.object, &error).into())
        };
        if result.is_err()
            && let Some((bucket, name)) = &self.file
        {
            // What is left behind would keep everybody out; what fails here is told by whoever comes next.
            let _ = bucket.delete(name).await;
        }
        result
    }

    /// A request that is repeated after its answer was lost meets its own lock.
    fn unless_ours(&self, info: &LockInfo, holder: Option<Box<LockInfo>>, error: CallError) -> Result<(), LockError> {
        if holder.as_ref().is_some_and(|holder| holder.id == info.id) {
            return Ok(());
        }
        Err(LockError::Held { info: holder, reason: error.text })
    }

    async fn holder_of_file(&self, bucket: &Bucket<'_>, name: &str) -> Option<Box<LockInfo>> {
        let object = bucket.get(name).await.ok()??;
        serde_json::from_slice(&object.bytes).ok()
    }

    /// Gives them back, or breaks them: those of this id alone.
    pub(crate) async fn release(&self, id: &str) -> Result<(), LockError> {
        let file = match &self.file {
            Some((bucket, name)) => Some(self.release_file(bucket, name, id).await),
            None => None,
        };
        let table = match &self.table {
            Some(table) => Some(self.release_item(table, id).await),
            None => None,
        };
        let both = self.file.is_some() && self.table.is_some();
        let refusal = match (file, table) {
            (Some(Err(file)), Some(Err(table))) => Refusal {
                reason: format!(
                    "failed to unlock both S3 and DynamoDB: S3 error: {}, DynamoDB error: {}",
                    file.reason, table.reason
                ),
                holder: file.holder.or(table.holder),
            },
            (Some(Err(refusal)), _) if both => {
                Refusal { reason: format!("failed to unlock S3: {}", refusal.reason), ..refusal }
            }
            (_, Some(Err(refusal))) if both => {
                Refusal { reason: format!("failed to unlock DynamoDB: {}", refusal.reason), ..refusal }
            }
            (Some(Err(refusal)), _) | (_, Some(Err(refusal))) => refusal,
            _ => return Ok(()),
        };
        Err(LockError::NotReleased { reason: refusal.reason, info: refusal.holder })
    }

    async fn release_file(&self, bucket: &Bucket<'_>, name: &str, id: &str) -> Result<(), Refusal> {
        let refused = |reason: String| Refusal { reason, holder: None };
        let unreadable = |why: &dyn std::fmt::Display| {
            let bucket = &self.service.config.bucket;
            refused(format!("unable to retrieve file from S3 bucket '{bucket}' with key '{name}': {why}"))
        };
        let object = match bucket.get(name).await {
            Ok(Some(object)) => object,
            Ok(None) => return Err(unreadable(&"NoSuchKey: there is no lock")),
            Err(error) => return Err(unreadable(&error)),
        };
        let holder: Box<LockInfo> = serde_json::from_slice(&object.bytes).map_err(|error| unreadable(&error))?;
        if holder.id.0 != id {
            let reason = format!("lock ID '{id}' does not match the existing lock ID '{}'", holder.id);
            return Err(Refusal { reason, holder: Some(holder) });
        }
        bucket.delete(name).await.map_err(|error| refused(error.text))
    }

    async fn release_item(&self, table: &Table<'_>, id: &str) -> Result<(), Refusal> {
        let unreadable = |why: &dyn std::fmt::Display| Refusal {
            reason: format!("failed to retrieve lock info for lock ID {id:?}: {why}"),
            holder: None,
        };
        let place = self.service.place(self.object);
        let holder = match table.holder(&place).await {
            Ok(Some(holder)) => holder,
            Ok(None) => return Err(unreadable(&"there is no lock")),
            Err(error) => return Err(unreadable(&error)),
        };
        if holder.id.0 != id {
            let reason = format!("lock ID {id:?} does not match existing lock ({:?})", holder.id.0);
            return Err(Refusal { reason, holder: Some(holder) });
        }
        table.delete(&place).await.map_err(|error| Refusal { reason: error.text, holder: Some(holder) })
    }
}
