//! What an apply writes down: the journal before and after every call, the state as it changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lang::addr::{ProviderConfig, ResourceInstance};
use state::{
    DeposedKey, Heart, InstanceObject, Intent, IntentId, Journal, JournalError, LostLock, Outcome, OutputValue,
    Snapshots, State,
};
use tokio::sync::Notify;

use crate::sync::lock;

/// The longest time between two writes of the state. A shorter one would make the writes of a state of gigabytes a larger part of
/// an apply than those of a small one.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The state in the making, its journal and its store.
pub(crate) struct Recorder {
    state: Mutex<State>,
    journal: Arc<dyn Journal>,
    snapshots: tokio::sync::Mutex<Snapshots>,
    /// Keeps the state's lock, if it is held.
    heart: Option<Arc<Heart>>,
    /// Intents whose outcome is in `state` but not yet in the store.
    settling: Mutex<Vec<IntentId>>,
    changed: Notify,
    ended: Notify,
    failure: Mutex<Option<String>>,
    refused: AtomicBool,
}

/// An error with what caused it.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl Recorder {
    /// Starts from a state.
    pub fn new(state: State, snapshots: Snapshots, journal: Arc<dyn Journal>, heart: Option<Arc<Heart>>) -> Recorder {
        Recorder {
            state: Mutex::new(state),
            journal,
            snapshots: tokio::sync::Mutex::new(snapshots),
            heart,
            settling: Mutex::default(),
            changed: Notify::new(),
            ended: Notify::new(),
            failure: Mutex::default(),
            refused: AtomicBool::new(false),
        }
    }

    /// The state as it is now.
    pub fn state(&self) -> State {
        lock(&self.state).clone()
    }

    /// Looks at the state.
    pub fn with_state<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Changes the state; it is stored soon.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut lock(&self.state));
        self.changed.notify_one();
        result
    }

    /// Records an intent; to be awaited before the call goes out. Refused once the state's lock is lost.
    pub async fn intend(&self, intent: Intent) -> Result<IntentId, JournalError> {
        if let Some(heart) = &self.heart {
            heart.confirm().await.map_err(|lost| JournalError::LockLost(lost.reason))?;
        }
        self.written(self.journal.intend(intent)).await
    }

    /// Waits for the journal. A place that let the lock get lost may never answer.
    async fn written<T>(&self, work: impl Future<Output = Result<T, JournalError>>) -> Result<T, JournalError> {
        let Some(heart) = &self.heart else { return work.await };
        heart.bounded(work).await.unwrap_or_else(|lost| Err(JournalError::LockLost(lost.reason)))
    }

    /// Returns how the state's lock was lost, when it is; never, if none is held.
    pub async fn lock_lost(&self) -> LostLock {
        match &self.heart {
            Some(heart) => heart.lost().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the state's lock was lost, and how.
    pub fn is_lock_lost(&self) -> Option<LostLock> {
        self.heart.as_ref()?.is_lost()
    }

    /// Records what a create made so far, durably.
    pub async fn handed_over(
        &self,
        id: IntentId,
        address: &ResourceInstance,
        provider: &ProviderConfig,
        object: Arc<InstanceObject>,
    ) -> Result<(), JournalError> {
        self.change(|state| state.set_current(address, provider, Some(object.clone())));
        self.written(self.journal.handed_over(id, object)).await
    }

    /// Records what a creation made, durably, while more is to be done to it before it has come to its end.
    pub async fn so_far(
        &self,
        id: IntentId,
        address: &ResourceInstance,
        provider: &ProviderConfig,
        object: Arc<InstanceObject>,
    ) -> Result<(), JournalError> {
        self.change(|state| state.set_current(address, provider, Some(object.clone())));
        self.written(self.journal.outcome(id, Outcome::Object(object))).await
    }

    /// Records how an operation ended and what the state holds now. `object`: the instance's object after it.
    pub async fn outcome(
        &self,
        id: IntentId,
        address: &ResourceInstance,
        deposed: Option<&DeposedKey>,
        provider: &ProviderConfig,
        outcome: Outcome,
    ) -> Result<(), JournalError> {
        let object = match &outcome {
            Outcome::Object(object) => Some(Some(object.clone())),
            Outcome::Gone => Some(None),
            Outcome::Failed => None,
        };
        if let Some(object) = object {
            self.change(|state| match deposed {
                Some(key) => state.set_deposed(address, provider, key, object),
                None => state.set_current(address, provider, object),
            });
        }
        let recorded = self.written(self.journal.outcome(id, outcome)).await;
        lock(&self.settling).push(id);
        self.changed.notify_one();
        recorded
    }

    /// Sets or removes a root output.
    pub fn set_output(&self, name: &lang::Str, value: Option<OutputValue>) {
        self.change(|state| match value {
            Some(value) => {
                state.outputs.insert(name.clone(), value);
            }
            None => {
                state.outputs.remove(name);
            }
        });
    }

    /// Stores the state whenever it has changed, until [`Recorder::end`]. False if it can't be stored. A large state is not
    /// written all the time: between two writes passes ten times as long as a write takes; the journal bridges the gap.
    ///
    /// Must not be dropped half-way: a write under way goes on, and its serial would be lost.
    pub async fn keep_storing(&self) -> bool {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = self.ended.notified() => return true,
            }
            let started = Instant::now();
            if !self.store().await {
                return false;
            }
            let pause = (started.elapsed() * 10).min(LONGEST_PAUSE);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.ended.notified() => return true,
            }
        }
    }

    /// Ends [`Recorder::keep_storing`].
    pub fn end(&self) {
        self.ended.notify_one();
    }

    /// Stores the state and settles the journal's records that it now holds. False if it can't be stored.
    pub async fn store(&self) -> bool {
        let mut snapshots = self.snapshots.lock().await;
        let settled = std::mem::take(&mut *lock(&self.settling));
        let state = self.state();
        let saving = snapshots.save(&state);
        let stored = match &self.heart {
            None => Some(saving.await),
            // A store that let the lock get lost may never answer.
            Some(heart) => heart.bounded(saving).await.ok(),
        };
        drop(snapshots);
        match stored {
            Some(Ok(_)) => {
                // A record that stays although the state holds its outcome is settled by the next run.
                let _ = self.written(self.journal.settle(&settled)).await;
                true
            }
            failed => {
                lock(&self.settling).extend(settled);
                let reason = match failed {
                    Some(Err(error)) => causes(&error),
                    _ => "the store does not answer".to_owned(),
                };
                *lock(&self.failure) = Some(reason);
                false
            }
        }
    }

    /// Whether no intent was refused before. What can't be recorded once can't be later: one message does.
    pub fn is_first_refusal(&self) -> bool {
        !self.refused.swap(true, Ordering::Relaxed)
    }

    /// Why the state could not be stored, if it could not.
    pub fn failure(&self) -> Option<String> {
        lock(&self.failure).take()
    }
}
