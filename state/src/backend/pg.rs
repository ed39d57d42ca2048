//! The `pg` backend: states in a table of PostgreSQL, with the table and the advisory locks of Terraform, so that both can
//! take turns.
//!
//! A lock belongs to a session: it ends with the connection, and so with the process. It is the row's id; while a workspace
//! has no row yet, it is one number for all such workspaces.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_postgres::config::{Config, Host};
use tokio_postgres::{Client, NoTls};

use super::local::DEFAULT_WORKSPACE;
use super::remote::ArgumentType::{Flag, Text};
use super::remote::{Argument, ConfigError, JournalFile, Settings, argument, check};
use super::{Backend, LockError, LockId, LockInfo, StateStore, StoreError, WriteCondition};
use crate::codec::Codec;
use crate::journal::{Journal, JournalError};
use crate::model::State;

pub(super) const ARGUMENTS: &[Argument] = &[
    argument("conn_str", Text, Some("PG_CONN_STR")),
    argument("schema_name", Text, Some("PG_SCHEMA_NAME")),
    argument("skip_index_creation", Flag, Some("PG_SKIP_INDEX_CREATION")),
    argument("skip_schema_creation", Flag, Some("PG_SKIP_SCHEMA_CREATION")),
    argument("skip_table_creation", Flag, Some("PG_SKIP_TABLE_CREATION")),
];

/// The lock of all workspaces that have no row yet.
const CREATION_LOCK: i64 = -1;

const PAUSE: Duration = Duration::from_millis(250);

/// The states of one schema of a database.
pub struct PgBackend {
    database: Arc<Database>,
    journal_folder: PathBuf,
    codec: Codec,
}

struct Database {
    config: Config,
    /// The schema's name, quoted.
    schema: String,
    schema_name: String,
    make_schema: bool,
    make_table: bool,
    make_index: bool,
}

pub(super) fn open(settings: &Settings<'_>) -> Result<Arc<dyn Backend>, ConfigError> {
    Ok(Arc::new(PgBackend::new(settings)?))
}

impl PgBackend {
    fn new(settings: &Settings<'_>) -> Result<PgBackend, ConfigError> {
        let schema_name = settings.text("schema_name").unwrap_or_else(|| "terraform_remote_state".to_owned());
        let variable = |name: &str| settings.surroundings.variables.get(name).filter(|text| !text.is_empty());
        let problem = |reason: String| ConfigError { argument: Some("conn_str"), reason };
        let text = settings.text("conn_str").unwrap_or_default();
        let (text, mode) = without_ssl_mode(&text);
        let mode = mode.or_else(|| variable("PGSSLMODE").cloned());
        let mut config: Config =
            text.parse().map_err(|error| problem(format!("the connection string cannot be read: {error}")))?;
        if config.get_hosts().is_empty() {
            config.host(variable("PGHOST").map_or("localhost", String::as_str));
        }
        if let (true, Some(port)) = (config.get_ports().is_empty(), variable("PGPORT")) {
            config.port(port.parse().map_err(|_| problem("PGPORT must be a number".to_owned()))?);
        }
        if let (None, Some(user)) = (config.get_user(), variable("PGUSER").or_else(|| variable("USER"))) {
            config.user(user);
        }
        if let (None, Some(password)) = (config.get_password(), variable("PGPASSWORD")) {
            config.password(password);
        }
        if let (None, Some(name)) = (config.get_dbname(), variable("PGDATABASE")) {
            config.dbname(name);
        }
        // Terraform's driver insists on TLS unless told otherwise; a password must not go out in clear where it would not.
        if mode.as_deref() != Some("disable") && !config.get_hosts().iter().all(is_here) {
            let reason =
                "this version talks to PostgreSQL without TLS, on this machine or where sslmode=disable allows it";
            return Err(problem(reason.to_owned()));
        }
        config.application_name("windlass").connect_timeout(Duration::from_secs(30));
        let database = Database {
            config,
            schema: quoted(&schema_name),
            schema_name,
            make_schema: !settings.flag("skip_schema_creation")?,
            make_table: !settings.flag("skip_table_creation")?,
            make_index: !settings.flag("skip_index_creation")?,
        };
        let journal_folder = settings.surroundings.journal_folder.clone();
        Ok(PgBackend { database: Arc::new(database), journal_folder, codec: settings.surroundings.codec.clone() })
    }
}

