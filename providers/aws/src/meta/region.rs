//! `data "aws_region"`

use sdk::{Cx, DataSource, Error, Model, Result, async_trait};

use crate::client::Aws;

/// A region: the provider's, or the one of this name or EC2 endpoint. Makes no call.
#[derive(Clone, Debug, Default, Model)]
pub struct Region {
    #[attr(computed)]
    description: String,
    #[attr(optional, computed)]
    endpoint: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(optional, computed)]
    name: Option<String>,
}

/// Regions and how AWS describes them.
const REGIONS: [(&str, &str); 40] = [
    ("af-south-1", "Africa (Cape Town)"),
    ("ap-east-1", "Asia Pacific (Hong Kong)"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)"),
    ("ap-northeast-2", "Asia Pacific (Seoul)"),
    ("ap-northeast-3", "Asia Pacific (Osaka)"),
    ("ap-south-1", "Asia Pacific (Mumbai)"),
    ("ap-south-2", "Asia Pacific (Hyderabad)"),
    ("ap-southeast-1", "Asia Pacific (Singapore)"),
    ("ap-southeast-2", "Asia Pacific (Sydney)"),
    ("ap-southeast-3", "Asia Pacific (Jakarta)"),
    ("ap-southeast-4", "Asia Pacific (Melbourne)"),
    ("ap-southeast-5", "Asia Pacific (Malaysia)"),
    ("ap-southeast-7", "Asia Pacific (Thailand)"),
    ("ca-central-1", "Canada (Central)"),
    ("ca-west-1", "Canada West (Calgary)"),
    ("cn-north-1", "China (Beijing)"),
    ("cn-northwest-1", "China (Ningxia)"),
    ("eu-central-1", "Europe (Frankfurt)"),
    ("eu-central-2", "Europe (Zurich)"),
    ("eu-isoe-west-1", "EU ISOE West"),
    ("eu-north-1", "Europe (Stockholm)"),
    ("eu-south-1", "Europe (Milan)"),
    ("eu-south-2", "Europe (Spain)"),
    ("eu-west-1", "Europe (Ireland)"),
    ("eu-west-2", "Europe (London)"),
    ("eu-west-3", "Europe (Paris)"),
    ("il-central-1", "Israel (Tel Aviv)"),
    ("me-central-1", "Middle East (UAE)"),
    ("me-south-1", "Middle East (Bahrain)"),
    ("mx-central-1", "Mexico (Central)"),
    ("sa-east-1", "South America (Sao Paulo)"),
    ("us-east-1", "US East (N. Virginia)"),
    ("us-east-2", "US East (Ohio)"),
    ("us-gov-east-1", "AWS GovCloud (US-East)"),
    ("us-gov-west-1", "AWS GovCloud (US-West)"),
    ("us-iso-east-1", "US ISO East"),
    ("us-iso-west-1", "US ISO WEST"),
    ("us-isob-east-1", "US ISOB East (Ohio)"),
    ("us-west-1", "US West (N. California)"),
    ("us-west-2", "US West (Oregon)"),
];

#[async_trait]
impl DataSource for Region {
    const NAME: &'static str = "aws_region";
    const PURE: bool = true;
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, config: Region) -> Result<Region> {
        let endpoint = |name: &str| format!("ec2.{name}.{}", cx.dns_suffix());
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let name = match (given(&config.name), given(&config.endpoint)) {
            (Some(name), _) => name,
            (None, Some(wanted)) => {
                let found = REGIONS.iter().find(|(name, _)| endpoint(name) == wanted).map(|(name, _)| *name);
                let missing = || Error::new(format!("finding Region: region not found for endpoint: {wanted}"));
                found.ok_or_else(missing)?.to_owned()
            }
            (None, None) => cx.region().to_owned(),
        };
        let described = REGIONS.iter().find(|(other, _)| *other == name);
        let missing = || Error::new(format!("finding Region: region not found for name: {name}"));
        // The provider's own region is accepted although it may be newer than the list.
        let description = match described {
            Some((_, description)) => (*description).to_owned(),
            None if name == cx.region() => String::new(),
            None => return Err(missing()),
        };
        Ok(Region { description, endpoint: Some(endpoint(&name)), id: name.clone(), name: Some(name) })
    }
}
