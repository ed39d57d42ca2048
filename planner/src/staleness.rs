//! Whether a saved plan still fits the state: only what it touches or reads counts. What other runs have changed beside it
//! is taken over.

use std::collections::BTreeSet;
use std::sync::Arc;

use lang::addr::{ConfigResource, Mode, ModulePath, ResourceInstance};
use state::model::Serial;
use state::{Parts, State};

use crate::graph::{ConfigGraph, Node};
use crate::plan::{Action, Plan, PlanMode, ResourceChange};
use crate::workspace::Workspace;

/// Brings a plan to the state as it is stored now. After that its states differ from the stored one only by what was read
/// while planning. An error names what was changed under the plan; the plan is then as it was.
pub fn rebase(workspace: &Workspace, plan: &mut Plan, stored: &State) -> Result<(), Vec<String>> {
    let previous = &plan.previous_state;
    if previous.lineage == stored.lineage && previous.serial == stored.serial {
        return Ok(());
    }
    let foreign = foreign_instances(previous, stored);
    let outputs: BTreeSet<_> = previous.outputs.keys().chain(stored.outputs.keys()).cloned().collect();
    let outputs: Vec<_> =
        outputs.into_iter().filter(|name| previous.outputs.get(name) != stored.outputs.get(name)).collect();
    let mut stale = Vec::new();
    // A plan from before there was a state has no lineage yet.
    let is_first = previous.is_empty() && previous.serial == Serial(0);
    if previous.lineage != stored.lineage && !is_first {
        stale.push("the whole state was replaced by another".to_owned());
    }
    let touched = touched(workspace, plan);
    let removed = removed(plan);
    for address in &foreign {
        let config = address.config();
        let after_removed =
            stored.current(address).is_some_and(|o| o.dependencies.iter().any(|d| removed.contains(&**d)));
        // A destroy and a refresh are about all that there is.
        if plan.mode != PlanMode::Normal || touched.contains(&config) || after_removed {
            stale.push(address.to_string());
        }
    }
    let planned = |name| plan.outputs.get(name).is_some_and(|change| change.action != Action::NoOp);
    stale.extend(outputs.iter().filter(|name| planned(*name)).map(|name| format!("output.{name}")));
    if !stale.is_empty() {
        return Err(stale);
    }
    for address in &foreign {
        adopt(&mut plan.prior_state, stored, address);
    }
    for name in outputs {
        match stored.outputs.get(&name) {
            Some(value) => plan.prior_state.outputs.insert(name, value.clone()),
            None => plan.prior_state.outputs.remove(&name),
        };
    }
    plan.prior_state.serial = stored.serial;
    plan.prior_state.lineage = stored.lineage.clone();
    plan.changes.retain(|change| change.action != Action::NoOp || !foreign.contains(&change.address));
    plan.previous_state = stored.clone();
    Ok(())
}

/// What of the state the apply of a plan changes and reads: all that [`rebase`] looks at.
pub fn parts(workspace: &Workspace, plan: &Plan) -> Parts {
    let mut parts = Parts::default();
    let managed = |resource: &ConfigResource| resource.resource.mode == Mode::Managed;
    for change in plan.changes.iter().filter(|change| is_touching(change)) {
        let addresses = std::iter::once(&change.address).chain(&change.previous_address);
        parts.changed.extend(addresses.map(ResourceInstance::config).filter(managed).map(|config| config.to_string()));
    }
    let outputs = plan.outputs.iter().filter(|(_, change)| change.action != Action::NoOp);
    parts.changed.extend(outputs.map(|(name, _)| Parts::of_output(name)));
    let touched = touched(workspace, plan).into_iter().filter(managed).map(|config| config.to_string());
    parts.read = touched.filter(|part| !parts.changed.contains(part)).collect();
    parts
}

/// Whether a change alters the state, be it that an object only moves or is taken over.
fn is_touching(change: &ResourceChange) -> bool {
    change.action != Action::NoOp || change.previous_address.is_some() || change.importing.is_some()
}

/// Managed instances that differ, or are in one of two states only.
fn foreign_instances(previous: &State, stored: &State) -> BTreeSet<ResourceInstance> {
    let differing = |from: &State, to: &State| {
        let differs = |address: &ResourceInstance| from.instance(address) != to.instance(address);
        let addresses = from.instances().map(|(address, ..)| address);
        let managed = addresses.filter(|address| address.resource.mode == Mode::Managed);
        managed.filter(differs).collect::<BTreeSet<_>>()
    };
    let mut all = differing(previous, stored);
    all.extend(differing(stored, previous));
    all
}

/// The resources that a plan changes, and all that these and the changed outputs are made from.
fn touched(workspace: &Workspace, plan: &Plan) -> BTreeSet<ConfigResource> {
    let mut touched = BTreeSet::new();
    let graph = ConfigGraph::build(workspace, &BTreeSet::new());
    let mut start = Vec::new();
    for change in &plan.changes {
        if !is_touching(change) {
            continue;
        }
        touched.insert(change.address.config());
        touched.extend(change.previous_address.iter().map(ResourceInstance::config));
        touched.extend(change.dependencies.iter().map(|dependency| ConfigResource::clone(dependency)));
        start.push(Node::Resource(change.address.config()));
    }
    let changed = plan.outputs.iter().filter(|(_, change)| change.action != Action::NoOp);
    start.extend(changed.map(|(name, _)| Node::Output(ModulePath::root(), name.clone())));
    let mut stack: Vec<_> = start.iter().filter_map(|node| graph.index_of(node)).collect();
    let mut seen: BTreeSet<_> = stack.iter().copied().collect();
    while let Some(index) = stack.pop() {
        if let Some(Node::Resource(resource)) = graph.node(index) {
            touched.insert(resource.clone());
        }
        stack.extend(graph.dependencies(index).filter(|dependency| seen.insert(*dependency)));
    }
    touched
}

fn removed(plan: &Plan) -> BTreeSet<ConfigResource> {
    let removals = plan.changes.iter().filter(|c| c.action == Action::Delete || c.action.is_replace());
    removals.map(|change| change.address.config()).collect()
}

/// Takes an instance over from one state to another, or removes it where it is gone.
fn adopt(into: &mut State, from: &State, address: &ResourceInstance) {
    let resource = address.abs_resource();
    match (from.instance(address), from.resources.get(&resource)) {
        (Some(instance), Some(source)) => {
            let entry = into.resources.entry(resource).or_insert_with(|| {
                let (provider, instances) = (source.provider.clone(), Default::default());
                Arc::new(state::ResourceState { provider, instances })
            });
            Arc::make_mut(entry).instances.insert(address.key.clone(), instance.clone());
        }
        _ => {
            let Some(entry) = into.resources.get_mut(&resource) else { return };
            Arc::make_mut(entry).instances.remove(&address.key);
            if entry.instances.is_empty() {
                into.resources.remove(&resource);
            }
        }
    }
}
