//! `yamlencode`: block style as libyaml writes it. Strings are always quoted, or literal blocks when they have lines.

use super::arguments::any;
use super::{CallError, Function, Param};
use crate::types::Type;
use crate::values::{Kind, Value};

/// Lines are folded at the first space behind this column.
const WIDTH: usize = 80;
const INDENT: i64 = 2;
/// Longer keys are written with a question mark.
const MAX_SIMPLE_KEY: usize = 128;

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new("yamlencode", "`yamlencode` writes a value as YAML.", Type::String, |a, ty, _| {
            let value = any(a, 0)?;
            if !value.is_wholly_known() {
                return Ok(Value::unknown(ty.clone()));
            }
            encode(value).map(Value::string)
        })
        .param(Param::new("value", Type::Dynamic).null().dynamic())
        .nullable(),
    ]
}

fn encode(value: &Value) -> Result<String, CallError> {
    let mut emitter = Emitter { out: String::new(), column: 0, indent: -1, whitespace: true, indention: true };
    emitter.node(value, Place::Root)?;
    emitter.write_indent();
    let plain = matches!(value.kind, Kind::Null(_) | Kind::Bool(_) | Kind::Number(_));
    if plain {
        // Only a document end says that a plain scalar is over.
        emitter.indicator("...", true, false, false);
        emitter.write_indent();
    }
    Ok(emitter.out)
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Sequence,
    Mapping,
    SimpleKey,
}

struct Emitter {
    out: String,
    column: usize,
    indent: i64,
    /// The last thing written was white space.
    whitespace: bool,
    /// Nothing but indentation and indicators stands in this line so far.
    indention: bool,
}

