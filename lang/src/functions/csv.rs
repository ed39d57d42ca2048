//! `csvdecode`: RFC 4180, strict about quotes and the number of fields.

use std::collections::BTreeMap;

use super::arguments::{any, string};
use super::{CallError, Function, FunctionTable, Param};
use crate::Str;
use crate::quoting::go_quote;
use crate::types::Type;
use crate::values::Value;

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new(
            "csvdecode",
            "`csvdecode` reads a table of comma-separated values whose first row has the names.",
            Type::Dynamic,
            |a, ty, _| decode(string(a, 0)?, ty),
        )
        .param(Param::new("str", Type::String))
        .returns_by(table_type),
    ]
}

fn table_type(arguments: &[Value], _: &dyn FunctionTable) -> Result<Type, CallError> {
    let Some(text) = any(arguments, 0)?.as_str() else { return Ok(Type::Dynamic) };
    let mut attributes: BTreeMap<Str, Type> = BTreeMap::new();
    for name in header(&mut Records::new(text))? {
        if attributes.insert(Str::from(&name), Type::String).is_some() {
            return Err(CallError::new(format_args!("duplicate column name {}", go_quote(&name))));
        }
    }
    Ok(Type::list(Type::object(attributes)))
}

fn header(records: &mut Records<'_>) -> Result<Vec<String>, CallError> {
    records.next().unwrap_or_else(|| Err(CallError::new("missing header line")))
}

fn decode(text: &str, ty: &Type) -> Result<Value, CallError> {
    let mut records = Records::new(text);
    let names = header(&mut records)?;
    let mut rows = Vec::new();
    while let Some(record) = records.next() {
        let record = record?;
        if record.len() != names.len() {
            return Err(records.error("wrong number of fields"));
        }
        rows.push(Value::object(names.iter().map(Str::from).zip(record.into_iter().map(Value::string))));
    }
    Ok(Value::list(ty.element().cloned().unwrap_or(Type::Dynamic), rows))
}

/// The records of a text; empty lines are none.
struct Records<'a> {
    rest: &'a str,
    line: usize,
    /// The line on which the last record began.
    start: usize,
}

impl<'a> Records<'a> {
    fn new(text: &'a str) -> Records<'a> {
        Records { rest: text, line: 0, start: 0 }
    }

    fn error(&self, why: &str) -> CallError {
        CallError::new(format_args!("CSV parse error on line {}: {why}", self.start))
    }

    /// The next line without its end, and whether it had one.
    fn line(&mut self) -> Option<(&'a str, bool)> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (line, rest, ended) = match self.rest.split_once('\n') {
            Some((line, rest)) => (line, rest, true),
            None => (self.rest, "", false),
        };
        self.rest = rest;
        Some((line.strip_suffix('\r').unwrap_or(line), ended))
    }

    fn record(&mut self, mut line: &'a str, mut ended: bool) -> Result<Vec<String>, CallError> {
        let mut fields = Vec::new();
        loop {
            let Some(quoted) = line.strip_prefix('"') else {
                let (field, rest) = line.split_once(',').map_or((line, None), |(f, r)| (f, Some(r)));
                if field.contains('"') {
                    return Err(self.error("bare \" in non-quoted-field"));
                }
                fields.push(field.to_owned());
                match rest {
                    Some(rest) => line = rest,
                    None => return Ok(fields),
                }
                continue;
            };
            line = quoted;
            let mut field = String::new();
            loop {
                let Some((text, rest)) = line.split_once('"') else {
                    field.push_str(line);
                    let Some((following, following_ended)) = self.line().filter(|_| ended) else {
                        // Go blames the line where the text ends.
                        let why = "extraneous or missing \" in quoted-field";
                        return Err(CallError::new(format_args!("CSV parse error on line {}: {why}", self.line)));
                    };
                    field.push('\n');
                    (line, ended) = (following, following_ended);
                    continue;
                };
                field.push_str(text);
                line = rest;
                if let Some(rest) = line.strip_prefix('"') {
                    field.push('"');
                    line = rest;
                } else if let Some(rest) = line.strip_prefix(',') {
                    fields.push(field);
                    line = rest;
                    break;
                } else if line.is_empty() {
                    fields.push(field);
                    return Ok(fields);
                } else {
                    return Err(self.error("extraneous or missing \" in quoted-field"));
                }
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Vec<String>, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (line, ended) = self.line()?;
            if !line.is_empty() {
                self.start = self.line;
                return Some(self.record(line, ended));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let read = |text: &str| Records::new(text).collect::<Result<Vec<_>, _>>().ok().map(|r| format!("{r:?}"));
        for (text, expected) in [
            ("a,b\r\n\n1,\"x\r\ny\"\"z\"\n", Some(r#"[["a", "b"], ["1", "x\ny\"z"]]"#)),
            ("a,", Some(r#"[["a", ""]]"#)),
            ("\"a\",\"\"", Some(r#"[["a", ""]]"#)),
            ("a\"b", None),
            ("\"a", None),
            ("\"a\"b", None),
            ("", Some("[]")),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text:?}");
        }
    }
}
