//! Test files against the built-in provider.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

use std::path::Path;
use std::sync::{Arc, Mutex};

use config::test_file::{Run, TestFile};
use config::{ModuleManifest, load_config};
use lang::functions::CallContext;
use lang::{Diagnostics, Sources};
use planner::{Interrupt, ProviderRegistry, Workspace};
use sdk::Provider;
use state::State;
use testing::{FileOutcome, Reporter, RunOutcome, Suite, run_file};

/// Collects `run: status`, summaries of messages, and what was torn down.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Heard {
    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

impl Reporter for Heard {
    fn file_started(&self, _: &TestFile) {}
    fn run_started(&self, _: &TestFile, _: &Run) {}
    fn run_finished(&self, _: &TestFile, run: &Run, outcome: &RunOutcome) {
        self.note(format!("{}: {:?}", run.name, outcome.status));
        for diagnostic in outcome.diagnostics.iter() {
            self.note(format!("  {}: {}", diagnostic.summary(), diagnostic.detail()));
        }
    }
    fn teardown(&self, _: &TestFile) {}
    fn run_teardown(&self, _: &TestFile, run: &Run) {
        self.note(format!("destroy {}", run.name));
    }
    fn left_over(&self, _: &TestFile, run: &Run, _: &State, _: &Diagnostics) {
        self.note(format!("left over by {}", run.name));
    }
    fn file_finished(&self, _: &TestFile, outcome: &FileOutcome) {
        self.note(format!("file: {:?}", outcome.status));
        for diagnostic in outcome.diagnostics.iter() {
            self.note(format!("  {}: {}", diagnostic.summary(), diagnostic.detail()));
        }
    }
}

/// Runs a test file on a configuration and returns what was heard.
fn run(configuration: &str, tests: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.tf"), configuration).unwrap();
    let sources = Sources::new();
    let (module, problems) = load_config(&sources, dir.path(), &ModuleManifest::default());
    assert!(!problems.has_errors(), "{problems:?}");
    let provider: Arc<dyn Provider> = Arc::new(provider_utility::Builtin::default());
    let workspace = Workspace {
        config: module.unwrap(),
        sources: sources.clone(),
        providers: ProviderRegistry::new([provider]),
        name: "default".into(),
        root_dir: dir.path().to_owned(),
        working_dir: dir.path().to_owned(),
        functions: CallContext { base_dir: dir.path().to_owned(), planning: true, ..CallContext::default() },
    };
    let suite = Suite {
        workspace,
        globals: Default::default(),
        provisioners: Arc::new(provisioners::Builtin::default()),
        modules: Default::default(),
        parallelism: 2,
        interrupt: Interrupt::default(),
    };
    let (file, problems) = config::test_file::read(&sources, Path::new("a.tftest.hcl"), tests.into());
    assert!(problems.is_empty(), "{problems:?}");
    let heard = Heard::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run_file(&suite, &file.unwrap(), &heard));
    heard.0.into_inner().unwrap()
}

const CONFIGURATION: &str = r#"
    variable "name" {
      default = "n"
      validation {
        condition     = var.name != "bad"
        error_message = "no bad names"
      }
    }
    resource "terraform_data" "a" {
      input = var.name
    }
    output "o" {
      value = terraform_data.a.output
    }
"#;

#[test]
fn assertions_see_the_plan_the_state_and_earlier_runs() {
    let heard = run(
        CONFIGURATION,
        r#"
        run "made" {}
        run "planned" {
          command = plan
          variables { name = "${run.made.o}2" }
          assert {
            condition     = terraform_data.a.input == "n2"
            error_message = "got ${terraform_data.a.input}"
          }
          assert {
            condition     = var.name == "x"
            error_message = "name is ${var.name}"
          }
        }
        run "again" {
          assert {
            condition     = output.o == "n"
            error_message = "got ${output.o}"
          }
        }
        "#,
    );
    let expected = [
        "made: Pass",
        "planned: Fail",
        "  Test assertion failed: name is n2",
        "again: Pass",
        "destroy again",
        "file: Fail",
    ];
    assert_eq!(heard, expected);
}

#[test]
fn failures_that_are_expected_are_none() {
    let heard = run(
        CONFIGURATION,
        r#"
        run "refused" {
          command = plan
          variables { name = "bad" }
          expect_failures = [var.name]
        }
        run "not_refused" {
          command = plan
          expect_failures = [var.name]
        }
        run "late" {}
        "#,
    );
    let missing =
        "  Missing expected failure: The checkable object, var.name, was expected to report an error but did not.";
    assert_eq!(heard, ["refused: Pass", "not_refused: Error", missing, "late: Skip", "file: Error"]);
}

#[test]
fn what_an_apply_was_to_fail_of_may_not_fail_while_planning() {
    let configuration = "variable \"a\" {}\nresource \"terraform_data\" \"a\" {\n  count = 1\n  lifecycle {\n    precondition {\n      \
                         condition = var.a != \"bad\"\n      error_message = \"is bad\"\n    }\n  }\n}\n";
    let tests = "run \"apply\" {\n  variables {\n    a = \"bad\"\n  }\n  expect_failures = [terraform_data.a]\n}\n";
    let heard = run(configuration, tests);
    assert_eq!(heard[0], "apply: Error");
    let warning = "  Expected failure while planning: A custom condition within terraform_data.a[0] failed during the";
    assert!(heard[1].starts_with(warning), "{heard:?}");
    assert_eq!(heard[2..], ["  Resource precondition failed: is bad", "file: Error"]);
}

