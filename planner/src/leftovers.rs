//! What the state holds and the configuration no longer wants: orphaned instances, deposed objects, removed outputs; in a
//! destroy plan, everything.

use std::collections::HashSet;
use std::sync::Arc;

use config::module::ResourceBlock;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, Mode, ProviderConfig, ResourceInstance};
use lang::{Diagnostic, Str, Value};

use crate::expansion::Expansion;
use crate::outputs;
use crate::plan::{Action, ActionReason, DeferredReason, PlanMode, ResourceChange};
use crate::planning::{ObjectKey, Planning, Prior};
use crate::sync::{lock, read};

/// Whether an instance goes because its resource has others.
fn is_of_repetition(reason: ActionReason) -> bool {
    matches!(
        reason,
        ActionReason::DeleteBecauseCountIndex
            | ActionReason::DeleteBecauseEachKey
            | ActionReason::DeleteBecauseWrongRepetition
    )
}

impl Planning<'_> {
    /// Plans the removal of what is left over, as far as that is known if the walk was not complete.
    pub(crate) async fn plan_leftovers(&self, complete: bool) {
        if self.options.mode != PlanMode::RefreshOnly {
            let objects: Vec<(ObjectKey, Prior)> =
                read(&self.prior).iter().map(|(key, prior)| (key.clone(), prior.clone())).collect();
            let held = self.held_by_deferred();
            let kept = self.kept_by_protected(&objects);
            for ((address, deposed), prior) in objects {
                if kept.contains(&address.config()) {
                    continue;
                }
                // Instances of a module that could not be reached are not known to be gone.
                let is_gone = self.orphan_reason(&address) == Some(ActionReason::DeleteBecauseNoModule);
                if !complete && is_gone && !self.world.is_settled(&address.module) {
                    continue;
                }
                self.plan_leftover(address, deposed, prior, &held);
            }
        }
        if self.selection.is_everything() {
            if complete {
                self.drop_data_leftovers();
            }
            let declared = &self.world.workspace.config.outputs;
            let removed: Vec<Str> =
                self.stored.outputs.keys().filter(|name| !declared.contains_key(*name)).cloned().collect();
            for name in removed {
                let sensitive = self.stored.outputs.get(&name).is_some_and(|output| output.sensitive);
                outputs::plan_change(self, &name, None, sensitive);
            }
        }
    }

    /// What protected objects stand on stays as they do where everything else is destroyed.
    fn kept_by_protected(&self, objects: &[(ObjectKey, Prior)]) -> HashSet<Arc<ConfigResource>> {
        if self.options.mode != PlanMode::Destroy {
            return HashSet::new();
        }
        let protected = objects.iter().filter(|((address, deposed), prior)| {
            deposed.is_none()
                && prior.current.is_some()
                && self.selection.includes_instance(&self.graph, address)
                && self.protection(address).is_some()
        });
        protected.flat_map(|(_, prior)| prior.object.dependencies.iter().cloned()).collect()
    }

    fn plan_leftover(
        &self,
        address: ResourceInstance,
        deposed: Option<Str>,
        prior: Prior,
        held: &HashSet<Arc<ConfigResource>>,
    ) {
        let Some(current) = prior.current else { return };
        if !self.selection.includes_instance(&self.graph, &address) {
            return;
        }
        let reason = match (self.options.mode, &deposed) {
            (PlanMode::Destroy, _) | (_, Some(_)) => None,
            _ => match self.orphan_reason(&address) {
                Some(reason) => Some(reason),
                None => return,
            },
        };
        let Some(provider) = self.provider_of(&address) else { return };
        // Those of a resource that is still there are told with it.
        if deposed.is_none() && !reason.is_some_and(is_of_repetition) {
            self.report_protected(&address);
        }
        let forget = self.is_forgotten(&(address.clone(), deposed.clone()));
        let absent = Value::null(current.ty());
        let orphaned = self.options.mode == PlanMode::Normal && deposed.is_none();
        let waits = orphaned && self.removal_waits(&address, &prior.object.dependencies, held);
        let change = ResourceChange {
            create_before_destroy: prior.object.create_before_destroy,
            dependencies: prior.object.dependencies.clone(),
            private: prior.private.map(Arc::from),
            address,
            previous_address: None,
            deposed,
            provider,
            action: if forget { Action::Forget } else { Action::Delete },
            reason,
            // Terraform plans the removal of an orphan before it refreshes it.
            before: if orphaned { prior.stored } else { current },
            after: absent.clone(),
            config: absent,
            replace_paths: Vec::new(),
            importing: None,
            generated_config: None,
        };
        match waits {
            true => self.defer(DeferredReason::DeferredPrerequisite, change),
            false => self.record(change),
        }
    }

    /// Whether the configuration wants an object left alone.
    pub(crate) fn is_forgotten(&self, (address, deposed): &ObjectKey) -> bool {
        let root = &self.world.workspace.config;
        self.options.mode == PlanMode::Normal
            && deposed.is_none()
            && crate::removed::block_for(root, address).is_some_and(|removed| !removed.destroy)
    }

    fn provider_of(&self, address: &ResourceInstance) -> Option<ProviderConfig> {
        self.stored.resources.get(&address.abs_resource()).map(|resource| resource.provider.clone())
    }

    /// Reports the instances that a resource has no more, although `prevent_destroy` is set. Whether there are any.
    pub(crate) fn removes_protected(&self, resource: &AbsResource, block: &ResourceBlock) -> bool {
        if !block.prevent_destroy || self.options.mode != PlanMode::Normal {
            return false;
        }
        let Some(stored) = self.stored.resource(resource) else { return false };
        let exists = |address: &ResourceInstance| {
            read(&self.prior).get(&(address.clone(), None)).is_some_and(|prior| prior.current.is_some())
        };
        let instances = stored.instances.keys().map(|key| resource.instance(key.clone()));
        let removed: Vec<ResourceInstance> = instances
            .filter(exists)
            .filter(|address| self.selection.includes_instance(&self.graph, address))
            .filter(|address| self.orphan_reason(address).is_some_and(is_of_repetition))
            .collect();
        removed.iter().for_each(|address| self.report_protected(address));
        !removed.is_empty()
    }

    /// The block that says that an object must not be destroyed.
    fn protection(&self, address: &ResourceInstance) -> Option<&Arc<ResourceBlock>> {
        let root = &self.world.workspace.config;
        let module = crate::workspace::module_at(root, &address.module.path())?;
        module.resources.get(&address.resource).filter(|block| block.prevent_destroy)
    }

    /// Reports an object that is to be removed although `prevent_destroy` is set.
    fn report_protected(&self, address: &ResourceInstance) {
        let Some(block) = self.protection(address) else { return };
        let detail = format!(
            "Resource {address} has lifecycle.prevent_destroy set, but the plan calls for this resource to be destroyed. To \
             avoid this error and continue with the plan, either disable lifecycle.prevent_destroy or reduce the scope of the \
             plan using the -target option."
        );
        self.world.report(Diagnostic::error("Instance cannot be destroyed", detail).at(block.range).into());
    }

    /// Why an instance of the state is not wanted; `None` if it is.
    pub(crate) fn orphan_reason(&self, address: &ResourceInstance) -> Option<ActionReason> {
        let root = &self.world.workspace.config;
        let module = crate::workspace::module_at(root, &address.module.path());
        if module.is_none_or(|module| !module.resources.contains_key(&address.resource)) {
            return Some(match self.moved.contains_key(address) {
                true => ActionReason::DeleteBecauseNoMoveTarget,
                false => ActionReason::DeleteBecauseNoResourceConfig,
            });
        }
        if self.world.is_undecided(&address.module) {
            return None;
        }
        if self.world.module(&address.module).is_none() {
            return Some(ActionReason::DeleteBecauseNoModule);
        }
        let expansions = lock(&self.expansions);
        let expansion = expansions.get(&address.abs_resource())?;
        if expansion.contains(&address.key) || matches!(expansion, Expansion::Unknown) {
            return None;
        }
        Some(match (expansion, &address.key) {
            (Expansion::Count(_), InstanceKey::Index(_)) => ActionReason::DeleteBecauseCountIndex,
            (Expansion::ForEach(_), InstanceKey::Name(_)) => ActionReason::DeleteBecauseEachKey,
            _ => ActionReason::DeleteBecauseWrongRepetition,
        })
    }

    /// Data source instances that are no longer configured vanish from the state without further ado.
    fn drop_data_leftovers(&self) {
        let mut state = lock(&self.refreshed);
        let stale: Vec<(ResourceInstance, ProviderConfig)> = state
            .instances()
            .filter(|(address, ..)| address.resource.mode == Mode::Data)
            .filter(|(address, ..)| self.orphan_reason(address).is_some())
            .map(|(address, provider, _)| (address, provider.clone()))
            .collect();
        for (address, provider) in stale {
            state.set_current(&address, &provider, None);
        }
    }

    /// What differs between the stored objects and what they were read as.
    pub(crate) fn drift(&self) -> Vec<ResourceChange> {
        let prior = read(&self.prior);
        // In a refresh-only plan nothing else tells of an object that has moved only.
        let moved_only =
            |address: &ResourceInstance| self.options.mode == PlanMode::RefreshOnly && self.moved.contains_key(address);
        let same = |prior: &Prior| prior.current.as_ref().is_some_and(|current| current.raw_equals(&prior.stored));
        let changed = prior
            .iter()
            .filter(|((address, deposed), prior)| deposed.is_none() && (!same(prior) || moved_only(address)));
        let mut drift: Vec<ResourceChange> = changed
            .filter_map(|((address, _), prior)| {
                let absent = Value::null(prior.stored.ty());
                Some(ResourceChange {
                    address: address.clone(),
                    previous_address: self.moved.get(address).cloned(),
                    deposed: None,
                    provider: self.provider_of(address)?,
                    action: match prior.current {
                        None => Action::Delete,
                        Some(_) if same(prior) => Action::NoOp,
                        Some(_) => Action::Update,
                    },
                    reason: None,
                    before: prior.stored.clone(),
                    after: prior.current.clone().unwrap_or(absent),
                    config: Value::null(prior.stored.ty()),
                    replace_paths: Vec::new(),
                    private: None,
                    importing: None,
                    generated_config: None,
                    create_before_destroy: prior.object.create_before_destroy,
                    dependencies: prior.object.dependencies.clone(),
                })
            })
            .collect();
        drift.sort_unstable_by(|a, b| a.address.cmp(&b.address));
        drift
    }
}
