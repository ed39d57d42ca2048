//! What an account holds, by kind: the tests compare it with what it should hold, from outside the tool under test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{Account, HarnessError};

/// Number of objects by kind. Two accounts to which the same configuration was applied have equal inventories.
pub type Inventory = BTreeMap<String, usize>;

/// An action of EC2, and the element of its answer whose distinct values are the objects.
struct Kind {
    action: &'static str,
    element: &'static str,
    filter: &'static [(&'static str, &'static str)],
}

const fn kind(action: &'static str, element: &'static str) -> Kind {
    Kind { action, element, filter: &[] }
}

const EC2: &[Kind] = &[
    kind("DescribeVpcs", "vpcId"),
    kind("DescribeSubnets", "subnetId"),
    kind("DescribeInternetGateways", "internetGatewayId"),
    kind("DescribeAddresses", "allocationId"),
    Kind {
        action: "DescribeNatGateways",
        element: "natGatewayId",
        // a deleted gateway stays visible for an hour
        filter: &[("Filter.1.Name", "state"), ("Filter.1.Value.1", "available"), ("Filter.1.Value.2", "pending")],
    },
    kind("DescribeRouteTables", "routeTableId"),
    kind("DescribeRouteTables", "routeTableAssociationId"),
    kind("DescribeSecurityGroups", "groupId"),
    kind("DescribeSecurityGroupRules", "securityGroupRuleId"),
];

impl Account {
    /// Counts what is there, the region's default network included.
    pub fn inventory(&self) -> Result<Inventory, HarnessError> {
        let mut inventory = Inventory::new();
        for Kind { action, element, filter } in EC2 {
            let answer = self.query("ec2", action, filter)?;
            inventory.insert((*element).to_owned(), distinct(&answer, element).len());
            if *element == "routeTableId" {
                inventory.insert("route".to_owned(), answer.matches("<destinationCidrBlock>").count());
            }
        }
        let roles = distinct(&self.query("iam", "ListRoles", &[])?, "RoleName");
        let mut attachments = 0;
        for role in &roles {
            let attached = self.query("iam", "ListAttachedRolePolicies", &[("RoleName", role)])?;
            attachments += distinct(&attached, "PolicyArn").len();
        }
        inventory.insert("role".to_owned(), roles.len());
        inventory.insert("roleAttachment".to_owned(), attachments);

        let balancers = distinct(&self.query("elasticloadbalancing", "DescribeLoadBalancers", &[])?, "LoadBalancerArn");
        let mut listeners = 0;
        for arn in &balancers {
            let answer = self.query("elasticloadbalancing", "DescribeListeners", &[("LoadBalancerArn", arn)])?;
            listeners += distinct(&answer, "ListenerArn").len();
        }
        let groups = self.query("elasticloadbalancing", "DescribeTargetGroups", &[])?;
        inventory.insert("loadBalancer".to_owned(), balancers.len());
        inventory.insert("listener".to_owned(), listeners);
        inventory.insert("targetGroup".to_owned(), distinct(&groups, "TargetGroupArn").len());

        let clusters = self.clusters()?;
        let mut node_groups = 0;
        for cluster in &clusters {
            node_groups += strings(&self.get("eks", &format!("/clusters/{cluster}/node-groups"))?["nodegroups"]).len();
        }
        inventory.insert("cluster".to_owned(), clusters.len());
        inventory.insert("nodeGroup".to_owned(), node_groups);

        let logs = self.json("logs", "Logs_20140328.DescribeLogGroups", &json!({}))?;
        inventory.insert("logGroup".to_owned(), logs["logGroups"].as_array().map_or(0, Vec::len));
        Ok(inventory)
    }

    /// Names of the EKS clusters.
    pub fn clusters(&self) -> Result<Vec<String>, HarnessError> {
        Ok(strings(&self.get("eks", "/clusters")?["clusters"]))
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The distinct contents of an XML element. AWS's query answers have no attributes or CDATA, so that a search does.
fn distinct(xml: &str, element: &str) -> BTreeSet<String> {
    let open = format!("<{element}>");
    let values = xml.split(open.as_str()).skip(1).filter_map(|rest| rest.split('<').next());
    values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::distinct;

    #[test]
    fn an_object_that_is_named_twice_counts_once() {
        let xml = "<item><vpcId>vpc-1</vpcId></item><item><vpcId>vpc-1</vpcId><subnetId/></item><vpcId>vpc-2</vpcId>";
        assert_eq!(distinct(xml, "vpcId").into_iter().collect::<Vec<_>>(), ["vpc-1", "vpc-2"]);
        assert!(distinct(xml, "subnetId").is_empty());
    }
}
