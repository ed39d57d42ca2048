//! The `configuration` part of the plan document.

use std::collections::BTreeMap;

use config::module::{Module, ModuleCall, ProviderRef, Provisioner, ResourceBlock};
use config::provider_source::implied_provider;
use lang::addr::{Mode, ProviderSource};
use lang::ast::Expr;
use lang::{Sources, Str};
use planner::{ProviderRegistry, Workspace};
use serde_json::{Map, Value as Json, json};

use super::expression::{expression, expressions, traversal};
use super::values::plain;
use crate::requirements::canonical_constraints;

/// The configuration as `show -json` of a plan has it: provider configurations and the module tree.
pub fn configuration(workspace: &Workspace) -> Json {
    let mut view = View { sources: &workspace.sources, providers: &workspace.providers, configs: BTreeMap::new() };
    view.provider_configs(&workspace.config, None);
    let root = view.module(&workspace.config);
    let own = view.configs.into_iter().filter(|(_, config)| config.parent.is_none());
    let configs: Map<String, Json> = own.map(|(key, config)| (key, Json::Object(config.document))).collect();
    let mut document = Map::new();
    if !configs.is_empty() {
        document.insert("provider_config".to_owned(), configs.into());
    }
    document.insert("root_module".to_owned(), root.into());
    document.into()
}

struct View<'a> {
    sources: &'a Sources,
    providers: &'a ProviderRegistry,
    /// Provider configurations by key: `aws.west`, `module.net:aws`.
    configs: BTreeMap<String, ProviderConfig>,
}

struct ProviderConfig {
    source: ProviderSource,
    /// The key of the configuration that it stands for, if it was handed down.
    parent: Option<String>,
    document: Map<String, Json>,
}

fn local_name(name: &str, alias: Option<&Str>) -> String {
    alias.map_or_else(|| name.to_owned(), |alias| format!("{name}.{alias}"))
}

fn key(module: &Module, name: &str) -> String {
    if module.path.is_root() { name.to_owned() } else { format!("{}:{name}", module.path) }
}

fn reference_key(module: &Module, reference: &ProviderRef) -> String {
    key(module, &local_name(&reference.name, reference.alias.as_ref()))
}

