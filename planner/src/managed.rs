//! Planning of managed resource instances: configuration against the refreshed object, action and reason.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use config::module::ResourceBlock;
use futures::StreamExt;
use lang::addr::{AbsResource, ConfigResource, InstanceKey, ProviderConfig, ResourceInstance};
use lang::quoting::go_quote;
use lang::values::{Marks, Path, PathStep};
use lang::{Diagnostic, Diagnostics, Severity, Str, Value};
use sdk::{Configured, PlanRequest, Schema};
use state::{Dependencies, InstanceObject, ObjectStatus, State};

use crate::checks::{RuleKind, evaluate_rules};
use crate::decode::decode_body;
use crate::expansion::{Expansion, Repetition};
use crate::imports::{Target, Wanted};
use crate::locate::located;
use crate::objects;
use crate::plan::{
    Action, ActionReason, CheckOutcome, CheckStatus, Checkable, DeferredReason, PlanMode, ResourceChange,
};
use crate::planning::{Planning, Prior};
use crate::proposed::{ignore_changes, proposed_new};
use crate::scope::{BlockScope, ModuleScope, ResourceValues};
use crate::sync::{lock, read};
use crate::write_only;

/// What planning an instance works with.
struct Instance<'a> {
    block: &'a ResourceBlock,
    schema: &'a Schema,
    address: ResourceInstance,
    text: String,
    provider: ProviderConfig,
    configured: Arc<dyn Configured>,
    prior: Option<Prior>,
    /// The id by which an object is imported.
    importing: Option<Str>,
    generated_config: Option<String>,
    dependencies: Dependencies,
    create_before_destroy: bool,
    /// Why its change is left to the next plan, if it is.
    deferral: Option<DeferredReason>,
}

/// A provider's plan, with marks.
struct Planned {
    value: Value,
    replace_paths: Vec<Path>,
    private: Option<Vec<u8>>,
}

