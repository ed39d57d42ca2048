//! Reads the objects that are to be imported.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use config::module::{Import, ResourceBlock};
use lang::addr::{ConfigResource, InstanceKey, ModuleInstance, ProviderConfig, Resource, ResourceInstance};
use lang::{Diagnostic, Diagnostics, Str, Value};
use sdk::{Configured, ReadRequest, Schema};
use state::ObjectStatus;

use super::generate;
use super::resolve::{Wanted, resolve};
use crate::objects;
use crate::plan::GeneratedConfig;
use crate::planning::{Planning, Prior};
use crate::refresh::object_id;
use crate::sync::{lock, read};

/// An instance that takes an object, with what is needed to find that.
pub(crate) struct Target<'a> {
    pub address: &'a ResourceInstance,
    pub schema: &'a Schema,
    pub provider: &'a ProviderConfig,
    pub configured: &'a Arc<dyn Configured>,
}

impl Planning<'_> {
    /// What is to be imported into the instances of a resource. `None` after an error.
    pub(crate) fn wanted_imports(&self, resource: &ConfigResource) -> Option<Wanted> {
        if self.imports { resolve(&self.world, resource) } else { Some(Wanted::new()) }
    }

    /// Reports what is to be imported into instances that the configuration does not have. An object that the state knows
    /// already is no longer asked for. False after an error.
    pub(crate) fn check_imported_instances(&self, resource: &ConfigResource, wanted: &Wanted) -> bool {
        let mut declared = HashSet::new();
        for module in self.world.instances(&resource.module) {
            let Some(block) = module.config.resources.get(&resource.resource) else { continue };
            let Some((address, expansion)) = self.expand_resource(&module, block) else { return false };
            declared.extend(expansion.keys().into_iter().map(|key| address.instance(key)));
        }
        let lost = wanted.keys().filter(|address| !declared.contains(*address));
        let lost: Diagnostics =
            lost.filter(|address| self.stored.instance(address).is_none()).map(undeclared).collect();
        let fine = lost.is_empty();
        self.world.report(lost);
        fine
    }

    /// Finds the object of an id and puts it into the refreshed state. `None` after an error.
    pub(crate) async fn import(&self, target: &Target<'_>, id: &str) -> Option<Prior> {
        let address = target.address;
        let kind = &address.resource.kind;
        self.hooks.import_start(address, id);
        let found = match target.configured.import(kind, id).await {
            Ok(found) => found,
            Err(problems) => {
                let text = address.to_string();
                self.world.report(problems.into_iter().map(|p| crate::locate::without_place(p, &text)).collect());
                return None;
            }
        };
        let imported = match single(found, kind, id) {
            Ok(imported) => imported,
            Err(diagnostic) => {
                self.world.report(diagnostic.with_address(address.to_string()).into());
                return None;
            }
        };
        self.hooks.import_found(address);
        if self.stored.current(address).is_some() {
            let detail = format!(
                "Terraform is already managing a remote object for {address}. To import to this address you must first \
                 remove the existing object from the state."
            );
            self.world.report(Diagnostic::error("Resource already managed by Terraform", detail).into());
            return None;
        }
        let (object, private) = self.read_imported(target, imported).await?;
        let value = objects::mark_sensitive(object, &target.schema.block);
        let private_bytes = private.as_deref();
        let encoded = objects::encode(&value, target.schema, private_bytes, ObjectStatus::Ready, Arc::from([]), false);
        let stored = match encoded {
            Ok(stored) => Arc::new(stored),
            Err(detail) => {
                let diagnostic = Diagnostic::error("Provider returned an invalid object", detail);
                self.world.report(diagnostic.with_address(address.to_string()).into());
                return None;
            }
        };
        lock(&self.refreshed).set_current(address, target.provider, Some(stored.clone()));
        Some(Prior { stored: value.clone(), current: Some(value), object: stored, private })
    }

    /// Reads what an import named: the import itself knows little more than the id.
    async fn read_imported(
        &self,
        target: &Target<'_>,
        imported: sdk::ImportedObject,
    ) -> Option<(Value, Option<Vec<u8>>)> {
        let address = target.address;
        let text = address.to_string();
        let id = object_id(&imported.object);
        self.hooks.refresh_start(address, None, id.as_deref());
        let request = ReadRequest { prior: imported.object, private: imported.private };
        let mut responses = target.configured.read_many(&address.resource.kind, vec![request]).await;
        let response = responses.pop();
        self.hooks.refresh_complete(address, None, id.as_deref());
        let response = response?;
        let failed = response.diagnostics.iter().any(|problem| problem.severity == lang::Severity::Error);
        let located = response.diagnostics.into_iter().map(|problem| self.place(problem, address, &text));
        self.world.report(located.collect());
        if failed {
            return None;
        }
        match response.object {
            Some(object) => Some((object, response.private)),
            None => {
                let detail = format!(
                    "While attempting to import an existing object to {text:?}, the provider detected that no object exists \
                     with the given id. Only pre-existing objects can be imported; check that the id is correct and that \
                     it is associated with the provider's configured region or endpoint, or use \"terraform apply\" to \
                     create a new remote object for this resource."
                );
                let summary = "Cannot import non-existent remote object";
                self.world.report(Diagnostic::error(summary, detail).into());
                None
            }
        }
    }

    /// Plans the imports of a resource of the root module that has no configuration: it is generated, if that is asked
    /// for. False after an error.
    pub(crate) async fn visit_unconfigured(&self, resource: &ConfigResource) -> bool {
        let imports = &self.world.workspace.config.imports;
        let Some(import) = imports.iter().find(|import| import.resource == *resource) else { return true };
        if !self.imports {
            return true;
        }
        let Some(path) = self.options.generate_config.clone() else {
            self.world.report(unconfigured(import).into());
            return false;
        };
        let Some(wanted) = self.wanted_imports(resource) else { return false };
        let mut fine = true;
        for (address, id) in wanted {
            if address.key != InstanceKey::None {
                self.world.report(super::validate::not_generated(import).into());
                return false;
            }
            if self.stored.instance(&address).is_none() {
                fine &= self.import_unconfigured(import, address, &id, &path).await.is_some();
            }
        }
        fine
    }

    async fn import_unconfigured(
        &self,
        import: &Import,
        address: ResourceInstance,
        id: &Str,
        path: &Path,
    ) -> Option<()> {
        let root = &self.world.workspace.config;
        let provider = provider_of(root, import, &address.resource);
        let configured = read(&self.providers).get(&provider).cloned()?;
        let schema = self.world.workspace.providers.schema(&provider.source, &address.resource);
        let Some(schema) = schema else {
            let detail = format!("The provider {} has no resource type {}.", provider.source, address.resource.kind);
            self.world.report(Diagnostic::error("Invalid resource type", detail).at(import.to.range).into());
            return None;
        };
        let target = Target { address: &address, schema, provider: &provider, configured: &configured };
        let prior = self.import(&target, id).await?;
        let object = prior.current.clone()?;
        let alias = import.provider.as_ref().map(|provider| match &provider.alias {
            Some(alias) => format!("{}.{alias}", provider.name),
            None => provider.name.to_string(),
        });
        let text = generate::resource(&address.resource, &schema.block, &object, alias.as_deref());
        let planned = match (self.read_generated(path, &text), self.world.module(&ModuleInstance::root())) {
            (Some(block), Some(module)) => {
                self.plan_generated(&module, &block, address.clone(), (prior, id.clone()), text.clone()).await
            }
            _ => None,
        };
        // Also what can't be planned is written: to be mended by hand.
        let id = planned.map(|()| id.to_string());
        lock(&self.generated).push(GeneratedConfig { address, id, text });
        planned
    }

    fn read_generated(&self, path: &Path, text: &str) -> Option<ResourceBlock> {
        let workspace = self.world.workspace;
        let mut diagnostics = Diagnostics::new();
        let block =
            config::generated::read_resource(&workspace.config, &workspace.sources, path, text, &mut diagnostics);
        self.world.report(diagnostics);
        block
    }
}

