//! States of tests: they live as long as the run and are never written anywhere.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use state::{
    HeldLock, InstanceObject, Intent, IntentId, Journal, JournalError, JournalRecord, LockError, LockId, LockInfo,
    Outcome, State, StateStore, StoreError, WriteCondition,
};

/// A state in memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<Option<State>>);

impl MemoryStore {
    /// A store that holds a state.
    pub fn holding(state: State) -> MemoryStore {
        MemoryStore(Mutex::new(Some(state)))
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn read(&self) -> Result<Option<State>, StoreError> {
        Ok(self.held().clone())
    }

    async fn write(&self, state: &State, _: &WriteCondition) -> Result<(), StoreError> {
        *self.held() = Some(state.clone());
        Ok(())
    }

    async fn lock(&self, info: LockInfo, _: Duration) -> Result<LockId, LockError> {
        Ok(info.id)
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
        Ok(Arc::new(NoJournal))
    }
}

/// No journal: what a crashed test leaves behind nobody can take up, because its state is gone as well.
pub struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    async fn intend(&self, _: Intent) -> Result<IntentId, JournalError> {
        Ok(IntentId(0))
    }

    async fn handed_over(&self, _: IntentId, _: Arc<InstanceObject>) -> Result<(), JournalError> {
        Ok(())
    }

    async fn outcome(&self, _: IntentId, _: Outcome) -> Result<(), JournalError> {
        Ok(())
    }

    async fn records(&self) -> Result<Vec<JournalRecord>, JournalError> {
        Ok(Vec::new())
    }

    async fn settle(&self, _: &[IntentId]) -> Result<(), JournalError> {
        Ok(())
    }
}
