//! Which data sources and ephemeral resources wait for the apply, because something that they depend on has changes to come.

use std::collections::{HashMap, HashSet};

use config::module::ResourceBlock;
use config::references::Reference;
use lang::addr::{AbsResource, ConfigResource, Mode, ModulePath};
use lang::ast::Traversal;

use crate::decode::visit_references;
use crate::plan::PlanMode;
use crate::planning::Planning;
use crate::scope::ModuleScope;
use crate::sync::read;
use crate::workspace::module_at;

impl Planning<'_> {
    /// Whether one of these has changes to come: a managed resource that the block refers to, since it may change what is
    /// there to read even where the reference itself is known; something in `depends_on`, the block's own or that of a module
    /// around it; for a module in `depends_on`, also what its resources stand on. Where conditions decide, everything that the
    /// block needs.
    pub(crate) fn waits_for_pending(&self, module: &ModuleScope, block: &ResourceBlock) -> bool {
        let provider = self.world.workspace.providers.get(&block.provider_source);
        if provider.is_some_and(|provider| provider.is_pure(&block.address.kind)) {
            return false;
        }
        let own = ConfigResource { module: module.config.path.clone(), resource: block.address.clone() };
        if block.has_conditions() {
            let all = self.dependencies.get(&own);
            return all.into_iter().flat_map(|all| all.iter()).any(|needed| self.is_pending(module, needed));
        }
        let mut named: HashSet<ConfigResource> = HashSet::new();
        let mut refer = |traversal: &Traversal| {
            let reference = Reference::parse(traversal).ok();
            let resource = reference.as_ref().and_then(|reference| reference.subject.resource());
            if let Some(resource) = resource.filter(|resource| resource.mode == Mode::Managed) {
                named.insert(ConfigResource { module: own.module.clone(), resource: resource.clone() });
            }
        };
        let schema = self.world.workspace.providers.block(&block.provider_source, &block.address);
        visit_references(&block.body, schema, &mut refer);
        let mut in_modules = HashSet::new();
        let repetition = [&block.count, &block.for_each];
        repetition.into_iter().flatten().flat_map(|expr| expr.traversals()).for_each(&mut refer);
        for (path, traversal) in self.awaited(module, block) {
            let Ok(reference) = Reference::parse(traversal) else { continue };
            match (reference.subject.resource(), reference.subject.module_call()) {
                (Some(resource), _) => {
                    named.insert(ConfigResource { module: path, resource: resource.clone() });
                }
                (None, Some(call)) => {
                    let called = module_at(&self.world.workspace.config, &path.child(call.clone()));
                    in_modules.extend(called.into_iter().flat_map(|called| called.resources_of_tree()));
                }
                (None, None) => {}
            }
        }
        let stands_on = in_modules.iter().filter_map(|resource| self.dependencies.get(resource));
        let mut all = named.iter().chain(&in_modules).chain(stands_on.flat_map(|all| all.iter().map(AsRef::as_ref)));
        all.any(|resource| self.is_pending(module, resource))
    }

    /// `depends_on` of a block and of the modules around it, each with the module that it stands in.
    fn awaited<'b>(&'b self, module: &ModuleScope, block: &'b ResourceBlock) -> Vec<(ModulePath, &'b Traversal)> {
        let mut path = module.config.path.clone();
        let mut awaited: Vec<_> = block.depends_on.iter().map(|traversal| (path.clone(), traversal)).collect();
        while let (Some(parent), Some(name)) = (path.parent(), path.0.last().cloned()) {
            let caller = module_at(&self.world.workspace.config, &parent);
            let call = caller.and_then(|caller| caller.calls.get(&name));
            awaited.extend(call.into_iter().flat_map(|call| &call.depends_on).map(|t| (parent.clone(), t)));
            path = parent;
        }
        awaited
    }

    /// Whether a managed resource has changes to come, as seen from a module instance: other instances of that module are
    /// none of its business.
    fn is_pending(&self, module: &ModuleScope, resource: &ConfigResource) -> bool {
        if resource.resource.mode != Mode::Managed {
            return false;
        }
        if read(&self.deferred_resources).contains(resource) {
            return true;
        }
        let mut addresses = Vec::new();
        if resource.module == module.config.path {
            addresses.push(module.address.resource(resource.resource.clone()));
        } else {
            let instances = self.world.instances(&resource.module);
            addresses.extend(instances.iter().map(|module| module.address.resource(resource.resource.clone())));
            // Of a module instance that is no longer wanted the walk sees nothing.
            addresses.extend(self.stored_instances().get(resource).into_iter().flatten().cloned());
        }
        let pending = read(&self.pending);
        addresses.iter().any(|address| pending.contains(address) || self.loses_instances(address))
    }

    /// Whether the removal of something that the state holds of a visited resource will be planned at the end.
    fn loses_instances(&self, resource: &AbsResource) -> bool {
        if self.options.mode != PlanMode::Normal {
            return false;
        }
        let Some(stored) = self.stored.resources.get(resource) else { return false };
        let prior = read(&self.prior);
        let exists = |key: crate::planning::ObjectKey| prior.get(&key).is_some_and(|prior| prior.current.is_some());
        stored.instances.iter().any(|(key, instance)| {
            let address = resource.instance(key.clone());
            let deposed = instance.deposed.keys().any(|key| exists((address.clone(), Some(key.as_str().into()))));
            let orphaned = self.orphan_reason(&address).is_some() && exists((address.clone(), None));
            (deposed || orphaned) && self.selection.includes_instance(&self.graph, &address)
        })
    }

    /// The managed resources of the state by their places in the configuration.
    fn stored_instances(&self) -> &HashMap<ConfigResource, Vec<AbsResource>> {
        self.stored_instances.get_or_init(|| {
            let mut index: HashMap<ConfigResource, Vec<AbsResource>> = HashMap::new();
            for address in self.stored.resources.keys().filter(|address| address.resource.mode == Mode::Managed) {
                index.entry(address.config()).or_default().push(address.clone());
            }
            index
        })
    }
}
