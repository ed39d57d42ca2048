//! How a trial runs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::inotify::ReadFlags;

use super::{Dice, Operation, Point, Store, Trial};
use crate::inventory::Inventory;
use crate::postgres::connection_string;
use crate::postgres_proxy::KillAt;
use crate::victim::{FolderWatch, Killer};
use crate::{
    Account, Call, Emulator, Fault, HarnessError, Outcome, Postgres, PostgresProxy, Proxy, Rule, Tool, Workspace,
};

const STACK: &str = include_str!("stack.hcl");
/// The state's object, and its file.
const KEY: &str = "crash.tfstate";
const FILE: &str = "terraform.tfstate";
const TABLE: &str = "locks";

const INIT: &[&str] = &["init", "-no-color", "-input=false"];
const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];
const DESTROY: &[&str] = &["apply", "-destroy", "-no-color", "-input=false", "-auto-approve"];
const SETTLED: &[&str] = &["plan", "-no-color", "-input=false", "-detailed-exitcode"];

/// How long the lock of the run that is killed holds without a sign of life: as each trial in a bucket waits for it, not longer than
/// an overworked machine may keep that run from giving one.
const LEASE: &str = "8s";
/// What whoever comes after a crash does about the lock, and nothing else: only a bucket does not notice that its holder has died.
const PATIENCE: &str = "-lock-timeout=60s";

/// What recovery tells of an operation.
const RECOVERED: &[&str] = &[
    ": found and adopted",
    ": found unfinished",
    ": read again after",
    ": still there:",
    ": was never made",
    ": is gone",
    "which the state did not know yet",
];

/// Emulators forget nothing; a thousand accounts would fill the memory.
const TRIALS_PER_RESET: usize = 20;

/// What came of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it should be.
    Fine {
        /// Whether the run was killed, and had not come to its end before.
        killed: bool,
        /// Operations that were recovered.
        recovered: usize,
        /// Whether the lock of the dead run was there still as the next one began.
        was_locked: bool,
    },
    /// Something is not: what, with what the tool printed.
    Failed(String),
    /// The store is not to be had here.
    Skipped,
}

/// Where trials run: an emulator of their own.
pub struct Crashes<'a> {
    tool: &'a Tool,
    postgres: Option<&'a Postgres>,
    emulator: Emulator,
    /// What an account holds before and after the stack is made.
    empty: Inventory,
    whole: Inventory,
    /// What undisturbed runs do, by operation.
    counts: [Counts; 4],
    trials: usize,
}

/// What an undisturbed run does.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Calls that change something.
    changes: usize,
    /// Reads after the first of them.
    reads: usize,
}

/// The configuration of a stack.
#[derive(Clone, Copy)]
struct Stack {
    revision: &'static str,
    name: &'static str,
    subnet: &'static str,
}

const FIRST: Stack = Stack { revision: "one", name: "first", subnet: "10.0.1.0/24" };
const CHANGED: Stack = Stack { revision: "two", ..FIRST };
const REPLACED: Stack = Stack { name: "second", subnet: "10.0.2.0/24", ..CHANGED };

impl Stack {
    fn text(self) -> String {
        STACK.replace("REVISION", self.revision).replace("NAME", self.name).replace("SUBNET", self.subnet)
    }
}

impl<'a> Crashes<'a> {
    /// Starts an emulator, and finds out what an undisturbed run makes.
    pub fn new(tool: &'a Tool, cache: &Path, postgres: Option<&'a Postgres>) -> Result<Crashes<'a>, HarnessError> {
        let emulator = Emulator::start(cache, None)?;
        let account = emulator.account();
        let empty = account.inventory()?;
        let proxy = Proxy::start(&account.endpoint)?;
        let mut workspace = Workspace::empty(&account)?;
        workspace.set_endpoint(proxy.endpoint());
        let run = |arguments: &[&str]| {
            let outcome = workspace.run(tool, arguments)?;
            match outcome.code {
                Some(0) => Ok(()),
                _ => Err(HarnessError::Request { request: outcome.command.clone(), reason: outcome.text() }),
            }
        };
        let mut whole = Inventory::new();
        let mut counts = [Counts::default(); 4];
        for (operation, counts) in Operation::ALL.into_iter().zip(&mut counts) {
            let (_, after) = stacks(operation);
            workspace.write("main.tf", &after.unwrap_or(FIRST).text())?;
            run(INIT)?;
            proxy.reset();
            run(if after.is_some() { APPLY } else { DESTROY })?;
            *counts = Counts::of(&proxy.calls());
            if operation == Operation::Create {
                whole = account.inventory()?;
            }
        }
        Ok(Crashes { tool, postgres, emulator, empty, whole, counts, trials: 0 })
    }

    /// Runs a trial.
    pub fn run(&mut self, trial: Trial) -> Result<Verdict, HarnessError> {
        if self.trials.is_multiple_of(TRIALS_PER_RESET) {
            self.emulator.reset()?;
        }
        self.trials += 1;
        let Some(mut place) = Place::new(self, trial)? else { return Ok(Verdict::Skipped) };
        Ok(place.crash_and_go_on().unwrap_or_else(|problem| Verdict::Failed(format!("{trial}: {problem}"))))
    }
}