impl Emitter {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, needs_space: bool, is_space: bool, is_indention: bool) {
        if needs_space && !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace = is_space;
        self.indention &= is_indention;
    }

    /// Goes one level deeper for `then`.
    fn deeper<T>(&mut self, flow: bool, indentless: bool, then: impl FnOnce(&mut Emitter) -> T) -> T {
        let outer = self.indent;
        self.indent = match outer {
            i64::MIN..=-1 => {
                if flow {
                    INDENT
                } else {
                    0
                }
            }
            _ if indentless => outer,
            _ => outer + INDENT,
        };
        let result = then(self);
        self.indent = outer;
        result
    }

    fn node(&mut self, value: &Value, place: Place) -> Result<(), CallError> {
        stacker::maybe_grow(64 << 10, 1 << 20, || match &value.kind {
            Kind::Unknown(..) => Err(CallError::new("cannot serialize unknown value as YAML")),
            Kind::Null(_) => {
                self.plain("null");
                Ok(())
            }
            Kind::Bool(b) => {
                self.plain(if *b { "true" } else { "false" });
                Ok(())
            }
            Kind::Number(number) => {
                self.plain(&number.to_string());
                Ok(())
            }
            Kind::String(text) => {
                self.string(text, place);
                Ok(())
            }
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                if elements.is_empty() {
                    self.indicator("[", true, true, false);
                    self.indicator("]", false, false, false);
                    return Ok(());
                }
                let indentless = place == Place::Mapping && !self.indention;
                self.deeper(false, indentless, |emitter| {
                    for element in elements.iter() {
                        emitter.write_indent();
                        emitter.indicator("-", true, false, true);
                        emitter.node(element, Place::Sequence)?;
                    }
                    Ok(())
                })
            }
            Kind::Map(_, entries) | Kind::Object(entries) => {
                if entries.is_empty() {
                    self.indicator("{", true, true, false);
                    self.indicator("}", false, false, false);
                    return Ok(());
                }
                self.deeper(false, false, |emitter| {
                    for (key, element) in entries.iter() {
                        emitter.entry(key, element)?;
                    }
                    Ok(())
                })
            }
        })
    }

    fn entry(&mut self, key: &str, value: &Value) -> Result<(), CallError> {
        self.write_indent();
        if key.len() <= MAX_SIMPLE_KEY && !key.contains(is_break) {
            self.string(key, Place::SimpleKey);
            self.indicator(":", false, false, false);
        } else {
            self.indicator("?", true, false, true);
            self.string(key, Place::Mapping);
            self.write_indent();
            self.indicator(":", true, false, true);
        }
        self.node(value, Place::Mapping)
    }

    fn plain(&mut self, text: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace = false;
        self.indention = false;
    }

    fn string(&mut self, text: &str, place: Place) {
        self.deeper(true, false, |emitter| {
            if text.contains('\n') && place != Place::SimpleKey && literal_allowed(text) {
                emitter.literal(text);
            } else {
                emitter.quoted(text, place != Place::SimpleKey);
            }
        });
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false, false);
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator(&INDENT.to_string(), false, false, false);
        }
        let mut last = text.chars().rev();
        match (last.next().is_some_and(is_break), last.next()) {
            (false, _) => self.indicator("-", false, false, false),
            (true, None) => self.indicator("+", false, false, false),
            (true, Some(c)) if is_break(c) => self.indicator("+", false, false, false),
            _ => {}
        }
        self.put_break('\n');
        self.indention = true;
        self.whitespace = true;
        let mut at_start = true;
        for c in text.chars() {
            if is_break(c) {
                self.put_break(c);
                self.indention = true;
                at_start = true;
                continue;
            }
            if at_start {
                self.write_indent();
            }
            self.put(c);
            self.indention = false;
            at_start = false;
        }
    }

    fn quoted(&mut self, text: &str, fold: bool) {
        self.indicator("\"", true, false, false);
        let mut after_space = false;
        let last = text.char_indices().next_back().map_or(0, |(index, _)| index);
        for (index, c) in text.char_indices() {
            if c == ' ' {
                if fold && !after_space && self.column > WIDTH && index > 0 && index < last {
                    self.write_indent();
                    if text.get(index + 1..).is_some_and(|rest| rest.starts_with(' ')) {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                after_space = true;
                continue;
            }
            after_space = false;
            if is_printable(c) && !is_break(c) && c != '"' && c != '\\' {
                self.put(c);
            } else {
                escape(c).chars().for_each(|c| self.put(c));
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }
}

fn escape(c: char) -> String {
    let named = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c => {
            return match c as u32 {
                code @ 0..=0xFF => format!("\\x{code:02X}"),
                code @ 0x100..=0xFFFF => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{named}")
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}') && c != '\u{FEFF}'
}

/// Whether a literal block can hold the text as it is.
fn literal_allowed(text: &str) -> bool {
    let space_before_break = text.chars().zip(text.chars().skip(1)).any(|(a, b)| a == ' ' && is_break(b));
    !text.ends_with(' ') && !space_before_break && text.chars().all(is_printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        for (text, expected) in [
            ("x", "\"x\"\n"),
            ("é😀\t\u{2028}", "\"é\\U0001F600\\t\\L\"\n"),
            ("multi\nline\n", "|\n  multi\n  line\n"),
            (" a\nb", "|2-\n   a\n  b\n"),
            ("a\n\n", "|+\n  a\n\n"),
            ("a \nb", "\"a \\nb\"\n"),
            ("\n", "|2+\n\n"),
        ] {
            assert_eq!(encode(&Value::string(text)).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn structures() {
        let list = Value::tuple([Value::number(1i64), Value::tuple([]), Value::tuple([Value::string("a")])]);
        let inner = Value::object([("k", list), ("m\nn", Value::string("x\ny")), ("o", Value::object::<&str>([]))]);
        let value = Value::object([("a", inner.clone()), ("b", Value::tuple([inner]))]);
        let expected = r#""a":
  "k":
  - 1
  - []
  - - "a"
  ? |-
    m
    n
  : |-
    x
    y
  "o": {}
"b":
- "k":
  - 1
  - []
  - - "a"
  ? |-
    m
    n
  : |-
    x
    y
  "o": {}
"#;
        assert_eq!(encode(&value).unwrap(), expected);
    }
}
