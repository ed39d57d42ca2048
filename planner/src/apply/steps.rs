//! The steps of a change: an object is made or changed, a data source read, an object removed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use config::module::ResourceBlock;
use lang::addr::InstanceKey;
use lang::values::Marks;
use lang::{Diagnostic, Diagnostics, Severity, Value};
use sdk::{ApplyRequest, Configured, DataRequest, Observer, PlanRequest, ProviderDiagnostic, Schema};
use state::{DeposedKey, InstanceObject, Intent, IntentId, JournalError, Json, ObjectStatus, Operation, Outcome};

use crate::apply::Applying;
use crate::apply::record::{Recorder, causes};
use crate::decode::decode_body;
use crate::expansion::Repetition;
use crate::locate::{located, without_place};
use crate::objects;
use crate::plan::{Action, ResourceChange};
use crate::proposed::proposed_new;
use crate::refresh::object_id;
use crate::scope::{BlockScope, ModuleScope};
use crate::sync::{lock, read};
use crate::write_only;

/// How often a running operation is told of.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(10);

/// A change with all that its steps need.
pub(super) struct Step<'a> {
    index: usize,
    pub(super) change: &'a ResourceChange,
    pub(super) text: String,
    schema: &'a Schema,
    configured: Arc<dyn Configured>,
    pub(super) module: Option<Arc<ModuleScope>>,
}

impl Step<'_> {
    pub(super) fn block(&self) -> Option<&Arc<ResourceBlock>> {
        self.module.as_ref()?.config.resources.get(&self.change.address.resource)
    }

    fn place(&self, problem: ProviderDiagnostic) -> Diagnostic {
        match self.block() {
            Some(block) => located(problem, &block.body, &self.text),
            None => without_place(problem, &self.text),
        }
    }

    fn invalid_object(&self, detail: String) -> Diagnostic {
        let detail = format!(
            "{detail}. This is a bug in windlass's provider: please report it, with the resource's configuration."
        );
        Diagnostic::error("Provider produced invalid object", detail).with_address(self.text.as_str())
    }
}

