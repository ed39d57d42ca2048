//! Values as `output` and the console print them: in the language's own syntax, with conversions where the type is not
//! plain from the text.

use lang::values::{Entries, Kind};
use lang::{Marks, Type, Value};

use lang::quoting::go_quote;

/// The text of a value, `indent` columns deep; the first line without indentation, no line break at the end.
pub fn format_value(value: &Value, indent: usize) -> String {
    if value.marks.contains(Marks::SENSITIVE) {
        return "(sensitive value)".to_owned();
    }
    match &value.kind {
        Kind::Unknown(..) => "(known after apply)".to_owned(),
        Kind::Null(ty) => match ty {
            Type::String => "tostring(null)".to_owned(),
            Type::Number => "tonumber(null)".to_owned(),
            Type::Bool => "tobool(null)".to_owned(),
            Type::List(_) => "tolist(null)".to_owned(),
            Type::Set(_) => "toset(null)".to_owned(),
            Type::Map(_) => "tomap(null)".to_owned(),
            Type::Dynamic | Type::Tuple(_) | Type::Object(_) => "null".to_owned(),
        },
        Kind::Bool(b) => b.to_string(),
        Kind::Number(n) => n.to_string(),
        Kind::String(text) => format_string(text, indent),
        Kind::List(_, elements) => format!("tolist({})", sequence(elements, indent)),
        Kind::Set(_, elements) => format!("toset({})", sequence(elements, indent)),
        Kind::Tuple(elements) => sequence(elements, indent),
        Kind::Map(_, entries) => format!("tomap({})", mapping(entries, indent)),
        Kind::Object(entries) => mapping(entries, indent),
    }
}

fn format_string(text: &str, indent: usize) -> String {
    if !text.contains('\n') {
        return go_quote(text);
    }
    // The marker must not occur in the text.
    let mut marker = "EOT".to_owned();
    let lines: Vec<&str> = text.split('\n').collect();
    while lines.iter().any(|line| line.trim() == marker) {
        marker.push('_');
    }
    let margin = " ".repeat(indent);
    let operator = if indent > 0 { "<<-" } else { "<<" };
    let mut out = format!("{operator}{marker}\n");
    for line in lines {
        out.push_str(&format!("{margin}{line}\n"));
    }
    format!("{out}{margin}{marker}")
}

fn sequence(elements: &[Value], indent: usize) -> String {
    if elements.is_empty() {
        return "[]".to_owned();
    }
    let margin = " ".repeat(indent + 2);
    let lines: String = elements.iter().map(|e| format!("{margin}{},\n", format_value(e, indent + 2))).collect();
    format!("[\n{lines}{}]", " ".repeat(indent))
}

fn mapping(entries: &Entries, indent: usize) -> String {
    if entries.is_empty() {
        return "{}".to_owned();
    }
    let margin = " ".repeat(indent + 2);
    let lines: String = entries
        .iter()
        .map(|(key, value)| format!("{margin}{} = {}\n", go_quote(key), format_value(value, indent + 2)))
        .collect();
    format!("{{\n{lines}{}}}", " ".repeat(indent))
}
