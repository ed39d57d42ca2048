//! Planning one resource instance as Terraform's provider SDKs do.

use lang::values::{Path, PathStep};
use lang::{Type, Value};

use crate::provider::ProviderDiagnostic;
use crate::schema::{Block, Schema, Semantics};
use crate::tags::{TagPolicy, tags_of, tags_value};
use crate::{framework, legacy, normalize};

/// A plan in the making: what the sdk has planned, for a resource type to adjust.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The current object; null when there is none.
    pub prior: &'a Value,
    /// The configuration; may hold unknown values.
    pub config: &'a Value,
    /// The planned object.
    pub planned: Value,
    /// Attributes whose change replaces the object.
    pub requires_replace: Vec<Path>,
    /// Warnings and errors about single attributes. An error fails the plan.
    pub diagnostics: Vec<ProviderDiagnostic>,
    block: &'a Block,
}

/// Plans by the schema alone: defaults, computed values, replacement; then `tags_all`.
pub(crate) fn begin<'a>(
    schema: &'a Schema,
    policy: &TagPolicy,
    prior: &'a Value,
    proposed: &'a Value,
    config: &'a Value,
) -> Plan<'a> {
    let block = &schema.block;
    let (planned, requires_replace) = match schema.semantics {
        Semantics::Legacy => legacy::plan(block, prior, config),
        Semantics::Framework => framework::plan(block, prior, proposed, config),
    };
    let mut plan = Plan { prior, config, planned, requires_replace, diagnostics: Vec::new(), block };
    if block.attributes.contains_key("tags") && block.attributes.contains_key("tags_all") {
        let prior_all = (!prior.is_null()).then(|| plan.prior("tags_all"));
        let tags = plan.planned("tags");
        let all = match schema.semantics {
            // An empty map is a value like any other.
            Semantics::Framework if tags.is_wholly_known() && !policy.unknown => {
                tags_value(&policy.merge(&tags_of(&tags)))
            }
            _ => policy.plan(&tags, &plan.prior("tags"), prior_all.as_ref()),
        };
        plan.set("tags_all", all);
    }
    plan
}

/// Brings a plan to its end: an object without any difference is the prior one; null and empty are as proposed.
pub(crate) fn finish(schema: &Schema, plan: &mut Plan<'_>, proposed: &Value) {
    if plan.planned.raw_equals(plan.prior) {
        return;
    }
    if schema.semantics == Semantics::Legacy {
        let planned = std::mem::replace(&mut plan.planned, Value::dynamic());
        plan.planned = normalize::after_plan(&schema.block, planned, proposed);
    }
}

impl Plan<'_> {
    /// Whether there is no object yet.
    pub fn is_create(&self) -> bool {
        self.prior.is_null()
    }

    /// The prior value of a top-level attribute; null when there is no object.
    pub fn prior(&self, name: &str) -> Value {
        self.attribute(self.prior, name)
    }

    /// The planned value of a top-level attribute.
    pub fn planned(&self, name: &str) -> Value {
        self.attribute(&self.planned, name)
    }

    /// The configured value of a top-level attribute.
    pub fn config(&self, name: &str) -> Value {
        self.attribute(self.config, name)
    }

    fn attribute(&self, object: &Value, name: &str) -> Value {
        object.get(name).cloned().unwrap_or_else(|| Value::null(self.type_of(name)))
    }

    fn type_of(&self, name: &str) -> Type {
        match self.block.implied_type() {
            Type::Object(object) => object.attributes.get(name).cloned().unwrap_or(Type::Dynamic),
            _ => Type::Dynamic,
        }
    }

    /// Whether the planned value of a top-level attribute differs from the prior one, or is unknown.
    pub fn changes(&self, name: &str) -> bool {
        let planned = self.planned(name);
        !planned.is_wholly_known() || !planned.raw_equals(&self.prior(name))
    }

    /// Plans a value for a top-level attribute.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(entries) = self.planned.entries() {
            self.planned = Value::object(entries.with([(name.into(), value)]));
        }
    }

    /// Plans that a top-level attribute is known after apply.
    pub fn set_unknown(&mut self, name: &str) {
        self.set(name, Value::unknown(self.type_of(name)));
    }

    /// Plans the prior value for a top-level attribute, as if it were not configured.
    pub fn keep(&mut self, name: &str) {
        self.set(name, self.prior(name));
        self.requires_replace
            .retain(|path| !matches!(path.0.first(), Some(PathStep::Attribute(first)) if first.as_str() == name));
    }

    /// Replaces the object if this top-level attribute changes.
    pub fn replace_on(&mut self, name: &str) {
        if !self.is_create() && self.changes(name) {
            self.requires_replace.push(crate::resource::attribute_path(name));
        }
    }

    /// Lets this top-level attribute change in place after all.
    pub fn in_place(&mut self, name: &str) {
        self.requires_replace
            .retain(|path| !matches!(path.0.first(), Some(PathStep::Attribute(first)) if first.as_str() == name));
    }
}
