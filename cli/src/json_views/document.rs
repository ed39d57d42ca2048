//! The shapes of Terraform's plan JSON (format 1.2) and state JSON (format 1.0). Field order is Terraform's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Format version of plan documents.
pub const PLAN_FORMAT: &str = "1.2";
/// Format version of state documents.
pub const STATE_FORMAT: &str = "1.0";

fn is_false(value: &bool) -> bool {
    !value
}

/// Null is a value, too: only what is not there is `None`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// A plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// [`PLAN_FORMAT`]
    pub format_version: String,
    /// The version that made the plan.
    pub terraform_version: String,
    /// Root input variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, Variable>,
    /// What is known about the state after an apply.
    pub planned_values: Values,
    /// Changes made outside of the tool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_drift: Vec<ResourceChange>,
    /// What is going to be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_changes: Vec<ResourceChange>,
    /// What is left to the next plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deferred_changes: Vec<DeferredChange>,
    /// Changes of root outputs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub output_changes: BTreeMap<String, Change>,
    /// The state that the plan starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_state: Option<State>,
    /// The configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Json>,
    /// What the plan's result depends on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub relevant_attributes: Vec<RelevantAttribute>,
    /// How the checks stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Json>,
    /// When it was made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timestamp: String,
    /// Whether an apply would do anything.
    pub applyable: bool,
    /// Whether it covers everything.
    pub complete: bool,
    /// Whether planning failed.
    pub errored: bool,
}

/// The value of a root input variable.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Variable {
    /// The value; missing for null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

/// Objects and outputs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Values {
    /// Root outputs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Output>,
    /// The root module.
    pub root_module: Module,
}

/// The value of a root output.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Output {
    /// Whether it is sensitive.
    pub sensitive: bool,
    /// Its type; missing while it is unknown.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub ty: Option<Json>,
    /// Its value; missing while it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

/// The objects of a module instance.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Module {
    /// Its objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Its address; empty for the root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The module instances below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub child_modules: Vec<Module>,
}

/// An object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resource {
    /// Its address.
    pub address: String,
    /// `managed` or `data`
    pub mode: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its instance key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<Json>,
    /// The source address of its provider.
    pub provider_name: String,
    /// The version of its schema.
    pub schema_version: u64,
    /// Its attributes.
    #[serde(skip_serializing_if = "says_nothing")]
    pub values: Option<Json>,
    /// Which of them are sensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitive_values: Option<Json>,
    /// What it depends on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Whether it is tainted.
    #[serde(skip_serializing_if = "is_false")]
    pub tainted: bool,
    /// The key of a deposed object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deposed_key: Option<String>,
}

/// A change that is left to the next plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DeferredChange {
    /// `instance_count_unknown`, `deferred_prereq`
    pub reason: String,
    /// What is known of it.
    pub resource_change: ResourceChange,
}

/// The change of an object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceChange {
    /// Its address.
    pub address: String,
    /// Its address before it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_address: Option<String>,
    /// The module instance that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_address: Option<String>,
    /// `managed` or `data`
    pub mode: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its instance key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<Json>,
    /// Whether it stands for instances that are not known yet.
    #[serde(skip_serializing_if = "is_false")]
    pub index_unknown: bool,
    /// The source address of its provider.
    pub provider_name: String,
    /// The key of a deposed object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deposed: Option<String>,
    /// What changes.
    pub change: Change,
    /// Why, beyond the plain difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_reason: Option<String>,
}

/// A change.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// `no-op`, `create`, `read`, `update`, `delete`, `forget`; replacements name two.
    pub actions: Vec<String>,
    /// The value before.
    pub before: Json,
    /// The value after, without what is unknown; missing when all of it is.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Json>,
    /// What is unknown after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_unknown: Option<Json>,
    /// What was sensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_sensitive: Option<Json>,
    /// What will be sensitive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_sensitive: Option<Json>,
    /// Paths whose change replaces the object.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replace_paths: Vec<Vec<Json>>,
    /// How the object is imported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importing: Option<Importing>,
    /// Configuration generated for an import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_config: Option<String>,
}

/// How an object is imported.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Importing {
    /// By which id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
}

/// An attribute that the plan's result depends on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RelevantAttribute {
    /// The address of the resource.
    pub resource: String,
    /// The path in it.
    pub attribute: Vec<Json>,
}

/// A state.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// [`STATE_FORMAT`]
    pub format_version: String,
    /// The version that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terraform_version: Option<String>,
    /// What it holds; missing for an empty state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Values>,
    /// How the checks stood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Json>,
}

/// Whether attributes are left out: where none is known, Terraform has no member for them.
fn says_nothing(values: &Option<Json>) -> bool {
    values.as_ref().is_none_or(|values| values.as_object().is_some_and(serde_json::Map::is_empty))
}
