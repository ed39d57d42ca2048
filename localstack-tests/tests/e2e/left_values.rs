//! What an update leaves as it is, forgets, or can only tell later: as Terraform's AWS provider plans it, and settled afterwards.

use localstack_tests::{Tool, Workspace};
use serde_json::{Value as Json, json};

use crate::setup;

const INIT: &[&str] = &["init", "-input=false", "-no-color"];
const SAVE: &[&str] = &["plan", "-input=false", "-no-color", "-out=saved"];
const APPLY_SAVED: &[&str] = &["apply", "-input=false", "-no-color", "saved"];
const SETTLED: &[&str] = &["plan", "-input=false", "-no-color", "-detailed-exitcode"];

/// Applies the one, then plans and applies the other. Returns the changes of that plan.
fn change(before: &str, after: &str) -> Vec<Json> {
    let (tool, account) = setup();
    let workspace = Workspace::of(&account, before).unwrap();
    workspace.run(&tool, INIT).unwrap().expect(0);
    apply(&workspace, &tool);
    workspace.write("main.tf", after).unwrap();
    let changes = apply(&workspace, &tool);
    workspace.run(&tool, SETTLED).unwrap().expect(0);
    changes
}

fn apply(workspace: &Workspace, tool: &Tool) -> Vec<Json> {
    workspace.run(tool, SAVE).unwrap().expect(0);
    let shown = workspace.run(tool, &["show", "-json", "saved"]).unwrap().expect(0);
    workspace.run(tool, APPLY_SAVED).unwrap().expect(0);
    let document: Json = serde_json::from_str(&shown.stdout).unwrap();
    document["resource_changes"].as_array().cloned().unwrap_or_default()
}

/// Applies the one and plans the other. Returns that plan as JSON and as text.
fn plan(before: &str, after: &str) -> (Json, String) {
    let (tool, account) = setup();
    let workspace = Workspace::of(&account, before).unwrap();
    workspace.run(&tool, INIT).unwrap().expect(0);
    apply(&workspace, &tool);
    workspace.write("main.tf", after).unwrap();
    let told = workspace.run(&tool, SAVE).unwrap().expect(0).stdout;
    let shown = workspace.run(&tool, &["show", "-json", "saved"]).unwrap().expect(0);
    (serde_json::from_str(&shown.stdout).unwrap(), told)
}

fn changes(plan: &Json) -> &[Json] {
    plan["resource_changes"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `change` of a resource.
fn of<'a>(changes: &'a [Json], address: &str) -> &'a Json {
    let change = changes.iter().find(|change| change["address"] == address);
    &change.unwrap_or_else(|| panic!("{address} is not in the plan"))["change"]
}

#[test]
fn an_element_that_stays_in_a_set_loses_what_is_not_configured() {
    let group = |ports: &[u16]| {
        let rule = |port: &u16| {
            format!(
                "  ingress {{\n    from_port = {port}\n    to_port = {port}\n    protocol = \"tcp\"\n    self = true\n  }}\n"
            )
        };
        let rules: String = ports.iter().map(rule).collect();
        format!("resource \"aws_security_group\" \"g\" {{\n  name = \"g\"\n{rules}}}\n")
    };
    let changes = change(&group(&[80]), &group(&[80, 81]));
    let after = of(&changes, "aws_security_group.g")["after"]["ingress"].as_array().unwrap();
    let described: Vec<_> = after.iter().map(|rule| (&rule["from_port"], &rule["description"])).collect();
    assert_eq!(described, [(&json!(81), &json!("")), (&json!(80), &Json::Null)]);
}

#[test]
fn tags_that_are_all_removed_are_known_to_be_none() {
    let group = |rest: &str| format!("resource \"aws_cloudwatch_log_group\" \"g\" {{\n  name = \"g\"\n{rest}}}\n");
    let changes = change(&group("  tags = { a = \"b\" }\n"), &group(""));
    let change = of(&changes, "aws_cloudwatch_log_group.g");
    assert_eq!((&change["after"]["tags_all"], &change["after_unknown"]["tags_all"]), (&json!({}), &Json::Null));
}

