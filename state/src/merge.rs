//! Side by side on one state: which parts of it a run changes or reads, and how its changes get into a snapshot that other runs
//! have changed meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;

use lang::addr::{AbsResource, Mode};

use crate::model::{CheckResult, State};

/// The parts of a state that a run works on: resources (`module.a.aws_vpc.main`, without instance keys) and outputs
/// (`output.id`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What it changes; nobody else changes or reads that meanwhile.
    pub changed: BTreeSet<String>,
    /// What it reads besides; nobody changes that meanwhile.
    pub read: BTreeSet<String>,
}

impl Parts {
    /// The part that a resource belongs to.
    pub fn of_resource(address: &AbsResource) -> String {
        address.config().to_string()
    }

    /// The part that an output of the root module is.
    pub fn of_output(name: &str) -> String {
        format!("output.{name}")
    }
}

/// Puts what a run has changed between two states into the newest snapshot, with its serial as it is. What is not among the
/// run's parts stays, but for results of data sources and checks, which belong to whoever looked last.
///
/// # Errors
/// What the run has changed and somebody else, too.
pub fn merge(newest: &State, from: &State, to: &State, parts: &Parts) -> Result<State, Vec<String>> {
    let mut merged = newest.clone();
    let mut conflicts = Vec::new();
    for address in differing(from, to) {
        let (before, after) = (from.resources.get(address), to.resources.get(address));
        if address.resource.mode == Mode::Managed {
            if !parts.changed.contains(&Parts::of_resource(address)) {
                continue;
            }
            if newest.resources.get(address) != before && newest.resources.get(address) != after {
                conflicts.push(address.to_string());
                continue;
            }
        }
        match after {
            Some(resource) => merged.resources.insert(address.clone(), Arc::clone(resource)),
            None => merged.resources.remove(address),
        };
    }
    let names: BTreeSet<_> = from.outputs.keys().chain(to.outputs.keys()).collect();
    for name in names {
        let (before, after) = (from.outputs.get(name), to.outputs.get(name));
        let part = Parts::of_output(name);
        if before == after || !parts.changed.contains(&part) {
            continue;
        }
        if newest.outputs.get(name) != before && newest.outputs.get(name) != after {
            conflicts.push(part);
            continue;
        }
        match after {
            Some(value) => merged.outputs.insert(name.clone(), value.clone()),
            None => merged.outputs.remove(name),
        };
    }
    merged.check_results = merge_checks(newest, from, to);
    if conflicts.is_empty() { Ok(merged) } else { Err(conflicts) }
}

/// The resources that differ between two states, or are in one alone.
pub fn differing<'a>(from: &'a State, to: &'a State) -> BTreeSet<&'a AbsResource> {
    let all = from.resources.keys().chain(to.resources.keys());
    all.filter(|address| from.resources.get(*address) != to.resources.get(*address)).collect()
}

fn merge_checks(newest: &State, from: &State, to: &State) -> Option<Vec<CheckResult>> {
    let find = |state: &State, result: &CheckResult| {
        let all = state.check_results.as_deref().unwrap_or_default();
        all.iter().find(|r| r.object_kind == result.object_kind && r.config_addr == result.config_addr).cloned()
    };
    let news: Vec<&CheckResult> =
        to.check_results.iter().flatten().filter(|r| find(from, r).as_ref() != Some(*r)).collect();
    let gone = |result: &CheckResult| find(from, result).is_some() && find(to, result).is_none();
    let mut merged: Vec<CheckResult> = newest.check_results.iter().flatten().filter(|r| !gone(r)).cloned().collect();
    for result in news {
        let same = |r: &&mut CheckResult| r.object_kind == result.object_kind && r.config_addr == result.config_addr;
        match merged.iter_mut().find(same) {
            Some(known) => *known = result.clone(),
            None => merged.push(result.clone()),
        }
    }
    if merged.is_empty() { newest.check_results.as_ref().map(|_| merged) } else { Some(merged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v4;

    /// A state of resources `terraform_data.NAME` with an input each, and outputs of the same names.
    fn state(serial: u64, resources: &[(&str, u64)]) -> State {
        let list: Vec<_> = resources
            .iter()
            .map(|(name, input)| {
                serde_json::json!({
                    "mode": if name.starts_with("data") { "data" } else { "managed" },
                    "type": "terraform_data",
                    "name": name,
                    "provider": "provider[\"terraform.io/builtin/terraform\"]",
                    "instances": [{"schema_version": 0, "attributes": {"input": input}, "sensitive_attributes": []}],
                })
            })
            .collect();
        let outputs: serde_json::Map<_, _> = resources
            .iter()
            .map(|(name, input)| ((*name).to_owned(), serde_json::json!({"value": input, "type": "number"})))
            .collect();
        let file = serde_json::json!({
            "version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l", "outputs": outputs,
            "resources": list, "check_results": null,
        });
        v4::read(file.to_string().as_bytes()).unwrap().unwrap()
    }

    fn parts(changed: &[&str]) -> Parts {
        Parts { changed: changed.iter().map(|part| (*part).to_owned()).collect(), read: BTreeSet::new() }
    }

    #[test]
    fn what_others_changed_stays_and_what_is_ours_gets_in() {
        let from = state(1, &[("a", 1), ("b", 1), ("c", 1), ("data", 1)]);
        // Ours: a changed, c removed; b has drifted, but is not ours.
        let to = state(1, &[("a", 2), ("b", 7), ("data", 2)]);
        let newest = state(5, &[("a", 1), ("b", 3), ("c", 1), ("d", 1), ("data", 9)]);
        let ours = parts(&["terraform_data.a", "terraform_data.c", "output.a", "output.c"]);
        let merged = merge(&newest, &from, &to, &ours).unwrap();
        let mut expected = state(5, &[("a", 2), ("b", 3), ("d", 1), ("data", 2)]);
        expected.outputs.insert("data".into(), newest.outputs["data"].clone());
        assert_eq!(merged, expected);
    }

    #[test]
    fn what_two_have_changed_is_a_conflict() {
        let from = state(1, &[("a", 1)]);
        let to = state(1, &[("a", 2)]);
        let ours = parts(&["terraform_data.a", "output.a"]);
        let conflicts = merge(&state(2, &[("a", 3)]), &from, &to, &ours).unwrap_err();
        assert_eq!(conflicts, ["terraform_data.a", "output.a"]);
        // What is there already was written by ourselves: its answer was lost.
        assert_eq!(merge(&state(2, &[("a", 2)]), &from, &to, &ours).unwrap(), state(2, &[("a", 2)]));
    }

    #[test]
    fn checks_belong_to_who_looked_last() {
        let check = |name: &str, status| CheckResult {
            object_kind: "check".into(),
            config_addr: format!("check.{name}").into(),
            status,
            objects: None,
        };
        use crate::model::CheckStatus::{Fail, Pass};
        let with = |checks: &[CheckResult]| State { check_results: Some(checks.to_vec()), ..state(1, &[]) };
        let from = with(&[check("a", Pass), check("b", Pass), check("c", Pass)]);
        let to = with(&[check("a", Fail), check("b", Pass)]);
        let newest = with(&[check("a", Pass), check("b", Fail), check("c", Pass)]);
        let merged = merge(&newest, &from, &to, &Parts::default()).unwrap();
        assert_eq!(merged.check_results.unwrap(), [check("a", Fail), check("b", Fail)]);
    }
}