#[test]
fn only_what_has_conditions_can_be_expected_to_fail() {
    let heard = |expected: &str| {
        let text = format!("run \"r\" {{\n  command = plan\n  expect_failures = [{expected}]\n}}\n");
        run(CONFIGURATION, &text).get(1).cloned().unwrap_or_default()
    };
    let refused = |what: &str| {
        format!(
            "  Invalid `expect_failures` reference: You cannot expect failures from {what}. You can only expect failures from \
             checkable objects such as input variables, output values, check blocks, managed resources and data sources."
        )
    };
    for (expected, named) in [
        ("local.x", "local.x"),
        ("path.module", "path.module"),
        ("self.x", "self"),
        ("run.x", "run.x"),
        ("module.m", "module.m"),
        ("module.m[\"a\"].o.x", "module.m[\"a\"].o"),
    ] {
        assert_eq!(heard(expected), refused(named));
    }
    let direct = "  Invalid reference: The \"output\" object cannot be accessed directly. Instead, access one of its attributes.";
    assert_eq!(heard("output"), direct);
    let missing = |what| {
        format!(
            "  Missing expected failure: The checkable object, {what}, was expected to report an error but did not."
        )
    };
    assert_eq!(heard("terraform_data.a.id"), missing("terraform_data.a"));
    assert_eq!(heard("output.o.x"), missing("output.o"));
}

#[test]
fn overrides_of_what_is_not_there_are_told() {
    let heard = run(
        CONFIGURATION,
        r#"
        override_resource {
          target = terraform_data.nope
          values = {}
        }
        run "r" {
          command = plan
          override_resource {
            target = terraform_data.a[3]
            values = {}
          }
          override_module {
            target  = module.m
            outputs = {}
          }
        }
        "#,
    );
    let warning = |target: &str| {
        format!(
            "  Invalid override target: The override target {target} does not exist within the configuration under test. This \
             could indicate a typo in the target address or an unnecessary override."
        )
    };
    assert_eq!(heard, ["r: Pass", &warning("module.m"), "file: Pass", &warning("terraform_data.nope")]);
}

#[test]
fn overridden_and_mocked_objects_are_what_the_test_says() {
    let heard = run(
        CONFIGURATION,
        r#"
        mock_provider "terraform" {
          mock_resource "terraform_data" {
            defaults = { id = "mocked" }
          }
        }
        run "mocked" {
          assert {
            condition     = terraform_data.a.id == "mocked"
            error_message = terraform_data.a.id
          }
        }
        run "overridden" {
          command   = plan
          state_key = "other"
          override_resource {
            target          = terraform_data.a
            override_during = plan
            values          = { id = "overridden" }
          }
          assert {
            condition     = terraform_data.a.id == "overridden"
            error_message = terraform_data.a.id
          }
        }
        "#,
    );
    assert_eq!(heard, ["mocked: Pass", "overridden: Pass", "destroy mocked", "file: Pass"]);
}

#[test]
fn a_mock_with_an_alias_stands_in_for_that_configuration_alone() {
    let configuration = r#"
        provider "terraform" {
          alias = "other"
        }
        resource "terraform_data" "real" {}
        resource "terraform_data" "mocked" {
          provider = terraform.other
        }
    "#;
    let mock = |alias: &str, id: &str| {
        format!(
            "mock_provider \"terraform\" {{\n {alias}\n mock_resource \"terraform_data\" {{\n defaults = {{ id = \"{id}\" }}\n \
             }}\n}}\n"
        )
    };
    let run_of = |body: &str| {
        format!(
            "run \"r\" {{\n {body}\n assert {{\n condition = terraform_data.real.id == \"\"\n error_message = \
             \"${{length(terraform_data.real.id)}} ${{terraform_data.mocked.id}}\"\n }}\n}}\n"
        )
    };
    let told = |tests: String| run(configuration, &tests).into_iter().nth(1).unwrap();
    assert_eq!(told(mock("alias = \"other\"", "m") + &run_of("")), "  Test assertion failed: 36 m");
    let both = mock("", "main") + &mock("alias = \"spare\"", "s");
    let swapped = run_of("providers = {\n terraform = terraform\n terraform.other = terraform.spare\n }");
    assert_eq!(told(both + &swapped), "  Test assertion failed: 4 s");
}

#[test]
fn one_instance_can_be_overridden_and_keeps_its_values_over_runs() {
    let heard = run(
        r#"
        resource "terraform_data" "n" {
          count = 2
        }
        output "ids" {
          value = terraform_data.n[*].id
        }
        "#,
        r#"
        override_resource {
          target = terraform_data.n[1]
          values = { id = "second" }
        }
        run "made" {
          assert {
            condition     = length(output.ids[0]) == 36 && output.ids[1] == "second"
            error_message = jsonencode(output.ids)
          }
        }
        run "again" {
          command = plan
          assert {
            condition     = output.ids == run.made.ids
            error_message = jsonencode(output.ids)
          }
        }
        "#,
    );
    assert_eq!(heard, ["made: Pass", "again: Pass", "destroy made", "file: Pass"]);
}

#[test]
fn nothing_is_replaced_by_a_refresh() {
    let options = "plan_options {\n  mode    = refresh-only\n  replace = [terraform_data.a]\n}\n";
    let heard = run(CONFIGURATION, &format!("run \"a\" {{\n  command = plan\n  {options}}}\n"));
    let expected = [
        "a: Error",
        "  Unsupported plan mode: Forcing resource instance replacement (with -replace=...) is allowed only in normal planning mode.",
        "file: Error",
    ];
    assert_eq!(heard, expected);
}
