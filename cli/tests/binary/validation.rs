//! Which mistakes `validate` tells, as Terraform does.

use crate::{Folder, text};

/// Severity, summary and place of what is said of a configuration.
fn verdict(configuration: &str) -> Vec<String> {
    let output = Folder::new(configuration).run(&["validate", "-json"]);
    let document: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
    let told = |diagnostic: &serde_json::Value| {
        let start = &diagnostic["range"]["start"];
        format!("{} {}:{}", diagnostic["summary"].as_str().unwrap(), start["line"], start["column"])
    };
    document["diagnostics"].as_array().unwrap().iter().map(told).collect()
}

#[test]
fn an_import_block_that_lacks_something_is_not_looked_at_any_further() {
    let mistakes = verdict("import {\n  to = \"terraform_data.a\"\n}\n");
    assert_eq!(mistakes, ["Missing required argument 1:8"]);
}

#[test]
fn a_constant_that_breaks_off_is_told_by_the_parser_and_by_what_reads_it() {
    let mut mistakes = verdict("variable \"a\" {\n  sensitive = foo.\n}\n");
    mistakes.sort();
    assert_eq!(mistakes, ["Invalid attribute name 2:19", "Invalid attribute name 2:19", "Unsuitable value type 2:15"]);
    let mistakes = verdict("module \"m\" {\n  source = \"./m\"\n  providers = {\n    aws = aws.\n  }\n}\n");
    assert!(mistakes.contains(&"Invalid provider configuration reference 4:11".to_owned()), "{mistakes:?}");
}

#[test]
fn a_wrong_key_hides_no_wrong_attribute() {
    let output = |steps: &str| {
        let many = "resource \"terraform_data\" \"a\" {\n  count = 1\n}\n";
        verdict(&format!("{many}output \"o\" {{\n  value = terraform_data.{steps}\n}}\n"))
    };
    assert_eq!(output("a.nope"), ["Missing resource instance key 5:11", "Unsupported attribute 5:27"]);
    assert_eq!(output("a[0].count"), ["Invalid resource count attribute 5:11"]);
}

#[test]
fn what_is_known_of_a_value_is_told_beside_names_that_it_lacks() {
    let folder = Folder::new(
        "module \"m\" {\n  source = \"./m\"\n}\noutput \"a\" {\n  value = module.m.nope\n}\nlocals {\n  l = 1\n  b = \
         nope(local.l)\n}\n",
    );
    std::fs::create_dir(folder.path("m")).unwrap();
    folder.write("m/main.tf", "");
    assert!(folder.run(&["init"]).status.success());
    let document: serde_json::Value = serde_json::from_str(&text(&folder.run(&["validate", "-json"]))).unwrap();
    let values = |at: usize| document["diagnostics"][at]["snippet"]["values"][0].clone();
    assert_eq!(values(0), serde_json::json!({"traversal": "module.m", "statement": "is a object"}));
    assert_eq!(values(1), serde_json::json!({"traversal": "local.l", "statement": "is 1"}));
}

#[test]
fn a_call_that_fails_comes_with_the_signature_of_its_function() {
    let folder = Folder::new("output \"a\" {\n  value = core::format(\"%d\", \"x\")\n}\n");
    let document: serde_json::Value = serde_json::from_str(&text(&folder.run(&["validate", "-json"]))).unwrap();
    let expected = serde_json::json!({
        "called_as": "core::format",
        "signature": {
            "name": "format",
            "params": [{"name": "format", "type": "string"}],
            "variadic_param": {"name": "args", "type": "dynamic"},
            "return_type": "dynamic",
        },
    });
    assert_eq!(document["diagnostics"][0]["snippet"]["function_call"], expected);
    let told = text(&folder.run(&["validate", "-no-color"]));
    assert!(told.contains("│ while calling core::format(format, args...)\n"), "{told}");
}

#[test]
fn functions_of_a_provider_are_called_by_the_name_that_the_module_has_for_it() {
    let required = |name: &str| {
        format!("terraform {{\n  required_providers {{\n    {name} = {{ source = \"hashicorp/aws\" }}\n  }}\n}}\n")
    };
    let output = "output \"a\" {\n  value = provider::cloud::arn_parse(\"arn:aws:s3:::b\").resource\n}\n";
    let plan = |configuration: &str| text(&Folder::new(configuration).run(&["plan", "-no-color"]));
    let told = plan(&(required("cloud") + output));
    assert!(told.contains("+ a = \"b\""), "{told}");
    let told = plan(&(required("aws") + output));
    assert!(told.contains("There is no function named \"provider::cloud::arn_parse\"."), "{told}");
}

