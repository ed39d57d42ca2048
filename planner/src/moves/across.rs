//! Moves from one resource type, or provider, to another: the provider of the target turns the object into one of its own.

use lang::Diagnostic;
use lang::addr::{ProviderConfig, ResourceInstance};
use sdk::MoveRequest;
use state::{InstanceObject, Json, State};

use crate::objects;
use crate::workspace::{Workspace, module_at};

/// An object as the provider of its new type has it.
pub(super) struct Converted {
    /// The provider configuration that it belongs to from now on.
    pub provider: ProviderConfig,
    /// What is stored of it from now on.
    pub object: InstanceObject,
}

/// Turns the object at `from` into what it is at `to`; `None` where both are of one type.
pub(super) fn convert(
    workspace: &Workspace,
    state: &State,
    from: &ResourceInstance,
    to: &ResourceInstance,
) -> Result<Option<Converted>, Diagnostic> {
    let root = &workspace.config;
    // What the configuration doesn't have is going to be removed as what it is.
    let block = module_at(root, &to.module.path()).and_then(|module| module.resources.get(&to.resource));
    let (Some(block), Some(resource), Some(stored)) =
        (block, state.resource(&from.abs_resource()), state.current(from))
    else {
        return Ok(None);
    };
    let (source, kind) = (&resource.provider.source, &to.resource.kind);
    if *source == block.provider_source && from.resource.kind == *kind {
        return Ok(None);
    }
    let target = root.provider_config_for(&to.module.path(), block)?;
    let providers = &workspace.providers;
    let (Some(provider), Some(schema)) =
        (providers.get(&target.source), providers.schema(&target.source, &to.resource))
    else {
        // The planning of the resource says what is missing.
        return Ok(None);
    };
    let text = to.to_string();
    let attributes = stored.attributes.to_value().map_err(|error| {
        let detail = format!("The attributes of {from} are not valid JSON: {error}.");
        Diagnostic::error("Failed to decode resource from state", detail)
    })?;
    let request = MoveRequest { source, source_type: &from.resource.kind, target_type: kind, attributes };
    let attributes =
        provider.move_state(request).map_err(|problem| Diagnostic::error(problem.summary, problem.detail))?;
    let object = InstanceObject {
        schema_version: schema.version,
        attributes: Json::from_value(&attributes),
        status: stored.status,
        dependencies: stored.dependencies.clone(),
        create_before_destroy: stored.create_before_destroy,
        ..InstanceObject::default()
    };
    objects::decode(&object, provider.as_ref(), kind, schema, &text)?;
    Ok(Some(Converted { provider: target, object }))
}
