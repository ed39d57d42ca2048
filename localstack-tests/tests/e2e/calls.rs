//! The cost of a plan: it grows with types and pages, not with resources.

use std::collections::BTreeMap;

use localstack_tests::Proxy;

use crate::{example, setup};

/// Number of the example's resource types that read through an action, where it is more than one.
fn types_behind(action: &str) -> usize {
    match action {
        // aws_route_table, aws_route, aws_route_table_association; aws_vpc for its main table
        "DescribeRouteTables" => 4,
        // aws_security_group; aws_vpc for its default group
        "DescribeSecurityGroups" => 2,
        // the ingress and the egress rule
        "DescribeSecurityGroupRules" => 2,
        // aws_lb, aws_lb_target_group, aws_lb_listener
        "DescribeTags" => 3,
        // aws_iam_role, aws_iam_role_policy_attachment
        "GetAccountAuthorizationDetails" => 2,
        _ => 1,
    }
}

#[test]
fn a_second_plan_calls_once_per_type_and_page() {
    let (tool, account) = setup();
    if tool.is_terraform() {
        return; // it calls once and more for each resource
    }
    let proxy = Proxy::start(&account.endpoint).unwrap();
    let mut workspace = example(&tool, &account);
    workspace.set_endpoint(proxy.endpoint());
    workspace.run(&tool, &["apply", "-no-color", "-input=false", "-auto-approve"]).unwrap().expect(0);

    proxy.reset();
    workspace.run(&tool, &["plan", "-no-color", "-input=false", "-detailed-exitcode"]).unwrap().expect(0);
    let calls = proxy.calls();
    assert!(!calls.is_empty());
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for call in calls {
        assert!(call.is_read(), "a plan only looks: {call:?}");
        // further pages are allowed, and so is a call per attribute where the API has it no other way
        if !call.next_page {
            *counts.entry((call.action, call.attribute.unwrap_or_default())).or_default() += 1;
        }
    }
    let excess: Vec<_> = counts.iter().filter(|((action, _), count)| **count > types_behind(action)).collect();
    assert!(excess.is_empty(), "called more than once per type and page: {excess:?}\nall calls: {counts:?}");
}
