//! One state: an object, its checksum in the table, its locks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_session::CallError;
use md5::{Digest, Md5};
use state::backend::remote::{JournalFile, check};
use state::backend::{fence, wait_for_lock};
use state::body::{Body, Bytes};
use state::{
    Codec, HeldLock, Journal, JournalError, LockError, LockId, LockInfo, Renewal, State, StateStore, StoreError,
    WriteCondition,
};

use crate::journal::S3Journal;
use crate::lock::{Locks, Taken};
use crate::objects::{Bucket, If, Object, Replaced};
use crate::service::{Clients, Service};
use crate::table::Table;

/// How long the table may be ahead of the bucket, or behind, and how often both are asked until then.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(2));
/// The same where there is nothing to wait for.
const PATIENCE_HERE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_millis(100));

/// The state of a workspace.
pub(crate) struct S3Store {
    service: Arc<Service>,
    object: String,
    session: Mutex<Session>,
    journal: JournalFile,
    codec: Codec,
}

#[derive(Default)]
struct Session {
    held: Option<Held>,
    /// What was last read or written here.
    seen: Option<Seen>,
}

/// The lock that is held.
#[derive(Clone)]
struct Held {
    info: LockInfo,
    /// The version of the lock file.
    version: Option<String>,
}

/// A version of the object.
#[derive(Clone)]
struct Seen {
    /// What it holds, as a condition.
    content: WriteCondition,
    /// Its name; `None` if there is no object.
    etag: Option<String>,
    /// Its checksum.
    digest: Option<String>,
}

impl S3Store {
    pub(crate) fn new(service: Arc<Service>, workspace: &str) -> S3Store {
        let codec = service.config.codec.for_another();
        let journal = JournalFile::new(&service.config.journal_folder, "s3", workspace, codec.clone());
        S3Store { object: service.config.object(workspace), service, session: Mutex::default(), journal, codec }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bucket<'a>(&'a self, clients: &'a Clients) -> Bucket<'a> {
        Bucket { config: &self.service.config, client: &clients.s3 }
    }

    fn table<'a>(&'a self, clients: &'a Clients) -> Option<Table<'a>> {
        let name = self.service.config.table.as_deref()?;
        Some(Table { name, client: &clients.dynamodb })
    }

    fn place(&self) -> String {
        self.service.place(&self.object)
    }

    fn failed(&self, action: &'static str, error: &CallError) -> StoreError {
        self.service.failed(action, &self.object, error)
    }

    /// The object, once it is the one whose checksum the table has.
    async fn fetch(&self) -> Result<Option<Object>, StoreError> {
        let clients = self.service.clients().await?;
        let (patience, pause) = if clients.loopback { PATIENCE_HERE } else { PATIENCE };
        let start = Instant::now();
        loop {
            let object = self.bucket(clients).get(&self.object).await.map_err(|error| self.failed("read", &error))?;
            let expected = match self.table(clients) {
                // As in Terraform, a table that can't be read keeps nobody from reading the state.
                Some(table) => table.digest(&self.place()).await.unwrap_or_default(),
                None => None,
            };
            let content = object.as_ref().map(|object| &object.content).filter(|content| !content.is_empty());
            let found = content.map(|content| hex::encode(content.md5())).unwrap_or_default();
            match expected.filter(|expected| is_digest(expected)) {
                Some(expected) if object.as_ref().is_some_and(|object| object.replaces.as_ref() == Some(&expected)) => {
                    // It is what replaced the one that the table knows: its writer was killed in between, or is at it.
                    let locked = self.session().held.is_some();
                    if let Some(table) = self.table(clients).filter(|_| locked) {
                        let recorded = table.set_digest(&self.place(), &found).await;
                        recorded.map_err(|error| self.failed("record the checksum of", &error))?;
                    }
                    return Ok(object);
                }
                Some(expected) if expected != found => {
                    if start.elapsed() >= patience {
                        return Err(self.damaged(&found, &expected));
                    }
                    tokio::time::sleep(pause).await;
                }
                _ => return Ok(object),
            }
        }
    }

    fn damaged(&self, found: &str, expected: &str) -> StoreError {
        StoreError::Told(format!(
            "state data in S3 does not have the expected content.\n\nThe checksum calculated for the state stored in S3 does not \
             match the checksum\nstored in DynamoDB.\n\nBucket: {}\nKey:    {}\nCalculated checksum: {found}\nStored checksum:     \
             {expected}\n\nThis may be caused by unusually long delays in S3 processing a previous state\nupdate. Please wait for \
             a minute or two and try again.\n\nIf this problem persists, and neither S3 nor DynamoDB are experiencing an\noutage, \
             you may need to manually verify the remote state and update the Digest\nvalue stored in the DynamoDB table to the \
             following value: {found}\n",
            self.service.config.bucket, self.object
        ))
    }

    /// Reads the state, and notes which version of the object it is.
    async fn look(&self) -> Result<(Option<State>, Seen), StoreError> {
        let object = self.fetch().await?;
        let (content, etag) = object.map_or((Body::default(), None), |object| (object.content, object.etag));
        let digest = etag.as_ref().map(|_| hex::encode(content.md5()));
        let state = self.codec.read_from(content).map_err(|source| StoreError::Read { place: self.place(), source })?;
        let seen = Seen { content: WriteCondition::replacing(state.as_ref()), etag, digest };
        self.session().seen = Some(seen.clone());
        Ok((state, seen))
    }

    /// The version of the object that the condition speaks of.
    async fn version(&self, condition: &WriteCondition) -> Result<Seen, StoreError> {
        let seen = self.session().seen.clone();
        if let Some(seen) = seen.filter(|seen| seen.content == *condition) {
            return Ok(seen);
        }
        let (state, seen) = self.look().await?;
        check(condition, state.as_ref(), &self.place())?;
        Ok(seen)
    }

    /// The checksum by which the table knows a version, if there is a table.
    fn known_to_table(&self, seen: &Seen) -> Option<String> {
        seen.digest.clone().filter(|_| self.service.config.table.is_some())
    }

    /// Replaces the object, if it is the one that the condition speaks of.
    async fn replace(&self, bytes: Bytes, condition: &WriteCondition) -> Result<Option<String>, StoreError> {
        let clients = self.service.clients().await?;
        let bucket = self.bucket(clients);
        let failed = |error: CallError| self.failed("write", &error);
        if *condition == WriteCondition::Any {
            let replaced = self.session().seen.as_ref().and_then(|seen| self.known_to_table(seen));
            let put = bucket.put_after(&self.object, bytes, If::Anything, replaced.as_deref());
            return put.await.map_err(failed);
        }
        let seen = self.version(condition).await?;
        let known = self.known_to_table(&seen);
        let replaced = bucket.replace(&self.object, bytes, seen.etag.as_deref(), known.as_deref());
        let stored = match replaced.await.map_err(failed)? {
            Replaced::Yes(etag) => return Ok(etag),
            Replaced::No(stored) => stored.map_or(Body::default(), |stored| stored.content),
        };
        self.session().seen = None;
        let found = match self.codec.read_from(stored) {
            Ok(state) => WriteCondition::replacing(state.as_ref()).to_string(),
            Err(_) => "something unreadable".to_owned(),
        };
        Err(StoreError::Conflict { place: self.place(), expected: condition.to_string(), found })
    }
}

#[async_trait]
impl StateStore for S3Store {
    async fn read(&self) -> Result<Option<State>, StoreError> {
        Ok(self.look().await?.0)
    }

