//! `aws_ssm_parameter`

use std::collections::HashMap;

use aws_sdk_ssm::types::{Parameter, ParameterMetadata, ParameterStringFilter, ParameterTier, ParameterType};
use futures::{StreamExt, TryStreamExt, stream};
use sdk::{
    Change, Check, Created, Cx, Error, Found, Model, Plan, Resource, Result, ResultExt, Tags, Value, async_trait,
};

use super::{parameters, tags, to_tags, update_tags};
use crate::client::Aws;
use crate::errors::api;

/// A parameter. Source: SSM `PutParameter`; `GetParameters` and `DescribeParameters` report many at once,
/// `ListTagsForResource` the tags of one.
#[derive(Clone, Debug, Default, Model)]
#[model(exactly_one_of("insecure_value", "value", "value_wo"), required_with("value_wo", "value_wo_version"))]
pub struct SsmParameter {
    #[attr(optional, valid = Check::Length(0, 1024))]
    allowed_pattern: Option<String>,
    #[attr(optional, computed)]
    arn: Option<String>,
    #[attr(optional, computed, force_new, valid = Check::OneOf(&["aws:ec2:image", "aws:ssm:integration", "text"]))]
    data_type: Option<String>,
    #[attr(optional, valid = Check::Length(0, 1024))]
    description: Option<String>,
    #[attr(computed)]
    has_value_wo: Option<bool>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed)]
    insecure_value: Option<String>,
    #[attr(optional, computed)]
    key_id: Option<String>,
    #[attr(required, force_new, valid = Check::Length(1, 2048))]
    name: String,
    #[attr(optional)]
    overwrite: Option<bool>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[attr(optional, computed, equivalent = "left_to_the_service", valid = Check::Enum(&["Standard", "Advanced", "Intelligent-Tiering"]))]
    tier: Option<String>,
    #[attr(required, name = "type", valid = Check::Enum(&["String", "StringList", "SecureString"]))]
    kind: String,
    #[attr(optional, computed, sensitive)]
    value: Option<String>,
    #[attr(optional, sensitive, write_only)]
    value_wo: Option<String>,
    #[attr(optional)]
    value_wo_version: Option<i64>,
    #[attr(computed)]
    version: Option<i64>,
}

/// How many names one call takes.
const NAMES_PER_CALL: usize = 10;

/// With intelligent tiering the service chooses, so that any tier will do.
fn left_to_the_service(prior: &Value, configured: &Value) -> bool {
    prior.as_str().is_some_and(|prior| !prior.is_empty()) && is_tier(configured, &ParameterTier::IntelligentTiering)
}

fn is_tier(value: &Value, tier: &ParameterTier) -> bool {
    value.as_str().is_some_and(|text| text == tier.as_str())
}

impl SsmParameter {
    /// What it is to hold.
    fn content(&self) -> &str {
        [&self.value_wo, &self.insecure_value, &self.value].into_iter().find_map(text).unwrap_or_default()
    }

    fn is_secret(&self) -> bool {
        self.kind == ParameterType::SecureString.as_str()
    }

    /// Everything that `PutParameter` sets.
    fn settings(&self) -> [&str; 8] {
        let texts = [&self.allowed_pattern, &self.data_type, &self.description, &self.insecure_value, &self.key_id];
        let [pattern, data_type, description, insecure, key] = texts.map(|value| text(value).unwrap_or_default());
        let [tier, value] = [&self.tier, &self.value].map(|value| text(value).unwrap_or_default());
        [pattern, data_type, description, insecure, key, tier, &self.kind, value]
    }
}

#[async_trait]
impl Resource for SsmParameter {
    const NAME: &'static str = "aws_ssm_parameter";
    type Context = Aws;

    async fn create(cx: &Cx<Aws>, mut planned: SsmParameter, created: &Created<'_>) -> Result<SsmParameter> {
        let overwrite = planned.overwrite.unwrap_or_default();
        // The service takes tags with a new parameter only.
        let tags = to_tags(&planned.tags_all);
        put(cx, &planned, overwrite, tags.clone().filter(|_| !overwrite))
            .await
            .doing(format!("creating SSM Parameter ({})", planned.name))?;
        planned.id.clone_from(&planned.name);
        created.hand_over(&planned).await;
        if overwrite {
            update_tags(cx, &planned.name, &Tags::default(), &planned.tags_all).await?;
        }
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: SsmParameter) -> Result<Option<SsmParameter>> {
        sdk::read_one(cx, prior).await
    }

