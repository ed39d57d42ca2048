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

/// What an attempt took.
#[derive(Default)]
pub(crate) struct Taken {
    /// The version of the lock file.
    pub version: Option<String>,
    /// Whether it was taken over from somebody whose lease had run out.
    pub over: bool,
}

fn text(info: &LockInfo) -> String {
    serde_json::to_string(info).unwrap_or_default()
}

/// Who holds a lock, by its text; what is no lock's text reads as nobody.
fn parsed(text: &str) -> Option<Box<LockInfo>> {
    serde_json::from_str(text).ok()
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

    /// One attempt to take them. `dead`: a lock that may be replaced if it is still exactly as it was seen.
    pub(crate) async fn take(&self, info: &LockInfo, dead: Option<&LockInfo>) -> Result<Taken, LockError> {
        let mut taken = Taken::default();
        if let Some((bucket, name)) = &self.file {
            self.take_file(bucket, name, info, dead, &mut taken).await?;
        }
        let Some(table) = &self.table else { return Ok(taken) };
        let result = self.take_item(table, info, dead, &mut taken).await;
        if let (Err(_), Some((bucket, name))) = (&result, &self.file) {
            // What is left behind would keep everybody out; what fails here is told by whoever comes next.
            let _ = bucket.delete(name).await;
        }
        result.map(|()| taken)
    }

    async fn take_file(
        &self,
        bucket: &Bucket<'_>,
        name: &str,
        info: &LockInfo,
        dead: Option<&LockInfo>,
        taken: &mut Taken,
    ) -> Result<(), LockError> {
        let content = text(info);
        let error = match bucket.put(name, content.clone().into(), If::Nothing).await {
            Ok(version) => {
                taken.version = version;
                return Ok(());
            }
            Err(error) if !objects::is_conflict(&error) => return Err(self.failed("lock", &error)),
            Err(error) => error,
        };
        let (holder, version) = self.holder_of_file(bucket, name).await;
        match (&holder, version) {
            // A request that is repeated after its answer was lost meets its own lock.
            (Some(holder), version) if holder.id == info.id => {
                taken.version = version;
                Ok(())
            }
            (Some(holder), Some(version)) if holder.is_as_seen(dead) => {
                match bucket.put(name, content.clone().into(), If::Is(&version)).await {
                    Ok(version) => {
                        *taken = Taken { version, over: true };
                        Ok(())
                    }
                    Err(error) => Err(self.held(Some(holder.clone()), error)),
                }
            }
            _ => Err(self.held(holder, error)),
        }
    }

    async fn take_item(
        &self,
        table: &Table<'_>,
        info: &LockInfo,
        dead: Option<&LockInfo>,
        taken: &mut Taken,
    ) -> Result<(), LockError> {
        let place = self.service.place(self.object);
        let content = text(info);
        let error = match table.lock(&place, &content).await {
            Ok(()) => return Ok(()),
            Err(error) if !table::is_conflict(&error) => return Err(self.failed("lock", &error)),
            Err(error) => error,
        };
        let found = table.info(&place).await.unwrap_or_default();
        let holder = found.as_deref().and_then(parsed);
        match (&holder, found) {
            (Some(holder), _) if holder.id == info.id => Ok(()),
            (Some(holder), Some(found)) if holder.is_as_seen(dead) => {
                let replaced = table.replace(&place, &content, &found).await;
                replaced.map_err(|error| self.held(Some(holder.clone()), error))?;
                taken.over = true;
                Ok(())
            }
            _ => Err(self.held(holder, error)),
        }
    }

    /// Puts a later heartbeat into the locks. `version` is the lock file's; the new one is returned.
    pub(crate) async fn renew(
        &self,
        info: &LockInfo,
        earlier: &LockInfo,
        version: Option<&str>,
    ) -> Result<Option<String>, LockError> {
        let mut renewed = None;
        if let (Some((bucket, name)), Some(version)) = (&self.file, version) {
            renewed = self.renew_file(bucket, name, info, version).await?;
        }
        let Some(table) = &self.table else { return Ok(renewed) };
        let place = self.service.place(self.object);
        let Err(error) = table.replace(&place, &text(info), &text(earlier)).await else { return Ok(renewed) };
        if !table::is_conflict(&error) {
            return Err(self.failed("renew the lock of", &error));
        }
        // An earlier renewal may have been done though its answer was lost.
        let found = table.info(&place).await.map_err(|error| self.failed("renew the lock of", &error))?;
        let holder = found.as_deref().and_then(parsed);
        match (holder.filter(|holder| holder.id == info.id), found) {
            (Some(_), Some(found)) => {
                let replaced = table.replace(&place, &text(info), &found).await;
                replaced.map_err(|error| self.failed("renew the lock of", &error))?;
                Ok(renewed)
            }
            (_, found) => Err(LockError::lost_to(found.as_deref().and_then(parsed).as_deref())),
        }
    }

    async fn renew_file(
        &self,
        bucket: &Bucket<'_>,
        name: &str,
        info: &LockInfo,
        version: &str,
    ) -> Result<Option<String>, LockError> {
        let content = text(info);
        let error = match bucket.put(name, content.clone().into(), If::Is(version)).await {
            Ok(version) => return Ok(version),
            Err(error) => error,
        };
        if objects::is_unknown(&error) {
            // A server without conditional writes: nobody can take the lock over either.
            return Ok(Some(version.to_owned()));
        }
        if !objects::is_conflict(&error) && error.code() != Some("NoSuchKey") {
            return Err(self.failed("renew the lock of", &error));
        }
        let (holder, found) = self.holder_of_file(bucket, name).await;
        match (holder, found) {
            // An earlier renewal was done though its answer was lost.
            (Some(holder), Some(found)) if holder.id == info.id => {
                let put = bucket.put(name, content.clone().into(), If::Is(&found)).await;
                put.map_err(|error| self.failed("renew the lock of", &error))
            }
            (holder, _) => Err(LockError::lost_to(holder.as_deref())),
        }
    }

    /// The locks that there are: the file's and the table's are one if they have one name.
    pub(crate) async fn held_by(&self) -> Result<Vec<LockInfo>, LockError> {
        let mut holders: Vec<LockInfo> = Vec::new();
        if let Some((bucket, name)) = &self.file {
            let object = bucket.get(name).await.map_err(|error| self.failed("read the lock of", &error))?;
            holders.extend(object.map(|object| serde_json::from_reader(object.content).unwrap_or_default()));
        }
        if let Some(table) = &self.table {
            let place = self.service.place(self.object);
            let info = table.info(&place).await.map_err(|error| self.failed("read the lock of", &error))?;
            let holder = info.map(|info| parsed(&info).map_or_else(LockInfo::default, |holder| *holder));
            holders.extend(holder.filter(|holder| holders.iter().all(|other| other.id != holder.id)));
        }
        Ok(holders)
    }

    fn held(&self, holder: Option<Box<LockInfo>>, error: CallError) -> LockError {
        LockError::Held { info: holder, reason: error.text, now: self.service.clock.now() }
    }

    fn failed(&self, action: &'static str, error: &CallError) -> LockError {
        self.service.failed(action, self.object, error).into()
    }

    /// Who holds the lock file, and the version of it.
    async fn holder_of_file(&self, bucket: &Bucket<'_>, name: &str) -> (Option<Box<LockInfo>>, Option<String>) {
        match bucket.get(name).await {
            Ok(Some(object)) => (serde_json::from_reader(object.content).ok(), object.etag),
            _ => (None, None),
        }
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
        let holder: Box<LockInfo> = serde_json::from_reader(object.content).map_err(|error| unreadable(&error))?;
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
        let holder = match table.info(&place).await.map(|info| info.as_deref().and_then(parsed)) {
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