/// Takes `sslmode` out of a connection string: the driver knows fewer modes than PostgreSQL.
fn without_ssl_mode(text: &str) -> (String, Option<String>) {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    let (head, tail, separator) = match text.split_once('?') {
        Some((head, query)) if is_url => (format!("{head}?"), query, '&'),
        _ if is_url => return (text.to_owned(), None),
        _ => (String::new(), text, ' '),
    };
    let (modes, rest): (Vec<&str>, Vec<&str>) =
        tail.split(separator).partition(|part| part.trim_start().starts_with("sslmode="));
    let mode = modes.last().and_then(|mode| mode.split_once('=')).map(|(_, mode)| mode.trim_matches('\'').to_owned());
    let text = format!("{head}{}", rest.join(&separator.to_string()));
    (text.trim_end_matches('?').to_owned(), mode)
}

/// Whether a host is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        Host::Unix(_) => true,
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Database {
    fn remote(&self, action: &'static str, error: &tokio_postgres::Error) -> StoreError {
        let reason = match error.as_db_error() {
            Some(error) => error.message().to_owned(),
            None => match std::error::Error::source(error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        };
        StoreError::Remote { action, place: self.place(), reason }
    }

    fn place(&self) -> String {
        format!("the PostgreSQL schema {}", self.schema_name)
    }

    /// Connects, and makes what is missing.
    async fn connect(&self) -> Result<Client, StoreError> {
        let failed = |error: tokio_postgres::Error| self.remote("reach", &error);
        let (client, connection) = self.config.connect(NoTls).await.map_err(failed)?;
        // Ends with the client; what breaks it is told by the next query.
        tokio::spawn(async move { connection.await.ok() });
        let schema = &self.schema;
        if self.make_schema {
            // A user may be allowed to use a schema, but not to make one.
            let query = "select count(1) from information_schema.schemata where schema_name = $1";
            let count: i64 = client.query_one(query, &[&self.schema_name]).await.map_err(failed)?.get(0);
            if count == 0 {
                client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await.map_err(failed)?;
            }
        }
        if self.make_table {
            let table = format!(
                "CREATE SEQUENCE IF NOT EXISTS public.global_states_id_seq AS bigint; CREATE TABLE IF NOT EXISTS \
                 {schema}.states (id bigint NOT NULL DEFAULT nextval('public.global_states_id_seq') PRIMARY KEY, name text \
                 UNIQUE, data text)"
            );
            client.batch_execute(&table).await.map_err(failed)?;
        }
        if self.make_index {
            let index = format!("CREATE UNIQUE INDEX IF NOT EXISTS states_by_name ON {schema}.states (name)");
            client.batch_execute(&index).await.map_err(failed)?;
        }
        Ok(client)
    }
}

#[async_trait]
impl Backend for PgBackend {
    async fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        let client = self.database.connect().await?;
        let query = format!("SELECT name FROM {}.states WHERE name != 'default' ORDER BY name", self.database.schema);
        let rows = client.query(&query, &[]).await.map_err(|error| self.database.remote("list", &error))?;
        let mut names = vec![DEFAULT_WORKSPACE.to_owned()];
        for row in &rows {
            names.push(row.try_get(0).map_err(|error| self.database.remote("list", &error))?);
        }
        Ok(names)
    }

    async fn create_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        let store = self.store(workspace)?;
        if store.read().await?.is_some() {
            return Ok(());
        }
        let mut state = State::new();
        state.serial = crate::model::Serial(1);
        store.write(&state, &WriteCondition::Absent).await
    }

    async fn delete_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        let client = self.database.connect().await?;
        let query = format!("DELETE FROM {}.states WHERE name = $1", self.database.schema);
        let deleted = client.execute(&query, &[&workspace]).await;
        deleted.map(drop).map_err(|error| self.database.remote("delete", &error))
    }

    fn store(&self, workspace: &str) -> Result<Arc<dyn StateStore>, StoreError> {
        let codec = self.codec.for_another();
        Ok(Arc::new(PgStore {
            database: self.database.clone(),
            workspace: workspace.to_owned(),
            session: Mutex::default(),
            journal: JournalFile::new(&self.journal_folder, "pg", workspace, codec.clone()),
            codec,
        }))
    }
}

