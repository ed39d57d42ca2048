//! What a configuration needs from the program: providers, provisioners, provider configurations.

use std::collections::BTreeSet;

use lang::addr::ProviderSource;
use lang::{Diagnostic, Diagnostics, Str};

use crate::provisioners;
use crate::workspace::Workspace;

/// Providers and provisioners that are not linked in.
pub(crate) fn missing(workspace: &Workspace) -> Diagnostics {
    let mut sources: BTreeSet<ProviderSource> = BTreeSet::new();
    let mut kinds: BTreeSet<&Str> = BTreeSet::new();
    for module in workspace.config.tree() {
        sources.extend(module.required_providers.values().map(|required| required.source.clone()));
        sources.extend(module.providers.values().map(|provider| module.provider_source(&provider.name)));
        sources.extend(module.resources.values().map(|resource| resource.provider_source.clone()));
        let blocks = module.resources.values().flat_map(|resource| &resource.provisioners);
        kinds.extend(blocks.map(|provisioner| &provisioner.kind));
    }
    let mut diagnostics = Diagnostics::new();
    for source in sources.iter().filter(|source| workspace.providers.get(source).is_none()) {
        let detail = format!(
            "This configuration requires provider {source}, which is not linked into windlass. `windlass version` lists the \
             providers that are."
        );
        diagnostics.push(Diagnostic::error("Missing required provider", detail));
    }
    for kind in kinds.into_iter().filter(|kind| provisioners::schema(kind).is_none()) {
        let detail = format!(
            "This configuration requires provisioner plugin {kind:?}, which isn't available. windlass has the provisioners \
             file, local-exec and remote-exec."
        );
        diagnostics.push(Diagnostic::error("Missing required provisioner plugin", detail));
    }
    diagnostics
}

/// Resources whose provider configuration is written nowhere.
pub(crate) fn missing_configurations(workspace: &Workspace) -> Diagnostics {
    let root = &workspace.config;
    let modules = root.tree();
    let resources = modules.iter().flat_map(|module| module.resources.values().map(|block| (&module.path, block)));
    resources.filter_map(|(path, block)| root.provider_config_for(path, block).err()).collect()
}
