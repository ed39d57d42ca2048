//! Planning of data sources: read while planning where everything that they need is known, else while applying.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use config::module::ResourceBlock;
use futures::StreamExt;
use lang::addr::{ConfigResource, InstanceKey, Mode, ProviderConfig, ResourceInstance};
use lang::{Diagnostics, Type, Value};
use petgraph::graph::NodeIndex;
use sdk::{Block, Configured, DataRequest, Schema};
use state::ObjectStatus;

use crate::checks::{RuleKind, evaluate_rules};
use crate::decode::decode_body;
use crate::expansion::Repetition;
use crate::graph::Node;
use crate::objects;
use crate::plan::{Action, ActionReason, CheckStatus, Checkable, DeferredReason, PlanMode, ResourceChange};
use crate::planning::Planning;
use crate::refresh::object_id;
use crate::scope::{BlockScope, ModuleScope, ResourceValues};
use crate::sync::{lock, parallel};

impl Planning<'_> {
    /// Plans or reads all instances of a data source in one module instance. False after an error.
    pub(crate) async fn visit_data(&self, module: &ModuleScope, block: &ResourceBlock) -> bool {
        let Some(schema) = self.schema(block) else { return false };
        let Some((resource, expansion)) = self.expand_resource(module, block) else { return false };
        if self.refers_to_itself(block, schema, &resource, &expansion) {
            return false;
        }
        let Some((provider, configured)) = self.configured(module, block) else { return false };
        let waits = self.waits_for_pending(module, block);
        let deferral = self.deferral_of(&resource.config(), &expansion);
        let reads = expansion.keys_to_plan().into_iter().map(|key| {
            let repetition = expansion.repetition(&key);
            let address = resource.instance(key.clone());
            let provider = &provider;
            let stand_in = self.world.workspace.providers.instead_for(&address, provider);
            let configured = stand_in.unwrap_or(&configured);
            async move {
                let read = DataInstance { block, schema, provider, configured, address, waits, deferral };
                (key, self.plan_data(module, read, repetition).await)
            }
        });
        let values: Vec<(InstanceKey, Option<Value>)> =
            futures::stream::iter(reads).buffered(self.options.parallelism.max(1)).collect().await;
        let fine = values.iter().all(|(_, value)| value.is_some());
        let values: BTreeMap<InstanceKey, Value> =
            values.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        self.world.set_resource(module, &block.address, ResourceValues::new(expansion, values));
        fine
    }

    async fn plan_data(&self, module: &ModuleScope, read: DataInstance<'_>, repetition: Repetition) -> Option<Value> {
        let text = read.address.to_string();
        let block = read.block;
        if self.options.mode == PlanMode::Destroy {
            if let Some(stored) = self.stored.current(&read.address) {
                // A normal plan has just read it, or nothing is to be read.
                let provider = self.world.workspace.providers.get(&block.provider_source)?;
                return objects::decode(stored, provider.as_ref(), &block.address.kind, read.schema, &text).ok();
            }
            // What it is about may be gone, or was never there.
            if !self.configures_a_provider(&read.address.config()) {
                return Some(Value::unknown(read.schema.block.implied_type().clone()));
            }
        }
        let scope = BlockScope { world: &self.world, module, repetition: &repetition, self_value: None };
        let object = Checkable::Resource(read.address.resource.clone(), read.address.key.clone());
        if !block.preconditions.is_empty() {
            let (rules, kind) = (&block.preconditions, RuleKind::Precondition);
            let status = evaluate_rules(&self.world, &module.address, object.clone(), rules, &scope, kind);
            if matches!(status, CheckStatus::Fail | CheckStatus::Error) {
                return None;
            }
        }
        let mut diagnostics = Diagnostics::new();
        let config = decode_body(&block.body, &read.schema.block, &scope, &mut diagnostics);
        let failed = diagnostics.has_errors();
        self.world.report(diagnostics);
        if failed {
            return None;
        }
        let (plain, marks) = config.clone().unmark_deep();
        let provider = self.world.workspace.providers.get(&block.provider_source)?;
        let mut problems = provider.validate(read.address.resource.mode, &block.address.kind, &plain);
        problems.extend(objects::infinite(&plain));
        if !self.report_problems(problems, &read.address, &text) {
            return None;
        }
        // A provider that isn't configured yet reads nothing now either.
        let reads = !read.configured.is_deferred() || provider.is_pure(&block.address.kind);
        let exists = read.deferral != Some(DeferredReason::InstanceCountUnknown);
        let known = plain.is_wholly_known() && reads && exists;
        let reason = match (known, read.waits) {
            (false, _) => Some(ActionReason::ReadBecauseConfigUnknown),
            (true, true) => Some(ActionReason::ReadBecauseDependencyPending),
            (true, false) => None,
        };
        if let Some(reason) = reason {
            return Some(self.defer_read(&read, config, reason));
        }
        let value = match (self.read_now(&read, &plain, &text).await, &block.check) {
            (Ok(value), _) => value,
            (Err(problems), Some(check)) => {
                self.world.fail_check(&module.address, check, problems);
                let planned = planned_object(&config, &read.schema.block);
                self.keep_read(&read, &objects::nulls_for_unknown(planned.clone()));
                return Some(self.read_again(&read, config, planned));
            }
            (Err(_), None) if self.options.mode == PlanMode::Destroy => planned_object(&config, &read.schema.block),
            (Err(problems), None) => {
                self.world.report(problems);
                return None;
            }
        };
        if !value.is_wholly_known() {
            // It can't be read any more, or the provider's own configuration is not known yet: it is asked again while applying.
            return Some(self.defer_read(&read, config, ActionReason::ReadBecauseConfigUnknown));
        }
        let marks: Vec<_> = marks.iter().filter(|(path, _)| value.at_path(path).is_some()).cloned().collect();
        let value = objects::mark_sensitive(value.mark_paths(&marks), &read.schema.block);
        self.keep_read(&read, &value);
        let value = if block.check.is_some() { self.read_again(&read, config, value) } else { value };
        if block.postconditions.is_empty() {
            return Some(value);
        }
        let scope = BlockScope { world: &self.world, module, repetition: &repetition, self_value: Some(value.clone()) };
        let (rules, kind) = (&block.postconditions, RuleKind::Postcondition);
        let status = evaluate_rules(&self.world, &module.address, object, rules, &scope, kind);
        (!matches!(status, CheckStatus::Fail | CheckStatus::Error)).then_some(value)
    }

    /// Whether a provider's configuration needs what is read, other than through an object that the state holds.
    fn configures_a_provider(&self, data: &ConfigResource) -> bool {
        let mut open: Vec<NodeIndex> = self.graph.index_of(&Node::Resource(data.clone())).into_iter().collect();
        let mut seen: HashSet<NodeIndex> = open.iter().copied().collect();
        while let Some(index) = open.pop() {
            for dependent in self.graph.dependents(index) {
                match self.graph.node(dependent) {
                    Some(Node::Provider(_)) => return true,
                    Some(Node::Resource(resource)) if resource.resource.mode == Mode::Managed => {}
                    _ if seen.insert(dependent) => open.push(dependent),
                    _ => {}
                }
            }
        }
        false
    }

    async fn read_now(&self, read: &DataInstance<'_>, config: &Value, text: &str) -> Result<Value, Diagnostics> {
        self.hooks.data_read_start(&read.address);
        let started = Instant::now();
        let configured = read.configured.clone();
        let (type_name, config, address) = (read.block.address.kind.clone(), config.clone(), text.to_owned());
        let reading = async move {
            configured.read_data(DataRequest { type_name: &type_name, address: &address, config: &config }).await
        };
        match parallel(reading).await {
            Ok(value) => {
                let id = object_id(&value);
                self.hooks.data_read_complete(&read.address, id.as_deref(), started.elapsed());
                Ok(value)
            }
            Err(problems) => {
                Err(problems.into_iter().map(|problem| self.place(problem, &read.address, text)).collect())
            }
        }
    }

    fn report_problems(&self, problems: Vec<sdk::ProviderDiagnostic>, address: &ResourceInstance, text: &str) -> bool {
        let failed = problems.iter().any(|problem| problem.severity == lang::Severity::Error);
        self.world.report(problems.into_iter().map(|problem| self.place(problem, address, text)).collect());
        !failed
    }

    /// What was read is part of the state, as Terraform keeps it.
    fn keep_read(&self, read: &DataInstance<'_>, value: &Value) {
        let status = ObjectStatus::Ready;
        let object = objects::encode(value, read.schema, None, status, Arc::from([]), false);
        if let Ok(object) = object {
            lock(&self.refreshed).set_current(&read.address, read.provider, Some(Arc::new(object)));
        }
    }

    /// Leaves reading to the apply, if that reads anything. Until then the state holds nothing of it.
    fn defer_read(&self, read: &DataInstance<'_>, config: Value, reason: ActionReason) -> Value {
        lock(&self.refreshed).set_current(&read.address, read.provider, None);
        let planned = planned_object(&config, &read.schema.block);
        match self.options.mode {
            PlanMode::Normal => self.plan_read(read, config, planned, reason),
            PlanMode::RefreshOnly | PlanMode::Destroy => planned,
        }
    }

    /// What belongs to a check is read once more while applying: the check is about what is there then.
    fn read_again(&self, read: &DataInstance<'_>, config: Value, now: Value) -> Value {
        match self.options.mode {
            PlanMode::Normal => self.plan_read(read, config, now, ActionReason::ReadBecauseCheckNested),
            PlanMode::RefreshOnly | PlanMode::Destroy => now,
        }
    }

    fn plan_read(&self, read: &DataInstance<'_>, config: Value, after: Value, reason: ActionReason) -> Value {
        let absent = Value::null(read.schema.block.implied_type().clone());
        let dependencies = self.dependencies.get(&read.address.config()).cloned().unwrap_or_else(|| Arc::from([]));
        let change = ResourceChange {
            address: read.address.clone(),
            previous_address: None,
            deposed: None,
            provider: read.provider.clone(),
            action: Action::Read,
            reason: Some(reason),
            before: absent,
            after: after.clone(),
            config,
            replace_paths: Vec::new(),
            private: None,
            importing: None,
            generated_config: None,
            create_before_destroy: false,
            dependencies,
        };
        match read.deferral {
            Some(reason) => self.defer(reason, change),
            None => self.record(change),
        }
        after
    }
}

