//! One state: an object, and its lock (`lock.rs`) beside it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use state::backend::remote::{JournalFile, check};
use state::backend::{fence, wait_for_lock};
use state::body::Body;
use state::{
    Codec, HeldLock, Journal, JournalError, LockError, LockId, LockInfo, Renewal, State, StateStore, StoreError,
    WriteCondition,
};

use crate::config::Config;
use crate::journal::GcsJournal;
use crate::lock::{Held, Lock};
use crate::objects::{CallError, Content, NOTHING, Upload};

/// The state of a workspace.
pub(crate) struct GcsStore {
    config: Arc<Config>,
    object: String,
    lock: String,
    session: Mutex<Session>,
    journal: JournalFile,
    codec: Codec,
}

#[derive(Default)]
struct Session {
    /// The lock that is held.
    held: Option<Held>,
    /// What was last read or written here.
    seen: Option<Seen>,
}

/// A content of the object.
#[derive(Clone)]
struct Seen {
    content: WriteCondition,
    generation: String,
}

pub(crate) fn remote(config: &Config, object: &str, action: &'static str, error: &CallError) -> StoreError {
    StoreError::Remote { action, place: config.place(object), reason: error.text.clone() }
}

impl GcsStore {
    pub(crate) fn new(config: Arc<Config>, workspace: &str) -> GcsStore {
        let codec = config.codec.for_another();
        GcsStore {
            object: config.state(workspace),
            lock: config.lock(workspace),
            session: Mutex::default(),
            journal: JournalFile::new(&config.journal_folder, "gcs", workspace, codec.clone()),
            codec,
            config,
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self) -> String {
        self.config.place(&self.object)
    }

    fn failed(&self, action: &'static str, error: &CallError) -> StoreError {
        remote(&self.config, &self.object, action, error)
    }

    /// Reads the state, and notes its generation.
    async fn look(&self) -> Result<(Option<State>, Seen), StoreError> {
        let object = self.config.get(&self.object, Content::State).await.map_err(|e| self.failed("read", &e))?;
        let (content, generation) =
            object.map_or((Body::default(), NOTHING.to_owned()), |object| (object.content, object.generation));
        let state = self.codec.read_from(content).map_err(|source| StoreError::Read { place: self.place(), source })?;
        let seen = Seen { content: WriteCondition::replacing(state.as_ref()), generation };
        self.session().seen = Some(seen.clone());
        Ok((state, seen))
    }

    /// The generation that the condition speaks of.
    async fn generation(&self, condition: &WriteCondition) -> Result<String, StoreError> {
        let seen = self.session().seen.clone();
        if let Some(seen) = seen.filter(|seen| seen.content == *condition) {
            return Ok(seen.generation);
        }
        let (state, seen) = self.look().await?;
        check(condition, state.as_ref(), &self.place())?;
        Ok(seen.generation)
    }

    /// Replaces the object, if it is the one that the condition speaks of.
    async fn replace(&self, upload: &Upload, condition: &WriteCondition) -> Result<String, StoreError> {
        let failed = |error: CallError| self.failed("write", &error);
        if *condition == WriteCondition::Any {
            return self.config.put(upload, None).await.map_err(failed);
        }
        let generation = self.generation(condition).await?;
        let error = match self.config.put(upload, Some(&generation)).await {
            Err(error) if error.is_conflict() => error,
            other => return other.map_err(failed),
        };
        self.session().seen = None;
        // Its answer may have been lost on its way, and this is the repetition.
        let stored = self.config.get(&self.object, Content::State).await.map_err(failed)?;
        let found = match stored {
            Some(stored) if stored.content == *upload.content() => return Ok(stored.generation),
            Some(stored) => match self.codec.read_from(stored.content) {
                Ok(state) => WriteCondition::replacing(state.as_ref()).to_string(),
                Err(_) => "something unreadable".to_owned(),
            },
            None if generation == NOTHING => return Err(failed(error)),
            None => WriteCondition::Absent.to_string(),
        };
        Err(StoreError::Conflict { place: self.place(), expected: condition.to_string(), found })
    }

    fn lock_object(&self) -> Lock<'_> {
        Lock { config: &self.config, object: &self.lock }
    }
}

#[async_trait]
impl StateStore for GcsStore {
    async fn read(&self) -> Result<Option<State>, StoreError> {
        Ok(self.look().await?.0)
    }

    async fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError> {
        let upload = self.config.upload(&self.object, Content::State, |body| self.codec.write_to(state, body));
        let upload = upload.map_err(|error| error.at(self.place()))?;
        let generation = self.replace(&upload, condition).await?;
        self.session().seen = Some(Seen { content: WriteCondition::replacing(Some(state)), generation });
        Ok(())
    }

    async fn lock(&self, mut info: LockInfo, timeout: Duration) -> Result<LockId, LockError> {
        if self.session().held.is_some() {
            return Err(LockError::AlreadyLocked);
        }
        info.path = self.config.place(&self.lock);
        let (lock, base) = (self.lock_object(), &info);
        let (held, over) = wait_for_lock(timeout, |dead| async move {
            let info = LockInfo { created: jiff::Timestamp::now().to_string(), ..base.clone() };
            lock.take(info, dead.as_deref()).await
        })
        .await?;
        let id = held.id.clone();
        *self.session() = Session { held: Some(held), seen: None };
        if over && let Err(error) = fence(self).await {
            self.unlock(&id).await?;
            return Err(error.into());
        }
        Ok(id)
    }

    async fn renew(&self, id: &LockId) -> Result<Renewal, LockError> {
        let held = self.session().held.clone().filter(|held| held.id == *id);
        let held = held.ok_or(LockError::NotLocked)?;
        let Some(renewed) = self.lock_object().renew(&held).await? else { return Ok(Renewal::NotNeeded) };
        self.session().held = Some(renewed);
        Ok(Renewal::Done)
    }

    async fn locks(&self) -> Result<Vec<HeldLock>, LockError> {
        let holder = self.lock_object().holder().await;
        let holder = holder.map_err(|error| remote(&self.config, &self.lock, "read the lock of", &error))?;
        Ok(holder.into_iter().map(|info| HeldLock::whole(*info, self.config.clock.now())).collect())
    }

    async fn unlock(&self, id: &LockId) -> Result<(), LockError> {
        let held = match self.session().held.clone() {
            Some(held) if held.id == *id => held,
            Some(held) => return Err(LockError::WrongId { given: id.0.clone(), current: held.id.0, info: None }),
            None => return Err(LockError::NotLocked),
        };
        self.lock_object().give_back(&held).await?;
        self.session().held = None;
        self.journal.close();
        Ok(())
    }

    async fn force_unlock(&self, id: &LockId) -> Result<(), LockError> {
        self.lock_object().release(id).await
    }

    async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
        self.journal.open_object(GcsJournal::beside(self.config.clone(), &self.object)).await
    }

    async fn has_records(&self) -> Result<bool, JournalError> {
        self.journal.has_records(&GcsJournal::beside(self.config.clone(), &self.object)).await
    }

    fn is_outdated(&self) -> bool {
        self.codec.is_outdated()
    }
}
