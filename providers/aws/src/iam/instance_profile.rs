//! `aws_iam_instance_profile`

use aws_sdk_iam::types::InstanceProfile as IamInstanceProfile;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use sdk::{
    Change, Check, Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, TagChanges, Tags, async_trait,
};

use super::{PROPAGATED_WITHIN, from_tags, to_tags};
use crate::checks::IAM_NAME;
use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// What gives a role to EC2 instances. Source: IAM `CreateInstanceProfile`, `GetInstanceProfile`. They are read one by
/// one: no call reports the tags of many.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
pub struct InstanceProfile {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(computed)]
    create_date: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 128), IAM_NAME])]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 102), IAM_NAME])]
    name_prefix: Option<String>,
    #[attr(optional, force_new, default = "/")]
    path: Option<String>,
    #[attr(optional)]
    role: Option<String>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(computed)]
    unique_id: Option<String>,
}

#[async_trait]
impl Resource for InstanceProfile {
    const NAME: &'static str = "aws_iam_instance_profile";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: InstanceProfile, created: &Created<'_>) -> Result<InstanceProfile> {
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), cx.client_token());
        let request = cx
            .iam()
            .create_instance_profile()
            .instance_profile_name(&name)
            .set_path(planned.path.clone())
            .set_tags(to_tags(&planned.tags_all));
        let answer = request.send().await.map_err(api("IAM", "CreateInstanceProfile"));
        answer.doing(format!("creating IAM Instance Profile ({name})"))?;
        planned.id.clone_from(&name);
        planned.name = Some(name.clone());
        created.hand_over(&planned).await;
        if let Some(role) = role(&planned) {
            add_role(cx, &name, role).await?;
        }
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, mut prior: InstanceProfile) -> Result<Option<InstanceProfile>> {
        let profile = get(cx, &prior.id).await.doing(format!("reading IAM Instance Profile ({})", prior.id))?;
        let Some(profile) = profile else { return Ok(None) };
        prior.arn = Some(profile.arn);
        prior.create_date = DateTime::from_secs(profile.create_date.secs()).fmt(Format::DateTime).ok();
        prior.name_prefix = Some(names::prefix_of(&profile.instance_profile_name).to_owned());
        prior.name = Some(profile.instance_profile_name);
        prior.path = Some(profile.path);
        let role = profile.roles.into_iter().next().map(|role| role.role_name);
        prior.role = role.or_else(|| prior.role.as_ref().map(|_| String::new()));
        prior.unique_id = Some(profile.instance_profile_id);
        prior.tags_all = from_tags(profile.tags);
        Ok(Some(prior))
    }

    async fn update(cx: &Cx<Aws>, change: Change<InstanceProfile>) -> Result<InstanceProfile> {
        let Change { prior, planned, .. } = &change;
        let name = &planned.id;
        if role(prior) != role(planned) {
            if let Some(role) = role(prior) {
                remove_role(cx, name, role).await?;
            }
            if let Some(role) = role(planned) {
                add_role(cx, name, role).await?;
            }
        }
        let changes = TagChanges::between(&prior.tags_all, &planned.tags_all);
        let doing = format!("updating tags for IAM Instance Profile ({name})");
        if !changes.removed.is_empty() {
            let request = cx.iam().untag_instance_profile().instance_profile_name(name);
            let request = request.set_tag_keys(Some(changes.removed));
            request.send().await.map_err(api("IAM", "UntagInstanceProfile")).doing(&doing)?;
        }
        if let Some(tags) = to_tags(&changes.set) {
            let request = cx.iam().tag_instance_profile().instance_profile_name(name).set_tags(Some(tags));
            request.send().await.map_err(api("IAM", "TagInstanceProfile")).doing(&doing)?;
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: InstanceProfile) -> Result<()> {
        let name = &prior.id;
        if let Some(role) = role(&prior) {
            remove_role(cx, name, role).await?;
        }
        let delete = || async {
            let request = cx.iam().delete_instance_profile().instance_profile_name(name);
            request.send().await.map_err(api("IAM", "DeleteInstanceProfile")).map(|_| ())
        };
        let conflicts = |error: &Error| error.class() == Class::DependencyViolation;
        cx.retry(PROPAGATED_WITHIN, conflicts, delete)
            .await
            .or_gone()
            .doing(format!("deleting IAM Instance Profile ({name})"))
    }

    async fn find(cx: &Cx<Aws>, planned: &InstanceProfile, client_token: &str) -> Result<Found<InstanceProfile>> {
        let made_up = planned.name.as_deref().unwrap_or_default().is_empty();
        let id = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), client_token);
        Ok(match get(cx, &id).await? {
            None => Found::Nothing,
            Some(_) if made_up => Found::Object(Box::new(InstanceProfile { id, ..planned.clone() })),
            Some(_) => Found::Named(Box::new(InstanceProfile { id, ..planned.clone() })),
        })
    }

    fn estimate_seconds(_operation: sdk::Operation) -> u32 {
        10
    }
}

fn role(profile: &InstanceProfile) -> Option<&str> {
    profile.role.as_deref().filter(|role| !role.is_empty())
}

async fn get(cx: &Cx<Aws>, name: &str) -> Result<Option<IamInstanceProfile>> {
    let request = cx.iam().get_instance_profile().instance_profile_name(name);
    let answer = request.send().await.map_err(api("IAM", "GetInstanceProfile")).if_found()?;
    Ok(answer.and_then(|answer| answer.instance_profile))
}

async fn add_role(cx: &Cx<Aws>, name: &str, role: &str) -> Result<()> {
    let add = || async {
        let request = cx.iam().add_role_to_instance_profile().instance_profile_name(name).role_name(role);
        request.send().await.map_err(api("IAM", "AddRoleToInstanceProfile")).map(|_| ())
    };
    let unknown = |error: &Error| {
        error.is_code_with("InvalidParameterValue", "Invalid IAM Instance Profile name") || error.is_not_found()
    };
    let added = cx.retry(PROPAGATED_WITHIN, unknown, add).await;
    added.doing(format!("adding IAM Role ({role}) to IAM Instance Profile ({name})"))
}

async fn remove_role(cx: &Cx<Aws>, name: &str, role: &str) -> Result<()> {
    let request = cx.iam().remove_role_from_instance_profile().instance_profile_name(name).role_name(role);
    let answer = request.send().await.map_err(api("IAM", "RemoveRoleFromInstanceProfile"));
    answer.or_gone().doing(format!("removing IAM Role ({role}) from IAM Instance Profile ({name})"))
}
