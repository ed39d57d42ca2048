//! The proposed new object: the prior object with the configuration laid over it. Computed attributes that are not
//! configured keep their prior values; elements of nested blocks are matched by index, key or, in sets, by content.
//!
//! Behaviour as of Terraform's `objchange.ProposedNew`.

use std::collections::BTreeMap;

use lang::values::{Kind, PathStep};
use lang::{Str, Value};
use sdk::{Attribute, Block, NestedBlock, Nesting};

/// The proposed object. A null prior stands for "no object yet".
pub fn proposed_new(schema: &Block, prior: &Value, config: &Value) -> Value {
    if prior.is_null() { overlay(schema, &all_null(schema), config) } else { overlay(schema, prior, config) }
}

/// An object of a block whose attributes are all null and whose blocks are all absent.
fn all_null(schema: &Block) -> Value {
    let attributes = schema.attributes.iter().map(|(name, a)| (name.clone(), Value::null(a.ty.clone())));
    let blocks = schema.blocks.iter().map(|(name, nested)| (name.clone(), Value::null(nested.implied_type())));
    Value::object(attributes.chain(blocks))
}

fn overlay(schema: &Block, prior: &Value, config: &Value) -> Value {
    let Some(configured) = config.entries() else { return prior.clone() };
    let mut values: Vec<(Str, Value)> = Vec::with_capacity(configured.len());
    for (name, attribute) in &schema.attributes {
        values.push((name.clone(), overlay_attribute(attribute, prior.get(name), configured.get(name))));
    }
    for (name, nested) in &schema.blocks {
        let absent = Value::null(nested.implied_type());
        let configured = configured.get(name).unwrap_or(&absent);
        values.push((name.clone(), overlay_nested(nested, prior.get(name), configured)));
    }
    Value::object(values)
}

fn overlay_attribute(attribute: &Attribute, prior: Option<&Value>, config: Option<&Value>) -> Value {
    let null = || Value::null(attribute.ty.clone());
    let prior = || prior.cloned().unwrap_or_else(null);
    match config {
        _ if attribute.computed && !attribute.optional => prior(),
        Some(config) if !config.is_null() => config.clone(),
        _ if attribute.computed => prior(),
        _ => null(),
    }
}

fn overlay_nested(nested: &NestedBlock, prior: Option<&Value>, config: &Value) -> Value {
    // Only a dynamic block with an unknown for_each makes a nested block unknown as a whole.
    if !config.is_known() {
        return config.clone();
    }
    let schema = &nested.block;
    match nested.nesting {
        Nesting::Single if config.is_null() => config.clone(),
        Nesting::Single | Nesting::Group => {
            let absent = Value::null(schema.implied_type().clone());
            proposed_new(schema, prior.unwrap_or(&absent), config)
        }
        Nesting::List => overlay_list(schema, prior, config),
        Nesting::Map => overlay_map(schema, prior, config),
        Nesting::Set => overlay_set(schema, prior, config),
    }
}

fn overlay_list(schema: &Block, prior: Option<&Value>, config: &Value) -> Value {
    let Some(configured) = config.elements() else { return config.clone() };
    let prior = prior.and_then(Value::elements).unwrap_or_default();
    let elements = configured.iter().enumerate().map(|(i, element)| match prior.get(i) {
        Some(prior) if !prior.is_null() && prior.is_known() => proposed_new(schema, prior, element),
        _ => element.clone(),
    });
    match &config.kind {
        Kind::Tuple(_) => Value::tuple(elements.collect::<Vec<_>>()),
        _ => Value::list(schema.implied_type().clone(), elements.collect::<Vec<_>>()),
    }
}

fn overlay_map(schema: &Block, prior: Option<&Value>, config: &Value) -> Value {
    let Some(configured) = config.entries() else { return config.clone() };
    let entries = configured.iter().map(|(key, element)| match prior.and_then(|prior| prior.get(key)) {
        Some(prior) => (key.clone(), proposed_new(schema, prior, element)),
        None => (key.clone(), element.clone()),
    });
    let entries: BTreeMap<Str, Value> = entries.collect();
    match &config.kind {
        Kind::Object(_) => Value::object(entries),
        _ => Value::map(schema.implied_type().clone(), entries),
    }
}

fn overlay_set(schema: &Block, prior: Option<&Value>, config: &Value) -> Value {
    let Some(configured) = config.elements() else { return config.clone() };
    let mut candidates: Vec<&Value> = prior.and_then(Value::elements).unwrap_or_default().iter().collect();
    let elements: Vec<Value> = configured
        .iter()
        .map(|element| {
            let matching = candidates.iter().position(|prior| could_come_from(schema, prior, element));
            match matching {
                Some(i) => proposed_new(schema, candidates.remove(i), element),
                None => element.clone(),
            }
        })
        .collect();
    Value::set(schema.implied_type().clone(), elements)
}

