//! `test`

mod human;
mod json;
mod junit;

use std::path::{Component, Path};
use std::sync::Arc;

use clap::ArgAction;
use config::test_file::TestFile;
use lang::{Diagnostic, Diagnostics};
use planner::Interrupt;
use testing::{FileOutcome, Reporter, Status, Suite};

use super::Exit;
use crate::args::groups::VariableArgs;
use crate::session::{Session, Tested};

/// Executes automated integration tests against the current Terraform configuration: the run blocks of the test files beside
/// it and in its directory of tests, in order. This command creates real infrastructure and attempts to clean it up on
/// completion; watch the output to make sure that this is successful.
#[derive(Debug, clap::Parser)]
pub struct TestArgs {
    /// Not supported: tests run here only.
    #[arg(long, value_name = "source")]
    pub cloud_run: Option<String>,
    /// If specified, only the test files specified by this flag are executed. May be given several times.
    #[arg(long, value_name = "testfile", action = ArgAction::Append)]
    pub filter: Vec<String>,
    /// If specified, machine readable output will be printed in JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// Write a report in JUnit's XML format to the given path.
    #[arg(long, value_name = "path")]
    pub junit_xml: Option<String>,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Set the directory of the tests.
    #[arg(long, value_name = "path", default_value = "tests")]
    pub test_directory: String,
    /// Print the plan or state for each test run block as it executes.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub verbose: bool,
    /// Values of input variables.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Accepted and ignored.
    pub rest: Vec<String>,
}

/// How many operations run at once.
const PARALLELISM: usize = 10;

/// Runs the command.
pub async fn run(session: &Session, args: &TestArgs) -> Exit {
    match suite(session, args) {
        Ok((suite, files)) => {
            let (exit, outcomes) = execute(session, args, &suite, &files).await;
            match report(session, args, &files, &outcomes) {
                Ok(()) => exit,
                Err(diagnostic) => fail(session, diagnostic.into()),
            }
        }
        Err(diagnostics) => fail(session, diagnostics),
    }
}

fn fail(session: &Session, diagnostics: Diagnostics) -> Exit {
    session.show(&diagnostics);
    Exit::Failure
}

/// The tests that are asked for, and what they work on.
fn suite(session: &Session, args: &TestArgs) -> Result<(Suite, Vec<TestFile>), Diagnostics> {
    if args.cloud_run.is_some() {
        let detail = "Tests run on this machine only. Leave -cloud-run out.";
        return Err(Diagnostic::error("Remote test runs are not supported", detail).into());
    }
    if args.json {
        session.ui.event(&crate::json_views::stream::Event::version());
    }
    if !is_local(Path::new(&args.test_directory)) {
        let detail = "The testing directory must be a relative path pointing to a directory local to the configuration \
                      directory.";
        return Err(Diagnostic::error("Invalid testing directory", detail).into());
    }
    session.environment.give(&args.variables.given);
    let (tested, mut diagnostics) = session.load_with_tests(&args.test_directory);
    let Some(Tested { workspace, files, modules }) = tested.filter(|_| !diagnostics.has_errors()) else {
        return Err(diagnostics);
    };
    let (globals, problems) = crate::variables::collect_for_tests(session, &args.variables.given, &args.test_directory);
    diagnostics.append(problems);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    session.show(&diagnostics);
    let wanted = |file: &TestFile| args.filter.is_empty() || args.filter.contains(&file.name);
    let suite = Suite {
        workspace,
        globals,
        provisioners: Arc::new(session.environment.provisioners()),
        modules,
        parallelism: PARALLELISM,
        interrupt: Interrupt::default(),
    };
    Ok((suite, files.into_iter().filter(wanted).collect()))
}

/// Whether a path leads to a place below the working directory, whatever is there.
fn is_local(path: &Path) -> bool {
    let mut depth = 0usize;
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

async fn execute(session: &Session, args: &TestArgs, suite: &Suite, files: &[TestFile]) -> (Exit, Vec<FileOutcome>) {
    let reporter: Box<dyn Reporter> = match args.json {
        true => Box::new(json::JsonReporter::new(session, args.verbose)),
        false => Box::new(human::HumanReporter { session, verbose: args.verbose }),
    };
    if args.json {
        json::abstract_of(session, files);
    }
    // An interrupt ends the tests after the run under way; what they made is destroyed.
    let watcher = tokio::spawn(crate::interrupts::watch(session.ui.clone(), suite.interrupt.clone()));
    let mut outcomes = Vec::new();
    for file in files {
        outcomes.push(testing::run_file(suite, file, reporter.as_ref()).await);
    }
    watcher.abort();
    let counts = Counts::of(&outcomes);
    if args.json {
        json::summary(session, &counts)
    } else {
        human::summary(session, &counts)
    }
    (if counts.worst > Status::Pass { Exit::Failure } else { Exit::Success }, outcomes)
}

fn report(session: &Session, args: &TestArgs, files: &[TestFile], outcomes: &[FileOutcome]) -> Result<(), Diagnostic> {
    let Some(path) = &args.junit_xml else { return Ok(()) };
    let text = junit::document(files, outcomes, &session.sources);
    std::fs::write(path, text).map_err(|error| {
        let detail = format!("Could not write to {path}: {}.", crate::io::reason(&error));
        Diagnostic::error("Failed to write the JUnit report", detail)
    })
}

/// How many runs came out how.
struct Counts {
    passed: usize,
    failed: usize,
    errored: usize,
    skipped: usize,
    worst: Status,
}

impl Counts {
    fn of(outcomes: &[FileOutcome]) -> Counts {
        let count = |status| outcomes.iter().flat_map(|file| &file.runs).filter(|run| run.status == status).count();
        Counts {
            passed: count(Status::Pass),
            failed: count(Status::Fail),
            errored: count(Status::Error),
            skipped: count(Status::Skip),
            worst: outcomes.iter().map(|file| file.status).max().unwrap_or(Status::Pass),
        }
    }

    /// `Failure! 1 passed, 1 failed.`, without the first word.
    fn text(&self) -> String {
        let failed = self.failed + self.errored;
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("{} passed, {failed} failed{skipped}.", self.passed)
    }
}
