//! Type constraints written as expressions: `list(string)`, `object({a = optional(number, 1)})`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ObjectType, Type, unify};
use crate::Str;
use crate::ast::{CallExpr, Expr, ExprKind, ObjectKey};
use crate::diag::{Diagnostic, Diagnostics};
use crate::eval::{NoScope, evaluate};
use crate::source::Range;
use crate::values::{Entries, Kind, Value};

/// The defaults of optional attributes, wherever they are in a type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Defaults {
    /// Defaults of the attributes of the object type itself.
    values: BTreeMap<Str, Value>,
    /// Defaults further inside.
    inside: Inside,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Inside {
    #[default]
    Nothing,
    /// Of every element of a collection.
    Elements(Box<Defaults>),
    /// Of attributes by name.
    Attributes(BTreeMap<Str, Defaults>),
    /// Of a tuple's elements by position.
    Positions(BTreeMap<usize, Defaults>),
}

impl Defaults {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.inside == Inside::Nothing
    }

    /// The value with defaults in place of missing and null attributes. To be called before the conversion to the type;
    /// null and unknown values stay as they are.
    #[must_use]
    pub fn apply(&self, value: Value) -> Value {
        if self.is_empty() || value.is_null() || !value.is_known() {
            return value;
        }
        let (value, marks) = value.unmark();
        let applied = match &value.kind {
            Kind::List(ty, elements) => self.apply_elements(ty, elements, Value::list),
            Kind::Set(ty, elements) => self.apply_elements(ty, elements, Value::set),
            Kind::Tuple(elements) => Value::tuple(self.each(elements)),
            Kind::Object(attributes) => Value::from_attributes(self.fill(attributes)),
            Kind::Map(ty, entries) => {
                let filled = self.fill(entries);
                let types: Vec<Type> = filled.values().map(Value::ty).collect();
                match common(&types, filled.values()) {
                    None if filled.is_empty() => Value::map(ty.clone(), []),
                    None => Value::from_attributes(filled),
                    Some((ty, elements)) => Value::map(ty, filled.into_keys().zip(elements)),
                }
            }
            _ => value,
        };
        applied.with_marks(marks)
    }

    fn apply_elements(&self, ty: &Type, elements: &[Value], build: fn(Type, Vec<Value>) -> Value) -> Value {
        let applied = self.each(elements);
        let types: Vec<Type> = applied.iter().map(Value::ty).collect();
        match common(&types, applied.iter()) {
            None if applied.is_empty() => build(ty.clone(), applied),
            None => Value::tuple(applied),
            Some((ty, elements)) => build(ty, elements),
        }
    }

    fn each(&self, elements: &[Value]) -> Vec<Value> {
        let apply = |(i, element): (usize, &Value)| match &self.inside {
            Inside::Elements(defaults) => defaults.apply(element.clone()),
            Inside::Positions(positions) => {
                positions.get(&i).map_or_else(|| element.clone(), |defaults| defaults.apply(element.clone()))
            }
            Inside::Nothing | Inside::Attributes(_) => element.clone(),
        };
        elements.iter().enumerate().map(apply).collect()
    }

    fn fill(&self, entries: &Entries) -> BTreeMap<Str, Value> {
        let inside = |name: &Str| match &self.inside {
            Inside::Elements(defaults) => Some(&**defaults),
            Inside::Attributes(attributes) => attributes.get(name),
            Inside::Nothing | Inside::Positions(_) => None,
        };
        let apply = |name: &Str, value: &Value| match inside(name) {
            Some(defaults) => defaults.apply(value.clone()),
            None => value.clone(),
        };
        let mut filled: BTreeMap<Str, Value> =
            entries.iter().map(|(name, value)| (name.clone(), apply(name, value))).collect();
        for (name, default) in &self.values {
            if filled.get(name).is_none_or(Value::is_null) {
                filled.insert(name.clone(), apply(name, default));
            }
        }
        filled
    }
}

