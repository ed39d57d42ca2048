//! `moved` blocks: objects of the state get new addresses before anything is planned. A resource that gains or loses `count`
//! moves by itself between its address without key and `[0]`.

mod across;
mod check;

use std::collections::BTreeMap;
use std::sync::Arc;

use config::addresses::AbsoluteAddress;
use config::module::Module;
use lang::addr::{InstanceKey, Mode, ModuleInstance, ModulePath, ResourceInstance};
use lang::{Diagnostic, Diagnostics, Range, Str};
use state::{ResourceState, State};

use crate::workspace::Workspace;
use across::Converted;

pub(crate) use check::check_targets;

/// Where objects were before: the old address by the new one.
pub(crate) type Previous = BTreeMap<ResourceInstance, ResourceInstance>;

/// A call of a module, with its key.
type ModuleStep = (Str, InstanceKey);

/// A `moved` block with the module that holds it.
struct Statement<'a> {
    module: &'a ModulePath,
    from: &'a AbsoluteAddress,
    to: &'a AbsoluteAddress,
    range: Range,
}

/// All statements in the order of modules and files.
fn statements(root: &Module) -> Vec<Statement<'_>> {
    let modules = root.tree().into_iter();
    let all = modules.flat_map(|module| module.moved.iter().map(move |moved| (&module.path, moved)));
    all.map(|(module, moved)| Statement {
        module,
        from: &moved.from_address,
        to: &moved.to_address,
        range: moved.range,
    })
    .collect()
}

/// Moves the objects of a state as the configuration says.
/// An error where an object can't become one of its target's type.
pub(crate) fn apply(workspace: &Workspace, state: &mut State) -> Result<(Previous, Diagnostics), Diagnostics> {
    let root = &workspace.config;
    let mut statements = statements(root);
    // What is moved out of a module that is moved itself goes first.
    statements.sort_by_key(|statement| std::cmp::Reverse(statement.depth()));
    let implied = implied(root, state, &statements);
    let mut previous = Previous::new();
    let mut blocked = BTreeMap::new();
    // A chain of moves needs as many rounds as it has links, whatever the order of its blocks.
    for _ in 0..=statements.len() {
        let mut moved = false;
        for statement in &statements {
            let addresses: Vec<ResourceInstance> = state.instances().map(|(address, ..)| address).collect();
            for address in addresses {
                let Some(target) = statement.target(&address) else { continue };
                if target == address {
                    continue;
                }
                let across = |state: &State| match statement.from {
                    AbsoluteAddress::Resource(_) => across::convert(workspace, state, &address, &target),
                    AbsoluteAddress::Module(_) => Ok(None),
                };
                if rename(state, &address, &target, across)? {
                    moved = true;
                    let origin = previous.remove(&address).unwrap_or(address);
                    previous.insert(target, origin);
                } else {
                    blocked.insert(address, target);
                }
            }
        }
        if !moved {
            break;
        }
    }
    for (address, target) in implied {
        if rename(state, &address, &target, |_| Ok(None))? {
            let origin = previous.remove(&address).unwrap_or(address);
            previous.insert(target, origin);
        }
    }
    Ok((previous, unresolved(&blocked)))
}

