//! Where states live: the interface of backends, locks, and the numbering of snapshots.

pub mod http;
pub mod local;
pub mod pg;
pub mod remote;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::codec::SealError;
use crate::journal::{Journal, JournalError};
use crate::model::{Lineage, Serial, State, TERRAFORM_VERSION};
use crate::v4::ReadError;

/// A place that keeps the states of all workspaces of a configuration.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The workspaces; the default one, which always exists, comes first.
    async fn workspaces(&self) -> Result<Vec<String>, StoreError>;

    /// Makes a workspace exist.
    async fn create_workspace(&self, workspace: &str) -> Result<(), StoreError>;

    /// Removes a workspace with its state.
    async fn delete_workspace(&self, workspace: &str) -> Result<(), StoreError>;

    /// The place of a workspace's state. Nothing is asked of a service yet.
    fn store(&self, workspace: &str) -> Result<Arc<dyn StateStore>, StoreError>;
}

/// A place that keeps the snapshots of one state (one workspace of a backend).
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The newest snapshot; `None` if nothing was stored yet.
    async fn read(&self) -> Result<Option<State>, StoreError>;

    /// Stores a snapshot as it is (see [`Snapshots`] for its serial). When it returns, the snapshot is durable; when
    /// the process dies before, either the old or the new one is there.
    async fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError>;

    /// Takes the lock, trying again until `timeout` has passed (zero: one attempt).
    async fn lock(&self, info: LockInfo, timeout: Duration) -> Result<LockId, LockError>;

    /// Gives the lock of this store back.
    async fn unlock(&self, id: &LockId) -> Result<(), LockError>;

    /// Breaks the lock of another run.
    async fn force_unlock(&self, id: &LockId) -> Result<(), LockError>;

    /// The journal that belongs to the state; to be opened with the lock held.
    async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError>;

    /// Whether what was last read is to be written again although nothing has changed: its key is no longer the one to use.
    fn is_outdated(&self) -> bool {
        false
    }
}

/// What must be stored for a write to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteCondition {
    /// Nothing.
    Absent,
    /// The snapshot that the new one was made from.
    Snapshot {
        /// Its lineage.
        lineage: Lineage,
        /// Its serial.
        serial: Serial,
    },
    /// Anything (`state push -force`).
    Any,
}

impl WriteCondition {
    /// The condition that exactly this is stored.
    pub fn replacing(stored: Option<&State>) -> WriteCondition {
        match stored {
            None => WriteCondition::Absent,
            Some(state) => WriteCondition::Snapshot { lineage: state.lineage.clone(), serial: state.serial },
        }
    }

    /// Whether it holds if this is stored.
    pub fn holds(&self, stored: Option<&State>) -> bool {
        *self == WriteCondition::Any || *self == WriteCondition::replacing(stored)
    }
}

impl std::fmt::Display for WriteCondition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WriteCondition::Absent => f.write_str("no state"),
            WriteCondition::Snapshot { lineage, serial } => write!(f, "serial {serial} of lineage {lineage}"),
            WriteCondition::Any => f.write_str("any state"),
        }
    }
}

/// Why a snapshot can't be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What is stored is no readable state.
    #[error("cannot read the state in `{place}`")]
    Read {
        /// The file or object.
        place: String,
        /// What is wrong with it.
        #[source]
        source: ReadError,
    },
    /// The snapshot can't be encrypted.
    #[error("cannot encrypt the state for `{place}`")]
    Sealed {
        /// The file or object.
        place: String,
        /// Why not.
        #[source]
        source: SealError,
    },
    /// Something else is stored than the condition says: another run wrote in between.
    #[error("the state in `{place}` was changed by another run: expected {expected}, found {found}")]
    Conflict {
        /// The file or object.
        place: String,
        /// The snapshot that was to be replaced.
        expected: String,
        /// The snapshot that is there.
        found: String,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// A step of the write failed half-way; the new snapshot is complete in another file, from which the next run
    /// restores it.
    #[error("cannot write `{}`; the new snapshot is safe in `{}` and is put in place by the next run", .path.display(), .redo.display())]
    Unfinished {
        /// The state file.
        path: PathBuf,
        /// Where the snapshot is.
        redo: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The service that keeps the state refused, or did not answer.
    #[error("cannot {action} the state in `{place}`: {reason}")]
    Remote {
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// The service.
        place: String,
        /// What it said.
        reason: String,
    },
    /// The service can't be asked: no credentials, a role that can't be assumed, an account that is not allowed.
    #[error("{summary}{}{detail}", if .detail.is_empty() { "" } else { "\n\n" })]
    Session {
        /// What is wrong.
        summary: String,
        /// What is known about it.
        detail: String,
    },
    /// What is to be told as it is, in Terraform's words.
    #[error("{0}")]
    Told(String),
    /// The backend keeps one state only.
    #[error("workspaces not supported")]
    NoWorkspaces,
    /// A bug: a task of the program was aborted.
    #[error("the task that accesses the state ended early; this is a bug, please report it")]
    Aborted,
}

/// The name of a lock: a random UUID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockId(pub String);

impl std::fmt::Display for LockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Who holds a lock, and for what. Its JSON is Terraform's, in the same order of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LockInfo {
    /// The lock's name.
    #[serde(rename = "ID")]
    pub id: LockId,
    /// `OperationTypeApply`, `OperationTypePlan` and the like.
    pub operation: String,
    /// Anything more that is worth knowing.
    pub info: String,
    /// `user@host`
    pub who: String,
    /// The version of Terraform that we stand for.
    pub version: String,
    /// When it was taken, RFC 3339 in UTC; the backend sets it.
    pub created: String,
    /// The state's path; the backend sets it.
    pub path: String,
}

