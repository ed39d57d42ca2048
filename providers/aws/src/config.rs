//! The provider's configuration: `provider "aws" { … }`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_session::{Metadata, Settings};
use sdk::timeouts::parse_duration;
use sdk::{
    Attribute, Block, Error, Model, NestedBlock, Nesting, ProviderDiagnostic, Result, Schema, Str, TagPolicy, Tags,
    Type, Value,
};

use crate::endpoints;

/// `provider "aws" { … }` without its `endpoints` blocks, whose attributes are too many for fields.
#[derive(Clone, Debug, Default, Model)]
pub struct ProviderConfig {
    #[attr(optional)]
    pub(crate) access_key: Option<String>,
    #[attr(optional)]
    pub(crate) allowed_account_ids: Option<BTreeSet<String>>,
    #[attr(optional)]
    pub(crate) custom_ca_bundle: Option<String>,
    #[attr(optional)]
    pub(crate) ec2_metadata_service_endpoint: Option<String>,
    #[attr(optional)]
    pub(crate) ec2_metadata_service_endpoint_mode: Option<String>,
    #[attr(optional)]
    pub(crate) forbidden_account_ids: Option<BTreeSet<String>>,
    #[attr(optional)]
    pub(crate) http_proxy: Option<String>,
    #[attr(optional)]
    pub(crate) https_proxy: Option<String>,
    #[attr(optional)]
    pub(crate) insecure: Option<bool>,
    #[attr(optional)]
    pub(crate) max_retries: Option<i64>,
    #[attr(optional)]
    pub(crate) no_proxy: Option<String>,
    #[attr(optional)]
    pub(crate) profile: Option<String>,
    #[attr(optional)]
    pub(crate) region: Option<String>,
    #[attr(optional)]
    pub(crate) retry_mode: Option<String>,
    #[attr(optional)]
    pub(crate) s3_us_east_1_regional_endpoint: Option<String>,
    #[attr(optional)]
    pub(crate) s3_use_path_style: Option<bool>,
    #[attr(optional)]
    pub(crate) secret_key: Option<String>,
    #[attr(optional)]
    pub(crate) shared_config_files: Option<Vec<String>>,
    #[attr(optional)]
    pub(crate) shared_credentials_files: Option<Vec<String>>,
    #[attr(optional)]
    pub(crate) skip_credentials_validation: Option<bool>,
    #[attr(optional)]
    pub(crate) skip_metadata_api_check: Option<String>,
    #[attr(optional)]
    pub(crate) skip_region_validation: Option<bool>,
    #[attr(optional)]
    pub(crate) skip_requesting_account_id: Option<bool>,
    #[attr(optional)]
    pub(crate) sts_region: Option<String>,
    #[attr(optional)]
    pub(crate) token: Option<String>,
    #[attr(optional)]
    pub(crate) token_bucket_rate_limiter_capacity: Option<i64>,
    #[attr(optional)]
    pub(crate) use_dualstack_endpoint: Option<bool>,
    #[attr(optional)]
    pub(crate) use_fips_endpoint: Option<bool>,
    #[block(list)]
    pub(crate) assume_role: Vec<AssumeRole>,
    #[block(list)]
    pub(crate) assume_role_with_web_identity: Vec<AssumeRoleWithWebIdentity>,
    #[block(list)]
    pub(crate) default_tags: Vec<DefaultTags>,
    #[block(list)]
    pub(crate) ignore_tags: Vec<IgnoreTags>,
}

/// `assume_role { … }`
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct AssumeRole {
    #[attr(optional)]
    pub(crate) duration: Option<String>,
    #[attr(optional)]
    pub(crate) external_id: Option<String>,
    #[attr(optional)]
    pub(crate) policy: Option<String>,
    #[attr(optional)]
    pub(crate) policy_arns: Option<BTreeSet<String>>,
    #[attr(optional)]
    pub(crate) role_arn: Option<String>,
    #[attr(optional)]
    pub(crate) session_name: Option<String>,
    #[attr(optional)]
    pub(crate) source_identity: Option<String>,
    #[attr(optional)]
    pub(crate) tags: Option<Tags>,
    #[attr(optional)]
    pub(crate) transitive_tag_keys: Option<BTreeSet<String>>,
}

/// `assume_role_with_web_identity { … }`
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct AssumeRoleWithWebIdentity {
    #[attr(optional)]
    pub(crate) duration: Option<String>,
    #[attr(optional)]
    pub(crate) policy: Option<String>,
    #[attr(optional)]
    pub(crate) policy_arns: Option<BTreeSet<String>>,
    #[attr(optional)]
    pub(crate) role_arn: Option<String>,
    #[attr(optional)]
    pub(crate) session_name: Option<String>,
    #[attr(optional)]
    pub(crate) web_identity_token: Option<String>,
    #[attr(optional)]
    pub(crate) web_identity_token_file: Option<String>,
}

/// `default_tags { … }`
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct DefaultTags {
    #[attr(optional)]
    pub(crate) tags: Option<Tags>,
}

/// `ignore_tags { … }`
#[derive(Clone, Debug, Default, Model)]
pub(crate) struct IgnoreTags {
    #[attr(optional)]
    pub(crate) key_prefixes: Option<BTreeSet<String>>,
    #[attr(optional)]
    pub(crate) keys: Option<BTreeSet<String>>,
}

