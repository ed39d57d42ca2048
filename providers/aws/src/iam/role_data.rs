//! `data "aws_iam_role"`

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use sdk::{Cx, DataSource, Error, Model, Result, ResultExt, Tags, async_trait};

use super::{decoded, from_tags};
use crate::client::Aws;
use crate::errors::api;

/// A role by name. Source: IAM `GetRole`.
#[derive(Clone, Debug, Default, Model)]
pub struct RoleData {
    #[attr(computed)]
    arn: String,
    #[attr(computed)]
    assume_role_policy: String,
    #[attr(computed)]
    create_date: String,
    #[attr(computed)]
    description: String,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    max_session_duration: i64,
    #[attr(required)]
    name: String,
    #[attr(computed)]
    path: String,
    #[attr(computed)]
    permissions_boundary: String,
    #[attr(computed)]
    role_last_used: Vec<RoleLastUsed>,
    #[attr(optional, computed)]
    tags: Tags,
    #[attr(computed)]
    unique_id: String,
}

/// An element of `role_last_used`.
#[derive(Clone, Debug, Default, Model)]
pub struct RoleLastUsed {
    #[attr(computed)]
    last_used_date: Option<String>,
    #[attr(computed)]
    region: Option<String>,
}

#[async_trait]
impl DataSource for RoleData {
    const NAME: &'static str = "aws_iam_role";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, config: RoleData) -> Result<RoleData> {
        let name = config.name;
        let doing = format!("reading IAM Role ({name})");
        let answer = cx.iam().get_role().role_name(&name).send().await.map_err(api("IAM", "GetRole"));
        let role = answer.if_found().doing(&doing)?.and_then(|answer| answer.role);
        let role = role.ok_or_else(|| Error::not_found(format!("{doing}: couldn't find resource")))?;
        let seconds = |time: DateTime| DateTime::from_secs(time.secs()).fmt(Format::DateTime).ok();
        let used = role.role_last_used.map(|used| RoleLastUsed {
            last_used_date: Some(used.last_used_date.and_then(seconds).unwrap_or_default()),
            region: Some(used.region.unwrap_or_default()),
        });
        let boundary = role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
        Ok(RoleData {
            arn: role.arn,
            assume_role_policy: decoded(role.assume_role_policy_document.as_deref().unwrap_or_default()),
            create_date: seconds(role.create_date).unwrap_or_default(),
            description: role.description.unwrap_or_default(),
            id: name.clone(),
            max_session_duration: role.max_session_duration.map(i64::from).unwrap_or_default(),
            name,
            path: role.path,
            permissions_boundary: boundary.unwrap_or_default(),
            role_last_used: used.into_iter().collect(),
            tags: cx.visible_tags(from_tags(role.tags)),
            unique_id: role.role_id,
        })
    }
}