impl Planning<'_> {
    /// Plans all instances of a managed resource in one module instance. False after an error.
    pub(crate) async fn visit_managed(&self, module: &ModuleScope, block: &ResourceBlock, imports: &Wanted) -> bool {
        let Some(schema) = self.schema(block) else { return false };
        let Some((resource, expansion)) = self.expand_resource(module, block) else { return false };
        if self.refers_to_itself(block, schema, &resource, &expansion) {
            return false;
        }
        let Some((provider, configured)) = self.configured(module, block) else { return false };
        let config_address = resource.config();
        let dependencies = self.dependencies.get(&config_address).cloned().unwrap_or_else(|| Arc::from([]));
        let create_before_destroy = self.create_before_destroy.contains(&config_address);
        let deferral = self.deferral_of(&config_address, &expansion);
        self.world.report(self.lacking_key(&resource, &expansion).into_iter().collect());
        let plans = expansion.keys_to_plan().into_iter().map(|key| {
            let address = resource.instance(key.clone());
            let prior = read(&self.prior).get(&(address.clone(), None)).cloned();
            let importing = imports.get(&address).filter(|_| prior.is_none()).cloned();
            let stand_in = self.world.workspace.providers.instead_for(&address, &provider);
            let configured = stand_in.unwrap_or(&configured).clone();
            let instance = Instance {
                block,
                schema,
                text: address.to_string(),
                prior,
                importing,
                generated_config: None,
                address,
                provider: provider.clone(),
                configured,
                dependencies: dependencies.clone(),
                create_before_destroy,
                deferral,
            };
            let repetition = expansion.repetition(&key);
            async move { (key, self.plan_instance(module, instance, repetition).await) }
        });
        let planned: Vec<(InstanceKey, Option<Option<Value>>)> =
            futures::stream::iter(plans).buffered(self.options.parallelism.max(1)).collect().await;
        let fine = planned.iter().all(|(_, value)| value.is_some());
        let absent = planned.iter().filter(|(_, value)| matches!(value, Some(None)));
        let absent: Vec<InstanceKey> = absent.map(|(key, _)| key.clone()).collect();
        let values: BTreeMap<InstanceKey, Value> =
            planned.into_iter().filter_map(|(key, value)| Some((key, value??))).collect();
        self.world.set_resource(module, &block.address, ResourceValues::existing(expansion, values));
        fine && (deferral.is_some() || self.check_postconditions(module, block, absent))
    }

    /// The warning that `-replace` names a resource where an instance should be.
    fn lacking_key(&self, resource: &AbsResource, expansion: &Expansion) -> Option<Diagnostic> {
        let named = resource.instance(InstanceKey::None);
        let keys = expansion.keys();
        if !self.options.force_replace.contains(&named)
            || matches!(expansion, Expansion::Unknown)
            || keys.contains(&InstanceKey::None)
        {
            return None;
        }
        let options = keys.iter().map(|key| go_quote(&resource.instance(key.clone()).to_string()));
        let options: Vec<String> = options.map(|address| format!("  -replace={address}")).collect();
        let why = match options.as_slice() {
            [] => "this resource doesn't have any instances.".to_owned(),
            [only] => format!(
                "it lacks an instance key.\n\nTo force replacement of the single declared instance, use the following option \
                 instead:\n{only}"
            ),
            many => format!(
                "it lacks an instance key.\n\nTo force replacement of particular instances, use one or more of the following \
                 options instead:\n{}",
                many.join("\n")
            ),
        };
        let detail =
            format!("Your force-replace request for {resource} doesn't match any resource instances because {why}");
        Some(Diagnostic::warning("Incompletely-matched force-replace resource instance", detail))
    }

    /// Plans an instance whose configuration was generated for its import.
    pub(crate) async fn plan_generated(
        &self,
        module: &ModuleScope,
        block: &ResourceBlock,
        address: ResourceInstance,
        (prior, id): (Prior, Str),
        text: String,
    ) -> Option<()> {
        let schema = self.schema(block)?;
        let (provider, configured) = self.configured(module, block)?;
        let instance = Instance {
            block,
            schema,
            text: address.to_string(),
            prior: Some(prior),
            importing: Some(id),
            generated_config: Some(text),
            address,
            provider,
            configured,
            dependencies: Arc::from([]),
            create_before_destroy: false,
            deferral: None,
        };
        self.plan_instance(module, instance, Repetition::None).await.map(|_| ())
    }

    /// Plans an instance, if it is to be planned. Returns its value: nothing where there is none, `None` after an error.
    async fn plan_instance(
        &self,
        module: &ModuleScope,
        mut instance: Instance<'_>,
        repetition: Repetition,
    ) -> Option<Option<Value>> {
        let schema = instance.schema;
        let absent = || Value::null(schema.block.implied_type().clone());
        let selected = self.selection.includes_instance(&self.graph, &instance.address);
        if self.options.mode == PlanMode::RefreshOnly && selected {
            let scope = BlockScope { world: &self.world, module, repetition: &repetition, self_value: None };
            self.check_preconditions(module, &instance, &scope);
            self.refresh_dependencies(&instance);
        }
        if self.options.mode != PlanMode::Normal || !selected {
            return Some(self.value_as_it_is(&instance));
        }
        if instance.prior.is_none()
            && let Some(id) = &instance.importing
        {
            let (provider, configured) = (&instance.provider, &instance.configured);
            let target = Target { address: &instance.address, schema: instance.schema, provider, configured };
            instance.prior = Some(self.import(&target, id).await?);
        }
        let current = instance.prior.as_ref().and_then(|prior| prior.current.clone());
        self.refresh_dependencies(&instance);
        let scope = BlockScope { world: &self.world, module, repetition: &repetition, self_value: None };
        if !self.check_preconditions(module, &instance, &scope) {
            return None;
        }
        let mut diagnostics = Diagnostics::new();
        let config = decode_body(&instance.block.body, &instance.schema.block, &scope, &mut diagnostics);
        let failed = diagnostics.has_errors();
        self.world.report(diagnostics);
        if failed {
            return None;
        }
        let (plain, marks) = config.clone().unmark_deep();
        let refused = crate::validation::ephemeral_refused(&marks, &schema.block);
        if !self.accept(refused.into_iter().chain(objects::infinite(&plain)).collect(), &instance) {
            return None;
        }
        let provider = self.world.workspace.providers.get(&instance.block.provider_source)?;
        let problems = provider.validate(instance.address.resource.mode, &instance.block.address.kind, &plain);
        if !self.accept(problems, &instance) {
            return None;
        }
        let tainted = instance.prior.as_ref().is_some_and(|prior| prior.object.status == ObjectStatus::Tainted);
        let (before, before_marks) = current.clone().unwrap_or_else(absent).unmark_deep();
        let marks = if tainted { marks } else { kept_marks(instance.block, &before, &before_marks, marks) };
        let planned = self.ask(&instance, &before, &plain, &marks, tainted).await?;
        self.decide(module, &scope, instance, config, current, planned, tainted).await.map(Some)
    }

    /// The object of an instance that is not planned: as it was read, or else as it is stored.
    fn value_as_it_is(&self, instance: &Instance<'_>) -> Option<Value> {
        if let Some(prior) = &instance.prior {
            return prior.current.clone();
        }
        let stored = self.stored.current(&instance.address)?;
        let provider = self.world.workspace.providers.get(&instance.provider.source)?;
        let kind = &instance.block.address.kind;
        objects::decode(stored, provider.as_ref(), kind, instance.schema, &instance.text).ok()
    }

    /// The state learns what an instance depends on now, and keeps what it was made after: both have to outlive it.
    fn refresh_dependencies(&self, instance: &Instance<'_>) {
        if !self.options.refresh || instance.deferral.is_some() {
            return;
        }
        let mut state = lock(&self.refreshed);
        let Some(stored) = state.current(&instance.address) else { return };
        let (known, now) = (&stored.dependencies, &instance.dependencies);
        let adds = || {
            let known: HashSet<&ConfigResource> = known.iter().map(AsRef::as_ref).collect();
            now.iter().any(|needed| !known.contains(&**needed))
        };
        let merged = if known.is_empty() {
            now.clone()
        } else if known != now && adds() {
            state::model::sorted_dependencies(known.iter().chain(now.iter()).cloned())
        } else {
            known.clone()
        };
        write_dependencies(&mut state, instance, merged);
    }

    /// What doesn't change depends on nothing but what its configuration names now.
    fn settle_dependencies(&self, instance: &Instance<'_>) {
        write_dependencies(&mut lock(&self.refreshed), instance, instance.dependencies.clone());
    }

    fn check_preconditions(&self, module: &ModuleScope, instance: &Instance<'_>, scope: &BlockScope<'_>) -> bool {
        let rules = &instance.block.preconditions;
        if rules.is_empty() {
            return true;
        }
        let object = Checkable::Resource(instance.address.resource.clone(), instance.address.key.clone());
        let kind = RuleKind::Precondition;
        let status = evaluate_rules(&self.world, &module.address, object, rules, scope, kind);
        !matches!(status, CheckStatus::Fail | CheckStatus::Error)
    }

    /// Postconditions see the planned object as `self` and by its own name, so they come after the values are set.
    /// Those of what is not there and not planned (it is no target, or nothing is made at all) are not known.
    fn check_postconditions(&self, module: &ModuleScope, block: &ResourceBlock, absent: Vec<InstanceKey>) -> bool {
        if block.postconditions.is_empty() || self.options.mode == PlanMode::Destroy {
            return true;
        }
        for key in absent.iter().cloned() {
            let object = Checkable::Resource(block.address.clone(), key);
            self.world.record_check(CheckOutcome::new(module.address.clone(), object, CheckStatus::Unknown));
        }
        let Some(values) = self.world.resource(module, &block.address) else { return true };
        let mut fine = true;
        for key in values.expansion.keys().into_iter().filter(|key| !absent.contains(key)) {
            let repetition = values.expansion.repetition(&key);
            let self_value = values.instance(&key);
            let object = Checkable::Resource(block.address.clone(), key);
            let scope = BlockScope { world: &self.world, module, repetition: &repetition, self_value };
            let (rules, kind) = (&block.postconditions, RuleKind::Postcondition);
            let status = evaluate_rules(&self.world, &module.address, object, rules, &scope, kind);
            fine &= !matches!(status, CheckStatus::Fail | CheckStatus::Error);
        }
        fine
    }

    /// Asks the provider for its plan. A tainted object is planned anew.
    async fn ask(
        &self,
        instance: &Instance<'_>,
        before: &Value,
        config: &Value,
        marks: &[(Path, Marks)],
        anew: bool,
    ) -> Option<Planned> {
        let absent = Value::null(instance.schema.block.implied_type().clone());
        let prior = if anew { &absent } else { before };
        let ignored = ignored_paths(instance.block, prior);
        let effective = if prior.is_null() { config.clone() } else { ignore_changes(prior, config, &ignored) };
        let proposed = proposed_new(&instance.schema.block, prior, &effective);
        let proposed = write_only::without(proposed, &instance.schema.block);
        let private = if anew { None } else { instance.prior.as_ref().and_then(|prior| prior.private.as_deref()) };
        let response = instance
            .configured
            .plan(PlanRequest {
                type_name: &instance.block.address.kind,
                prior,
                proposed: &proposed,
                config: &effective,
                private,
            })
            .await;
        if !self.accept(response.diagnostics, instance) {
            return None;
        }
        let value = response.planned?;
        let value = if response.legacy && !prior.is_null() { ignore_changes(prior, &value, &ignored) } else { value };
        let block = &instance.schema.block;
        let value = write_only::without(value, block);
        let marks = write_only::stored_marks(marks.to_vec(), block);
        let marks: Vec<(Path, Marks)> = marks.into_iter().filter(|(path, _)| value.at_path(path).is_some()).collect();
        let value = objects::mark_sensitive(value.mark_paths(&marks), &instance.schema.block);
        Some(Planned { value, replace_paths: response.requires_replace, private: response.private })
    }

    #[expect(clippy::too_many_arguments, reason = "everything that the decision depends on, named once")]
    async fn decide(
        &self,
        module: &ModuleScope,
        scope: &BlockScope<'_>,
        instance: Instance<'_>,
        config: Value,
        current: Option<Value>,
        planned: Planned,
        tainted: bool,
    ) -> Option<Value> {
        let absent = Value::null(instance.schema.block.implied_type().clone());
        let (plain_config, config_marks) = config.clone().unmark_deep();
        let before = current.unwrap_or(absent);
        let (plain_before, before_marks) = before.clone().unmark_deep();
        let (plain_after, after_marks) = planned.value.clone().unmark_deep();
        let replace_paths = changed_paths(&plain_before, &plain_after, &planned.replace_paths);
        let forced = self.options.force_replace.contains(&instance.address);
        let same = plain_before.raw_equals(&plain_after);
        let (action, reason) = if before.is_null() {
            (Action::Create, None)
        } else if tainted {
            (replace_action(&instance), Some(ActionReason::ReplaceBecauseTainted))
        } else if forced {
            (replace_action(&instance), Some(ActionReason::ReplaceByRequest))
        } else if !same && !replace_paths.is_empty() {
            (replace_action(&instance), Some(ActionReason::ReplaceBecauseCannotUpdate))
        } else if !same || !same_marks(&before_marks, &after_marks) {
            (Action::Update, None)
        } else {
            (Action::NoOp, None)
        };
        let triggered = self.triggered(module, scope, instance.block)?;
        let (action, reason, trigger_paths) = match action {
            Action::NoOp | Action::Update => match triggered {
                true => (replace_action(&instance), Some(ActionReason::ReplaceByTriggers), Vec::new()),
                false => (action, reason, Vec::new()),
            },
            Action::DeleteThenCreate | Action::CreateThenDelete => (action, reason, replace_paths),
            _ => (action, reason, Vec::new()),
        };
        // The reason that the configuration names goes before others, even for what is new.
        let reason = if triggered { Some(ActionReason::ReplaceByTriggers) } else { reason };
        let prevented = (action.is_replace() && instance.block.prevent_destroy).then(|| prevented(&instance));
        let planned = match action.is_replace() && !tainted {
            // A replacement is a new object: what the old one had computed is not known of it.
            true => self.ask(&instance, &plain_before, &plain_config, &config_marks, true).await?,
            false => planned,
        };
        if action == Action::NoOp && instance.deferral.is_none() {
            self.settle_dependencies(&instance);
        }
        let after = if action == Action::NoOp { before.clone() } else { planned.value };
        let change = ResourceChange {
            address: instance.address,
            previous_address: None,
            deposed: None,
            provider: instance.provider,
            action,
            reason,
            before,
            after: after.clone(),
            config: write_only::without(config, &instance.schema.block),
            replace_paths: trigger_paths,
            private: planned.private.map(Arc::from),
            importing: instance.importing.map(|id| id.to_string()),
            generated_config: instance.generated_config,
            create_before_destroy: instance.create_before_destroy,
            dependencies: instance.dependencies,
        };
        if let Some(reason) = instance.deferral {
            self.defer(reason, change);
            return Some(after);
        }
        // What is prevented is part of the plan that is shown.
        self.record(change);
        match prevented {
            Some(diagnostic) => {
                self.world.report(diagnostic.into());
                None
            }
            None => Some(after),
        }
    }

    /// Whether something that `replace_triggered_by` names changes.
    fn triggered(&self, module: &ModuleScope, scope: &BlockScope<'_>, block: &ResourceBlock) -> Option<bool> {
        let mut triggered = false;
        for expr in &block.replace_triggered_by {
            match crate::triggers::is_triggered(self, module, scope, expr) {
                Ok(hit) => triggered |= hit,
                Err(diagnostic) => {
                    self.world.report(diagnostic.into());
                    return None;
                }
            }
        }
        Some(triggered)
    }

    fn accept(&self, problems: Vec<sdk::ProviderDiagnostic>, instance: &Instance<'_>) -> bool {
        let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
        let located = problems.into_iter().map(|problem| located(problem, &instance.block.body, &instance.text));
        self.world.report(located.collect());
        !failed
    }
}

