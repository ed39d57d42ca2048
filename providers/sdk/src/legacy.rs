//! Planning by the rules of terraform-plugin-sdk v2.
//!
//! That SDK compares texts in which null, `""`, `0`, `false` and the empty collection are hardly told apart:
//!
//! - not configured, computed: the prior value stays; unknown when there is no object yet;
//! - not configured, not computed: a prior zero value stays, any other is removed;
//! - configured: the prior value stays if it is equal or equivalent; a configured zero value where there is no prior one
//!   is no difference by itself (the normalisation that follows brings it back if something else differs);
//! - blocks of a list are compared by position; those of a set as a whole, and in a set that which isn't configured is `""`
//!   and `[]`.
//!
//! If nothing differs, the plan is the prior object as it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use lang::values::{Path, PathStep};
use lang::{Number, Str, Type, Value};

use crate::schema::{Attribute, Block, NestedBlock, Nesting};

/// Plans the object and tells which changes replace it.
pub(crate) fn plan(block: &Block, prior: &Value, config: &Value) -> (Value, Vec<Path>) {
    let create = prior.is_null();
    // That nothing becomes `false` or 0 is no difference by itself, but told along with another.
    if !create {
        let mut planner = Planner { create, zero_is_null: true, replace: Vec::new() };
        let planned = planner.object(block, prior, config, &mut Path::default(), false);
        if planned.raw_equals(prior) {
            return (planned, Vec::new());
        }
    }
    let mut planner = Planner { create, zero_is_null: false, replace: Vec::new() };
    let mut path = Path::default();
    let mut planned = planner.object(block, prior, config, &mut path, false);
    if create && planned.get("id").is_some_and(Value::is_null) {
        planned = with(planned, "id", Value::unknown(Type::String));
    }
    (planned, planner.replace)
}

struct Planner {
    create: bool,
    /// Whether `false` and 0 are taken for what isn't set.
    zero_is_null: bool,
    replace: Vec<Path>,
}

impl Planner {
    /// `in_set`: the object is an element of a set.
    fn object(&mut self, block: &Block, prior: &Value, config: &Value, path: &mut Path, in_set: bool) -> Value {
        let mut planned = BTreeMap::new();
        for (name, attribute) in &block.attributes {
            path.0.push(PathStep::Attribute(name.clone()));
            let (prior, config) = (part(prior, name, &attribute.ty), part(config, name, &attribute.ty));
            planned.insert(name.clone(), self.attribute(attribute, &prior, &config, path, in_set));
            path.0.pop();
        }
        for (name, nested) in &block.blocks {
            path.0.push(PathStep::Attribute(name.clone()));
            let ty = nested.implied_type();
            let (prior, config) = (part(prior, name, &ty), part(config, name, &ty));
            planned.insert(name.clone(), self.nested(name, nested, &prior, &config, path, in_set));
            path.0.pop();
        }
        Value::object(planned)
    }

