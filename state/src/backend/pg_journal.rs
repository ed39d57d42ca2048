//! The journal of states in PostgreSQL: a table beside theirs, with a row for each record.
//!
//! It has a connection of its own, so that records don't wait for a large state that is being written. A lost one is not
//! made anew: with it went the lock's, and somebody else may be at work.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::LockId;
use super::pg::tables::MAKING;
use super::pg::{Database, reason};
use crate::codec::{Codec, SealError};
use crate::journal::{Intent, IntentId, Journal, JournalError, JournalRecord, Outcome, parts};
use crate::model::InstanceObject;

/// The journal of a workspace.
pub(super) struct PgJournal {
    client: Client,
    /// The table's name, quoted.
    table: String,
    place: String,
    workspace: String,
    /// The lock under which records are written.
    lock: Option<String>,
    reads: Records,
    codec: Codec,
}

/// Which records a run sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Records {
    /// All: nobody else is at work.
    All,
    /// Its own: others that hold other parts of the state write theirs beside them.
    OfThisRun,
}

/// The locks under which a workspace's records were written; none for a run without a lock.
pub(super) async fn writers(database: &Database, workspace: &str) -> Result<Vec<Option<LockId>>, JournalError> {
    let (client, _) = database.connect().await?;
    let table = table(database);
    let failed = |error: Error| JournalError::Remote {
        action: "read",
        place: format!("the table journal of {}", database.place()),
        reason: reason(&error),
    };
    if !exists(&client, &table).await.map_err(failed)? {
        return Ok(Vec::new());
    }
    let query = format!("SELECT DISTINCT lock FROM {table} WHERE workspace = $1");
    let rows = client.query(&query, &[&workspace]).await.map_err(failed)?;
    rows.iter().map(|row| Ok(row.try_get::<_, Option<String>>(0).map_err(failed)?.map(LockId))).collect()
}

/// The table of a schema, quoted.
fn table(database: &Database) -> String {
    format!("{}.journal", database.schema)
}

async fn exists(client: &Client, table: &str) -> Result<bool, Error> {
    client.query_one("SELECT to_regclass($1::text) IS NOT NULL", &[&table]).await?.try_get(0)
}

/// Removes the records of a workspace that is deleted.
pub(super) async fn forget(client: &Client, database: &Database, workspace: &str) -> Result<(), Error> {
    let table = table(database);
    if exists(client, &table).await? {
        client.execute(&format!("DELETE FROM {table} WHERE workspace = $1"), &[&workspace]).await?;
    }
    Ok(())
}

impl PgJournal {
    /// Opens the journal of a workspace, and makes its table if need be.
    pub async fn open(
        database: &Database,
        workspace: &str,
        lock: Option<LockId>,
        reads: Records,
        codec: Codec,
    ) -> Result<Arc<dyn Journal>, JournalError> {
        let (client, _) = database.connect().await?;
        let journal = PgJournal {
            client,
            table: table(database),
            place: format!("the table journal of {}", database.place()),
            workspace: workspace.to_owned(),
            lock: lock.map(|lock| lock.0),
            reads,
            codec,
        };
        journal.make_table(database.make_table).await?;
        Ok(Arc::new(journal))
    }

    async fn make_table(&self, allowed: bool) -> Result<(), JournalError> {
        let refused = |reason: String| JournalError::Refused { place: self.place.clone(), reason };
        if exists(&self.client, &self.table).await.map_err(|error| self.failed("look for", &error))? {
            return Ok(());
        }
        let statement = format!(
            "CREATE TABLE IF NOT EXISTS {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace text NOT NULL, \
             lock text, intent json NOT NULL, handed_over json, outcome json)",
            self.table
        );
        if !allowed {
            return Err(refused(format!(
                "there is no such table, and skip_table_creation is set. Make it: {statement}"
            )));
        }
        match self.client.batch_execute(&format!("{MAKING}; {statement}")).await {
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Err(refused(reason(&error))),
            other => other.map_err(|error| self.failed("make", &error)),
        }
    }

    fn failed(&self, action: &'static str, error: &Error) -> JournalError {
        JournalError::Remote { action, place: self.place.clone(), reason: reason(error) }
    }

