//! What `state journal` and `state recover` print after a crash: golden files in `recovery/`, whose names say where it
//! crashed and what proved what became of it. `WINDLASS_GOLDEN=write` writes them anew.

use std::path::PathBuf;

use localstack_tests::workspace::repository;
use localstack_tests::{Account, Call, Fault, Outcome, Proxy, Rule, Workspace};

use crate::setup;

const HEAD: &str = "terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n    }\n  }\n}\n\nprovider \
                    \"aws\" {\n  region = \"eu-west-1\"\n}\n";

const VPC: &str = "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n";

const GROUP: &str =
    "resource \"aws_cloudwatch_log_group\" \"main\" {\n  name = \"crash\"\n  retention_in_days = 7\n}\n";

const ATTACHMENT: &str = r#"resource "aws_iam_role" "main" {
  name               = "main"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_iam_role_policy_attachment" "main" {
  role       = aws_iam_role.main.name
  policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}
"#;

const CLUSTER: &str = r#"resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "main" {
  for_each          = { a = "10.0.1.0/24", b = "10.0.2.0/24" }
  vpc_id            = aws_vpc.main.id
  cidr_block        = each.value
  availability_zone = "eu-west-1${each.key}"
}

resource "aws_iam_role" "main" {
  name               = "main"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [] })
}

resource "aws_eks_cluster" "main" {
  name     = "main"
  role_arn = aws_iam_role.main.arn

  vpc_config {
    subnet_ids = [for subnet in aws_subnet.main : subnet.id]
  }
}
"#;

const APPLY: &[&str] = &["apply", "-no-color", "-input=false", "-auto-approve"];

/// Where a run crashes.
struct Crash {
    /// What stands before.
    before: &'static str,
    /// What is applied then.
    after: &'static str,
    /// At the first such call.
    action: &'static str,
    fault: Fault,
    /// What somebody else does before the recovery.
    meanwhile: fn(&Account),
    /// The exit code of the recovery.
    code: i32,
}

impl Crash {
    fn new(before: &'static str, after: &'static str, action: &'static str, fault: Fault) -> Crash {
        Crash { before, after, action, fault, meanwhile: |_| (), code: 0 }
    }

    /// Crashes, recovers, and compares what was printed with the golden file of this name.
    fn prints(self, name: &str) {
        let (tool, account) = setup();
        if tool.is_terraform() {
            return; // it has no journal
        }
        let proxy = Proxy::start(&account.endpoint).unwrap();
        let mut workspace = Workspace::of(&account, &format!("{HEAD}{}", self.before)).unwrap();
        workspace.set_endpoint(proxy.endpoint());
        workspace.run(&tool, &["init", "-no-color", "-input=false"]).unwrap().expect(0);
        if !self.before.is_empty() {
            workspace.run(&tool, APPLY).unwrap().expect(0);
        }
        workspace.write("main.tf", &format!("{HEAD}{}", self.after)).unwrap();
        let action = self.action;
        proxy.inject(Rule::nth(1, move |call: &Call| call.action == action, self.fault));
        let child = workspace.spawn(&tool, APPLY).unwrap();
        proxy.set_victim(child.id());
        assert_eq!(Outcome::wait("apply", child).unwrap().code, None, "{name}: not killed");
        proxy.wait_until_idle().unwrap();
        proxy.reset();
        (self.meanwhile)(&account);

        let journal = workspace.run(&tool, &["state", "journal", "-no-color"]).unwrap().expect(0);
        let recovered = workspace.run(&tool, &["state", "recover", "-no-color", "-input=false"]).unwrap();
        let recovered = recovered.expect(self.code);
        let printed =
            format!("$ windlass state journal\n{}\n$ windlass state recover\n{}", journal.stdout, recovered.text());
        compare(name, &printed);
        if self.code != 0 {
            let address = "aws_cloudwatch_log_group.main";
            let moved = workspace.run(&tool, &["state", "rm", address]).unwrap().expect(1);
            assert!(moved.text().contains("No state file was found!") || moved.text().contains("Operations in flight"));
            let forgotten = workspace.run(&tool, &["state", "recover", "-no-color", "-forget", address]).unwrap();
            forgotten.expect(0).shows("is taken out of the journal").shows("Operations: 1 cleared up.");
        } else {
            let again = workspace.run(&tool, &["state", "recover", "-no-color"]).unwrap().expect(0);
            again.shows("There is nothing to recover: the journal is empty.");
            workspace.run(&tool, APPLY).unwrap().expect(0);
            workspace.run(&tool, &["plan", "-no-color", "-detailed-exitcode"]).unwrap().expect(0);
        }
    }
}

