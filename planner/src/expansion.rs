//! `count` and `for_each`: which instances a resource or module call has.

use std::collections::BTreeMap;
use std::sync::Arc;

use lang::addr::InstanceKey;
use lang::ast::Expr;
use lang::eval::{Scope, evaluate};
use lang::values::{Entries, Kind, Marks};
use lang::{Diagnostic, Diagnostics, Str, Type, Value};

use crate::decode::referenced_values;

/// The instances of a resource or module call.
#[derive(Clone, Debug)]
pub enum Expansion {
    /// Neither `count` nor `for_each`: one instance without a key.
    Single,
    /// `count`
    Count(u64),
    /// `for_each`: values by key.
    ForEach(Arc<Entries>),
    /// Not known: nothing can be said about the instances.
    Unknown,
}

/// What `count.index`, `each.key` and `each.value` mean in an instance.
#[derive(Clone, Debug, Default)]
pub enum Repetition {
    /// Neither `count` nor `for_each`.
    #[default]
    None,
    /// `count.index`
    Count(u64),
    /// `each.key` and `each.value`
    Each(Value, Value),
    /// One stands for all instances, while validating: key and index are not known.
    Any,
}

impl Expansion {
    /// The expansion that would make instances of these keys: for resources that only the state still has.
    pub fn of_keys<'k>(keys: impl Iterator<Item = &'k InstanceKey>) -> Expansion {
        let mut count = 0;
        let mut names = BTreeMap::new();
        for key in keys {
            match key {
                InstanceKey::None | InstanceKey::Unknown => {}
                InstanceKey::Index(index) => count = count.max(index + 1),
                InstanceKey::Name(name) => {
                    names.insert(name.clone(), Value::string(name.clone()));
                }
            }
        }
        match (count, names.is_empty()) {
            (0, true) => Expansion::Single,
            (0, false) => Expansion::ForEach(Arc::new(names.into())),
            _ => Expansion::Count(count),
        }
    }

    /// The instance keys, in order.
    pub fn keys(&self) -> Vec<InstanceKey> {
        match self {
            Expansion::Single => vec![InstanceKey::None],
            Expansion::Count(count) => (0..*count).map(InstanceKey::Index).collect(),
            Expansion::ForEach(values) => values.keys().cloned().map(InstanceKey::Name).collect(),
            Expansion::Unknown => Vec::new(),
        }
    }

    /// The keys of what is planned: where the instances are not known, one stands for all.
    pub fn keys_to_plan(&self) -> Vec<InstanceKey> {
        match self {
            Expansion::Unknown => vec![InstanceKey::Unknown],
            known => known.keys(),
        }
    }

    /// Whether there is an instance of that key.
    pub fn contains(&self, key: &InstanceKey) -> bool {
        match (self, key) {
            (Expansion::Single, InstanceKey::None) => true,
            (Expansion::Count(count), InstanceKey::Index(index)) => index < count,
            (Expansion::ForEach(values), InstanceKey::Name(name)) => values.contains_key(name),
            _ => false,
        }
    }

    /// What `count` and `each` mean in the instance of that key.
    pub fn repetition(&self, key: &InstanceKey) -> Repetition {
        match (self, key) {
            (Expansion::Unknown, _) | (_, InstanceKey::Unknown) => Repetition::Any,
            (_, InstanceKey::None) => Repetition::None,
            (_, InstanceKey::Index(index)) => Repetition::Count(*index),
            (Expansion::ForEach(values), InstanceKey::Name(name)) => {
                Repetition::Each(Value::string(name.clone()), values.get(name).cloned().unwrap_or_else(Value::dynamic))
            }
            (_, InstanceKey::Name(name)) => Repetition::Each(Value::string(name.clone()), Value::dynamic()),
        }
    }
}

