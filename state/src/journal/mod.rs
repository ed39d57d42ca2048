//! The journal: what windlass is about to do to the cloud, and what came of it.
//!
//! Before a mutating call goes out, its *intent* is durable; the new object's id is, before anything is waited for; and
//! after the call, its *outcome*. After a crash, the next run reads the records: an intent without outcome is recovered
//! by the resource type, and an outcome that the state does not hold yet is put into it. Records leave the journal
//! only when a durable state holds what they say.
//!
//! A journal holds values of sensitive attributes. It is stored like the state (mode 0600), and no `Debug` here
//! prints them.

mod joined;
pub mod lined;
mod lines;
pub mod local;
pub mod object;

pub(crate) use joined::JoinedJournal;
pub(crate) use lines::parts;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use lang::addr::{ProviderConfig, ResourceInstance};

use crate::backend::StoreError;
use crate::codec::SealError;
use crate::json::Json;
use crate::model::{Dependencies, DeposedKey, InstanceObject, Lineage, Serial};

/// A place that keeps records until they are settled. All methods may be called concurrently; those that record return
/// when the record is durable.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Records what is about to be done; to be awaited before the call goes out.
    async fn intend(&self, intent: Intent) -> Result<IntentId, JournalError>;

    /// Records what the cloud answered, its id first of all; to be awaited before any waiting. A later one replaces it.
    async fn handed_over(&self, id: IntentId, object: Arc<InstanceObject>) -> Result<(), JournalError>;

    /// Records how it ended. A later outcome replaces it.
    async fn outcome(&self, id: IntentId, outcome: Outcome) -> Result<(), JournalError>;

    /// Everything that is not settled yet, in the order of intents.
    async fn records(&self) -> Result<Vec<JournalRecord>, JournalError>;

    /// The records without outcome: what must be recovered.
    async fn pending(&self) -> Result<Vec<JournalRecord>, JournalError> {
        let mut records = self.records().await?;
        records.retain(|record| record.outcome.is_none());
        Ok(records)
    }

    /// Forgets records: a durable state holds their outcomes. Names the records, because others may get their outcome
    /// while that state is being written.
    async fn settle(&self, settled: &[IntentId]) -> Result<(), JournalError>;

    /// What the user has to know about where it is kept.
    fn warning(&self) -> Option<String> {
        None
    }
}

/// The name of an intent within its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IntentId(pub u64);

/// What is about to be done to one object.
#[derive(Clone, PartialEq)]
pub struct Intent {
    /// The resource instance.
    pub address: ResourceInstance,
    /// Which of its deposed objects, if it is one of those.
    pub deposed: Option<DeposedKey>,
    /// The provider configuration that does it.
    pub provider: ProviderConfig,
    /// What is done.
    pub operation: Operation,
    /// The planned values in cty's JSON, unknown ones left out; may hold sensitive values.
    pub planned: Json,
    /// The token, unique name or tag by which the object is found again.
    pub client_token: Option<String>,
    /// What the object depends on, as the state stores it.
    pub dependencies: Dependencies,
    /// Whether its replacement is made before it is removed.
    pub create_before_destroy: bool,
    /// The lineage of the state that the plan was made from.
    pub lineage: Lineage,
    /// Its serial.
    pub serial: Serial,
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// It is made.
    Create,
    /// It is changed in place.
    Update,
    /// It is destroyed.
    Delete,
}

impl Operation {
    /// `create`, `update` or `delete`.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Delete => "delete",
        }
    }

    fn from_name(name: &str) -> Option<Operation> {
        [Operation::Create, Operation::Update, Operation::Delete]
            .into_iter()
            .find(|operation| operation.as_str() == name)
    }
}

/// How an operation ended.
#[derive(Clone, PartialEq)]
pub enum Outcome {
    /// The object is there, as given (tainted, if it is not complete).
    Object(Arc<InstanceObject>),
    /// There is no object: it was destroyed, or it is certain that it was never made.
    Gone,
    /// The cloud refused; nothing changed.
    Failed,
}

