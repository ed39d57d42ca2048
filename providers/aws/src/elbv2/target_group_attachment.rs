//! `aws_lb_target_group_attachment`

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types::{TargetDescription, TargetHealthReasonEnum};
use sdk::{Created, Cx, Error, Found, Model, Resource, Result, ResultExt, async_trait};

use crate::client::Aws;
use crate::errors::api;
use crate::names;

/// A target of a target group. Source: Elastic Load Balancing `RegisterTargets`, `DescribeTargetHealth`.
#[derive(Clone, Debug, Default, Model)]
pub struct TargetGroupAttachment {
    #[attr(optional, force_new)]
    availability_zone: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, force_new)]
    port: Option<i64>,
    #[attr(required, force_new)]
    target_group_arn: String,
    #[attr(required, force_new)]
    target_id: String,
}

const REGISTERED_WITHIN: Duration = Duration::from_secs(600);

#[async_trait]
impl Resource for TargetGroupAttachment {
    const NAME: &'static str = "aws_lb_target_group_attachment";
    const READS_BACK: bool = false;
    type Context = Aws;

    async fn create(
        cx: &Cx<Aws>,
        mut planned: TargetGroupAttachment,
        created: &Created<'_>,
    ) -> Result<TargetGroupAttachment> {
        let arn = planned.target_group_arn.clone();
        let register = || async {
            let request = cx.elbv2().register_targets().target_group_arn(&arn).targets(planned.target());
            request.send().await.map_err(api("Elastic Load Balancing v2", "RegisterTargets"))
        };
        // An instance that isn't running yet.
        let early = |error: &Error| error.is_code("InvalidTarget");
        let registered = cx.retry(REGISTERED_WITHIN, early, register).await;
        registered.doing(format!("registering ELBv2 Target Group ({arn}) target"))?;
        planned.id = names::unique(None, Some(&format!("{arn}-")), cx.client_token());
        created.hand_over(&planned).await;
        Ok(planned)
    }

    async fn read(cx: &Cx<Aws>, prior: TargetGroupAttachment) -> Result<Option<TargetGroupAttachment>> {
        let request = cx.elbv2().describe_target_health().target_group_arn(&prior.target_group_arn);
        let answer = request.targets(prior.target()).send().await;
        let answer = match answer.map_err(api("Elastic Load Balancing v2", "DescribeTargetHealth")) {
            Err(error) if error.is_code("InvalidTarget") || error.is_code("TargetGroupNotFound") => return Ok(None),
            answer => answer.doing(format!("reading ELBv2 Target Group Attachment ({})", prior.id))?,
        };
        // An unused target is still a target; one that is on its way out isn't.
        let leaving = [TargetHealthReasonEnum::DeregistrationInProgress, TargetHealthReasonEnum::NotRegistered];
        let mut health = answer.target_health_descriptions.unwrap_or_default().into_iter();
        let registered = health.any(|description| {
            description
                .target_health
                .is_some_and(|health| !health.reason.is_some_and(|reason| leaving.contains(&reason)))
        });
        Ok(registered.then_some(prior))
    }

    async fn delete(cx: &Cx<Aws>, prior: TargetGroupAttachment) -> Result<()> {
        let arn = &prior.target_group_arn;
        let answer = cx.elbv2().deregister_targets().target_group_arn(arn).targets(prior.target()).send().await;
        match answer.map_err(api("Elastic Load Balancing v2", "DeregisterTargets")) {
            Err(error) if error.is_code("TargetGroupNotFound") || error.is_code("InvalidTarget") => Ok(()),
            answer => answer.or_gone().doing(format!("deregistering ELBv2 Target Group ({arn}) target")),
        }
    }

    async fn import(_cx: &Cx<Aws>, _id: &str) -> Result<Vec<TargetGroupAttachment>> {
        Err(Error::new("resource aws_lb_target_group_attachment doesn't support import"))
    }

    /// Registering is idempotent: a target that is there is the one that was to be registered.
    async fn find(
        cx: &Cx<Aws>,
        planned: &TargetGroupAttachment,
        client_token: &str,
    ) -> Result<Found<TargetGroupAttachment>> {
        let id = names::unique(None, Some(&format!("{}-", planned.target_group_arn)), client_token);
        let registered = Self::read(cx, TargetGroupAttachment { id, ..planned.clone() }).await?;
        Ok(registered.map_or(Found::Nothing, |target| Found::Same(Box::new(target))))
    }
}

impl TargetGroupAttachment {
    fn target(&self) -> TargetDescription {
        TargetDescription::builder()
            .id(&self.target_id)
            .set_availability_zone(self.availability_zone.clone().filter(|zone| !zone.is_empty()))
            .set_port(self.port.and_then(|port| i32::try_from(port).ok()).filter(|port| *port != 0))
            .build()
    }
}
