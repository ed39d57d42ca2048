//! `cargo xtask fuzz`: looks for texts that break the language. libFuzzer runs the targets of the crate `fuzz` in a build that
//! reports which code a text reaches.

use std::path::{Path, PathBuf};
use std::process::Command;

use localstack_tests::{HarnessError, workspace::repository};

use crate::error::TaskError;
use crate::process;
use crate::stage::stage;

/// Search for texts that break the language, guided by the code they reach
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to feed: parse, json, format, evaluate, template, type, state, plan, plan_file or journal; all of them one after the other without it
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// Stop each target after so many texts, however long they take
    #[arg(long)]
    runs: Option<u64>,
}

/// Has every function count its blocks and comparisons for libFuzzer. These are the flags of `cargo fuzz` that a stable compiler
/// takes; its address sanitizer is not among them, and would find little in a language without unsafe code.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Texts of each target in a run of all tests.
const RUNS_IN_TESTS: u64 = 5_000;
const SECONDS_PER_TEXT: u64 = 20;
const MEBIBYTES: u64 = 2048;
const LONGEST_TEXT: u64 = 8192;

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<(), TaskError> {
    let engine = stage("build", build)?;
    let targets = match &arguments.target {
        Some(target) => vec![target.clone()],
        None => targets()?,
    };
    for target in targets {
        stage(&target, || search(&engine, &target, arguments))?;
    }
    Ok(())
}

/// A short search, as one of all tests. Without a C++ compiler there is none: the seeds are tested all the same.
pub fn briefly() -> Result<(), TaskError> {
    if Command::new("c++").arg("--version").output().is_err() {
        eprintln!("skipped: libFuzzer takes a C++ compiler (on Debian: apt install g++)");
        return Ok(());
    }
    run(&Arguments { target: None, minutes: 0, runs: Some(RUNS_IN_TESTS) })
}

/// Names of the targets: the folders with their seeds.
fn targets() -> Result<Vec<String>, TaskError> {
    let seeds = repository().join("fuzz/seeds");
    let folder = std::fs::read_dir(&seeds).map_err(HarnessError::run(seeds.display().to_string()))?;
    let mut names: Vec<String> =
        folder.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// Builds the engine and returns its path.
fn build() -> Result<PathBuf, TaskError> {
    let version = Command::new("rustc").arg("-vV").output().map_err(HarnessError::run("rustc -vV"))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
    let target = folder();
    let mut command = process::cargo(&["build", "--release", "--locked", "--manifest-path", "fuzz/engine/Cargo.toml"]);
    // With a target named, the flags are not for build scripts, which know no libFuzzer.
    command.args(["--target", &host, "--target-dir"]).arg(&target).env("RUSTFLAGS", FLAGS);
    process::succeed(&mut command)?;
    Ok(target.join(host).join("release/fuzz-engine"))
}

/// Where the engine's build lies, and what it finds.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("fuzz")
}

fn search(engine: &Path, target: &str, arguments: &Arguments) -> Result<(), TaskError> {
    let seeds = repository().join("fuzz/seeds").join(target);
    let corpus = folder().join("corpus").join(target);
    let findings = folder().join("findings");
    for folder in [&corpus, &findings] {
        std::fs::create_dir_all(folder).map_err(HarnessError::run(folder.display().to_string()))?;
    }
    let mut command = Command::new(engine);
    command.env("FUZZ_TARGET", target).args([&corpus, &seeds]);
    match arguments.runs {
        // the same texts each time
        Some(runs) => command.args([format!("-runs={runs}"), "-seed=1".to_owned()]),
        None => command.arg(format!("-max_total_time={}", arguments.minutes * 60)),
    };
    command.arg(format!("-timeout={SECONDS_PER_TEXT}")).arg(format!("-rss_limit_mb={MEBIBYTES}"));
    command.arg(format!("-max_len={LONGEST_TEXT}")).arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/{target}-", findings.display()));
    process::succeed(&mut command)
}
