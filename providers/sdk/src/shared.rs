//! Reads that several resource types of one refresh share: one paged call answers for all of them.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::context::{Context, Cx};
use crate::error::Result;

/// How long an answer is good for, when nothing is applied in between.
const LIFETIME: Duration = Duration::from_secs(60);

type Answer = Result<Arc<dyn Any + Send + Sync>>;

/// When a question was asked, and its answer once it is there.
type Entry = (Instant, Arc<OnceCell<Answer>>);

/// Answers by key. Forgotten when anything is applied, and after a minute.
#[derive(Default)]
pub struct SharedReads {
    entries: Mutex<HashMap<String, Entry>>,
}

impl SharedReads {
    /// Forgets all answers: something is about to change, or has changed.
    pub fn forget(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn cell(&self, key: &str) -> Arc<OnceCell<Answer>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        entries.retain(|_, (since, _)| now.duration_since(*since) < LIFETIME);
        entries.entry(key.to_owned()).or_insert_with(|| (now, Arc::default())).1.clone()
    }
}

impl<C: Context> Cx<C> {
    /// The answer of `fetch`, which is called once per refresh and key, however many ask at the same time; outside of a
    /// refresh it is called every time. The key names the call and its arguments; a key always has one type.
    pub async fn shared<T, F>(&self, key: &str, fetch: impl FnOnce() -> F + Send) -> Result<Arc<T>>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T>> + Send,
    {
        let Some(shared) = self.shared_reads() else {
            return fetch().await.map(Arc::new);
        };
        let cell = shared.cell(&format!("{key} {}", std::any::type_name::<T>()));
        let answer = cell
            .get_or_init(|| async { fetch().await.map(|answer| Arc::new(answer) as Arc<dyn Any + Send + Sync>) })
            .await
            .clone()?;
        // The key holds the type's name, so this never fails in practice.
        answer.downcast().map_err(|_| crate::Error::new(format!("two types of shared read under the key {key:?}")))
    }
}
