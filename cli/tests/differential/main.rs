//! Differential tests: what a generator makes up is given to windlass and to Terraform, and both must say the same. A case that
//! differs is printed whole.
//!
//! They are skipped where there is no `terraform`. `WINDLASS_DIFFERENTIAL_CASES` is how many cases each test makes (a few hundred
//! in a normal run), `WINDLASS_DIFFERENTIAL_SEED` begins another sequence.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail as the test does")]

mod changes;
mod configurations;
mod expressions;
mod layouts;
mod random;
mod signatures;
mod stacks;
mod tools;

use std::process::Command;

/// How many cases to make, and the seed; nothing, with a message, where there is no Terraform to compare with.
fn volume(normally: usize) -> Option<(usize, u64)> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    if Command::new("terraform").arg("version").output().is_err() {
        eprintln!("skipped: there is no `terraform` to compare with");
        return None;
    }
    let cases = number("WINDLASS_DIFFERENTIAL_CASES").map_or(normally, |cases| cases as usize);
    Some((cases, number("WINDLASS_DIFFERENTIAL_SEED").unwrap_or(1)))
}

/// Fails with all differences.
fn report(differences: &[String]) {
    for difference in differences {
        println!("DIFFERENCE {difference}\n");
    }
    assert!(differences.is_empty(), "{} differences", differences.len());
}
