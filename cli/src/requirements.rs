//! The providers that a configuration needs, and whether the linked ones will do.

use std::collections::BTreeMap;

use config::module::{Located, Module};
use config::provider_source::display_source;
use config::version::{Constraints, Version};
use lang::addr::ProviderSource;
use lang::{Diagnostic, Diagnostics, Range};
use planner::ProviderRegistry;

/// What a module tree asks of one provider.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// Version constraints as written.
    pub constraints: Vec<Located<String>>,
    /// The first place that asks for it.
    pub range: Range,
}

/// Everything that a module and those it calls ask for.
pub fn requirements(module: &Module) -> BTreeMap<ProviderSource, Requirement> {
    let mut all = BTreeMap::new();
    collect(module, &mut all);
    all
}

fn collect(module: &Module, all: &mut BTreeMap<ProviderSource, Requirement>) {
    let mut add = |source: ProviderSource, range: Range, version: Option<&Located<String>>| {
        let entry = all.entry(source).or_insert_with(|| Requirement { constraints: Vec::new(), range });
        entry.constraints.extend(version.cloned());
    };
    for required in module.required_providers.values() {
        add(required.source.clone(), required.range, required.version.as_ref());
    }
    for provider in module.providers.values() {
        add(module.provider_source(&provider.name), provider.range, provider.version.as_ref());
    }
    for resource in module.resources.values() {
        add(resource.provider_source.clone(), resource.range, None);
    }
    for child in module.children.values() {
        collect(child, all);
    }
}

/// Whether linked providers meet all requirements.
pub fn check(requirements: &BTreeMap<ProviderSource, Requirement>, providers: &ProviderRegistry) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (source, requirement) in requirements.iter().filter(|(source, _)| **source != ProviderSource::builtin()) {
        let name = display_source(source);
        let Some(provider) = providers.get(source) else {
            let linked: Vec<String> = providers.iter().map(|(source, _)| display_source(source)).collect();
            let detail = format!(
                "Could not find the provider {name}: providers are part of this program, which has none of that address. It \
                 has {}.\n\nIf another source is meant, name it in the required_providers block. Otherwise remove what \
                 needs this provider; to see which modules are currently depending on {name} and what versions are \
                 specified, run the following command:\n    terraform providers",
                linked.join(", ")
            );
            diagnostics
                .push(Diagnostic::error("Failed to query available provider packages", detail).at(requirement.range));
            continue;
        };
        let Ok(version) = provider.version().parse::<Version>() else { continue };
        for wanted in &requirement.constraints {
            if wanted.value.parse::<Constraints>().is_ok_and(|constraints| !constraints.allow(&version)) {
                let detail = format!(
                    "No available releases of the provider {name} match the given constraints {}: this program stands for \
                     its version {version}, and for no other.\n\nLet the constraint admit {version}, for example by \
                     version = \"~> {}\".",
                    wanted.value,
                    provider.version().rsplit_once('.').map_or(provider.version(), |(minor, _)| minor)
                );
                diagnostics
                    .push(Diagnostic::error("Failed to query available provider packages", detail).at(wanted.range));
            }
        }
    }
    diagnostics
}