    fn attribute(
        &mut self,
        attribute: &Attribute,
        prior: &Value,
        config: &Value,
        path: &mut Path,
        in_set: bool,
    ) -> Value {
        if attribute.write_only {
            return Value::null(attribute.ty.clone());
        }
        let config = match &attribute.default {
            Some(default) if config.is_null() => default.clone(),
            _ => config.clone(),
        };
        let config = match attribute.normalize {
            Some(normalize) if config.is_wholly_known() && !config.is_null() => &normalize(config),
            _ => &config,
        };
        let config = match &attribute.ty {
            Type::Map(element) => &without_nulls(config, element),
            _ => config,
        };
        if let (Some(block), Type::Set(_) | Type::List(_)) = (&attribute.nested, &attribute.ty) {
            let nested = NestedBlock {
                nesting: if matches!(attribute.ty, Type::Set(_)) { Nesting::Set } else { Nesting::List },
                min: 0,
                max: 0,
                computed: attribute.computed,
                force_new: attribute.force_new,
                block: Block::clone(Arc::as_ref(block)),
            };
            return self.collection(&nested, prior, config, path, in_set, true);
        }
        // A set or map with an element that isn't known yet is not known as a whole.
        if !config.is_known() || matches!(attribute.ty, Type::Set(_) | Type::Map(_)) && !config.is_wholly_known() {
            self.replaced(attribute.force_new, path);
            return Value::unknown(attribute.ty.clone());
        }
        if config.is_null() {
            return self.unset(attribute, prior, path, in_set);
        }
        if prior.is_null() && is_zero(config) && matches!(attribute.ty, Type::String) {
            // Not told apart from "not set".
            return match (attribute.computed, self.create) {
                (true, true) => Value::unknown(attribute.ty.clone()),
                (false, true) => config.clone(),
                (_, false) if in_set => config.clone(),
                (_, false) => prior.clone(),
            };
        }
        if prior.is_null() {
            if attribute.ty.is_collection() && is_zero(config) && !in_set {
                // The normalisation brings back a list of the object itself, but nothing in blocks, and no set or map.
                if matches!(attribute.ty, Type::List(_)) && path.0.len() == 1 && !self.zero_is_null {
                    return config.clone();
                }
                return if attribute.computed && self.create {
                    Value::unknown(attribute.ty.clone())
                } else {
                    prior.clone()
                };
            }
            let is_zero = is_zero(config) && matches!(attribute.ty, Type::Bool | Type::Number);
            if is_zero && self.zero_is_null {
                return prior.clone();
            }
            self.replaced(attribute.force_new && (self.create || !is_zero), path);
            return config.clone();
        }
        let same = prior.raw_equals(config)
            || config.is_wholly_known() && attribute.equivalent.is_some_and(|equivalent| equivalent(prior, config))
            || attribute.computed && is_zero(config) && matches!(attribute.ty, Type::String | Type::Map(_));
        if same {
            return prior.clone();
        }
        self.replaced(attribute.force_new, path);
        config.clone()
    }

    /// An attribute that is not configured and has no default.
    fn unset(&mut self, attribute: &Attribute, prior: &Value, path: &Path, in_set: bool) -> Value {
        if prior.is_null() {
            return match &attribute.ty {
                _ if attribute.computed && (self.create || in_set) => Value::unknown(attribute.ty.clone()),
                Type::String if in_set => Value::string(""),
                Type::List(element) if in_set => Value::list((**element).clone(), []),
                Type::Set(element) if in_set => Value::set((**element).clone(), []),
                _ => prior.clone(),
            };
        }
        if attribute.computed || is_zero(prior) {
            return prior.clone();
        }
        self.replaced(attribute.force_new, path);
        // Of a collection its elements are removed; the collection stays.
        match &attribute.ty {
            Type::List(element) => Value::list((**element).clone(), []),
            Type::Set(element) => Value::set((**element).clone(), []),
            Type::Map(element) => Value::map((**element).clone(), []),
            ty => Value::null(ty.clone()),
        }
    }

    fn nested(
        &mut self,
        name: &str,
        nested: &NestedBlock,
        prior: &Value,
        config: &Value,
        path: &mut Path,
        in_set: bool,
    ) -> Value {
        match nested.nesting {
            // Only `timeouts` nests like this, which never makes a difference by itself.
            Nesting::Single | Nesting::Group if name == "timeouts" => {
                if self.create {
                    config.clone()
                } else {
                    prior.clone()
                }
            }
            Nesting::Single | Nesting::Group => config.clone(),
            Nesting::List | Nesting::Set | Nesting::Map => self.collection(nested, prior, config, path, in_set, false),
        }
    }

