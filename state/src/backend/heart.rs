//! The heartbeat of a lock: renews its lease, and notices when it is lost.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::{LockError, LockId, Moment, Renewal, StateStore};

/// Renews a lock's lease four times within its length, until it is stopped or the lock is lost.
pub struct Heart {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Arc<dyn StateStore>,
    id: LockId,
    lease: Duration,
    pulse: watch::Sender<Pulse>,
    stopped: Notify,
    /// One renewal at a time.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
enum Pulse {
    /// The lease began then.
    Renewed(Moment),
    /// The lock holds without renewals.
    Steady,
    Lost(LostLock),
}

/// A lock that was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostLock {
    /// What became of it.
    pub reason: String,
    since: Moment,
}

impl Heart {
    /// Begins to beat, with the lock just taken.
    pub fn start(store: Arc<dyn StateStore>, id: LockId, lease: Duration) -> Heart {
        let shared = Arc::new(Shared {
            store,
            id,
            lease,
            pulse: watch::Sender::new(Pulse::Renewed(Moment::now())),
            stopped: Notify::new(),
            renewing: tokio::sync::Mutex::default(),
        });
        let task = tokio::spawn(shared.clone().beat());
        Heart { shared, task: Mutex::new(Some(task)) }
    }

    /// Makes sure that the lock is still held before something is begun: renews it first if half of its lease has passed,
    /// as after this process was stopped for a while.
    ///
    /// # Errors
    /// The lock was lost.
    pub async fn confirm(&self) -> Result<(), LostLock> {
        loop {
            match self.shared.pulse() {
                Pulse::Steady => return Ok(()),
                Pulse::Lost(lost) => return Err(lost),
                Pulse::Renewed(at) if at.elapsed() < self.shared.lease / 2 => return Ok(()),
                Pulse::Renewed(at) => {
                    self.shared.renew(at).await;
                    if self.shared.is_still(at) {
                        tokio::time::sleep(self.shared.lease / 16).await;
                    }
                }
            }
        }
    }

    /// Returns when the lock is lost, be it long ago.
    pub async fn lost(&self) -> LostLock {
        loop {
            let mut pulses = self.shared.pulse.subscribe();
            // The sender is alive as long as `self`, so that waiting ends by a change alone.
            let found = pulses.wait_for(|pulse| matches!(pulse, Pulse::Lost(_))).await;
            if let Ok(Pulse::Lost(lost)) = found.map(|pulse| pulse.clone()) {
                return lost;
            }
        }
    }

    /// Whether the lock was lost, and how.
    pub fn is_lost(&self) -> Option<LostLock> {
        match self.shared.pulse() {
            Pulse::Lost(lost) => Some(lost),
            _ => None,
        }
    }

    /// Waits for something that needs the store. Once the lock is lost it gets one more lease's time, since a store that has
    /// not answered for so long may never do.
    ///
    /// # Errors
    /// That time has passed.
    pub async fn bounded<T>(&self, work: impl Future<Output = T>) -> Result<T, LostLock> {
        let begun = Moment::now();
        let over = async {
            let lost = self.lost().await;
            tokio::time::sleep(self.shared.lease.saturating_sub(lost.since.max(begun).elapsed())).await;
            lost
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            lost = over => Err(lost),
        }
    }

