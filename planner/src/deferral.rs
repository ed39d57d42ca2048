//! What a plan may leave to the next one: resources whose `count` or `for_each` is not known before something else is
//! applied, and what depends on them.

use std::collections::HashSet;
use std::sync::Arc;

use lang::Str;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, ModuleInstance, ResourceInstance};
use state::Dependencies;

use crate::expansion::{Expansion, UnknownExpansion};
use crate::plan::{DeferredChange, DeferredReason, PlanMode, ResourceChange};
use crate::planning::Planning;
use crate::sync::{lock, read, write};

/// What a walk leaves undecided.
#[derive(Debug, Default)]
pub(crate) struct Undecided {
    allowed: bool,
    /// Calls whose instances the plan could not know, by the address of what stands for them. They stay so for the whole
    /// apply, though their number may be known meanwhile: what the plan does not hold is not done.
    modules: HashSet<ModuleInstance>,
    resources: HashSet<AbsResource>,
}

impl Undecided {
    /// A plan that may defer.
    pub fn allowed() -> Undecided {
        Undecided { allowed: true, ..Undecided::default() }
    }

    /// The apply of a plan that has deferred this.
    pub fn planned(deferred: &[DeferredChange]) -> Undecided {
        let unknown = deferred.iter().filter(|deferred| deferred.reason == DeferredReason::InstanceCountUnknown);
        let mut undecided = Undecided { allowed: !deferred.is_empty(), ..Undecided::default() };
        for deferred in unknown {
            let address = &deferred.change.address;
            let steps = &address.module.0;
            if let Some(first) = steps.iter().position(|(_, key)| *key == InstanceKey::Unknown) {
                undecided.modules.insert(ModuleInstance(steps.iter().take(first + 1).cloned().collect()));
            }
            undecided.resources.insert(address.abs_resource());
        }
        undecided
    }

    /// What is done with a `count` or `for_each` that is not known.
    pub fn unknown_expansion(&self) -> UnknownExpansion {
        if self.allowed { UnknownExpansion::Accept } else { UnknownExpansion::Refuse }
    }

    /// Whether the instances of a module call can't be known in this walk.
    pub fn is_call(&self, caller: &ModuleInstance, name: &Str) -> bool {
        caller.is_unknown() || self.modules.contains(&caller.child(name.clone(), InstanceKey::Unknown))
    }

    /// Whether the instances of a resource can't be known in this walk.
    pub fn is_resource(&self, resource: &AbsResource) -> bool {
        resource.module.is_unknown() || self.resources.contains(resource)
    }
}

impl Planning<'_> {
    /// Why the changes of a resource are left to the next plan; `None` if they are planned now.
    pub(crate) fn deferral_of(&self, resource: &ConfigResource, expansion: &Expansion) -> Option<DeferredReason> {
        if matches!(expansion, Expansion::Unknown) {
            return Some(DeferredReason::InstanceCountUnknown);
        }
        let dependencies = self.dependencies.get(resource)?;
        self.any_deferred(dependencies).then_some(DeferredReason::DeferredPrerequisite)
    }

    fn any_deferred(&self, dependencies: &Dependencies) -> bool {
        let deferred = read(&self.deferred_resources);
        !deferred.is_empty() && dependencies.iter().any(|dependency| deferred.contains(&**dependency))
    }

    /// Leaves a change to the next plan.
    pub(crate) fn defer(&self, reason: DeferredReason, mut change: ResourceChange) {
        change.previous_address = self.moved.get(&change.address).cloned();
        let resource = change.address.config();
        if change.importing.is_some() {
            // The import waits as well: the state must not hold what this plan doesn't take in.
            lock(&self.refreshed).set_current(&change.address, &change.provider, None);
        }
        write(&self.deferred_resources).insert(resource);
        // A plan that changes nothing has nothing that another one would have to complete.
        if self.options.mode == PlanMode::Normal {
            lock(&self.deferred).push(DeferredChange { reason, change });
        }
    }

    /// What instances that wait for the next plan stand on: it must not go before they are changed.
    pub(crate) fn held_by_deferred(&self) -> HashSet<Arc<ConfigResource>> {
        let deferred = read(&self.deferred_resources);
        if deferred.is_empty() || self.options.mode != PlanMode::Normal {
            return HashSet::new();
        }
        let waiting = self.stored.instances().filter(|(address, ..)| deferred.contains(&address.config()));
        let objects = waiting.filter_map(|(_, _, instance)| instance.current.clone());
        objects.flat_map(|object| object.dependencies.to_vec()).collect()
    }

    /// Whether a removal has to wait for the next plan: what it depends on is deferred, or what stands on it.
    pub(crate) fn removal_waits(
        &self,
        address: &ResourceInstance,
        stored: &Dependencies,
        held: &HashSet<Arc<ConfigResource>>,
    ) -> bool {
        let resource = address.config();
        let configured = self.dependencies.get(&resource);
        held.contains(&resource) || self.any_deferred(stored) || configured.is_some_and(|all| self.any_deferred(all))
    }
}
