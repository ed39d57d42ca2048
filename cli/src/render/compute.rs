//! Differences by schema.

use std::collections::BTreeMap;

use lang::Type;
use sdk::schema::{Block, NestedBlock, Nesting};
use serde_json::Value as Json;

use super::change::{Change, Marker, Paths};
use super::diff::{Action, Diff, Kind, NestedBlocks};
use super::dynamic::{dynamic, primitive, sensitive, unknown};
use super::sequence::{Pair, pair};

/// The difference of a block.
pub fn block(change: Change<'_>, schema: &Block) -> Diff {
    if let Some(diff) = sensitive(&change, |c| block(c, schema)) {
        return diff;
    }
    if let Some(diff) = unknown(&change, Marker::Children, |c| block(c, schema)) {
        return diff;
    }
    let whole = change.outer_action();
    let mut action = whole;
    let mut attributes = BTreeMap::new();
    for (name, attribute) in &schema.attributes {
        let mut child = relevant(change.child(name));
        child.before_explicit = false;
        child.after_explicit = false;
        if attribute.write_only {
            let diff = Diff { action: whole, replace: child.replace.matches(), kind: Kind::WriteOnly };
            attributes.insert(name.to_string(), diff);
            continue;
        }
        let absent = child.is_null();
        let diff = of_type(child, &attribute.ty);
        if diff.action == Action::NoOp && absent {
            continue;
        }
        action = action.and(diff.action);
        attributes.insert(name.to_string(), diff);
    }
    let mut blocks = BTreeMap::new();
    for (name, nested) in &schema.blocks {
        let child = relevant(change.child(name));
        let absent = child.is_null();
        let replace = child.replace.matches();
        let (before_sensitive, after_sensitive) = (child.before_sensitive.is_set(), child.after_sensitive.is_set());
        let single = matches!(nested.nesting, Nesting::Single | Nesting::Group);
        let unknown = child.unknown.is_set() && !single;
        let (items, nested_action) = nested_blocks(child, nested);
        if nested_action == Action::NoOp && absent && !unknown {
            continue;
        }
        action = action.and(nested_action);
        blocks.insert(name.to_string(), NestedBlocks { items, unknown, replace, before_sensitive, after_sensitive });
    }
    Diff { action, replace: change.replace.matches(), kind: Kind::Block { attributes, blocks } }
}

fn relevant(child: Change<'_>) -> Change<'_> {
    if child.relevant.matches_below() { child } else { child.as_unchanged() }
}

fn nested_blocks(change: Change<'_>, nested: &NestedBlock) -> (Vec<(Option<String>, Diff)>, Action) {
    let mut action = change.outer_action();
    let mut items = Vec::new();
    match nested.nesting {
        Nesting::Single | Nesting::Group => {
            let implicit = Change { before_explicit: false, after_explicit: false, ..change };
            let diff = block(implicit, &nested.block);
            action = diff.action;
            items.push((None, diff));
        }
        Nesting::Map => {
            for key in change.keys() {
                let diff = block(change.child(key), &nested.block);
                action = action.and(diff.action);
                items.push((Some(key.clone()), diff));
            }
        }
        Nesting::List | Nesting::Set => {
            let elements: Vec<Change<'_>> = if nested.nesting == Nesting::Set {
                set_pairs(&change).into_iter().map(|step| element(&change, step)).collect()
            } else {
                let (before, after) = (change.elements_before().len(), change.elements_after().len());
                let at = |i: usize| change.element((i < before).then_some(i), (i < after).then_some(i));
                (0..before.max(after)).map(|i| relevant(at(i))).collect()
            };
            for element in elements {
                let diff = block(element, &nested.block);
                action = action.and(diff.action);
                items.push((None, diff));
            }
        }
    }
    (items, action)
}

