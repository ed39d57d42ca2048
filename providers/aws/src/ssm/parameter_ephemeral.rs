//! `ephemeral "aws_ssm_parameter"`

use lang::values::Path;
use lang::{Str, Value};
use sdk::provider::ProviderDiagnostic;
use sdk::{Cx, EphemeralResource, Error, Model, Opened, Result, ResultExt, async_trait};

use super::parameter;
use crate::checks::wrong_arn;
use crate::client::Aws;

/// A parameter whose value no plan and no state holds. Source: SSM `GetParameter`.
#[derive(Clone, Debug, Default, Model)]
#[model(framework)]
pub struct EphemeralParameter {
    #[attr(required)]
    arn: String,
    #[attr(computed)]
    name: Option<String>,
    #[attr(computed, name = "type")]
    kind: Option<String>,
    #[attr(computed, sensitive)]
    value: Option<String>,
    #[attr(computed)]
    version: Option<i64>,
    #[attr(optional, computed)]
    with_decryption: Option<bool>,
}

#[async_trait]
impl EphemeralResource for EphemeralParameter {
    const NAME: &'static str = "aws_ssm_parameter";
    type Context = Aws;

    async fn open(cx: &Cx<Aws>, mut config: EphemeralParameter) -> Result<Opened<EphemeralParameter>> {
        let decrypted = config.with_decryption.unwrap_or(true);
        let doing = format!("reading SSM Parameter ({})", config.arn);
        let read = parameter(cx, &config.arn, decrypted).await.doing(&doing)?;
        let read = read.ok_or_else(|| Error::not_found("couldn't find resource")).doing(&doing)?;
        config.with_decryption = Some(decrypted);
        config.arn = read.arn.unwrap_or(config.arn);
        config.name = read.name;
        config.version = Some(read.version);
        config.kind = read.r#type.map(|kind| kind.as_str().to_owned());
        config.value = read.value;
        Ok(config.into())
    }

    fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
        let arn = config.get("arn").filter(|arn| arn.is_known());
        let text = arn.and_then(Value::as_str).filter(|text| wrong_arn(text).is_some());
        let problem = |text: &Str| {
            let detail = format!("The provided value cannot be parsed as an ARN.\n\nPath: arn\nValue: {text}");
            ProviderDiagnostic::error("Invalid ARN Value", detail).at(Path::default().attribute("arn"))
        };
        text.map(problem).into_iter().collect()
    }
}
