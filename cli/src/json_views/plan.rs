//! A plan's document.

use lang::Value;
use lang::addr::{InstanceKey, Mode, ResourceInstance};
use planner::plan::{Action, DeferredChange, OutputChange, PathElement, Plan, ResourceChange};
use serde_json::{Value as Json, json};

use super::document::{self, Change, Importing, Output, PLAN_FORMAT, Resource, Values, Variable};
use super::modules::{ModuleTree, index, mode, resource};
use super::values::{path, plain, sensitive, unknown};
use super::{checks, state};
use crate::render::plan::{Changes, Outline};
use crate::render::{self, Schemas};

/// The document of a plan. `configuration` is the document of the configuration it was made from.
pub fn plan_document(plan: &Plan, schemas: &dyn Schemas, configuration: Option<Json>) -> document::Plan {
    document::Plan {
        planned_values: planned_values(plan, schemas),
        prior_state: (!plan.prior_state.is_empty()).then(|| {
            // How the checks stood is part of a state's document only where it stands alone.
            document::State { checks: Vec::new(), ..state::state_document(&plan.prior_state, schemas) }
        }),
        configuration,
        resource_changes: plan.changes.iter().filter(|change| !is_data_removal(change)).map(resource_change).collect(),
        ..shown_document(plan)
    }
}

/// What of a plan's document is shown to people beside [`Shown`]. Planned values and prior state stay empty.
pub fn shown_document(plan: &Plan) -> document::Plan {
    let shown = plan.variables.iter().filter(|(name, _)| !plan.apply_time_variables.contains(*name));
    let variables = shown.map(|(name, value)| {
        let value = plain(value).filter(|v| !v.is_null());
        (name.to_string(), Variable { value })
    });
    let relevant = plan.relevant_attributes.iter().map(|attribute| document::RelevantAttribute {
        resource: attribute.resource.clone(),
        attribute: attribute
            .path
            .iter()
            .map(|element| match element {
                PathElement::Name(name) => Json::String(name.to_string()),
                PathElement::Index(index) => Json::from(*index),
            })
            .collect(),
    });
    document::Plan {
        format_version: PLAN_FORMAT.to_owned(),
        terraform_version: ::state::model::TERRAFORM_VERSION.to_owned(),
        variables: variables.collect(),
        planned_values: Values::default(),
        resource_drift: plan.drift.iter().map(resource_change).collect(),
        resource_changes: Vec::new(),
        deferred_changes: plan.deferred.iter().map(deferred_change).collect(),
        output_changes: plan.outputs.iter().map(|(n, c)| (n.to_string(), output_change(c))).collect(),
        prior_state: None,
        configuration: None,
        relevant_attributes: relevant.collect(),
        checks: checks::of_plan(&plan.checks),
        timestamp: plan.timestamp.clone(),
        applyable: plan.has_changes() && !plan.errored,
        complete: plan.complete,
        errored: plan.errored,
    }
}

/// The changes of a plan that are shown to people: what stays as it is is left out, since a plan of a large stack that changes
/// little would be mostly that.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'p>(pub &'p Plan);

impl<'p> Shown<'p> {
    fn changes(self) -> impl Iterator<Item = &'p ResourceChange> {
        let worth = |change: &&ResourceChange| {
            change.action != Action::NoOp || previous_address(change).is_some() || change.importing.is_some()
        };
        self.0.changes.iter().filter(|change| !is_data_removal(change)).filter(worth)
    }
}

impl Changes for Shown<'_> {
    fn outlines(&self) -> Vec<Outline> {
        let outline = |change: &ResourceChange| Outline {
            action: render::resource::Action::of(&action_names(change.action)),
            moved: previous_address(change).is_some(),
            imported: change.importing.is_some(),
        };
        self.changes().map(outline).collect()
    }

    fn documents(&self) -> Box<dyn Iterator<Item = document::ResourceChange> + '_> {
        Box::new(self.changes().map(resource_change))
    }
}

/// A data source that is no longer there vanishes without further ado.
fn is_data_removal(change: &ResourceChange) -> bool {
    change.address.resource.mode == Mode::Data && change.action == Action::Delete
}

/// Where an object was, if it has moved.
fn previous_address(change: &ResourceChange) -> Option<&ResourceInstance> {
    change.previous_address.as_ref().filter(|previous| **previous != change.address)
}

fn deferred_change(deferred: &DeferredChange) -> document::DeferredChange {
    document::DeferredChange {
        reason: deferred.reason.as_str().to_owned(),
        resource_change: resource_change(&deferred.change),
    }
}

