//! The `pg` backend: states in a table of PostgreSQL, with the table and the advisory locks of Terraform, so that both can
//! take turns.
//!
//! A lock belongs to a session: it ends with the connection, and so with the process. It is the row's id; while a workspace
//! has no row yet, it is one number for all such workspaces. Runs that are about parts of a state hold it together
//! (`locks.rs`), and put what they have changed into the newest snapshot.

mod locks;
mod rows;
pub(super) mod tables;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_postgres::Client;
use tokio_postgres::config::{Config, Host};

use super::local::DEFAULT_WORKSPACE;
use super::pg_journal::{self, PgJournal, Records};
use super::remote::ArgumentType::{Flag, Text};
use super::remote::{Argument, ConfigError, JournalFile, Settings, argument, check};
use super::{
    Backend, HeldLock, LockError, LockId, LockInfo, Renewal, StateStore, StoreError, WriteCondition, following,
    wait_for_lock,
};
use crate::codec::{Codec, sealed};
use crate::journal::{Journal, JournalError};
use crate::merge::{self, Parts};
use crate::model::{Serial, State};
use locks::{Held, Locks};
use rows::Change;
use tls::{Connector, Parameters};

pub(super) const ARGUMENTS: &[Argument] = &[
    argument("conn_str", Text, Some("PG_CONN_STR")),
    argument("schema_name", Text, Some("PG_SCHEMA_NAME")),
    argument("skip_index_creation", Flag, Some("PG_SKIP_INDEX_CREATION")),
    argument("skip_schema_creation", Flag, Some("PG_SKIP_SCHEMA_CREATION")),
    argument("skip_table_creation", Flag, Some("PG_SKIP_TABLE_CREATION")),
];

/// The states of one schema of a database.
pub struct PgBackend {
    database: Arc<Database>,
    journal_folder: PathBuf,
    codec: Codec,
}

pub(super) struct Database {
    config: Config,
    connector: Connector,
    /// The schema's name, quoted.
    pub schema: String,
    schema_name: String,
    make_schema: bool,
    pub make_table: bool,
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
        let (text, tls) = Parameters::take(&text, &settings.surroundings.variables);
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
        // There is no TLS over a socket of the file system.
        let is_socket = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let is_here = config.get_hosts().iter().all(is_here);
        let demand = match is_socket {
            true => None,
            false => tls.demand(variable("HOME").map(Path::new), is_here).map_err(problem)?,
        };
        let connector = Connector::new(&mut config, demand).map_err(problem)?;
        config.application_name("windlass").connect_timeout(Duration::from_secs(30));
        config
            .keepalives_idle(Duration::from_secs(20))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(4);
        let database = Database {
            config,
            connector,
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

/// Whether a host is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        Host::Unix(_) => true,
    }
}