#[test]
fn tags_may_be_null_or_empty() {
    let groups = |tags: &str, other: &str| {
        let group = |name: &str, tags: &str| {
            format!(
                "resource \"aws_cloudwatch_log_group\" \"{name}\" {{\n  name = \"{name}\"\n  tags = {{ {tags} }}\n}}\n"
            )
        };
        group("g", tags) + &group("h", other)
    };
    let changes = change(&groups("a = \"\"", "a = \"b\""), &groups("a = \"\", c = \"d\"", "a = null, c = \"d\""));
    let [empty, null] = ["g", "h"].map(|name| of(&changes, &format!("aws_cloudwatch_log_group.{name}")));
    // An empty value can't be told from one that is to be computed.
    assert_eq!(empty["after_unknown"]["tags_all"], json!(true));
    assert_eq!((&null["after"]["tags"], &null["after"]["tags_all"]), (&json!({"c": "d"}), &json!({"c": "d"})));
}

#[test]
fn inline_policies_have_the_version_first() {
    let policy = "jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"s3:Get*\", Resource = \"*\" }] })";
    let role = format!(
        "resource \"aws_iam_role\" \"r\" {{\n  name = \"r\"\n  assume_role_policy = {ASSUMED}\n  inline_policy {{\n    name = \
         \"i\"\n    policy = {policy}\n  }}\n}}\n"
    );
    let changes = change("data \"aws_region\" \"here\" {}\n", &role);
    let text = &of(&changes, "aws_iam_role.r")["after"]["inline_policy"][0]["policy"];
    assert!(text.as_str().is_some_and(|text| text.starts_with("{\"Version\":")), "{text}");
}

#[test]
fn a_parameter_has_a_new_version_with_a_new_value_only() {
    let parameters = |value: &str, description: &str, other: &str| {
        format!(
            "resource \"aws_ssm_parameter\" \"value\" {{\n  name = \"v\"\n  type = \"String\"\n  value = \"{value}\"\n}}\nresource \
             \"aws_ssm_parameter\" \"text\" {{\n  name = \"t\"\n  type = \"String\"\n  value = \"x\"\n{description}}}\nresource \
             \"aws_ssm_parameter\" \"open\" {{\n  name = \"o\"\n  type = \"String\"\n  insecure_value = \"{other}\"\n}}\n"
        )
    };
    let changes = change(&parameters("1", "  description = \"d\"\n", "1"), &parameters("2", "", "2"));
    let [value, text, open] = ["value", "text", "open"].map(|name| of(&changes, &format!("aws_ssm_parameter.{name}")));
    assert_eq!(
        (&value["after_unknown"]["version"], &value["after_unknown"]["insecure_value"]),
        (&json!(true), &json!(true))
    );
    assert_eq!((&value["after"]["value"], &text["after"]["version"]), (&json!("2"), &json!(1)));
    assert_eq!((&open["after_unknown"]["value"], &open["after"]["version"]), (&json!(true), &json!(1)));
}

const ASSUMED: &str = "jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = { Service = \"ec2.amazonaws.com\" } }] })";

#[test]
fn what_is_configured_to_be_empty_is_empty() {
    let policy = "resource \"aws_iam_policy\" \"p\" {\n  name = \"p\"\n  policy = jsonencode({ Version = \"2012-10-17\", Statement = [{ Effect = \"Allow\", Action = \"s3:Get*\", Resource = \"*\" }] })\n}\n";
    let role = |arns: &str| {
        format!(
            "{policy}resource \"aws_iam_role\" \"r\" {{\n  assume_role_policy = {ASSUMED}\n  managed_policy_arns = \
             {arns}\n}}\n"
        )
    };
    let provider = "resource \"aws_iam_openid_connect_provider\" \"o\" {\n  url = \"https://oidc.example\"\n  client_id_list = [\"x\"]\n  thumbprint_list = []\n}\n";
    let (plan, _) = plan(&role("[aws_iam_policy.p.arn]"), &(role("[]") + provider));
    assert_eq!(of(changes(&plan), "aws_iam_role.r")["after"]["managed_policy_arns"], json!([]));
    // A list is known at once, a set of a new object isn't.
    assert_eq!(of(changes(&plan), "aws_iam_openid_connect_provider.o")["after"]["thumbprint_list"], json!([]));
}

#[test]
fn what_is_no_longer_configured_goes_as_it_was_stored() {
    let parameter = "resource \"aws_ssm_parameter\" \"p\" {\n  name = \"p\"\n  type = \"String\"\n  value = \"x\"\n}\n";
    let (plan, told) = plan(parameter, "");
    assert_eq!(of(changes(&plan), "aws_ssm_parameter.p")["before"]["tags"], Json::Null);
    assert!(told.contains("- tags_all ") && !told.contains("- tags "), "{told}");
}