    async fn read_many(cx: &Cx<Aws>, priors: Vec<SsmParameter>) -> Vec<Result<Option<SsmParameter>>> {
        sdk::in_batches(priors, NAMES_PER_CALL, |chunk| read_chunk(cx, chunk)).await
    }

    async fn update(cx: &Cx<Aws>, change: Change<SsmParameter>) -> Result<SsmParameter> {
        let Change { prior, planned, config } = &change;
        if prior.settings() != planned.settings() || change.of(|parameter| &parameter.value_wo_version) {
            let mut wanted = planned.clone();
            // What is kept unless it changes is not sent again, and the tier is sent as it is written. A description goes with an
            // empty one.
            let described = change.of(|parameter| &parameter.description);
            wanted.description = described.then(|| wanted.description.unwrap_or_default());
            wanted.data_type = wanted.data_type.filter(|_| change.of(|parameter| &parameter.data_type));
            wanted.key_id = wanted.key_id.filter(|_| change.of(|parameter| &parameter.key_id));
            wanted.tier = config.tier.clone().or(wanted.tier);
            let overwrite = planned.overwrite.unwrap_or(true);
            put(cx, &wanted, overwrite, None).await.doing(format!("updating SSM Parameter ({})", planned.id))?;
        }
        update_tags(cx, &planned.id, &prior.tags_all, &planned.tags_all).await?;
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Aws>, prior: SsmParameter) -> Result<()> {
        let request = cx.ssm().delete_parameter().name(&prior.name);
        let answer = request.send().await.map_err(api("SSM", "DeleteParameter"));
        answer.or_gone().doing(format!("deleting SSM Parameter ({})", prior.id))
    }

    async fn plan(_cx: &Cx<Aws>, plan: &mut Plan<'_>) -> Result<()> {
        if plan.is_create() {
            return Ok(());
        }
        let (prior, planned) = (plan.prior("tier"), plan.planned("tier"));
        if is_tier(&prior, &ParameterTier::Advanced) && is_tier(&planned, &ParameterTier::Standard) {
            plan.replace_on("tier");
        }
        let (value, insecure_value) = (plan.changes("value"), plan.changes("insecure_value"));
        if value {
            plan.set_unknown("version");
            plan.set_unknown("insecure_value");
        }
        if insecure_value {
            plan.set_unknown("value");
        }
        if plan.changes("value_wo_version") {
            plan.set_unknown("has_value_wo");
        }
        Ok(())
    }

    async fn find(cx: &Cx<Aws>, planned: &SsmParameter, _client_token: &str) -> Result<Found<SsmParameter>> {
        let found = super::parameter(cx, &planned.name, false).await?;
        Ok(match found {
            None => Found::Nothing,
            Some(_) => Found::Named(Box::new(SsmParameter { id: planned.name.clone(), ..planned.clone() })),
        })
    }
}

fn text(value: &Option<String>) -> Option<&str> {
    value.as_deref().filter(|text| !text.is_empty())
}

async fn put(
    cx: &Cx<Aws>,
    parameter: &SsmParameter,
    overwrite: bool,
    tags: Option<Vec<aws_sdk_ssm::types::Tag>>,
) -> Result<()> {
    let put = |tier: Option<ParameterTier>| {
        cx.ssm()
            .put_parameter()
            .name(&parameter.name)
            .value(parameter.content())
            .r#type(ParameterType::from(parameter.kind.as_str()))
            .overwrite(overwrite)
            .allowed_pattern(parameter.allowed_pattern.as_deref().unwrap_or_default())
            .set_data_type(text(&parameter.data_type).map(str::to_owned))
            .set_description(parameter.description.clone())
            .set_key_id(text(&parameter.key_id).filter(|_| parameter.is_secret()).map(str::to_owned))
            .set_tier(tier)
            .set_tags(tags.clone())
            .send()
    };
    let failed = api("SSM", "PutParameter");
    match put(text(&parameter.tier).map(ParameterTier::from)).await.map_err(&failed) {
        // Not every region has tiers.
        Err(error) if error.is_code_with("ValidationException", "Tier is not supported") => {
            put(None).await.map_err(failed).map(drop)
        }
        answer => answer.map(drop),
    }
}

