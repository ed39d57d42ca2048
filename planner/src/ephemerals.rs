//! Ephemeral resources: opened when the walk reaches them, renewed while it goes on, closed at its end.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use config::module::ResourceBlock;
use lang::addr::{InstanceKey, ResourceInstance};
use lang::values::Marks;
use lang::{Diagnostics, Severity, Value};
use sdk::{Configured, DataRequest, Lease, ProviderDiagnostic, Schema};
use tokio::sync::Notify;

use crate::checks::{RuleKind, evaluate_rules};
use crate::decode::decode_body;
use crate::expansion::{Expansion, Repetition};
use crate::hooks::{EphemeralStep, Hooks};
use crate::locate::{located, without_place};
use crate::objects;
use crate::plan::{CheckStatus, Checkable};
use crate::scope::{BlockScope, ModuleScope, ResourceValues, World};
use crate::sync::lock;

/// The ephemeral resources that a walk has opened.
#[derive(Default)]
pub(crate) struct Ephemerals {
    open: Mutex<Vec<Open>>,
    opened: Notify,
}

struct Open {
    address: ResourceInstance,
    configured: Arc<dyn Configured>,
    private: Vec<u8>,
    renew_at: Option<Instant>,
}

impl Open {
    fn new(address: ResourceInstance, configured: Arc<dyn Configured>, lease: Lease) -> Open {
        let renew_at = lease.renew_after.map(|after| Instant::now() + after);
        Open { address, configured, private: lease.private, renew_at }
    }
}

/// What opening works with.
pub(crate) struct Opening<'a, 'w> {
    pub world: &'a World<'w>,
    pub hooks: &'a dyn Hooks,
    pub module: &'a ModuleScope,
    pub block: &'a ResourceBlock,
    pub schema: &'a Schema,
    pub configured: Arc<dyn Configured>,
}

impl Ephemerals {
    /// Opens all instances of a resource in one module instance. What can't be opened yet is unknown: its configuration is,
    /// or (`wait`) something that it depends on has changes to come. False after an error.
    pub async fn open_all(&self, opening: &Opening<'_, '_>, expansion: Expansion, wait: bool) -> bool {
        let mut values: BTreeMap<InstanceKey, Value> = BTreeMap::new();
        let mut fine = true;
        for key in expansion.keys() {
            match self.open(opening, &key, expansion.repetition(&key), wait).await {
                Some(value) => {
                    values.insert(key, value);
                }
                None => fine = false,
            }
        }
        let address = &opening.block.address;
        opening.world.set_resource(opening.module, address, ResourceValues::new(expansion, values));
        fine
    }

