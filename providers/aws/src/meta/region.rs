//! `data "aws_region"`

use sdk::{Cx, DataSource, Error, Model, Result, async_trait};

use crate::client::{Aws, partition};

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
const REGIONS: [(&str, &str); 44] = [
    ("af-south-1", "Africa (Cape Town)"),
    ("ap-east-1", "Asia Pacific (Hong Kong)"),
    ("ap-east-2", "Asia Pacific (Taipei)"),
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
    ("eusc-de-east-1", "EU (Germany)"),
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
    ("us-isof-east-1", "US ISOF EAST"),
    ("us-isof-south-1", "US ISOF SOUTH"),
    ("us-west-1", "US West (N. California)"),
    ("us-west-2", "US West (Oregon)"),
];

#[async_trait]
impl DataSource for Region {
    const NAME: &'static str = "aws_region";
    const PURE: bool = true;
    type Context = Aws;

    async fn read(cx: &Cx<Aws>, config: Region) -> Result<Region> {
        let missing = |what: String| Error::new(format!("finding Region by {what}")).hint("couldn't find resource");
        let found = match &config.endpoint {
            Some(wanted) => {
                let found = REGIONS.iter().find(|(name, _)| endpoint(name) == *wanted);
                Some(*found.ok_or_else(|| missing(format!("endpoint ({wanted})")))?)
            }
            None => None,
        };
        // The provider's own region is accepted although it may be newer than the list.
        let by_name = |name: &str| match REGIONS.iter().find(|(other, _)| *other == name) {
            Some((_, description)) => Ok((*description).to_owned()),
            None if name == cx.region() => Ok(String::new()),
            None => Err(missing(format!("name ({name})"))),
        };
        let (name, description) = match (&config.name, found) {
            (Some(name), Some((other, _))) if name != other => {
                by_name(name)?;
                let what_to_do = "use additional constraints to reduce matches to a single Region";
                return Err(Error::new("multiple Regions matched").hint(what_to_do));
            }
            (_, Some((name, description))) => (name.to_owned(), description.to_owned()),
            (Some(name), None) => (name.clone(), by_name(name)?),
            (None, None) => (cx.region().to_owned(), by_name(cx.region())?),
        };
        Ok(Region { description, endpoint: Some(endpoint(&name)), id: name.clone(), name: Some(name) })
    }
}

/// The EC2 endpoint of a region.
fn endpoint(region: &str) -> String {
    format!("ec2.{region}.{}", partition(region).1)
}