async fn read_chunk(cx: &Cx<Aws>, chunk: Vec<SsmParameter>) -> Result<Vec<Option<SsmParameter>>> {
    let names: Vec<String> = chunk.iter().map(|parameter| parameter.id.clone()).collect();
    let doing = format!("reading SSM Parameter ({})", names.join(", "));
    let read = async {
        let mut values = parameters(cx, names.clone()).await?;
        // A parameter of an imported ARN answers to its name.
        for name in names.iter().filter(|name| name.starts_with("arn:")) {
            values.extend(super::parameter(cx, name, true).await?.map(|parameter| (name.clone(), parameter)));
        }
        let known = values.values().filter_map(|parameter| parameter.name.clone()).collect();
        Ok((metadata(cx, known).await?, values))
    };
    let (metadata, mut values) = read.await.doing(doing)?;
    let read = chunk.into_iter().map(|prior| {
        let value = values.remove(&prior.id);
        let known = value.as_ref().and_then(|value| metadata.get(value.name.as_deref()?));
        let found = value.zip(known.cloned());
        async move {
            let Some((value, known)) = found else { return Ok(None) };
            let Some(tags) = tags(cx, &prior.id).await? else { return Ok(None) };
            merged(prior, value, known, tags).map(Some)
        }
    });
    stream::iter(read.collect::<Vec<_>>()).buffered(NAMES_PER_CALL).try_collect().await
}

async fn metadata(cx: &Cx<Aws>, names: Vec<String>) -> Result<HashMap<String, ParameterMetadata>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let filter = ParameterStringFilter::builder().key("Name").option("Equals").set_values(Some(names)).build();
    // `key` is required and set, so building can't fail.
    let request = cx.ssm().describe_parameters().set_parameter_filters(filter.ok().map(|filter| vec![filter]));
    let mut pages = request.into_paginator().send();
    let mut all = HashMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(api("SSM", "DescribeParameters"))?.parameters.unwrap_or_default();
        all.extend(page.into_iter().filter_map(|parameter| Some((parameter.name.clone()?, parameter))));
    }
    Ok(all)
}

fn merged(mut known: SsmParameter, value: Parameter, metadata: ParameterMetadata, tags: Tags) -> Result<SsmParameter> {
    let kind = value.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
    // Terraform says so of an imported parameter, and nothing of others.
    if known.name.is_empty() {
        known.has_value_wo = Some(false);
    }
    known.arn = value.arn;
    known.name = value.name.unwrap_or_default();
    known.version = Some(value.version);
    let insecure = text(&known.insecure_value).is_some();
    known.kind = kind;
    if insecure && known.is_secret() {
        let message = format!("invalid configuration, cannot set type = {} and insecure_value", known.kind);
        return Err(Error::new(message));
    }
    if text(&known.value_wo).is_some() {
        known.has_value_wo = Some(true);
    }
    if insecure {
        known.insecure_value = value.value;
    } else {
        known.value = Some(value.value.filter(|_| known.has_value_wo != Some(true)).unwrap_or_default());
    }
    known.allowed_pattern = Some(metadata.allowed_pattern.unwrap_or_default());
    known.data_type = Some(metadata.data_type.unwrap_or_default());
    known.description = Some(metadata.description.unwrap_or_default());
    known.key_id = Some(metadata.key_id.unwrap_or_default());
    known.tier = metadata.tier.map(|tier| tier.as_str().to_owned());
    known.tags_all = tags;
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intelligent_tiering_is_content_with_any_tier() {
        let [standard, intelligent, none] = ["Standard", "Intelligent-Tiering", ""].map(Value::string);
        assert!(left_to_the_service(&standard, &intelligent));
        assert!(!left_to_the_service(&none, &intelligent));
        assert!(!left_to_the_service(&intelligent, &standard));
    }

    #[test]
    fn a_write_only_value_goes_before_others_and_is_never_read_back() {
        let given = |value_wo: Option<&str>, value: Option<&str>| SsmParameter {
            name: "p".to_owned(),
            value_wo: value_wo.map(str::to_owned),
            value: value.map(str::to_owned),
            ..SsmParameter::default()
        };
        assert_eq!(given(Some("new"), Some("old")).content(), "new");
        assert_eq!(given(None, Some("old")).content(), "old");
        let read = || Parameter::builder().name("p").value("secret").build();
        let metadata = ParameterMetadata::builder().name("p").build();
        let written = merged(given(Some("secret"), None), read(), metadata.clone(), Tags::default()).unwrap();
        assert_eq!((written.has_value_wo, written.value.as_deref()), (Some(true), Some("")));
        let plain = merged(given(None, Some("old")), read(), metadata.clone(), Tags::default()).unwrap();
        assert_eq!((plain.has_value_wo, plain.value.as_deref()), (None, Some("secret")));
        let imported = SsmParameter { id: "p".to_owned(), ..SsmParameter::default() };
        let imported = merged(imported, read(), metadata, Tags::default()).unwrap();
        assert_eq!((imported.has_value_wo, imported.value.as_deref()), (Some(false), Some("secret")));
    }
}
