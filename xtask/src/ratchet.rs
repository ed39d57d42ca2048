//! Lists of cases that pass. A case on a list must go on passing; a list only grows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use localstack_tests::HarnessError;

use crate::error::TaskError;

/// What a runner said of each case: none when it passed, else the reason, if it gave one.
pub type Verdicts = BTreeMap<String, Option<String>>;

/// A list of passing cases, one name a line, sorted.
#[derive(Debug)]
pub struct Ratchet {
    path: PathBuf,
    listed: BTreeSet<String>,
}

/// What a run came to, against a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Listed and failing or missing, with the reason.
    pub regressions: Vec<String>,
    /// Passing and not listed.
    pub gains: Vec<String>,
}

impl Ratchet {
    /// Reads a list. One that doesn't exist is empty.
    pub fn read(path: PathBuf) -> Result<Ratchet, TaskError> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(HarnessError::file(path)(error).into()),
        };
        let listed = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        Ok(Ratchet { path, listed })
    }

    /// The cases that have to pass.
    pub fn listed(&self) -> &BTreeSet<String> {
        &self.listed
    }

    /// Compares a run with the list. A listed case that the run doesn't know counts as failing: a case that is renamed or
    /// dropped is taken off the list by hand.
    pub fn compare(&self, verdicts: &Verdicts) -> Comparison {
        let regressions = self.listed.iter().filter_map(|case| match verdicts.get(case) {
            Some(None) => None,
            Some(Some(reason)) if reason.is_empty() => Some(case.clone()),
            Some(Some(reason)) => Some(format!("{case}: {reason}")),
            None => Some(format!("{case}: no such case")),
        });
        let passing = verdicts.iter().filter(|(_, reason)| reason.is_none()).map(|(case, _)| case);
        let gains = passing.filter(|case| !self.listed.contains(*case)).cloned().collect();
        Comparison { regressions: regressions.collect(), gains }
    }

    /// Adds cases and writes the list.
    pub fn add(&mut self, cases: Vec<String>) -> Result<(), TaskError> {
        if cases.is_empty() {
            return Ok(());
        }
        self.listed.extend(cases);
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
        }
        let text: String = self.listed.iter().flat_map(|case| [case.as_str(), "\n"]).collect();
        fs::write(&self.path, text).map_err(HarnessError::file(&self.path))?;
        Ok(())
    }

    /// An error if there are regressions.
    pub fn judge(&self, comparison: Comparison) -> Result<(), TaskError> {
        if comparison.regressions.is_empty() {
            Ok(())
        } else {
            Err(TaskError::Regression { list: self.path.clone(), cases: comparison.regressions })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_only_grows_and_what_is_on_it_must_pass() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passing/fmt.txt");
        let mut ratchet = Ratchet::read(path.clone()).unwrap();
        let first = Verdicts::from([("a".into(), None), ("b".into(), Some("differs".into())), ("c".into(), None)]);
        let comparison = ratchet.compare(&first);
        assert_eq!(comparison, Comparison { regressions: vec![], gains: vec!["a".into(), "c".into()] });
        ratchet.add(comparison.gains).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\nc\n");

        let ratchet = Ratchet::read(path).unwrap();
        let second = Verdicts::from([("a".into(), Some("differs".into())), ("b".into(), None)]);
        let comparison = ratchet.compare(&second);
        assert_eq!(comparison.regressions, ["a: differs", "c: no such case"]);
        assert_eq!(comparison.gains, ["b"]);
        assert!(ratchet.judge(comparison).is_err());
    }
}
