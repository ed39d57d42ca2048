//! What a module tree says about provider configurations must fit together: what callers pass, what the called modules
//! declare, and what they configure on their own.

use std::collections::{BTreeMap, BTreeSet};

use lang::addr::{ProviderSource, Resource};
use lang::{Diagnostic, Diagnostics, Range};

use crate::module::{Module, ModuleCall, ProviderRef};
use crate::provider_source::{check_part, display_source, implied_provider, implied_source};

/// Checks the tree below `root`.
pub(crate) fn check_provider_configurations(root: &Module) -> Diagnostics {
    let mut check = Check { diagnostics: Diagnostics::new() };
    check.module(root, None, None);
    check.diagnostics
}

struct Check {
    diagnostics: Diagnostics,
}

/// The call that leads to a module.
#[derive(Clone, Copy)]
struct Caller<'a> {
    module: &'a Module,
    call: &'a ModuleCall,
}

impl Check {
    fn error(&mut self, summary: &str, detail: String, at: Range) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(at));
    }

    fn warning(&mut self, summary: &str, detail: String, at: Range) {
        self.diagnostics.push(Diagnostic::warning(summary, detail).at(at));
    }

    /// `no_configuration` is the place of the argument that forbids provider blocks in this module and below.
    fn module(&mut self, module: &Module, caller: Option<Caller<'_>>, no_configuration: Option<Range>) {
        for (name, child) in &module.children {
            let Some(call) = module.calls.get(name) else { continue };
            let repeated = call.count.as_ref().or(call.for_each.as_ref()).map(|expr| expr.range);
            let depends =
                call.has_depends_on.then(|| call.depends_on.first().map_or(call.range, |traversal| traversal.range));
            self.module(child, Some(Caller { module, call }), repeated.or(depends).or(no_configuration));
        }
        let (empty, configured): (Vec<_>, Vec<_>) = module.providers.values().partition(|p| p.is_empty());
        let configured: BTreeMap<String, Range> =
            configured.into_iter().map(|p| (full_name(&p.name, p.alias.as_deref()), p.range)).collect();
        let empty: BTreeMap<String, Range> =
            empty.into_iter().map(|p| (full_name(&p.name, p.alias.as_deref()), p.range)).collect();
        self.requirements(module);
        self.implied_names(module);

        let passed: BTreeMap<String, &(ProviderRef, ProviderRef)> =
            caller.iter().flat_map(|caller| &caller.call.providers).map(|pair| (pair.0.to_string(), pair)).collect();
        self.passed_on(module, caller, &configured, &passed);
        let Some(caller) = caller else { return };

        if let Some(range) = no_configuration
            && !configured.is_empty()
        {
            let detail = format!(
                "The module at {} is a legacy module which contains its own local provider configurations, and so calls \
                 to it may not use the count, for_each, or depends_on arguments.\n\nIf you also control the module {:?}, \
                 consider updating this module to instead expect provider configurations to be passed by its caller.",
                module.path, caller.call.source.value
            );
            self.error("Module is incompatible with count, for_each, and depends_on", detail, range);
        }
        for name in configured.keys() {
            if let Some((child, _)) = passed.get(name) {
                let detail = format!(
                    "The configuration of {} has its own local configuration for {name}, and so it cannot accept an \
                     overridden configuration provided by {}.",
                    text(module),
                    text(caller.module)
                );
                self.error("Cannot override provider configuration", detail, child.range);
            }
        }
        for (local, required) in &module.required_providers {
            for alias in &required.configuration_aliases {
                let name = full_name(local, Some(alias));
                if !configured.contains_key(&name) && !passed.contains_key(&name) {
                    let detail = format!(
                        "The child module requires an additional configuration for provider {}, with the local name \
                         {name:?}.\n\nRefer to the module's documentation to understand the intended purpose of this \
                         additional provider configuration, and then add an entry for {name} in the \"providers\" \
                         meta-argument in the module block to choose which provider configuration the module should \
                         use for that purpose.",
                        display_source(&required.source)
                    );
                    self.error("Missing required provider configuration", detail, caller.call.range);
                }
            }
        }
        for (name, (child, parent)) in &passed {
            self.passed_in(module, caller, name, child, parent, empty.contains_key(name));
        }
        self.empty_blocks(module, &empty);
    }

    /// One source under two local names.
    fn requirements(&mut self, module: &Module) {
        const SUMMARY: &str = "Duplicate required provider";
        let mut seen: BTreeMap<&ProviderSource, &str> = BTreeMap::new();
        for (name, required) in &module.required_providers {
            let source = &required.source;
            if let Some(first) = seen.get(source) {
                let detail = format!(
                    "Provider {} with the local name {name:?} was previously required as {first:?}. A provider can only \
                     be required once within required_providers.",
                    display_source(source)
                );
                self.warning(SUMMARY, detail, required.range);
            } else if is_default(source)
                && *name != source.name
                && module.providers.keys().any(|(local, _)| *local == source.name)
            {
                let detail = format!(
                    "Provider {} with the local name {name:?} was implicitly required via a configuration block as \
                     {:?}. The provider configuration block name must match the name used in required_providers.",
                    display_source(source),
                    source.name
                );
                self.warning(SUMMARY, detail, required.range);
            }
            seen.insert(source, name);
        }
    }

    /// Resources whose type implies a local name.
    fn implied_names(&mut self, module: &Module) {
        for resource in module.resources.values().filter(|r| r.provider.is_none()) {
            let address: &Resource = &resource.address;
            let local = implied_provider(address);
            if let Err(problem) = check_part(&local) {
                let detail = format!("{local:?} is an invalid implied provider local name: {problem}");
                self.error("Invalid provider local name", detail, resource.range);
                continue;
            }
            if module.required_providers.contains_key(&local) {
                continue;
            }
            let source = implied_source(&local);
            for (other, _) in module.required_providers.iter().filter(|(_, r)| r.source == source) {
                let detail = format!(
                    "Provider {:?} was implicitly required via resource {:?}, but listed in required_providers as \
                     {other:?}. Either the local name in required_providers must match the resource name, or the \
                     {other:?} provider must be assigned within the resource block.",
                    source.to_string(),
                    address.to_string()
                );
                self.warning("Duplicate required provider", detail, resource.range);
            }
        }
    }

    /// What the module passes to those that it calls.
    fn passed_on(
        &mut self,
        module: &Module,
        caller: Option<Caller<'_>>,
        configured: &BTreeMap<String, Range>,
        passed: &BTreeMap<String, &(ProviderRef, ProviderRef)>,
    ) {
        let parent_text = caller.map_or_else(|| "the root module".to_owned(), |caller| text(caller.module));
        for call in module.calls.values() {
            // Aliases are never inherited; the called module's checks find what is wrong with them.
            for (_, parent) in call.providers.iter().filter(|(_, parent)| parent.alias.is_none()) {
                let name = parent.name.as_str();
                let is_configured = configured.contains_key(name);
                let source = display_source(&ProviderSource::hashicorp(name));
                if !is_configured && !module.required_providers.contains_key(name) {
                    let detail = format!(
                        "There is no explicit declaration for local provider name {name:?} in {}, so Terraform is \
                         assuming you mean to pass a configuration for provider {source:?}.\n\nTo clarify your intent \
                         and silence this warning, add to {parent_text} a required_providers entry named {name:?} with \
                         source = {source:?}, or a different source address if appropriate.",
                        text(module)
                    );
                    self.warning("Reference to undefined provider", detail, parent.range);
                } else if let Some(caller) = caller
                    && !is_configured
                    && !passed.contains_key(name)
                {
                    let detail = format!(
                        "The configuration for {} expects to inherit a configuration for provider {source} with local \
                         name {name:?}, but {parent_text} doesn't pass a configuration under that name.\n\nTo satisfy \
                         this requirement, add an entry for {name:?} to the \"providers\" argument in the module {:?} \
                         block.",
                        text(module),
                        caller.call.name
                    );
                    self.warning("Missing required provider configuration", detail, caller.call.range);
                }
            }
        }
    }

    /// One entry of the call's `providers`.
    fn passed_in(
        &mut self,
        module: &Module,
        caller: Caller<'_>,
        name: &str,
        child: &ProviderRef,
        parent: &ProviderRef,
        is_empty_block: bool,
    ) {
        let required = module.required_providers.get(&child.name);
        let child_source = explicit_source(module, &child.name);
        let is_declared = required.is_some_and(|required| match &child.alias {
            None => true,
            Some(alias) => required.configuration_aliases.contains(alias),
        });
        if !is_declared && !is_empty_block {
            let source = display_source(&child_source);
            if is_default(&child_source) {
                let detail = format!(
                    "There is no explicit declaration for local provider name {name:?} in {}, so Terraform is assuming \
                     you mean to pass a configuration for {source:?}.\n\nIf you also control the child module, add a \
                     required_providers entry named {name:?} with the source address {source:?}.",
                    text(module)
                );
                self.warning("Reference to undefined provider", detail, child.range);
            } else {
                let detail = format!(
                    "The child module does not declare any provider requirement with the local name {name:?}.\n\nIf you \
                     also control the child module, you can add a required_providers entry named {name:?} with the \
                     source address {source:?} to accept this provider configuration."
                );
                self.error("Reference to undefined provider", detail, child.range);
            }
        }
        let parent_source = explicit_source(caller.module, &parent.name);
        if parent_source == child_source {
            return;
        }
        const SUMMARY: &str = "Provider type mismatch";
        let (given, wanted) = (display_source(&parent_source), display_source(&child_source));
        let other_name = module.required_providers.iter().find(|(_, r)| r.source == parent_source);
        if let Some((other, _)) = other_name {
            let detail = format!(
                "The assigned configuration is for provider {given:?}, but local name {:?} in {} represents \
                 {wanted:?}.\n\nTo pass this configuration to the child module, use the local name {other:?} instead.",
                child.name,
                text(caller.module)
            );
            self.error(SUMMARY, detail, child.range);
        } else {
            let detail = format!(
                "The local name \"{parent}\" in {} represents provider {given:?}, but \"{child}\" in {0} represents \
                 {wanted:?}.\n\nEach provider has its own distinct configuration schema and provider types, so this \
                 module's \"{child}\" can be assigned only a configuration for {wanted}, which is not required by {}.",
                text(caller.module),
                text(module)
            );
            self.error(SUMMARY, detail, parent.range);
        }
    }

    /// Empty blocks of a called module: how configurations were passed before Terraform 0.15.
    fn empty_blocks(&mut self, module: &Module, empty: &BTreeMap<String, Range>) {
        let mut by_local: BTreeMap<&str, BTreeSet<(&str, Range)>> = BTreeMap::new();
        for (name, range) in empty {
            let local = name.split('.').next().unwrap_or(name);
            by_local.entry(local).or_default().insert((name, *range));
        }
        for (local, blocks) in by_local {
            let source = display_source(&module.provider_source(local));
            let mut detail = format!(
                "Earlier versions of Terraform used empty provider blocks (\"proxy provider configurations\") for child \
                 modules to declare their need to be passed a provider configuration by their callers. That approach \
                 was ambiguous and is now deprecated.\n\nIf you control this module, you can migrate to the new \
                 declaration syntax by removing all of the empty provider {local:?} blocks and then adding or updating \
                 an entry like the following to the required_providers block of {}:\n    {local} = {{\n      source = \
                 {source:?}\n",
                text(module)
            );
            if blocks.iter().any(|(name, _)| *name != local) {
                detail.push_str("      configuration_aliases = [\n");
                for (name, _) in &blocks {
                    detail.push_str(&format!("        {name},\n"));
                }
                detail.push_str("      ]\n");
            }
            detail.push_str("    }");
            let first = blocks.iter().map(|(_, range)| *range).min();
            self.warning("Redundant empty provider block", detail, first.unwrap_or(Range::NONE));
        }
    }
}

fn full_name(name: &str, alias: Option<&str>) -> String {
    alias.map_or_else(|| name.to_owned(), |alias| format!("{name}.{alias}"))
}

/// The source that a module requires a provider from. What is not required explicitly is one of HashiCorp's here, even `terraform`,
/// which means the built-in provider elsewhere.
fn explicit_source(module: &Module, name: &str) -> ProviderSource {
    module.required_providers.get(name).map_or_else(|| ProviderSource::hashicorp(name), |r| r.source.clone())
}

fn is_default(source: &ProviderSource) -> bool {
    source.host == ProviderSource::DEFAULT_HOST && source.namespace == "hashicorp"
}

/// How a module is called in messages.
pub(crate) fn text(module: &Module) -> String {
    if module.path.is_root() { "the root module".to_owned() } else { module.path.to_string() }
}
