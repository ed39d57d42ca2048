//! Journals of lines, wherever these are kept.
//!
//! Records that arrive while others are made durable are written together by the next write (group commit), so that a
//! hundred parallel creations cost a few syncs or requests, not a hundred.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::lines::{Line, Records};
use super::{Intent, IntentId, Journal, JournalError, JournalRecord, Outcome};
use crate::model::InstanceObject;

/// What keeps the lines.
#[async_trait]
pub trait Medium: Send + 'static {
    /// Adds lines, durably.
    async fn append(&mut self, lines: Vec<u8>) -> Result<(), JournalError>;

    /// Puts these lines in the place of all others, durably. Without lines nothing is left.
    async fn rewrite(&mut self, lines: Vec<u8>) -> Result<(), JournalError>;
}

/// A journal on a medium. The first intent makes it, and it goes when all are settled.
pub struct LinedJournal<M> {
    contents: Arc<Mutex<Contents>>,
    /// Whoever writes holds this.
    medium: Arc<tokio::sync::Mutex<M>>,
}

#[derive(Default)]
struct Contents {
    records: Records,
    /// Whether the medium has a header.
    headed: bool,
    /// Lines that are not on the medium yet.
    buffer: Vec<u8>,
    /// How many lines were ever put into the buffer, and how many of them are durable.
    appended: u64,
    durable: u64,
    /// After a failed write nobody knows what the medium holds: nothing more is accepted.
    broken: Option<JournalError>,
}

impl<M: Medium> LinedJournal<M> {
    /// A journal that begins with the good lines of the medium, which the caller has read.
    pub(super) fn new(records: Records, headed: bool, medium: M) -> LinedJournal<M> {
        let contents = Contents { records, headed, ..Contents::default() };
        LinedJournal { contents: Arc::new(Mutex::new(contents)), medium: Arc::new(tokio::sync::Mutex::new(medium)) }
    }

    /// Puts a line into the buffer, as `change` makes it, and waits until it is durable.
    async fn append<T>(
        &self,
        change: impl FnOnce(&mut Records) -> Result<(Line, T), JournalError>,
    ) -> Result<T, JournalError> {
        let (ticket, value) = {
            let mut contents = lock(&self.contents);
            contents.usable()?;
            let (line, value) = change(&mut contents.records)?;
            // The records have the change already, so that without its line nothing more may follow.
            let line = contents.records.encode(&line).inspect_err(|error| contents.broken = Some(error.clone()))?;
            contents.buffer.extend_from_slice(&line);
            contents.appended += 1;
            (contents.appended, value)
        };
        let medium = self.medium.clone().lock_owned().await;
        if lock(&self.contents).durable < ticket {
            let contents = self.contents.clone();
            // A task of its own, with the guard: a caller that gives up must neither cut a write off nor let two writers in.
            let flushed = tokio::spawn(async move {
                let mut medium = medium;
                flush(&contents, &mut *medium).await
            });
            flushed.await.unwrap_or(Err(JournalError::Aborted))?;
        }
        Ok(value)
    }
}

impl Contents {
    fn usable(&self) -> Result<(), JournalError> {
        self.broken.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Notes how a write ended that made everything durable up to a line.
    fn written(&mut self, result: Result<(), JournalError>, upto: u64) -> Result<(), JournalError> {
        match result {
            Ok(()) => self.durable = upto,
            Err(error) => {
                self.broken = Some(error.clone());
                return Err(error);
            }
        }
        Ok(())
    }
}

fn lock(contents: &Mutex<Contents>) -> MutexGuard<'_, Contents> {
    contents.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes everything durable that is in the buffer.
async fn flush(contents: &Mutex<Contents>, medium: &mut impl Medium) -> Result<(), JournalError> {
    let (lines, upto) = {
        let mut contents = lock(contents);
        contents.usable()?;
        let mut lines = if contents.headed { Vec::new() } else { contents.records.encode(&Line::header())? };
        lines.append(&mut contents.buffer);
        contents.headed = true;
        (lines, contents.appended)
    };
    let result = medium.append(lines).await;
    lock(contents).written(result, upto)
}

/// Everything that is known then, the buffer's lines too, takes the place of what is there.
async fn settle(
    contents: &Mutex<Contents>,
    medium: &mut impl Medium,
    settled: &[IntentId],
) -> Result<(), JournalError> {
    let (lines, upto) = {
        let mut contents = lock(contents);
        contents.usable()?;
        if !contents.records.remove(settled) {
            return Ok(());
        }
        contents.buffer.clear();
        let lines = contents.records.lines()?;
        contents.headed = !lines.is_empty();
        (lines, contents.appended)
    };
    let result = medium.rewrite(lines).await;
    lock(contents).written(result, upto)
}

#[async_trait]
impl<M: Medium> Journal for LinedJournal<M> {
    async fn intend(&self, intent: Intent) -> Result<IntentId, JournalError> {
        self.append(|records| Ok(records.add(intent))).await
    }

    async fn handed_over(&self, id: IntentId, object: Arc<InstanceObject>) -> Result<(), JournalError> {
        self.append(|records| {
            let record = records.get_mut(id)?;
            let line = Line::handed_over(id, &object);
            record.handed_over = Some(object);
            Ok((line, ()))
        })
        .await
    }

    async fn outcome(&self, id: IntentId, outcome: Outcome) -> Result<(), JournalError> {
        self.append(|records| {
            let record = records.get_mut(id)?;
            let line = Line::outcome(id, &outcome);
            record.outcome = Some(outcome);
            Ok((line, ()))
        })
        .await
    }

    async fn records(&self) -> Result<Vec<JournalRecord>, JournalError> {
        Ok(lock(&self.contents).records.all())
    }

    async fn settle(&self, settled: &[IntentId]) -> Result<(), JournalError> {
        let medium = self.medium.clone().lock_owned().await;
        let contents = self.contents.clone();
        let settled = settled.to_vec();
        let rewritten = tokio::spawn(async move {
            let mut medium = medium;
            settle(&contents, &mut *medium, &settled).await
        });
        rewritten.await.unwrap_or(Err(JournalError::Aborted))
    }
}
