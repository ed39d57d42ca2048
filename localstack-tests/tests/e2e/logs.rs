//! What `TF_LOG` tells of calls, and what it doesn't.

use localstack_tests::Workspace;

use crate::setup;

const STACK: &str = "resource \"aws_vpc\" \"main\" {\n  cidr_block = \"10.0.0.0/16\"\n}\nresource \"aws_ssm_parameter\" \"secret\" {\n  name  = \
                     \"secret\"\n  type  = \"SecureString\"\n  value = \"hunter2-value\"\n}\n";

#[test]
fn a_log_names_the_calls_and_holds_no_secrets() {
    let (tool, account) = setup();
    let mut workspace = Workspace::of(&account, STACK).unwrap();
    workspace.set("AWS_SECRET_ACCESS_KEY", "hunter2-key").set("AWS_SESSION_TOKEN", "hunter2-token");
    workspace.run(&tool, &["init", "-input=false", "-no-color"]).unwrap().expect(0);
    workspace.set("TF_LOG", "trace");
    let applied = workspace.run(&tool, &["apply", "-no-color", "-input=false", "-auto-approve"]).unwrap().expect(0);
    if tool.is_terraform() {
        return; // its log is another
    }
    let log = applied.stderr;
    for call in [" CreateVpc: status=200 ms=", " AmazonSSM.PutParameter: status=200 ms="] {
        let named = |line: &str| line.contains("Z [DEBUG] POST http://127.0.0.1:") && line.contains(call);
        assert!(log.lines().any(named), "{call}: {log}");
    }
    assert!(!log.contains("hunter2"), "{log}");
}
