//! `aws_kms_key`

use std::time::Duration;

use aws_sdk_kms::types::{KeyMetadata, KeySpec, KeyState, KeyUsageType, MultiRegionKeyType, OriginType, Tag};
use futures::{StreamExt, stream};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, TagChanges, Tags, Timeouts, Wait,
    async_trait,
};

use super::PROPAGATED_WITHIN;
use crate::checks::JSON;
use crate::client::Aws;
use crate::errors::api;
use crate::policy;

/// A key. Source: KMS `CreateKey`. It is read with `DescribeKey`, `GetKeyPolicy`, `GetKeyRotationStatus` and
/// `ListResourceTags`, each of which takes one key.
#[derive(Clone, Debug, Default, Model)]
pub struct KmsKey {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, default = false)]
    bypass_policy_lockout_safety_check: Option<bool>,
    #[attr(optional, force_new, valid = Check::Length(1, 22))]
    custom_key_store_id: Option<String>,
    #[attr(optional, force_new, default = "SYMMETRIC_DEFAULT", valid = Check::Enum(&["RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "SYMMETRIC_DEFAULT", "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "SM2"]))]
    customer_master_key_spec: Option<String>,
    #[attr(optional, valid = Check::Between(7, 30))]
    deletion_window_in_days: Option<i64>,
    #[attr(optional, computed)]
    description: Option<String>,
    #[attr(optional, default = false)]
    enable_key_rotation: Option<bool>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, default = true)]
    is_enabled: Option<bool>,
    #[attr(computed)]
    key_id: Option<String>,
    #[attr(optional, force_new, default = "ENCRYPT_DECRYPT", valid = Check::Enum(&["SIGN_VERIFY", "ENCRYPT_DECRYPT", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"]))]
    key_usage: Option<String>,
    #[attr(optional, computed, force_new)]
    multi_region: Option<bool>,
    #[attr(optional, computed, equivalent = "policy::equivalent", normalize = "policy::normalize", valid = JSON)]
    policy: Option<String>,
    #[attr(optional, computed, valid = Check::Between(90, 2560))]
    rotation_period_in_days: Option<i64>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, force_new)]
    xks_key_id: Option<String>,
    #[timeouts(create)]
    timeouts: Timeouts,
}

const ROTATION_WITHIN: Duration = Duration::from_secs(600);
const STATE_WITHIN: Duration = Duration::from_secs(1200);

/// The tag by which a new key is found when the answer that named it was lost.
const INTENT: &str = "windlass:intent";

