//! The arguments of `backend "gcs"`, as Terraform 1.11 has them.

use state::backend::remote::ArgumentType::{Text, TextList};
use state::backend::remote::{Argument, Finding, Settings, argument};

pub(crate) const ARGUMENTS: &[Argument] = &[
    argument("access_token", Text, Some("GOOGLE_OAUTH_ACCESS_TOKEN")),
    argument("bucket", Text, None).required(),
    argument("credentials", Text, None),
    argument("encryption_key", Text, Some("GOOGLE_ENCRYPTION_KEY")),
    argument("impersonate_service_account", Text, None),
    argument("impersonate_service_account_delegates", TextList, None),
    argument("kms_encryption_key", Text, Some("GOOGLE_KMS_ENCRYPTION_KEY")),
    argument("prefix", Text, None),
    argument("storage_custom_endpoint", Text, None),
];

/// Looks the arguments through.
pub(crate) fn check(settings: &Settings<'_>) -> Vec<Finding> {
    let error = |summary: &str, detail: &str| Finding {
        is_error: true,
        argument: None,
        summary: summary.to_owned(),
        detail: detail.to_owned(),
    };
    let mut findings = Vec::new();
    if settings.value("bucket").is_none() {
        findings.push(error(
            "Missing required argument",
            "The argument \"bucket\" is required, but no definition was found.",
        ));
    }
    let keys = ["encryption_key", "kms_encryption_key"];
    if keys.iter().all(|name| settings.value(name).is_some() || settings.text(name).is_some()) {
        findings.push(error("can't set both encryption_key and kms_encryption_key", ""));
    }
    findings
}
