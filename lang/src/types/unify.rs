//! Which types convert to which, and the type that several have in common, by cty's rules.

use std::cmp::Ordering;

use super::Type;

/// Whether every value (safe) or some value (unsafe) of type `given` converts to `wanted`.
pub(crate) fn convertible(given: &Type, wanted: &Type, is_unsafe: bool) -> bool {
    if given == wanted {
        return true;
    }
    match (given, wanted) {
        (_, Type::Dynamic) => true,
        (Type::Dynamic, _) => is_unsafe,
        (Type::Number | Type::Bool, Type::String) => true,
        (Type::String, Type::Number | Type::Bool) => is_unsafe,
        (Type::Object(given), Type::Object(wanted)) => {
            wanted.attributes.iter().all(|(name, wanted_type)| match given.attributes.get(name) {
                Some(given) => convertible(given, wanted_type, is_unsafe),
                None => wanted.optional.contains(name),
            })
        }
        (Type::Tuple(given), Type::Tuple(wanted)) => {
            given.len() == wanted.len() && given.iter().zip(wanted.iter()).all(|(g, w)| convertible(g, w, is_unsafe))
        }
        (Type::List(given) | Type::Set(given), Type::List(wanted)) => convertible(given, wanted, is_unsafe),
        (Type::Set(given), Type::Set(wanted)) => convertible(given, wanted, is_unsafe),
        (Type::List(given), Type::Set(wanted)) => is_unsafe && convertible(given, wanted, is_unsafe),
        (Type::Map(given), Type::Map(wanted)) => convertible(given, wanted, is_unsafe),
        (Type::Tuple(given), Type::List(wanted) | Type::Set(wanted)) => elements_convertible(given, wanted, is_unsafe),
        (Type::Object(given), Type::Map(wanted)) => {
            if **wanted == Type::Dynamic {
                let types: Vec<Type> = given.attributes.values().cloned().collect();
                return types.is_empty() || unify_with(&types, is_unsafe).is_some();
            }
            given.attributes.values().all(|given| convertible(given, wanted, is_unsafe))
        }
        (Type::Map(given), Type::Object(wanted)) => {
            is_unsafe
                && wanted
                    .attributes
                    .iter()
                    .all(|(name, wanted_type)| convertible(given, wanted_type, true) || wanted.optional.contains(name))
        }
        _ => false,
    }
}

fn elements_convertible(given: &[Type], wanted: &Type, is_unsafe: bool) -> bool {
    if given.is_empty() {
        return true;
    }
    if *wanted != Type::Dynamic {
        return given.iter().all(|given| convertible(given, wanted, is_unsafe));
    }
    match unify_with(given, is_unsafe) {
        None => false,
        Some(Type::Dynamic) => given.iter().all(|given| *given == Type::Dynamic),
        Some(common) => given.iter().all(|given| convertible(given, &common, is_unsafe)),
    }
}

/// The most general type that all convert to, with conversions that may fail for some values (string to number).
/// `None` when there is none, or no types. Dynamic when one of several structural types is not known yet.
pub fn unify(types: &[Type]) -> Option<Type> {
    unify_with(types, true)
}

/// The same with conversions that cannot fail only.
pub fn unify_safe(types: &[Type]) -> Option<Type> {
    unify_with(types, false)
}

