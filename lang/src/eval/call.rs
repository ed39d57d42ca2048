//! Function calls: arguments are expanded, counted, evaluated and converted here; null, unknown and marked ones are the
//! business of [`Function::call`].

use std::sync::Arc;

use super::Env;
use crate::ast::{CallExpr, Expr, ExprKind, TemplatePart};
use crate::diag::{Diagnostic, Diagnostics, FailedCall};
use crate::functions::{Function, Param, Special};
use crate::source::Range;
use crate::types::Type;
use crate::values::{Kind, Value};

/// An argument: an expression, or an element of what stood before `...`.
enum Argument<'e> {
    Expr(&'e Expr),
    Value(Value, &'e Expr),
}

impl<'e> Argument<'e> {
    fn expr(&self) -> &'e Expr {
        match self {
            Argument::Expr(expr) | Argument::Value(_, expr) => expr,
        }
    }

    /// Where diagnostics about it point.
    fn start_range(&self) -> Range {
        match self {
            Argument::Expr(expr) => expr.start_range(),
            Argument::Value(_, expr) => expr.range,
        }
    }
}

impl Env<'_> {
    pub(super) fn call(&self, expr: &Expr, call: &CallExpr, diagnostics: &mut Diagnostics) -> Value {
        let functions = self.scope.functions();
        let Some(function) = functions.get(&call.name) else {
            let diagnostic = self.unknown_function(call).with_values(self.reference_values(expr));
            diagnostics.push(diagnostic.within(expr.range));
            return Value::dynamic();
        };
        let report = Report { env: self, whole: expr, call, function: &function };
        let mut own = Diagnostics::new();
        let arguments = match self.arguments(call, &report, &mut own) {
            Ok(arguments) => arguments,
            Err(value) => {
                diagnostics.append(own);
                return value;
            }
        };
        if let Some(diagnostic) = report.miscounted(&arguments) {
            diagnostics.push(diagnostic);
            return Value::dynamic();
        }
        match function.special {
            Some(Special::Try) => return self.call_try(&report, &arguments, diagnostics),
            Some(Special::Can) => return self.call_can(&arguments),
            Some(Special::TemplateString) | None => {}
        }
        let mut values = Vec::with_capacity(arguments.len());
        for (i, argument) in arguments.iter().enumerate() {
            let value = match argument {
                Argument::Expr(expr) => self.eval(expr, &mut own),
                Argument::Value(value, _) => value.clone(),
            };
            let Some(param) = function.parameter(i) else { continue };
            match value.convert(&param.ty) {
                Ok(value) => values.push(value),
                Err(error) => {
                    own.push(report.invalid_argument(argument, Some(param), &error.message));
                    values.push(Value::dynamic());
                }
            }
        }
        // The form of a template is looked at when nothing else is wrong with the arguments.
        if function.special == Some(Special::TemplateString)
            && !own.has_errors()
            && !values.iter().skip(1).any(Value::is_null)
            && let Some(first) = arguments.first()
            && let Some(why) = not_a_reference(first.expr())
        {
            let message = format!("invalid template expression: {why}");
            own.push(report.invalid_argument(first, function.parameter(0), &message));
        }
        let failed = own.has_errors();
        diagnostics.append(own);
        if failed {
            return Value::dynamic();
        }
        match function.call(&values, functions) {
            Ok(value) => self.bounded(value, expr.range, diagnostics),
            Err(error) => {
                let blamed = error.argument.map(|i| (arguments.get(i), function.parameter(i)));
                diagnostics.push(match blamed {
                    Some((Some(argument), param)) => report.invalid_argument(argument, param, &error.message),
                    Some((None, Some(param))) => report
                        .diagnostic(
                            "Invalid function argument",
                            format!("Invalid value for {:?} parameter: {}.", param.name, error.message),
                            expr,
                        )
                        .at(expr.range),
                    _ => report.failed(&error.message),
                });
                Value::dynamic()
            }
        }
    }

    /// The arguments with what stands before `...` taken apart; or the result if that is not known or not possible.
    fn arguments<'e>(
        &self,
        call: &'e CallExpr,
        report: &Report<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Vec<Argument<'e>>, Value> {
        let Some((last, first)) = call.arguments.split_last().filter(|_| call.expand_last) else {
            return Ok(call.arguments.iter().map(Argument::Expr).collect());
        };
        let mut own = Diagnostics::new();
        let value = self.eval(last, &mut own);
        let failed = own.has_errors();
        diagnostics.append(own);
        if failed {
            return Err(Value::dynamic());
        }
        let invalid = |detail: &str| {
            report
                .diagnostic("Invalid expanding argument value", detail.to_owned(), last)
                .at(last.range)
                .within(report.whole.range)
        };
        let sequence = match &value.kind {
            Kind::Null(Type::Dynamic | Type::Tuple(_) | Type::List(_) | Type::Set(_)) => {
                diagnostics.push(invalid("The expanding argument (indicated by ...) must not be null."));
                return Err(Value::dynamic());
            }
            Kind::Unknown(Type::Dynamic | Type::Tuple(_) | Type::List(_) | Type::Set(_), _) => {
                return Err(Value::dynamic());
            }
            _ => value.elements(),
        };
        let Some(elements) = sequence else {
            diagnostics
                .push(invalid("The expanding argument (indicated by ...) must be of a tuple, list, or set type."));
            return Err(Value::dynamic());
        };
        let expanded = elements.iter().map(|element| Argument::Value(element.clone().with_marks(value.marks), last));
        Ok(first.iter().map(Argument::Expr).chain(expanded).collect())
    }

    fn call_try(&self, report: &Report<'_>, arguments: &[Argument<'_>], diagnostics: &mut Diagnostics) -> Value {
        let mut failures = Diagnostics::new();
        for argument in arguments {
            let mut own = Diagnostics::new();
            let value = self.argument(argument, &mut own);
            if own.has_errors() {
                failures.append(own);
            } else if value.is_wholly_known() {
                return value;
            } else {
                return Value::dynamic();
            }
        }
        let message = if failures.is_empty() {
            "at least one argument is required".to_owned()
        } else {
            let lines: String = failures.iter().map(|failure| failure.attempt(None, failure.detail())).collect();
            format!("no expression succeeded:\n{lines}\nAt least one expression must produce a successful result")
        };
        diagnostics.push(report.failed(&message).with_attempts(failures));
        Value::dynamic()
    }

    fn call_can(&self, arguments: &[Argument<'_>]) -> Value {
        let mut own = Diagnostics::new();
        let value = arguments.first().map_or(Value::dynamic(), |argument| self.argument(argument, &mut own));
        if own.has_errors() {
            Value::FALSE
        } else if value.is_wholly_known() {
            Value::TRUE
        } else {
            Value::unknown_not_null(Type::Bool)
        }
    }

    fn argument(&self, argument: &Argument<'_>, diagnostics: &mut Diagnostics) -> Value {
        match argument {
            Argument::Expr(expr) => self.eval(expr, diagnostics),
            Argument::Value(value, _) => value.clone(),
        }
    }

    fn unknown_function(&self, call: &CallExpr) -> Diagnostic {
        let names = self.scope.functions().names();
        if names.is_empty() {
            return Diagnostic::error("Function calls not allowed", "Functions may not be called here.")
                .at(call.name_range.to(call.close));
        }
        let name = call.name.as_str();
        if let Some(at) = name.rfind("::") {
            let detail = unknown_provider_function(name, at, &names);
            return Diagnostic::error("Unknown provider function", detail).at(call.name_range);
        }
        let available = names.iter().map(String::as_str).filter(|n| !n.contains("::"));
        let hint = suggest(name, available).map_or_else(String::new, |s| format!(" Did you mean {s:?}?"));
        let detail = format!("There is no function named {name:?}.{hint}");
        Diagnostic::error("Call to unknown function", detail).at(call.name_range)
    }
}