    async fn open(
        &self,
        opening: &Opening<'_, '_>,
        key: &InstanceKey,
        repetition: Repetition,
        wait: bool,
    ) -> Option<Value> {
        let Opening { world, hooks, module, block, schema, .. } = opening;
        let address = module.address.resource(block.address.clone()).instance(key.clone());
        let text = address.to_string();
        let scope = BlockScope { world, module, repetition: &repetition, self_value: None };
        let object = Checkable::Resource(block.address.clone(), key.clone());
        let fails = |rules, scope: &BlockScope<'_>, kind| {
            let status = evaluate_rules(world, &module.address, object.clone(), rules, scope, kind);
            matches!(status, CheckStatus::Fail | CheckStatus::Error)
        };
        if !block.preconditions.is_empty() && fails(&block.preconditions, &scope, RuleKind::Precondition) {
            return None;
        }
        let mut diagnostics = Diagnostics::new();
        let config = decode_body(&block.body, &schema.block, &scope, &mut diagnostics);
        let failed = diagnostics.has_errors();
        world.report(diagnostics);
        if failed {
            return None;
        }
        let (plain, marks) = config.unmark_deep();
        let report = |problems: Vec<ProviderDiagnostic>| {
            let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
            world.report(problems.into_iter().map(|problem| located(problem, &block.body, &text)).collect());
            !failed
        };
        let provider = world.workspace.providers.get(&block.provider_source)?;
        if !report(provider.validate(block.address.mode, &block.address.kind, &plain)) {
            return None;
        }
        if wait || !plain.is_wholly_known() {
            return Some(Value::unknown(schema.block.implied_type().clone()).with_marks(Marks::EPHEMERAL));
        }
        let started = Instant::now();
        hooks.ephemeral_start(&address, EphemeralStep::Open);
        let text = address.to_string();
        let request = DataRequest { type_name: &block.address.kind, address: &text, config: &plain };
        let opened = match opening.configured.open_ephemeral(request).await {
            Ok(opened) => opened,
            Err(problems) => {
                hooks.ephemeral_errored(&address, EphemeralStep::Open, started.elapsed());
                report(problems);
                return None;
            }
        };
        hooks.ephemeral_complete(&address, EphemeralStep::Open, started.elapsed());
        lock(&self.open).push(Open::new(address, opening.configured.clone(), opened.lease));
        self.opened.notify_one();
        let value = opened.object;
        let marks: Vec<_> = marks.into_iter().filter(|(path, _)| value.at_path(path).is_some()).collect();
        let value = objects::mark_sensitive(value.mark_paths(&marks), &schema.block).with_marks(Marks::EPHEMERAL);
        let after = BlockScope { self_value: Some(value.clone()), ..scope };
        let fine = block.postconditions.is_empty() || !fails(&block.postconditions, &after, RuleKind::Postcondition);
        fine.then_some(value)
    }

    /// Renews what is open whenever its time has come. Never returns: it is to be dropped at the end of the walk.
    pub async fn keep_open(&self, world: &World<'_>, hooks: &dyn Hooks) -> Infallible {
        loop {
            let next = lock(&self.open).iter().filter_map(|open| open.renew_at).min();
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.renew_due(world, hooks).await,
                () = self.opened.notified() => {}
            }
        }
    }

    async fn renew_due(&self, world: &World<'_>, hooks: &dyn Hooks) {
        let now = Instant::now();
        let due: Vec<(ResourceInstance, Arc<dyn Configured>, Vec<u8>)> = lock(&self.open)
            .iter_mut()
            .filter(|open| open.renew_at.is_some_and(|at| at <= now))
            .map(|open| {
                open.renew_at = None;
                (open.address.clone(), open.configured.clone(), open.private.clone())
            })
            .collect();
        for (address, configured, private) in due {
            let started = Instant::now();
            hooks.ephemeral_start(&address, EphemeralStep::Renew);
            match configured.renew_ephemeral(&address.resource.kind, private).await {
                Ok(lease) => {
                    hooks.ephemeral_complete(&address, EphemeralStep::Renew, started.elapsed());
                    if let Some(open) = lock(&self.open).iter_mut().find(|open| open.address == address) {
                        *open = Open::new(address, configured, lease);
                    }
                }
                Err(problems) => {
                    hooks.ephemeral_errored(&address, EphemeralStep::Renew, started.elapsed());
                    report(world, problems, &address);
                }
            }
        }
    }

    /// Gives back everything that is open, the last first.
    pub async fn close_all(&self, world: &World<'_>, hooks: &dyn Hooks) {
        let open = std::mem::take(&mut *lock(&self.open));
        for open in open.into_iter().rev() {
            let started = Instant::now();
            hooks.ephemeral_start(&open.address, EphemeralStep::Close);
            let problems = open.configured.close_ephemeral(&open.address.resource.kind, open.private).await;
            if problems.iter().any(|problem| problem.severity == Severity::Error) {
                hooks.ephemeral_errored(&open.address, EphemeralStep::Close, started.elapsed());
            } else {
                hooks.ephemeral_complete(&open.address, EphemeralStep::Close, started.elapsed());
            }
            report(world, problems, &open.address);
        }
    }
}

fn report(world: &World<'_>, problems: Vec<ProviderDiagnostic>, address: &ResourceInstance) {
    let text = address.to_string();
    world.report(problems.into_iter().map(|problem| without_place(problem, &text)).collect());
}
