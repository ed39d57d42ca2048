//! `state mv`

use std::fmt::Display;
use std::sync::Arc;

use clap::ArgAction;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, Mode, ModuleInstance, ResourceInstance};
use lang::quoting::go_quote;
use lang::{Diagnostic, Diagnostics};
use planner::Target;
use state::State;
use state::model::{InstanceState, ResourceState};

use super::Exit;
use super::state_edit::{EditArgs, Other, Writing, edit, edit_both};
use super::state_mv_between::transfer;
use crate::session::Session;

/// This command will move an item matched by the address given to the destination address.
#[derive(Debug, clap::Parser)]
pub struct StateMvArgs {
    /// If set, prints out what would've been moved but doesn't actually move anything.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub dry_run: bool,
    /// The state.
    #[command(flatten)]
    pub edit: EditArgs,
    /// Path to the state that the item is moved to, for the local backend only. Defaults to the one that it is in.
    #[arg(long, value_name = "PATH")]
    pub state_out: Option<String>,
    /// Path where Terraform should write the backup of the state that the item is moved to.
    #[arg(long, value_name = "PATH")]
    pub backup_out: Option<String>,
    /// Source and destination.
    pub addresses: Vec<String>,
}

const USAGE: &str = include_str!("usage/state_mv.txt");

/// Runs the command.
pub async fn run(session: &Session, args: &StateMvArgs) -> Exit {
    let [source, destination] = args.addresses.as_slice() else {
        session.ui.eprint("Exactly two arguments expected.\n\n");
        session.ui.print(USAGE);
        return Exit::Failure;
    };
    let parsed = || -> Result<(Target, Target), Diagnostics> {
        match (crate::targets::parse(source), crate::targets::parse(destination)) {
            (Ok(from), Ok(to)) => Ok((from, to)),
            (from, to) => Err([from.err(), to.err()].into_iter().flatten().flatten().collect()),
        }
    };
    if let Some(path) = &args.state_out {
        let other = Other { path, backup: args.backup_out.as_deref() };
        let result = edit_both(session, &args.edit, other, |from, to| {
            let (source, destination) = parsed()?;
            let (mut changed_from, mut changed_to) = (from.clone(), to.clone());
            let moves = transfer(&mut changed_from, &mut changed_to, &source, &destination)?;
            if !args.dry_run {
                (*from, *to) = (changed_from, changed_to);
            }
            Ok(moves)
        });
        return report(session, args, result.await);
    }
    let result = edit(session, &args.edit, Writing::Timestamped, |state| {
        let (from, to) = parsed()?;
        let mut changed = state.clone();
        let moves = relocate(&mut changed, &from, &to)?;
        if !args.dry_run {
            *state = changed;
        }
        Ok(moves)
    })
    .await;
    report(session, args, result)
}