/// Why there is no function of a name with a namespace; `at` is where its last `::` is.
fn unknown_provider_function(name: &str, at: usize, names: &[String]) -> String {
    let (namespace, function) = (&name[..at], &name[at + 2..]);
    match namespace.strip_prefix("provider") {
        Some("") => "The function call must include the provider name after the \"provider::\" prefix.".to_owned(),
        Some(provider) if provider.starts_with("::") => {
            let provider = &provider[2..];
            if names.iter().any(|n| n.strip_prefix(namespace).is_some_and(|rest| rest.starts_with("::"))) {
                return format!("The function {function:?} is not available from the provider {provider:?}.");
            }
            format!(
                "There is no function named {name:?}. Ensure that provider name {provider:?} is declared in this module's \
                 required_providers block, and that this provider offers a function named {function:?}."
            )
        }
        _ => format!(
            "The function namespace {namespace:?} is not valid. Provider function calls must use the \"provider::\" \
             namespace prefix."
        ),
    }
}

/// What the diagnostics of one call have in common.
struct Report<'a> {
    env: &'a Env<'a>,
    whole: &'a Expr,
    call: &'a CallExpr,
    function: &'a Arc<Function>,
}

impl Report<'_> {
    fn diagnostic(&self, summary: &str, detail: String, culprit: &Expr) -> Diagnostic {
        Diagnostic::error(summary, detail)
            .with_values(self.env.reference_values(culprit))
            .with_call(FailedCall { called_as: self.call.name.clone(), function: self.function.clone() })
    }

    fn miscounted(&self, arguments: &[Argument<'_>]) -> Option<Diagnostic> {
        let function = self.function;
        let (required, given) = (function.params.len(), arguments.len());
        let name = self.call.name.as_str();
        if let Some(missing) = function.params.get(given) {
            let least = if function.variadic.is_some() { " at least" } else { "" };
            let detail = format!(
                "Function {name:?} expects{least} {required} argument(s). Missing value for {:?}.",
                missing.name
            );
            let diagnostic = self.diagnostic("Not enough function arguments", detail, self.whole);
            return Some(diagnostic.at(self.call.close).within(self.whole.range));
        }
        let extra = arguments.get(required).filter(|_| function.variadic.is_none())?;
        let detail = format!("Function {name:?} expects only {required} argument(s).");
        let diagnostic = self.diagnostic("Too many function arguments", detail, self.whole);
        Some(diagnostic.at(extra.start_range()).within(self.whole.range))
    }

    fn invalid_argument(&self, argument: &Argument<'_>, param: Option<&Param>, message: &str) -> Diagnostic {
        let name = param.map_or("", |param| param.name);
        let detail = format!("Invalid value for {name:?} parameter: {message}.");
        self.diagnostic("Invalid function argument", detail, argument.expr())
            .at(argument.start_range())
            .within(self.whole.range)
    }

    fn failed(&self, message: &str) -> Diagnostic {
        let detail = format!("Call to function {:?} failed: {message}.", self.call.name.as_str());
        let name = self.call.name_range;
        self.diagnostic("Error in function call", detail, self.whole)
            .at(Range { end: name.end + 1, ..name })
            .within(self.whole.range)
    }
}