    async fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError> {
        let bytes = self.codec.write(state).map_err(|source| StoreError::Sealed { place: self.place(), source })?;
        let digest = hex::encode(Md5::digest(&bytes));
        let etag = self.replace(bytes.into(), condition).await?;
        // A server that names no versions has to be asked again.
        self.session().seen = etag.map(|etag| Seen {
            content: WriteCondition::replacing(Some(state)),
            etag: Some(etag),
            digest: Some(digest.clone()),
        });
        let Some(table) = self.table(self.service.clients().await?) else { return Ok(()) };
        table.set_digest(&self.place(), &digest).await.map_err(|error| self.failed("record the checksum of", &error))
    }

    async fn lock(&self, mut info: LockInfo, timeout: Duration) -> Result<LockId, LockError> {
        if self.session().held.is_some() {
            return Err(LockError::AlreadyLocked);
        }
        let locks = Locks::new(&self.service, &self.object).await?;
        info.path = self.place();
        let (locks, base) = (&locks, &info);
        let (info, taken) = wait_for_lock(timeout, |dead| async move {
            let info = LockInfo { created: jiff::Timestamp::now().to_string(), ..base.clone() };
            let taken = locks.take(&info, dead.as_deref()).await?;
            Ok((info, taken))
        })
        .await?;
        let id = info.id.clone();
        let Taken { version, over } = taken;
        *self.session() = Session { held: Some(Held { info, version }), seen: None };
        if over && let Err(error) = fence(self).await {
            self.unlock(&id).await?;
            return Err(error.into());
        }
        Ok(id)
    }

    async fn renew(&self, id: &LockId) -> Result<Renewal, LockError> {
        let held = self.session().held.clone().filter(|held| held.info.id == *id);
        let Some(Held { info: earlier, version }) = held else { return Err(LockError::NotLocked) };
        let Some(lease) = &earlier.lease else { return Ok(Renewal::NotNeeded) };
        let info = LockInfo { lease: Some(lease.renewed(self.service.clock.now())), ..earlier.clone() };
        let locks = Locks::new(&self.service, &self.object).await?;
        let version = locks.renew(&info, &earlier, version.as_deref()).await?;
        self.session().held = Some(Held { info, version });
        Ok(Renewal::Done)
    }

    async fn locks(&self) -> Result<Vec<HeldLock>, LockError> {
        let holders = Locks::new(&self.service, &self.object).await?.held_by().await?;
        let now = self.service.clock.now();
        Ok(holders.into_iter().map(|info| HeldLock::whole(info, now)).collect())
    }

    async fn unlock(&self, id: &LockId) -> Result<(), LockError> {
        match self.session().held.as_ref().map(|held| held.info.id.clone()) {
            Some(held) if held == *id => {}
            Some(held) => return Err(LockError::WrongId { given: id.0.clone(), current: held.0, info: None }),
            None => return Err(LockError::NotLocked),
        }
        Locks::new(&self.service, &self.object).await?.release(&id.0).await?;
        self.session().held = None;
        self.journal.close();
        Ok(())
    }

    async fn force_unlock(&self, id: &LockId) -> Result<(), LockError> {
        Locks::new(&self.service, &self.object).await?.release(&id.0).await
    }

    async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
        self.journal.open_object(S3Journal::beside(self.service.clone(), &self.object)).await
    }

    async fn has_records(&self) -> Result<bool, JournalError> {
        self.journal.has_records(&S3Journal::beside(self.service.clone(), &self.object)).await
    }

    fn is_outdated(&self) -> bool {
        self.codec.is_outdated()
    }
}

/// Whether it is an MD5; anything else in its place is passed over, as in Terraform.
fn is_digest(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
