//! The `checks` part of plan and state documents.

use std::collections::BTreeMap;

use lang::addr::{AbsResource, InstanceKey, ModuleInstance};
use planner::plan::{CheckOutcome, CheckStatus, Checkable};
use serde_json::{Map, Value as Json, json};
use state::State;

fn status_name(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Unknown => "unknown",
        CheckStatus::Pass => "pass",
        CheckStatus::Fail => "fail",
        CheckStatus::Error => "error",
    }
}

/// The worse of two.
fn worse(a: CheckStatus, b: CheckStatus) -> CheckStatus {
    let rank = |s| match s {
        CheckStatus::Pass => 0,
        CheckStatus::Unknown => 1,
        CheckStatus::Fail => 2,
        CheckStatus::Error => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}

/// What tells one checkable object of the configuration from another, and its parts in the document.
fn static_address(module: &ModuleInstance, object: &Checkable) -> (String, Map<String, Json>) {
    let path = module.path();
    let prefix = if path.is_root() { String::new() } else { format!("{path}.") };
    let (kind, local, parts) = match object {
        Checkable::Resource(resource, _) => (
            "resource",
            resource.to_string(),
            json!({"mode": resource.mode.to_string(), "type": resource.kind.as_str(), "name": resource.name.as_str()}),
        ),
        Checkable::Output(name) => ("output_value", format!("output.{name}"), json!({"name": name.as_str()})),
        Checkable::Variable(name) => ("var", format!("var.{name}"), json!({"name": name.as_str()})),
        Checkable::Check(name) => ("check", format!("check.{name}"), json!({"name": name.as_str()})),
    };
    let display = format!("{prefix}{local}");
    let mut document = Map::new();
    document.insert("kind".to_owned(), kind.into());
    document.insert("to_display".to_owned(), display.clone().into());
    if !path.is_root() {
        document.insert("module".to_owned(), path.to_string().into());
    }
    if let Json::Object(parts) = parts {
        document.extend(parts);
    }
    (display, document)
}

fn instance_address(module: &ModuleInstance, object: &Checkable) -> Json {
    let prefix = if module.is_root() { String::new() } else { format!("{module}.") };
    let (display, key) = match object {
        Checkable::Resource(resource, key) => {
            let address = AbsResource { module: module.clone(), resource: resource.clone() }.instance(key.clone());
            (address.to_string(), key.clone())
        }
        Checkable::Output(name) => (format!("{prefix}output.{name}"), InstanceKey::None),
        Checkable::Variable(name) => (format!("{prefix}var.{name}"), InstanceKey::None),
        Checkable::Check(name) => (format!("{prefix}check.{name}"), InstanceKey::None),
    };
    let mut document = Map::new();
    document.insert("to_display".to_owned(), display.into());
    if !module.is_root() {
        document.insert("module".to_owned(), module.to_string().into());
    }
    if let Some(index) = super::modules::index(&key) {
        document.insert("instance_key".to_owned(), index);
    }
    Json::Object(document)
}

/// The address of a checked object, its status, its instances.
type Checked = (Map<String, Json>, CheckStatus, Vec<Json>);

/// The checks of a plan.
pub fn of_plan(outcomes: &[CheckOutcome]) -> Vec<Json> {
    let mut objects: BTreeMap<String, Checked> = BTreeMap::new();
    for outcome in outcomes {
        let (key, address) = static_address(&outcome.module, &outcome.object);
        let entry = objects.entry(key).or_insert_with(|| (address, CheckStatus::Pass, Vec::new()));
        entry.1 = worse(entry.1, outcome.status);
        if !outcome.is_instance {
            continue;
        }
        let mut instance = Map::new();
        instance.insert("address".to_owned(), instance_address(&outcome.module, &outcome.object));
        instance.insert("status".to_owned(), status_name(outcome.status).into());
        if !outcome.problems.is_empty() {
            let problems = outcome.problems.iter().map(|p| json!({ "message": p })).collect();
            instance.insert("problems".to_owned(), Json::Array(problems));
        }
        entry.2.push(Json::Object(instance));
    }
    let documents = objects.into_values().map(|(address, status, instances)| {
        let mut document = json!({"address": address, "status": status_name(status)});
        if let (false, Some(parts)) = (instances.is_empty(), document.as_object_mut()) {
            parts.insert("instances".to_owned(), instances.into());
        }
        document
    });
    documents.collect()
}

/// The checks of a state.
pub fn of_state(state: &State) -> Vec<Json> {
    let mut outcomes = Vec::new();
    for result in state.check_results.iter().flatten() {
        let objects = result.objects.iter().flatten();
        if result.objects.as_ref().is_none_or(Vec::is_empty)
            && let Some((module, object)) = checkable(&result.object_kind, &result.config_addr)
        {
            let outcome = CheckOutcome::new(module, object, status(result.status));
            outcomes.push(CheckOutcome { is_instance: false, ..outcome });
        }
        for object in objects {
            if let Some((module, checkable)) = checkable(&result.object_kind, &object.object_addr) {
                let problems = object.failure_messages.clone();
                outcomes.push(CheckOutcome { problems, ..CheckOutcome::new(module, checkable, status(object.status)) });
            }
        }
    }
    of_plan(&outcomes)
}

fn status(stored: state::CheckStatus) -> CheckStatus {
    match stored {
        state::CheckStatus::Pass => CheckStatus::Pass,
        state::CheckStatus::Fail => CheckStatus::Fail,
        state::CheckStatus::Error => CheckStatus::Error,
        state::CheckStatus::Unknown => CheckStatus::Unknown,
    }
}

fn checkable(kind: &str, address: &str) -> Option<(ModuleInstance, Checkable)> {
    if kind == "resource" {
        let instance: lang::addr::ResourceInstance = address.parse().ok()?;
        return Some((instance.module, Checkable::Resource(instance.resource, instance.key)));
    }
    let (rest, name) = address.rsplit_once('.')?;
    let module = match rest.rsplit_once('.') {
        Some((module, _)) => module.parse().ok()?,
        None => ModuleInstance::root(),
    };
    let name = name.into();
    Some((
        module,
        match kind {
            "output" => Checkable::Output(name),
            "var" => Checkable::Variable(name),
            "check" => Checkable::Check(name),
            _ => return None,
        },
    ))
}
