//! `removed` blocks: objects that the configuration gives up without destroying them.

use config::addresses::ConfigAddress;
use config::module::{Module, Removed};
use lang::addr::{ConfigResource, ModulePath, ResourceInstance};
use lang::{Diagnostic, Diagnostics, Str};

use crate::plan::{Action, Plan};

/// The block that speaks of an instance, if there is one.
pub(crate) fn block_for<'m>(root: &'m Module, address: &ResourceInstance) -> Option<&'m Removed> {
    let names: Vec<&Str> = address.module.0.iter().map(|(name, _)| name).collect();
    let (mut module, mut below) = (root, names.as_slice());
    // Only the modules that an instance is in can speak of it.
    loop {
        let own = module.removed.iter().find(|removed| match &removed.address {
            ConfigAddress::Module(path) => {
                below.len() >= path.0.len() && path.0.iter().eq(below.iter().copied().take(path.0.len()))
            }
            ConfigAddress::Resource(resource) => {
                resource.resource == address.resource && resource.module.0.iter().eq(below.iter().copied())
            }
        });
        if own.is_some() {
            return own;
        }
        let (next, rest) = below.split_first()?;
        (module, below) = (module.children.get(*next)?, rest);
    }
}

fn absolute(module: &ModulePath, address: &ConfigAddress) -> ConfigAddress {
    let join = |below: &ModulePath| ModulePath(module.0.iter().chain(below.0.iter()).cloned().collect());
    match address {
        ConfigAddress::Module(path) => ConfigAddress::Module(join(path)),
        ConfigAddress::Resource(resource) => {
            let (module, resource) = (join(&resource.module), resource.resource.clone());
            ConfigAddress::Resource(ConfigResource { module, resource })
        }
    }
}

/// An error for every resource or module that is given up and still configured.
pub(crate) fn check(root: &Module) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let mut seen: Vec<ConfigAddress> = Vec::new();
    let all = root.tree().into_iter();
    for (module, removed) in all.flat_map(|module| module.removed.iter().map(move |removed| (module, removed))) {
        let address = absolute(&module.path, &removed.address);
        if seen.contains(&address) {
            continue;
        }
        seen.push(address.clone());
        let (what, name, declared) = match address {
            ConfigAddress::Module(path) => {
                let there = root.descendant(&path).is_some_and(|found| found.path == path);
                ("module", path.to_string(), there.then_some(removed.range))
            }
            ConfigAddress::Resource(resource) => {
                let owner = root.descendant(&resource.module).filter(|found| found.path == resource.module);
                let block = owner.and_then(|owner| owner.resources.get(&resource.resource));
                ("resource", resource.to_string(), block.map(|block| block.range))
            }
        };
        if let Some(place) = declared {
            let detail = format!(
                "This statement declares that {name} was removed, but it is still declared in configuration.\n\nRemove the \
                 {what} block, or the removed block."
            );
            diagnostics.push(Diagnostic::error(format!("Removed {what} still exists"), detail).at(place));
        }
    }
    diagnostics
}

/// The warning that lists what a plan forgets.
pub(crate) fn forgotten(plan: &Plan) -> Option<Diagnostic> {
    let forgotten: Vec<String> = plan
        .changes
        .iter()
        .filter(|change| change.action == Action::Forget)
        .map(|change| format!("\n - {}", change.address))
        .collect();
    if forgotten.is_empty() {
        return None;
    }
    let detail = format!(
        "If you apply this plan, Terraform will discard its tracking information for the following objects, but it will not \
         delete them:{}\n\nAfter applying this plan, Terraform will no longer manage these objects. You will need to import them \
         into Terraform to manage them again.",
        forgotten.concat()
    );
    Some(Diagnostic::warning("Some objects will no longer be managed by Terraform", detail))
}
