//! IAM.

mod document;
pub mod instance_profile;
pub mod openid_connect_provider;
pub mod policy;
pub mod policy_data;
pub mod policy_document;
pub mod role;
pub mod role_data;
pub mod role_policy;
pub mod role_policy_attachment;

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_iam::types::{EntityType, Role, RoleDetail, Tag};
use sdk::{Cx, Error, Registry, Result, Tags};

use crate::client::Aws;
use crate::errors::api;

/// How long a new principal may take to be known everywhere.
pub(crate) const PROPAGATED_WITHIN: Duration = Duration::from_secs(120);

/// From this many objects on, listing the whole account is cheaper than reading one by one.
pub(crate) const LIST_FROM: usize = 2;

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.resource::<instance_profile::InstanceProfile>();
    registry.resource::<openid_connect_provider::OpenIdConnectProvider>();
    registry.resource::<policy::IamPolicy>();
    registry.resource::<role::IamRole>();
    registry.resource::<role_policy::RolePolicy>();
    registry.resource::<role_policy_attachment::RolePolicyAttachment>();
    registry.data_source::<policy_data::PolicyData>();
    registry.data_source::<policy_document::PolicyDocument>();
    registry.data_source::<role_data::RoleData>();
}

/// All roles by name, as `ListRoles` reports them: without tags and boundary. One paged call per refresh.
pub(crate) async fn roles(cx: &Cx<Aws>) -> Result<std::sync::Arc<HashMap<String, Role>>> {
    let fetch = || async {
        let pages = cx.iam().list_roles().max_items(1000).into_paginator().items().send();
        let roles: Vec<Role> = pages.collect::<Result<_, _>>().await.map_err(api("IAM", "ListRoles"))?;
        Ok(roles.into_iter().map(|role| (role.role_name.clone(), role)).collect())
    };
    cx.shared("iam:ListRoles", fetch).await
}

/// All roles by name with their inline and attached policies, instance profiles, tags and boundaries; without description
/// and session duration. One paged call per refresh, shared by the types that are parts of a role.
pub(crate) async fn role_details(cx: &Cx<Aws>) -> Result<std::sync::Arc<HashMap<String, RoleDetail>>> {
    let fetch = || async {
        let request = cx.iam().get_account_authorization_details().filter(EntityType::Role).max_items(1000);
        let mut pages = request.into_paginator().send();
        let mut details = HashMap::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(api("IAM", "GetAccountAuthorizationDetails"))?;
            for role in page.role_detail_list.unwrap_or_default() {
                details.insert(role.role_name.clone().unwrap_or_default(), role);
            }
        }
        Ok(details)
    };
    cx.shared("iam:GetAccountAuthorizationDetails:Role", fetch).await
}

/// A policy document as IAM reports it: percent-encoded.
pub(crate) fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned()
}

/// Whether a call failed because a new principal is not known everywhere yet.
pub(crate) fn is_unknown_principal(error: &Error) -> bool {
    error.is_code_with("MalformedPolicyDocument", "Invalid principal in policy")
        || error.is_code_with("MalformedPolicyDocumentException", "Invalid principal in policy")
        || error.is_code("ConcurrentModification")
        || error.is_code("ConcurrentModificationException")
}

/// Tags as the API takes them; `None` if there are none.
pub(crate) fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    // `key` and `value` are required and set, so building can't fail.
    let tags: Vec<Tag> = tags.iter().filter_map(|(k, v)| Tag::builder().key(k).value(v).build().ok()).collect();
    (!tags.is_empty()).then_some(tags)
}

/// Tags as the API reports them.
pub(crate) fn from_tags(tags: Option<Vec<Tag>>) -> Tags {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}
