//! `aws_kms_alias`

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_kms::types::AliasListEntry;
use sdk::{Change, Check, Created, Cx, Error, Found, Model, Resource, Result, ResultExt, Value, async_trait};

use super::PROPAGATED_WITHIN;
use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// A name for a key. Source: KMS `CreateAlias`; `ListAliases` is the only call that reports one, so one paged call per
/// refresh answers for all.
#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("name", "name_prefix"))]
pub struct KmsAlias {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed, force_new, valid = Check::Text(alias_name))]
    name: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::Text(alias_name))]
    name_prefix: Option<String>,
    #[attr(computed)]
    target_key_arn: Option<String>,
    #[attr(required, equivalent = "same_key")]
    target_key_id: String,
}

/// A key may be named by its id or its ARN.
fn same_key(prior: &Value, configured: &Value) -> bool {
    fn id(key: &str) -> &str {
        key.rsplit_once(":key/").map_or(key, |(_, id)| id)
    }
    match (prior.as_str(), configured.as_str()) {
        (Some(prior), Some(configured)) if prior.starts_with("arn:") && configured.starts_with("arn:") => {
            prior == configured
        }
        (Some(prior), Some(configured)) => id(prior) == id(configured),
        _ => false,
    }
}

fn name_of(alias: &KmsAlias, client_token: &str) -> String {
    let prefix = alias.name_prefix.as_deref().filter(|prefix| !prefix.is_empty()).unwrap_or("alias/");
    names::unique(alias.name.as_deref(), Some(prefix), client_token)
}

fn alias_name(key: &str, text: &str) -> Vec<String> {
    let name = text.strip_prefix("alias/").unwrap_or_default();
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_/-".contains(c)) {
        return Vec::new();
    }
    vec![format!("{key:?} must begin with 'alias/' and be comprised of only [0-9A-Za-z_/-]")]
}

#[async_trait]
impl Resource for KmsAlias {
    const NAME: &'static str = "aws_kms_alias";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: KmsAlias, created: &Created<'_>) -> Result<KmsAlias> {
        let name = name_of(&planned, cx.client_token());
        let create = || async {
            let request = cx.kms().create_alias().alias_name(&name).target_key_id(&planned.target_key_id);
            request.send().await.map_err(api("KMS", "CreateAlias")).map(|_| ())
        };
        // A key just made may not be known everywhere.
        let answer = cx.retry(PROPAGATED_WITHIN, Error::is_not_found, create).await;
        answer.doing(format!("creating KMS Alias ({name})"))?;
        planned.id.clone_from(&name);
        planned.name = Some(name);
        created.hand_over(&planned).await;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: KmsAlias) -> Result<Option<KmsAlias>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<KmsAlias>) -> Vec<Result<Option<KmsAlias>>> {
        match aliases(cx).await {
            Ok(aliases) => priors
                .into_iter()
                .map(|prior| Ok(aliases.get(&prior.id).cloned().and_then(|alias| merged(prior, alias))))
                .collect(),
            Err(error) => priors
                .iter()
                .map(|alias| Err(error.clone().context(format!("reading KMS Alias ({})", alias.id))))
                .collect(),
        }
    }

    async fn update(cx: &Cx<Aws>, change: Change<KmsAlias>) -> Result<KmsAlias> {
        let alias = &change.planned;
        if change.of(|alias| &alias.target_key_id) {
            let request = cx.kms().update_alias().alias_name(&alias.id).target_key_id(&alias.target_key_id);
            let answer = request.send().await.map_err(api("KMS", "UpdateAlias"));
            answer.doing(format!("updating KMS Alias ({})", alias.id))?;
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: KmsAlias) -> Result<()> {
        let answer = cx.kms().delete_alias().alias_name(&prior.id).send().await.map_err(api("KMS", "DeleteAlias"));
        answer.or_gone().doing(format!("deleting KMS Alias ({})", prior.id))
    }

    async fn find(cx: &Cx<Aws>, planned: &KmsAlias, client_token: &str) -> Result<Found<KmsAlias>> {
        let id = name_of(planned, client_token);
        Ok(match aliases(cx).await?.get(&id) {
            None => Found::Nothing,
            Some(_) => Found::Named(Box::new(KmsAlias { id, ..planned.clone() })),
        })
    }
}

/// All aliases by name.
async fn aliases(cx: &Cx<Aws>) -> Result<Arc<HashMap<String, AliasListEntry>>> {
    let fetch = || async {
        let aliases = cx.kms().list_aliases().limit(100).into_paginator().items().send();
        let aliases = aliases.collect::<Result<Vec<_>, _>>().await.map_err(api("KMS", "ListAliases"))?;
        Ok(aliases.into_iter().filter_map(|alias| Some((alias.alias_name.clone()?, alias))).collect())
    };
    cx.shared("kms:ListAliases", fetch).await
}

fn merged(mut known: KmsAlias, read: AliasListEntry) -> Option<KmsAlias> {
    let key = read.target_key_id.unwrap_or_default();
    let arn = read.alias_arn?;
    known.target_key_arn = arn.rsplit_once(":alias/").map(|(start, _)| format!("{start}:key/{key}"));
    known.arn = Some(arn);
    let name = read.alias_name?;
    known.name_prefix = Some(names::prefix_of(&name).to_owned());
    known.name = Some(name);
    known.target_key_id = key;
    Some(known)
}
