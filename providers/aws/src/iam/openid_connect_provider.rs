//! `aws_iam_openid_connect_provider`

use std::collections::BTreeSet;

use sdk::{
    Change, Check, Created, Cx, Found, Model, Resource, Result, ResultExt, TagChanges, Tags, Value, async_trait,
};

use super::{from_tags, to_tags};
use crate::client::Aws;
use crate::errors::api;

/// An identity provider whose tokens can be exchanged for roles: the issuer of a cluster's service accounts. Source: IAM
/// `CreateOpenIDConnectProvider`, `GetOpenIDConnectProvider`. They are read one by one: lists hold nothing but ARNs.
#[derive(Clone, Debug, Default, Model)]
pub struct OpenIdConnectProvider {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(required, valid = Check::Length(1, 255))]
    client_id_list: BTreeSet<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed, valid = Check::Length(40, 40))]
    thumbprint_list: Option<Vec<String>>,
    #[attr(required, force_new, equivalent = "same_url", valid = Check::Text(https_url))]
    url: String,
}

/// What is wrong with the URL of an issuer: <https://openid.net/specs/openid-connect-discovery-1_0.html>, section 3.
fn https_url(key: &str, text: &str) -> Vec<String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", ""));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let query =
        rest.split('#').next().and_then(|rest| rest.split_once('?')).is_some_and(|(_, query)| !query.is_empty());
    vec![if text.is_empty() {
        format!("expected {key:?} url to not be empty, got ")
    } else if let Some(wrong) = host.chars().find(|c| c.is_whitespace() || "<>\"\\^`{|}".contains(*c)) {
        let reason = format!("parse {text:?}: invalid character {:?} in host name", wrong.to_string());
        format!("expected {key:?} to be a valid url, got {text}: {reason}")
    } else if host.is_empty() {
        format!("expected {key:?} to have a host, got {text}")
    } else if scheme != "https" {
        format!("expected {key:?} to have a url with schema of: \"https\", got {text}")
    } else if query {
        format!("{key:?} cannot contain query parameters per the OIDC standard")
    } else {
        return Vec::new();
    }]
}

/// IAM reports the URL without its scheme.
fn same_url(prior: &Value, configured: &Value) -> bool {
    match (prior.as_str(), configured.as_str()) {
        (Some(prior), Some(configured)) => without_scheme(prior) == without_scheme(configured),
        _ => false,
    }
}

