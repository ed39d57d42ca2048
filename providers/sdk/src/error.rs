//! What goes wrong in a call, classed by what to do about it.

use lang::Severity;
use lang::values::Path;

use crate::provider::ProviderDiagnostic;

/// What to do about an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// Report it.
    #[default]
    Other,
    /// The object isn't there.
    NotFound,
    /// Wait and try again: too many requests, or the service is down for a moment.
    Throttled,
    /// Wait and try again: something made before isn't visible everywhere yet.
    NotYetConsistent,
    /// Wait and try again: something that depends on the object isn't gone yet.
    DependencyViolation,
    /// The service was not reached, so it is not known what became of the request.
    Network,
    /// The caller may not do this, or is not known.
    Denied,
}

/// What went wrong in an operation on a resource. Cheap to move, without secrets.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq)]
struct Inner {
    message: String,
    detail: String,
    code: Option<String>,
    class: Class,
    path: Path,
}

/// The result of an operation on a resource.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with this message, which becomes the summary of the diagnostic.
    pub fn new(message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            message: message.into(),
            detail: String::new(),
            code: None,
            class: Class::Other,
            path: Path::default(),
        }))
    }

    /// The object isn't there.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(message).with_class(Class::NotFound)
    }

    /// Sets what to do about it.
    #[must_use]
    pub fn with_class(mut self, class: Class) -> Error {
        self.0.class = class;
        self
    }

    /// Sets the service's error code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Error {
        self.0.code = Some(code.into());
        self
    }

    /// Adds a paragraph to the explanation.
    #[must_use]
    pub fn hint(mut self, text: impl AsRef<str>) -> Error {
        if !self.0.detail.is_empty() {
            self.0.detail.push_str("\n\n");
        }
        self.0.detail.push_str(text.as_ref());
        self
    }

    /// Says what was being done: `creating EC2 VPC` before `: ` and the message.
    #[must_use]
    pub fn context(mut self, doing: impl AsRef<str>) -> Error {
        self.0.message = format!("{}: {}", doing.as_ref(), self.0.message);
        self
    }

    /// Sets the attribute that it is about.
    #[must_use]
    pub fn at(mut self, path: Path) -> Error {
        self.0.path = path;
        self
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The service's error code.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// What to do about it.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Whether the service answered with this code.
    pub fn is_code(&self, code: &str) -> bool {
        self.code() == Some(code)
    }

    /// Whether the service answered with this code and a message that contains the text.
    pub fn is_code_with(&self, code: &str, text: &str) -> bool {
        self.is_code(code) && self.0.message.contains(text)
    }

    /// Whether the object isn't there.
    pub fn is_not_found(&self) -> bool {
        self.0.class == Class::NotFound
    }

    /// As a diagnostic.
    pub fn into_diagnostic(self) -> ProviderDiagnostic {
        let Inner { message, detail, path, .. } = *self.0;
        ProviderDiagnostic { severity: Severity::Error, summary: message, detail, path, placeless: false }
    }
}

/// Says what was being done when something fails.
pub trait ResultExt<T> {
    /// `creating EC2 VPC` before `: ` and the message.
    fn doing(self, what: impl AsRef<str>) -> Result<T>;

    /// `None` instead of a not-found error.
    fn if_found(self) -> Result<Option<T>>;

    /// Success instead of a not-found error: for deletions.
    fn or_gone(self) -> Result<()>;
}

impl<T> ResultExt<T> for Result<T> {
    fn doing(self, what: impl AsRef<str>) -> Result<T> {
        self.map_err(|error| error.context(what))
    }

    fn if_found(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn or_gone(self) -> Result<()> {
        self.if_found().map(|_| ())
    }
}