/// Why `templatestring` does not take an expression, if it is no reference to something that is defined elsewhere.
fn not_a_reference(expr: &Expr) -> Option<&'static str> {
    match &expr.kind {
        ExprKind::String(_) => Some(
            "templatestring is only for rendering templates retrieved dynamically from elsewhere, and so does not support \
             providing a literal template; consider using a template string expression instead",
        ),
        ExprKind::Template(parts) if matches!(**parts, [TemplatePart::Interpolation(_)]) => Some(
            "templatestring is only for rendering templates retrieved dynamically from elsewhere; to treat the inner \
             expression as template syntax, write the reference expression directly without any template interpolation \
             syntax",
        ),
        ExprKind::Template(_) => Some(
            "templatestring is only for rendering templates retrieved dynamically from elsewhere; to render an inline \
             template, consider using a plain template string expression",
        ),
        _ if is_reference(expr) => None,
        _ => Some(
            "must be a direct reference to a single string from elsewhere, containing valid Terraform template syntax",
        ),
    }
}

/// Whether it refers to something that is defined elsewhere, without computing.
fn is_reference(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Traversal(_) => true,
        ExprKind::RelativeTraversal(relative) => is_reference(&relative.source),
        ExprKind::Index(index) => is_reference(&index.collection),
        ExprKind::Splat(splat) => is_reference(&splat.source),
        _ => false,
    }
}

/// The name that is meant, if one is near enough.
fn suggest<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    names.map(|name| (distance(given, name), name)).filter(|(d, _)| *d < 3).min().map(|(_, name)| name)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(x != *y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            left = cost;
            *cell = cost;
        }
    }
    row.last().copied().unwrap_or(0)
}
