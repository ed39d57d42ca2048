//! Overridden resources and modules.
//!
//! An overridden resource has a mock in the place of its provider, an overridden module call calls a module that has nothing
//! but outputs. So neither the planner nor any provider has to know of tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::module::{Module, Output};
use config::test_file::Override;
use lang::addr::{ModuleInstance, ModulePath, ProviderConfig};
use lang::addr_parse::Target as Parsed;
use lang::{Range, Sources, Str, Type, Value};
use planner::{InstanceStandIn, Target, Workspace};

use crate::mock::{Mock, MockValues, MockedType};
use crate::names::literal;

/// A configuration in which what is overridden is replaced.
pub(crate) struct Replaced {
    /// The configuration.
    pub config: Arc<Module>,
    /// Who stands in for the providers of overridden objects; the first one counts.
    pub instances: Vec<InstanceStandIn>,
}

impl Replaced {
    /// Replaces what is overridden for all providers, or for the objects of one.
    pub fn add<'o>(
        &mut self,
        overrides: impl IntoIterator<Item = &'o Override>,
        provider: Option<&ProviderConfig>,
        workspace: &Workspace,
    ) {
        for item in overrides {
            let (module, resource, target) = match item.target.clone() {
                Parsed::Module(module) => {
                    self.module(&module, item);
                    continue;
                }
                Parsed::Resource(of) => {
                    (of.module.path(), of.resource.clone(), Target::Resource(of.module, of.resource))
                }
                Parsed::Instance(of) => (of.module.path(), of.resource.clone(), Target::Instance(of)),
            };
            let block = planner::module_at(&self.config, &module).and_then(|module| module.resources.get(&resource));
            let Some(mocked) = block.and_then(|block| workspace.providers.get(&block.provider_source)) else {
                continue;
            };
            let given = MockedType::new(item.values.as_ref(), item.during_plan, workspace);
            let types = MockValues(BTreeMap::from([((resource.mode, resource.kind), given)]));
            let configured = Arc::new(Mock::of_an_object(mocked.clone(), types));
            self.instances.push(InstanceStandIn { target, provider: provider.cloned(), configured });
        }
    }

    fn module(&mut self, target: &ModuleInstance, item: &Override) {
        let given = item.values.as_ref();
        let absent = Value::null(Type::Dynamic);
        let value = |name: &str| given.and_then(|given| given.value.get(name)).unwrap_or(&absent);
        self.config = with_module(&self.config, &target.path().0, &|module| {
            module.resources.clear();
            module.children.clear();
            module.calls.clear();
            module.checks.clear();
            module.locals.clear();
            for output in module.outputs.values_mut() {
                let Some(value) = literal(value(&output.name), item.range) else { continue };
                let value = Arc::new(value);
                *output = Output { value, depends_on: Vec::new(), preconditions: Vec::new(), ..output.clone() };
            }
        });
    }
}

pub(crate) fn text_of(sources: &Sources, range: Range) -> String {
    let source = sources.get(range.file);
    let bytes = source.as_ref().and_then(|source| source.bytes.get(range.start as usize..range.end as usize));
    bytes.map(|bytes| String::from_utf8_lossy(bytes).trim_matches('"').to_owned()).unwrap_or_default()
}

/// A configuration in which one module is changed.
fn with_module(module: &Arc<Module>, path: &[Str], change: &dyn Fn(&mut Module)) -> Arc<Module> {
    let mut changed = Module::clone(module);
    match path.split_first() {
        None => change(&mut changed),
        Some((name, rest)) => {
            if let Some(child) = changed.children.get(name).cloned() {
                changed.children.insert(name.clone(), with_module(&child, rest, change));
            }
        }
    }
    Arc::new(changed)
}

/// The configuration with the provider blocks of a test file instead of its own.
pub(crate) fn with_providers(config: &Arc<Module>, blocks: Vec<config::module::ProviderBlock>) -> Arc<Module> {
    if blocks.is_empty() {
        return config.clone();
    }
    with_module(config, &ModulePath::root().0, &|module| {
        for block in &blocks {
            module.providers.insert((block.name.clone(), block.alias.clone()), block.clone());
        }
    })
}
