//! Providers are configured when the walk reaches them, and then all that the state holds of theirs is read at once: grouped by
//! type, so that the cost grows with the number of pages, not of objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use lang::addr::{Mode, ModuleInstance, ProviderConfig, ResourceInstance};
use lang::ast::{Body, NativeBody};
use lang::values::{Kind, Marks};
use lang::{Diagnostic, Diagnostics, Range, Str, Value};
use sdk::{Configured, ReadRequest, Schema};
use state::{DeposedKey, InstanceObject};

use crate::decode::decode_body;
use crate::expansion::Repetition;
use crate::locate::{located, without_place};
use crate::objects;
use crate::planning::{ObjectKey, Planning, Prior};
use crate::scope::{BlockScope, Phase, World};
use crate::sync::{lock, parallel, read, write};
use crate::walk::Visit;

/// A body without anything in it: of a provider that no block configures.
fn empty_body() -> Body {
    Body::Native(Arc::new(NativeBody { range: Range::NONE, attributes: Vec::new(), blocks: Vec::new(), merged: None }))
}

/// Evaluates a provider's configuration and makes a configured provider of it. `None` after an error.
pub(crate) async fn configure(world: &World<'_>, address: &ProviderConfig) -> Option<Arc<dyn Configured>> {
    let workspace = world.workspace;
    if let Some(stand_in) = workspace.providers.instead_of(address) {
        return Some(stand_in.clone());
    }
    let Some(provider) = workspace.providers.get(&address.source) else {
        world.report(unknown_provider(address).into());
        return None;
    };
    let module = crate::workspace::module_at(&workspace.config, &address.module)?;
    let block = module.provider_block(&address.source, address.alias.as_ref());
    let empty = empty_body();
    let body = block.map_or(&empty, |block| &block.body);
    let instance = world.instances(&address.module).into_iter().next();
    let root = world.module(&ModuleInstance::root())?;
    let scope_module = instance.unwrap_or(root);
    let scope = BlockScope { world, module: &scope_module, repetition: &Repetition::None, self_value: None };
    let mut diagnostics = Diagnostics::new();
    let schema = &provider.schema().provider.block;
    let value = decode_body(body, schema, &scope, &mut diagnostics);
    let (value, _) = value.unmark_deep();
    let name = format!("provider[\"{}\"]", address.source);
    if !diagnostics.has_errors() {
        diagnostics.extend(provider.validate_config(&value).into_iter().map(|p| located(p, body, &name)));
    }
    if diagnostics.has_errors() || world.phase == Phase::Validate {
        world.report(diagnostics);
        return None;
    }
    match provider.configure(value).await {
        Ok(configured) => {
            world.report(diagnostics);
            Some(configured)
        }
        Err(problems) => {
            let place = |problem: sdk::ProviderDiagnostic| match block {
                Some(block) if problem.path.is_root() => located(problem, body, &name).at(block.range),
                Some(_) => located(problem, body, &name),
                None => without_place(problem, &name),
            };
            diagnostics.extend(problems.into_iter().map(place));
            world.report(diagnostics);
            None
        }
    }
}

fn unknown_provider(address: &ProviderConfig) -> Diagnostic {
    Diagnostic::error(
        "Unsupported provider",
        format!(
            "windlass has no provider {}. Its providers are linked into the program; `windlass version` lists them. Remove \
             what needs this provider, or manage it with Terraform in a state of its own.",
            address.source
        ),
    )
}

/// One object to read.
struct Pending {
    key: ObjectKey,
    object: Arc<InstanceObject>,
    value: Value,
}

