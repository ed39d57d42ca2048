//! Overridden resources and modules.
//!
//! An overridden resource has a mock in the place of its provider, an overridden module call calls a module that has nothing
//! but outputs. So neither the planner nor any provider has to know of tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::module::{Module, Output};
use config::test_file::{Override, OverrideKind};
use lang::addr::{Mode, ModuleInstance, ModulePath, ProviderConfig, Resource};
use lang::addr_parse::Target as Parsed;
use lang::ast::{Expr, ExprKind, ObjectKey};
use lang::eval::evaluate;
use lang::{Diagnostic, Diagnostics, Range, Sources, Str, Value};
use planner::{InstanceStandIn, ProviderRegistry, Target};

use crate::mock::{Mock, MockValues, MockedType};
use crate::names::Names;

/// What overrides are made of.
pub(crate) struct Overriding<'a> {
    /// The providers linked in.
    pub registry: &'a ProviderRegistry,
    /// What values may name.
    pub names: &'a Names<'a>,
    /// The text of test files.
    pub sources: &'a Sources,
}

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
        with: &Overriding<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        for item in overrides {
            let text = text_of(with.sources, item.target.range);
            let problem = match (item.kind, text.parse::<Parsed>()) {
                (OverrideKind::Module, Ok(Parsed::Module(module))) => {
                    self.module(&module, item, with.sources, diagnostics);
                    continue;
                }
                (OverrideKind::Resource | OverrideKind::Data, Ok(Parsed::Resource(target))) => {
                    let (module, resource) = (target.module, target.resource);
                    let target = Target::Resource(module.clone(), resource.clone());
                    self.resource(&module.path(), &resource, target, item, provider, with, diagnostics);
                    continue;
                }
                (OverrideKind::Resource | OverrideKind::Data, Ok(Parsed::Instance(target))) => {
                    let (module, resource) = (target.module.path(), target.resource.clone());
                    self.resource(&module, &resource, Target::Instance(target), item, provider, with, diagnostics);
                    continue;
                }
                (OverrideKind::Module, _) => "You can only target modules from override_module blocks",
                (OverrideKind::Resource, _) => "You can only target managed resources from override_resource blocks",
                (OverrideKind::Data, _) => "You can only target data sources from override_data blocks",
            };
            let detail = format!("{problem}, not {text}.");
            diagnostics.push(Diagnostic::error("Invalid override target", detail).at(item.range));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of an address, and what every override needs")]
    fn resource(
        &mut self,
        module: &ModulePath,
        resource: &Resource,
        target: Target,
        item: &Override,
        provider: Option<&ProviderConfig>,
        with: &Overriding<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        let block = planner::module_at(&self.config, module).and_then(|module| module.resources.get(resource));
        let Some(mocked) = block.and_then(|block| with.registry.get(&block.provider_source)) else { return };
        let given = item.values.as_ref();
        let values = given.map_or_else(|| Value::object::<Str>([]), |expr| evaluate(expr, with.names, diagnostics));
        let mode = if item.kind == OverrideKind::Data { Mode::Data } else { Mode::Managed };
        let mocked_type = MockedType { values, during_plan: item.during_plan };
        let types = MockValues(BTreeMap::from([((mode, resource.kind.clone()), mocked_type)]));
        let configured = Arc::new(Mock::new(mocked.clone(), types));
        self.instances.push(InstanceStandIn { target, provider: provider.cloned(), configured });
    }

    fn module(&mut self, target: &ModuleInstance, item: &Override, sources: &Sources, diagnostics: &mut Diagnostics) {
        let mut outputs: BTreeMap<String, Arc<Expr>> = BTreeMap::new();
        match item.values.as_deref().map(|expr| &expr.kind) {
            Some(ExprKind::Object(items)) => {
                for entry in items.iter() {
                    if let ObjectKey::Name(name, _) = &entry.key {
                        outputs.insert(name.to_string(), Arc::new(entry.value.clone()));
                    }
                }
            }
            None => {}
            Some(_) => {
                let detail = "The outputs of an override_module block must be written out as an object.";
                diagnostics.push(Diagnostic::error("Invalid outputs", detail).at(item.range));
            }
        }
        let (null, _) = lang::syntax::parse_expression(sources, "<override_module>", "null");
        let null = Arc::new(null);
        self.config = with_module(&self.config, &target.path().0, &|module| {
            module.resources.clear();
            module.children.clear();
            module.calls.clear();
            module.checks.clear();
            module.locals.clear();
            for output in module.outputs.values_mut() {
                let value = outputs.get(output.name.as_str()).unwrap_or(&null).clone();
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