fn compare(name: &str, printed: &str) {
    let printed = without_chance(printed);
    let path: PathBuf = repository().join("localstack-tests/tests/e2e/recovery").join(format!("{name}.txt"));
    if std::env::var_os("WINDLASS_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &printed).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == printed, "{} has\n{golden}\n--- instead of\n{printed}", path.display());
}

/// Without times, what is made up for each run, and what was done before the crash: whether the state was stored after that
/// is a matter of chance.
fn without_chance(text: &str) -> String {
    let is_of_before = |line: &&str| line.ends_with("which the state did not know yet") || line.contains(": done [id=");
    let text: String = text.split_inclusive('\n').filter(|line| !is_of_before(&line.trim_end())).collect();
    let (before, count) = text.split_once("Operations: ").unwrap_or((&text, ""));
    let text = match count.split_once(' ') {
        Some((_, after)) => format!("{before}Operations: COUNT {after}"),
        None => text,
    };
    let is_hex = |word: &str| word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let word = |word: &str| match word.rsplit_once('-') {
        _ if is_hex(word) => "KEY".to_owned(),
        Some((kind, id)) if is_hex(id) => format!("{kind}-ID"),
        _ if word.len() > 20 && word.starts_with("20") && word.ends_with('Z') => "TIME".to_owned(),
        _ => word.to_owned(),
    };
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-:.".contains(character);
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
        let (part, tail) = rest.split_at(end);
        let (bare, colon) = part.strip_suffix(':').map_or((part, ""), |bare| (bare, ":"));
        out.push_str(&word(bare));
        out.push_str(colon);
        let next = tail.find(is_part).unwrap_or(tail.len());
        let (between, tail) = tail.split_at(next);
        out.push_str(between);
        rest = tail;
    }
    out
}

#[test]
fn an_interrupted_creation_of_what_has_a_tag() {
    Crash::new("", VPC, "CreateVpc", Fault::KillBefore).prints("create-before-the-call");
    Crash::new("", VPC, "CreateVpc", Fault::KillAfter).prints("create-proved-by-its-tag");
    // The identifying tag is removed when the id is recorded.
    Crash::new("", VPC, "DeleteTags", Fault::KillBefore).prints("create-proved-by-its-id");
}

#[test]
fn an_interrupted_creation_of_what_has_a_token() {
    Crash::new("", CLUSTER, "CreateCluster", Fault::KillAfter).prints("create-proved-by-its-token");
}

#[test]
fn an_interrupted_creation_of_what_has_a_name() {
    Crash::new("", GROUP, "CreateLogGroup", Fault::KillAfter).prints("create-proved-by-its-name");
    let meanwhile = |account: &Account| {
        let group = serde_json::json!({"logGroupName": "crash", "tags": {"owner": "somebody else"}});
        account.json("logs", "Logs_20140328.CreateLogGroup", &group).unwrap();
    };
    let crash = Crash::new("", GROUP, "CreateLogGroup", Fault::KillBefore);
    Crash { meanwhile, code: 1, ..crash }.prints("create-somebody-else-took-its-name");
}

#[test]
fn an_interrupted_creation_of_what_is_only_its_content() {
    Crash::new("", ATTACHMENT, "AttachRolePolicy", Fault::KillAfter).prints("create-proved-by-its-content");
}

#[test]
fn an_interrupted_update() {
    const CHANGED: &str =
        "resource \"aws_cloudwatch_log_group\" \"main\" {\n  name = \"crash\"\n  retention_in_days = 14\n}\n";
    Crash::new(GROUP, CHANGED, "PutRetentionPolicy", Fault::KillBefore).prints("update-before-the-call");
    Crash::new(GROUP, CHANGED, "PutRetentionPolicy", Fault::KillAfter).prints("update-before-the-answer");
}

#[test]
fn an_interrupted_removal() {
    Crash::new(GROUP, "", "DeleteLogGroup", Fault::KillBefore).prints("delete-before-the-call");
    Crash::new(GROUP, "", "DeleteLogGroup", Fault::KillAfter).prints("delete-before-the-answer");
}

#[test]
fn an_interrupted_removal_of_what_was_replaced() {
    const FIRST: &str = "resource \"aws_cloudwatch_log_group\" \"main\" {\n  name = \"first\"\n  lifecycle {\n    \
                         create_before_destroy = true\n  }\n}\n";
    const SECOND: &str = "resource \"aws_cloudwatch_log_group\" \"main\" {\n  name = \"second\"\n  lifecycle {\n    \
                          create_before_destroy = true\n  }\n}\n";
    Crash::new(FIRST, SECOND, "DeleteLogGroup", Fault::KillBefore).prints("replace-before-the-removal");
    Crash::new(FIRST, SECOND, "DeleteLogGroup", Fault::KillAfter).prints("replace-before-the-removal-is-answered");
}