/// The values converted to the type that they have in common.
fn common<'a>(types: &[Type], values: impl Iterator<Item = &'a Value>) -> Option<(Type, Vec<Value>)> {
    let ty = unify(types)?;
    let converted = values.map(|value| value.convert(&ty).ok()).collect::<Option<Vec<_>>>()?;
    Some((ty, converted))
}

/// Reads the type of a variable. `list` and `map` alone mean `list(any)` and `map(any)`, as they did long ago; a quoted
/// type is an error that says what to write instead. After an error the type is dynamic where it is wrong.
pub fn parse_constraint(expr: &Expr) -> (Type, Defaults, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    if let ExprKind::String(text) = &expr.kind
        && !expr.json
    {
        diagnostics.push(quoted(text, expr.range));
        return (Type::Dynamic, Defaults::default(), diagnostics);
    }
    let (ty, defaults) = match expr.as_keyword() {
        Some("list") => (Type::list(Type::Dynamic), Defaults::default()),
        Some("map") => (Type::map(Type::Dynamic), Defaults::default()),
        _ => constraint(expr, &mut diagnostics),
    };
    (ty, defaults, diagnostics)
}

fn quoted(text: &str, range: Range) -> Diagnostic {
    let rest = match text {
        "string" => "Remove the quotes around \"string\".",
        "list" => {
            "Remove the quotes around \"list\" and write list(string) instead to explicitly indicate that the list elements are strings."
        }
        "map" => {
            "Remove the quotes around \"map\" and write map(string) instead to explicitly indicate that the map elements are strings."
        }
        _ => {
            let detail = "To provide a full type expression, remove the surrounding quotes and give the type expression directly.";
            return Diagnostic::error("Invalid legacy variable type hint", detail).at(range);
        }
    };
    let detail = format!(
        "Terraform 0.11 and earlier required type constraints to be given in quotes, but that form is now deprecated and will be removed in a future version of Terraform. {rest}"
    );
    Diagnostic::error("Invalid quoted type constraints", detail).at(range)
}

const INVALID: &str = "Invalid type specification";

fn constructor_usage(name: &str) -> String {
    match name {
        "object" => {
            "The object type constructor requires one argument specifying the attribute types and values as a map."
                .to_owned()
        }
        "tuple" => {
            "The tuple type constructor requires one argument specifying the element types as a list.".to_owned()
        }
        name => format!("The {name} type constructor requires one argument specifying the element type."),
    }
}

fn constraint(expr: &Expr, diagnostics: &mut Diagnostics) -> (Type, Defaults) {
    stacker::maybe_grow(128 * 1024, 2 * 1024 * 1024, || read(expr, diagnostics))
}

