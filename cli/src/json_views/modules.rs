//! The tree of module instances that objects are listed in.

use std::collections::BTreeMap;

use lang::addr::{InstanceKey, Mode, ModuleInstance, ResourceInstance};
use serde_json::Value as Json;

use super::document::{Module, Resource};

/// Collects objects by module instance.
#[derive(Default)]
pub struct ModuleTree {
    modules: BTreeMap<ModuleInstance, Vec<Resource>>,
}

impl ModuleTree {
    /// Adds an object; objects of a module are listed in the order in which they are added.
    pub fn add(&mut self, module: &ModuleInstance, resource: Resource) {
        let mut ancestor = module.parent();
        while let Some(module) = ancestor {
            ancestor = module.parent();
            self.modules.entry(module).or_default();
        }
        self.modules.entry(module.clone()).or_default().push(resource);
    }

    /// The root module with all that is below it.
    pub fn into_root(mut self) -> Module {
        self.take(&ModuleInstance::root())
    }

    fn take(&mut self, module: &ModuleInstance) -> Module {
        let resources = self.modules.remove(module).unwrap_or_default();
        let is_child = |m: &&ModuleInstance| m.parent().as_ref() == Some(module);
        let children: Vec<ModuleInstance> = self.modules.keys().filter(is_child).cloned().collect();
        let mut child_modules: Vec<Module> = children.iter().map(|child| self.take(child)).collect();
        child_modules.sort_by(|a, b| a.address.cmp(&b.address));
        Module { resources, address: module.to_string(), child_modules }
    }
}

/// `managed` or `data`
pub fn mode(mode: Mode) -> String {
    mode.to_string()
}

/// The instance key as documents hold it.
pub fn index(key: &InstanceKey) -> Option<Json> {
    match key {
        InstanceKey::None | InstanceKey::Unknown => None,
        InstanceKey::Index(i) => Some(Json::from(*i)),
        InstanceKey::Name(name) => Some(Json::String(name.to_string())),
    }
}

/// An object with its address parts filled in.
pub fn resource(address: &ResourceInstance, provider_name: String) -> Resource {
    Resource {
        address: address.to_string(),
        mode: mode(address.resource.mode),
        kind: address.resource.kind.to_string(),
        name: address.resource.name.to_string(),
        index: index(&address.key),
        provider_name,
        ..Resource::default()
    }
}
