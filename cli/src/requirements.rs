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
pub fn requirements(root: &Module) -> BTreeMap<ProviderSource, Requirement> {
    let mut all = BTreeMap::new();
    root.tree().into_iter().for_each(|module| collect(module, &mut all));
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

/// Version constraints in the normal form of Terraform's documents and lock files: `>= 5.0.0, < 6.0.0`.
pub fn canonical_constraints(texts: &[&str]) -> String {
    let mut all: Vec<(Version, &str, String)> = Vec::new();
    for item in texts.iter().flat_map(|text| text.split(',')).map(str::trim) {
        let digits = item.find(|c: char| c.is_ascii_digit() || c == 'v').unwrap_or(item.len());
        let (operator, number) = item.split_at(digits);
        let Ok(version) = number.parse::<Version>() else { continue };
        let text = match operator.trim() {
            "" | "=" => version.to_string(),
            "~>" if number.matches('.').count() < 2 => {
                let full = version.to_string();
                format!("~> {}", full.rsplit_once('.').map_or(full.as_str(), |(minor, _)| minor))
            }
            operator => format!("{operator} {version}"),
        };
        all.push((version, operator, text));
    }
    all.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let mut texts: Vec<String> = all.into_iter().map(|(_, _, text)| text).collect();
    texts.dedup();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::canonical_constraints;

    #[test]
    fn constraints_are_written_as_in_lock_files() {
        assert_eq!(canonical_constraints(&["<6.0, >= 5"]), ">= 5.0.0, < 6.0.0");
        assert_eq!(
            canonical_constraints(&["~> 5.0", "~> 5.31.0", "= 5.100.0", "~> 5.0"]),
            "~> 5.0, ~> 5.31.0, 5.100.0"
        );
    }
}