impl LockInfo {
    /// A lock of a new name. `operation` is Terraform's name of it (`OperationTypeApply`), `who` is `user@host`.
    pub fn new(operation: impl Into<String>, who: impl Into<String>) -> LockInfo {
        LockInfo {
            id: LockId(uuid::Uuid::new_v4().to_string()),
            operation: operation.into(),
            who: who.into(),
            version: TERRAFORM_VERSION.to_owned(),
            ..LockInfo::default()
        }
    }
}

impl std::fmt::Display for LockInfo {
    /// As Terraform shows it, a line each.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Go prints times its own way.
        let created = match self.created.strip_suffix('Z').and_then(|time| time.split_once('T')) {
            Some((date, time)) => format!("{date} {time} +0000 UTC"),
            None => self.created.clone(),
        };
        write!(
            f,
            "Lock Info:\n  ID:        {}\n  Path:      {}\n  Operation: {}\n  Who:       {}\n  Version:   {}\n  Created:   \
             {created}\n  Info:      {}\n",
            self.id, self.path, self.operation, self.who, self.version, self.info
        )
    }
}

/// Why a lock can't be taken or given back.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("the state is locked by another run: {reason}")]
    Held {
        /// By whom, if that could be read.
        info: Option<Box<LockInfo>>,
        /// What the system says, e.g. `resource temporarily unavailable`.
        reason: String,
    },
    /// This store holds a lock already.
    #[error("the state is already locked by this run")]
    AlreadyLocked,
    /// This store holds no lock.
    #[error("the state is not locked by this run")]
    NotLocked,
    /// The lock has another name.
    #[error("invalid lock id {given:?}, the current one is {current:?}")]
    WrongId {
        /// The name given.
        given: String,
        /// The name of the lock.
        current: String,
        /// Who holds it, if that could be read.
        info: Option<Box<LockInfo>>,
    },
    /// The lock can't be broken: it is another's, or not there.
    #[error("{reason}")]
    NotReleased {
        /// Why not.
        reason: String,
        /// Who holds it, if that could be read.
        info: Option<Box<LockInfo>>,
    },
    /// The lock vanishes with its process and can't be broken.
    #[error("local state cannot be unlocked by another process")]
    NotBreakable,
    /// The lock's files can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store with what is in it: numbers the snapshots, and writes only what differs.
pub struct Snapshots {
    store: Arc<dyn StateStore>,
    stored: Option<State>,
}

impl Snapshots {
    /// Reads what is stored; with the lock held if anything is to be saved.
    pub async fn open(store: Arc<dyn StateStore>) -> Result<Snapshots, StoreError> {
        let stored = store.read().await?;
        Ok(Snapshots { store, stored })
    }

    /// The newest snapshot.
    pub fn stored(&self) -> Option<&State> {
        self.stored.as_ref()
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// Stores the state as the next snapshot of the lineage, unless it is stored as it would be (`false`). The
    /// state's own serial, lineage and version do not matter, but for the lineage of the very first snapshot.
    pub async fn save(&mut self, state: &State) -> Result<bool, StoreError> {
        let is_stored = self.stored.as_ref().is_some_and(|stored| stored.same_content(state));
        if is_stored && !self.store.is_outdated() {
            return Ok(false);
        }
        let mut next = state.clone();
        next.terraform_version = TERRAFORM_VERSION.into();
        match &self.stored {
            Some(stored) => {
                next.serial = stored.serial.next();
                next.lineage = stored.lineage.clone();
            }
            None => next.serial = Serial(1),
        }
        self.store.write(&next, &WriteCondition::replacing(self.stored.as_ref())).await?;
        self.stored = Some(next);
        Ok(true)
    }
}