#[test]
fn of_what_is_imported_everything_is_shown() {
    let (tool, account) = setup();
    let parameter = "resource \"aws_ssm_parameter\" \"p\" {\n  name = \"p\"\n  type = \"String\"\n  value = \"x\"\n}\n";
    let maker = Workspace::of(&account, parameter).unwrap();
    maker.run(&tool, INIT).unwrap().expect(0);
    apply(&maker, &tool);
    let import = "import {\n  to = aws_ssm_parameter.p\n  id = \"p\"\n}\n";
    let importer = Workspace::of(&account, &(import.to_owned() + parameter)).unwrap();
    importer.run(&tool, INIT).unwrap().expect(0);
    let told = importer.run(&tool, SAVE).unwrap().expect(0).stdout;
    assert!(told.contains("        data_type       = \"text\"\n") && !told.contains("hidden"), "{told}");
}

#[test]
fn attributes_that_are_written_as_blocks_are_expressions() {
    let group = "resource \"aws_security_group\" \"g\" {\n  name = \"g\"\n  ingress {\n    from_port = 1\n    to_port = 1\n    protocol = \"tcp\"\n    self = true\n  }\n  egress {\n    from_port = 2\n    to_port = 2\n    protocol = \"tcp\"\n    security_groups = [aws_security_group.o.id]\n  }\n}\nresource \"aws_security_group\" \"o\" {\n  name = \"o\"\n}\n";
    let (plan, _) = plan("resource \"aws_security_group\" \"o\" {\n  name = \"o\"\n}\n", group);
    let expressions = &plan["configuration"]["root_module"]["resources"][0]["expressions"];
    let ingress = json!({
        "from_port": 1, "to_port": 1, "protocol": "tcp", "self": true, "cidr_blocks": null, "description": null,
        "ipv6_cidr_blocks": null, "prefix_list_ids": null, "security_groups": null,
    });
    assert_eq!(expressions["ingress"], json!({"constant_value": [ingress]}));
    assert_eq!(expressions["egress"], json!({"references": ["aws_security_group.o.id", "aws_security_group.o"]}));
}

const NETWORK: &str = r#"
resource "aws_vpc" "v" {
  cidr_block = "10.0.0.0/16"
}
resource "aws_subnet" "s" {
  count             = 3
  vpc_id            = aws_vpc.v.id
  cidr_block        = "10.0.${count.index}.0/24"
  availability_zone = "us-east-1${["a", "b", "c"][count.index]}"
}
resource "aws_lb_target_group" "t" {
  count    = 2
  name     = "t${count.index}"
  port     = 80
  protocol = "HTTP"
  vpc_id   = aws_vpc.v.id
}
"#;

#[test]
fn the_subnets_of_a_load_balancer_and_their_mapping_change_together() {
    let balancer = |count: u8| {
        format!(
            "{NETWORK}resource \"aws_lb\" \"l\" {{\n  name = \"l\"\n  internal = true\n  subnets = slice(aws_subnet.s[*].id, 0, \
             {count})\n}}\n"
        )
    };
    let changes = change(&balancer(2), &balancer(3));
    let unknown = &of(&changes, "aws_lb.l")["after_unknown"];
    assert_eq!((&unknown["subnet_mapping"], &unknown["subnets"]), (&json!(true), &json!([false, false, false])));
}

#[test]
fn a_mapping_of_subnets_is_replaced_and_logs_that_are_off_are_not_looked_at() {
    let balancer = |rest: &str| {
        format!(
            "{NETWORK}resource \"aws_lb\" \"l\" {{\n  name = \"l\"\n  internal = true\n{rest}}}\nresource \"aws_lb_listener\" \"x\" {{\n  load_balancer_arn = aws_lb.l.arn\n  port = 80\n  default_action {{\n    type = \"forward\"\n    target_group_arn = aws_lb_target_group.t[0].arn\n  }}\n}}\n"
        )
    };
    let mapped = "  subnet_mapping {\n    subnet_id = aws_subnet.s[0].id\n  }\n  subnet_mapping {\n    subnet_id = aws_subnet.s[1].id\n    private_ipv4_address = \"10.0.1.7\"\n  }\n";
    let all = "  subnets = aws_subnet.s[*].id\n";
    let (plan, told) = plan(&balancer(all), &balancer(mapped));
    assert_eq!(of(changes(&plan), "aws_lb.l")["replace_paths"], json!([["subnet_mapping"]]));
    // Blocks that are not known yet have a line of their own, and a value says once that it replaces.
    assert!(told.contains("~ mutual_authentication (known after apply)"), "{told}");
    assert!(told.lines().all(|line| line.matches("# forces replacement").count() < 2), "{told}");
    let changes = change(&balancer(all), &balancer(&(all.to_owned() + "  access_logs {\n    bucket = \"b\"\n  }\n")));
    assert_eq!(of(&changes, "aws_lb.l")["actions"], json!(["no-op"]));
}

