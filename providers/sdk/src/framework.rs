//! Planning by the rules of terraform-plugin-framework: defaults where nothing is configured; if then anything differs
//! from the prior object, whatever is computed and not configured becomes unknown, unless it keeps its prior value.

use std::collections::BTreeMap;

use lang::values::{Path, PathStep};
use lang::{Type, Value};

use crate::schema::{Block, NestedBlock, Nesting};

/// Plans the object and tells which changes replace it.
pub(crate) fn plan(block: &Block, prior: &Value, proposed: &Value, config: &Value) -> (Value, Vec<Path>) {
    let defaulted = object(block, proposed, config, &|attribute, proposed, config| match &attribute.default {
        Some(default) if config.is_null() => default.clone(),
        _ => proposed,
    });
    if defaulted.raw_equals(prior) {
        return (prior.clone(), Vec::new());
    }
    let create = prior.is_null();
    let planned = object(block, &defaulted, config, &|attribute, planned, config| {
        let keeps = attribute.keep_prior && !create && !planned.is_null();
        if attribute.computed && config.is_null() && attribute.default.is_none() && !keeps {
            Value::unknown(attribute.ty.clone())
        } else {
            planned
        }
    });
    let mut replace = Vec::new();
    if !create {
        differences(block, prior, &planned, &mut Path::default(), &mut replace);
    }
    (planned, replace)
}

type Change<'a> = &'a dyn Fn(&crate::schema::Attribute, Value, &Value) -> Value;

fn object(block: &Block, value: &Value, config: &Value, change: Change<'_>) -> Value {
    let Some(entries) = value.entries() else { return value.clone() };
    let mut planned = BTreeMap::new();
    for (name, value) in entries {
        let config = part(config, name);
        let value = if let Some(attribute) = block.attributes.get(name) {
            if attribute.write_only {
                Value::null(attribute.ty.clone())
            } else {
                change(attribute, value.clone(), &config)
            }
        } else if let Some(nested) = block.blocks.get(name) {
            blocks(nested, value, &config, change)
        } else {
            value.clone()
        };
        planned.insert(name.clone(), value);
    }
    Value::object(planned)
}

fn blocks(nested: &NestedBlock, value: &Value, config: &Value, change: Change<'_>) -> Value {
    match nested.nesting {
        Nesting::Single | Nesting::Group => object(&nested.block, value, config, change),
        Nesting::List => match (value.elements(), config.elements()) {
            (Some(values), Some(configs)) => {
                let elements = values.iter().zip(configs).map(|(v, c)| object(&nested.block, v, c, change));
                Value::list(nested.block.implied_type().clone(), elements)
            }
            _ => value.clone(),
        },
        // Elements of a set can't be matched with the configuration's by position: they are planned as configured.
        Nesting::Set | Nesting::Map => value.clone(),
    }
}

fn differences(block: &Block, prior: &Value, planned: &Value, path: &mut Path, replace: &mut Vec<Path>) {
    for (name, attribute) in block.attributes.iter().filter(|(_, attribute)| attribute.force_new) {
        if !part(prior, name).raw_equals(&part(planned, name)) && !attribute.write_only {
            path.0.push(PathStep::Attribute(name.clone()));
            replace.push(path.clone());
            path.0.pop();
        }
    }
    for (name, nested) in &block.blocks {
        let (prior, planned) = (part(prior, name), part(planned, name));
        path.0.push(PathStep::Attribute(name.clone()));
        if nested.force_new && !prior.raw_equals(&planned) {
            replace.push(path.clone());
        }
        match nested.nesting {
            Nesting::Single | Nesting::Group if !prior.is_null() && !planned.is_null() => {
                differences(&nested.block, &prior, &planned, path, replace);
            }
            Nesting::List => {
                let pairs = prior.elements().unwrap_or_default().iter().zip(planned.elements().unwrap_or_default());
                for (index, (prior, planned)) in pairs.enumerate() {
                    path.0.push(PathStep::Index(Value::number(index as i64)));
                    differences(&nested.block, prior, planned, path, replace);
                    path.0.pop();
                }
            }
            _ => {}
        }
        path.0.pop();
    }
}

fn part(object: &Value, name: &str) -> Value {
    object.get(name).cloned().unwrap_or_else(|| Value::null(Type::Dynamic))
}