#[async_trait]
impl Resource for KmsKey {
    const NAME: &'static str = "aws_kms_key";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: KmsKey, created: &Created<'_>) -> Result<KmsKey> {
        let text = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        let (store, external) = (text(&planned.custom_key_store_id), text(&planned.xks_key_id));
        let origin = match (&store, &external) {
            (_, Some(_)) => Some(OriginType::ExternalKeyStore),
            (Some(_), None) => Some(OriginType::AwsCloudhsm),
            (None, None) => None,
        };
        let mut tags = planned.tags_all.clone();
        tags.insert(INTENT.to_owned(), cx.client_token().to_owned());
        let create = || async {
            let request = cx
                .kms()
                .create_key()
                .bypass_policy_lockout_safety_check(planned.bypass_policy_lockout_safety_check.unwrap_or_default())
                .set_key_spec(planned.customer_master_key_spec.as_deref().map(KeySpec::from))
                .set_key_usage(planned.key_usage.as_deref().map(KeyUsageType::from))
                .set_description(text(&planned.description))
                .set_multi_region(planned.multi_region.filter(|on| *on))
                .set_policy(text(&planned.policy))
                .set_custom_key_store_id(store.clone())
                .set_xks_key_id(external.clone())
                .set_origin(origin.clone())
                .set_tags(to_tags(&tags));
            request.send().await.map_err(api("KMS", "CreateKey"))
        };
        let budget = planned.timeouts.create(PROPAGATED_WITHIN);
        let answer = cx.retry(budget, is_malformed_policy, create).await.doing("creating KMS Key")?;
        planned.id = answer.key_metadata.map(|key| key.key_id).unwrap_or_default();
        created.hand_over(&planned).await;

        let id = &planned.id;
        // The state has the id now. The tag does no harm if it stays: no read shows it.
        drop(cx.kms().untag_resource().key_id(id).tag_keys(INTENT).send().await);
        if planned.enable_key_rotation == Some(true) {
            rotate(cx, id, true, planned.rotation_period_in_days).await?;
        }
        if planned.is_enabled == Some(false) {
            enable(cx, id, false).await?;
        }
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: KmsKey) -> Result<Option<KmsKey>> {
        let id = prior.id.clone();
        let read = read(cx, &id).await.if_found().doing(format!("reading KMS Key ({id})"))?;
        let Some((key, policy, rotation, tags)) = read else { return Ok(None) };
        if key.key_state.as_ref().is_some_and(is_deleted) {
            return Ok(None);
        }
        let replica = |key: &KeyMetadata| {
            let kind = key.multi_region_configuration.as_ref().and_then(|c| c.multi_region_key_type.as_ref());
            key.multi_region == Some(true) && kind != Some(&MultiRegionKeyType::Primary)
        };
        if replica(&key) {
            return Err(Error::new(format!("KMS Key ({id}) is not a multi-Region primary key")));
        }
        Ok(Some(merged(prior, key, &policy, rotation, tags)))
    }

    async fn update(cx: &Cx<Aws>, change: Change<KmsKey>) -> Result<KmsKey> {
        let Change { prior, planned, .. } = &change;
        let id = &planned.id;
        let enabled = change.of(|key| &key.is_enabled).then_some(planned.is_enabled).flatten();
        // Nothing else of a disabled key can be changed.
        if enabled == Some(true) {
            enable(cx, id, true).await?;
        }
        let on = planned.enable_key_rotation.unwrap_or_default();
        if change.of(|key| &key.enable_key_rotation) || on && change.of(|key| &key.rotation_period_in_days) {
            rotate(cx, id, on, planned.rotation_period_in_days).await?;
        }
        if change.of(|key| &key.description) {
            let request = cx.kms().update_key_description().key_id(id);
            let request = request.description(planned.description.as_deref().unwrap_or_default());
            let answer = request.send().await.map_err(api("KMS", "UpdateKeyDescription"));
            answer.doing(format!("updating KMS Key ({id}) description"))?;
        }
        if change.of(|key| &key.policy) {
            put_policy(cx, planned).await?;
        }
        if enabled == Some(false) {
            enable(cx, id, false).await?;
        }
        let changes = TagChanges::between(&prior.tags_all, &planned.tags_all);
        let doing = format!("updating tags for KMS Key ({id})");
        if !changes.removed.is_empty() {
            let request = cx.kms().untag_resource().key_id(id).set_tag_keys(Some(changes.removed));
            request.send().await.map_err(api("KMS", "UntagResource")).doing(&doing)?;
        }
        if let Some(tags) = to_tags(&changes.set) {
            let request = cx.kms().tag_resource().key_id(id).set_tags(Some(tags));
            request.send().await.map_err(api("KMS", "TagResource")).doing(&doing)?;
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: KmsKey) -> Result<()> {
        let id = &prior.id;
        let window = prior.deletion_window_in_days.filter(|days| *days > 0).and_then(|days| i32::try_from(days).ok());
        let request = cx.kms().schedule_key_deletion().key_id(id).set_pending_window_in_days(window);
        match request.send().await.map_err(api("KMS", "ScheduleKeyDeletion")).if_found() {
            Ok(None) => return Ok(()),
            Err(error) if error.message().contains("is pending deletion") => return Ok(()),
            answer => answer.doing(format!("deleting KMS Key ({id})"))?,
        };
        let poll = || async {
            let key = describe(cx, id).await.if_found()?;
            let state = key.and_then(|key| key.key_state).filter(|state| !is_deleted(state));
            Ok(state.map(|state| ((), state.as_str().to_owned())))
        };
        let waited = cx.wait_for(Wait::until_gone(STATE_WITHIN), poll).await;
        waited.doing(format!("waiting for KMS Key ({id}) delete")).map(|_| ())
    }

    async fn find(cx: &Cx<Aws>, planned: &KmsKey, client_token: &str) -> Result<Found<KmsKey>> {
        let keys = cx.kms().list_keys().limit(1000).into_paginator().items().send();
        let keys = keys.collect::<Result<Vec<_>, _>>().await.map_err(api("KMS", "ListKeys"))?;
        let ours = |id: String| async move {
            // Others' keys may not show their tags.
            let tags = tags(cx, &id).await.unwrap_or_default();
            tags.iter().any(|tag| tag.tag_key == INTENT && tag.tag_value == client_token).then_some(id)
        };
        let mut found = stream::iter(keys.into_iter().filter_map(|key| key.key_id).map(ours)).buffer_unordered(8);
        while let Some(answer) = found.next().await {
            if let Some(id) = answer {
                return Ok(Found::Object(Box::new(KmsKey { id, ..planned.clone() })));
            }
        }
        Ok(Found::Nothing)
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        5
    }
}