/// A data source instance to plan.
struct DataInstance<'a> {
    block: &'a ResourceBlock,
    schema: &'a Schema,
    provider: &'a ProviderConfig,
    configured: &'a Arc<dyn Configured>,
    address: ResourceInstance,
    waits: bool,
    /// Why it is left to the next plan, if it can't be read now.
    deferral: Option<DeferredReason>,
}

/// The object that is planned for a read that comes later.
fn planned_object(config: &Value, block: &Block) -> Value {
    objects::mark_sensitive(unknown_where_computed(config, block), block)
}

/// A configuration whose computed attributes that are not configured are unknown.
fn unknown_where_computed(config: &Value, block: &Block) -> Value {
    let Some(entries) = config.entries() else { return config.clone() };
    let mut values = entries.clone();
    for (name, attribute) in &block.attributes {
        if attribute.computed
            && let Some(slot) = values.get_mut(name)
            && slot.is_null()
        {
            *slot = Value::unknown(attribute.ty.clone());
        }
    }
    for (name, nested) in &block.blocks {
        let Some(slot) = values.get_mut(name) else { continue };
        let Some(elements) = slot.elements() else { continue };
        let elements: Vec<Value> = elements.iter().map(|e| unknown_where_computed(e, &nested.block)).collect();
        let element: Type = nested.block.implied_type().clone();
        *slot = match nested.nesting {
            sdk::Nesting::Set => Value::set(element, elements),
            _ => Value::list(element, elements),
        };
    }
    Value::object(values).with_marks(config.marks)
}