impl Counts {
    fn of(calls: &[Call]) -> Counts {
        let first = calls.iter().position(is_change).unwrap_or_default();
        Counts {
            changes: calls.iter().filter(|call| is_change(call)).count(),
            reads: calls.iter().skip(first).filter(|call| is_read(call)).count(),
        }
    }
}

/// The configurations before and after an operation.
fn stacks(operation: Operation) -> (Option<Stack>, Option<Stack>) {
    match operation {
        Operation::Create => (None, Some(FIRST)),
        Operation::Update => (Some(FIRST), Some(CHANGED)),
        Operation::Replace => (Some(FIRST), Some(REPLACED)),
        Operation::Destroy => (Some(FIRST), None),
    }
}

/// What is wrong, with what the tool printed.
struct Problem(String);

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<HarnessError> for Problem {
    fn from(error: HarnessError) -> Problem {
        Problem(error.full())
    }
}

/// A directory, an account and a store of their own.
struct Place<'a> {
    crashes: &'a Crashes<'a>,
    trial: Trial,
    account: Account,
    proxy: Proxy,
    database: Option<PostgresProxy>,
    bucket: Option<String>,
    /// The `terraform` block.
    settings: String,
    workspace: Workspace,
}

/// A directory without a configuration but for settings, whose calls go through the proxy.
fn directory(account: &Account, proxy: &Proxy, settings: &str) -> Result<Workspace, HarnessError> {
    let mut workspace = Workspace::empty(account)?;
    workspace.set_endpoint(proxy.endpoint());
    workspace.write("terraform.tf", settings)?;
    Ok(workspace)
}