struct PgStore {
    database: Arc<Database>,
    workspace: String,
    session: Mutex<Session>,
    journal: JournalFile,
    codec: Codec,
}

/// The connection, and the lock that it holds.
#[derive(Default)]
struct Session {
    client: Option<Client>,
    held: Option<(LockId, i64)>,
}

impl Session {
    async fn client(&mut self, database: &Database) -> Result<&mut Client, StoreError> {
        // With a lost connection the lock is lost: only a session without one may begin again.
        let lost = self.client.as_ref().is_none_or(Client::is_closed);
        if lost && self.held.is_none() {
            self.client = Some(database.connect().await?);
        }
        self.client.as_mut().ok_or_else(|| StoreError::Remote {
            action: "reach",
            place: database.place(),
            reason: "the connection was lost".to_owned(),
        })
    }
}

impl PgStore {
    fn parse(&self, data: Option<String>) -> Result<Option<State>, StoreError> {
        let bytes = data.unwrap_or_default();
        self.codec.read(bytes.as_bytes()).map_err(|source| StoreError::Read { place: self.database.place(), source })
    }

    /// One attempt to take the lock: its number, or why not.
    async fn try_lock(&self, client: &Client) -> Result<Result<i64, String>, StoreError> {
        let failed = |error: tokio_postgres::Error| self.database.remote("lock", &error);
        let workspace = &self.workspace;
        let query = format!(
            "SELECT states.id, pg_try_advisory_lock(states.id), pg_try_advisory_lock({CREATION_LOCK}) FROM {}.states WHERE \
             states.name = $1",
            self.database.schema
        );
        let Some(row) = client.query_opt(&query, &[workspace]).await.map_err(failed)? else {
            let query = format!("SELECT pg_try_advisory_lock({CREATION_LOCK})");
            let taken: bool = client.query_one(&query, &[]).await.map_err(failed)?.try_get(0).map_err(failed)?;
            let refused = || format!("Already locked for workspace creation: {workspace}");
            return Ok(if taken { Ok(CREATION_LOCK) } else { Err(refused()) });
        };
        let id: i64 = row.try_get(0).map_err(failed)?;
        let (own, creation): (bool, bool) = (row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
        if creation {
            self.give_back(client, CREATION_LOCK).await?;
        }
        match (own, creation) {
            (true, true) => Ok(Ok(id)),
            (true, false) => {
                self.give_back(client, id).await?;
                Ok(Err(format!("Cannot lock workspace; already locked for workspace creation: {workspace}")))
            }
            (false, _) => Ok(Err(format!("Workspace is already locked: {workspace}"))),
        }
    }

    async fn give_back(&self, client: &Client, number: i64) -> Result<(), StoreError> {
        let query = format!("SELECT pg_advisory_unlock({number})");
        client.query(&query, &[]).await.map(drop).map_err(|error| self.database.remote("unlock", &error))
    }
}

#[async_trait]
impl StateStore for PgStore {
    async fn read(&self) -> Result<Option<State>, StoreError> {
        let mut session = self.session.lock().await;
        let client = session.client(&self.database).await?;
        let query = format!("SELECT data FROM {}.states WHERE name = $1", self.database.schema);
        let failed = |error: tokio_postgres::Error| self.database.remote("read", &error);
        let data = match client.query_opt(&query, &[&self.workspace]).await.map_err(failed)? {
            Some(row) => row.try_get(0).map_err(failed)?,
            None => return Ok(None),
        };
        self.parse(data)
    }