fn unify_with(types: &[Type], is_unsafe: bool) -> Option<Type> {
    let (first, rest) = types.split_first()?;
    if rest.iter().all(|ty| ty == first) {
        return Some(first.clone());
    }
    let count = |is: fn(&Type) -> bool| types.iter().filter(|ty| is(ty)).count();
    let maps = count(|ty| matches!(ty, Type::Map(_)));
    let lists = count(|ty| matches!(ty, Type::List(_)));
    let sets = count(|ty| matches!(ty, Type::Set(_)));
    let objects = count(|ty| matches!(ty, Type::Object(_)));
    let tuples = count(|ty| matches!(ty, Type::Tuple(_)));
    let dynamics = count(|ty| *ty == Type::Dynamic);
    let total = types.len();
    // One of the structural kinds only, perhaps with types not known yet: then nothing can be said.
    if [maps, lists, sets, objects, tuples].iter().any(|n| *n > 0 && n + dynamics == total) && dynamics > 0 {
        return Some(Type::Dynamic);
    }
    if maps == total || lists == total || sets == total {
        let elements: Vec<Type> = types.iter().filter_map(Type::element).cloned().collect();
        let element = unify_with(&elements, is_unsafe)?;
        let common = match first {
            Type::Map(_) => Type::map(element),
            Type::List(_) => Type::list(element),
            _ => Type::set(element),
        };
        return types.iter().all(|ty| convertible(ty, &common, is_unsafe)).then_some(common);
    }
    if objects == total {
        return unify_objects(types, is_unsafe);
    }
    if tuples == total {
        return unify_tuples(types, is_unsafe);
    }
    if maps > 0
        && maps + objects + dynamics == total
        && let Some(common) = unify_structures(types, is_unsafe, |ty| matches!(ty, Type::Object(_)), objects_as_map)
        && matches!(common, Type::Map(_))
    {
        return Some(common);
    }
    if lists > 0
        && lists + tuples + dynamics == total
        && let Some(common) = unify_structures(types, is_unsafe, |ty| matches!(ty, Type::Tuple(_)), tuples_as_list)
        && matches!(common, Type::List(_))
    {
        return Some(common);
    }
    if objects > 0 && tuples > 0 {
        return None;
    }
    preference(types)
        .into_iter()
        .filter_map(|i| types.get(i))
        .find(|wanted| types.iter().all(|ty| convertible(ty, wanted, is_unsafe)))
        .cloned()
}

/// Replaces the objects (tuples) by the one map (list) that they can all be, and unifies again.
fn unify_structures(
    types: &[Type],
    is_unsafe: bool,
    is_structure: fn(&Type) -> bool,
    as_collection: fn(&[Type], bool) -> Option<Type>,
) -> Option<Type> {
    let structures: Vec<Type> = types.iter().filter(|ty| is_structure(ty)).cloned().collect();
    let collection = as_collection(&structures, is_unsafe)?;
    let types: Vec<Type> =
        types.iter().map(|ty| if is_structure(ty) { collection.clone() } else { ty.clone() }).collect();
    unify_with(&types, is_unsafe)
}

fn unify_objects(types: &[Type], is_unsafe: bool) -> Option<Type> {
    let objects: Vec<_> = types.iter().filter_map(Type::attributes).collect();
    let (first, rest) = objects.split_first()?;
    if !rest.iter().all(|object| object.keys().eq(first.keys())) {
        return objects_as_map(types, is_unsafe);
    }
    let mut attributes = Vec::with_capacity(first.len());
    for name in first.keys() {
        let across: Vec<Type> = objects.iter().filter_map(|object| object.get(name)).cloned().collect();
        attributes.push((name.clone(), unify_with(&across, is_unsafe)?));
    }
    let common = Type::object(attributes);
    if types.iter().all(|ty| convertible(ty, &common, is_unsafe)) {
        Some(common)
    } else {
        objects_as_map(types, is_unsafe)
    }
}

fn objects_as_map(types: &[Type], is_unsafe: bool) -> Option<Type> {
    let all: Vec<Type> = types.iter().filter_map(Type::attributes).flat_map(|a| a.values().cloned()).collect();
    let common = Type::map(unify_with(&all, is_unsafe)?);
    types.iter().all(|ty| convertible(ty, &common, is_unsafe)).then_some(common)
}

fn tuple_elements(ty: &Type) -> &[Type] {
    match ty {
        Type::Tuple(elements) => elements,
        _ => &[],
    }
}