impl<'a> Place<'a> {
    fn new(crashes: &'a Crashes<'a>, trial: Trial) -> Result<Option<Place<'a>>, HarnessError> {
        let account = crashes.emulator.account();
        let proxy = Proxy::start(&account.endpoint)?;
        let (mut database, mut bucket) = (None, None);
        let backend = match trial.store {
            Store::Local => String::new(),
            Store::S3 => {
                let name = bucket.insert(account.make_bucket()?);
                account.make_lock_table(TABLE)?;
                let table = format!("    dynamodb_table = {TABLE:?}\n");
                // The older lock keeps a checksum of the state, too.
                let lock =
                    if (trial.number / 96).is_multiple_of(2) { "    use_lockfile = true\n" } else { table.as_str() };
                format!(
                    "  backend \"s3\" {{\n    bucket = {name:?}\n    key = {KEY:?}\n    use_path_style = true\n{lock}  }}\n"
                )
            }
            Store::Postgres => {
                let Some(server) = crashes.postgres else { return Ok(None) };
                let proxy = database.insert(PostgresProxy::start(&server.authority())?);
                let address = connection_string(proxy.authority());
                format!(
                    "  backend \"pg\" {{\n    conn_str = {address:?}\n    schema_name = \"crash_{}\"\n  }}\n",
                    account.id
                )
            }
        };
        let providers = "  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n    }\n  }\n";
        let settings = format!("terraform {{\n{providers}{backend}}}\n");
        let workspace = directory(&account, &proxy, &settings)?;
        Ok(Some(Place { crashes, trial, account, proxy, database, bucket, settings, workspace }))
    }

    fn crash_and_go_on(&mut self) -> Result<Verdict, Problem> {
        let (before, after) = stacks(self.trial.operation);
        self.workspace.write("main.tf", &before.or(after).unwrap_or(FIRST).text())?;
        self.succeed(INIT)?;
        if before.is_some() {
            self.succeed(APPLY)?;
        }
        if let Some(after) = after {
            self.workspace.write("main.tf", &after.text())?;
        }
        let arguments = if after.is_some() { APPLY } else { DESTROY };
        let killed = self.crash(arguments)?;
        self.proxy.wait_until_idle()?;
        self.proxy.reset();
        if let Some(database) = &self.database {
            database.reset();
        }
        if self.trial.store != Store::Local {
            // Another machine takes over: it has the service alone.
            let configuration = self.workspace.read("main.tf")?;
            self.workspace = directory(&self.account, &self.proxy, &self.settings)?;
            self.workspace.write("main.tf", &configuration)?;
            self.succeed(INIT)?;
        }
        let was_locked = self.is_locked()?;
        let patience: &[&str] = if self.trial.store == Store::S3 { &[PATIENCE] } else { &[] };
        let again = self.run(&[arguments, patience].concat())?;
        if again.code != Some(0) {
            return Err(Problem(format!("the next run failed:\n{}", again.text())));
        }
        self.check(after.is_some(), &again)?;
        let recovered = again.stdout.lines().filter(|line| RECOVERED.iter().any(|what| line.contains(what))).count();
        Ok(Verdict::Fine { killed, recovered, was_locked })
    }

    fn is_locked(&self) -> Result<bool, Problem> {
        Ok(!self.succeed(&["lock", "list", "-json"])?.stdout.contains("\"locks\":[]"))
    }

    fn run(&self, arguments: &[&str]) -> Result<Outcome, HarnessError> {
        self.workspace.run(self.crashes.tool, arguments)
    }

    fn succeed(&self, arguments: &[&str]) -> Result<Outcome, Problem> {
        let outcome = self.run(arguments)?;
        match outcome.code {
            Some(0) => Ok(outcome),
            _ => Err(Problem(format!("`{}` failed:\n{}", outcome.command, outcome.text()))),
        }
    }

    /// Runs a command and kills it; whether it was killed before its end.
    fn crash(&mut self, arguments: &[&str]) -> Result<bool, Problem> {
        let mut dice = self.trial.dice;
        let watch = self.arm(&mut dice)?;
        self.workspace.set("WINDLASS_LOCK_LEASE", LEASE);
        let mut child = self.workspace.spawn(self.crashes.tool, arguments)?;
        self.proxy.set_victim(child.id());
        if let Some(database) = &self.database {
            database.set_victim(child.id());
        }
        let killer = watch.map(|watch| self.kill_at_file(watch, child.id(), &mut dice));
        if self.trial.point == Point::AnyTime {
            std::thread::sleep(Duration::from_millis(dice.below(1_000) as u64));
            // one that has come to its end is not killed
            let _ = child.kill();
        }
        let ended = Outcome::wait("the run to be killed", child)?;
        if let Some(killer) = killer {
            killer.end()?;
        }
        match ended.code {
            None => Ok(true),
            Some(0) => Ok(false),
            Some(code) => Err(Problem(format!("the run was not killed, but ended with {code}"))),
        }
    }

    /// Sets up what kills.
    fn arm(&self, dice: &mut Dice) -> Result<Option<FolderWatch>, HarnessError> {
        let operation = self.trial.operation as usize;
        let Counts { changes, reads } = self.crashes.counts[operation];
        let nth = |dice: &mut Dice, count: usize| 1 + dice.below(count);
        let before_or_after = |dice: &mut Dice| [Fault::KillBefore, Fault::KillAfter][dice.below(2)].clone();
        let rule = match (self.trial.point, self.trial.store) {
            (Point::BeforeCall, _) => Rule::nth(nth(dice, changes), is_change, Fault::KillBefore),
            (Point::BeforeAnswer, _) => Rule::nth(nth(dice, changes), is_change, Fault::KillAfter),
            (Point::AfterAnswer, _) => {
                let nth = nth(dice, changes);
                let later = Duration::from_micros(dice.below(20_000) as u64);
                Rule::nth(nth, is_change, Fault::KillAnswered(later))
            }
            (Point::Waiting, _) => {
                let begun = AtomicBool::new(false);
                let is_wait = move |call: &Call| {
                    let begun = begun.fetch_or(is_change(call), Ordering::Relaxed);
                    begun && is_read(call)
                };
                Rule::nth(nth(dice, reads), is_wait, before_or_after(dice))
            }
            (Point::WritingJournal, Store::S3) => {
                Rule::nth(nth(dice, RECORDS[operation] / 2), |call| is_write(call, ".journal"), before_or_after(dice))
            }
            (Point::WritingState, Store::S3) => {
                let is_state = |call: &Call| is_write(call, KEY) || call.action == "PutItem";
                Rule::nth(1 + dice.below(6), is_state, before_or_after(dice))
            }
            (Point::Unlocking, Store::S3) => {
                let is_release = |call: &Call| is_write(call, ".tflock") && call.action.starts_with("DELETE ");
                let is_release = move |call: &Call| is_release(call) || call.action == "DeleteItem";
                Rule::nth(1, is_release, before_or_after(dice))
            }
            (point, Store::Postgres) => {
                if let Some(database) = &self.database {
                    let (statements, nth): (&[&str], usize) = match point {
                        Point::WritingJournal => (JOURNAL_STATEMENTS, nth(dice, RECORDS[operation])),
                        Point::WritingState => (STATE_STATEMENTS, 1 + dice.below(6)),
                        Point::Unlocking => (&["pg_advisory_unlock"], 1),
                        _ => return Ok(None),
                    };
                    database.inject(KillAt { statements, nth, later: dice.below(2), acts: dice.below(2) == 1 });
                }
                return Ok(None);
            }
            (Point::AnyTime, _) => return Ok(None),
            (_, Store::Local) => return FolderWatch::new(self.workspace.path()).map(Some),
        };
        self.proxy.inject(rule);
        Ok(None)
    }

    fn kill_at_file(&self, watch: FolderWatch, process_id: u32, dice: &mut Dice) -> Killer {
        match self.trial.point {
            Point::WritingJournal => {
                watch.kill_at(process_id, 1 + dice.below(30), |name, _| name.ends_with(".journal"))
            }
            Point::Unlocking => watch.kill_at(process_id, 1, |name, events| {
                name.ends_with(".lock.info") && events.contains(ReadFlags::DELETE)
            }),
            _ => watch.kill_at(process_id, 1 + dice.below(24), |name, _| {
                name == FILE || name.ends_with(".redo") || name.ends_with(".backup")
            }),
        }
    }

    /// Nothing is lost, doubled, unfinished or locked.
    fn check(&self, exists: bool, again: &Outcome) -> Result<(), Problem> {
        let wrong = |what: String| Err(Problem(format!("{what}\n--- the next run:\n{}", again.text())));
        let expected = if exists { &self.crashes.whole } else { &self.crashes.empty };
        let there = self.account.inventory()?;
        if there != *expected {
            let differs = there.iter().filter(|(kind, count)| expected.get(*kind) != Some(count));
            let differs: Vec<String> = differs
                .map(|(kind, count)| format!("{kind}: {count} instead of {}", expected.get(kind).unwrap_or(&0)))
                .collect();
            return wrong(format!("the cloud holds something else: {}", differs.join(", ")));
        }
        let mut settled = SETTLED.to_vec();
        if !exists {
            settled.push("-destroy");
        }
        let plan = self.run(&settled)?;
        if plan.code != Some(0) {
            return wrong(format!("a plan finds something to do:\n{}", plan.text()));
        }
        let journal = self.succeed(&["state", "journal", "-json"])?;
        if !journal.stdout.contains("\"records\":[]") {
            return wrong(format!("the journal is not empty: {}", journal.stdout));
        }
        if self.is_locked()? {
            return wrong("the state is still locked".to_owned());
        }
        if let Some(bucket) = &self.bucket {
            let objects = self.account.objects(bucket)?;
            if objects != [KEY] {
                return wrong(format!("the bucket holds {objects:?}"));
            }
        }
        Ok(())
    }
}

/// How many records a run writes to the journal, by operation: about, some trials may ask for more. An object gets several in
/// one write.
const RECORDS: [usize; 4] = [20, 16, 24, 14];

const JOURNAL_STATEMENTS: &[&str] = &[".journal (workspace", ".journal SET", "DELETE FROM"];
const STATE_STATEMENTS: &[&str] = &[".states SET", ".states (name", "FOR UPDATE", "COMMIT"];

fn is_cloud(call: &Call) -> bool {
    !["s3", "dynamodb", "sts"].contains(&call.service.as_str())
}

fn is_change(call: &Call) -> bool {
    is_cloud(call) && call.is_mutation()
}

fn is_read(call: &Call) -> bool {
    is_cloud(call) && call.is_read()
}

/// Whether an object whose name ends so is written or removed.
fn is_write(call: &Call, name: &str) -> bool {
    (call.action.starts_with("PUT ") || call.action.starts_with("DELETE ")) && call.action.ends_with(name)
}