impl View<'_> {
    /// Collects the provider configurations of a module and those below.
    fn provider_configs(&mut self, module: &Module, parent: Option<&Module>) {
        let constraints = |source: &ProviderSource| {
            let required = module.required_providers.values().filter(|r| r.source == *source);
            let blocks = module.providers.values().filter(|p| module.provider_source(&p.name) == *source);
            let texts: Vec<&str> = required
                .filter_map(|r| r.version.as_ref())
                .chain(blocks.filter_map(|p| p.version.as_ref()))
                .map(|version| version.value.as_str())
                .collect();
            canonical_constraints(&texts)
        };
        for block in module.providers.values() {
            let source = module.provider_source(&block.name);
            let mut document = describe(module, &block.name, &source, &constraints(&source));
            if let Some(alias) = &block.alias {
                document.insert("alias".to_owned(), alias.as_str().into());
            }
            if let Some(provider) = self.providers.get(&source) {
                let expressions = expressions(&block.body, &provider.schema().provider.block, self.sources);
                if !expressions.is_empty() {
                    document.insert("expressions".to_owned(), expressions.into());
                }
            }
            let key = key(module, &local_name(&block.name, block.alias.as_ref()));
            self.configs.insert(key, ProviderConfig { source, parent: None, document });
        }
        let mut implied: Vec<(Str, ProviderSource)> =
            module.required_providers.iter().map(|(name, r)| (name.clone(), r.source.clone())).collect();
        let named = |source: &ProviderSource| module.required_providers.values().any(|r| r.source == *source);
        let used = module.resources.values().map(|r| r.provider_source.clone());
        implied.extend(used.filter(|source| !named(source)).map(|source| (source.name.clone(), source)));
        for (name, source) in implied {
            let key = key(module, &name);
            if self.configs.contains_key(&key) {
                continue;
            }
            let document = describe(module, &name, &source, &constraints(&source));
            let parent = parent.and_then(|parent| self.origin(&self::key(parent, &name), &source));
            self.configs.insert(key, ProviderConfig { source, parent, document });
        }
        for (call, child) in module.calls.values().filter_map(|call| Some((call, module.children.get(&call.name)?))) {
            for (inner, outer) in &call.providers {
                let source = child.provider_source(&inner.name);
                let name = local_name(&inner.name, inner.alias.as_ref());
                let document = describe(child, &name, &source, "");
                let parent = self.origin(&reference_key(module, outer), &source);
                self.configs.insert(reference_key(child, inner), ProviderConfig { source, parent, document });
            }
            self.provider_configs(child, Some(module));
        }
    }

    /// The configuration that a key ends at.
    fn origin(&self, key: &str, source: &ProviderSource) -> Option<String> {
        let config = self.configs.get(key).filter(|config| config.source == *source)?;
        Some(config.parent.clone().unwrap_or_else(|| key.to_owned()))
    }

    fn module(&self, module: &Module) -> Map<String, Json> {
        let mut document = Map::new();
        let mut outputs = Map::new();
        for (name, output) in &module.outputs {
            let mut item = Map::new();
            flag(&mut item, "sensitive", output.sensitive);
            flag(&mut item, "ephemeral", output.ephemeral);
            item.insert("expression".to_owned(), expression(&output.value, self.sources).into());
            depends_on(&mut item, &output.depends_on);
            text(&mut item, "description", output.description.as_deref().unwrap_or_default());
            outputs.insert(name.to_string(), item.into());
        }
        insert(&mut document, "outputs", outputs);
        let mut resources = Vec::new();
        for mode in [Mode::Managed, Mode::Data] {
            let of_mode = module.resources.values().filter(|resource| resource.address.mode == mode);
            let mut of_mode: Vec<_> = of_mode.collect();
            of_mode.sort_by_key(|resource| resource.address.to_string());
            resources.extend(of_mode.iter().map(|resource| Json::Object(self.resource(module, resource))));
        }
        if !resources.is_empty() {
            document.insert("resources".to_owned(), resources.into());
        }
        let calls = module.calls.values().filter_map(|call| {
            let child = module.children.get(&call.name)?;
            Some((call.name.to_string(), Json::Object(self.call(call, child))))
        });
        insert(&mut document, "module_calls", calls.collect());
        let mut variables = Map::new();
        for (name, variable) in &module.variables {
            let mut item = Map::new();
            if let Some(default) = &variable.default {
                item.insert("default".to_owned(), plain(default).unwrap_or(Json::Null));
            }
            text(&mut item, "description", variable.description.as_deref().unwrap_or_default());
            flag(&mut item, "sensitive", variable.sensitive);
            variables.insert(name.to_string(), item.into());
        }
        insert(&mut document, "variables", variables);
        document
    }

    fn resource(&self, module: &Module, block: &ResourceBlock) -> Map<String, Json> {
        let address = &block.address;
        let implied = implied_provider(address);
        let name = match &block.provider {
            Some(provider) => reference_key(module, provider),
            None => key(module, &implied),
        };
        let config = self.configs.get(&name).and_then(|config| config.parent.clone()).unwrap_or(name);
        let mut document = Map::new();
        document.insert("address".to_owned(), address.to_string().into());
        document.insert("mode".to_owned(), if address.mode == Mode::Data { "data" } else { "managed" }.into());
        document.insert("type".to_owned(), address.kind.as_str().into());
        document.insert("name".to_owned(), address.name.as_str().into());
        document.insert("provider_config_key".to_owned(), config.into());
        let provisioners: Vec<Json> = block.provisioners.iter().map(|p| self.provisioner(p)).collect();
        if !provisioners.is_empty() {
            document.insert("provisioners".to_owned(), provisioners.into());
        }
        let schema = self.providers.schema(&block.provider_source, address);
        if let Some(schema) = schema {
            insert(&mut document, "expressions", expressions(&block.body, &schema.block, self.sources));
        }
        document.insert("schema_version".to_owned(), json!(schema.map_or(0, |schema| schema.version)));
        self.repetition(&mut document, block.count.as_deref(), block.for_each.as_deref());
        depends_on(&mut document, &block.depends_on);
        document
    }

    fn provisioner(&self, provisioner: &Provisioner) -> Json {
        let (attributes, _) = provisioner.body.just_attributes();
        let expressions = attributes.iter().map(|a| (a.name.to_string(), expression(&a.expr, self.sources).into()));
        let mut document = Map::new();
        document.insert("type".to_owned(), provisioner.kind.as_str().into());
        insert(&mut document, "expressions", expressions.collect());
        document.into()
    }

    fn call(&self, call: &ModuleCall, child: &Module) -> Map<String, Json> {
        let mut document = Map::new();
        document.insert("source".to_owned(), call.source.value.as_str().into());
        let arguments = call.arguments.iter();
        let arguments = arguments.map(|a| (a.name.to_string(), expression(&a.expr, self.sources).into()));
        insert(&mut document, "expressions", arguments.collect());
        self.repetition(&mut document, call.count.as_deref(), call.for_each.as_deref());
        document.insert("module".to_owned(), self.module(child).into());
        if let Some(version) = &call.version {
            text(&mut document, "version_constraint", &version.value);
        }
        depends_on(&mut document, &call.depends_on);
        document
    }

    fn repetition(&self, document: &mut Map<String, Json>, count: Option<&Expr>, for_each: Option<&Expr>) {
        for (name, expr) in [("count_expression", count), ("for_each_expression", for_each)] {
            insert(document, name, expr.map(|expr| expression(expr, self.sources)).unwrap_or_default());
        }
    }
}

fn describe(module: &Module, name: &str, source: &ProviderSource, constraints: &str) -> Map<String, Json> {
    let mut document = Map::new();
    document.insert("name".to_owned(), name.into());
    document.insert("full_name".to_owned(), source.to_string().into());
    text(&mut document, "version_constraint", constraints);
    if !module.path.is_root() {
        document.insert("module_address".to_owned(), module.path.to_string().into());
    }
    document
}

fn insert(document: &mut Map<String, Json>, name: &str, part: Map<String, Json>) {
    if !part.is_empty() {
        document.insert(name.to_owned(), part.into());
    }
}

fn flag(document: &mut Map<String, Json>, name: &str, set: bool) {
    if set {
        document.insert(name.to_owned(), true.into());
    }
}

fn text(document: &mut Map<String, Json>, name: &str, text: &str) {
    if !text.is_empty() {
        document.insert(name.to_owned(), text.into());
    }
}

fn depends_on(document: &mut Map<String, Json>, list: &[lang::ast::Traversal]) {
    if !list.is_empty() {
        let texts: Vec<String> = list.iter().map(traversal).collect();
        document.insert("depends_on".to_owned(), texts.into());
    }
}
