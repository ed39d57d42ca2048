//! The functions of the built-in provider `terraform`: `encode_tfvars`, `decode_tfvars`, `encode_expr`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::arguments::{any, string};
use super::templates::describe;
use super::{CallError, Function, Param};
use crate::Str;
use crate::eval::{NoScope, evaluate};
use crate::quoting::go_quote;
use crate::source::Sources;
use crate::syntax;
use crate::types::Type;
use crate::values::{Kind, Refinement, Value};
use crate::{Diagnostics, values::Number};

/// The functions of the provider, to be added with [`super::Functions::provide`] under its local name.
pub fn functions() -> Vec<Arc<Function>> {
    let encode_tfvars = Function::new(
        "encode_tfvars",
        "Writes an object as the content of a `.tfvars` file.",
        Type::String,
        |a, _, _| encode_variables(any(a, 0)?),
    )
    .param(Param::new("value", Type::Dynamic).unknown().about("An object whose attributes are the variables."));
    let decode_tfvars = Function::new(
        "decode_tfvars",
        "Reads the content of a `.tfvars` file as an object.",
        Type::Dynamic,
        |a, _, _| decode_variables(string(a, 0)?),
    )
    .param(Param::new("src", Type::String).about("The content of the file."))
    .nullable();
    let encode_expr = Function::new("encode_expr", "Writes a value as an expression.", Type::String, |a, _, _| {
        let value = any(a, 0)?;
        if value.is_wholly_known() {
            return encode_expression(value).map(Value::string);
        }
        let prefix = match value.ty() {
            _ if !value.is_definitely_not_null() => None,
            Type::Object(_) | Type::Map(_) => Some("{"),
            Type::Tuple(_) | Type::List(_) | Type::Set(_) => Some("["),
            Type::String => Some("\""),
            _ => None,
        };
        let refinement = Refinement { prefix: prefix.map(Str::from), ..Refinement::not_null() };
        Ok(Value::unknown(Type::String).refine(refinement))
    })
    .param(Param::new("value", Type::Dynamic).unknown().about("The value."));
    [encode_tfvars, decode_tfvars, encode_expr].into_iter().map(Arc::new).collect()
}

fn encode_variables(value: &Value) -> Result<Value, CallError> {
    if !value.is_wholly_known() {
        return Ok(Value::unknown(Type::String));
    }
    // These errors blame an argument that does not exist, as Terraform's do: they are errors of the call.
    let entries = value.entries().ok_or_else(|| {
        CallError::new(
            "invalid value to encode: must be an object whose attribute names will become the encoded variable names",
        )
    })?;
    let mut writer = Writer::default();
    for (name, value) in entries {
        if !syntax::is_identifier(name) {
            return Err(CallError::new(format_args!(
                "invalid variable name {}: must be a valid identifier, per Terraform's rules for input variable declarations",
                go_quote(name)
            )));
        }
        writer.attribute(name, value)?;
    }
    Ok(Value::string(writer.finish()))
}

fn encode_expression(value: &Value) -> Result<String, CallError> {
    let mut writer = Writer::default();
    writer.value(value)?;
    writer.end_line();
    Ok(writer.finish().trim().to_owned())
}

fn decode_variables(text: &str) -> Result<Value, CallError> {
    let sources = Sources::new();
    let failed = |what: &str, diagnostics: &Diagnostics| {
        CallError::new(format_args!("invalid {what}: {}", describe(diagnostics, &sources)))
    };
    let (body, _, diagnostics) =
        syntax::parse_file(&sources, Path::new("<decode_tfvars argument>"), text.as_bytes().to_vec());
    if diagnostics.has_errors() {
        return Err(failed("tfvars syntax", &diagnostics));
    }
    let (attributes, diagnostics) = body.just_attributes();
    if diagnostics.has_errors() {
        return Err(failed("tfvars content", &diagnostics));
    }
    let mut values: BTreeMap<Str, Value> = BTreeMap::new();
    for attribute in attributes {
        let mut diagnostics = Diagnostics::new();
        let value = evaluate(&attribute.expr, &NoScope, &mut diagnostics);
        if diagnostics.has_errors() {
            return Err(failed(&format!("expression for variable {}", go_quote(&attribute.name)), &diagnostics));
        }
        values.insert(attribute.name.clone(), value);
    }
    Ok(Value::object(values))
}

/// A line of an expression before it is laid out.
#[derive(Default)]
struct Line {
    /// `name`, where the line has one.
    name: Option<String>,
    text: String,
    /// Opening less closing brackets.
    brackets: i32,
}

