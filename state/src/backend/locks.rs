//! Locks: who holds one, for how long, and why it can't be had.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::TERRAFORM_VERSION;

/// The name of a lock: a random UUID.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockId(pub String);

impl std::fmt::Display for LockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Who holds a lock, and for what. Its JSON is Terraform's, in the same order of keys, with ours behind: Terraform passes over
/// those.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LockInfo {
    /// The lock's name.
    #[serde(rename = "ID")]
    pub id: LockId,
    /// `OperationTypeApply`, `OperationTypePlan` and the like.
    pub operation: String,
    /// Anything more that is worth knowing: reason and job, for those who look with Terraform.
    pub info: String,
    /// `user@host`
    pub who: String,
    /// The version of Terraform that we stand for.
    pub version: String,
    /// When it was taken, RFC 3339 in UTC; the backend sets it.
    pub created: String,
    /// The state's path; the backend sets it.
    pub path: String,
    /// Why it was taken, in its holder's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The address of the CI job that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Until when it holds unless it is renewed; `None`: until it is given back, as Terraform's do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
}

/// For how long a lock holds without a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Lease {
    /// How many seconds after a renewal it ends.
    pub seconds: u64,
    /// How often it was renewed.
    pub beat: u64,
    /// When it was last renewed, by the store's clock, RFC 3339; `None` if the store has not told its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewed: Option<String>,
}

impl Lease {
    /// How long a lease is unless somebody says otherwise: long enough for a store that is slow for a while, short enough to
    /// wait for.
    pub const USUAL: Duration = Duration::from_secs(60);

    /// A lease of whole seconds, one at least.
    pub fn of(length: Duration) -> Lease {
        Lease { seconds: length.as_secs().max(1), ..Lease::default() }
    }

    /// Its length.
    pub fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The lease once more from now, by the store's clock.
    pub fn renewed(&self, now: Option<Timestamp>) -> Lease {
        let renewed = now.map(|now| now.round(jiff::Unit::Second).unwrap_or(now).to_string());
        Lease { seconds: self.seconds, beat: self.beat + 1, renewed }
    }

    /// How long ago it was renewed, if it says when and the store says what time it is.
    pub fn age(&self, now: Option<Timestamp>) -> Option<Duration> {
        let renewed: Timestamp = self.renewed.as_deref()?.parse().ok()?;
        Some(now?.duration_since(renewed).try_into().unwrap_or(Duration::ZERO))
    }
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

    /// The lock as it stands while it is held for some time: with a lease, if it has one.
    pub fn with_lease(mut self, length: Duration) -> LockInfo {
        self.lease = Some(Lease::of(length));
        self
    }

    /// Whether this is the same lock at the same time: of the same name, and not renewed in between.
    pub fn is_as_seen(&self, seen: Option<&LockInfo>) -> bool {
        seen.is_some_and(|seen| seen.id == self.id && seen.lease == self.lease)
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

/// A lock that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLock {
    /// Who holds it.
    pub info: LockInfo,
    /// How long ago it was renewed, by the store's clock, if that is known.
    pub age: Option<Duration>,
    /// The resources that it is about; empty: the whole state.
    pub resources: Vec<String>,
}

impl HeldLock {
    /// A lock on the whole state.
    pub fn whole(info: LockInfo, now: Option<Timestamp>) -> HeldLock {
        let age = info.lease.as_ref().and_then(|lease| lease.age(now));
        HeldLock { info, age, resources: Vec::new() }
    }
}

/// What came of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease has begun anew.
    Done,
    /// The lock holds without: it ends with its process, or the place knows no leases.
    NotNeeded,
}

/// Why a lock can't be taken, kept or given back.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("the state is locked by another run: {reason}")]
    Held {
        /// By whom, if that could be read.
        info: Option<Box<LockInfo>>,
        /// What the system says, e.g. `resource temporarily unavailable`.
        reason: String,
        /// What time it is by the store's clock, if it tells.
        now: Option<Timestamp>,
    },
    /// It was ours, and is not any more.
    #[error("{reason}")]
    Lost {
        /// What became of it.
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

impl LockError {
    /// A lock that was ours and is now another's, or nobody's.
    pub fn lost_to(holder: Option<&LockInfo>) -> LockError {
        let reason = match holder {
            Some(holder) => format!("the lock was taken over by {} (lock {})", holder.who, holder.id),
            None => "the lock was broken by somebody else".to_owned(),
        };
        LockError::Lost { reason }
    }
}
