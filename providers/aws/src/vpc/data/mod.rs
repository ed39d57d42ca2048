//! Data sources of networks: objects that are looked up by id, attributes, tags and filters.

pub mod availability_zones;
pub mod security_group;
pub mod subnet;
pub mod subnets;
pub mod vpc;

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;
use sdk::{Context, Cx, Error, Model, Registry, Result, Tags};

use super::filter;
use crate::client::Aws;

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry
        .data_source::<availability_zones::AvailabilityZones>()
        .data_source::<security_group::SecurityGroup>()
        .data_source::<subnet::Subnet>()
        .data_source::<subnets::Subnets>()
        .data_source::<vpc::Vpc>();
}

/// `filter { … }`
#[derive(Clone, Debug, Default, Model)]
pub struct FilterBlock {
    #[attr(required)]
    name: String,
    #[attr(required)]
    values: BTreeSet<String>,
}

/// What an object must have to be found.
#[derive(Debug, Default)]
struct Criteria(Vec<Filter>);

impl Criteria {
    /// The attribute, if it is set.
    fn attribute(mut self, name: &str, value: Option<&str>) -> Criteria {
        self.0.extend(value.filter(|value| !value.is_empty()).map(|value| filter(name, [value])));
        self
    }

    /// All of these tags.
    fn tags(mut self, tags: &Option<Tags>) -> Criteria {
        let filters = tags.iter().flatten().map(|(key, value)| filter(&format!("tag:{key}"), [value.as_str()]));
        self.0.extend(filters);
        self
    }

    /// What the configuration says itself.
    fn blocks(mut self, blocks: &[FilterBlock]) -> Criteria {
        self.0.extend(blocks.iter().map(|block| filter(&block.name, block.values.iter().cloned())));
        self
    }

    /// For the call: no filters at all rather than an empty list.
    fn filters(self) -> Option<Vec<Filter>> {
        Some(self.0).filter(|filters| !filters.is_empty())
    }
}

/// The only one of these.
fn single<T>(mut matching: Vec<T>, title: &str) -> Result<T> {
    match (matching.pop(), matching.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(Error::new(format!("no matching {title} found"))),
        (Some(_), false) => Err(Error::new(format!(
            "multiple {title}s matched; use additional constraints to reduce matches to a single {title}"
        ))),
    }
}

/// Tags as a data source shows them: without the cloud's own and those to be ignored.
fn shown(cx: &Cx<Aws>, mut tags: Tags) -> Option<Tags> {
    tags.retain(|key, _| !cx.tag_policy().is_ignored(key));
    Some(tags)
}
