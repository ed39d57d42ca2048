//! The import of one object by address and id, without a plan.

use std::sync::Arc;

use lang::addr::ResourceInstance;
use lang::{Diagnostic, Diagnostics};
use state::State;

use super::read::Target;
use crate::hooks::Hooks;
use crate::plan::PlanMode;
use crate::planning::Planning;
use crate::sync::{lock, read};
use crate::workspace;
use crate::workspace::{PlanOptions, Workspace, module_at};

/// Takes the object of `id` into `state`, as the instance `address`. The resource has to be configured. `options` says what
/// variables are worth.
pub async fn import(
    workspace: &Workspace,
    state: State,
    options: &PlanOptions,
    address: &ResourceInstance,
    id: &str,
    hooks: Arc<dyn Hooks>,
) -> (Option<State>, Diagnostics) {
    // What the provider's configuration refers to is taken from the state as it is.
    let options = PlanOptions {
        mode: PlanMode::RefreshOnly,
        refresh: false,
        targets: vec![workspace::Target::Resource(address.module.clone(), address.resource.clone())],
        ..options.clone()
    };
    let planning = match Planning::new(workspace, state, &options, hooks) {
        Ok(planning) => planning,
        Err(diagnostics) => return (None, diagnostics),
    };
    let mut imported = None;
    if planning.walk().await && planning.import_into(address, id).await.is_some() {
        imported = Some(lock(&planning.refreshed).clone());
    }
    let diagnostics = planning.world.take_diagnostics();
    (imported.filter(|_| !diagnostics.has_errors()), diagnostics)
}

impl Planning<'_> {
    async fn import_into(&self, address: &ResourceInstance, id: &str) -> Option<()> {
        let declared = lock(&self.expansions)
            .get(&address.abs_resource())
            .is_some_and(|expansion| expansion.contains(&address.key));
        let block = module_at(&self.world.workspace.config, &address.module.path())
            .and_then(|module| module.resources.get(&address.resource));
        let Some(block) = block.filter(|_| declared) else {
            self.world.report(super::read::undeclared(address).into());
            return None;
        };
        let module = self.world.module(&address.module)?;
        let schema = self.schema(block)?;
        let provider = self.world.workspace.config.provider_config_for(&module.config.path, block).ok()?;
        let Some(configured) = read(&self.providers).get(&provider).cloned() else {
            let detail = format!("The provider configuration {provider} of {address} could not be set up.");
            self.world.report(Diagnostic::error("Provider not configured", detail).at(block.range).into());
            return None;
        };
        let target = Target { address, schema, provider: &provider, configured: &configured };
        self.import(&target, id).await.map(|_| ())
    }
}