    fn sealed_error(&self, action: &'static str, source: SealError) -> JournalError {
        JournalError::Sealed { action, place: self.place.clone(), source }
    }

    /// A part of a record as it is stored.
    fn seal(&self, part: String) -> Result<String, JournalError> {
        let stored = self.codec.seal_record(part.as_bytes()).map_err(|source| self.sealed_error("write", source))?;
        Ok(String::from_utf8_lossy(&stored).into_owned())
    }

    fn open_part(&self, stored: Option<&str>) -> Result<Option<String>, JournalError> {
        let opened = stored.map(|stored| self.codec.open_record(stored.as_bytes())).transpose();
        let opened = opened.map_err(|source| self.sealed_error("read", source))?;
        Ok(opened.map(|part| String::from_utf8_lossy(&part).into_owned()))
    }

    /// Puts a part of a record into its column.
    async fn set(&self, column: &str, id: IntentId, part: String) -> Result<(), JournalError> {
        let part = self.seal(part)?;
        let statement = format!("UPDATE {} SET {column} = $3::text::json WHERE workspace = $1 AND id = $2", self.table);
        let changed = self.client.execute(&statement, &[&self.workspace, &number(id), &part]).await;
        match changed.map_err(|error| self.failed("write", &error))? {
            0 => Err(JournalError::Unknown(id)),
            _ => Ok(()),
        }
    }
}

/// As the database has it.
fn number(id: IntentId) -> i64 {
    id.0.cast_signed()
}

#[async_trait]
impl Journal for PgJournal {
    async fn intend(&self, intent: Intent) -> Result<IntentId, JournalError> {
        let statement = format!(
            "INSERT INTO {} (workspace, lock, intent) VALUES ($1, $2, $3::text::json) RETURNING id",
            self.table
        );
        let part = self.seal(parts::intent(intent)?)?;
        let failed = |error: Error| self.failed("write", &error);
        let row = self.client.query_one(&statement, &[&self.workspace, &self.lock, &part]).await.map_err(failed)?;
        let id: i64 = row.try_get(0).map_err(failed)?;
        Ok(IntentId(id.cast_unsigned()))
    }

    async fn handed_over(&self, id: IntentId, object: Arc<InstanceObject>) -> Result<(), JournalError> {
        self.set("handed_over", id, parts::handed_over(&object)?).await
    }

    async fn outcome(&self, id: IntentId, outcome: Outcome) -> Result<(), JournalError> {
        self.set("outcome", id, parts::outcome(&outcome)?).await
    }

    async fn records(&self) -> Result<Vec<JournalRecord>, JournalError> {
        let query = format!(
            "SELECT id, intent::text, handed_over::text, outcome::text FROM {} WHERE workspace = $1 AND ($2 OR lock = $3) ORDER \
             BY id",
            self.table
        );
        let all = self.reads == Records::All;
        let failed = |error: Error| self.failed("read", &error);
        let mut records = Vec::new();
        let rows = self.client.query(&query, &[&self.workspace, &all, &self.lock]).await.map_err(failed)?;
        for (index, row) in rows.iter().enumerate() {
            let id: i64 = row.try_get(0).map_err(failed)?;
            let part = |column: usize| self.open_part(row.try_get(column).map_err(failed)?);
            let [intent, handed_over, outcome] = [part(1)?, part(2)?, part(3)?];
            let parts = [
                ("intent", intent.as_deref()),
                ("handed_over", handed_over.as_deref()),
                ("outcome", outcome.as_deref()),
            ];
            let record = parts::record(IntentId(id.cast_unsigned()), parts);
            records.push(record.map_err(|problem| JournalError::Damaged {
                place: self.place.clone(),
                line: index + 1,
                problem,
            })?);
        }
        Ok(records)
    }

    async fn settle(&self, settled: &[IntentId]) -> Result<(), JournalError> {
        if settled.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i64> = settled.iter().copied().map(number).collect();
        let statement = format!("DELETE FROM {} WHERE workspace = $1 AND id = ANY($2)", self.table);
        let deleted = self.client.execute(&statement, &[&self.workspace, &numbers]).await;
        deleted.map(drop).map_err(|error| self.failed("settle", &error))
    }
}
