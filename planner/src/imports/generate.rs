//! Configuration for an imported object, as Terraform writes it: every argument that can be set, in the order of names.

use lang::addr::Resource;
use lang::syntax::{format, is_identifier};
use lang::values::{Kind, Marks};
use lang::{Type, Value};
use sdk::{Attribute, Block, NestedBlock, Nesting};

/// The `resource` block that describes `object`. `provider`: what its `provider` argument says.
pub(super) fn resource(resource: &Resource, schema: &Block, object: &Value, provider: Option<&str>) -> String {
    let mut out = format!("resource {} {} {{\n", lang::addr::quote(&resource.kind), lang::addr::quote(&resource.name));
    if let Some(provider) = provider {
        out.push_str(&format!("provider = {provider}\n"));
    }
    write_body(schema, object, &mut out);
    out.push('}');
    String::from_utf8_lossy(&format(out.as_bytes())).into_owned()
}

fn write_body(schema: &Block, object: &Value, out: &mut String) {
    for (name, attribute) in schema.attributes.iter().filter(|(name, attribute)| may_be_set(name, attribute)) {
        let absent = Value::null(attribute.ty.clone());
        let value = object.get(name).unwrap_or(&absent);
        out.push_str(&format!("{name} = "));
        if attribute.sensitive || value.marks.contains(Marks::SENSITIVE) {
            out.push_str("null # sensitive");
        } else {
            write_argument(attribute, value, out);
        }
        out.push('\n');
    }
    for (name, nested) in schema.blocks.iter().filter(|(_, nested)| nested.block.deprecated.is_none()) {
        write_blocks(name, nested, object.get(name), out);
    }
}

/// Whether an attribute is written: `id` is taken for that of the legacy SDK, which no configuration sets.
fn may_be_set(name: &str, attribute: &Attribute) -> bool {
    let settable = attribute.required || attribute.optional;
    settable && attribute.deprecated.is_none() && !(name == "id" && attribute.computed)
}

fn write_argument(attribute: &Attribute, value: &Value, out: &mut String) {
    match value.as_str() {
        // The legacy SDK stores an argument that is not set as an empty string.
        Some(text) if text.is_empty() && attribute.optional => out.push_str("null"),
        Some(text) => match document(text) {
            Some(document) => {
                out.push_str("jsonencode(");
                write_value(&document, out);
                out.push(')');
            }
            None => write_value(value, out),
        },
        None => write_value(value, out),
    }
}

/// The value of a text that is a JSON object or array.
fn document(text: &str) -> Option<Value> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    (json.is_object() || json.is_array()).then(|| Value::from_plain_json(&json))
}

fn write_blocks(name: &str, nested: &NestedBlock, value: Option<&Value>, out: &mut String) {
    let absent = Value::null(Type::Dynamic);
    let value = value.unwrap_or(&absent);
    if value.marks.contains(Marks::SENSITIVE) {
        out.push_str(&format!("{name} {{ # sensitive\n}}\n"));
        return;
    }
    let mut block = |label: &str, object: &Value| {
        out.push_str(&format!("{name}{label} {{\n"));
        write_body(&nested.block, object, out);
        out.push_str("}\n");
    };
    match nested.nesting {
        _ if value.is_null() => {}
        Nesting::Single | Nesting::Group => block("", value),
        Nesting::List | Nesting::Set => value.elements().unwrap_or_default().iter().for_each(|e| block("", e)),
        Nesting::Map => {
            let entries = value.entries().into_iter().flatten();
            entries.for_each(|(key, element)| block(&format!(" {}", lang::addr::quote(key)), element));
        }
    }
}

fn write_value(value: &Value, out: &mut String) {
    match &value.kind {
        Kind::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Kind::Number(number) => out.push_str(&number.to_string()),
        Kind::String(text) => write_string(text, out),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { ", " });
                write_value(element, out);
            }
            out.push(']');
        }
        Kind::Map(_, entries) | Kind::Object(entries) if entries.is_empty() => out.push_str("{}"),
        Kind::Map(_, entries) | Kind::Object(entries) => {
            out.push_str("{\n");
            for (key, value) in entries.iter() {
                if is_identifier(key) {
                    out.push_str(key);
                } else {
                    write_string(key, out);
                }
                out.push_str(" = ");
                write_value(value, out);
                out.push('\n');
            }
            out.push('}');
        }
        Kind::Null(_) | Kind::Unknown(..) => out.push_str("null"),
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lang::addr::Mode;

    use super::*;

    #[test]
    fn arguments_are_written_as_terraform_writes_them() {
        let optional = |ty| Attribute { optional: true, ..Attribute::new(ty) };
        let attributes = BTreeMap::from([
            ("arn".into(), Attribute { computed: true, ..Attribute::new(Type::String) }),
            ("id".into(), Attribute { computed: true, ..optional(Type::String) }),
            ("description".into(), optional(Type::String)),
            ("password".into(), Attribute { sensitive: true, ..optional(Type::String) }),
            ("policy".into(), optional(Type::String)),
            ("ports".into(), optional(Type::list(Type::Number))),
            ("tags".into(), optional(Type::map(Type::String))),
            ("old".into(), Attribute { deprecated: Some("".into()), ..optional(Type::String) }),
        ]);
        let nested = NestedBlock {
            nesting: Nesting::List,
            min: 0,
            max: 0,
            computed: false,
            force_new: false,
            block: Block::new(BTreeMap::from([("from".into(), optional(Type::String))]), BTreeMap::new()),
        };
        let schema = Block::new(attributes, BTreeMap::from([("rule".into(), nested)]));
        let object = Value::object([
            ("id", Value::string("x")),
            ("description", Value::string("")),
            ("password", Value::string("secret")),
            ("policy", Value::string("{\"Version\": \"2012\", \"n\": [1]}")),
            ("ports", Value::list(Type::Number, [Value::from(1), Value::from(2)])),
            ("tags", Value::map(Type::String, [("a b".into(), Value::string("${x}\n"))])),
            ("rule", Value::list(Type::Dynamic, [Value::object([("from", Value::string("here"))])])),
        ]);
        let address = Resource { mode: Mode::Managed, kind: "sim_thing".into(), name: "a".into() };
        let expected = r#"resource "sim_thing" "a" {
  provider    = sim.west
  description = null
  password    = null # sensitive
  policy = jsonencode({
    Version = "2012"
    n       = [1]
  })
  ports = [1, 2]
  tags = {
    "a b" = "$${x}\n"
  }
  rule {
    from = "here"
  }
}"#;
        assert_eq!(resource(&address, &schema, &object, Some("sim.west")), expected);
    }
}