/// What is done with a `count` or `for_each` that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownExpansion {
    /// It is an error: the plan needs it.
    Refuse,
    /// It is [`Expansion::Unknown`]: while validating, and where the plan may leave something for the next one.
    Accept,
}

/// Evaluates `count` or `for_each`; `None` after an error.
pub fn expand(
    count: Option<&Expr>,
    for_each: Option<&Expr>,
    scope: &dyn Scope,
    unknown: UnknownExpansion,
    diagnostics: &mut Diagnostics,
) -> Option<Expansion> {
    match (count, for_each) {
        (Some(count), _) => expand_count(count, scope, unknown, diagnostics),
        (None, Some(for_each)) => expand_for_each(for_each, scope, unknown, diagnostics),
        (None, None) => Some(Expansion::Single),
    }
}

fn expand_count(
    expr: &Expr,
    scope: &dyn Scope,
    unknown: UnknownExpansion,
    diagnostics: &mut Diagnostics,
) -> Option<Expansion> {
    let before = diagnostics.len();
    let value = evaluate(expr, scope, diagnostics);
    if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
        return None;
    }
    let mut refuse = |detail: &str| {
        let diagnostic = Diagnostic::error("Invalid count argument", detail).at(expr.range);
        diagnostics.push(diagnostic.because_unknown(referenced_values(expr, scope)));
        None
    };
    let (value, marks) = value.unmark();
    if marks.contains(Marks::EPHEMERAL) {
        return refuse(
            "The given \"count\" is derived from an ephemeral value, which means that Terraform cannot persist it \
             between plan/apply rounds. Use only non-ephemeral values to specify the number of resource instances.",
        );
    }
    if value.is_null() {
        return refuse("The given \"count\" argument value is null. An integer is required.");
    }
    let value = match value.convert(&Type::Number) {
        Ok(value) => value,
        Err(error) => {
            let detail = format!("Invalid expression value: {error}.");
            let diagnostic = Diagnostic::error("Incorrect value type", detail).at(expr.range);
            diagnostics.push(diagnostic.with_values(referenced_values(expr, scope)));
            return None;
        }
    };
    if !value.is_known() {
        return match unknown {
            UnknownExpansion::Accept => Some(Expansion::Unknown),
            UnknownExpansion::Refuse => refuse(
                "The \"count\" value depends on resource attributes that cannot be determined until apply, so Terraform \
                 cannot predict how many instances will be created. To work around this, use the -target argument to \
                 first apply only the resources that the count depends on.",
            ),
        };
    }
    let number = value.as_number().cloned();
    match number.as_ref().and_then(|number| number.to_i64()) {
        Some(count) if count < 0 => {
            refuse("The given \"count\" argument value is unsuitable: must be greater than or equal to zero.")
        }
        Some(count) => Some(Expansion::Count(count as u64)),
        None => refuse("The given \"count\" argument value is unsuitable: value must be a whole number."),
    }
}

const FOR_EACH_KEYS_UNKNOWN: &str = "Terraform cannot determine the full set of keys that will identify the instances \
of this resource.\n\nWhen working with unknown values in for_each, it's better to define the map keys statically in your \
configuration and place apply-time results only in the map values.\n\nAlternatively, you could use the -target planning \
option to first apply only the resources that the for_each value depends on, and then apply a second time to fully \
converge.";

const FOR_EACH_SET_UNKNOWN: &str = "Terraform cannot determine the full set of keys that will identify the instances of \
this resource.\n\nWhen working with unknown values in for_each, it's better to use a map value where the keys are defined \
statically in your configuration and where only the values contain apply-time results.\n\nAlternatively, you could use \
the -target planning option to first apply only the resources that the for_each value depends on, and then apply a second \
time to fully converge.";

