//! Peak memory of a program and of all that it starts.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use localstack_tests::HarnessError;

use crate::error::TaskError;

/// Watches a process until it ends. Returns how it ended and the sum of the peak resident sizes of it and its descendants,
/// in KiB: Terraform's provider is a process of its own and lives as long as Terraform does.
///
/// A process that takes longer than `limit` is killed.
///
/// The kernel keeps each peak (`VmHWM`); looking at it often makes sure that the last look is close to the end.
/// Resource usage at `wait4` would be exact, but it tells the largest of the descendants and not their sum.
pub fn watch(mut child: Child, limit: Option<Duration>) -> Result<(ExitStatus, u64), TaskError> {
    let root = child.id();
    let start = Instant::now();
    let mut peaks: BTreeMap<u32, u64> = BTreeMap::new();
    loop {
        for process in family(root) {
            if let Some(peak) = peak(process) {
                peaks.insert(process, peak);
            }
        }
        if let Some(status) = child.try_wait().map_err(HarnessError::run("the measured program"))? {
            return Ok((status, peaks.values().sum()));
        }
        if limit.is_some_and(|limit| start.elapsed() >= limit) {
            child.kill().map_err(HarnessError::run("the measured program"))?;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn family(root: u32) -> Vec<u32> {
    let mut family = vec![root];
    let mut next = 0;
    while let Some(&process) = family.get(next) {
        next += 1;
        let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    family
}

fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