#[test]
fn what_another_type_of_action_needs_is_left_alone() {
    const FIXED: &str = "type = \"fixed-response\"\n    fixed_response {\n      content_type = \"text/plain\"\n      status_code = \"200\"\n    }\n";
    const FORWARD: &str = "type = \"forward\"\n    target_group_arn = aws_lb_target_group.t[0].arn\n";
    const SPREAD: &str = "type = \"forward\"\n    forward {\n      target_group {\n        arn = aws_lb_target_group.t[0].arn\n      }\n      target_group {\n        arn = aws_lb_target_group.t[1].arn\n      }\n    }\n";
    let actions = |actions: [&str; 3]| {
        let [listener, rule, other] = actions;
        format!(
            "{NETWORK}resource \"aws_lb\" \"l\" {{\n  name = \"l\"\n  internal = true\n  subnets = aws_subnet.s[*].id\n}}\nresource \
             \"aws_lb_listener\" \"http\" {{\n  load_balancer_arn = aws_lb.l.arn\n  port = 80\n  default_action \
             {{\n    {listener}  }}\n}}\nresource \"aws_lb_listener_rule\" \"r\" {{\n  for_each = {{ a = 1 }}\n  listener_arn = \
             aws_lb_listener.http.arn\n  action {{\n    {rule}  }}\n  condition {{\n    path_pattern {{\n      values = [\"/a\"]\n    \
             }}\n  }}\n}}\nresource \"aws_lb_listener_rule\" \"s\" {{\n  listener_arn = aws_lb_listener.http.arn\n  action \
             {{\n    {other}  }}\n  condition {{\n    host_header {{\n      values = [\"h.example\"]\n    }}\n  }}\n}}\n"
        )
    };
    let changes = change(&actions([SPREAD, SPREAD, FIXED]), &actions([FIXED, FIXED, FORWARD]));
    let listener = &of(&changes, "aws_lb_listener.http")["after"]["default_action"][0];
    assert_eq!(listener["type"], "fixed-response");
    assert_eq!(listener["forward"][0]["target_group"].as_array().unwrap().len(), 2);
    // Of a rule's the groups are not looked at as such.
    let rule = &of(&changes, "aws_lb_listener_rule.r[\"a\"]")["after"]["action"][0];
    assert_eq!(rule["forward"][0]["target_group"], json!([]));
    let other = &of(&changes, "aws_lb_listener_rule.s")["after"]["action"][0];
    assert_eq!((&other["type"], &other["fixed_response"][0]["status_code"]), (&json!("forward"), &json!("200")));
    assert_eq!(other["target_group_arn"].as_str().map(|arn| arn.contains(":targetgroup/t0/")), Some(true));
}

#[test]
fn what_is_ignored_stays_although_the_provider_computes_it() {
    let vpc = |team: &str| {
        format!(
            "provider \"aws\" {{\n  default_tags {{\n    tags = {{\n      team = \"{team}\"\n      none = null\n    }}\n  }}\n}}\n\
             resource \"aws_vpc\" \"kept\" {{\n  cidr_block = \"10.0.0.0/16\"\n  lifecycle {{\n    ignore_changes = [tags, \
             tags_all]\n  }}\n}}\nresource \"aws_vpc\" \"whole\" {{\n  cidr_block = \"10.1.0.0/16\"\n  lifecycle {{\n    \
             ignore_changes = all\n  }}\n}}\nresource \"aws_vpc\" \"other\" {{\n  cidr_block = \"10.2.0.0/16\"\n}}\n"
        )
    };
    let changes = change(&vpc("a"), &vpc("b"));
    let actions = |name: &str| of(&changes, &format!("aws_vpc.{name}"))["actions"].clone();
    assert_eq!(["kept", "whole", "other"].map(actions), [json!(["no-op"]), json!(["no-op"]), json!(["update"])]);
    assert_eq!(of(&changes, "aws_vpc.other")["after"]["tags_all"], json!({"team": "b"}));
}