fn expand_for_each(
    expr: &Expr,
    scope: &dyn Scope,
    unknown: UnknownExpansion,
    diagnostics: &mut Diagnostics,
) -> Option<Expansion> {
    let before = diagnostics.len();
    let value = evaluate(expr, scope, diagnostics);
    if diagnostics.iter().skip(before).any(Diagnostic::is_error) {
        return None;
    }
    let (value, marks) = value.unmark();
    let mut fail = |summary: &str, detail: String| {
        let diagnostic = Diagnostic::error(summary, detail).at(expr.range);
        let values = referenced_values(expr, scope);
        diagnostics.push(match marks.contains(Marks::SENSITIVE) {
            true => diagnostic.because_sensitive(values),
            false => diagnostic.because_unknown(values),
        });
        None
    };
    const INVALID: &str = "Invalid for_each argument";
    if marks.contains(Marks::SENSITIVE) {
        return fail(
            INVALID,
            "Sensitive values, or values derived from sensitive values, cannot be used as for_each arguments. If used, \
             the sensitive value could be exposed as a resource instance key."
                .to_owned(),
        );
    }
    if marks.contains(Marks::EPHEMERAL) {
        return fail(
            INVALID,
            "The given \"for_each\" value is derived from an ephemeral value, which means that Terraform cannot persist \
             it between plan/apply rounds. Use only non-ephemeral values to specify a resource's instance keys."
                .to_owned(),
        );
    }
    if value.is_null() {
        return fail(
            INVALID,
            "The given \"for_each\" argument value is unsuitable: the given \"for_each\" argument value is null. A map, \
             or set of strings is allowed."
                .to_owned(),
        );
    }
    let unknown_keys = |set: bool| {
        let start = if set { "set includes values" } else { "map includes keys" };
        let rest = if set { FOR_EACH_SET_UNKNOWN } else { FOR_EACH_KEYS_UNKNOWN };
        format!(
            "The \"for_each\" {start} derived from resource attributes that cannot be determined until apply, and so {rest}"
        )
    };
    match &value.kind {
        Kind::Unknown(ty, _) => match (unknown, ty) {
            (_, Type::List(_) | Type::Tuple(_) | Type::String | Type::Number | Type::Bool) => fail(
                INVALID,
                format!(
                    "The given \"for_each\" argument value is unsuitable: the \"for_each\" argument must be a map, or set \
                     of strings, and you have provided a value of type {ty}."
                ),
            ),
            (UnknownExpansion::Accept, _) => Some(Expansion::Unknown),
            (_, Type::Set(_)) => fail(INVALID, unknown_keys(true)),
            _ => fail(INVALID, unknown_keys(false)),
        },
        Kind::Map(_, entries) | Kind::Object(entries) => Some(Expansion::ForEach(entries.clone())),
        Kind::Set(_, elements)
            if unknown == UnknownExpansion::Accept && elements.iter().any(|element| !element.is_known()) =>
        {
            Some(Expansion::Unknown)
        }
        Kind::Set(element, elements) => {
            if *element != Type::String && !(*element == Type::Dynamic && elements.is_empty()) {
                return fail(
                    "Invalid for_each set argument",
                    format!(
                        "The given \"for_each\" argument value is unsuitable: \"for_each\" supports maps and sets of \
                         strings, but you have provided a set containing type {element}."
                    ),
                );
            }
            let mut values = BTreeMap::new();
            for element in elements.iter() {
                if !element.is_known() {
                    return fail(INVALID, unknown_keys(true));
                }
                let Some(text) = element.as_str() else {
                    return fail(
                        "Invalid for_each set argument",
                        "The given \"for_each\" argument value is unsuitable: \"for_each\" sets must not contain null \
                         values."
                            .to_owned(),
                    );
                };
                values.insert(Str::new(text), element.clone());
            }
            Some(Expansion::ForEach(Arc::new(values.into())))
        }
        _ => fail(
            INVALID,
            format!(
                "The given \"for_each\" argument value is unsuitable: the \"for_each\" argument must be a map, or set of \
                 strings, and you have provided a value of type {}.",
                value.ty()
            ),
        ),
    }
}
