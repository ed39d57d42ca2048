//! `data "aws_availability_zones"`

use std::collections::BTreeSet;

use sdk::{Check, Cx, DataSource, Model, Result, ResultExt, Timeouts, async_trait};

use super::{Criteria, FilterBlock};
use crate::client::Aws;
use crate::errors::api;

/// The zones of the region. Source: EC2 `DescribeAvailabilityZones`.
#[derive(Clone, Debug, Default, Model)]
pub struct AvailabilityZones {
    #[attr(optional)]
    all_availability_zones: Option<bool>,
    #[attr(optional)]
    exclude_names: Option<BTreeSet<String>>,
    #[attr(optional)]
    exclude_zone_ids: Option<BTreeSet<String>>,
    #[attr(computed)]
    group_names: BTreeSet<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(computed)]
    names: Vec<String>,
    #[attr(optional, valid = Check::Enum(&["available", "information", "impaired", "unavailable", "constrained"]))]
    state: Option<String>,
    #[attr(computed)]
    zone_ids: Vec<String>,
    #[block(set)]
    filter: Vec<FilterBlock>,
    #[timeouts(read)]
    timeouts: Timeouts,
}

#[async_trait]
impl DataSource for AvailabilityZones {
    const NAME: &'static str = "aws_availability_zones";
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, mut config: AvailabilityZones) -> Result<AvailabilityZones> {
        let criteria = Criteria::default().attribute("state", config.state.as_deref()).blocks(&config.filter);
        let request = cx.ec2().describe_availability_zones().set_filters(criteria.filters());
        let answer = request.set_all_availability_zones(config.all_availability_zones).send().await;
        let answer = answer.map_err(api("EC2", "DescribeAvailabilityZones"));
        let mut zones = answer.doing("reading EC2 Availability Zones")?.availability_zones.unwrap_or_default();
        zones.sort_by(|a, b| a.zone_name.cmp(&b.zone_name));
        for zone in zones {
            let (name, zone_id) = (zone.zone_name.unwrap_or_default(), zone.zone_id.unwrap_or_default());
            let excluded = |set: &Option<BTreeSet<String>>, text: &str| set.as_ref().is_some_and(|s| s.contains(text));
            if excluded(&config.exclude_names, &name) || excluded(&config.exclude_zone_ids, &zone_id) {
                continue;
            }
            config.group_names.insert(zone.group_name.unwrap_or_default());
            config.names.push(name);
            config.zone_ids.push(zone_id);
        }
        config.id = cx.region().to_owned();
        Ok(config)
    }
}
