//! Locks of a workspace.
//!
//! Terraform locks the number of the workspace's row, exclusively and for its session. Our runs that are about a whole state do the
//! same. Those that are about parts of it lock the same number *shared*, so that they exclude Terraform and are excluded by it, and
//! write down which parts they change and which they read.
//!
//! Each lock of ours has a row in `locks`, and a random number that its session locks while it lives: a row whose number nobody
//! has locked is of a run that has ended. A run whose heart has not beaten for a whole lease has its session ended by whoever
//! waits for it, and with the session goes all that it still wanted to write.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Error, Row};

use super::Database;
use crate::backend::{HeldLock, LockInfo};
use crate::merge::Parts;

/// The lock of all workspaces that have no row yet, in the whole database.
const CREATION_LOCK: i64 = -1;

/// How long that one is waited for in an attempt: whoever makes a workspace or takes a lock has it for a moment, and Terraform, while
/// it works on a workspace without a row, for long.
const MOMENT: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(20);

/// How long the server may take to end a session.
const PATIENCE: Duration = Duration::from_millis(100);
const ATTEMPTS: u32 = 50;

/// What a session has locked.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub info: LockInfo,
    /// The number of the workspace's row, or that of all that have none.
    number: i64,
    /// The number that says that the session lives.
    key: i64,
    /// What of the state, if not the whole.
    pub parts: Option<Parts>,
}

/// Why a lock can't be had.
pub(super) struct Refusal {
    pub reason: String,
    pub holder: Option<Box<LockInfo>>,
}

/// Which lock of Terraform's keeps out.
enum Busy {
    /// The workspace's.
    Workspace,
    /// The one of creation, of a workspace that has a row or has none.
    Creation { has_row: bool },
}

/// A lock of ours with the session that holds it.
struct Living {
    lock: HeldLock,
    session: i32,
    is_over: bool,
}

/// The locks of one workspace.
pub(super) struct Locks<'a> {
    pub database: &'a Database,
    pub client: &'a mut Client,
    /// Whether our own tables are there.
    pub own: bool,
    pub workspace: &'a str,
    /// What a workspace without a state is given before parts of it are locked.
    pub empty: &'a str,
}

