//! Configuration nodes of an apply: expansions, outputs, conditions.

use std::collections::BTreeMap;

use config::module::ResourceBlock;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, Mode, ModulePath};
use lang::{Diagnostics, Str, Value};
use state::{CheckObject, CheckResult};

use crate::apply::Applying;
use crate::checks::{RuleKind, evaluate_rules};
use crate::ephemerals::Opening;
use crate::expansion::{Expansion, Repetition, UnknownExpansion, expand};
use crate::objects;
use crate::plan::{Action, CheckOutcome, CheckStatus, Checkable, PlanMode};
use crate::scope::{BlockScope, ModuleScope, ResourceValues};
use crate::sync::{lock, read};

impl Applying<'_> {
    /// Takes into the state what the plan imports, and out of it what the plan gives up.
    pub(super) async fn begin(&self) {
        let mut imported = false;
        for change in &self.plan.changes {
            let Some(id) = &change.importing else { continue };
            // The plan's state, which the run starts from, has the object already.
            self.hooks.import_applied(&change.address, id);
            lock(&self.counts).import += 1;
            imported = true;
        }
        if imported {
            // What is replaced or changed next must not be lost to a crash that comes before the first result.
            if !self.recorder.store().await {
                self.interrupt.request();
            }
        }
        let forgotten = self.plan.changes.iter().filter(|change| change.action == Action::Forget);
        for change in forgotten {
            self.recorder.change(|state| state.set_current(&change.address, &change.provider, None));
            lock(&self.counts).forget += 1;
        }
    }

    pub(super) fn visit_call(&self, path: &ModulePath) -> bool {
        let root = &self.world.workspace.config;
        let Some(parent) = path.parent() else { return true };
        let Some(caller) = crate::workspace::module_at(root, &parent) else { return true };
        let Some(call) = path.0.last().and_then(|name| caller.calls.get(name)) else { return true };
        self.world.expand_call(&parent, call)
    }

    pub(super) fn visit_check(&self, path: &ModulePath, name: &Str) -> bool {
        for module in self.world.instances(path) {
            let Some(check) = module.config.checks.get(name) else { continue };
            if self.world.expects_check(&module.address, &Checkable::Check(name.clone())) {
                self.world.evaluate_check(&module, check);
            }
        }
        true
    }

    /// Evaluates an output; a root output goes to the state.
    pub(super) fn visit_output(&self, path: &ModulePath, name: &Str) -> bool {
        let mut fine = true;
        for module in self.world.instances(path) {
            let Some(output) = module.config.outputs.get(name) else { continue };
            let before = self.world.error_count();
            if !output.preconditions.is_empty() {
                let scope = self.world.scope(&module);
                let object = Checkable::Output(name.clone());
                let (rules, kind) = (&output.preconditions, RuleKind::OutputPrecondition);
                let status = evaluate_rules(&self.world, &module.address, object, rules, &scope, kind);
                fine &= !matches!(status, CheckStatus::Fail | CheckStatus::Error);
            }
            let value = self.world.output(&module, name);
            fine &= self.world.error_count() == before;
            if path.is_root()
                && let Some(diagnostic) = crate::outputs::infinite(output, &value)
            {
                self.world.report(diagnostic.into());
                fine = false;
            }
            // What `-target` left out keeps its value.
            if fine && path.is_root() && !output.ephemeral && self.plan.outputs.contains_key(name) {
                self.recorder.set_output(name, crate::outputs::stored(value, output.sensitive));
            }
        }
        fine
    }

    /// After a destroy the root outputs and data sources are gone, like in Terraform even if objects are still there; outputs that
    /// are no longer configured go in any case.
    pub(super) fn finish_outputs(&self) {
        let declared = &self.world.workspace.config.outputs;
        let targeted = self.plan.is_partial();
        let is_managed = |address: &AbsResource| address.resource.mode == Mode::Managed;
        let everything = self.plan.mode == PlanMode::Destroy
            && (!targeted || !self.recorder.with_state(|state| state.resources.keys().any(is_managed)));
        self.recorder.change(|state| {
            if everything {
                state.outputs.clear();
                state.resources.retain(|address, _| is_managed(address));
            } else if !targeted && self.plan.mode == PlanMode::Normal {
                state.outputs.retain(|name, _| declared.contains_key(name));
            } else if self.plan.mode == PlanMode::RefreshOnly {
                let removed =
                    |name: &Str| self.plan.outputs.get(name).is_some_and(|change| change.action == Action::Delete);
                state.outputs.retain(|name, _| !removed(name));
            }
            state.check_results = self.check_results();
        });
    }

    /// Finds a resource's instances and gives each its value so far: what the state holds, or what is planned.
    pub(super) fn expand_resource(&self, resource: &ConfigResource) -> bool {
        let mut fine = true;
        for module in self.world.instances(&resource.module) {
            let address = module.address.resource(resource.resource.clone());
            fine &= match self.is_planned(&address) {
                true => self.expand_planned(&module, &address),
                false => {
                    self.expand_stored(&module, &address);
                    true
                }
            };
        }
        fine
    }

    /// Opens an ephemeral resource in every instance of its module.
    pub(super) async fn open_ephemeral(&self, resource: &ConfigResource) -> bool {
        let workspace = self.world.workspace;
        let mut fine = true;
        for module in self.world.instances(&resource.module) {
            let Some(block) = module.config.resources.get(&resource.resource) else { continue };
            let provider = workspace.config.provider_config_for(&module.config.path, block).ok();
            let configured = provider.and_then(|provider| read(&self.providers).get(&provider).cloned());
            let schema = workspace.providers.schema(&block.provider_source, &block.address);
            let (Some(configured), Some(schema)) = (configured, schema) else { return false };
            let mut diagnostics = Diagnostics::new();
            let (count, for_each) = (block.count.as_deref(), block.for_each.as_deref());
            let scope = self.world.scope(&module);
            // Of what waits for the next plan nobody asks how many there are.
            let unknown = self.world.undecided.unknown_expansion();
            let expansion = match module.address.is_unknown() {
                true => Some(Expansion::Unknown),
                false => expand(count, for_each, &scope, unknown, &mut diagnostics),
            };
            self.world.report(diagnostics);
            let Some(expansion) = expansion else { return false };
            let hooks = self.hooks.as_ref();
            let opening = Opening { world: &self.world, hooks, module: &module, block, schema, configured };
            fine &= self.ephemerals.open_all(&opening, expansion, false).await;
        }
        fine
    }

    /// Whether the plan looked at the resource: a destroy and what `-target` leaves out have no expansion of their own.
    fn is_planned(&self, address: &AbsResource) -> bool {
        if self.plan.mode != PlanMode::Normal {
            return false;
        }
        self.selected.as_ref().is_none_or(|selected| selected.contains(address))
    }

    fn expand_planned(&self, module: &ModuleScope, address: &AbsResource) -> bool {
        let Some(block) = module.config.resources.get(&address.resource) else { return true };
        if self.world.undecided.is_resource(address) {
            self.world.set_resource(
                module,
                &address.resource,
                ResourceValues::new(Expansion::Unknown, BTreeMap::new()),
            );
            return true;
        }
        let mut diagnostics = Diagnostics::new();
        let (count, for_each) = (block.count.as_deref(), block.for_each.as_deref());
        let scope = self.world.scope(module);
        let expansion = expand(count, for_each, &scope, UnknownExpansion::Refuse, &mut diagnostics);
        self.world.report(diagnostics);
        let Some(expansion) = expansion else { return false };
        let values =
            expansion.keys().into_iter().filter_map(|key| Some((key.clone(), self.value_so_far(address, &key)?)));
        let values: BTreeMap<InstanceKey, Value> = values.collect();
        self.world.set_resource(module, &address.resource, ResourceValues::existing(expansion, values));
        true
    }

    fn expand_stored(&self, module: &ModuleScope, address: &AbsResource) {
        let state = &self.plan.prior_state;
        if let Some(values) = crate::recover::stored_values(self.world.workspace, state, address) {
            self.world.set_resource(module, &address.resource, values);
        }
    }

    fn value_so_far(&self, address: &AbsResource, key: &InstanceKey) -> Option<Value> {
        let instance = address.instance(key.clone());
        if let Some(deferred) = self.deferred.get(&instance) {
            return Some(deferred.after.clone());
        }
        let planned = self.changes.get(&instance).and_then(|i| self.plan.changes.get(*i));
        match planned {
            Some(change) => Some(change.after.clone()),
            None => self.stored_value(address, key),
        }
    }

    fn stored_value(&self, address: &AbsResource, key: &InstanceKey) -> Option<Value> {
        let instance = address.instance(key.clone());
        let object = self.plan.prior_state.current(&instance)?;
        let source = &self.plan.prior_state.resource(address)?.provider.source;
        let provider = self.world.workspace.providers.get(source)?;
        let schema = self.world.workspace.providers.schema(source, &address.resource)?;
        let kind = &address.resource.kind;
        match objects::decode(object, provider.as_ref(), kind, schema, &instance.to_string()) {
            Ok(value) => Some(value),
            Err(diagnostic) => {
                self.world.report(diagnostic.into());
                None
            }
        }
    }

    /// Preconditions of one instance, before anything is done to it: what the plan could not know may not hold.
    pub(super) fn check_preconditions(
        &self,
        module: &ModuleScope,
        block: &ResourceBlock,
        scope: &BlockScope<'_>,
        key: &InstanceKey,
    ) -> bool {
        if block.preconditions.is_empty() {
            return true;
        }
        let object = Checkable::Resource(block.address.clone(), key.clone());
        let (rules, kind) = (&block.preconditions, RuleKind::Precondition);
        let status = evaluate_rules(&self.world, &module.address, object, rules, scope, kind);
        !matches!(status, CheckStatus::Fail | CheckStatus::Error)
    }

    /// Postconditions of one instance, when it is as it should be.
    pub(super) fn check_postconditions(
        &self,
        module: &ModuleScope,
        block: &ResourceBlock,
        repetition: &Repetition,
        key: &InstanceKey,
    ) -> bool {
        let values = self.world.resource(module, &block.address).filter(|_| !block.postconditions.is_empty());
        let Some(self_value) = values.and_then(|values| values.instance(key)) else { return true };
        let scope = BlockScope { world: &self.world, module, repetition, self_value: Some(self_value) };
        let object = Checkable::Resource(block.address.clone(), key.clone());
        let (rules, kind) = (&block.postconditions, RuleKind::Postcondition);
        let status = evaluate_rules(&self.world, &module.address, object, rules, &scope, kind);
        !matches!(status, CheckStatus::Fail | CheckStatus::Error)
    }

    /// Postconditions of the instances of a resource that no step is about: data sources that were read while planning. A run that
    /// only refreshes has warned of all of them in its plan.
    pub(super) fn check_conditions(&self, resource: &ConfigResource) -> bool {
        if self.plan.mode != PlanMode::Normal || self.plan.is_partial() {
            return true;
        }
        let mut fine = true;
        for module in self.world.instances(&resource.module) {
            let Some(block) = module.config.resources.get(&resource.resource) else { continue };
            if block.postconditions.is_empty() {
                continue;
            }
            let Some(values) = self.world.resource(&module, &resource.resource) else { continue };
            for key in values.expansion.keys() {
                let address = module.address.resource(resource.resource.clone()).instance(key.clone());
                if !self.changes.contains_key(&address) {
                    fine &= self.check_postconditions(&module, block, &values.expansion.repetition(&key), &key);
                }
            }
        }
        fine
    }
}

