//! Provisioners of an object that was just made, or is about to be removed.

use std::sync::Arc;

use config::module::{Module, Provisioner};
use config::provisioners::connection_body;
use lang::addr::InstanceKey;
use lang::ast::Block;
use lang::eval::Scope;
use lang::values::Marks;
use lang::{Diagnostic, Diagnostics, Value};

use super::Applying;
use super::steps::Step;
use crate::decode::decode_body;
use crate::expansion::Repetition;
use crate::provisioners;
use crate::provisioning::Provision;
use crate::scope::{BlockScope, ModuleScope};
use crate::workspace::module_at;

/// The provisioners of one object, with all that their arguments can refer to.
pub(super) struct Provisioning {
    provisioners: Vec<Provisioner>,
    /// The connection of the resource.
    connection: Option<Block>,
    module: Arc<ModuleScope>,
    repetition: Repetition,
}

impl Applying<'_> {
    /// What runs after an object was made.
    pub(super) fn creation_provisioners(&self, step: &Step<'_>) -> Option<Provisioning> {
        let (module, block) = (step.module.clone()?, step.block()?);
        let provisioners: Vec<_> = block.provisioners.iter().filter(|p| !p.on_destroy).cloned().collect();
        let values = self.world.resource(&module, &step.change.address.resource)?;
        let repetition = values.expansion.repetition(&step.change.address.key);
        let connection = block.connection.clone();
        (!provisioners.is_empty()).then_some(Provisioning { provisioners, connection, module, repetition })
    }

    /// What runs before an object is removed: the resource's block says it, or the `removed` block that came after it.
    pub(super) fn destroy_provisioners(&self, step: &Step<'_>) -> Option<Provisioning> {
        let root = &self.world.workspace.config;
        let address = &step.change.address;
        let path = address.module.path();
        let module = module_at(root, &path);
        let block = module.and_then(|module| module.resources.get(&address.resource));
        let (provisioners, connection) = match block {
            Some(block) => (&block.provisioners, &block.connection),
            None => {
                let removed = crate::removed::block_for(root, address)?;
                (&removed.provisioners, &removed.connection)
            }
        };
        let provisioners: Vec<_> = provisioners.iter().filter(|p| p.on_destroy).cloned().collect();
        if provisioners.is_empty() {
            return None;
        }
        // What such a provisioner may refer to is known from the address alone.
        let repetition = match &address.key {
            InstanceKey::None => Repetition::None,
            InstanceKey::Index(index) => Repetition::Count(*index),
            InstanceKey::Name(name) => Repetition::Each(Value::string(name.clone()), Value::dynamic()),
            InstanceKey::Unknown => Repetition::Any,
        };
        let config: Arc<Module> = module_at(root, &path).cloned().unwrap_or_else(|| root.clone());
        let functions = self.world.functions().context().clone();
        let providers = &self.world.workspace.providers;
        let module = ModuleScope::new(config, address.module.clone(), Repetition::None, providers, functions);
        let module = Arc::new(module);
        Some(Provisioning { provisioners, connection: connection.clone(), module, repetition })
    }

    /// Runs provisioners one after the other, up to the first that fails. False if one did.
    pub(super) async fn provision(&self, step: &Step<'_>, what: &Provisioning, object: &Value) -> bool {
        let scope = BlockScope {
            world: &self.world,
            module: &what.module,
            repetition: &what.repetition,
            self_value: Some(object.clone()),
        };
        for provisioner in &what.provisioners {
            if !self.run_provisioner(step, what, provisioner, &scope).await {
                return false;
            }
        }
        true
    }

    async fn run_provisioner(
        &self,
        step: &Step<'_>,
        what: &Provisioning,
        provisioner: &Provisioner,
        scope: &dyn Scope,
    ) -> bool {
        let Some(schema) = provisioners::schema(&provisioner.kind) else { return true };
        let mut diagnostics = Diagnostics::new();
        let config = decode_body(&provisioner.body, schema, scope, &mut diagnostics);
        let connection = connection_body(what.connection.as_ref(), provisioner)
            .map(|body| decode_body(&body, provisioners::connection_schema(), scope, &mut diagnostics));
        let failed = diagnostics.has_errors();
        self.world.report(diagnostics);
        if failed {
            return false;
        }
        let marks = config.deep_marks() | connection.as_ref().map_or(Marks::empty(), Value::deep_marks);
        let (config, _) = config.unmark_deep();
        let connection = connection.map(|connection| connection.unmark_deep().0);
        let (address, kind) = (&step.change.address, provisioner.kind.as_str());
        let suppressed = suppression(marks);
        let output = |line: &str| {
            let line = suppressed.unwrap_or(line).trim_end();
            if !line.is_empty() {
                self.hooks.provision_output(address, kind, line);
            }
        };
        self.hooks.provision_start(address, kind);
        let provision = Provision {
            kind,
            config: &config,
            connection: connection.as_ref(),
            secret: suppressed.is_some(),
            output: &output,
            interrupt: &self.interrupt,
        };
        let Err(problem) = self.provisioners.run(provision).await else {
            self.hooks.provision_complete(address, kind);
            return true;
        };
        self.hooks.provision_errored(address, kind);
        if provisioner.continue_on_failure {
            return true;
        }
        let diagnostic = Diagnostic::error(problem.summary, problem.detail).at(provisioner.body.missing_range());
        self.world.report(diagnostic.with_address(step.text.as_str()).into());
        false
    }
}

/// What is printed instead of every line where the configuration holds something secret.
fn suppression(marks: Marks) -> Option<&'static str> {
    match (marks.contains(Marks::SENSITIVE), marks.contains(Marks::EPHEMERAL)) {
        (true, true) => Some("(output suppressed due to sensitive, ephemeral value in config)"),
        (true, false) => Some("(output suppressed due to sensitive value in config)"),
        (false, true) => Some("(output suppressed due to ephemeral value in config)"),
        (false, false) => None,
    }
}
