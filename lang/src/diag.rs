//! Diagnostics: what a user is told when something is wrong, and where.

use std::sync::Arc;

use crate::Str;
use crate::functions::Function;
use crate::source::Range;
use crate::values::Value;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The run goes on.
    Warning,
    /// The run ends with exit code 1.
    Error,
}

/// What in the values of an expression made it fail. What did not is not told of them: a reader would take it for the mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// That one is not known yet.
    Unknown,
    /// That one is sensitive.
    Sensitive,
    /// Anything else.
    Other,
}

/// One message. Summary and detail are worded as Terraform words them where scripts may look at them.
///
/// Boxed inside, so that a `Result<T, Diagnostic>` stays small.
#[derive(Clone, Debug)]
pub struct Diagnostic(Box<Inner>);

/// A call that failed.
#[derive(Clone, Debug)]
pub struct FailedCall {
    /// The function's name as the configuration has it: `core::max`.
    pub called_as: Str,
    /// The function.
    pub function: Arc<Function>,
}

#[derive(Clone, Debug)]
struct Inner {
    severity: Severity,
    summary: String,
    detail: String,
    subject: Option<Range>,
    context: Option<Range>,
    address: Option<String>,
    values: Vec<(String, Value)>,
    cause: Cause,
    call: Option<FailedCall>,
    attempts: Diagnostics,
    is_from_check: bool,
}

impl Diagnostic {
    /// An error.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, summary.into(), detail.into())
    }

    /// A warning.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, summary.into(), detail.into())
    }

    fn new(severity: Severity, summary: String, detail: String) -> Diagnostic {
        Diagnostic(Box::new(Inner {
            severity,
            summary,
            detail,
            subject: None,
            context: None,
            address: None,
            values: Vec::new(),
            cause: Cause::Other,
            call: None,
            attempts: Diagnostics::new(),
            is_from_check: false,
        }))
    }

    /// Sets the place that the message is about.
    #[must_use]
    pub fn at(mut self, subject: Range) -> Diagnostic {
        self.0.subject = (subject != Range::NONE).then_some(subject);
        self
    }

    /// Sets the place unless there is one.
    #[must_use]
    pub fn or_at(self, subject: Range) -> Diagnostic {
        if self.0.subject.is_some() { self } else { self.at(subject) }
    }

    /// Sets the larger place whose lines are shown around the subject.
    #[must_use]
    pub fn within(mut self, context: Range) -> Diagnostic {
        self.0.context = Some(context);
        self
    }

    /// Sets the address of the resource instance that the message is about (`with aws_vpc.main,`).
    #[must_use]
    pub fn with_address(mut self, address: impl Into<String>) -> Diagnostic {
        self.0.address = Some(address.into());
        self
    }

    /// Sets the values of the references in the failing expression, by their source text (`var.x` → value). That one is
    /// sensitive, or not known yet, is not told: something else is wrong.
    #[must_use]
    pub fn with_values(self, values: Vec<(String, Value)>) -> Diagnostic {
        self.with_values_because(values, Cause::Other)
    }

    /// Sets the values where the mistake is that one of them is not known yet.
    #[must_use]
    pub fn because_unknown(self, values: Vec<(String, Value)>) -> Diagnostic {
        self.with_values_because(values, Cause::Unknown)
    }

    /// Sets the values where the mistake is that one of them is sensitive. The renderer never shows its content.
    #[must_use]
    pub fn because_sensitive(self, values: Vec<(String, Value)>) -> Diagnostic {
        self.with_values_because(values, Cause::Sensitive)
    }

    /// Sets the values and what in them is the mistake.
    #[must_use]
    pub fn with_values_because(mut self, values: Vec<(String, Value)>, cause: Cause) -> Diagnostic {
        self.0.values = values;
        self.0.cause = cause;
        self
    }

    /// Sets the call that failed.
    #[must_use]
    pub fn with_call(mut self, call: FailedCall) -> Diagnostic {
        self.0.call = Some(call);
        self
    }

    /// Sets what came of the attempts of which one would have been enough. The detail names each, as [`Diagnostic::attempt`]
    /// words it without a place.
    #[must_use]
    pub fn with_attempts(mut self, attempts: Diagnostics) -> Diagnostic {
        self.0.attempts = attempts;
        self
    }

    /// How a detail names an attempt, with the words for its place and its own detail.
    pub fn attempt(&self, place: Option<&str>, detail: &str) -> String {
        let place = place.map(|place| format!(" (at {place})")).unwrap_or_default();
        format!("- {}{place}\n  {detail}\n", self.summary())
    }

    /// The same as an error.
    #[must_use]
    pub fn as_error(mut self) -> Diagnostic {
        self.0.severity = Severity::Error;
        self
    }

    /// The same as a warning of a `check` block: nothing is kept from going on by it, and each is shown, even beside others like it.
    #[must_use]
    pub fn as_check_warning(mut self) -> Diagnostic {
        self.0.severity = Severity::Warning;
        self.0.is_from_check = true;
        self
    }

    /// Whether a `check` block warns of something.
    pub fn is_from_check(&self) -> bool {
        self.0.is_from_check
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.0.severity
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.0.severity == Severity::Error
    }

    /// The headline.
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// The explanation; may be empty.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The place.
    pub fn subject(&self) -> Option<Range> {
        self.0.subject
    }

    /// The larger place around the subject.
    pub fn context(&self) -> Option<Range> {
        self.0.context
    }

    /// The resource instance it is about.
    pub fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// The values of the references in the failing expression.
    pub fn values(&self) -> &[(String, Value)] {
        &self.0.values
    }

    /// What in these values is the mistake.
    pub fn cause(&self) -> Cause {
        self.0.cause
    }

    /// What came of attempts of which one would have been enough.
    pub fn attempts(&self) -> &Diagnostics {
        &self.0.attempts
    }

    /// The call that failed.
    pub fn call(&self) -> Option<&FailedCall> {
        self.0.call.as_ref()
    }
}

/// A list of messages in the order in which they came up.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// An empty list.
    pub fn new() -> Diagnostics {
        Diagnostics::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Takes away those that came after the first `length`.
    pub fn split_off(&mut self, length: usize) -> Diagnostics {
        Diagnostics(self.0.split_off(length.min(self.0.len())))
    }

    /// Adds all of `other`.
    pub fn append(&mut self, other: Diagnostics) {
        self.0.extend(other.0);
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// How many errors there are.
    pub fn error_count(&self) -> usize {
        self.0.iter().filter(|d| d.is_error()).count()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `value` unless there are errors; the warnings of a success stay in `self`.
    pub fn ok_or_errors<T>(self, value: T) -> Result<(T, Diagnostics), Diagnostics> {
        if self.has_errors() { Err(self) } else { Ok((value, self)) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Diagnostics {
        Diagnostics(vec![diagnostic])
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Diagnostics {
        Diagnostics(iter.into_iter().collect())
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