#[test]
fn the_configuration_of_a_remote_state_is_its_backends() {
    let data = |backend: &str, config: &str| {
        format!("data \"terraform_remote_state\" \"s\" {{\n  backend = \"{backend}\"\n  config  = {config}\n}}\n")
    };
    for (backend, config) in [
        ("local", "{ nope = 1 }"),
        ("local", "[1]"),
        ("gcs", "{}"),
        ("pg", "{ skip_table_creation = \"x\" }"),
        ("http", "{ address = \"http://h\", retry_max = \"x\" }"),
    ] {
        assert_eq!(verdict(&data(backend, config)), ["Invalid backend configuration 3:13"], "{backend} {config}");
    }
    let fine = data("http", "tomap({ address = \"http://h\", retry_max = \"5\" })");
    assert_eq!(verdict(&fine), [""; 0]);
    let folder = Folder::new(&(data("local", "{ path = 5 }") + "  output \"o\" {\n  value = 1\n}\n"));
    let told = text(&folder.run(&["plan", "-no-color"]));
    assert!(told.contains("Unable to find remote state"), "{told}");
    folder.write("5", "{\"version\": 4, \"serial\": 1, \"lineage\": \"a\", \"outputs\": {}, \"resources\": []}");
    assert!(folder.run(&["plan"]).status.success());
}

#[test]
fn what_lacks_in_a_block_on_one_line_is_told_at_its_argument() {
    assert_eq!(verdict("output \"a\" { description = \"b\" }\n"), ["Missing required argument 1:14"]);
    assert_eq!(verdict("output \"a\" {}\n"), ["Missing required argument 1:12"]);
}

#[test]
fn a_pattern_that_can_not_be_read_is_told_as_by_go() {
    let folder = Folder::new("output \"a\" {\n  value = replace(\"a\", \"/(/\", \"b\")\n}\n");
    let document: serde_json::Value = serde_json::from_str(&text(&folder.run(&["validate", "-json"]))).unwrap();
    let told = "Call to function \"replace\" failed: error parsing regexp: missing closing ): `(`.";
    assert_eq!(document["diagnostics"][0]["detail"], told);
}

#[test]
fn failed_attempts_are_told_with_their_places() {
    let folder = Folder::new(
        "locals {\n  o = { a = 1 }\n}\noutput \"a\" {\n  value = try(local.o.b, try(local.o[\n    \"c\"], upper()))\n}\n",
    );
    let document: serde_json::Value = serde_json::from_str(&text(&folder.run(&["validate", "-json"]))).unwrap();
    assert_eq!(
        document["diagnostics"][0]["detail"],
        "Call to function \"try\" failed: no expression succeeded:\n- Unsupported attribute (at main.tf:5,22-24)\n  This object does \
         not have an attribute named \"b\".\n- Error in function call (at main.tf:5,26-30)\n  Call to function \"try\" failed: no \
         expression succeeded:\n- Invalid index (at main.tf:5,37-6,9)\n  The given key does not identify an element in this \
         collection value.\n- Not enough function arguments (at main.tf:6,17-18)\n  Function \"upper\" expects 1 argument(s). \
         Missing value for \"str\".\n\nAt least one expression must produce a successful result.\n\nAt least one expression must \
         produce a successful result."
    );
}

#[test]
fn files_of_another_directory_are_named_from_here() {
    let folder = Folder::new("");
    std::fs::create_dir_all(folder.path("sub/inner")).unwrap();
    folder.write("sub/main.tf", "output \"a\" {\n  value = nope\n}\n");
    for directory in ["sub", "./sub/", "sub/inner/.."] {
        let document: serde_json::Value =
            serde_json::from_str(&text(&folder.run(&["validate", "-json", directory]))).unwrap();
        assert_eq!(document["diagnostics"][0]["range"]["filename"], "sub/main.tf", "{directory}");
    }
}