impl Statement<'_> {
    /// How far down the statement reaches.
    fn depth(&self) -> usize {
        let below = match self.from {
            AbsoluteAddress::Module(module) => 2 * module.0.len(),
            AbsoluteAddress::Resource(resource) => 2 * resource.module.0.len() + 1,
        };
        2 * self.module.0.len() + below
    }

    /// The steps of a module's address up to an instance of the statement's module, and those behind it. `None` outside of it.
    fn split<'m>(&self, module: &'m ModuleInstance) -> Option<(&'m [ModuleStep], &'m [ModuleStep])> {
        let (prefix, rest) = module.0.split_at_checked(self.module.0.len())?;
        prefix.iter().map(|(name, _)| name).eq(self.module.0.iter()).then_some((prefix, rest))
    }

    /// Whether one of its ends is the resource of an instance.
    fn speaks_of(&self, address: &ResourceInstance) -> bool {
        let Some((_, rest)) = self.split(&address.module) else { return false };
        [self.from, self.to].into_iter().any(|end| match end {
            AbsoluteAddress::Resource(end) => end.module.0[..] == *rest && end.resource == address.resource,
            AbsoluteAddress::Module(_) => false,
        })
    }

    /// The new address of an instance that the statement selects.
    fn target(&self, address: &ResourceInstance) -> Option<ResourceInstance> {
        let (prefix, rest) = self.split(&address.module)?;
        match (self.from, self.to) {
            (AbsoluteAddress::Resource(from), AbsoluteAddress::Resource(to)) => {
                // Without a key on either side the statement speaks of all instances.
                let whole = from.key == InstanceKey::None && to.key == InstanceKey::None;
                let selected = from.module.0[..] == *rest
                    && from.resource == address.resource
                    && (whole || from.key == address.key);
                let module = ModuleInstance(prefix.iter().chain(to.module.0.iter()).cloned().collect());
                let key = if whole { address.key.clone() } else { to.key.clone() };
                selected.then(|| ResourceInstance { module, resource: to.resource.clone(), key })
            }
            (AbsoluteAddress::Module(from), AbsoluteAddress::Module(to)) => {
                let ((from_name, from_key), from_path) = from.0.split_last()?;
                let ((to_name, to_key), to_path) = to.0.split_last()?;
                let (step, below) = rest.get(from_path.len()..)?.split_first()?;
                let whole = *from_key == InstanceKey::None && *to_key == InstanceKey::None;
                let selected = rest.starts_with(from_path) && step.0 == *from_name && (whole || step.1 == *from_key);
                let key = if whole { step.1.clone() } else { to_key.clone() };
                let call = [(to_name.clone(), key)];
                let module = prefix.iter().chain(to_path).chain(&call).chain(below).cloned().collect();
                let (resource, key) = (address.resource.clone(), address.key.clone());
                selected.then_some(ResourceInstance { module: ModuleInstance(module), resource, key })
            }
            _ => None,
        }
    }
}

/// Gives an instance a new address; false if that is taken. `across` turns its object into one of another type.
fn rename(
    state: &mut State,
    from: &ResourceInstance,
    to: &ResourceInstance,
    across: impl FnOnce(&State) -> Result<Option<Converted>, Diagnostic>,
) -> Result<bool, Diagnostic> {
    if state.instance(to).is_some() {
        return Ok(false);
    }
    let converted = across(state)?;
    let old = from.abs_resource();
    let Some(resource) = state.resource_mut(&old) else { return Ok(false) };
    let Some(mut instance) = resource.instances.remove(&from.key) else { return Ok(false) };
    let mut provider = resource.provider.clone();
    if let Some(converted) = converted {
        provider = converted.provider;
        instance.current = Some(Arc::new(converted.object));
    }
    if resource.instances.is_empty() {
        state.resources.remove(&old);
    }
    let target = state
        .resources
        .entry(to.abs_resource())
        .or_insert_with(|| Arc::new(ResourceState { provider, instances: BTreeMap::new() }));
    Arc::make_mut(target).instances.insert(to.key.clone(), instance);
    Ok(true)
}

/// What moves because `count` came or went: between no key and the first index, if no statement speaks of the resource.
fn implied(
    root: &Arc<Module>,
    state: &State,
    statements: &[Statement<'_>],
) -> Vec<(ResourceInstance, ResourceInstance)> {
    let mut found = Vec::new();
    for (address, ..) in state.instances().filter(|(address, ..)| address.resource.mode == Mode::Managed) {
        let module = crate::workspace::module_at(root, &address.module.path());
        let Some(block) = module.and_then(|module| module.resources.get(&address.resource)) else { continue };
        let key = match (&address.key, block.count.is_some(), block.for_each.is_some()) {
            (InstanceKey::None, true, _) => InstanceKey::Index(0),
            (InstanceKey::Index(0), false, false) => InstanceKey::None,
            _ => continue,
        };
        if !statements.iter().any(|statement| statement.speaks_of(&address)) {
            let target = address.abs_resource().instance(key);
            found.push((address, target));
        }
    }
    found
}

fn unresolved(blocked: &BTreeMap<ResourceInstance, ResourceInstance>) -> Diagnostics {
    if blocked.is_empty() {
        return Diagnostics::new();
    }
    let lines: String = blocked.iter().map(|(from, to)| format!("\n  - {from} could not move to {to}")).collect();
    let detail = format!(
        "Terraform tried to adjust resource instance addresses in the prior state based on change information recorded in the \
         configuration, but some adjustments did not succeed due to existing objects already at the intended \
         addresses:{lines}\n\nTerraform has planned to destroy these objects. If Terraform's proposed changes aren't \
         appropriate, you must first resolve the conflicts using the \"terraform state\" subcommands and then create a new plan."
    );
    Diagnostic::warning("Unresolved resource instance address changes", detail).into()
}
