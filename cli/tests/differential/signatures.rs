//! `metadata functions -json`: names, parameters and types of all functions. The descriptions are our own words.

use serde_json::Value as Json;

use crate::tools::{Tool, first_difference};

fn without_descriptions(document: &mut Json) {
    match document {
        Json::Object(members) => {
            members.remove("description");
            members.values_mut().for_each(without_descriptions);
        }
        Json::Array(items) => items.iter_mut().for_each(without_descriptions),
        _ => {}
    }
}

/// The signatures of a tool's functions.
pub fn of(tool: Tool) -> Json {
    let folder = tempfile::tempdir().unwrap();
    let mut document: Json =
        serde_json::from_str(&tool.run(folder.path(), &["metadata", "functions", "-json"])).unwrap();
    without_descriptions(&mut document);
    document
}

#[test]
fn functions_have_terraform_s_signatures() {
    if crate::volume(1).is_none() {
        return;
    }
    assert_eq!(first_difference("", &of(Tool::Terraform), &of(Tool::Windlass)), None);
}