    /// Stops, and waits for a renewal that is under way: it must not come after the lock is given back.
    pub async fn stop(&self) {
        self.shared.stopped.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It ends by itself, unless the runtime does.
            let _ = task.await;
        }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Shared {
    fn pulse(&self) -> Pulse {
        self.pulse.borrow().clone()
    }

    /// Whether the lease is the one that began then.
    fn is_still(&self, before: Moment) -> bool {
        matches!(self.pulse(), Pulse::Renewed(at) if at == before)
    }

    /// The first renewal comes at once: only now the store has told its time, which a lock must have for others to see by it
    /// that its holder has died.
    async fn beat(self: Arc<Self>) {
        loop {
            let Pulse::Renewed(before) = self.pulse() else { return };
            self.renew(before).await;
            let pause = if self.is_still(before) { self.lease / 16 } else { self.lease / 4 };
            tokio::select! {
                () = self.stopped.notified() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Renews the lease that began at `before`, unless that was done meanwhile.
    async fn renew(&self, before: Moment) {
        let _guard = self.renewing.lock().await;
        if !self.is_still(before) {
            return;
        }
        let begun = Moment::now();
        // A store that does not answer any more must not keep its holder believing.
        let patience = self.lease.saturating_sub(before.elapsed()).max(self.lease / 8);
        let reason = match tokio::time::timeout(patience, self.store.renew(&self.id)).await {
            Ok(Ok(Renewal::Done)) => {
                self.pulse.send_replace(Pulse::Renewed(begun));
                return;
            }
            Ok(Ok(Renewal::NotNeeded)) => {
                self.pulse.send_replace(Pulse::Steady);
                return;
            }
            Ok(Err(LockError::Lost { reason })) => reason,
            Ok(Err(_)) if before.elapsed() < self.lease => return,
            Ok(Err(error)) => {
                format!("the lock could not be renewed for {} seconds: {error}", before.elapsed().as_secs())
            }
            Err(_) => format!("the lock could not be renewed for {} seconds: no answer", before.elapsed().as_secs()),
        };
        self.pulse.send_replace(Pulse::Lost(LostLock { reason, since: Moment::now() }));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::backend::{HeldLock, LockInfo, StoreError, WriteCondition};
    use crate::journal::{Journal, JournalError};
    use crate::model::State;

    /// What a store says to the renewals after so many.
    #[derive(Clone, Copy)]
    enum Then {
        Lost,
        Silence,
        NotNeeded,
    }

    struct Store {
        good: usize,
        then: Then,
        asked: AtomicUsize,
    }

    #[async_trait]
    impl StateStore for Store {
        async fn read(&self) -> Result<Option<State>, StoreError> {
            Ok(None)
        }

        async fn write(&self, _: &State, _: &WriteCondition) -> Result<(), StoreError> {
            Ok(())
        }

        async fn lock(&self, info: LockInfo, _: Duration) -> Result<LockId, LockError> {
            Ok(info.id)
        }

        async fn renew(&self, _: &LockId) -> Result<Renewal, LockError> {
            if self.asked.fetch_add(1, Ordering::SeqCst) < self.good {
                return Ok(Renewal::Done);
            }
            match self.then {
                Then::Lost => Err(LockError::lost_to(None)),
                Then::Silence => std::future::pending().await,
                Then::NotNeeded => Ok(Renewal::NotNeeded),
            }
        }

        async fn locks(&self) -> Result<Vec<HeldLock>, LockError> {
            Ok(Vec::new())
        }

        async fn unlock(&self, _: &LockId) -> Result<(), LockError> {
            Ok(())
        }

        async fn force_unlock(&self, _: &LockId) -> Result<(), LockError> {
            Ok(())
        }

        async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
            Err(JournalError::Aborted)
        }
    }

    fn heart(good: usize, then: Then, lease: Duration) -> Heart {
        let store = Arc::new(Store { good, then, asked: AtomicUsize::new(0) });
        Heart::start(store, LockId("a".to_owned()), lease)
    }

    #[tokio::test]
    async fn a_lock_that_another_has_is_lost() {
        let heart = heart(2, Then::Lost, Duration::from_millis(80));
        let lost = heart.lost().await;
        assert_eq!(lost.reason, "the lock was broken by somebody else");
        assert_eq!(heart.confirm().await, Err(lost.clone()));
        assert_eq!(heart.is_lost(), Some(lost.clone()));
        // What still works goes through; what hangs is given up.
        assert_eq!(heart.bounded(async { 1 }).await, Ok(1));
        assert_eq!(heart.bounded(std::future::pending::<()>()).await, Err(lost));
        heart.stop().await;
    }

    #[tokio::test]
    async fn a_lock_whose_store_is_silent_for_a_lease_is_lost() {
        let heart = heart(1, Then::Silence, Duration::from_millis(80));
        assert!(heart.lost().await.reason.ends_with("no answer"));
        assert!(heart.confirm().await.is_err());
    }

    #[tokio::test]
    async fn a_lock_that_needs_no_renewal_is_held() {
        let heart = heart(0, Then::NotNeeded, Duration::from_millis(10));
        assert_eq!(heart.bounded(async { 1 }).await, Ok(1));
        assert_eq!(heart.confirm().await, Ok(()));
        assert_eq!(heart.is_lost(), None);
        heart.stop().await;
    }
}
