//! Which provider configuration a resource uses: `providers` maps and the inheritance of default configurations are
//! followed up the module tree.

use lang::addr::{ConfigResource, ModulePath, ProviderConfig, ProviderSource, Resource};
use lang::ast::BodySchema;
use lang::{Diagnostic, Str};

use crate::module::{Module, ModuleCall, ProviderBlock, ResourceBlock};
use crate::provider_source::implied_provider;

impl ProviderBlock {
    /// Whether the block has no arguments: in a called module that only says that a configuration is to be passed.
    pub fn is_empty(&self) -> bool {
        self.version.is_none() && !self.body.content(&BodySchema::default()).1.has_errors()
    }
}

impl Module {
    /// A module below this one (the root's own path gives the root).
    pub fn descendant(&self, path: &ModulePath) -> Option<&Module> {
        path.0.iter().try_fold(self, |module, name| module.children.get(name).map(AsRef::as_ref))
    }

    /// All modules of the tree, callers before the called, siblings by name.
    pub fn tree(&self) -> Vec<&Module> {
        let mut found = vec![self];
        for child in self.children.values() {
            found.extend(child.tree());
        }
        found
    }

    /// The resources of all modules of the tree.
    pub fn resources_of_tree(&self) -> impl Iterator<Item = ConfigResource> {
        let own = |module: &Module, resource: &Resource| ConfigResource {
            module: module.path.clone(),
            resource: resource.clone(),
        };
        self.tree()
            .into_iter()
            .flat_map(move |module| module.resources.keys().map(move |resource| own(module, resource)))
    }

    /// The provider block of a source and alias.
    pub fn provider_block(&self, source: &ProviderSource, alias: Option<&Str>) -> Option<&ProviderBlock> {
        self.providers.values().find(|p| p.alias.as_ref() == alias && self.provider_source(&p.name) == *source)
    }

    /// The configuration that a resource of the module `path` uses. `self` is the root.
    ///
    /// A default configuration that is written nowhere is the root's. A missing additional configuration is an error.
    pub fn provider_config_for(
        &self,
        path: &ModulePath,
        resource: &ResourceBlock,
    ) -> Result<ProviderConfig, Diagnostic> {
        let implied = implied_provider(&resource.address);
        let (name, alias) = match &resource.provider {
            Some(provider) => (&provider.name, provider.alias.as_ref()),
            None => (&implied, None),
        };
        self.provider_config(path, name, alias).map_err(|wanted| {
            let dot = if path.is_root() { "" } else { "." };
            provider_missing(&format!("{path}{dot}{}", resource.address), &wanted)
        })
    }

    /// The configuration that a local name and alias stand for in the module `path`; when there is none, the one that
    /// was looked for. `self` is the root.
    pub fn provider_config(
        &self,
        path: &ModulePath,
        name: &str,
        alias: Option<&Str>,
    ) -> Result<ProviderConfig, ProviderConfig> {
        let module = self.line(path).last().map_or(self, |(module, _)| module);
        self.provider_config_of(path, module.provider_source(name), alias.cloned())
    }

    /// The configuration of a provider that a stored address stands for, e.g. of an object that is configured no more.
    pub fn stored_provider_config(&self, stored: &ProviderConfig) -> Result<ProviderConfig, ProviderConfig> {
        if stored.alias.is_some() && self.descendant(&stored.module).is_none() {
            return Err(stored.clone());
        }
        self.provider_config_of(&stored.module, stored.source.clone(), stored.alias.clone())
    }

    /// The modules from the root to `path`, as far as they exist, each with the call that led to it.
    fn line(&self, path: &ModulePath) -> Vec<(&Module, Option<&ModuleCall>)> {
        let mut line: Vec<(&Module, Option<&ModuleCall>)> = vec![(self, None)];
        let mut current = self;
        for step in path.0.iter() {
            let Some(child) = current.children.get(step) else { break };
            line.push((child, current.calls.get(step)));
            current = child;
        }
        line
    }

    fn provider_config_of(
        &self,
        path: &ModulePath,
        mut source: ProviderSource,
        mut alias: Option<Str>,
    ) -> Result<ProviderConfig, ProviderConfig> {
        let wanted = ProviderConfig { module: path.clone(), source: source.clone(), alias: alias.clone() };
        for (module, call) in self.line(path).into_iter().rev() {
            let here = || ProviderConfig { module: module.path.clone(), source: source.clone(), alias: alias.clone() };
            let block = module.provider_block(&source, alias.as_ref());
            let passed = call.and_then(|call| {
                call.providers
                    .iter()
                    .find(|(child, _)| child.alias == alias && module.provider_source(&child.name) == source)
            });
            let Some(parent) = module.path.parent() else {
                return if block.is_some() || alias.is_none() { Ok(here()) } else { Err(wanted) };
            };
            match (block, passed) {
                (Some(block), Some(_)) if !block.is_empty() => return Ok(here()),
                (_, Some((_, in_parent))) => {
                    source = self.descendant(&parent).unwrap_or(self).provider_source(&in_parent.name);
                    alias = in_parent.alias.clone();
                }
                (Some(_), None) => return Ok(here()),
                (None, None) if alias.is_some() => return Err(wanted),
                (None, None) => {}
            }
        }
        Err(wanted)
    }
}

/// The error of an object whose provider configuration is not there (any more).
pub fn provider_missing(object: &str, wanted: &ProviderConfig) -> Diagnostic {
    Diagnostic::error(
        "Provider configuration not present",
        format!(
            "To work with {object} its original provider configuration at {wanted} is required, but it has been removed. This \
             occurs when a provider configuration is removed while objects created by that provider still exist in the state. \
             Re-add the provider configuration to destroy {object}, after which you can remove the provider configuration again."
        ),
    )
}