/// The schema of the configuration, with `endpoints`.
pub(crate) fn schema() -> Schema {
    let plain = ProviderConfig::block();
    let url = Attribute { optional: true, ..Attribute::new(Type::String) };
    let names = endpoints::NAMES.iter().map(|name| (Str::new_static(name), url.clone())).collect();
    let mut blocks = plain.blocks;
    blocks.insert(
        Str::new_static("endpoints"),
        NestedBlock {
            nesting: Nesting::Set,
            min: 0,
            max: 0,
            computed: false,
            force_new: false,
            block: Block::new(names, BTreeMap::new()),
        },
    );
    Schema { block: Block::new(plain.attributes, blocks), ..Schema::default() }
}

/// The configured endpoints by name of the service. Unknown ones are left out.
pub(crate) fn configured_endpoints(config: &Value) -> BTreeMap<String, String> {
    let blocks = config.get("endpoints").and_then(Value::elements).unwrap_or_default();
    let entries = blocks.iter().filter_map(Value::entries).flatten();
    entries
        .filter_map(|(name, url)| Some((name.to_string(), url.as_str()?.to_string())))
        .filter(|(_, url)| !url.is_empty())
        .collect()
}

impl ProviderConfig {
    /// Whether neither credentials nor account are to be asked for.
    pub(crate) fn skips_identity(&self) -> bool {
        self.skip_credentials_validation == Some(true) && self.skip_requesting_account_id == Some(true)
    }

    /// What it says about reaching AWS, but for the endpoints.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let flag = |flag: Option<bool>| flag.unwrap_or_default();
        let attempts = self.max_retries.map(|retries| u32::try_from(retries.saturating_add(1)).unwrap_or(1));
        let assume_role = |role: &AssumeRole| {
            Ok(aws_session::AssumeRole {
                duration: duration("assume_role", &role.duration)?,
                external_id: given(&role.external_id),
                policy: given(&role.policy),
                policy_arns: role.policy_arns.clone().unwrap_or_default(),
                role_arn: role.role_arn.clone().unwrap_or_default(),
                session_name: given(&role.session_name),
                source_identity: given(&role.source_identity),
                tags: role.tags.clone().unwrap_or_default(),
                transitive_tag_keys: role.transitive_tag_keys.clone().unwrap_or_default(),
            })
        };
        let with_web_identity = |role: &AssumeRoleWithWebIdentity| {
            Ok(aws_session::AssumeRoleWithWebIdentity {
                duration: duration("assume_role_with_web_identity", &role.duration)?,
                policy: given(&role.policy),
                policy_arns: role.policy_arns.clone().unwrap_or_default(),
                role_arn: role.role_arn.clone().unwrap_or_default(),
                session_name: given(&role.session_name),
                web_identity_token: given(&role.web_identity_token),
                web_identity_token_file: given(&role.web_identity_token_file),
            })
        };
        Ok(Settings {
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            token: self.token.clone(),
            profile: self.profile.clone(),
            region: self.region.clone(),
            shared_config_files: self.shared_config_files.clone(),
            shared_credentials_files: self.shared_credentials_files.clone(),
            custom_ca_bundle: self.custom_ca_bundle.clone(),
            http_proxy: self.http_proxy.clone(),
            https_proxy: self.https_proxy.clone(),
            no_proxy: self.no_proxy.clone(),
            insecure: flag(self.insecure),
            attempts,
            default_attempts: 25,
            retry_mode: self.retry_mode.clone(),
            sts_region: self.sts_region.clone(),
            use_dualstack_endpoint: flag(self.use_dualstack_endpoint),
            use_fips_endpoint: flag(self.use_fips_endpoint),
            skip_region_validation: flag(self.skip_region_validation),
            metadata: Metadata {
                disabled: self.skip_metadata_api_check.as_deref() == Some("true"),
                endpoint: given(&self.ec2_metadata_service_endpoint),
                ipv6: self.ec2_metadata_service_endpoint_mode.as_deref() == Some("IPv6"),
            },
            assume_role: self.assume_role.iter().map(assume_role).collect::<Result<_>>()?,
            assume_role_with_web_identity: self
                .assume_role_with_web_identity
                .iter()
                .map(with_web_identity)
                .collect::<Result<_>>()?,
            ..Settings::default()
        })
    }

    /// What it says about tags.
    pub(crate) fn tag_policy(&self) -> TagPolicy {
        let mut policy = TagPolicy { system_prefixes: vec!["aws:".to_owned()], ..TagPolicy::default() };
        for block in &self.default_tags {
            policy.defaults.extend(block.tags.clone().unwrap_or_default());
        }
        for block in &self.ignore_tags {
            policy.ignored_keys.extend(block.keys.clone().unwrap_or_default());
            policy.ignored_prefixes.extend(block.key_prefixes.clone().unwrap_or_default());
        }
        policy
    }

    /// Checks what the schema can't say.
    pub(crate) fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
        let both = |name: &str| config.get(name).is_some_and(|ids| ids.length().unwrap_or_default() > 0);
        if both("allowed_account_ids") && both("forbidden_account_ids") {
            return vec![ProviderDiagnostic::error(
                "Conflicting configuration arguments",
                "\"allowed_account_ids\": conflicts with forbidden_account_ids",
            )];
        }
        Vec::new()
    }
}

/// How long the credentials of a role are good for.
fn duration(block: &str, text: &Option<String>) -> Result<Option<Duration>> {
    let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    let refused = || Error::new(format!("{block}.0.duration is not a duration: {text}"));
    parse_duration(text).map(Some).ok_or_else(refused)
}