impl Applying<'_> {
    fn step(&self, index: usize) -> Option<Step<'_>> {
        let change = self.plan.changes.get(index)?;
        let schema = self.world.workspace.providers.schema(&change.provider.source, &change.address.resource)?;
        let configured = match self.world.workspace.providers.instead_for(&change.address, &change.provider) {
            Some(stand_in) => stand_in.clone(),
            None => read(&self.providers).get(&change.provider).cloned()?,
        };
        let module = self.world.module(&change.address.module);
        Some(Step { index, change, text: change.address.to_string(), schema, configured, module })
    }

    /// Makes or changes the object of a change, or reads its data source, and looks at its conditions. False if that fails or is
    /// not begun.
    pub(super) async fn make(&self, index: usize) -> bool {
        if self.interrupt.is_requested() {
            return false;
        }
        let Some(step) = self.step(index) else { return false };
        let (Some(module), Some(block)) = (step.module.clone(), step.block().cloned()) else { return false };
        let Some(repetition) = self.repetition(&module, &step) else { return false };
        let scope = BlockScope { world: &self.world, module: &module, repetition: &repetition, self_value: None };
        let key = &step.change.address.key;
        if !self.check_preconditions(&module, &block, &scope, key) {
            return false;
        }
        if step.change.action == Action::NoOp {
            return self.check_postconditions(&module, &block, &repetition, key);
        }
        let mut diagnostics = Diagnostics::new();
        let config = decode_body(&block.body, &step.schema.block, &scope, &mut diagnostics);
        let failed = diagnostics.has_errors();
        self.world.report(diagnostics);
        if failed {
            return false;
        }
        let value = match step.change.action {
            Action::Read => match (self.read_data(&step, &config).await, &block.check) {
                (Ok(value), _) => Some(value),
                (Err(problems), Some(check)) => {
                    self.world.fail_check(&module.address, check, problems);
                    // Nothing stands on it but the check.
                    return true;
                }
                (Err(problems), None) => {
                    self.world.report(problems);
                    let resource = step.change.address.abs_resource();
                    self.recorder.change(|state| state.note(resource, &step.change.provider));
                    None
                }
            },
            _ => self.make_object(&step, &config).await,
        };
        let Some(value) = value else { return false };
        if let Some(values) = self.world.resource(&module, &step.change.address.resource) {
            values.set(key.clone(), value);
        }
        self.check_postconditions(&module, &block, &repetition, key)
    }

    fn repetition(&self, module: &ModuleScope, step: &Step<'_>) -> Option<Repetition> {
        let values = self.world.resource(module, &step.change.address.resource)?;
        let key: &InstanceKey = &step.change.address.key;
        if values.expansion.contains(key) {
            return Some(values.expansion.repetition(key));
        }
        let detail = format!(
            "The plan holds {}, but with the values known now the configuration has no such instance. Plan again.",
            step.text
        );
        self.world.report(Diagnostic::error("Provider produced inconsistent final plan", detail).into());
        None
    }

    async fn read_data(&self, step: &Step<'_>, config: &Value) -> Result<Value, Diagnostics> {
        let (plain, marks) = config.clone().unmark_deep();
        self.hooks.data_read_start(&step.change.address);
        let started = Instant::now();
        let kind = &step.change.address.resource.kind;
        let request = DataRequest { type_name: kind, address: &step.text, config: &plain };
        let read = step.configured.read_data(request).await;
        let value = match read {
            Ok(value) => value,
            Err(problems) => return Err(problems.into_iter().map(|problem| step.place(problem)).collect()),
        };
        let marks: Vec<_> = marks.iter().filter(|(path, _)| value.at_path(path).is_some()).cloned().collect();
        let value = objects::mark_sensitive(value.mark_paths(&marks), &step.schema.block);
        let id = object_id(&value);
        self.hooks.data_read_complete(&step.change.address, id.as_deref(), started.elapsed());
        let object = objects::encode(&value, step.schema, None, ObjectStatus::Ready, Arc::from([]), false);
        let object = object.map_err(|detail| step.invalid_object(detail))?;
        self.recorder.change(|state| {
            state.set_current(&step.change.address, &step.change.provider, Some(Arc::new(object)));
        });
        Ok(value)
    }

    /// Plans once more with what is known now, then creates or updates.
    async fn make_object(&self, step: &Step<'_>, config: &Value) -> Option<Value> {
        let absent = Value::null(step.schema.block.implied_type().clone());
        let updating = step.change.action == Action::Update;
        let prior = if updating { step.change.before.clone() } else { absent };
        let (prior, prior_marks) = prior.unmark_deep();
        let (plain, config_marks) = config.clone().unmark_deep();
        let config_marks = match (updating, step.block()) {
            (true, Some(block)) => crate::managed::kept_marks(block, &prior, &prior_marks, config_marks),
            _ => config_marks,
        };
        let config_marks = write_only::stored_marks(config_marks, &step.schema.block);
        let effective = match (updating, step.block()) {
            (true, Some(block)) => {
                crate::proposed::ignore_changes(&prior, &plain, &crate::managed::ignored_paths(block, &prior))
            }
            _ => plain,
        };
        let proposed = write_only::without(proposed_new(&step.schema.block, &prior, &effective), &step.schema.block);
        let request = PlanRequest {
            type_name: &step.change.address.resource.kind,
            prior: &prior,
            proposed: &proposed,
            config: &effective,
            private: step.change.private.as_deref(),
        };
        let response = step.configured.plan(request).await;
        let failed = response.diagnostics.iter().any(|d| d.severity == Severity::Error);
        self.world.report(response.diagnostics.into_iter().map(|problem| step.place(problem)).collect());
        let planned = write_only::without(response.planned.filter(|_| !failed)?, &step.schema.block);
        if updating && planned.raw_equals(&prior) {
            let marked = objects::mark_sensitive(planned.clone().mark_paths(&config_marks), &step.schema.block);
            let (_, marks) = marked.unmark_deep();
            if crate::managed::same_marks(&prior_marks, &marks) {
                // What was not known when it was planned has turned out to be what is there.
                return Some(step.change.before.clone());
            }
        }
        let private = response.private.or_else(|| step.change.private.as_deref().map(<[u8]>::to_vec));
        let deposed = match step.change.action {
            Action::CreateThenDelete => self.depose(step).await,
            _ => None,
        };
        let operation = if updating { Operation::Update } else { Operation::Create };
        let call = Call {
            step,
            operation,
            prior: &prior,
            planned: &planned,
            config: &effective,
            private: private.as_deref(),
            marks: &config_marks,
            deposed: None,
        };
        let (value, fine) = self.call(call).await;
        if !fine && let Some(key) = deposed {
            // The new object was not made: the old one is the current one again.
            self.recorder.change(|state| state.restore(&step.change.address, &key));
            lock(&self.deposed).remove(&step.index);
        }
        let mut counts = lock(&self.counts);
        match (fine, updating) {
            (true, true) => counts.change += 1,
            (true, false) => counts.add += 1,
            (false, _) => {}
        }
        drop(counts);
        value.filter(|_| fine)
    }

    /// Sets the current object aside; it is removed when its replacement and all that stood on it are there.
    async fn depose(&self, step: &Step<'_>) -> Option<DeposedKey> {
        let key = self.recorder.change(|state| state.depose(&step.change.address))?;
        lock(&self.deposed).insert(step.index, key.clone());
        // Without the deposed object in the store a crash during the create would lose one of the two.
        self.recorder.store().await;
        Some(key)
    }

    /// Removes the object of a change. False if that fails or is not begun.
    pub(super) async fn remove(&self, index: usize) -> bool {
        if self.interrupt.is_requested() {
            return false;
        }
        let Some(step) = self.step(index) else { return false };
        let named = step.change.deposed.as_deref().and_then(|key| DeposedKey::parse(key).ok());
        let own = lock(&self.deposed).get(&index).cloned();
        if step.change.action == Action::CreateThenDelete && own.is_none() {
            return false;
        }
        let deposed = named.or(own);
        let (prior, _) = step.change.before.clone().unmark_deep();
        let absent = Value::null(step.schema.block.implied_type().clone());
        let stored = self.recorder.with_state(|state| {
            let instance = state.instance(&step.change.address)?;
            match &deposed {
                Some(key) => instance.deposed.get(key).cloned(),
                None => instance.current.clone(),
            }
        });
        let private = stored.as_ref().and_then(|object| objects::private_bytes(object));
        let call = Call {
            step: &step,
            operation: Operation::Delete,
            prior: &prior,
            planned: &absent,
            config: &absent,
            private: private.as_deref(),
            marks: &[],
            deposed: deposed.as_ref(),
        };
        let (_, fine) = self.call(call).await;
        if fine {
            lock(&self.counts).destroy += 1;
        }
        fine
    }

    /// Makes the call: intent, call, outcome. Returns the object afterwards and whether all went well.
    async fn call(&self, call: Call<'_>) -> (Option<Value>, bool) {
        let step = call.step;
        let action = match (call.operation, step.change.action) {
            (Operation::Delete, _) => Action::Delete,
            (Operation::Update, _) => Action::Update,
            (Operation::Create, _) => Action::Create,
        };
        self.hooks.apply_start(&step.change.address, call.deposed.map(DeposedKey::as_str), action, &step.change.before);
        let started = Instant::now();
        if !self.provision_before(&call).await {
            self.hooks.apply_errored(&step.change.address, action, started.elapsed());
            return (None, false);
        }
        let token = uuid::Uuid::new_v4().to_string();
        let id = match self.recorder.intend(self.intent(&call, &token)).await {
            Ok(id) => id,
            Err(error) => {
                self.refused(step, &error);
                self.hooks.apply_errored(&step.change.address, action, started.elapsed());
                return (None, false);
            }
        };
        let handover =
            HandOver { recorder: &self.recorder, id, step, marks: call.marks, problem: std::sync::Mutex::new(None) };
        let request = ApplyRequest {
            type_name: &step.change.address.resource.kind,
            prior: call.prior,
            planned: call.planned,
            config: call.config,
            private: call.private,
            client_token: &token,
            observer: &handover,
        };
        let applying = step.configured.apply(request);
        let response = self.with_progress(applying, step, action, started).await;
        if let Some(error) = lock(&handover.problem).take() {
            self.journal_failed(step, &error);
        }
        let failed = response.diagnostics.iter().any(|d| d.severity == Severity::Error);
        self.world.report(response.diagnostics.into_iter().map(|problem| step.place(problem)).collect());
        let value = response.object.map(|object| {
            let object = write_only::without(object, &step.schema.block);
            let marks: Vec<_> = call.marks.iter().filter(|(path, _)| object.at_path(path).is_some()).cloned().collect();
            objects::mark_sensitive(object.mark_paths(&marks), &step.schema.block)
        });
        let failed = failed || !self.provision_after(&call, id, value.as_ref(), response.private.as_deref()).await;
        let outcome = match self.outcome_of(&call, value.as_ref(), response.private.as_deref(), failed) {
            Ok(outcome) => outcome,
            Err(detail) => {
                self.world.report(step.invalid_object(detail).into());
                Outcome::Failed
            }
        };
        let recorded =
            self.recorder.outcome(id, &step.change.address, call.deposed, &step.change.provider, outcome).await;
        if let Err(error) = recorded {
            self.journal_failed(step, &error);
        }
        let elapsed = started.elapsed();
        if failed {
            self.hooks.apply_errored(&step.change.address, action, elapsed);
        } else {
            let absent = Value::null(step.schema.block.implied_type().clone());
            let shown = value.as_ref().unwrap_or(&absent);
            self.hooks.apply_complete(&step.change.address, action, shown, elapsed);
        }
        (value, !failed)
    }

    /// Runs what comes before a removal. Like Terraform, not for what is only set aside or half made.
    async fn provision_before(&self, call: &Call<'_>) -> bool {
        if call.operation != Operation::Delete || call.deposed.is_some() {
            return true;
        }
        let step = call.step;
        let tainted = self.recorder.with_state(|state| {
            state.current(&step.change.address).is_some_and(|object| object.status == ObjectStatus::Tainted)
        });
        match self.destroy_provisioners(step).filter(|_| !tainted) {
            Some(provisioning) => self.provision(step, &provisioning, &step.change.before).await,
            None => true,
        }
    }

    /// Runs what comes after a creation. Until then the object is recorded as tainted, so that a crash on the way leads to
    /// its replacement, not to an object that was never set up.
    async fn provision_after(
        &self,
        call: &Call<'_>,
        id: IntentId,
        object: Option<&Value>,
        private: Option<&[u8]>,
    ) -> bool {
        let (Operation::Create, Some(object)) = (call.operation, object) else { return true };
        let step = call.step;
        let Some(provisioning) = self.creation_provisioners(step) else { return true };
        if let Ok(Outcome::Object(half_made)) = self.outcome_of(call, Some(object), private, true) {
            let recorded = self.recorder.so_far(id, &step.change.address, &step.change.provider, half_made).await;
            if let Err(error) = recorded {
                self.journal_failed(step, &error);
            }
        }
        self.provision(step, &provisioning, object).await
    }

    fn intent(&self, call: &Call<'_>, token: &str) -> Intent {
        let step = call.step;
        let planned = objects::nulls_for_unknown(call.planned.clone());
        let planned = planned.to_json_as(step.schema.block.implied_type()).unwrap_or(serde_json::Value::Null);
        let (lineage, serial) = self.recorder.with_state(|state| (state.lineage.clone(), state.serial));
        Intent {
            address: step.change.address.clone(),
            deposed: call.deposed.cloned(),
            provider: step.change.provider.clone(),
            operation: call.operation,
            planned: Json::from_value(&planned),
            client_token: Some(token.to_owned()),
            dependencies: step.change.dependencies.clone(),
            create_before_destroy: step.change.create_before_destroy,
            lineage,
            serial,
        }
    }

    fn outcome_of(
        &self,
        call: &Call<'_>,
        value: Option<&Value>,
        private: Option<&[u8]>,
        failed: bool,
    ) -> Result<Outcome, String> {
        let step = call.step;
        match (value.filter(|value| !value.is_null()), call.operation, failed) {
            (None, Operation::Delete, false) | (None, Operation::Create, _) => Ok(Outcome::Gone),
            (None, _, _) => Ok(Outcome::Failed),
            (Some(_), Operation::Delete, _) => Ok(Outcome::Failed),
            (Some(value), operation, failed) => {
                let status = match (operation, failed) {
                    (Operation::Create, true) => ObjectStatus::Tainted,
                    _ => ObjectStatus::Ready,
                };
                let dependencies = step.change.dependencies.clone();
                let private = private.or(call.private);
                let first = step.change.create_before_destroy;
                let object = objects::encode(value, step.schema, private, status, dependencies, first)?;
                Ok(Outcome::Object(Arc::new(object)))
            }
        }
    }

    /// Nothing is begun that is not recorded: the rest of the apply is left to the next run.
    fn refused(&self, step: &Step<'_>, error: &JournalError) {
        if !self.recorder.is_first_refusal() {
            return;
        }
        let detail = format!(
            "Nothing is begun before it is recorded, and the journal beside the state can't be written: {}. The operation on {} \
             and those that were to follow were not begun. Mend the cause (free space, permissions, keys) and run `windlass \
             apply` again.",
            causes(error),
            step.text
        );
        self.world.report(Diagnostic::error("Failed to write the journal", detail).into());
    }

    fn journal_failed(&self, step: &Step<'_>, error: &JournalError) {
        let detail = format!(
            "The journal beside the state could not be written, so the outcome of the operation on {} is known only to this run: \
             {}. Mend the cause (free space, permissions) and run `windlass apply` again.",
            step.text,
            causes(error)
        );
        let diagnostic = Diagnostic::error("Failed to write the journal", detail).with_address(step.text.as_str());
        self.world.report(diagnostic.into());
    }

    async fn with_progress<T>(
        &self,
        operation: impl Future<Output = T>,
        step: &Step<'_>,
        action: Action,
        started: Instant,
    ) -> T {
        tokio::pin!(operation);
        loop {
            tokio::select! {
                done = &mut operation => return done,
                () = tokio::time::sleep(PROGRESS_INTERVAL) => {
                    let before = &step.change.before;
                    self.hooks.apply_progress(&step.change.address, action, before, started.elapsed());
                }
            }
        }
    }
}