/// The names of an action.
pub fn action_names(action: Action) -> Vec<String> {
    let names: &[&str] = match action {
        Action::NoOp => &["no-op"],
        Action::Create => &["create"],
        Action::Read => &["read"],
        Action::Update => &["update"],
        Action::Delete => &["delete"],
        Action::DeleteThenCreate => &["delete", "create"],
        Action::CreateThenDelete => &["create", "delete"],
        Action::Forget => &["forget"],
    };
    names.iter().map(|n| (*n).to_owned()).collect()
}

/// The document of the change of one object.
pub fn resource_change(change: &ResourceChange) -> document::ResourceChange {
    let address = &change.address;
    let (after, after_unknown) = if change.after.is_wholly_known() {
        (plain(&change.after), json!({}))
    } else {
        (plain(&change.after), unknown(&change.after))
    };
    let moved = previous_address(change);
    document::ResourceChange {
        address: address.to_string(),
        previous_address: moved.map(ToString::to_string),
        module_address: (!address.module.is_root()).then(|| address.module.to_string()),
        mode: mode(address.resource.mode),
        kind: address.resource.kind.to_string(),
        name: address.resource.name.to_string(),
        index: index(&address.key),
        index_unknown: address.key == InstanceKey::Unknown,
        provider_name: change.provider.source.to_string(),
        deposed: change.deposed.as_ref().map(ToString::to_string),
        change: Change {
            actions: action_names(change.action),
            before: plain(&change.before).unwrap_or(Json::Null),
            after,
            after_unknown: Some(after_unknown),
            before_sensitive: Some(sensitive(&change.before)),
            after_sensitive: Some(sensitive(&change.after)),
            replace_paths: change.replace_paths.iter().map(path).collect(),
            importing: change.importing.as_ref().map(|id| Importing { id: id.clone() }),
            generated_config: change.generated_config.clone(),
        },
        action_reason: change.reason.map(|r| r.as_str().to_owned()),
    }
}

/// The document of the change of an output. Like Terraform's, it says of both sides the same about sensitivity.
pub fn output_change(change: &OutputChange) -> Change {
    let after_unknown = if change.after.is_wholly_known() { json!(false) } else { unknown(&change.after) };
    Change {
        actions: action_names(change.action),
        before: plain(&change.before).unwrap_or(Json::Null),
        after: plain(&change.after),
        after_unknown: Some(after_unknown),
        before_sensitive: Some(Json::Bool(change.sensitive)),
        after_sensitive: Some(Json::Bool(change.sensitive)),
        ..Change::default()
    }
}

fn planned_values(plan: &Plan, schemas: &dyn Schemas) -> Values {
    let outputs = plan.outputs.iter().filter(|(_, change)| change.action != Action::Delete).map(|(name, change)| {
        let known = change.after.is_wholly_known();
        let output = Output {
            sensitive: change.sensitive,
            ty: known.then(|| change.after.ty().to_json()),
            value: if known { plain(&change.after) } else { None },
        };
        (name.to_string(), output)
    });
    let stays = |change: &&ResourceChange| change.deposed.is_none() && change.action != Action::Delete;
    let resources = plan.changes.iter().filter(stays);
    let mut resources: Vec<_> =
        resources.map(|change| (&change.address.module, planned_resource(change, schemas))).collect();
    // By their text, as Terraform has them here and nowhere else.
    resources.sort_unstable_by(|(_, a), (_, b)| a.address.cmp(&b.address));
    let mut tree = ModuleTree::default();
    resources.into_iter().for_each(|(module, resource)| tree.add(module, resource));
    Values { outputs: outputs.collect(), root_module: tree.into_root() }
}

fn planned_resource(change: &ResourceChange, schemas: &dyn Schemas) -> Resource {
    let provider = change.provider.source.to_string();
    let data = change.address.resource.mode == Mode::Data;
    let schema = schemas.schema(&provider, data, &change.address.resource.kind);
    let after: &Value = &change.after;
    if change.action == Action::Forget {
        // It goes on without anybody knowing what it is like.
        return Resource {
            schema_version: schema.map_or(0, |s| s.version),
            sensitive_values: Some(Json::Bool(false)),
            ..resource(&change.address, provider)
        };
    }
    Resource {
        schema_version: schema.map_or(0, |s| s.version),
        values: plain(after),
        sensitive_values: Some(sensitive(after)),
        ..resource(&change.address, provider)
    }
}
