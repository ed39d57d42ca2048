//! `templatefile` and `templatestring`: templates that are rendered with variables of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::arguments::{any, unmarked};
use super::files::{FILE_FUNCTIONS, read_text};
use super::{CallContext, CallError, Function, FunctionTable, Param, Special};
use crate::diag::Diagnostics;
use crate::eval::{Locals, evaluate};
use crate::quoting::go_quote;
use crate::source::{Range, Sources};
use crate::types::Type;
use crate::values::{Entries, Value};
use crate::{Str, syntax};

const TEMPLATE_FUNCTIONS: [&str; 2] = ["templatefile", "templatestring"];

pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new(
            "templatefile",
            "`templatefile` renders a file as a template with the given variables.",
            Type::Dynamic,
            |a, ty, functions| {
                let (path, path_marks) = unmarked(a, 0)?;
                let variables = any(a, 1)?;
                let marks = path_marks | variables.deep_marks();
                let Some(path) = path.as_str().filter(|_| variables.is_known()) else {
                    return Ok(Value::unknown(ty.clone()).with_marks(marks));
                };
                let text = read_text(path, path_marks, functions.context())?;
                let variables = variables.clone().unmark_deep().0;
                Ok(render(path, &text, &variables, functions, true)?.with_marks(marks))
            },
        )
        .param(Param::new("path", Type::String).unknown().marked())
        .param(Param::new("vars", Type::Dynamic).unknown().marked())
        .nullable(),
        Function::new(
            "templatestring",
            "`templatestring` renders a string from elsewhere as a template with the given variables.",
            Type::String,
            |a, ty, functions| {
                let (template, marks) = unmarked(a, 0)?;
                if !template.is_known() {
                    return Ok(Value::unknown(ty.clone()));
                }
                let text = template
                    .as_str()
                    .ok_or_else(|| CallError::argument(0, "invalid template value: a string is required"))?;
                let result = render("<templatestring argument>", text, any(a, 1)?, functions, false)?;
                let text = result
                    .convert(&Type::String)
                    .map_err(|error| CallError::new(format_args!("invalid template result: {error}")))?;
                Ok(text.with_marks(marks))
            },
        )
        .param(
            Param::new("template", Type::Dynamic).null().unknown().dynamic().marked().about("A reference to a string."),
        )
        .param(Param::new("vars", Type::Dynamic).about("The variables of the template."))
        .special(Special::TemplateString),
    ]
}

fn render(
    name: &str,
    text: &str,
    variables: &Value,
    functions: &dyn FunctionTable,
    files: bool,
) -> Result<Value, CallError> {
    let sources = Sources::new();
    let (expr, diagnostics) = syntax::parse_template(&sources, name, text);
    let invalid = |diagnostics: &Diagnostics| {
        let message = describe(diagnostics, &sources);
        if files {
            CallError::new(message)
        } else {
            CallError::argument(0, format_args!("invalid template: {message}"))
        }
    };
    if diagnostics.has_errors() {
        return Err(invalid(&diagnostics));
    }
    if !matches!(variables.ty(), Type::Map(_) | Type::Object(_)) {
        return Err(CallError::argument(1, "invalid vars value: must be a map"));
    }
    let variables: BTreeMap<Str, Value> = variables.entries().map(Entries::to_map).unwrap_or_default();
    if let Some(name) = variables.keys().find(|name| !syntax::is_identifier(name)) {
        return Err(CallError::argument(
            1,
            format_args!(
                "invalid template variable name {}: must start with a letter, followed by zero or more letters, digits, and underscores",
                go_quote(name)
            ),
        ));
    }
    for traversal in expr.traversals() {
        if !variables.contains_key(&traversal.root) {
            let (root, place) = (go_quote(&traversal.root), place(traversal.root_range, &sources));
            let message = format!("vars map does not contain key {root}, referenced at {place}");
            return Err(CallError::argument(1, message));
        }
    }
    let inner = TemplateFunctions { functions, files };
    let scope = Locals::new(variables).with_functions(&inner);
    let mut diagnostics = Diagnostics::new();
    let value = evaluate(&expr, &scope, &mut diagnostics);
    if diagnostics.has_errors() {
        return Err(CallError::new(describe(&diagnostics, &sources)));
    }
    if value.is_null() {
        let place = place(expr.range, &sources);
        return Err(CallError::new(format_args!(
            "{place}: Template result is null; The result of the template is null, which is not a valid result for a templatestring call."
        )));
    }
    Ok(value)
}

/// The first error, as one line: place, summary and detail.
pub(super) fn describe(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let mut errors = diagnostics.iter().filter(|d| d.is_error());
    let Some(first) = errors.next() else { return String::new() };
    let place = first.subject().map_or_else(|| "<unknown>".to_owned(), |range| place(range, sources));
    let more = match errors.count() {
        0 => String::new(),
        n => format!(", and {n} other diagnostic(s)"),
    };
    format!("{place}: {}; {}{more}", first.summary(), first.detail())
}

/// `name:line,column-column`.
fn place(range: Range, sources: &Sources) -> String {
    let Some(source) = sources.get(range.file) else { return "<unknown>".to_owned() };
    let (start, end) = (source.position(range.start), source.position(range.end));
    let end = if start.line == end.line { end.column.to_string() } else { format!("{},{}", end.line, end.column) };
    format!("{}:{},{}-{end}", source.name.display(), start.line, start.column)
}

/// The functions that a template may call: no templates, and, in `templatestring`, no files.
struct TemplateFunctions<'a> {
    functions: &'a dyn FunctionTable,
    files: bool,
}

impl FunctionTable for TemplateFunctions<'_> {
    fn get(&self, name: &str) -> Option<Arc<Function>> {
        let function = self.functions.get(name)?;
        let plain = name.strip_prefix("core::").unwrap_or(name);
        if TEMPLATE_FUNCTIONS.contains(&plain) {
            let message = format!("cannot recursively call {plain} from inside another template function");
            return Some(Arc::new(refused(&function, message)));
        }
        if !self.files && FILE_FUNCTIONS.contains(&plain) {
            let message = format!(
                "cannot use filesystem access functions like {plain} in templatestring templates; consider passing the function result as a template variable instead"
            );
            return Some(Arc::new(refused(&function, message)));
        }
        Some(function)
    }

    fn names(&self) -> Vec<String> {
        self.functions.names()
    }

    fn context(&self) -> &CallContext {
        self.functions.context()
    }
}

fn refused(function: &Function, message: String) -> Function {
    let mut refused = Function::new(function.name, function.description, Type::Dynamic, |_, _, _| Ok(Value::dynamic()))
        .returns_by(move |_, _| Err(CallError::new(&message)));
    refused.params.clone_from(&function.params);
    refused.variadic.clone_from(&function.variadic);
    refused
}
