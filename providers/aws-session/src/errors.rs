//! Why a session can't be made, and why a call failed, worded as Terraform words it.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Why a session can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{summary}")]
pub struct SessionError {
    /// What is wrong.
    pub summary: String,
    /// What is known about it, and what to do; a paragraph each.
    pub hints: Vec<String>,
    /// What it comes from.
    pub cause: Cause,
}

impl SessionError {
    pub(crate) fn new(summary: impl Into<String>) -> SessionError {
        SessionError { summary: summary.into(), hints: Vec::new(), cause: Cause::Configuration }
    }

    pub(crate) fn because(mut self, cause: Cause) -> SessionError {
        self.cause = cause;
        self
    }

    pub(crate) fn hint(mut self, text: impl Into<String>) -> SessionError {
        self.hints.push(text.into());
        self
    }
}

/// What an error comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The configuration can't be used.
    Configuration,
    /// There are no credentials.
    NoCredentials,
    /// The service did not answer.
    Network,
    /// The service refused, with this code.
    Service(String),
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct CallError {
    /// What happened, in Terraform's words.
    pub text: String,
    /// What it comes from.
    pub cause: Cause,
    /// The status of the answer.
    pub status: Option<u16>,
}

impl CallError {
    /// The code that the service refused with.
    pub fn code(&self) -> Option<&str> {
        match &self.cause {
            Cause::Service(code) => Some(code),
            _ => None,
        }
    }
}

/// Words the error of a call: `.send().await.map_err(call("STS", "AssumeRole"))`.
pub fn call<E>(service: &'static str, operation: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| words(service, operation, &error)
}

fn words<E>(service: &str, operation: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let doing = format!("operation error {service}: {operation}");
    if let SdkError::ServiceError(answer) = error {
        let metadata = answer.err().meta();
        let code = metadata.code().unwrap_or("UnknownError");
        let message = metadata.message().unwrap_or_default();
        let status = answer.raw().status().as_u16();
        let headers = answer.raw().headers();
        let request = metadata
            .extra("aws_request_id")
            .or_else(|| ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| headers.get(*name)))
            .unwrap_or_default();
        // S3 alone names the host as well.
        let host = headers.get("x-amz-id-2").map(|id| format!("HostID: {id}, ")).unwrap_or_default();
        // Errors that the service's model knows are named by their type, others by "api error".
        let kind = if format!("{:?}", answer.err()).starts_with("Unhandled") { "api error " } else { "" };
        let text = format!(
            "{doing}, https response error StatusCode: {status}, RequestID: {request}, {host}{kind}{code}: {message}"
        );
        return CallError { text, cause: Cause::Service(code.to_owned()), status: Some(status) };
    }
    let cause = causes(error);
    if cause.contains("credentials") || cause.contains("identity") {
        return CallError {
            text: format!("{doing}, get identity: {cause}"),
            cause: Cause::NoCredentials,
            status: None,
        };
    }
    let text = format!("{doing}, https response error StatusCode: 0, RequestID: , request send failed, {cause}");
    CallError { text, cause: Cause::Network, status: None }
}

/// The way out when no credentials are found.
pub const NO_CREDENTIALS: &str = "Credentials are looked for in the configuration, the environment (AWS_ACCESS_KEY_ID, \
    AWS_PROFILE, …), the shared configuration files, web identity tokens, and the container's or instance's role. Set one \
    of them, or run `aws sso login` if the profile uses single sign-on.";

/// An error and what caused it, without repetitions.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