#[test]
fn test_files_are_validated_with_the_directories_that_their_runs_test() {
    let folder = Folder::new("");
    std::fs::create_dir(folder.path("bad")).unwrap();
    folder.write("bad/main.tf", "resource \"terraform_data\" \"b\" {\n  input = var.undeclared\n}\n");
    let runs =
        "run \"a\" {\n  expect_failures = [local.x]\n}\nrun \"b\" {\n  module {\n    source = \"./bad\"\n  }\n}\n";
    folder.write("a.tftest.hcl", &format!("{runs}{}", runs.replace("\"b\"", "\"d\"").replace("\"a\"", "\"c\"")));
    assert!(folder.run(&["init"]).status.success());
    let told = text(&folder.run(&["validate", "-no-color"]));
    assert_eq!(told.matches("Error: Invalid `expect_failures` reference").count(), 2, "{told}");
    assert_eq!(told.matches("Error: Reference to undeclared input variable").count(), 1, "{told}");
    assert!(folder.run(&["validate", "-no-tests"]).status.success());
    let tree = text(&folder.run(&["providers"]));
    let expected = "\nProviders required by configuration:\n.\n└── test.a\n    ├── run.b\n    │\u{a0}\u{a0} └── provider[terraform.io/builtin/terraform]\n    \
                    └── run.d\n        └── provider[terraform.io/builtin/terraform]\n\n";
    assert_eq!(tree, expected);
}

#[test]
fn warnings_stand_apart_from_failures_in_reports_of_tests() {
    let folder = Folder::new("output \"o\" {\n  value = 1\n}\n");
    let astray = "  override_module {\n    target = module.m\n  }\n";
    let run = |name: &str, condition: &str| {
        let assert = format!("  assert {{\n    condition     = {condition}\n    error_message = \"no\"\n  }}\n");
        format!("run \"{name}\" {{\n  command = plan\n{astray}{assert}}}\n")
    };
    folder.write("a.tftest.hcl", &(run("good", "output.o == 1") + &run("bad", "output.o == 2")));
    assert_eq!(folder.run(&["test", "-junit-xml=report.xml"]).status.code(), Some(1));
    let report = std::fs::read_to_string(folder.path("report.xml")).unwrap();
    let (good, bad) = report.split_once("</testcase>").unwrap();
    assert!(good.contains("<system-err><![CDATA[\nWarning: Invalid override target\n"), "{report}");
    let (failure, aside) = bad.split_once("</failure>\n      <system-err>").unwrap();
    assert!(failure.contains("Error: Test assertion failed") && !failure.contains("Warning:"), "{report}");
    assert!(aside.contains("Warning: Invalid override target") && !aside.contains("Error:"), "{report}");
}

#[test]
fn elements_of_collections_have_lines_of_their_own_in_the_text_of_a_type() {
    let question = "type({ a = tomap({ x = tolist([{ b = 1 }]) }), c = tolist([1]), d = toset([[]]) })\n";
    let answer = text(&Folder::new("").run_with_input(&["console"], question));
    let expected = "object({\n    a: map(list(\n        object({\n            b: number,\n        }),\n    )),\n    c: list(number),\n    \
                    d: set(\n        tuple([]),\n    ),\n})\n";
    assert_eq!(answer, expected);
}

#[test]
fn an_import_into_what_is_not_configured_is_told_why_it_cannot_be_generated() {
    let imports = |to: &str| format!("import {{\n  for_each = [\"p\"]\n  to       = {to}\n  id       = each.key\n}}\n");
    let target = "Configuration for import target does not exist";
    // `to` alone tells it …
    assert_eq!(verdict(&imports("terraform_data.a")), [format!("{target} 3:14")]);
    let single = "import {\n  to = terraform_data.a[\"x\"]\n  id = \"y\"\n}\n";
    assert_eq!(verdict(single), [format!("{target} 2:8")]);
    // … or what it stands for, which Terraform looks at only then.
    assert_eq!(verdict(&imports("terraform_data.a[each.key]")), ["Invalid import 'to' expression 3:14"]);
    let both = imports("terraform_data.a[each.key]") + single;
    assert_eq!(verdict(&both), ["Invalid import 'to' expression 3:14".to_owned(), format!("{target} 7:8")]);
}