/// Elements of a relevant collection are relevant as a whole: a list of which only some elements are shown misleads.
fn element<'a>(change: &Change<'a>, step: Pair) -> Change<'a> {
    Change { relevant: Paths::All, ..change.element(step.before, step.after) }
}

/// Pairs equal elements; the rest is removed and added.
fn set_pairs(change: &Change<'_>) -> Vec<Pair> {
    let (before, after) = (change.elements_before(), change.elements_after());
    let mut taken = vec![false; after.len()];
    let mut pairs = Vec::new();
    for (i, old) in before.iter().enumerate() {
        let equal = |(j, new): (usize, &Json)| {
            let free = taken.get(j) == Some(&false);
            let bare = change.element(Some(i), Some(j));
            (free && old == new && !bare.unknown.is_set()).then_some(j)
        };
        let partner = after.iter().enumerate().find_map(equal);
        if let Some(slot) = partner.and_then(|j| taken.get_mut(j)) {
            *slot = true;
        }
        pairs.push(Pair { before: Some(i), after: partner });
    }
    let added = taken.iter().enumerate().filter(|(_, t)| !**t);
    pairs.extend(added.map(|(j, _)| Pair { before: None, after: Some(j) }));
    pairs
}

/// The difference of a value of a type.
pub fn of_type(mut change: Change<'_>, ty: &Type) -> Diff {
    if *ty == Type::String {
        // Older providers can't tell an empty string from a missing one and answer with either.
        change.before = change.before.filter(|b| b.as_str() != Some(""));
        change.after = change.after.filter(|a| a.as_str() != Some(""));
    }
    if let Some(diff) = sensitive(&change, |c| of_type(c, ty)) {
        return diff;
    }
    if let Some(diff) = unknown(&change, Marker::No, |c| of_type(c, ty)) {
        return diff;
    }
    if *ty == Type::Dynamic {
        // Values of dynamic type don't say that they force a replacement.
        return dynamic(Change { replace: Paths::none(), ..change });
    }
    let mut action = change.outer_action();
    let replace = change.replace.matches();
    let kind = match ty {
        Type::Dynamic | Type::Bool | Type::Number | Type::String => return primitive(&change),
        Type::Object(object) => {
            let mut attributes = BTreeMap::new();
            for (name, ty) in &object.attributes {
                let mut child = relevant(change.child(name));
                child.before_explicit = false;
                child.after_explicit = false;
                let absent = child.is_null();
                let diff = of_type(child, ty);
                if diff.action == Action::NoOp && absent {
                    continue;
                }
                action = action.and(diff.action);
                attributes.insert(name.to_string(), diff);
            }
            Kind::Object(attributes)
        }
        Type::Map(ty) => {
            let mut elements = BTreeMap::new();
            for key in change.keys() {
                let diff = of_type(relevant(change.child(key)), ty);
                action = action.and(diff.action);
                elements.insert(key.clone(), diff);
            }
            Kind::Map(elements)
        }
        Type::List(ty) => {
            let comparable = matches!(**ty, Type::Object(_));
            let steps = pair(change.elements_before(), change.elements_after(), |_| comparable);
            Kind::List(elements(&change, steps, ty, &mut action))
        }
        Type::Set(ty) => Kind::Set(elements(&change, set_pairs(&change), ty, &mut action)),
        Type::Tuple(types) => {
            let mut diffs = Vec::new();
            for (i, ty) in types.iter().enumerate() {
                let diff = of_type(relevant(change.element(Some(i), Some(i))), ty);
                action = action.and(diff.action);
                diffs.push(diff);
            }
            Kind::List(diffs)
        }
    };
    Diff { action, replace, kind }
}

fn elements(change: &Change<'_>, steps: Vec<Pair>, ty: &Type, action: &mut Action) -> Vec<Diff> {
    let mut diffs = Vec::new();
    for step in steps {
        let diff = of_type(element(change, step), ty);
        *action = action.and(diff.action);
        diffs.push(diff);
    }
    diffs
}
