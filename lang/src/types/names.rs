//! How types are written: for people, and as constraints.

use std::fmt;

use super::Type;

impl fmt::Display for Type {
    /// Terraform's friendly name: `list of string`, `object`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dynamic => f.write_str("dynamic"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::List(element) => write!(f, "list of {element}"),
            Type::Set(element) => write!(f, "set of {element}"),
            Type::Map(element) => write!(f, "map of {element}"),
            Type::Tuple(_) => f.write_str("tuple"),
            Type::Object(_) => f.write_str("object"),
        }
    }
}

impl Type {
    /// The friendly name where the type is a constraint: `any type` for dynamic, `list of any single type`.
    pub fn constraint_name(&self) -> String {
        match self {
            Type::Dynamic => "any type".to_owned(),
            Type::List(e) => format!("list of {}", e.element_constraint_name()),
            Type::Set(e) => format!("set of {}", e.element_constraint_name()),
            Type::Map(e) => format!("map of {}", e.element_constraint_name()),
            other => other.to_string(),
        }
    }

    fn element_constraint_name(&self) -> String {
        if *self == Type::Dynamic { "any single type".to_owned() } else { self.constraint_name() }
    }

    /// The type as a constraint in the language: `list(string)`, `object({a = optional(number)})`.
    pub fn constraint_string(&self) -> String {
        match self {
            Type::Dynamic => "any".to_owned(),
            Type::Bool | Type::Number | Type::String => self.to_string(),
            Type::List(e) => format!("list({})", e.constraint_string()),
            Type::Set(e) => format!("set({})", e.constraint_string()),
            Type::Map(e) => format!("map({})", e.constraint_string()),
            Type::Tuple(es) => {
                let elements: Vec<_> = es.iter().map(Type::constraint_string).collect();
                format!("tuple([{}])", elements.join(","))
            }
            Type::Object(object) => {
                let attributes: Vec<_> = object
                    .attributes
                    .iter()
                    .map(|(name, ty)| match object.optional.contains(name) {
                        true => format!("{name}=optional({})", ty.constraint_string()),
                        false => format!("{name}={}", ty.constraint_string()),
                    })
                    .collect();
                format!("object({{{}}})", attributes.join(","))
            }
        }
    }
}