fn read(expr: &Expr, diagnostics: &mut Diagnostics) -> (Type, Defaults) {
    let nothing = (Type::Dynamic, Defaults::default());
    let invalid = |detail: String| Diagnostic::error(INVALID, detail).at(expr.range);
    if let Some(keyword) = expr.as_keyword() {
        let ty = match keyword {
            "bool" => Type::Bool,
            "string" => Type::String,
            "number" => Type::Number,
            "any" => Type::Dynamic,
            "list" | "map" | "set" | "object" | "tuple" => {
                diagnostics.push(invalid(constructor_usage(keyword)));
                Type::Dynamic
            }
            keyword => {
                diagnostics.push(invalid(format!("The keyword {keyword:?} is not a valid type specification.")));
                Type::Dynamic
            }
        };
        return (ty, Defaults::default());
    }
    let from_text = expr.from_json_text().and_then(|(expr, problems)| problems.is_empty().then_some(expr));
    let Some(call) = from_text.as_ref().unwrap_or(expr).static_call() else {
        diagnostics.push(invalid("A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).".to_owned()));
        return nothing;
    };
    let arguments = Range { start: call.name_range.end, ..call.name_range }.to(call.close);
    let name = call.name.as_str();
    match name {
        "bool" | "string" | "number" => {
            let detail = format!("Primitive type keyword {name:?} does not expect arguments.");
            diagnostics.push(Diagnostic::error(INVALID, detail).at(arguments));
            return nothing;
        }
        "any" => {
            let detail = format!("Type constraint keyword {name:?} does not expect arguments.");
            diagnostics.push(Diagnostic::error(INVALID, detail).at(arguments));
            return nothing;
        }
        "optional" => {
            let detail = format!("Keyword {name:?} is valid only as a modifier for object type attributes.");
            diagnostics.push(Diagnostic::error(INVALID, detail).at(call.name_range));
            return nothing;
        }
        "list" | "set" | "map" | "object" | "tuple" => {}
        _ => {
            diagnostics.push(invalid(format!("Keyword {name:?} is not a valid type constructor.")));
            return nothing;
        }
    }
    let argument = match &call.arguments[..] {
        [argument] => argument,
        given => {
            let subject = match given {
                [_, extra, ..] => extra.range.to(given.last().map_or(extra.range, |last| last.range)),
                _ => arguments,
            };
            let diagnostic = Diagnostic::error(INVALID, constructor_usage(name)).at(subject).within(arguments);
            diagnostics.push(diagnostic);
            return nothing;
        }
    };
    let collection = |build: fn(Type) -> Type, diagnostics: &mut Diagnostics| {
        let (element, defaults) = constraint(argument, diagnostics);
        let inside = if defaults.is_empty() { Inside::Nothing } else { Inside::Elements(Box::new(defaults)) };
        (build(element), Defaults { values: BTreeMap::new(), inside })
    };
    match name {
        "list" => collection(Type::list, diagnostics),
        "set" => collection(Type::set, diagnostics),
        "map" => collection(Type::map, diagnostics),
        "tuple" => tuple(argument, expr, diagnostics),
        _ => object(argument, expr, diagnostics),
    }
}

fn tuple(argument: &Expr, whole: &Expr, diagnostics: &mut Diagnostics) -> (Type, Defaults) {
    let Some(elements) = argument.static_list() else {
        let detail = "Tuple type constructor requires a list of element types.";
        diagnostics.push(Diagnostic::error(INVALID, detail).at(argument.range).within(whole.range));
        return (Type::Dynamic, Defaults::default());
    };
    let mut positions = BTreeMap::new();
    let mut types = Vec::with_capacity(elements.len());
    for (i, element) in elements.iter().enumerate() {
        let (ty, defaults) = constraint(element, diagnostics);
        types.push(ty);
        if !defaults.is_empty() {
            positions.insert(i, defaults);
        }
    }
    let inside = if positions.is_empty() { Inside::Nothing } else { Inside::Positions(positions) };
    (Type::tuple(types), Defaults { values: BTreeMap::new(), inside })
}

fn object(argument: &Expr, whole: &Expr, diagnostics: &mut Diagnostics) -> (Type, Defaults) {
    let Some(items) = argument.static_object() else {
        let detail = "Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.";
        diagnostics.push(Diagnostic::error(INVALID, detail).at(argument.range).within(whole.range));
        return (Type::Dynamic, Defaults::default());
    };
    let mut attributes = BTreeMap::new();
    let mut optional = BTreeSet::new();
    let mut values = BTreeMap::new();
    let mut inside = BTreeMap::new();
    for item in items {
        let (name, range) = match &item.key {
            ObjectKey::Name(name, range) => (Some(name.clone()), *range),
            ObjectKey::Expr(key) => (key.as_keyword().map(Str::new), key.range),
        };
        let Some(name) = name else {
            let detail = "Object constructor map keys must be attribute names.";
            diagnostics.push(Diagnostic::error(INVALID, detail).at(range).within(whole.range));
            continue;
        };
        if attributes.contains_key(&name) {
            let detail = "Object constructor map keys must be unique.";
            diagnostics.push(Diagnostic::error(INVALID, detail).at(range).within(whole.range));
            continue;
        }
        let modifier = item.value.static_call().filter(|call| call.name == "optional");
        let mut ty_expr = &item.value;
        let mut default = None;
        if let Some(call) = modifier {
            let Some((ty, rest)) = call.arguments.split_first() else {
                diagnostics.push(optional_usage(
                    call,
                    &item.value,
                    "Optional attribute modifier requires the attribute type as its argument.",
                ));
                continue;
            };
            match rest {
                [] => {}
                [value] => default = Some(value),
                _ => diagnostics.push(optional_usage(
                    call,
                    &item.value,
                    "Optional attribute modifier expects at most two arguments: the attribute type, and a default value.",
                )),
            }
            optional.insert(name.clone());
            ty_expr = ty;
        }
        let (ty, defaults) = constraint(ty_expr, diagnostics);
        if let Some(expr) = default {
            values.insert(name.clone(), default_value(expr, &ty, &defaults, diagnostics));
        }
        if !defaults.is_empty() {
            inside.insert(name.clone(), defaults);
        }
        attributes.insert(name, ty);
    }
    let inside = if inside.is_empty() { Inside::Nothing } else { Inside::Attributes(inside) };
    (Type::Object(Arc::new(ObjectType { attributes, optional })), Defaults { values, inside })
}