impl Locks<'_> {
    /// One attempt to take the lock, once more if a holder has died.
    pub(super) async fn take(
        &mut self,
        info: &LockInfo,
        parts: Option<&Parts>,
    ) -> Result<Result<Held, Refusal>, Error> {
        let refusal = match self.attempt(info, parts).await? {
            Err(refusal) if self.own => refusal,
            other => return Ok(other),
        };
        if !self.end_dead_sessions().await? {
            return Ok(Err(refusal));
        }
        self.attempt(info, parts).await
    }

    async fn attempt(&mut self, info: &LockInfo, parts: Option<&Parts>) -> Result<Result<Held, Refusal>, Error> {
        let number = match self.terraforms(parts.is_some()).await? {
            Ok(number) => number,
            Err(busy) => {
                let holder = self.living().await?.into_iter().next().map(|living| Box::new(living.lock.info));
                return Ok(Err(Refusal { reason: busy.told(self.workspace), holder }));
            }
        };
        let key = random_key();
        let held = Held { info: info.clone(), number, key, parts: parts.cloned() };
        if !self.own {
            return Ok(Ok(held));
        }
        self.client.execute("SELECT pg_advisory_lock($1)", &[&key]).await?;
        match self.write_down(&held).await {
            Ok(None) => Ok(Ok(held)),
            Ok(Some(refusal)) => {
                self.release(&held).await?;
                Ok(Err(refusal))
            }
            Err(error) => {
                self.release(&held).await?;
                Err(error)
            }
        }
    }

    /// Locks the number that Terraform locks, once the lock of creation is not in the way.
    async fn terraforms(&self, is_shared: bool) -> Result<Result<i64, Busy>, Error> {
        let start = Instant::now();
        loop {
            let locked = if is_shared { self.shared().await? } else { self.whole().await? };
            match locked {
                Err(Busy::Creation { .. }) if start.elapsed() < MOMENT => tokio::time::sleep(PAUSE).await,
                other => return Ok(other),
            }
        }
    }

    /// Locks the workspace as Terraform does: its number, or what is in the way.
    async fn whole(&self) -> Result<Result<i64, Busy>, Error> {
        let workspace = self.workspace;
        let query = format!(
            "SELECT states.id, pg_try_advisory_lock(states.id), pg_try_advisory_lock({CREATION_LOCK}) FROM {}.states WHERE \
             states.name = $1",
            self.database.schema
        );
        let Some(row) = self.client.query_opt(&query, &[&workspace]).await? else {
            let query = format!("SELECT pg_try_advisory_lock({CREATION_LOCK})");
            let taken: bool = self.client.query_one(&query, &[]).await?.try_get(0)?;
            return Ok(if taken { Ok(CREATION_LOCK) } else { Err(Busy::Creation { has_row: false }) });
        };
        let (id, own, creation): (i64, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if creation {
            self.give_back(CREATION_LOCK, false).await?;
        }
        match (own, creation) {
            (true, true) => Ok(Ok(id)),
            (true, false) => {
                self.give_back(id, false).await?;
                Ok(Err(Busy::Creation { has_row: true }))
            }
            (false, _) => Ok(Err(Busy::Workspace)),
        }
    }

    /// Locks the workspace against those who want the whole of it.
    async fn shared(&self) -> Result<Result<i64, Busy>, Error> {
        let workspace = self.workspace;
        let query = format!(
            "SELECT states.id, pg_try_advisory_lock_shared(states.id), pg_try_advisory_lock_shared({CREATION_LOCK}) FROM \
             {}.states WHERE states.name = $1",
            self.database.schema
        );
        let row = match self.client.query_opt(&query, &[&workspace]).await? {
            Some(row) => row,
            None => match self.make_row().await? {
                Ok(()) => self.client.query_one(&query, &[&workspace]).await?,
                Err(busy) => return Ok(Err(busy)),
            },
        };
        let (id, own, creation): (i64, bool, bool) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        if creation {
            self.give_back(CREATION_LOCK, true).await?;
        }
        match (own, creation) {
            (true, true) => Ok(Ok(id)),
            (true, false) => {
                self.give_back(id, true).await?;
                Ok(Err(Busy::Creation { has_row: true }))
            }
            (false, _) => Ok(Err(Busy::Workspace)),
        }
    }

    /// Gives the workspace an empty state: parts are parts of something.
    async fn make_row(&self) -> Result<Result<(), Busy>, Error> {
        let number = match self.whole().await? {
            Ok(number) => number,
            Err(busy) => return Ok(Err(busy)),
        };
        let query = format!(
            "INSERT INTO {}.states (name, data) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            self.database.schema
        );
        self.client.execute(&query, &[&self.workspace, &self.empty]).await?;
        self.give_back(number, false).await?;
        Ok(Ok(()))
    }

    /// Writes the lock down, unless it is about a part that another one keeps it from.
    async fn write_down(&mut self, held: &Held) -> Result<Option<Refusal>, Error> {
        let schema = &self.database.schema;
        let transaction = self.client.transaction().await?;
        // One after the other, so that nobody overlooks whoever comes at the same time.
        let guard = "SELECT pg_advisory_xact_lock(hashtext('windlass'), hashtext($1))";
        transaction.execute(guard, &[&format!("{schema} {}", self.workspace)]).await?;
        let query = format!("DELETE FROM {schema}.locks WHERE workspace = $1 AND NOT {}", is_living("locks.key"));
        transaction.execute(&query, &[&self.workspace]).await?;
        let (changed, read): (Vec<&str>, Vec<&str>) = match &held.parts {
            Some(parts) => {
                let read = parts.read.difference(&parts.changed);
                (parts.changed.iter().map(String::as_str).collect(), read.map(String::as_str).collect())
            }
            None => Default::default(),
        };
        let query = format!(
            "SELECT DISTINCT ON (r.address) l.info::text, r.address FROM {schema}.locked_resources r JOIN {schema}.locks l ON l.id = r.lock
             WHERE r.workspace = $1 AND (r.address = ANY($2) OR r.changed AND r.address = ANY($3)) ORDER BY r.address"
        );
        let conflicts = transaction.query(&query, &[&self.workspace, &changed, &read]).await?;
        if let Some(row) = conflicts.first() {
            let (info, address): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let reason = match conflicts.len() - 1 {
                0 => format!("{address} is locked by another run"),
                more => format!("{address} and {more} more are locked by another run"),
            };
            return Ok(Some(Refusal { reason, holder: serde_json::from_str(&info).ok() }));
        }
        let info = serde_json::to_string(&held.info).unwrap_or_default();
        let lease = held.info.lease.as_ref().map_or(f64::INFINITY, |lease| lease.length().as_secs_f64());
        let query = format!(
            "INSERT INTO {schema}.locks (id, workspace, key, info, lease) VALUES ($1, $2, $3, $4::text::jsonb, $5)"
        );
        transaction.execute(&query, &[&held.info.id.0, &self.workspace, &held.key, &info, &lease]).await?;
        let query = format!(
            "INSERT INTO {schema}.locked_resources (lock, workspace, address, changed)
             SELECT $1, $2, a, c FROM (SELECT unnest($3::text[]) AS a, true AS c UNION ALL SELECT unnest($4::text[]), false) AS p"
        );
        transaction.execute(&query, &[&held.info.id.0, &self.workspace, &changed, &read]).await?;
        transaction.commit().await?;
        Ok(None)
    }

    /// Gives a lock of this session back.
    pub(super) async fn release(&mut self, held: &Held) -> Result<(), Error> {
        if self.own {
            let query = format!("DELETE FROM {}.locks WHERE id = $1", self.database.schema);
            self.client.execute(&query, &[&held.info.id.0]).await?;
            self.give_back(held.key, false).await?;
        }
        self.give_back(held.number, held.parts.is_some()).await
    }

    /// Writes down that this session lives. Whether its lock is still there.
    pub(super) async fn renew(&self, held: &Held) -> Result<bool, Error> {
        let query = format!("UPDATE {}.locks SET renewed = clock_timestamp() WHERE id = $1", self.database.schema);
        Ok(self.client.execute(&query, &[&held.info.id.0]).await? == 1)
    }

    /// The locks on the workspace: ours, and Terraform's as far as the server knows about its sessions.
    pub(super) async fn list(&self) -> Result<Vec<HeldLock>, Error> {
        let living = if self.own { self.living().await? } else { Vec::new() };
        let sessions: Vec<i32> = living.iter().map(|living| living.session).collect();
        let mut locks: Vec<HeldLock> = living.into_iter().map(|living| living.lock).collect();
        let query = format!(
            "SELECT a.pid, a.usename::text, coalesce(host(a.client_addr), a.client_hostname, 'localhost'), a.application_name,
                    to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
             FROM {}.states s JOIN pg_locks p ON {} JOIN pg_stat_activity a ON a.pid = p.pid
             WHERE s.name = $1 AND NOT a.pid = ANY($2)",
            self.database.schema,
            is_locked_as("s.id")
        );
        for row in self.client.query(&query, &[&self.workspace, &sessions]).await? {
            locks.push(HeldLock::whole(self.foreign(&row)?, None));
        }
        Ok(locks)
    }

    /// A lock that another program's session holds.
    fn foreign(&self, row: &Row) -> Result<LockInfo, Error> {
        let session: i32 = row.try_get(0)?;
        let text = |column: usize| Ok(row.try_get::<_, Option<String>>(column)?.unwrap_or_default());
        let mut info = LockInfo::new("", format!("{}@{}", text(1)?, text(2)?));
        info.id.0 = session_name(session);
        info.version = String::new();
        info.info = match text(3)? {
            program if program.is_empty() => format!("session {session} of the server"),
            program => format!("session {session} of the server, by {program}"),
        };
        info.created = text(4)?;
        info.path = self.workspace.to_owned();
        Ok(info)
    }

    /// Ends the session that holds a lock. Whether there is such a lock.
    pub(super) async fn end(&self, id: &str) -> Result<bool, Error> {
        let living = if self.own { self.living().await? } else { Vec::new() };
        let ours = living.iter().find(|living| living.lock.info.id.0 == id).map(|living| living.session);
        let session = match ours {
            Some(session) => session,
            None => {
                let query = format!(
                    "SELECT p.pid FROM {}.states s JOIN pg_locks p ON {} WHERE s.name = $1",
                    self.database.schema,
                    is_locked_as("s.id")
                );
                let rows = self.client.query(&query, &[&self.workspace]).await?;
                let sessions = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i32>, Error>>()?;
                match sessions.into_iter().find(|session| session_name(*session) == id) {
                    Some(session) => session,
                    None => return Ok(false),
                }
            }
        };
        self.end_session(session).await?;
        Ok(true)
    }

    /// Ends the sessions of holders whose leases have run out. Whether there were any.
    async fn end_dead_sessions(&self) -> Result<bool, Error> {
        let mut any = false;
        for living in self.living().await?.iter().filter(|living| living.is_over) {
            any |= self.end_session(living.session).await?;
        }
        Ok(any)
    }

    /// Whether a session has ended, and its locks with it.
    async fn end_session(&self, session: i32) -> Result<bool, Error> {
        match self.client.execute("SELECT pg_terminate_backend($1)", &[&session]).await {
            // It is another user's.
            Err(error) if error.as_db_error().is_some() => return Ok(false),
            other => other?,
        };
        for _ in 0..ATTEMPTS {
            let query = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND locktype = 'advisory'";
            let left: i64 = self.client.query_one(query, &[&session]).await?.try_get(0)?;
            if left == 0 {
                return Ok(true);
            }
            tokio::time::sleep(PATIENCE).await;
        }
        Ok(false)
    }

    /// Our locks whose sessions live.
    async fn living(&self) -> Result<Vec<Living>, Error> {
        if !self.own {
            return Ok(Vec::new());
        }
        let schema = &self.database.schema;
        let query = format!(
            "SELECT l.info::text, p.pid, extract(epoch FROM clock_timestamp() - l.renewed)::float8, l.lease,
                    ARRAY(SELECT r.address FROM {schema}.locked_resources r WHERE r.lock = l.id ORDER BY r.address)
             FROM {schema}.locks l JOIN pg_locks p ON {} WHERE l.workspace = $1 ORDER BY l.renewed",
            is_locked_as("l.key")
        );
        let rows = self.client.query(&query, &[&self.workspace]).await?;
        let living = |row: &Row| {
            let (info, session): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
            let (age, lease): (f64, f64) = (row.try_get(2)?, row.try_get(3)?);
            let age = Duration::try_from_secs_f64(age.max(0.0)).unwrap_or_default();
            let info = serde_json::from_str(&info).unwrap_or_default();
            let lock = HeldLock { info, age: Some(age), resources: row.try_get(4)? };
            Ok(Living { lock, session, is_over: age.as_secs_f64() > lease })
        };
        rows.iter().map(living).collect()
    }

    async fn give_back(&self, number: i64, is_shared: bool) -> Result<(), Error> {
        let function = if is_shared { "pg_advisory_unlock_shared" } else { "pg_advisory_unlock" };
        self.client.execute(&format!("SELECT {function}($1)"), &[&number]).await.map(drop)
    }
}

