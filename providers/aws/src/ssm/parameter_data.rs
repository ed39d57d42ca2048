//! `data "aws_ssm_parameter"`

use aws_sdk_ssm::types::ParameterType;
use sdk::{Cx, DataSource, Error, Model, Result, ResultExt, async_trait};

use super::parameter;
use crate::client::Aws;

/// A parameter, be it one of AWS's own (the recommended images of EKS). Source: SSM `GetParameter`.
#[derive(Clone, Debug, Default, Model)]
pub struct ParameterData {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional, computed)]
    id: Option<String>,
    #[attr(computed)]
    insecure_value: Option<String>,
    #[attr(required)]
    name: String,
    #[attr(computed, name = "type")]
    kind: Option<String>,
    #[attr(computed, sensitive)]
    value: Option<String>,
    #[attr(computed)]
    version: Option<i64>,
    #[attr(optional, default = true)]
    with_decryption: Option<bool>,
}

#[async_trait]
impl DataSource for ParameterData {
    const NAME: &'static str = "aws_ssm_parameter";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, mut config: ParameterData) -> Result<ParameterData> {
        let name = &config.name;
        let doing = format!("reading SSM Parameter ({name})");
        let read = parameter(cx, name, config.with_decryption.unwrap_or(true)).await.doing(&doing)?;
        let read = read.ok_or_else(|| Error::not_found("couldn't find resource")).doing(&doing)?;
        config.arn = read.arn;
        config.id.clone_from(&read.name);
        config.name = read.name.unwrap_or_default();
        config.version = Some(read.version);
        let insecure = read.value.clone().filter(|_| read.r#type != Some(ParameterType::SecureString));
        config.insecure_value = Some(insecure.unwrap_or_default());
        config.value = read.value;
        config.kind = read.r#type.map(|kind| kind.as_str().to_owned());
        Ok(config)
    }
}