fn optional_usage(call: &CallExpr, value: &Expr, detail: &str) -> Diagnostic {
    let arguments = Range { start: call.name_range.end, ..call.name_range }.to(call.close);
    Diagnostic::error(INVALID, detail).at(arguments).within(value.range)
}

fn default_value(expr: &Expr, ty: &Type, defaults: &Defaults, diagnostics: &mut Diagnostics) -> Value {
    let value = evaluate(expr, &NoScope, diagnostics);
    match value.convert(ty) {
        // What the conversion fills with null, the defaults inside may fill with something better.
        Ok(converted) => {
            if converted.is_null() {
                converted
            } else {
                defaults.apply(converted)
            }
        }
        Err(error) => {
            let detail = format!("This default value is not compatible with the attribute's type constraint: {error}.");
            diagnostics.push(Diagnostic::error("Invalid default value for optional attribute", detail).at(expr.range));
            Value::unknown(ty.without_optional())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;
    use crate::syntax::parse_expression;

    fn parse(text: &str) -> (Type, Defaults, Diagnostics) {
        let (expr, diagnostics) = parse_expression(&Sources::new(), "t.tf", text);
        assert!(diagnostics.is_empty());
        parse_constraint(&expr)
    }

    fn value(text: &str) -> Value {
        let (expr, _) = parse_expression(&Sources::new(), "t.tf", text);
        evaluate(&expr, &NoScope, &mut Diagnostics::new())
    }

    #[test]
    fn constraints() {
        for text in [
            "string",
            "any",
            "list(any)",
            "map(set(number))",
            "tuple([bool,string])",
            "object({a=number,b=optional(string)})",
        ] {
            let (ty, _, diagnostics) = parse(text);
            assert!(diagnostics.is_empty(), "{text}");
            assert_eq!(ty.constraint_string(), text);
        }
        assert_eq!(parse("list").0, Type::list(Type::Dynamic));
    }

    #[test]
    fn defaults_fill_missing_and_null_attributes() {
        let (ty, defaults, _) =
            parse("list(object({a=optional(string,\"x\"),b=optional(object({c=optional(number,1)}),{})}))");
        let applied = defaults.apply(value("[{a=null},{b={c=2}}]")).convert(&ty).unwrap();
        let wanted = value("[{a=\"x\",b={c=1}},{a=\"x\",b={c=2}}]").convert(&ty).unwrap();
        assert_eq!(applied, wanted);
    }

    #[test]
    fn wrong_constraints() {
        let table = [
            ("\"string\"", "Invalid quoted type constraints"),
            ("\"number\"", "Invalid legacy variable type hint"),
            ("list()", INVALID),
            ("list(string, number)", INVALID),
            ("string()", INVALID),
            ("text", INVALID),
            ("optional(string)", INVALID),
            ("object({a=optional()})", INVALID),
            ("object({a=optional(number,\"x\")})", "Invalid default value for optional attribute"),
            ("object({a=optional(number,var.x)})", "Variables not allowed"),
            ("1 + 1", INVALID),
        ];
        for (text, summary) in table {
            let (_, _, diagnostics) = parse(text);
            assert_eq!(diagnostics.iter().next().map(Diagnostic::summary), Some(summary), "{text}");
        }
    }
}