fn write_dependencies(state: &mut State, instance: &Instance<'_>, dependencies: Dependencies) {
    let Some(stored) = state.current(&instance.address) else { return };
    if dependencies == stored.dependencies && stored.create_before_destroy == instance.create_before_destroy {
        return;
    }
    let object = InstanceObject {
        dependencies,
        create_before_destroy: instance.create_before_destroy,
        ..InstanceObject::clone(stored)
    };
    state.set_current(&instance.address, &instance.provider, Some(Arc::new(object)));
}

fn replace_action(instance: &Instance<'_>) -> Action {
    if instance.create_before_destroy { Action::CreateThenDelete } else { Action::DeleteThenCreate }
}

pub(crate) fn same_marks(before: &[(Path, Marks)], after: &[(Path, Marks)]) -> bool {
    let covers = |these: &[(Path, Marks)], those: &[(Path, Marks)]| those.iter().all(|entry| these.contains(entry));
    covers(before, after) && covers(after, before)
}

/// The paths of `candidates` whose value differs or is not known yet.
fn changed_paths(before: &Value, after: &Value, candidates: &[Path]) -> Vec<Path> {
    let differs = |path: &Path| match (before.at_path(path), after.at_path(path)) {
        (Some(before), Some(after)) => !before.raw_equals(after),
        (None, None) => false,
        (Some(one), None) | (None, Some(one)) => !one.is_null(),
    };
    candidates.iter().filter(|path| differs(path)).cloned().collect()
}

