//! What `validate` looks at: every block against its schema, with everything outside the configuration unknown.

use config::module::ResourceBlock;
use lang::addr::Mode;
use lang::{Diagnostic, Diagnostics};

use crate::decode::decode_body;
use crate::expansion::{Expansion, Repetition, UnknownExpansion, expand};
use crate::graph::Node;
use crate::locate::located;
use crate::scope::{BlockScope, ModuleScope, World};
use crate::walk::Visit;
use crate::workspace::Workspace;

/// Visits a node while validating. Nothing is passed over: a mistake here says nothing about what needs it.
pub(crate) fn visit(world: &World<'_>, node: &Node) -> Visit {
    match node {
        Node::Variable(path, name) => world.instances(path).iter().for_each(|module| {
            world.variable(module, name);
        }),
        Node::Local(path, name) => world.instances(path).iter().for_each(|module| {
            world.local(module, name);
        }),
        Node::Output(path, name) => world.instances(path).iter().for_each(|module| {
            world.output(module, name);
        }),
        Node::Call(path) => {
            let parent = path.parent();
            let caller =
                parent.as_ref().and_then(|parent| crate::workspace::module_at(&world.workspace.config, parent));
            let call = caller.zip(path.0.last()).and_then(|(caller, name)| caller.calls.get(name));
            if let (Some(parent), Some(call)) = (&parent, call) {
                world.expand_call(parent, call);
            }
        }
        Node::Close(_) | Node::Check(..) => {}
        Node::Provider(provider) => validate_provider(world, provider),
        Node::Resource(resource) => {
            for module in world.instances(&resource.module) {
                if let Some(block) = module.config.resources.get(&resource.resource) {
                    validate_resource(world, &module, block);
                }
            }
        }
    }
    Visit::Done
}

fn validate_provider(world: &World<'_>, address: &lang::addr::ProviderConfig) {
    let root = &world.workspace.config;
    let block = crate::workspace::module_at(root, &address.module)
        .and_then(|module| module.provider_block(&address.source, address.alias.as_ref()));
    let (Some(provider), Some(block)) = (world.workspace.providers.get(&address.source), block) else { return };
    let Some(module) = world.instances(&address.module).into_iter().next() else { return };
    let mut diagnostics = Diagnostics::new();
    let value = decode_body(&block.body, &provider.schema().provider.block, &world.scope(&module), &mut diagnostics);
    let (value, _) = value.unmark_deep();
    let name = format!("provider[\"{}\"]", address.source);
    diagnostics.extend(provider.validate_config(&value).into_iter().map(|p| located(p, &block.body, &name)));
    world.report(diagnostics);
}

fn validate_resource(world: &World<'_>, module: &ModuleScope, block: &ResourceBlock) {
    let workspace = world.workspace;
    let Some(schema) = workspace.providers.schema(&block.provider_source, &block.address) else {
        world.report(unknown_type(workspace, block).into());
        return;
    };
    let mut diagnostics = Diagnostics::new();
    let (count, for_each) = (block.count.as_deref(), block.for_each.as_deref());
    let scope = world.scope(module);
    let expansion = expand(count, for_each, &scope, UnknownExpansion::Accept, &mut diagnostics);
    let repetition = match expansion {
        Some(Expansion::Single) => Repetition::None,
        _ => Repetition::Any,
    };
    let scope = BlockScope { world, module, repetition: &repetition, self_value: None };
    let config = decode_body(&block.body, &schema.block, &scope, &mut diagnostics);
    let (config, _) = config.unmark_deep();
    let address = module.address.resource(block.address.clone()).to_string();
    if !diagnostics.has_errors()
        && let Some(provider) = workspace.providers.get(&block.provider_source)
    {
        let problems = provider.validate(block.address.mode, &block.address.kind, &config);
        diagnostics.extend(problems.into_iter().map(|problem| located(problem, &block.body, &address)));
    }
    world.report(diagnostics.into_iter().map(|diagnostic| diagnostic.with_address(address.as_str())).collect());
}

/// The message for a resource type that its provider does not have.
pub(crate) fn unknown_type(workspace: &Workspace, block: &ResourceBlock) -> Diagnostic {
    let (kind, source) = (&block.address.kind, &block.provider_source);
    let Some(provider) = workspace.providers.get(source) else {
        let detail = format!(
            "windlass has no provider {source}, which {} needs. `windlass version` lists the providers that are linked in.",
            block.address
        );
        return Diagnostic::error("Unsupported provider", detail).at(block.type_range);
    };
    let what = match block.address.mode {
        Mode::Managed => "resource type",
        Mode::Data => "data source",
        Mode::Ephemeral => "ephemeral resource type",
    };
    let schema = provider.schema();
    let other = match block.address.mode {
        Mode::Managed if schema.data_sources.contains_key(kind) => Some(format!(
            "\n\nDid you intend to use the data source {kind:?}? If so, declare this using a \"data\" block instead of a \"resource\" block."
        )),
        Mode::Data if schema.resources.contains_key(kind) => Some(format!(
            "\n\nDid you intend to use the managed resource type {kind:?}? If so, declare this using a \"resource\" block instead of a \"data\" block."
        )),
        _ => None,
    };
    let detail = format!(
        "The provider {}/{} does not support {what} {kind:?}.{}",
        source.namespace,
        source.name,
        other.unwrap_or_default()
    );
    Diagnostic::error(format!("Invalid {what}"), detail).at(block.type_range)
}
