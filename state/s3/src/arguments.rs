//! The arguments of `backend "s3"`, as Terraform 1.11 has them.

use state::backend::remote::ArgumentType::{Flag, Number, Object, Text, TextMap, Texts};
use state::backend::remote::{Argument, Attribute, argument, optional};

pub(crate) const ARGUMENTS: &[Argument] = &[
    argument("access_key", Text, None),
    argument("acl", Text, None),
    argument("allowed_account_ids", Texts, None),
    argument("assume_role", Object(ASSUME_ROLE), None),
    argument("assume_role_with_web_identity", Object(ASSUME_ROLE_WITH_WEB_IDENTITY), None),
    argument("bucket", Text, None).required(),
    argument("custom_ca_bundle", Text, Some("AWS_CA_BUNDLE")),
    argument("dynamodb_endpoint", Text, None),
    argument("dynamodb_table", Text, None),
    argument("ec2_metadata_service_endpoint", Text, Some("AWS_EC2_METADATA_SERVICE_ENDPOINT")),
    argument("ec2_metadata_service_endpoint_mode", Text, Some("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")),
    argument("encrypt", Flag, None),
    argument("endpoint", Text, None),
    argument("endpoints", Object(ENDPOINTS), None),
    argument("forbidden_account_ids", Texts, None),
    argument("force_path_style", Flag, None),
    argument("http_proxy", Text, None),
    argument("https_proxy", Text, None),
    argument("iam_endpoint", Text, None),
    argument("insecure", Flag, None),
    argument("key", Text, None).required(),
    argument("kms_key_id", Text, None),
    argument("max_retries", Number, None),
    argument("no_proxy", Text, None),
    argument("profile", Text, None),
    argument("region", Text, None),
    argument("retry_mode", Text, Some("AWS_RETRY_MODE")),
    argument("secret_key", Text, None),
    argument("shared_config_files", Texts, Some("AWS_SHARED_CONFIG_FILE")),
    argument("shared_credentials_file", Text, None),
    argument("shared_credentials_files", Texts, Some("AWS_SHARED_CREDENTIALS_FILE")),
    argument("skip_credentials_validation", Flag, None),
    argument("skip_metadata_api_check", Flag, None),
    argument("skip_region_validation", Flag, None),
    argument("skip_requesting_account_id", Flag, None),
    argument("skip_s3_checksum", Flag, None),
    argument("sse_customer_key", Text, Some("AWS_SSE_CUSTOMER_KEY")),
    argument("sts_endpoint", Text, None),
    argument("sts_region", Text, None),
    argument("token", Text, None),
    argument("use_dualstack_endpoint", Flag, None),
    argument("use_fips_endpoint", Flag, None),
    argument("use_lockfile", Flag, None),
    argument("use_path_style", Flag, None),
    argument("workspace_key_prefix", Text, None),
];

/// `assume_role`
pub const ASSUME_ROLE: &[Attribute] = &[
    optional("duration", Text),
    optional("external_id", Text),
    optional("policy", Text),
    optional("policy_arns", Texts),
    Attribute { name: "role_arn", ty: Text, required: true },
    optional("session_name", Text),
    optional("source_identity", Text),
    optional("tags", TextMap),
    optional("transitive_tag_keys", Texts),
];

/// `assume_role_with_web_identity`
pub const ASSUME_ROLE_WITH_WEB_IDENTITY: &[Attribute] = &[
    optional("duration", Text),
    optional("policy", Text),
    optional("policy_arns", Texts),
    Attribute { name: "role_arn", ty: Text, required: true },
    optional("session_name", Text),
    optional("web_identity_token", Text),
    optional("web_identity_token_file", Text),
];

const ENDPOINTS: &[Attribute] = &[
    optional("dynamodb", Text),
    optional("iam", Text),
    optional("s3", Text),
    optional("sso", Text),
    optional("sts", Text),
];

/// A service's endpoint: its name in `endpoints`, its deprecated argument, its variables, of which the second is deprecated.
pub(crate) struct Endpoint {
    pub service: &'static str,
    pub argument: &'static str,
    pub variables: [&'static str; 2],
}

pub(crate) const DYNAMODB: Endpoint = Endpoint {
    service: "dynamodb",
    argument: "dynamodb_endpoint",
    variables: ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_DYNAMODB_ENDPOINT"],
};

const IAM: Endpoint =
    Endpoint { service: "iam", argument: "iam_endpoint", variables: ["AWS_ENDPOINT_URL_IAM", "AWS_IAM_ENDPOINT"] };

pub(crate) const S3: Endpoint =
    Endpoint { service: "s3", argument: "endpoint", variables: ["AWS_ENDPOINT_URL_S3", "AWS_S3_ENDPOINT"] };

pub(crate) const STS: Endpoint =
    Endpoint { service: "sts", argument: "sts_endpoint", variables: ["AWS_ENDPOINT_URL_STS", "AWS_STS_ENDPOINT"] };

pub(crate) const ENDPOINT_ARGUMENTS: [Endpoint; 4] = [DYNAMODB, IAM, S3, STS];