impl Busy {
    /// In Terraform's words.
    fn told(&self, workspace: &str) -> String {
        match self {
            Busy::Workspace => format!("Workspace is already locked: {workspace}"),
            Busy::Creation { has_row: false } => format!("Already locked for workspace creation: {workspace}"),
            Busy::Creation { has_row: true } => {
                format!("Cannot lock workspace; already locked for workspace creation: {workspace}")
            }
        }
    }
}

/// The name of a lock that another program's session holds.
fn session_name(session: i32) -> String {
    format!("session-{session}")
}

/// Below -1: neither the number of a row nor that of the creation.
fn random_key() -> i64 {
    let random = uuid::Uuid::new_v4().as_u64_pair().0;
    -((random >> 2).cast_signed()) - 2
}

/// That a row `p` of `pg_locks` is a session's lock of this number.
fn is_locked_as(number: &str) -> String {
    format!(
        "(p.locktype = 'advisory' AND p.objsubid = 1 AND p.granted AND p.database = (SELECT oid FROM pg_database WHERE datname = \
         current_database()) AND ((p.classid::bigint << 32) | p.objid::bigint) = {number})"
    )
}

fn is_living(number: &str) -> String {
    format!("EXISTS (SELECT 1 FROM pg_locks p WHERE {})", is_locked_as(number))
}
