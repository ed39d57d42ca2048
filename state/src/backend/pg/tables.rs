//! The tables: Terraform's, and ours beside it.
//!
//! | table | a row is |
//! |---|---|
//! | `states` | a workspace with its newest snapshot: Terraform's |
//! | `locks` | a lock that one of our runs holds, or held before it died |
//! | `locked_resources` | a part of a state that a lock is about |
//! | `resources` | a resource of the newest snapshot, for SQL |
//! | `versions` | a snapshot: when it came, whose it was, what it changed |

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::Database;
use crate::backend::StoreError;

/// Keeps two runs from making the tables at once, at which the server would refuse one of them.
const MAKING: &str = "SELECT pg_advisory_xact_lock(hashtext('windlass'), hashtext('tables'))";

/// How long the server waits for a sign of life of a session before it ends it, and with it its locks: after 20 seconds of
/// silence it asks four times.
const KEEP_ALIVE: &str = "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4";

impl Database {
    /// Makes what is missing. Whether our own tables are there.
    pub(super) async fn prepare(&self, client: &Client) -> Result<bool, StoreError> {
        let failed = |error: tokio_postgres::Error| self.remote("reach", &error);
        let schema = &self.schema;
        // What keeps the connection from being used is told by the next query; a server may know no such settings.
        let _ = client.batch_execute(KEEP_ALIVE).await;
        if self.make_schema {
            // A user may be allowed to use a schema, but not to make one.
            let query = "select count(1) from information_schema.schemata where schema_name = $1";
            let count: i64 = client.query_one(query, &[&self.schema_name]).await.map_err(failed)?.get(0);
            if count == 0 {
                let make = format!("{MAKING}; CREATE SCHEMA IF NOT EXISTS {schema}");
                client.batch_execute(&make).await.map_err(failed)?;
            }
        }
        let known = ["states", "states_by_name", "versions"].map(|name| format!("{schema}.{name}"));
        let query = "SELECT to_regclass($1) IS NULL, to_regclass($2) IS NULL, to_regclass($3) IS NULL";
        let row = client.query_one(query, &[&known[0], &known[1], &known[2]]).await.map_err(failed)?;
        let [no_table, no_index, no_own]: [bool; 3] = [0, 1, 2].map(|column| row.get(column));
        if self.make_table && no_table {
            let make = format!(
                "{MAKING}; CREATE SEQUENCE IF NOT EXISTS public.global_states_id_seq AS bigint; CREATE TABLE IF NOT EXISTS \
                 {schema}.states (id bigint NOT NULL DEFAULT nextval('public.global_states_id_seq') PRIMARY KEY, name text \
                 UNIQUE, data text)"
            );
            client.batch_execute(&make).await.map_err(failed)?;
        }
        if self.make_index && no_index {
            let make = format!("{MAKING}; CREATE UNIQUE INDEX IF NOT EXISTS states_by_name ON {schema}.states (name)");
            client.batch_execute(&make).await.map_err(failed)?;
        }
        if self.make_table && no_own {
            return match client.batch_execute(&own_tables(schema)).await {
                Ok(()) => Ok(true),
                // Then it works as Terraform's: one lock for a whole state, and nothing for SQL.
                Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(false),
                Err(error) => Err(failed(error)),
            };
        }
        Ok(!no_own)
    }
}

/// `versions` comes last: where it is, all are.
fn own_tables(schema: &str) -> String {
    format!(
        "{MAKING};
        CREATE TABLE IF NOT EXISTS {schema}.locks (
            id text PRIMARY KEY, workspace text NOT NULL, key bigint NOT NULL, info jsonb NOT NULL,
            lease double precision NOT NULL, renewed timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE TABLE IF NOT EXISTS {schema}.locked_resources (
            lock text NOT NULL REFERENCES {schema}.locks ON DELETE CASCADE, workspace text NOT NULL,
            address text NOT NULL, changed boolean NOT NULL, PRIMARY KEY (lock, address));
        CREATE INDEX IF NOT EXISTS locked_resources_by_address ON {schema}.locked_resources (workspace, address);
        CREATE TABLE IF NOT EXISTS {schema}.resources (
            workspace text NOT NULL, address text NOT NULL, module text NOT NULL, mode text NOT NULL,
            type text NOT NULL, name text NOT NULL, provider text NOT NULL, instances jsonb NOT NULL,
            serial bigint NOT NULL, PRIMARY KEY (workspace, address));
        CREATE TABLE IF NOT EXISTS {schema}.versions (
            number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace text NOT NULL, serial bigint NOT NULL,
            lineage text NOT NULL, time timestamptz NOT NULL DEFAULT clock_timestamp(), who text NOT NULL,
            operation text NOT NULL, job text, reason text, changed text[], digest text NOT NULL);
        CREATE INDEX IF NOT EXISTS versions_by_workspace ON {schema}.versions (workspace, number)"
    )
}
