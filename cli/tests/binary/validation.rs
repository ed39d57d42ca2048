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