    /// Blocks of a list or set. `is_attribute`: they are an attribute of such a type, which may be null.
    fn collection(
        &mut self,
        nested: &NestedBlock,
        prior: &Value,
        config: &Value,
        path: &mut Path,
        in_set: bool,
        is_attribute: bool,
    ) -> Value {
        let ty = nested.implied_type();
        if !config.is_known() {
            self.replaced(nested.force_new, path);
            return Value::unknown(ty);
        }
        let priors = prior.elements().unwrap_or_default();
        let configs = config.elements().unwrap_or_default();
        if configs.is_empty() {
            // An attribute that is set to [] empties a computed collection; blocks can't say that.
            let emptied = is_attribute && !config.is_null();
            if priors.is_empty() {
                return match nested.computed && self.create {
                    true if !emptied => Value::unknown(ty),
                    // An element of a set is planned anew, without a prior one.
                    _ if self.create || in_set => config.clone(),
                    _ => prior.clone(),
                };
            }
            if nested.computed && !emptied {
                return prior.clone();
            }
            self.replaced(nested.force_new || forces_new(&nested.block), path);
            return config.clone();
        }
        let element_type = nested.block.implied_type().clone();
        if nested.nesting == Nesting::Set {
            return self.set(nested, prior, priors, configs, path);
        }
        if priors.len() != configs.len() {
            self.replaced(nested.force_new, path);
        }
        let null = Value::null(element_type.clone());
        let planned: Vec<Value> = configs
            .iter()
            .enumerate()
            .map(|(index, config)| {
                path.0.push(PathStep::Index(Value::number(index as i64)));
                let planned = self.object(&nested.block, priors.get(index).unwrap_or(&null), config, path, in_set);
                path.0.pop();
                planned
            })
            .collect();
        Value::list(element_type, planned)
    }

    fn set(
        &mut self,
        nested: &NestedBlock,
        prior: &Value,
        priors: &[Value],
        configs: &[Value],
        path: &mut Path,
    ) -> Value {
        let null = Value::null(nested.block.implied_type().clone());
        let before = self.replace.len();
        let fresh: Vec<Value> =
            configs.iter().map(|config| self.object(&nested.block, &null, config, path, true)).collect();
        // Elements of a set have no path of their own.
        self.replace.truncate(before);
        let (known, all) = matched(&nested.block, priors, &fresh);
        if all {
            return prior.clone();
        }
        self.replaced(nested.force_new || forces_new(&nested.block), path);
        let planned = configs.iter().zip(fresh).zip(known).map(|((config, fresh), known)| match known {
            Some(prior) => kept(&nested.block, prior, config, &fresh),
            None => fresh,
        });
        Value::set(nested.block.implied_type().clone(), planned)
    }

    fn replaced(&mut self, force_new: bool, path: &Path) {
        if force_new && !self.create {
            self.replace.push(path.clone());
        }
    }
}

fn part(object: &Value, name: &str, ty: &Type) -> Value {
    if !object.is_known() {
        return Value::unknown(ty.clone());
    }
    object.get(name).cloned().unwrap_or_else(|| Value::null(ty.clone()))
}

fn with(object: Value, name: &str, value: Value) -> Value {
    let Some(entries) = object.entries() else { return object };
    Value::object(entries.with([(Str::from(name), value)]))
}

/// Whether a known value is what the SDK takes for "not set".
fn is_zero(value: &Value) -> bool {
    if let Some(text) = value.as_str() {
        return text.is_empty();
    }
    if let Some(flag) = value.as_bool() {
        return !flag;
    }
    if let Some(number) = value.as_number() {
        return *number == Number::from(0i64);
    }
    value.is_known() && value.length() == Some(0)
}

/// Whether a change in such a block replaces the object.
fn forces_new(block: &Block) -> bool {
    block.attributes.values().any(|attribute| attribute.force_new)
        || block.blocks.values().any(|nested| nested.force_new || forces_new(&nested.block))
}

/// The prior elements of a set that are the planned ones, and whether these are all of both.
fn matched<'v>(block: &Block, priors: &'v [Value], fresh: &[Value]) -> (Vec<Option<&'v Value>>, bool) {
    let mut left: Vec<&Value> = priors.iter().collect();
    let of = |fresh: &Value| {
        let index = left.iter().position(|prior| same_element(block, prior, fresh))?;
        Some(left.swap_remove(index))
    };
    let known: Vec<Option<&Value>> = fresh.iter().map(of).collect();
    let all = left.is_empty() && known.iter().all(Option::is_some);
    (known, all)
}

