//! `aws_iam_role_policy`

use sdk::{Change, Check, Class, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, async_trait};

use super::{LIST_FROM, PROPAGATED_WITHIN, decoded, role_details};
use crate::checks::{IAM_NAME, POLICY};
use crate::client::Aws;
use crate::errors::api;
use crate::{names, policy};

/// A policy inside a role. Source: IAM `PutRolePolicy`; read one by one with `GetRolePolicy`, or all at once with
/// `GetAccountAuthorizationDetails`.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
pub struct RolePolicy {
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 128), IAM_NAME])]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = [Check::Length(1, 102), IAM_NAME])]
    name_prefix: Option<String>,
    #[attr(required, equivalent = "policy::equivalent", normalize = "policy::normalize_version_first", valid = POLICY)]
    policy: String,
    #[attr(required, force_new, valid = [Check::Length(1, 128), Check::Text(role_name)])]
    role: String,
}

fn role_name(key: &str, text: &str) -> Vec<String> {
    if text.starts_with("arn:") {
        return vec![format!("{key:?} must be the role's name not its ARN")];
    }
    // A single one of these characters is enough.
    if text.chars().any(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)) {
        return Vec::new();
    }
    vec![format!(r#"expected value of {key} to match regular expression "[\\w+=,.@-]+", got {text}"#)]
}

#[async_trait]
impl Resource for RolePolicy {
    const NAME: &'static str = "aws_iam_role_policy";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: RolePolicy, created: &Created<'_>) -> Result<RolePolicy> {
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), cx.client_token());
        put(cx, &planned.role, &name, &planned.policy).await?;
        planned.id = format!("{}:{name}", planned.role);
        planned.name = Some(name);
        created.hand_over(&planned).await;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: RolePolicy) -> Result<Option<RolePolicy>> {
        let (role, name) = parts(&prior.id)?;
        let request = cx.iam().get_role_policy().role_name(role).policy_name(name);
        let answer = request.send().await.map_err(api("IAM", "GetRolePolicy")).if_found();
        let answer = answer.doing(format!("reading IAM Role Policy ({})", prior.id))?;
        Ok(answer.and_then(|answer| merged(prior, &answer.policy_document)))
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<RolePolicy>) -> Vec<Result<Option<RolePolicy>>> {
        if priors.len() < LIST_FROM {
            return sdk::one_by_one(cx, priors).await;
        }
        let details = match role_details(cx).await {
            Ok(details) => details,
            Err(error) if error.class() == Class::Denied => return sdk::one_by_one(cx, priors).await,
            Err(error) => return priors.iter().map(|_| Err(error.clone())).collect(),
        };
        let read = |prior: RolePolicy| {
            let (role, name) = parts(&prior.id)?;
            let mut policies = details.get(role).into_iter().flat_map(|role| role.role_policy_list.iter().flatten());
            let policy = policies.find(|policy| policy.policy_name.as_deref() == Some(name));
            let document = policy.map(|policy| policy.policy_document.clone().unwrap_or_default());
            Ok(document.and_then(|document| merged(prior, &document)))
        };
        priors.into_iter().map(read).collect()
    }

    async fn update(cx: &Cx<Aws>, change: Change<RolePolicy>) -> Result<RolePolicy> {
        let (role, name) = parts(&change.planned.id)?;
        put(cx, role, name, &change.planned.policy).await?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: RolePolicy) -> Result<()> {
        let (role, name) = parts(&prior.id)?;
        let request = cx.iam().delete_role_policy().role_name(role).policy_name(name);
        let answer = request.send().await.map_err(api("IAM", "DeleteRolePolicy"));
        answer.or_gone().doing(format!("deleting IAM Role Policy ({})", prior.id))
    }

    async fn find(cx: &Cx<Aws>, planned: &RolePolicy, client_token: &str) -> Result<Found<RolePolicy>> {
        // Putting it again would overwrite what is there: a policy with another text is not the one that was put.
        let name = names::unique(planned.name.as_deref(), planned.name_prefix.as_deref(), client_token);
        let known = RolePolicy { id: format!("{}:{name}", planned.role), ..planned.clone() };
        Ok(match RolePolicy::read(cx, known).await? {
            Some(found) => Found::Named(Box::new(found)),
            None => Found::Nothing,
        })
    }
}

/// Role and name from an id.
fn parts(id: &str) -> Result<(&str, &str)> {
    id.split_once(':')
        .ok_or_else(|| Error::new("role_policy id must be of the form <role name>:<policy name>".to_owned()))
}

async fn put(cx: &Cx<Aws>, role: &str, name: &str, document: &str) -> Result<()> {
    let put = || async {
        let request = cx.iam().put_role_policy().role_name(role).policy_name(name).policy_document(document);
        request.send().await.map_err(api("IAM", "PutRolePolicy")).map(|_| ())
    };
    let changing = |error: &Error| error.is_code("ConcurrentModification");
    let answer = cx.retry(PROPAGATED_WITHIN, changing, put).await;
    answer.doing(format!("putting IAM Role ({role}) Policy ({name})"))
}

fn merged(mut known: RolePolicy, document: &str) -> Option<RolePolicy> {
    let (role, name) = known.id.split_once(':')?;
    let (role, name) = (role.to_owned(), name.to_owned());
    let document = decoded(document);
    let kept = (policy::same(&known.policy, &document)).then(|| known.policy.clone());
    let text = kept.unwrap_or(document);
    known.policy = policy::version_first(&text).unwrap_or(text);
    known.name_prefix = Some(names::prefix_of(&name).to_owned());
    known.name = Some(name);
    known.role = role;
    Some(known)
}
