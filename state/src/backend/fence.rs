//! Keeps out a holder that has lost its lock and doesn't know yet.

use super::{StateStore, StoreError, WriteCondition};
use crate::model::{Serial, State};

/// How often the earlier holder may be faster.
const ATTEMPTS: usize = 5;

/// Stores the state once more under the next serial, after its lock was taken over: what the earlier holder may still write
/// is on the condition that the snapshot which it knows is there, and so is refused by the store itself.
///
/// # Errors
/// What the store says.
pub async fn fence(store: &dyn StateStore) -> Result<(), StoreError> {
    let mut attempt = 1;
    loop {
        let stored = store.read().await?;
        let condition = WriteCondition::replacing(stored.as_ref());
        let next = match stored {
            Some(state) => State { serial: state.serial.next(), ..state },
            None => State { serial: Serial(1), ..State::new() },
        };
        match store.write(&next, &condition).await {
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}
