//! `state mv -state-out`: from one state into another.

use std::sync::Arc;

use lang::Diagnostics;
use lang::addr::AbsResource;
use planner::Target;
use state::State;

use super::state_mv::{Moves, forget_dependencies, is_inside, occupied, rename};

/// Moves what `source` names in one state to what `destination` names in another. Neither changes if that can't be done.
pub(super) fn transfer(
    from: &mut State,
    to: &mut State,
    source: &Target,
    destination: &Target,
) -> Result<Moves, Diagnostics> {
    let mut moved = only(from, source);
    let moves = rename(&mut moved, source, destination)?;
    if let Target::Module(module) = destination
        && to.resources.keys().any(|address| is_inside(address, module))
    {
        return Err(occupied(module, "module"));
    }
    let whole = matches!((source, destination), (Target::Resource(..), Target::Resource(..)));
    for (address, resource) in &moved.resources {
        let Some(there) = to.resource(address) else { continue };
        let taken = resource.instances.keys().find(|key| there.instances.contains_key(key));
        match taken {
            Some(key) => return Err(occupied(&address.instance(key.clone()), "resource instance")),
            None if whole => return Err(occupied(address, "resource")),
            None => {}
        }
    }
    remove(from, source);
    forget_dependencies(from, source);
    for (address, resource) in moved.resources {
        match to.resource_mut(&address) {
            Some(there) => there.instances.extend(resource.instances.clone()),
            None => {
                to.resources.insert(address, resource);
            }
        }
    }
    Ok(moves)
}

/// What a target names.
fn only(state: &State, target: &Target) -> State {
    let mut part = State::new();
    for (address, resource) in state.resources.iter().filter(|(address, _)| covers(target, address)) {
        let mut resource = resource.clone();
        if let Target::Instance(instance) = target {
            Arc::make_mut(&mut resource).instances.retain(|key, _| *key == instance.key);
        }
        if !resource.instances.is_empty() {
            part.resources.insert(address.clone(), resource);
        }
    }
    part
}

fn covers(target: &Target, address: &AbsResource) -> bool {
    match target {
        Target::Module(module) => is_inside(address, module),
        Target::Resource(module, resource) => *address == module.resource(resource.clone()),
        Target::Instance(instance) => *address == instance.abs_resource(),
    }
}

fn remove(state: &mut State, target: &Target) {
    let covered: Vec<AbsResource> = state.resources.keys().filter(|address| covers(target, address)).cloned().collect();
    for address in covered {
        if let Target::Instance(instance) = target
            && let Some(resource) = state.resource_mut(&address)
        {
            resource.instances.remove(&instance.key);
            if !resource.instances.is_empty() {
                continue;
            }
        }
        state.resources.remove(&address);
    }
}