fn unify_tuples(types: &[Type], is_unsafe: bool) -> Option<Type> {
    let length = types.first().map_or(0, |ty| tuple_elements(ty).len());
    if types.iter().any(|ty| tuple_elements(ty).len() != length) {
        return tuples_as_list(types, is_unsafe);
    }
    let mut elements = Vec::with_capacity(length);
    for i in 0..length {
        let across: Vec<Type> = types.iter().filter_map(|ty| tuple_elements(ty).get(i)).cloned().collect();
        elements.push(unify_with(&across, is_unsafe)?);
    }
    let common = Type::tuple(elements);
    if types.iter().all(|ty| convertible(ty, &common, is_unsafe)) {
        Some(common)
    } else {
        tuples_as_list(types, is_unsafe)
    }
}

fn tuples_as_list(types: &[Type], is_unsafe: bool) -> Option<Type> {
    let all: Vec<Type> = types.iter().flat_map(|ty| tuple_elements(ty).iter().cloned()).collect();
    let common = Type::list(unify_with(&all, is_unsafe)?);
    types.iter().all(|ty| convertible(ty, &common, is_unsafe)).then_some(common)
}

/// Indices of the types, more general ones first, otherwise in their order.
fn preference(types: &[Type]) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(types.len());
    let mut waiting: Vec<usize> = (0..types.len()).collect();
    while !waiting.is_empty() {
        let free: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|i| !waiting.iter().any(|j| i != j && generality(types, *j, *i) == Ordering::Less))
            .collect();
        if free.is_empty() {
            break;
        }
        waiting.retain(|i| !free.contains(i));
        order.extend(free);
    }
    order
}

fn generality(types: &[Type], i: usize, j: usize) -> Ordering {
    match (types.get(i), types.get(j)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    }
}

/// Less: `a` is the more general.
fn compare(a: &Type, b: &Type) -> Ordering {
    match (a, b) {
        (Type::Dynamic, Type::Dynamic) => Ordering::Equal,
        (_, Type::Dynamic) => Ordering::Less,
        (Type::Dynamic, _) => Ordering::Greater,
        (Type::String, Type::Bool | Type::Number) => Ordering::Less,
        (Type::Bool | Type::Number, Type::String) => Ordering::Greater,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => compare(a, b),
        // A set is the poorer type: lists and tuples are preferred.
        (Type::Tuple(_) | Type::List(_), Type::Set(_)) => Ordering::Less,
        (Type::Set(_), Type::Tuple(_) | Type::List(_)) => Ordering::Greater,
        (Type::List(_), Type::Tuple(_)) | (Type::Map(_), Type::Object(_)) => Ordering::Less,
        (Type::Tuple(_), Type::List(_)) | (Type::Object(_), Type::Map(_)) => Ordering::Greater,
        (Type::Object(a), Type::Object(b)) if a.attributes.keys().eq(b.attributes.keys()) => {
            one_direction(a.attributes.values().zip(b.attributes.values()))
        }
        (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => one_direction(a.iter().zip(b.iter())),
        _ => Ordering::Equal,
    }
}

fn one_direction<'a>(pairs: impl Iterator<Item = (&'a Type, &'a Type)>) -> Ordering {
    let mut result = Ordering::Equal;
    for (a, b) in pairs {
        match (result, compare(a, b)) {
            (_, Ordering::Equal) => {}
            (Ordering::Equal, order) => result = order,
            (old, order) if old == order => {}
            _ => return Ordering::Equal,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_general_type_wins() {
        assert_eq!(unify(&[Type::Number, Type::String]), Some(Type::String));
        assert_eq!(unify(&[Type::Number, Type::Bool]), None);
        assert_eq!(unify(&[Type::Dynamic, Type::String]), Some(Type::String));
        let a = Type::object([("a", Type::Number)]);
        let b = Type::object([("b", Type::Number)]);
        assert_eq!(unify(&[a.clone(), b]), Some(Type::map(Type::Number)));
        assert_eq!(unify(&[a, Type::tuple([])]), None);
        let pair = Type::tuple([Type::Number, Type::Number]);
        assert_eq!(unify(&[pair.clone(), Type::tuple([Type::String])]), Some(Type::list(Type::String)));
        assert_eq!(unify(&[pair.clone(), Type::list(Type::String)]), Some(Type::list(Type::String)));
        assert_eq!(unify(&[pair, Type::set(Type::String)]), Some(Type::set(Type::String)));
    }
}