impl Planning<'_> {
    /// Configures a provider.
    pub(crate) async fn visit_provider(&self, address: &ProviderConfig) -> Visit {
        let Some(configured) = configure(&self.world, address).await else { return Visit::Failed };
        write(&self.providers).insert(address.clone(), configured);
        Visit::Done
    }

    /// Reads everything that the state holds of a provider.
    pub(crate) async fn visit_refresh(&self, address: &ProviderConfig) -> Visit {
        let Some(configured) = read(&self.providers).get(address).cloned() else { return Visit::Failed };
        let Some(mut groups) = self.stored_objects(address) else { return Visit::Failed };
        let providers = &self.world.workspace.providers;
        for pending in groups.values_mut() {
            // Nobody but the one who stands in for its provider knows of an object. What is forgotten is nobody's business any more.
            pending
                .extract_if(.., |item| {
                    providers.instead_for(&item.key.0, address).is_some() || self.is_forgotten(&item.key)
                })
                .for_each(|item| self.keep_as_stored(item));
        }
        let reads = groups.into_iter().map(|(type_name, pending)| self.refresh_type(&configured, type_name, pending));
        let fine = join_all(reads).await.into_iter().all(|fine| fine);
        if fine { Visit::Done } else { Visit::Failed }
    }

    /// The managed objects of a provider configuration, decoded, by type.
    fn stored_objects(&self, address: &ProviderConfig) -> Option<BTreeMap<Str, Vec<Pending>>> {
        let provider = self.world.workspace.providers.get(&address.source)?;
        let mut groups: BTreeMap<Str, Vec<Pending>> = BTreeMap::new();
        let mut diagnostics = Diagnostics::new();
        for (resource, stored) in &self.stored.resources {
            if stored.provider != *address || resource.resource.mode != Mode::Managed {
                continue;
            }
            let kind = &resource.resource.kind;
            let Some(schema) = provider.schema().resources.get(kind) else {
                let detail = format!(
                    "The state holds {resource}, and windlass's provider {} has no resource type {kind}. Manage it with \
                     Terraform in a state of its own (`state rm`, then import there).",
                    address.source
                );
                diagnostics.push(Diagnostic::error("Unsupported resource type in state", detail));
                continue;
            };
            for (key, instance) in &stored.instances {
                let address = resource.instance(key.clone());
                if !self.selection.includes_instance(&self.graph, &address) {
                    continue;
                }
                let current = instance.current.iter().map(|object| (None, object));
                let deposed = instance.deposed.iter().map(|(key, object)| (Some(Str::new(key.as_str())), object));
                for (deposed, object) in current.chain(deposed) {
                    match objects::decode(object, provider.as_ref(), kind, schema, &address.to_string()) {
                        Ok(value) => {
                            let key = (address.clone(), deposed);
                            let pending = Pending { key, object: object.clone(), value };
                            groups.entry(kind.clone()).or_default().push(pending);
                        }
                        Err(diagnostic) => diagnostics.push(diagnostic),
                    }
                }
            }
        }
        let failed = diagnostics.has_errors();
        self.world.report(diagnostics);
        (!failed).then_some(groups)
    }

    fn keep_as_stored(&self, item: Pending) {
        let private = objects::private_bytes(&item.object);
        let prior = Prior { stored: item.value.clone(), current: Some(item.value), object: item.object, private };
        write(&self.prior).insert(item.key, prior);
    }

    async fn refresh_type(&self, configured: &Arc<dyn Configured>, type_name: Str, pending: Vec<Pending>) -> bool {
        if !self.options.refresh {
            pending.into_iter().for_each(|item| self.keep_as_stored(item));
            return true;
        }
        let ids: Vec<Option<Str>> = pending.iter().map(|item| object_id(&item.value)).collect();
        for (item, id) in pending.iter().zip(&ids) {
            self.hooks.refresh_start(&item.key.0, item.key.1.as_deref(), id.as_deref());
        }
        let requests = pending.iter().map(|item| {
            let (value, _) = item.value.clone().unmark_deep();
            ReadRequest { prior: value, private: objects::private_bytes(&item.object) }
        });
        let requests: Vec<ReadRequest> = requests.collect();
        let (configured, name) = (configured.clone(), type_name.clone());
        let responses = parallel(async move { configured.read_many(&name, requests).await }).await;
        let mut fine = true;
        for ((item, id), response) in pending.into_iter().zip(ids).zip(responses) {
            self.hooks.refresh_complete(&item.key.0, item.key.1.as_deref(), id.as_deref());
            fine &= self.take_refreshed(&type_name, item, response);
        }
        fine
    }

    fn take_refreshed(&self, type_name: &Str, item: Pending, response: sdk::ReadResponse) -> bool {
        let address = item.key.0.to_string();
        let failed = response.diagnostics.iter().any(|d| d.severity == lang::Severity::Error);
        let diagnostics = response.diagnostics.into_iter().map(|problem| self.place(problem, &item.key.0, &address));
        self.world.report(diagnostics.collect());
        if failed {
            return false;
        }
        let source = self.stored.resources.get(&item.key.0.abs_resource()).map(|stored| stored.provider.source.clone());
        let schema = source
            .and_then(|source| self.world.workspace.providers.get(&source))
            .and_then(|provider| provider.schema().resources.get(type_name));
        let Some(schema) = schema else { return false };
        let (_, marks) = item.value.clone().unmark_deep();
        let current = response.object.map(|object| {
            let marks: Vec<_> = marks.iter().filter(|(path, _)| object.at_path(path).is_some()).cloned().collect();
            objects::mark_sensitive(object.mark_paths(&marks), &schema.block)
        });
        let private = response.private.or_else(|| objects::private_bytes(&item.object));
        self.store_refreshed(&item, current.as_ref(), private.as_deref(), schema);
        write(&self.prior).insert(item.key, Prior { stored: item.value, current, object: item.object, private });
        true
    }

    /// Writes what was read into the refreshed state; what has not changed stays as it was stored, byte by byte.
    fn store_refreshed(&self, item: &Pending, current: Option<&Value>, private: Option<&[u8]>, schema: &Schema) {
        let same = current.is_some_and(|current| current.raw_equals(&item.value))
            && item.object.schema_version == schema.version
            && private.map(<[u8]>::to_vec) == objects::private_bytes(&item.object);
        if same {
            return;
        }
        let object = current.map(|value| {
            let stored = &item.object;
            let dependencies = stored.dependencies.clone();
            let replaced_first = stored.create_before_destroy;
            objects::encode(value, schema, private, stored.status, dependencies, replaced_first)
        });
        let object = match object.transpose() {
            Ok(object) => object.map(Arc::new),
            Err(detail) => {
                let diagnostic = Diagnostic::error("Provider returned an invalid object", detail);
                self.world.report(diagnostic.with_address(item.key.0.to_string()).into());
                return;
            }
        };
        let mut state = lock(&self.refreshed);
        let Some(provider) = state.resources.get(&item.key.0.abs_resource()).map(|r| r.provider.clone()) else {
            return;
        };
        match item.key.1.as_deref().map(DeposedKey::parse) {
            Some(Ok(key)) => state.set_deposed(&item.key.0, &provider, &key, object),
            Some(Err(_)) => {}
            None => state.set_current(&item.key.0, &provider, object),
        }
    }

    /// A provider's message about an instance: at its configuration, if it has one.
    pub(crate) fn place(&self, problem: sdk::ProviderDiagnostic, address: &ResourceInstance, text: &str) -> Diagnostic {
        let root = &self.world.workspace.config;
        let module = crate::workspace::module_at(root, &address.module.path());
        match module.and_then(|module| module.resources.get(&address.resource)) {
            Some(block) => located(problem, &block.body, text),
            None => without_place(problem, text),
        }
    }
}

/// The `id` attribute of an object, for progress lines.
pub fn object_id(value: &Value) -> Option<Str> {
    let id = value.get("id")?;
    match &id.kind {
        Kind::String(text) if !id.marks.contains(Marks::SENSITIVE) => Some(text.clone()),
        _ => None,
    }
}
