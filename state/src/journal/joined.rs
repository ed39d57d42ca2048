//! A journal with what is to be known besides it: what an earlier version has left in a file, or why it is not where it
//! should be.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Intent, IntentId, Journal, JournalError, JournalRecord, Outcome};
use crate::model::InstanceObject;

/// A journal, after one that is only read and settled.
pub(crate) struct JoinedJournal {
    earlier: Option<Arc<dyn Journal>>,
    current: Arc<dyn Journal>,
    warning: Option<String>,
}

/// Tells the earlier journal's names from the current one's, which counts from zero.
const EARLIER: u64 = 1 << 63;

impl JoinedJournal {
    pub(crate) fn after(earlier: Arc<dyn Journal>, current: Arc<dyn Journal>) -> JoinedJournal {
        JoinedJournal { earlier: Some(earlier), current, warning: None }
    }

    pub(crate) fn with_warning(current: Arc<dyn Journal>, warning: String) -> JoinedJournal {
        JoinedJournal { earlier: None, current, warning: Some(warning) }
    }

    fn find(&self, id: IntentId) -> (&dyn Journal, IntentId) {
        match &self.earlier {
            Some(earlier) if id.0 & EARLIER != 0 => (earlier.as_ref(), IntentId(id.0 & !EARLIER)),
            _ => (self.current.as_ref(), id),
        }
    }
}

#[async_trait]
impl Journal for JoinedJournal {
    async fn intend(&self, intent: Intent) -> Result<IntentId, JournalError> {
        self.current.intend(intent).await
    }

    async fn handed_over(&self, id: IntentId, object: Arc<InstanceObject>) -> Result<(), JournalError> {
        let (journal, id) = self.find(id);
        journal.handed_over(id, object).await
    }

    async fn outcome(&self, id: IntentId, outcome: Outcome) -> Result<(), JournalError> {
        let (journal, id) = self.find(id);
        journal.outcome(id, outcome).await
    }

    async fn records(&self) -> Result<Vec<JournalRecord>, JournalError> {
        let mut records = match &self.earlier {
            Some(earlier) => earlier.records().await?,
            None => Vec::new(),
        };
        for record in &mut records {
            record.id.0 |= EARLIER;
        }
        records.extend(self.current.records().await?);
        Ok(records)
    }

    async fn settle(&self, settled: &[IntentId]) -> Result<(), JournalError> {
        let (earlier, current): (Vec<IntentId>, Vec<IntentId>) = settled.iter().partition(|id| id.0 & EARLIER != 0);
        if let Some(journal) = &self.earlier {
            let earlier: Vec<IntentId> = earlier.into_iter().map(|id| self.find(id).1).collect();
            journal.settle(&earlier).await?;
        }
        self.current.settle(&current).await
    }

    fn warning(&self) -> Option<String> {
        self.warning.clone()
    }
}