/// What the database or the driver says.
pub(super) fn reason(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => error.message().to_owned(),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Database {
    fn remote(&self, action: &'static str, error: &tokio_postgres::Error) -> StoreError {
        StoreError::Remote { action, place: self.place(), reason: reason(error) }
    }

    pub fn place(&self) -> String {
        format!("the PostgreSQL schema {}", self.schema_name)
    }

    /// Connects, and makes what is missing. Whether our own tables are there.
    pub async fn connect(&self) -> Result<(Client, bool), StoreError> {
        let failed = |error: tokio_postgres::Error| self.remote("reach", &error);
        let client = self.connector.connect(&self.config).await.map_err(failed)?;
        let own = self.prepare(&client).await?;
        Ok((client, own))
    }
}

#[async_trait]
impl Backend for PgBackend {
    async fn workspaces(&self) -> Result<Vec<String>, StoreError> {
        let (client, _) = self.database.connect().await?;
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
        let state = State { serial: Serial(1), ..State::new() };
        store.write(&state, &WriteCondition::Absent).await
    }

    async fn delete_workspace(&self, workspace: &str) -> Result<(), StoreError> {
        let (client, own) = self.database.connect().await?;
        let tables: &[(&str, &str)] = match own {
            true => &[("states", "name"), ("resources", "workspace"), ("versions", "workspace")],
            false => &[("states", "name")],
        };
        for (table, column) in tables {
            let query = format!("DELETE FROM {}.{table} WHERE {column} = $1", self.database.schema);
            let deleted = client.execute(&query, &[&workspace]).await;
            deleted.map_err(|error| self.database.remote("delete", &error))?;
        }
        pg_journal::forget(&client, &self.database, workspace)
            .await
            .map_err(|error| self.database.remote("delete the journal of", &error))
    }

    fn store(&self, workspace: &str) -> Result<Arc<dyn StateStore>, StoreError> {
        let codec = self.codec.for_another();
        Ok(Arc::new(PgStore {
            database: self.database.clone(),
            workspace: workspace.to_owned(),
            session: Mutex::default(),
            left_in_clear: Default::default(),
            journal: JournalFile::new(&self.journal_folder, "pg", workspace, codec.clone()),
            codec,
        }))
    }
}

struct PgStore {
    database: Arc<Database>,
    workspace: String,
    session: Mutex<Session>,
    /// Why rows in clear of a state that is encrypted now could not be removed.
    left_in_clear: std::sync::Mutex<Option<String>>,
    journal: JournalFile,
    codec: Codec,
}

/// The connection, and the lock that it holds.
#[derive(Default)]
struct Session {
    client: Option<Client>,
    /// Whether our own tables are there.
    own: bool,
    held: Option<Held>,
}

impl Session {
    async fn client(&mut self, database: &Database) -> Result<&mut Client, StoreError> {
        // With a lost connection the lock is lost: only a session without one may begin again.
        let lost = self.client.as_ref().is_none_or(Client::is_closed);
        if lost && self.held.is_none() {
            let (client, own) = database.connect().await?;
            (self.client, self.own) = (Some(client), own);
        }
        self.client.as_mut().ok_or_else(|| StoreError::Remote {
            action: "reach",
            place: database.place(),
            reason: "the connection was lost".to_owned(),
        })
    }
}

impl PgStore {
    fn left_in_clear(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.left_in_clear.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parse(&self, data: Option<&str>) -> Result<Option<State>, StoreError> {
        let bytes = data.unwrap_or_default().as_bytes();
        self.codec.read(bytes).map_err(|source| StoreError::Read { place: self.database.place(), source })
    }

    /// A snapshot as it is stored.
    fn written(&self, state: &State) -> Result<String, StoreError> {
        let sealed = |source| StoreError::Sealed { place: self.database.place(), source };
        Ok(String::from_utf8_lossy(&self.codec.write(state).map_err(sealed)?).into_owned())
    }

    fn failed(&self, action: &'static str) -> impl Fn(tokio_postgres::Error) -> StoreError {
        let database = self.database.clone();
        move |error| database.remote(action, &error)
    }

    /// The locks of the workspace, seen from this session.
    async fn locks_of<'a>(&'a self, session: &'a mut Session) -> Result<Locks<'a>, StoreError> {
        session.client(&self.database).await?;
        let own = session.own;
        let client = session.client(&self.database).await?;
        Ok(Locks { database: &self.database, client, own, workspace: &self.workspace, empty: "" })
    }

    async fn take(&self, mut info: LockInfo, parts: Option<&Parts>, timeout: Duration) -> Result<LockId, LockError> {
        if self.session.lock().await.held.is_some() {
            return Err(LockError::AlreadyLocked);
        }
        info.created = jiff::Timestamp::now().to_string();
        info.path = self.workspace.clone();
        let empty = match parts {
            Some(_) => self.written(&State { serial: Serial(1), ..State::new() })?,
            None => String::new(),
        };
        let (info, empty) = (&info, empty.as_str());
        wait_for_lock(timeout, |_| async move {
            let mut session = self.session.lock().await;
            let mut locks = Locks { empty, ..self.locks_of(&mut session).await? };
            let taken = locks.take(info, parts).await.map_err(self.failed("lock"))?;
            match taken {
                Ok(held) => {
                    session.held = Some(held);
                    Ok(())
                }
                Err(refusal) => {
                    // The server has looked already whether its holder lives.
                    let holder = refusal.holder.map(|info| Box::new(LockInfo { lease: None, ..*info }));
                    Err(LockError::Held { info: holder, reason: refusal.reason, now: None })
                }
            }
        })
        .await?;
        Ok(info.id.clone())
    }

    /// Replaces the stored snapshot by what `next` makes of it, in one transaction: the row stays as it was read until it is
    /// replaced. Nothing is written for `None`.
    async fn replace(
        &self,
        next: impl FnOnce(Option<State>) -> Result<Option<State>, StoreError> + Send,
        overwrites: bool,
    ) -> Result<Option<State>, StoreError> {
        let schema = &self.database.schema;
        let mut session = self.session.lock().await;
        session.client(&self.database).await?;
        let (own, held) = (session.own, session.held.clone());
        let client = session.client(&self.database).await?;
        let mut transaction = client.transaction().await.map_err(self.failed("write"))?;
        let query = format!("SELECT data FROM {schema}.states WHERE name = $1 FOR UPDATE");
        let row = transaction.query_opt(&query, &[&self.workspace]).await.map_err(self.failed("write"))?;
        let data: Option<String> =
            row.as_ref().map(|row| row.try_get(0)).transpose().map_err(self.failed("write"))?.flatten();
        let old = match self.parse(data.as_deref()) {
            Err(_) if overwrites => None,
            other => other?,
        };
        let Some(state) = next(old.clone())? else { return Ok(old) };
        let text = self.written(&state)?;
        let changed = if row.is_some() {
            let query = format!("UPDATE {schema}.states SET data = $2 WHERE name = $1");
            transaction.execute(&query, &[&self.workspace, &text]).await
        } else {
            // Another run may have made the row since: then nothing is inserted, and its snapshot stays.
            let query =
                format!("INSERT INTO {schema}.states (name, data) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
            transaction.execute(&query, &[&self.workspace, &text]).await
        };
        if changed.map_err(self.failed("write"))? == 0 {
            return Err(StoreError::Conflict {
                place: self.database.place(),
                expected: "no state".to_owned(),
                found: "a state that was made in between".to_owned(),
            });
        }
        if own {
            // Looking takes a while with a large state.
            let is_sealed = |text: &str| !self.codec.is_clear() && sealed(text.as_bytes()).is_some();
            let change = Change {
                schema,
                workspace: &self.workspace,
                old: old.as_ref().zip(data.as_deref().map(rows::digest)),
                new: &state,
                digest: rows::digest(&text),
                was_sealed: data.as_deref().is_some_and(is_sealed),
                is_sealed: is_sealed(&text),
                by: held.as_ref().map(|held| &held.info),
            };
            let refused = change.record(&mut transaction).await.map_err(self.failed("write"))?;
            *self.left_in_clear() = refused.filter(|_| change.is_sealed).as_ref().map(reason);
        }
        transaction.commit().await.map_err(self.failed("write"))?;
        Ok(Some(state))
    }
}

#[async_trait]
impl StateStore for PgStore {
    async fn read(&self) -> Result<Option<State>, StoreError> {
        let mut session = self.session.lock().await;
        let client = session.client(&self.database).await?;
        let query = format!("SELECT data FROM {}.states WHERE name = $1", self.database.schema);
        let row = client.query_opt(&query, &[&self.workspace]).await.map_err(self.failed("read"))?;
        let data: Option<String> = row.map(|row| row.try_get(0)).transpose().map_err(self.failed("read"))?.flatten();
        self.parse(data.as_deref())
    }

    async fn write(&self, state: &State, condition: &WriteCondition) -> Result<(), StoreError> {
        let next = |stored: Option<State>| {
            check(condition, stored.as_ref(), &self.database.place())?;
            Ok(Some(state.clone()))
        };
        self.replace(next, *condition == WriteCondition::Any).await.map(drop)
    }

    fn is_divisible(&self) -> bool {
        true
    }

    async fn lock(&self, info: LockInfo, timeout: Duration) -> Result<LockId, LockError> {
        self.take(info, None, timeout).await
    }

    async fn lock_parts(&self, info: LockInfo, parts: &Parts, timeout: Duration) -> Result<LockId, LockError> {
        self.take(info, Some(parts), timeout).await
    }

    async fn merge(&self, from: &State, to: &State) -> Result<State, StoreError> {
        let parts = self.session.lock().await.held.as_ref().and_then(|held| held.parts.clone()).unwrap_or_default();
        let next = |stored: Option<State>| {
            let newest = stored.unwrap_or_else(|| from.clone());
            let conflict = |changed: Vec<String>| StoreError::Conflict {
                place: self.database.place(),
                expected: format!("{} as they were when they were locked", changed.join(", ")),
                found: "changes of another run".to_owned(),
            };
            let merged = merge::merge(&newest, from, to, &parts).map_err(conflict)?;
            let is_stored = merged.same_content(&newest) && !self.codec.is_outdated();
            Ok((!is_stored).then(|| following(Some(&newest), &merged)))
        };
        Ok(self.replace(next, false).await?.unwrap_or_else(|| from.clone()))
    }

    async fn renew(&self, id: &LockId) -> Result<Renewal, LockError> {
        let mut session = self.session.lock().await;
        let Some(held) = session.held.clone().filter(|held| held.info.id == *id) else {
            return Err(LockError::NotLocked);
        };
        if session.client.as_ref().is_none_or(Client::is_closed) {
            let reason = "the connection to the database was lost, and the lock with it".to_owned();
            return Err(LockError::Lost { reason });
        }
        if !session.own {
            return Ok(Renewal::NotNeeded);
        }
        let locks = self.locks_of(&mut session).await?;
        match locks.renew(&held).await.map_err(self.failed("renew the lock of"))? {
            true => Ok(Renewal::Done),
            false => Err(LockError::lost_to(None)),
        }
    }

    async fn locks(&self) -> Result<Vec<HeldLock>, LockError> {
        let mut session = self.session.lock().await;
        let locks = self.locks_of(&mut session).await?;
        Ok(locks.list().await.map_err(self.failed("read the locks of"))?)
    }

    async fn unlock(&self, id: &LockId) -> Result<(), LockError> {
        let mut session = self.session.lock().await;
        let Some(held) = session.held.clone() else { return Err(LockError::NotLocked) };
        if held.info.id != *id {
            return Err(LockError::WrongId { given: id.0.clone(), current: held.info.id.0, info: None });
        }
        self.locks_of(&mut session).await?.release(&held).await.map_err(self.failed("unlock"))?;
        session.held = None;
        self.journal.close();
        Ok(())
    }

    /// A lock ends with its session, so that one is ended; what it still wanted to write is refused by the server.
    async fn force_unlock(&self, id: &LockId) -> Result<(), LockError> {
        match self.unlock(id).await {
            Err(LockError::NotLocked) => {}
            other => return other,
        }
        let mut session = self.session.lock().await;
        let locks = self.locks_of(&mut session).await?;
        if locks.end(&id.0).await.map_err(self.failed("unlock"))? {
            return Ok(());
        }
        let info = locks.list().await.map_err(self.failed("unlock"))?.into_iter().next();
        let reason = match &info {
            Some(lock) => format!("lock ID {:?} does not match the existing lock ({:?})", id.0, lock.info.id.0),
            None => format!("there is no lock {:?}", id.0),
        };
        Err(LockError::NotReleased { reason, info: info.map(|lock| Box::new(lock.info)) })
    }

    /// Of a run that holds parts, its own; with the whole state locked, that of all runs that have ended.
    async fn journal(&self) -> Result<Arc<dyn Journal>, JournalError> {
        let held = self.session.lock().await.held.clone();
        let lock = held.as_ref().map(|held| held.info.id.clone());
        let open = |reads| PgJournal::open(&self.database, &self.workspace, lock, reads, self.codec.clone());
        match held.is_some_and(|held| held.parts.is_some()) {
            true => self.journal.open_alone(open(Records::OfThisRun)).await,
            false => self.journal.open_beside(open(Records::All)).await,
        }
    }

    fn is_outdated(&self) -> bool {
        self.codec.is_outdated()
    }

    fn warning(&self) -> Option<String> {
        let refusal = self.left_in_clear().clone()?;
        let schema = &self.database.schema;
        Some(format!(
            "The state is encrypted, but the table {schema}.resources could not be brought up to date, and may still hold rows of \
             it in clear, from before: {refusal}. The owner of the table removes them with: DELETE FROM {schema}.resources WHERE \
             workspace = {}",
            literal(&self.workspace)
        ))
    }

    async fn has_records(&self) -> Result<bool, JournalError> {
        let writers = pg_journal::writers(&self.database, &self.workspace).await?;
        if writers.is_empty() || self.journal.exists() {
            return Ok(self.journal.exists());
        }
        let living = self.locks().await.map_err(|error| JournalError::LockUnknown(error.to_string()))?;
        let has_ended = |run: &Option<LockId>| living.iter().all(|lock| Some(&lock.info.id) != run.as_ref());
        Ok(writers.iter().any(has_ended))
    }
}