    async fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError> {
        let sealed =
            self.codec.write(state).map_err(|source| StoreError::Sealed { place: self.database.place(), source })?;
        let text = String::from_utf8_lossy(&sealed).into_owned();
        let failed = |error: tokio_postgres::Error| self.database.remote("write", &error);
        let schema = &self.database.schema;
        let mut session = self.session.lock().await;
        let client = session.client(&self.database).await?;
        let transaction = client.transaction().await.map_err(failed)?;
        // The row stays as it was compared until it is replaced.
        let query = format!("SELECT data FROM {schema}.states WHERE name = $1 FOR UPDATE");
        let row = transaction.query_opt(&query, &[&self.workspace]).await.map_err(failed)?;
        if *condition != WriteCondition::Any {
            let data = row.as_ref().map(|row| row.try_get(0)).transpose().map_err(failed)?.flatten();
            check(condition, self.parse(data)?.as_ref(), &self.database.place())?;
        }
        let changed = if row.is_some() {
            let query = format!("UPDATE {schema}.states SET data = $2 WHERE name = $1");
            transaction.execute(&query, &[&self.workspace, &text]).await
        } else {
            // Another run may have made the row since: then nothing is inserted, and its snapshot stays.
            let query =
                format!("INSERT INTO {schema}.states (name, data) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
            transaction.execute(&query, &[&self.workspace, &text]).await
        };
        if changed.map_err(failed)? == 0 {
            return Err(StoreError::Conflict {
                place: self.database.place(),
                expected: condition.to_string(),
                found: "a state that was made in between".to_owned(),
            });
        }
        transaction.commit().await.map_err(failed)
    }

    async fn lock(&self, info: LockInfo, timeout: Duration) -> Result<LockId, LockError> {
        let start = Instant::now();
        let mut session = self.session.lock().await;
        if session.held.is_some() {
            return Err(LockError::AlreadyLocked);
        }
        loop {
            let client = session.client(&self.database).await?;
            let reason = match self.try_lock(client).await? {
                Ok(number) => {
                    session.held = Some((info.id.clone(), number));
                    return Ok(info.id);
                }
                Err(reason) => reason,
            };
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(LockError::Held { info: None, reason });
            }
            tokio::time::sleep(PAUSE.min(left)).await;
        }
    }

    async fn unlock(&self, id: &LockId) -> Result<(), LockError> {
        let mut session = self.session.lock().await;
        let Some((held, number)) = session.held.clone() else { return Err(LockError::NotLocked) };
        if held != *id {
            return Err(LockError::WrongId { given: id.0.clone(), current: held.0, info: None });
        }
        let client = session.client(&self.database).await?;
        self.give_back(client, number).await?;
        session.held = None;
        self.journal.close();
        Ok(())
    }

    /// A lock ends with its session, and one of a living session can't be taken from it.
    async fn force_unlock(&self, id: &LockId) -> Result<(), LockError> {
        match self.unlock(id).await {
            Err(LockError::NotLocked) => Err(LockError::NotBreakable),
            other => other,
        }
    }

    async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
        self.journal.open()
    }

    fn is_outdated(&self) -> bool {
        self.codec.is_outdated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_tls_are_taken_out_of_connection_strings() {
        for (text, rest, mode) in [
            ("postgres://u@h/d?sslmode=disable", "postgres://u@h/d", Some("disable")),
            ("postgres://u@h/d?a=b&sslmode=verify-full", "postgres://u@h/d?a=b", Some("verify-full")),
            ("host=h sslmode=disable user=u", "host=h user=u", Some("disable")),
            ("postgres://u@h/d", "postgres://u@h/d", None),
        ] {
            assert_eq!(without_ssl_mode(text), (rest.to_owned(), mode.map(str::to_owned)), "{text}");
        }
    }
}