pub(crate) fn ignored_paths(block: &ResourceBlock, prior: &Value) -> Vec<Vec<PathStep>> {
    if block.ignore_all_changes {
        let names = prior.entries().map(|entries| entries.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
        return names.into_iter().map(|name| vec![PathStep::Attribute(name)]).collect();
    }
    block.ignore_changes.iter().map(crate::triggers::relative_path).collect()
}

/// The marks of a configuration, those of the prior object where its changes are ignored.
pub(crate) fn kept_marks(
    block: &ResourceBlock,
    prior: &Value,
    prior_marks: &[(Path, Marks)],
    configured: Vec<(Path, Marks)>,
) -> Vec<(Path, Marks)> {
    if prior.is_null() {
        return configured;
    }
    let ignored = ignored_paths(block, prior);
    let is_ignored = |path: &Path| ignored.iter().any(|ignored| path.0.starts_with(ignored));
    let kept = prior_marks.iter().filter(|(path, _)| is_ignored(path)).cloned();
    configured.into_iter().filter(|(path, _)| !is_ignored(path)).chain(kept).collect()
}

fn prevented(instance: &Instance<'_>) -> Diagnostic {
    Diagnostic::error(
        "Instance cannot be destroyed",
        format!(
            "Resource {} has lifecycle.prevent_destroy set, but the plan calls for this resource to be destroyed. To avoid \
             this error and continue with the plan, either disable lifecycle.prevent_destroy or reduce the scope of the plan \
             using the -target option.",
            instance.text
        ),
    )
    .at(instance.block.range)
}
