//! Where states live: the interface of backends, locks, and the numbering of snapshots.

mod clock;
mod fence;
mod heart;
pub mod http;
pub mod local;
mod locks;
mod moment;
pub mod pg;
mod pg_journal;
pub mod remote;
mod waiting;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use clock::StoreClock;
pub use fence::fence;
pub use heart::{Heart, LostLock};
pub use locks::{HeldLock, Lease, LockError, LockId, LockInfo, Renewal};
pub use moment::Moment;
pub use waiting::wait_for_lock;

use crate::codec::SealError;
use crate::journal::{Journal, JournalError};
use crate::merge::Parts;
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

    /// Takes the lock, trying again until `timeout` has passed (zero: one attempt). The lock of a holder whose lease has run
    /// out is taken over; a late write of that holder is refused from then on.
    async fn lock(&self, info: LockInfo, timeout: Duration) -> Result<LockId, LockError>;

    /// Makes the lock's lease begin anew. [`Heart`] does so as long as a lock is held.
    async fn renew(&self, _id: &LockId) -> Result<Renewal, LockError> {
        Ok(Renewal::NotNeeded)
    }

    /// Who holds locks on this state, as far as the place tells.
    async fn locks(&self) -> Result<Vec<HeldLock>, LockError>;

    /// Whether several runs can hold parts of the state side by side.
    fn is_divisible(&self) -> bool {
        false
    }

    /// Takes the lock on parts of the state alone, as [`StateStore::lock`] takes the whole. What is changed then goes through
    /// [`StateStore::merge`].
    async fn lock_parts(&self, info: LockInfo, _parts: &Parts, timeout: Duration) -> Result<LockId, LockError> {
        self.lock(info, timeout).await
    }

    /// Stores what differs between two states, as far as it is in the parts that this run holds, on top of the newest
    /// snapshot. Returns the snapshot after that.
    async fn merge(&self, from: &State, to: &State) -> Result<State, StoreError> {
        self.write(to, &WriteCondition::replacing(Some(from))).await?;
        Ok(to.clone())
    }

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

    /// What the user has to know about what was stored here.
    fn warning(&self) -> Option<String> {
        None
    }

    /// Whether a journal may hold something that a run has left, as far as can be told without the lock. A run that is under
    /// way has something in its journal, too.
    async fn has_records(&self) -> Result<bool, JournalError> {
        Ok(true)
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

/// A store with what is in it: numbers the snapshots, and writes only what differs.
pub struct Snapshots {
    store: Arc<dyn StateStore>,
    stored: Option<State>,
    /// What this run last stored, if it holds parts of the state alone: others change the rest.
    own: Option<State>,
}

impl Snapshots {
    /// Reads what is stored; with the lock held if anything is to be saved.
    pub async fn open(store: Arc<dyn StateStore>) -> Result<Snapshots, StoreError> {
        let stored = store.read().await?;
        Ok(Snapshots { store, stored, own: None })
    }

    /// The same with parts of the state locked: what is saved is merged.
    pub async fn open_parts(store: Arc<dyn StateStore>) -> Result<Snapshots, StoreError> {
        let stored = store.read().await?;
        Ok(Snapshots { store, own: Some(stored.clone().unwrap_or_default()), stored })
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
        let last = self.own.as_ref().or(self.stored.as_ref());
        if last.is_some_and(|last| last.same_content(state)) && !self.store.is_outdated() {
            return Ok(false);
        }
        if let Some(own) = &self.own {
            self.stored = Some(self.store.merge(own, state).await?);
            self.own = Some(state.clone());
            return Ok(true);
        }
        let next = following(self.stored.as_ref(), state);
        self.store.write(&next, &WriteCondition::replacing(self.stored.as_ref())).await?;
        self.stored = Some(next);
        Ok(true)
    }
}

/// A state as the snapshot after another one.
pub(crate) fn following(stored: Option<&State>, state: &State) -> State {
    let mut next = state.clone();
    next.terraform_version = TERRAFORM_VERSION.into();
    match stored {
        Some(stored) => {
            next.serial = stored.serial.next();
            next.lineage = stored.lineage.clone();
        }
        None => next.serial = Serial(1),
    }
    next
}