/// The provider configuration of a resource that is imported without a configuration of its own.
pub(crate) fn provider_of(root: &config::module::Module, import: &Import, resource: &Resource) -> ProviderConfig {
    let implied = config::provider_source::implied_provider(resource);
    let (name, alias) = match &import.provider {
        Some(provider) => (&provider.name, provider.alias.as_ref()),
        None => (&implied, None),
    };
    let path = lang::addr::ModulePath::root();
    root.provider_config(&path, name, alias).unwrap_or_else(|wanted| wanted)
}

/// The one object that a provider found.
fn single(mut found: Vec<sdk::ImportedObject>, kind: &Str, id: &str) -> Result<sdk::ImportedObject, Diagnostic> {
    match (found.pop(), found.is_empty()) {
        (Some(imported), true) if imported.type_name == *kind.as_str() => Ok(imported),
        (Some(_), true) => {
            let detail =
                format!("While attempting to import with ID {id:?}, the provider returned another resource type.");
            Err(Diagnostic::error("Import returned another resource type", detail))
        }
        (Some(_), false) => {
            let detail = format!(
                "While attempting to import with ID {id:?}, the provider returned multiple resource instance states. This is \
                 not currently supported."
            );
            Err(Diagnostic::error("Multiple import states not supported", detail))
        }
        (None, _) => {
            let detail =
                format!("While attempting to import with ID {id:?}, the provider returned no instance states.");
            Err(Diagnostic::error("Import returned no resources", detail))
        }
    }
}

/// The message for an instance that the configuration does not have.
pub(super) fn undeclared(address: &ResourceInstance) -> Diagnostic {
    let detail = format!(
        "The configuration for the given import {address} does not exist. All target instances must have an associated \
         configuration to be imported."
    );
    Diagnostic::error("Configuration for import target does not exist", detail)
}

fn unconfigured(import: &Import) -> Diagnostic {
    let target = &import.resource;
    let detail = format!(
        "The configuration for the given import target {target} does not exist. If you wish to automatically generate config \
         for this resource, use the -generate-config-out option within terraform plan. Otherwise, make sure the target \
         resource exists within your configuration. For example:\n\n  terraform plan -generate-config-out=generated.tf"
    );
    Diagnostic::error("Configuration for import target does not exist", detail).at(import.to.range)
}