fn without_scheme(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

#[async_trait]
impl Resource for OpenIdConnectProvider {
    const NAME: &'static str = "aws_iam_openid_connect_provider";
    type Context = Aws;

    async fn create(
        cx: &Cx<Aws>,
        mut planned: OpenIdConnectProvider,
        created: &Created<'_>,
    ) -> Result<OpenIdConnectProvider> {
        let request = cx
            .iam()
            .create_open_id_connect_provider()
            .url(&planned.url)
            .set_client_id_list(Some(planned.client_id_list.iter().cloned().collect()))
            .set_thumbprint_list(planned.thumbprint_list.clone().filter(|list| !list.is_empty()))
            .set_tags(to_tags(&planned.tags_all));
        let answer = request.send().await.map_err(api("IAM", "CreateOpenIDConnectProvider"));
        let answer = answer.doing("creating IAM OIDC Provider")?;
        planned.id = answer.open_id_connect_provider_arn.unwrap_or_default();
        created.hand_over(&planned).await;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, mut prior: OpenIdConnectProvider) -> Result<Option<OpenIdConnectProvider>> {
        let request = cx.iam().get_open_id_connect_provider().open_id_connect_provider_arn(&prior.id);
        let answer = request.send().await.map_err(api("IAM", "GetOpenIDConnectProvider")).if_found();
        let Some(read) = answer.doing(format!("reading IAM OIDC Provider ({})", prior.id))? else { return Ok(None) };
        prior.arn = Some(prior.id.clone());
        prior.client_id_list = read.client_id_list.unwrap_or_default().into_iter().collect();
        prior.thumbprint_list = Some(read.thumbprint_list.unwrap_or_default());
        prior.url = read.url.unwrap_or_default();
        prior.tags_all = from_tags(read.tags);
        Ok(Some(prior))
    }

    async fn update(cx: &Cx<Aws>, change: Change<OpenIdConnectProvider>) -> Result<OpenIdConnectProvider> {
        let Change { prior, planned, .. } = &change;
        let arn = &planned.id;
        // A list can't be emptied again.
        let thumbprints = planned.thumbprint_list.clone().filter(|list| !list.is_empty());
        if change.of(|provider| &provider.thumbprint_list) && thumbprints.is_some() {
            let request = cx.iam().update_open_id_connect_provider_thumbprint().open_id_connect_provider_arn(arn);
            let answer = request.set_thumbprint_list(thumbprints).send().await;
            answer
                .map_err(api("IAM", "UpdateOpenIDConnectProviderThumbprint"))
                .doing(format!("updating IAM OIDC Provider ({arn}) thumbprint"))?;
        }
        for client in planned.client_id_list.difference(&prior.client_id_list) {
            let request = cx.iam().add_client_id_to_open_id_connect_provider().open_id_connect_provider_arn(arn);
            let answer = request.client_id(client).send().await;
            answer
                .map_err(api("IAM", "AddClientIDToOpenIDConnectProvider"))
                .doing(format!("adding IAM OIDC Provider ({arn}) client ID ({client})"))?;
        }
        for client in prior.client_id_list.difference(&planned.client_id_list) {
            let request = cx.iam().remove_client_id_from_open_id_connect_provider().open_id_connect_provider_arn(arn);
            let answer = request.client_id(client).send().await;
            answer
                .map_err(api("IAM", "RemoveClientIDFromOpenIDConnectProvider"))
                .doing(format!("removing IAM OIDC Provider ({arn}) client ID ({client})"))?;
        }
        let changes = TagChanges::between(&prior.tags_all, &planned.tags_all);
        let doing = format!("updating tags for IAM OIDC Provider ({arn})");
        if !changes.removed.is_empty() {
            let request = cx.iam().untag_open_id_connect_provider().open_id_connect_provider_arn(arn);
            let answer = request.set_tag_keys(Some(changes.removed)).send().await;
            answer.map_err(api("IAM", "UntagOpenIDConnectProvider")).doing(&doing)?;
        }
        if let Some(tags) = to_tags(&changes.set) {
            let request = cx.iam().tag_open_id_connect_provider().open_id_connect_provider_arn(arn);
            let answer = request.set_tags(Some(tags)).send().await;
            answer.map_err(api("IAM", "TagOpenIDConnectProvider")).doing(&doing)?;
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: OpenIdConnectProvider) -> Result<()> {
        let request = cx.iam().delete_open_id_connect_provider().open_id_connect_provider_arn(&prior.id);
        let answer = request.send().await.map_err(api("IAM", "DeleteOpenIDConnectProvider"));
        answer.or_gone().doing(format!("deleting IAM OIDC Provider ({})", prior.id))
    }

    async fn find(cx: &Cx<Aws>, planned: &OpenIdConnectProvider, _token: &str) -> Result<Found<OpenIdConnectProvider>> {
        let account = cx.account_id().await?;
        let url = without_scheme(&planned.url);
        let id = format!("arn:{}:iam::{account}:oidc-provider/{url}", cx.partition());
        let request = cx.iam().get_open_id_connect_provider().open_id_connect_provider_arn(&id);
        let answer = request.send().await.map_err(api("IAM", "GetOpenIDConnectProvider")).if_found()?;
        Ok(match answer {
            None => Found::Nothing,
            Some(_) => Found::Named(Box::new(OpenIdConnectProvider { id, ..planned.clone() })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::https_url;

    /// The words are those of Terraform's provider.
    #[test]
    fn an_issuer_has_an_https_url() {
        let said = |url| https_url("url", url);
        assert!(said("https://oidc.example/id#x").is_empty());
        for (url, wrong) in [
            ("", "expected \"url\" url to not be empty, got "),
            ("x y", "expected \"url\" to have a host, got x y"),
            ("https:///a", "expected \"url\" to have a host, got https:///a"),
            ("http://x", "expected \"url\" to have a url with schema of: \"https\", got http://x"),
            ("https://x/a?b=c#d", "\"url\" cannot contain query parameters per the OIDC standard"),
            (
                "https://a b/%zz",
                "expected \"url\" to be a valid url, got https://a b/%zz: parse \"https://a b/%zz\": invalid character \" \" in \
                 host name",
            ),
        ] {
            assert_eq!(said(url), [wrong]);
        }
    }
}