/// An intent and what is known of it.
#[derive(Clone, PartialEq)]
pub struct JournalRecord {
    /// Its name.
    pub id: IntentId,
    /// When it was recorded, RFC 3339 in UTC.
    pub time: String,
    /// What was about to be done.
    pub intent: Intent,
    /// What the cloud last answered.
    pub handed_over: Option<Arc<InstanceObject>>,
    /// How it ended, if that is known.
    pub outcome: Option<Outcome>,
}

impl JournalRecord {
    /// An intent that is recorded now.
    pub(crate) fn new(id: IntentId, intent: Intent) -> JournalRecord {
        JournalRecord { id, time: jiff::Timestamp::now().to_string(), intent, handed_over: None, outcome: None }
    }
}

/// Leaves the values out: they may be sensitive.
impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Intent({} {}", self.operation.as_str(), self.address)?;
        if let Some(deposed) = &self.deposed {
            write!(f, " deposed {deposed}")?;
        }
        f.write_str(")")
    }
}

/// Leaves the values out: they may be sensitive.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Object(_) => "Object(…)",
            Outcome::Gone => "Gone",
            Outcome::Failed => "Failed",
        })
    }
}

/// Leaves the values out: they may be sensitive.
impl fmt::Debug for JournalRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalRecord")
            .field("id", &self.id)
            .field("time", &self.time)
            .field("intent", &self.intent)
            .field("handed_over", &self.handed_over.is_some())
            .field("outcome", &self.outcome)
            .finish()
    }
}

/// Why something can't be recorded or read. An operation whose intent could not be recorded must not be started.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("cannot {action} the journal `{}`", .path.display())]
    Io {
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// The journal's file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// It is of a later version.
    #[error("the journal `{place}` has format version {version}, which is newer than this program supports")]
    FromTheFuture {
        /// The file or object.
        place: String,
        /// The format's version.
        version: u64,
    },
    /// A line is damaged though others follow it, so that it is no write that was cut off: an intent may be missing.
    #[error("the journal `{place}` is damaged in line {line}: {problem}")]
    Damaged {
        /// The file or object.
        place: String,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A record is encrypted and can't be decrypted, or can't be encrypted.
    #[error("cannot {action} the journal `{place}`")]
    Sealed {
        /// What was tried, e.g. `read`.
        action: &'static str,
        /// The file, object or table.
        place: String,
        /// Why it failed.
        #[source]
        source: SealError,
    },
    /// A record can't be written down, or read.
    #[error("the journal cannot hold a record: {0}")]
    Record(String),
    /// The service that keeps it can't be reached.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The service that keeps it gave no good answer.
    #[error("cannot {action} the journal `{place}`: {reason}")]
    Remote {
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// The object or table.
        place: String,
        /// What the service said.
        reason: String,
    },
    /// The service has no place for it that we may use.
    #[error("no journal can be kept in `{place}`: {reason}")]
    Refused {
        /// The object or table.
        place: String,
        /// What the service said.
        reason: String,
    },
    /// Another run has written it since: it has the lock, and this run no longer.
    #[error("the journal `{place}` was changed by another run")]
    Conflict {
        /// The object.
        place: String,
    },
    /// This run must not begin anything more.
    #[error("the state's lock was lost: {0}")]
    LockLost(String),
    /// Nobody knows whether the run that a record is of has ended.
    #[error("cannot find out whether another run is under way: {0}")]
    LockUnknown(String),
    /// The intent was settled before, or never recorded.
    #[error("the journal has no intent {0:?}")]
    Unknown(IntentId),
    /// A bug: a task of the program was aborted.
    #[error("the task that writes the journal ended early; this is a bug, please report it")]
    Aborted,
}

impl From<serde_json::Error> for JournalError {
    fn from(error: serde_json::Error) -> JournalError {
        JournalError::Record(error.to_string())
    }
}

impl From<StoreError> for JournalError {
    fn from(error: StoreError) -> JournalError {
        JournalError::Store(Arc::new(error))
    }
}

#[cfg(test)]
mod tests;
