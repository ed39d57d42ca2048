//! Which provider configurations the objects of a state belong to now.

use std::sync::Arc;

use config::module::Module;
use config::provider_resolution::provider_missing;
use lang::Diagnostics;
use lang::addr::{AbsResource, ProviderConfig};
use state::{ResourceState, State};

use crate::plan::PlanMode;

/// Hands every resource of the state to the provider configuration that its own configuration names, as Terraform does; what
/// is configured no more stays with the one that made it. An error for each object whose provider is not configured.
pub(crate) fn hand_over(root: &Module, state: &mut State, mode: PlanMode) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for (address, resource) in &mut state.resources {
        let module = root.descendant(&address.module.path());
        let block = module.and_then(|module| module.resources.get(&address.resource));
        let provider = match block {
            // The one that it names may be missing, which is told of where it is planned.
            Some(block) => root.provider_config_for(&address.module.path(), block).ok(),
            None => match root.stored_provider_config(&resource.provider) {
                Ok(provider) => Some(provider),
                Err(wanted) => {
                    diagnostics.append(missing(address, resource, &wanted, mode));
                    None
                }
            },
        };
        if let Some(provider) = provider.filter(|provider| *provider != resource.provider) {
            Arc::make_mut(resource).provider = provider;
        }
    }
    diagnostics
}

fn missing(address: &AbsResource, resource: &ResourceState, wanted: &ProviderConfig, mode: PlanMode) -> Diagnostics {
    let what = if mode == PlanMode::Destroy { "destroy" } else { "orphan" };
    let objects = resource.instances.iter().flat_map(|(key, instance)| {
        let address = address.instance(key.clone());
        let current = instance.current.iter().map(|_| format!("{address} ({what})")).collect::<Vec<_>>();
        let deposed = instance.deposed.keys().map(|key| format!("{address} (deposed {key})")).collect::<Vec<_>>();
        current.into_iter().chain(deposed)
    });
    objects.map(|object| provider_missing(&object, wanted)).collect()
}
