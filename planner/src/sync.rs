//! Locks that outlive a panicking holder (what they guard is replaced whole, never left half-written), and work on other threads.

use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::task::JoinSet;

/// Locks a mutex.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Locks for reading.
pub fn read<T>(guarded: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    guarded.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Locks for writing.
pub fn write<T>(guarded: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    guarded.write().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Runs a future on whichever thread is free: requests are made and answers decoded side by side. Ends with its caller.
pub async fn parallel<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let mut tasks = JoinSet::new();
    tasks.spawn(future);
    match tasks.join_next().await {
        Some(Ok(value)) => value,
        Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime ends, and this task with it.
        Some(Err(_)) | None => pending().await,
    }
}
