//! Overridden resources and modules: stand-ins in the configuration that is tested.
//!
//! An overridden resource belongs to a mock provider of its own, an overridden module call calls a module that has nothing but
//! outputs. So neither the planner nor any provider has to know of tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::module::{Module, Output, ProviderRef, RequiredProvider, ResourceBlock};
use config::test_file::{Override, OverrideKind};
use lang::addr::{ConfigResource, ModuleInstance, ModulePath, ProviderConfig, ProviderSource, Resource};
use lang::ast::{Expr, ExprKind, ObjectKey};
use lang::eval::evaluate;
use lang::{Diagnostic, Diagnostics, Range, Sources, Str, Value};
use planner::ProviderRegistry;
use sdk::Provider;
use state::State;

use crate::mock::{Defaults, MockProvider};
use crate::names::Names;

/// A configuration in which what is overridden is replaced.
pub(crate) struct Replaced {
    /// The configuration.
    pub config: Arc<Module>,
    /// The stand-ins' providers.
    pub providers: Vec<Arc<dyn Provider>>,
    /// Whose provider is replaced: by which, and what it was.
    pub resources: BTreeMap<ConfigResource, (ProviderConfig, ProviderConfig)>,
}

impl Replaced {
    /// Gives the objects of a state to the stand-ins.
    pub fn enter(&self, state: &mut State) {
        self.assign(state, |(stand_in, _)| stand_in);
    }

    /// Gives them back.
    pub fn leave(&self, state: &mut State) {
        self.assign(state, |(_, original)| original);
    }

    fn assign(&self, state: &mut State, of: impl Fn(&(ProviderConfig, ProviderConfig)) -> &ProviderConfig) {
        for (address, resource) in &mut state.resources {
            let key = ConfigResource { module: address.module.path(), resource: address.resource.clone() };
            if let Some(sources) = self.resources.get(&key) {
                Arc::make_mut(resource).provider = of(sources).clone();
            }
        }
    }
}

/// Replaces what is overridden; of several overrides of one thing the first one counts.
pub(crate) fn replace<'o>(
    config: &Arc<Module>,
    overrides: impl IntoIterator<Item = &'o Override>,
    registry: &ProviderRegistry,
    names: &Names<'_>,
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Replaced {
    let mut replaced = Replaced { config: config.clone(), providers: Vec::new(), resources: BTreeMap::new() };
    for item in overrides {
        let text = text_of(sources, item.target.range);
        let problem = match (item.kind, text.parse::<lang::addr_parse::Target>()) {
            (OverrideKind::Module, Ok(lang::addr_parse::Target::Module(module))) => {
                replaced.module(&module, item, sources, diagnostics);
                None
            }
            (OverrideKind::Resource | OverrideKind::Data, Ok(lang::addr_parse::Target::Resource(target))) => {
                let (module, resource) = (target.module, target.resource);
                replaced.resource(&module, &resource, item, registry, names, diagnostics);
                None
            }
            (OverrideKind::Resource | OverrideKind::Data, Ok(lang::addr_parse::Target::Instance(target))) => {
                replaced.resource(&target.module, &target.resource, item, registry, names, diagnostics);
                None
            }
            (OverrideKind::Module, _) => Some("You can only target modules from override_module blocks"),
            (OverrideKind::Resource, _) => Some("You can only target managed resources from override_resource blocks"),
            (OverrideKind::Data, _) => Some("You can only target data sources from override_data blocks"),
        };
        if let Some(problem) = problem {
            diagnostics
                .push(Diagnostic::error("Invalid override target", format!("{problem}, not {text}.")).at(item.range));
        }
    }
    replaced
}

pub(crate) fn text_of(sources: &Sources, range: Range) -> String {
    let source = sources.get(range.file);
    let bytes = source.as_ref().and_then(|source| source.bytes.get(range.start as usize..range.end as usize));
    bytes.map(|bytes| String::from_utf8_lossy(bytes).trim_matches('"').to_owned()).unwrap_or_default()
}

impl Replaced {
    fn resource(
        &mut self,
        module: &ModuleInstance,
        resource: &Resource,
        item: &Override,
        registry: &ProviderRegistry,
        names: &Names<'_>,
        diagnostics: &mut Diagnostics,
    ) {
        let path = module.path();
        let key = ConfigResource { module: path.clone(), resource: resource.clone() };
        if self.resources.contains_key(&key) {
            return;
        }
        let block = planner::module_at(&self.config, &path).and_then(|module| module.resources.get(resource));
        let found = block.and_then(|block| {
            let original = self.config.provider_config_for(&path, block).ok()?;
            let mocked = registry.get(&original.source)?.clone();
            Some((original, mocked))
        });
        let Some((original, mocked)) = found else {
            return;
        };
        let values = item.values.as_ref().map_or_else(|| Value::object::<Str>([]), |e| evaluate(e, names, diagnostics));
        let mut defaults = Defaults { during_plan: item.during_plan, ..Defaults::default() };
        match item.kind {
            OverrideKind::Data => defaults.data.insert(resource.kind.clone(), values),
            _ => defaults.resources.insert(resource.kind.clone(), values),
        };
        let stand_in =
            ProviderSource { name: format!("override-{}", self.providers.len()).into(), ..original.source.clone() };
        self.providers.push(Arc::new(MockProvider::new(stand_in.clone(), mocked, defaults)));
        self.config = with_module(&self.config, &path.0, &|module| {
            let Some(block) = module.resources.get(resource).cloned() else { return };
            let (name, range) = (stand_in.name.clone(), block.range);
            let required =
                RequiredProvider { source: stand_in.clone(), version: None, configuration_aliases: Vec::new(), range };
            module.required_providers.insert(name.clone(), required);
            let provider = Some(ProviderRef { name, alias: None, range });
            let block = ResourceBlock { provider, provider_source: stand_in.clone(), ..block };
            module.resources.insert(resource.clone(), block);
        });
        let stand_in = ProviderConfig { module: ModulePath::root(), source: stand_in, alias: None };
        self.resources.insert(key, (stand_in, original));
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
