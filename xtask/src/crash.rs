//! `cargo xtask crash`: kills applies at all their points, and looks whether the next one converges.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use localstack_tests::crash::{Crashes, Operation, Point, Store, Trial, Verdict};
use localstack_tests::emulator::cache_dir;
use localstack_tests::{HarnessError, Postgres, Tool};

use crate::error::TaskError;
use crate::process;
use crate::stage::stage;

/// Kill applies at chosen points, and look whether the next one converges with nothing lost, doubled or locked
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many trials
    #[arg(long, default_value_t = 96)]
    trials: u64,
    /// Chooses calls and moments; the time without it
    #[arg(long)]
    seed: Option<u64>,
    /// The number of the first trial, to repeat one
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many run at once, each with an emulator of its own
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

/// A few trials of all points, as one of all tests.
const BRIEFLY: Arguments = Arguments { trials: 36, seed: Some(1), from: 0, jobs: 2 };

/// After how many trials it is told how far they are.
const PROGRESS: u64 = 100;

/// What came of the trials of one combination.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    fine: usize,
    failed: usize,
    skipped: usize,
    killed: usize,
    recovered: usize,
    locks: usize,
}

type Table = BTreeMap<(Point, Operation, Store), Count>;

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), TaskError> {
    stage("build", process::build)?;
    trials(arguments)
}

/// A short run; what it needs has been built.
pub fn briefly() -> Result<(), TaskError> {
    trials(&BRIEFLY)
}

fn trials(arguments: &Arguments) -> Result<(), TaskError> {
    let seed =
        arguments.seed.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs()));
    let Arguments { trials, from, .. } = arguments;
    println!("seed {seed}: `cargo xtask crash --seed {seed} --from {from} --trials {trials}` repeats it");
    let tool = Tool::windlass()?;
    let postgres = Postgres::start()?;
    if postgres.is_none() {
        eprintln!("no PostgreSQL: its trials are skipped");
    }
    let (table, failures) = (Mutex::new(Table::new()), Mutex::new(Vec::new()));
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.trials);
    let work = || -> Result<(), HarnessError> {
        let mut crashes = Crashes::new(&tool, &cache_dir(), postgres.as_ref())?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= end {
                return Ok(());
            }
            let trial = Trial::new(seed, number);
            let verdict = crashes.run(trial)?;
            if let Verdict::Failed(what) = &verdict {
                eprintln!("{what}\n");
                lock(&failures).push(format!("{trial}"));
            }
            lock(&table).entry((trial.point, trial.operation, trial.store)).or_default().add(&verdict);
            let done = number - arguments.from + 1;
            if done.is_multiple_of(PROGRESS) {
                eprintln!("{done} of {} trials, {} failed", arguments.trials, lock(&failures).len());
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        let mut joined = workers.into_iter().map(|worker| worker.join());
        joined.try_for_each(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    print(&lock(&table));
    let failures = lock(&failures);
    if failures.is_empty() { Ok(()) } else { Err(TaskError::Crashes { seed, trials: failures.clone() }) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Fine { killed, recovered, was_locked } => {
                self.fine += 1;
                self.killed += usize::from(*killed);
                self.recovered += recovered;
                self.locks += usize::from(*was_locked);
            }
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped => self.skipped += 1,
        }
    }

    fn plus(self, other: &Count) -> Count {
        Count {
            fine: self.fine + other.fine,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            killed: self.killed + other.killed,
            recovered: self.recovered + other.recovered,
            locks: self.locks + other.locks,
        }
    }
}

/// A line for each point and operation, a column for each store: trials that converged, of all.
fn print(table: &Table) {
    print!("\n{:<26}{:<10}", "killed", "in");
    Store::ALL.iter().for_each(|store| print!("{store:>10}"));
    println!("{:>14}", "ended first");
    for point in Point::ALL {
        for operation in Operation::ALL {
            let counts = Store::ALL.map(|store| table.get(&(point, operation, store)).copied().unwrap_or_default());
            if counts.iter().all(|count| count.fine + count.failed == 0) {
                continue;
            }
            print!("{point:<26}{operation:<10}");
            for Count { fine, failed, .. } in counts {
                print!("{:>10}", format!("{fine}/{}", fine + failed));
            }
            println!("{:>14}", counts.iter().map(|count| count.fine - count.killed).sum::<usize>());
        }
    }
    let all = table.values().fold(Count::default(), Count::plus);
    println!(
        "\n{} trials converged, {} failed, {} were skipped; {} runs were killed before their end; {} operations were recovered; \
         {} locks of dead runs ran out or ended, none was broken",
        all.fine, all.failed, all.skipped, all.killed, all.recovered, all.locks
    );
}
