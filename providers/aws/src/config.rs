//! The provider's configuration: `provider "aws" { … }`.

use std::collections::{BTreeMap, BTreeSet};

use sdk::{
    Attribute, Block, Model, NestedBlock, Nesting, ProviderDiagnostic, Schema, Str, TagPolicy, Tags, Type, Value,
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