/// Writes values and lays the lines out as `fmt` does: indented, equals signs of neighbouring lines aligned.
#[derive(Default)]
struct Writer {
    lines: Vec<Line>,
    line: Line,
}

impl Writer {
    fn end_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
    }

    fn open(&mut self, bracket: char) {
        self.line.text.push(bracket);
        self.line.brackets += 1;
    }

    fn close(&mut self, bracket: char) {
        self.line.text.push(bracket);
        self.line.brackets -= 1;
    }

    fn attribute(&mut self, name: &str, value: &Value) -> Result<(), CallError> {
        self.line.name = Some(if syntax::is_identifier(name) { name.to_owned() } else { quoted(name) });
        self.value(value)?;
        self.end_line();
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), CallError> {
        stacker::maybe_grow(64 << 10, 1 << 20, || match &value.kind {
            Kind::Null(_) => {
                self.line.text.push_str("null");
                Ok(())
            }
            Kind::Unknown(..) => Err(CallError::new("the value is not known")),
            Kind::Bool(b) => {
                self.line.text.push_str(if *b { "true" } else { "false" });
                Ok(())
            }
            Kind::Number(number) => {
                self.line.text.push_str(&number_text(number));
                Ok(())
            }
            Kind::String(text) => {
                self.line.text.push_str(&quoted(text));
                Ok(())
            }
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                self.open('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        self.line.text.push_str(", ");
                    }
                    self.value(element)?;
                }
                self.close(']');
                Ok(())
            }
            Kind::Map(_, entries) | Kind::Object(entries) => {
                self.open('{');
                if !entries.is_empty() {
                    self.end_line();
                    for (name, element) in entries.iter() {
                        self.attribute(name, element)?;
                    }
                }
                self.close('}');
                Ok(())
            }
        })
    }

    fn finish(self) -> String {
        let mut widths = vec![0; self.lines.len()];
        let aligned = |line: &Line| line.name.is_some() && line.brackets == 0;
        let width = |line: &Line| line.name.as_ref().map_or(0, |n| super::text::grapheme_count(n));
        let mut start = 0;
        while start < self.lines.len() {
            let length = self.lines.iter().skip(start).take_while(|l| aligned(l)).count();
            let widest = self.lines.iter().skip(start).take(length).map(width).max().unwrap_or(0);
            widths.iter_mut().skip(start).take(length).for_each(|w| *w = widest);
            start += length.max(1);
        }
        let mut out = String::new();
        // Each line that leaves brackets open indents those that follow by one step, however many it opens.
        let mut open: Vec<i32> = Vec::new();
        for (line, widest) in self.lines.iter().zip(widths) {
            let mut closed = -line.brackets;
            while closed > 0 {
                match open.last_mut() {
                    Some(last) if closed < *last => {
                        *last -= closed;
                        closed = 0;
                    }
                    Some(last) => {
                        closed -= *last;
                        open.pop();
                    }
                    None => closed = 0,
                }
            }
            out.push_str(&"  ".repeat(open.len()));
            if let Some(name) = &line.name {
                out.push_str(name);
                out.push_str(&" ".repeat(widest.saturating_sub(width(line))));
                out.push_str(" = ");
            }
            out.push_str(&line.text);
            out.push('\n');
            if line.brackets > 0 {
                open.push(line.brackets);
            }
        }
        out
    }
}

fn number_text(number: &Number) -> String {
    if number.is_zero() && number.is_negative() { "-0".to_owned() } else { number.to_string() }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '$' | '%' if rest.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}')
                || (c != ' ' && c.is_whitespace()) =>
            {
                let code = c as u32;
                out.push_str(&if code < 0x10000 { format!("\\u{code:04x}") } else { format!("\\U{code:08x}") });
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let inner = Value::object([("k v", Value::number(1i64)), ("ok", Value::string("${x}\u{1}"))]);
        let list = Value::tuple([inner.clone(), inner.clone()]);
        let value = Value::object([("a", Value::NULL_DYNAMIC), ("bcd", Value::tuple([])), ("l", list), ("m", inner)]);
        let text = encode_variables(&value).unwrap();
        let expected = r#"a   = null
bcd = []
l = [{
  "k v" = 1
  ok    = "$${x}\u0001"
  }, {
  "k v" = 1
  ok    = "$${x}\u0001"
}]
m = {
  "k v" = 1
  ok    = "$${x}\u0001"
}
"#;
        assert_eq!(text.as_str().unwrap(), expected);
        assert!(decode_variables(expected).unwrap().raw_equals(&value));
        assert!(decode_variables("a = b").is_err());
        assert!(decode_variables("a {}").is_err());
    }
}