fn report(session: &Session, args: &StateMvArgs, result: Result<Moves, Diagnostics>) -> Exit {
    match result {
        Ok(moves) => {
            let verb = if args.dry_run { "Would move" } else { "Move" };
            for (from, to) in &moves {
                session.ui.print(&format!("{verb} {} to {}\n", go_quote(from), go_quote(to)));
            }
            if !args.dry_run {
                session.ui.print(&format!("Successfully moved {} object(s).\n", moves.len()));
            }
            Exit::Success
        }
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

/// Where from and where to.
pub(super) type Moves = Vec<(String, String)>;

fn missing(from: &dyn Display) -> Diagnostics {
    let detail = format!("Cannot move {from}: does not match anything in the current state.");
    Diagnostic::error("Invalid source address", detail).into()
}

pub(super) fn occupied(to: &dyn Display, what: &str) -> Diagnostics {
    let detail = format!("Cannot move to {to}: there is already a {what} at that address in the current state.");
    Diagnostic::error("Invalid target address", detail).into()
}

/// Moves within a state. Returns what was moved where.
fn relocate(state: &mut State, from: &Target, to: &Target) -> Result<Moves, Diagnostics> {
    let moves = rename(state, from, to)?;
    forget_dependencies(state, from);
    Ok(moves)
}

/// What depends on something that was moved forgets its dependencies, as Terraform has it: the next refresh finds them again.
pub(super) fn forget_dependencies(state: &mut State, from: &Target) {
    let moved = |dependency: &ConfigResource| match from {
        Target::Module(module) => dependency.module.0.starts_with(&module.path().0),
        Target::Resource(module, resource) => *dependency == module.resource(resource.clone()).config(),
        Target::Instance(instance) => *dependency == instance.config(),
    };
    let concerned = |instance: &InstanceState| {
        let objects = instance.current.iter().chain(instance.deposed.values());
        objects.into_iter().any(|object| object.dependencies.iter().any(|dependency| moved(dependency)))
    };
    let stale: Vec<ResourceInstance> =
        state.instances().filter(|(_, _, instance)| concerned(instance)).map(|(address, ..)| address).collect();
    for address in stale {
        let resource = state.resource_mut(&address.abs_resource());
        let Some(instance) = resource.and_then(|resource| resource.instances.get_mut(&address.key)) else { continue };
        for object in instance.current.iter_mut().chain(instance.deposed.values_mut()) {
            if object.dependencies.iter().any(|dependency| moved(dependency)) {
                Arc::make_mut(object).dependencies = Default::default();
            }
        }
    }
}

const A_MODULE: &str = "the target must also be a module";
const A_RESOURCE: &str =
    "the source is a whole resource (not a resource instance) so the target must also be a whole resource";

pub(super) fn rename(state: &mut State, from: &Target, to: &Target) -> Result<Moves, Diagnostics> {
    let unfit = |from: &dyn Display, to: &dyn Display, why: &str| {
        let detail = format!("Cannot move {from} to {to}: {why}.");
        Diagnostics::from(Diagnostic::error("Invalid target address", detail))
    };
    match from {
        Target::Module(from) => {
            if !state.resources.keys().any(|address| is_inside(address, from)) {
                return Err(missing(from));
            }
            match to {
                Target::Module(to) => move_module(state, from, to),
                Target::Resource(module, to) => Err(unfit(from, &module.resource(to.clone()), A_MODULE)),
                Target::Instance(to) => Err(unfit(from, to, A_MODULE)),
            }
        }
        Target::Resource(module, from) => {
            let from = module.resource(from.clone());
            let Some(resource) = state.resource(&from) else { return Err(missing(&from)) };
            // A resource that has an instance without a key is as good as that instance.
            let single = resource.instances.contains_key(&InstanceKey::None);
            match to {
                Target::Resource(module, to) if single && state.resource(&module.resource(to.clone())).is_some() => {
                    let to = module.resource(to.clone()).instance(InstanceKey::None);
                    move_instance(state, &from.instance(InstanceKey::None), &to)
                }
                Target::Resource(module, to) => move_resource(state, &from, &module.resource(to.clone())),
                Target::Instance(to) if single => move_instance(state, &from.instance(InstanceKey::None), to),
                Target::Instance(to) => Err(unfit(&from, to, A_RESOURCE)),
                Target::Module(to) => Err(unfit(&from, to, A_RESOURCE)),
            }
        }
        Target::Instance(from) => match to {
            Target::Instance(to) => move_instance(state, from, to),
            Target::Resource(module, to) => {
                move_instance(state, from, &module.resource(to.clone()).instance(InstanceKey::None))
            }
            Target::Module(to) => Err(unfit(from, to, "the target must also be a resource instance")),
        },
    }
}

pub(super) fn is_inside(address: &AbsResource, module: &ModuleInstance) -> bool {
    address.module.0.starts_with(&module.0)
}

fn check_kinds(
    from: &lang::addr::Resource,
    to: &lang::addr::Resource,
    shown: (String, String),
) -> Result<(), Diagnostics> {
    let (shown_from, shown_to) = shown;
    let mut problems = Diagnostics::new();
    let mut refuse = |why: &str| {
        let detail = format!("Cannot move {shown_from} to {shown_to}: {why}.");
        problems.push(Diagnostic::error("Invalid state move request", detail));
    };
    match (from.mode, to.mode) {
        (Mode::Managed, Mode::Managed) | (Mode::Data, Mode::Data) | (Mode::Ephemeral, _) => {}
        (Mode::Managed, _) => refuse("a managed resource can be moved only to another managed resource address"),
        (Mode::Data, _) => refuse("a data resource can be moved only to another data resource address"),
    }
    if from.kind != to.kind {
        refuse("resource types don't match");
    }
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

fn move_module(state: &mut State, from: &ModuleInstance, to: &ModuleInstance) -> Result<Moves, Diagnostics> {
    let sources: Vec<AbsResource> =
        state.resources.keys().filter(|address| is_inside(address, from)).cloned().collect();
    if state.resources.keys().any(|address| is_inside(address, to)) {
        return Err(occupied(to, "module"));
    }
    // Each module that has resources is told by itself.
    let mut moves = Moves::new();
    for address in sources {
        let Some(resource) = state.resources.remove(&address) else { continue };
        let below = address.module.0.iter().skip(from.0.len()).cloned();
        let module = ModuleInstance(to.0.iter().cloned().chain(below).collect());
        let step = (address.module.to_string(), module.to_string());
        state.resources.insert(module.resource(address.resource), resource);
        if moves.last() != Some(&step) {
            moves.push(step);
        }
    }
    Ok(moves)
}

fn move_resource(state: &mut State, from: &AbsResource, to: &AbsResource) -> Result<Moves, Diagnostics> {
    check_kinds(&from.resource, &to.resource, (from.to_string(), to.to_string()))?;
    if state.resources.contains_key(to) {
        return Err(occupied(to, "resource"));
    }
    if let Some(resource) = state.resources.remove(from) {
        state.resources.insert(to.clone(), resource);
    }
    Ok(vec![(from.to_string(), to.to_string())])
}

fn move_instance(state: &mut State, from: &ResourceInstance, to: &ResourceInstance) -> Result<Moves, Diagnostics> {
    // All that is wrong is told at once.
    let unlike = check_kinds(&from.resource, &to.resource, (from.to_string(), to.to_string())).err();
    let taken = state.instance(to).map(|_| occupied(to, "resource instance"));
    let absent = state.instance(from).is_none().then(|| {
        let detail = format!("The current state does not contain {from}.");
        Diagnostic::error("Invalid source address", detail).into()
    });
    let problems: Diagnostics = [unlike, taken, absent].into_iter().flatten().flatten().collect();
    if problems.has_errors() {
        return Err(problems);
    }
    let source = from.abs_resource();
    let Some(resource) = state.resource_mut(&source) else { return Err(missing(from)) };
    let Some(instance) = resource.instances.remove(&from.key) else { return Err(missing(from)) };
    let provider = resource.provider.clone();
    if resource.instances.is_empty() {
        state.resources.remove(&source);
    }
    let target = state
        .resources
        .entry(to.abs_resource())
        .or_insert_with(|| Arc::new(ResourceState { provider, instances: Default::default() }));
    Arc::make_mut(target).instances.insert(to.key.clone(), instance);
    Ok(vec![(from.to_string(), to.to_string())])
}