/// An element that stays in a set that changes. Its computed values stay; other single values that are not configured get lost.
fn kept(block: &Block, prior: &Value, config: &Value, fresh: &Value) -> Value {
    let mut planned = BTreeMap::new();
    for (name, attribute) in &block.attributes {
        let ty = &attribute.ty;
        let (prior, config, fresh) = (part(prior, name, ty), part(config, name, ty), part(fresh, name, ty));
        let value = match () {
            () if !config.is_null() || attribute.default.is_some() => match attribute.equivalent {
                Some(_) => prior,
                None => fresh,
            },
            () if attribute.computed || !ty.is_primitive() => prior,
            () if prior.is_null() => fresh,
            () => Value::null(ty.clone()),
        };
        planned.insert(name.clone(), value);
    }
    for (name, nested) in &block.blocks {
        let ty = nested.implied_type();
        let (prior, config, fresh) = (part(prior, name, &ty), part(config, name, &ty), part(fresh, name, &ty));
        planned.insert(name.clone(), kept_blocks(nested, prior, &config, &fresh));
    }
    Value::object(planned)
}

fn kept_blocks(nested: &NestedBlock, prior: Value, config: &Value, fresh: &Value) -> Value {
    let (Some(priors), Some(configs), Some(fresh)) = (prior.elements(), config.elements(), fresh.elements()) else {
        return prior;
    };
    if priors.len() != configs.len() || configs.len() != fresh.len() {
        return prior;
    }
    let element = nested.block.implied_type().clone();
    // Each set has an order of its own.
    let in_order = |elements| match nested.nesting {
        Nesting::Set => matched(&nested.block, elements, fresh).0,
        _ => elements.iter().map(Some).collect(),
    };
    let kept = fresh.iter().zip(in_order(configs)).zip(in_order(priors)).map(|found| match found {
        ((fresh, Some(config)), Some(prior)) => kept(&nested.block, prior, config, fresh),
        ((fresh, _), _) => fresh.clone(),
    });
    match nested.nesting {
        Nesting::Set => Value::set(element, kept),
        Nesting::List => Value::list(element, kept),
        _ => prior,
    }
}

/// What is null in a map isn't there.
fn without_nulls(map: &Value, element: &Type) -> Value {
    match map.entries() {
        Some(entries) if entries.iter().any(|(_, value)| value.is_null()) => {
            let set = entries.iter().filter(|(_, value)| !value.is_null());
            Value::map(element.clone(), set.map(|(key, value)| (key.clone(), value.clone())))
        }
        _ => map.clone(),
    }
}

/// Whether a prior element is the planned one: what is to be computed may be anything, null is the zero value.
fn same_element(block: &Block, prior: &Value, planned: &Value) -> bool {
    let same = |name: &str, equivalent: Option<crate::schema::Equivalent>| {
        let (Some(prior), Some(planned)) = (prior.get(name), planned.get(name)) else { return false };
        prior.raw_equals(planned)
            || (prior.is_null() || is_zero(prior)) && planned.is_known() && (planned.is_null() || is_zero(planned))
            || prior.is_wholly_known()
                && planned.is_wholly_known()
                && !prior.is_null()
                && !planned.is_null()
                && equivalent.is_some_and(|equivalent| equivalent(prior, planned))
    };
    block.attributes.iter().all(|(name, attribute)| {
        attribute.computed && planned.get(name).is_some_and(|value| !value.is_known())
            || same(name, attribute.equivalent)
    }) && block.blocks.iter().all(|(name, nested)| {
        if same(name, None) {
            return true;
        }
        let (Some(prior), Some(planned)) = (prior.get(name), planned.get(name)) else { return false };
        let (Some(priors), Some(planneds)) = (prior.elements(), planned.elements()) else { return false };
        priors.len() == planneds.len() && priors.iter().zip(planneds).all(|(a, b)| same_element(&nested.block, a, b))
    })
}
