//! `data "aws_caller_identity"`

use sdk::{Cx, DataSource, Model, Result, ResultExt, async_trait};

use crate::client::Aws;

/// Who the credentials belong to. Source: STS `GetCallerIdentity`, asked once per run.
#[derive(Clone, Debug, Default, Model)]
pub struct CallerIdentity {
    #[attr(computed)]
    account_id: String,
    #[attr(computed)]
    arn: String,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    user_id: String,
}

#[async_trait]
impl DataSource for CallerIdentity {
    const NAME: &'static str = "aws_caller_identity";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, _config: CallerIdentity) -> Result<CallerIdentity> {
        let identity = cx.identity().await.doing("reading STS Caller Identity")?.clone();
        Ok(CallerIdentity {
            id: identity.account_id.clone(),
            account_id: identity.account_id,
            arn: identity.arn,
            user_id: identity.user_id,
        })
    }
}