#[test]
fn a_local_value_that_refers_to_itself_is_told_where_it_does() {
    assert_eq!(verdict("locals {\n  a = [1, local.a]\n}\n"), ["Self-referencing local value 2:11"]);
}

#[test]
fn a_backend_that_is_not_known_is_told_at_its_name() {
    let folder = Folder::new("terraform {\n  backend \"nope\" {}\n}\n");
    for (command, summary) in [("init", "Unsupported backend type"), ("plan", "Invalid backend type")] {
        let told = text(&folder.run(&[command, "-json"]));
        let event = told.lines().find(|line| line.contains(summary)).unwrap_or_else(|| panic!("{told}"));
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["diagnostic"]["range"]["start"]["column"], 11);
    }
}

#[test]
fn a_null_for_a_variable_that_takes_none_is_a_variable_not_set() {
    let folder = Folder::new("variable \"a\" {\n  nullable = false\n}\n");
    folder.write("null.tfvars", "a = null\n");
    let told = text(&folder.run(&["plan", "-no-color", "-var-file=null.tfvars"]));
    assert!(told.contains("Error: Required variable not set\n\n  on null.tfvars line 1:"), "{told}");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("not suitable for var.a defined at main.tf:1,1-13: required variable may not be set to null."),
        "{told}"
    );
}

#[test]
fn a_value_of_the_command_line_is_not_shown_with_what_is_wrong_with_it() {
    let folder = Folder::new("variable \"a\" {\n  type = list(string)\n  sensitive = true\n}\n");
    let runs: [&[&str]; 2] = [&["-no-color", "-var=a=[\"hunter2\""], &["-json", "-var=a=[\"hunter2\", b]"]];
    for arguments in runs {
        let told = text(&folder.run(&[&["plan"], arguments].concat()));
        assert!(told.contains("<value for var.a>") && !told.contains("hunter2"), "{told}");
    }
    assert!(text(&folder.run(&["plan", "-var=a=[b"])).contains("(source code not available)"));
}

#[test]
fn every_declaration_in_a_variable_file_is_told() {
    let folder = Folder::new("variable \"a\" {\n  default = 1\n}\nvariable \"b\" {\n  default = 1\n}\n");
    let told = text(&folder.run(&["plan", "-no-color", "-var-file=main.tf"]));
    assert_eq!(told.matches("Error: Variable declaration in .tfvars file").count(), 2, "{told}");
}

#[test]
fn blocks_that_break_off_are_looked_at_all_the_same() {
    assert_eq!(
        verdict("output \"o\" {\n  value = 1\n}\noutput \"o\" {\n}\n"),
        ["Duplicate output definition 4:1", "Missing required argument 4:12"]
    );
    let mut mistakes = verdict("resource \"terraform_data\" , {\n}\n");
    mistakes.sort();
    assert_eq!(mistakes[1..], ["Missing name for resource 1:1"]);
    let folder = Folder::new("resource \"terraform_data\" , {\n}\n");
    let document: serde_json::Value = serde_json::from_str(&text(&folder.run(&["validate", "-json"]))).unwrap();
    let named =
        document["diagnostics"].as_array().unwrap().iter().find(|told| told["summary"] == "Missing name for resource");
    assert_eq!(named.unwrap()["range"]["end"]["column"], 9);
}

#[test]
fn plans_and_states_of_tests_come_with_their_schemas() {
    let events = |configuration: &str| {
        let folder = Folder::new(configuration);
        folder.write("a.tftest.hcl", "run \"a\" {\n  command = plan\n}\nrun \"b\" {}\n");
        let told = text(&folder.run(&["test", "-json", "-verbose"]));
        let events = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let shown = events.filter_map(|event| event.get("test_plan").or(event.get("test_state")).cloned());
        shown.collect::<Vec<_>>()
    };
    let empty = [
        serde_json::json!({"plan_format_version": "1.2", "provider_format_version": "1.0"}),
        serde_json::json!({"state_format_version": "1.0", "root_module": {}, "provider_format_version": "1.0"}),
    ];
    assert_eq!(events(""), empty);
    for shown in events("resource \"terraform_data\" \"a\" {}\n") {
        let schemas = &shown["provider_schemas"]["terraform.io/builtin/terraform"]["resource_schemas"];
        assert_eq!(schemas["terraform_data"]["block"]["attributes"]["input"]["type"], "dynamic");
    }
}