/// Whether a prior element of a set can be what an earlier run made of this configuration: they are equal but for computed
/// attributes that are not configured.
fn could_come_from(schema: &Block, prior: &Value, config: &Value) -> bool {
    if prior.raw_equals(config) {
        return true;
    }
    let (Some(prior), Some(config)) = (prior.entries(), config.entries()) else { return false };
    let attributes = schema.attributes.iter().all(|(name, attribute)| match (prior.get(name), config.get(name)) {
        (Some(prior), Some(config)) => prior.raw_equals(config) || (attribute.computed && config.is_null()),
        _ => false,
    });
    let blocks = schema.blocks.iter().all(|(name, nested)| match (prior.get(name), config.get(name)) {
        (Some(prior), Some(config)) => nested_could_come_from(nested, prior, config),
        _ => false,
    });
    attributes && blocks
}

fn nested_could_come_from(nested: &NestedBlock, prior: &Value, config: &Value) -> bool {
    if prior.raw_equals(config) {
        return true;
    }
    match nested.nesting {
        Nesting::Single | Nesting::Group => could_come_from(&nested.block, prior, config),
        Nesting::List => match (prior.elements(), config.elements()) {
            (Some(prior), Some(config)) => {
                prior.len() == config.len()
                    && prior.iter().zip(config).all(|(prior, config)| could_come_from(&nested.block, prior, config))
            }
            _ => false,
        },
        Nesting::Map => match (prior.entries(), config.entries()) {
            (Some(prior), Some(config)) => {
                prior.len() == config.len()
                    && prior.iter().all(|(key, prior)| {
                        config.get(key).is_some_and(|config| could_come_from(&nested.block, prior, config))
                    })
            }
            _ => false,
        },
        Nesting::Set => false,
    }
}

/// Keeps the prior values of the attributes that `ignore_changes` names: the configuration as the provider sees it.
/// Paths that lead nowhere are passed over; an index into a set has no meaning and is passed over too.
pub fn ignore_changes(prior: &Value, config: &Value, paths: &[Vec<PathStep>]) -> Value {
    paths.iter().fold(config.clone(), |config, path| replace_at(prior, &config, path))
}

fn replace_at(prior: &Value, config: &Value, path: &[PathStep]) -> Value {
    let Some((step, rest)) = path.split_first() else { return prior.clone() };
    if prior.is_null() || !prior.is_known() || config.is_null() || !config.is_known() {
        // A whole map that is absent on one side still takes the ignored key from the other.
        return replace_in_absent_map(prior, config, step, rest);
    }
    let key = match step {
        // A map has keys, no attributes: Terraform passes over such a path.
        PathStep::Attribute(_) if matches!(config.kind, Kind::Map(..)) => return config.clone(),
        PathStep::Attribute(name) => name.clone(),
        PathStep::Index(index) => match index.as_str() {
            Some(text) if matches!(config.kind, Kind::Map(..)) => text.clone(),
            // A key selects an element of a map alone: of anything else Terraform keeps the whole, or nothing.
            Some(_) if rest.is_empty() => return prior.clone(),
            Some(_) => return config.clone(),
            None => return replace_element(prior, config, index, rest),
        },
    };
    let (Some(before), Some(entries)) = (prior.entries(), config.entries()) else { return config.clone() };
    let mut entries = entries.to_map();
    match (before.get(&key), entries.get(&key).cloned(), rest.is_empty()) {
        (Some(before), Some(current), _) => {
            entries.insert(key, replace_at(before, &current, rest));
        }
        (Some(before), None, true) => {
            entries.insert(key, before.clone());
        }
        (None, Some(_), true) if matches!(config.kind, Kind::Map(..)) => {
            entries.remove(&key);
        }
        _ => return config.clone(),
    }
    rebuild(config, entries)
}

fn replace_in_absent_map(prior: &Value, config: &Value, step: &PathStep, rest: &[PathStep]) -> Value {
    let PathStep::Index(index) = step else { return config.clone() };
    let (Some(key), true) = (index.as_str(), rest.is_empty()) else { return config.clone() };
    if config.is_null()
        && let (Kind::Map(element, before), Some(value)) = (&prior.kind, prior.get(key))
        && !before.is_empty()
    {
        return Value::map(element.clone(), [(Str::new(key), value.clone())]);
    }
    if prior.is_null() && config.get(key).is_some() {
        let entries = config.entries().cloned().unwrap_or_default();
        return rebuild(config, entries.into_iter().filter(|(name, _)| name != key).collect());
    }
    config.clone()
}

fn replace_element(prior: &Value, config: &Value, index: &Value, rest: &[PathStep]) -> Value {
    let position = index.as_number().and_then(|number| number.to_u64()).map(|number| number as usize);
    let (Some(position), Some(before), Some(elements)) = (position, prior.elements(), config.elements()) else {
        return config.clone();
    };
    let (Some(before), Some(current)) = (before.get(position), elements.get(position)) else { return config.clone() };
    let mut elements = elements.to_vec();
    if let Some(slot) = elements.get_mut(position) {
        *slot = replace_at(before, current, rest);
    }
    match &config.kind {
        Kind::List(element, _) => Value::list(element.clone(), elements),
        Kind::Tuple(_) => Value::tuple(elements),
        _ => config.clone(),
    }
}

fn rebuild(like: &Value, entries: BTreeMap<Str, Value>) -> Value {
    match &like.kind {
        Kind::Map(element, _) => Value::map(element.clone(), entries),
        _ => Value::object(entries),
    }
    .with_marks(like.marks)
}
