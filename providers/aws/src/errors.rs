//! From the SDK's errors to ours, worded as Terraform's provider words them.

use aws_session::{CallError, Cause, SessionError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use sdk::{Class, Error};

/// Maps the error of a call: `.send().await.map_err(api("EC2", "CreateVpc"))`.
pub(crate) fn api<E>(service: &'static str, operation: &'static str) -> impl Fn(SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| told(aws_session::call(service, operation)(error))
}

/// A call's error as the sdk has errors.
pub(crate) fn told(error: CallError) -> Error {
    let new = Error::new(error.text);
    match error.cause {
        Cause::Service(code) => {
            let new = new.with_class(class(&code));
            let new = match hint(&code) {
                Some(hint) => new.hint(hint),
                None => new,
            };
            new.with_code(code)
        }
        Cause::NoCredentials => new.with_class(Class::Denied).hint(aws_session::NO_CREDENTIALS),
        Cause::Network => new.with_class(Class::Network).hint(
            "The service did not answer. Check the network, the region, and the endpoint: an `endpoints` block or \
             AWS_ENDPOINT_URL may name an emulator that is not running.",
        ),
        Cause::Configuration => new,
    }
}

/// A session's error as the sdk has errors.
pub(crate) fn refused(error: SessionError) -> Error {
    let class = match &error.cause {
        Cause::Service(code) => class(code),
        Cause::NoCredentials => Class::Denied,
        Cause::Network => Class::Network,
        Cause::Configuration => Class::Other,
    };
    error.hints.iter().fold(Error::new(error.summary).with_class(class), |new, hint| new.hint(hint))
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