impl Applying<'_> {
    /// How all checks came out.
    pub(super) fn check_outcomes(&self) -> Vec<CheckOutcome> {
        match self.plan.mode {
            PlanMode::Destroy => self.world.check_outcomes_of_destroy(),
            // Nothing is looked at again.
            PlanMode::RefreshOnly => self.plan.checks.clone(),
            PlanMode::Normal => self.world.check_outcomes(),
        }
    }

    /// The outcome of all checks as the state keeps it: grouped by the object of the configuration.
    fn check_results(&self) -> Option<Vec<CheckResult>> {
        let mut grouped: BTreeMap<(&'static str, String), (state::CheckStatus, Vec<CheckObject>)> = BTreeMap::new();
        for outcome in self.check_outcomes() {
            let dotted = |module: String| if module.is_empty() { module } else { format!("{module}.") };
            let (instance, config) = (dotted(outcome.module.to_string()), dotted(outcome.module.path().to_string()));
            let (kind, local, key) = match &outcome.object {
                Checkable::Resource(resource, key) => ("resource", resource.to_string(), key.to_string()),
                Checkable::Output(name) => ("output", format!("output.{name}"), String::new()),
                Checkable::Variable(name) => ("var", format!("var.{name}"), String::new()),
                Checkable::Check(name) => ("check", format!("check.{name}"), String::new()),
            };
            let object = CheckObject {
                object_addr: format!("{instance}{local}{key}").into(),
                status: stored_status(outcome.status),
                failure_messages: outcome.problems,
            };
            let status = object.status;
            let (_, objects) = grouped.entry((kind, format!("{config}{local}"))).or_insert((status, Vec::new()));
            if outcome.is_instance {
                objects.push(object);
            }
        }
        let results = grouped.into_iter().map(|((kind, config_addr), (status, objects))| CheckResult {
            object_kind: kind.into(),
            config_addr: config_addr.into(),
            status: if objects.is_empty() { status } else { worst(&objects) },
            objects: (!objects.is_empty()).then_some(objects),
        });
        let results: Vec<CheckResult> = results.collect();
        (!results.is_empty()).then_some(results)
    }
}

fn stored_status(status: CheckStatus) -> state::CheckStatus {
    match status {
        CheckStatus::Pass => state::CheckStatus::Pass,
        CheckStatus::Fail => state::CheckStatus::Fail,
        CheckStatus::Error => state::CheckStatus::Error,
        CheckStatus::Unknown => state::CheckStatus::Unknown,
    }
}

fn worst(objects: &[CheckObject]) -> state::CheckStatus {
    let has = |status| objects.iter().any(|object| object.status == status);
    let order = [state::CheckStatus::Error, state::CheckStatus::Fail, state::CheckStatus::Unknown];
    order.into_iter().find(|status| has(*status)).unwrap_or(state::CheckStatus::Pass)
}
