//! From the SDK's errors to ours, worded as Terraform's provider words them.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sdk::{Class, Error};

/// Maps the error of a call: `.send().await.map_err(api("EC2", "CreateVpc"))`.
pub(crate) fn api<E>(service: &'static str, operation: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| map(service, operation, &error)
}

fn map<E>(service: &str, operation: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let doing = format!("operation error {service}: {operation}");
    if let SdkError::ServiceError(answer) = error {
        let metadata = answer.err().meta();
        let code = metadata.code().unwrap_or("UnknownError");
        let message = metadata.message().unwrap_or_default();
        let status = answer.raw().status().as_u16();
        let request = metadata
            .extra("aws_request_id")
            .or_else(|| ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|h| answer.raw().headers().get(h)))
            .unwrap_or_default();
        // Errors that the service's model knows are named by their type, others by "api error".
        let kind = if format!("{:?}", answer.err()).starts_with("Unhandled") { "api error " } else { "" };
        let text = format!(
            "{doing}, https response error StatusCode: {status}, RequestID: {request}, {kind}{code}: {message}"
        );
        let error = Error::new(text).with_code(code).with_class(class(code));
        return match hint(code) {
            Some(hint) => error.hint(hint),
            None => error,
        };
    }
    let cause = causes(error);
    let text = format!("{doing}, https response error StatusCode: 0, RequestID: , request send failed, {cause}");
    if cause.contains("credentials") || cause.contains("identity") {
        return Error::new(format!("{doing}, get identity: {cause}")).with_class(Class::Denied).hint(NO_CREDENTIALS);
    }
    Error::new(text).with_class(Class::Network).hint(
        "The service did not answer. Check the network, the region, and the endpoint: an `endpoints` block or \
         AWS_ENDPOINT_URL may name an emulator that is not running.",
    )
}

/// The way out when no credentials are found.
pub(crate) const NO_CREDENTIALS: &str = "Credentials are looked for in the provider block, the environment \
    (AWS_ACCESS_KEY_ID, AWS_PROFILE, …), the shared configuration files, web identity tokens, and the container's or \
    instance's role. Set one of them, or run `aws sso login` if the profile uses single sign-on.";

/// An error and what caused it, without repetitions.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
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

fn class(code: &str) -> Class {
    match code {
        "NoSuchEntity" | "NoSuchEntityException" => Class::NotFound,
        "Throttling"
        | "ThrottlingException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "SlowDown"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "InternalError"
        | "InternalFailure" => Class::Throttled,
        "DependencyViolation" | "DeleteConflict" | "ResourceInUse" | "ResourceInUseException" => {
            Class::DependencyViolation
        }
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch" => Class::Denied,
        _ if code.ends_with("NotFound") || code.ends_with("NotFoundException") || code.ends_with("NotFoundFault") => {
            Class::NotFound
        }
        _ => Class::Other,
    }
}

fn hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "The credentials have expired: get new ones (`aws sso login`, or assume the role again) and run again. What \
             was done so far is in the state."
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "AuthFailure" => {
            "The credentials are not accepted here: check the access key, the session token, and the region."
        }
        "RequestLimitExceeded" | "Throttling" | "ThrottlingException" | "TooManyRequestsException" => {
            "The account's request rate is exceeded: run with a lower -parallelism, or raise `max_retries`."
        }
        _ => return None,
    })
}