/// One call to a provider.
struct Call<'a> {
    step: &'a Step<'a>,
    operation: Operation,
    prior: &'a Value,
    planned: &'a Value,
    config: &'a Value,
    private: Option<&'a [u8]>,
    marks: &'a [(lang::values::Path, Marks)],
    deposed: Option<&'a DeposedKey>,
}

/// Takes a new object's id as soon as the cloud has answered.
struct HandOver<'a> {
    recorder: &'a Recorder,
    id: IntentId,
    step: &'a Step<'a>,
    /// What the configuration marks.
    marks: &'a [(lang::values::Path, Marks)],
    problem: std::sync::Mutex<Option<JournalError>>,
}

#[async_trait]
impl Observer for HandOver<'_> {
    async fn created(&self, partial: Value) {
        let partial = write_only::without(objects::nulls_for_unknown(partial), &self.step.schema.block);
        let partial = objects::mark_sensitive(partial.mark_paths(self.marks), &self.step.schema.block);
        let change = self.step.change;
        let dependencies = change.dependencies.clone();
        let first = change.create_before_destroy;
        let encoded: Result<InstanceObject, String> =
            objects::encode(&partial, self.step.schema, None, ObjectStatus::Tainted, dependencies, first);
        let Ok(object) = encoded else { return };
        if let Err(error) =
            self.recorder.handed_over(self.id, &change.address, &change.provider, Arc::new(object)).await
        {
            *lock(&self.problem) = Some(error);
        }
    }
}