fn merged(mut known: KmsKey, key: KeyMetadata, policy: &str, rotation: Option<(bool, i64)>, tags: Vec<Tag>) -> KmsKey {
    known.arn = Some(key.arn.unwrap_or_default());
    known.custom_key_store_id = Some(key.custom_key_store_id.unwrap_or_default());
    known.customer_master_key_spec = key.key_spec.map(|spec| spec.as_str().to_owned());
    known.description = Some(key.description.unwrap_or_default());
    known.enable_key_rotation = Some(rotation.is_some_and(|(on, _)| on));
    known.is_enabled = Some(key.enabled);
    known.key_id = Some(key.key_id);
    known.key_usage = key.key_usage.map(|usage| usage.as_str().to_owned());
    known.multi_region = Some(key.multi_region.unwrap_or_default());
    known.policy = Some(policy::stored(known.policy.as_deref(), policy));
    known.rotation_period_in_days = Some(rotation.map(|(_, days)| days).unwrap_or_default());
    known.xks_key_id = Some(key.xks_key_configuration.and_then(|external| external.id).unwrap_or_default());
    known.tags_all =
        tags.into_iter().filter(|tag| tag.tag_key != INTENT).map(|tag| (tag.tag_key, tag.tag_value)).collect();
    known
}

type Read = (KeyMetadata, String, Option<(bool, i64)>, Vec<Tag>);

async fn read(cx: &Cx<Aws>, id: &str) -> Result<Read> {
    let policy = async {
        let request = cx.kms().get_key_policy().key_id(id).policy_name("default");
        request.send().await.map_err(api("KMS", "GetKeyPolicy"))
    };
    let (key, policy, tags) = futures::try_join!(describe(cx, id), policy, tags(cx, id))?;
    // Keys whose material isn't KMS's don't rotate.
    let rotation = if key.origin == Some(OriginType::AwsKms) && !key.key_state.as_ref().is_some_and(is_deleted) {
        let answer = cx.kms().get_key_rotation_status().key_id(id).send().await;
        let answer = answer.map_err(api("KMS", "GetKeyRotationStatus"))?;
        Some((answer.key_rotation_enabled, answer.rotation_period_in_days.map(i64::from).unwrap_or_default()))
    } else {
        None
    };
    Ok((key, policy.policy.unwrap_or_default(), rotation, tags))
}

async fn describe(cx: &Cx<Aws>, id: &str) -> Result<KeyMetadata> {
    let answer = cx.kms().describe_key().key_id(id).send().await.map_err(api("KMS", "DescribeKey"))?;
    answer.key_metadata.ok_or_else(|| Error::not_found("empty result"))
}

async fn tags(cx: &Cx<Aws>, id: &str) -> Result<Vec<Tag>> {
    let tags = cx.kms().list_resource_tags().key_id(id).into_paginator().items().send();
    tags.collect::<Result<Vec<_>, _>>().await.map_err(api("KMS", "ListResourceTags"))
}

/// A key that waits for its deletion is as good as gone.
fn is_deleted(state: &KeyState) -> bool {
    matches!(state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)
}

fn is_malformed_policy(error: &Error) -> bool {
    error.is_code("MalformedPolicyDocumentException")
}

fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    // `key` and `value` are required and set, so building can't fail.
    let tags: Vec<Tag> = tags.iter().filter_map(|(k, v)| Tag::builder().tag_key(k).tag_value(v).build().ok()).collect();
    (!tags.is_empty()).then_some(tags)
}

async fn enable(cx: &Cx<Aws>, id: &str, on: bool) -> Result<()> {
    let change = || async {
        if on {
            cx.kms().enable_key().key_id(id).send().await.map_err(api("KMS", "EnableKey")).map(|_| ())
        } else {
            cx.kms().disable_key().key_id(id).send().await.map_err(api("KMS", "DisableKey")).map(|_| ())
        }
    };
    let action = if on { "enabling" } else { "disabling" };
    let changed = cx.retry(PROPAGATED_WITHIN, Error::is_not_found, change).await;
    changed.doing(format!("{action} KMS Key ({id})"))?;
    let poll = || async { Ok(describe(cx, id).await.if_found()?.map(|key| ((), key.enabled.to_string()))) };
    let waited = cx.wait_for(Wait::until(&[if on { "true" } else { "false" }], STATE_WITHIN), poll).await;
    waited.doing(format!("waiting for KMS Key ({id}) update (enabled = {on})")).map(|_| ())
}

async fn rotate(cx: &Cx<Aws>, id: &str, on: bool, days: Option<i64>) -> Result<()> {
    let days = days.filter(|days| *days > 0).and_then(|days| i32::try_from(days).ok());
    let change = || async {
        if on {
            let request = cx.kms().enable_key_rotation().key_id(id).set_rotation_period_in_days(days);
            request.send().await.map_err(api("KMS", "EnableKeyRotation")).map(|_| ())
        } else {
            let request = cx.kms().disable_key_rotation().key_id(id);
            request.send().await.map_err(api("KMS", "DisableKeyRotation")).map(|_| ())
        }
    };
    let early = |error: &Error| error.is_not_found() || error.is_code("DisabledException");
    let action = if on { "enabling" } else { "disabling" };
    let changed = cx.retry(ROTATION_WITHIN, early, change).await;
    changed.doing(format!("{action} KMS Key ({id}) rotation"))?;
    let poll = || async {
        let answer = cx.kms().get_key_rotation_status().key_id(id).send().await;
        let answer = answer.map_err(api("KMS", "GetKeyRotationStatus")).if_found()?;
        Ok(answer.map(|answer| {
            let period =
                answer.rotation_period_in_days.is_none() || days.is_none() || answer.rotation_period_in_days == days;
            ((), (answer.key_rotation_enabled == on && (period || !on)).to_string())
        }))
    };
    let waited = cx.wait_for(Wait::until(&["true"], ROTATION_WITHIN), poll).await;
    waited.doing(format!("waiting for KMS Key ({id}) rotation update")).map(|_| ())
}

async fn put_policy(cx: &Cx<Aws>, key: &KmsKey) -> Result<()> {
    let (id, text) = (&key.id, key.policy.as_deref().unwrap_or_default());
    let put = || async {
        let request = cx
            .kms()
            .put_key_policy()
            .key_id(id)
            .policy_name("default")
            .policy(text)
            .bypass_policy_lockout_safety_check(key.bypass_policy_lockout_safety_check.unwrap_or_default());
        request.send().await.map_err(api("KMS", "PutKeyPolicy")).map(|_| ())
    };
    let early = |error: &Error| error.is_not_found() || is_malformed_policy(error);
    cx.retry(PROPAGATED_WITHIN, early, put).await.doing(format!("updating KMS Key ({id}) policy"))?;
    let poll = || async {
        let answer = cx.kms().get_key_policy().key_id(id).policy_name("default").send().await;
        let answer = answer.map_err(api("KMS", "GetKeyPolicy")).if_found()?;
        Ok(answer.map(|answer| ((), policy::same(answer.policy.as_deref().unwrap_or_default(), text).to_string())))
    };
    let waited = cx.wait_for(Wait::until(&["true"], ROTATION_WITHIN), poll).await;
    waited.doing(format!("waiting for KMS Key ({id}) policy update")).map(|_| ())
}
