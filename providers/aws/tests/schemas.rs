//! Schemas equal Terraform's, name by name and flag by flag.
//!
//! The facts are not part of the repository: the test looks for them in `$WINDLASS_SHARED/schemas/aws`, then in
//! `../shared/schemas/aws` beside it, and is skipped with a message where neither exists.

#![expect(clippy::expect_used, clippy::panic, reason = "a test's helpers fail as the test does")]

use std::path::{Path, PathBuf};

use provider_aws::AwsProvider;
use sdk::{Block, Nesting, Provider, Schema, Type};
use serde_json::{Map, Value as Json, json};

fn facts() -> Option<PathBuf> {
    let named = std::env::var_os("WINDLASS_SHARED").map(PathBuf::from);
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let beside = Path::new(&package).join("../../../shared");
    [named, Some(beside)].into_iter().flatten().map(|path| path.join("schemas/aws")).find(|path| path.is_dir())
}

fn type_json(ty: &Type) -> Json {
    match ty {
        Type::Dynamic => json!("dynamic"),
        Type::Bool => json!("bool"),
        Type::Number => json!("number"),
        Type::String => json!("string"),
        Type::List(element) => json!(["list", type_json(element)]),
        Type::Set(element) => json!(["set", type_json(element)]),
        Type::Map(element) => json!(["map", type_json(element)]),
        Type::Tuple(elements) => json!(["tuple", elements.iter().map(type_json).collect::<Vec<_>>()]),
        Type::Object(object) => {
            let attributes = object.attributes.iter().map(|(name, ty)| (name.to_string(), type_json(ty)));
            json!(["object", Json::Object(attributes.collect())])
        }
    }
}

/// In the form of the facts: flags are present only when true.
fn block_json(block: &Block) -> Map<String, Json> {
    let flag = |object: &mut Map<String, Json>, name: &str, set: bool| {
        if set {
            object.insert(name.to_owned(), Json::Bool(true));
        }
    };
    let mut attributes = Map::new();
    for (name, attribute) in &block.attributes {
        let mut json = Map::from_iter([("type".to_owned(), type_json(&attribute.ty))]);
        flag(&mut json, "required", attribute.required);
        flag(&mut json, "optional", attribute.optional);
        flag(&mut json, "computed", attribute.computed);
        flag(&mut json, "sensitive", attribute.sensitive);
        flag(&mut json, "write_only", attribute.write_only);
        flag(&mut json, "deprecated", attribute.deprecated.is_some());
        attributes.insert(name.to_string(), Json::Object(json));
    }
    let mut blocks = Map::new();
    for (name, nested) in &block.blocks {
        let nesting = match nested.nesting {
            Nesting::Single => "single",
            Nesting::Group => "group",
            Nesting::List => "list",
            Nesting::Set => "set",
            Nesting::Map => "map",
        };
        let inner = Json::Object(block_json(&nested.block));
        let json = json!({"nesting": nesting, "min": nested.min, "max": nested.max, "block": inner});
        blocks.insert(name.to_string(), json);
    }
    let mut json = Map::from_iter([("attributes".to_owned(), attributes.into()), ("blocks".to_owned(), blocks.into())]);
    flag(&mut json, "deprecated", block.deprecated.is_some());
    json
}

/// Every place where the two differ.
fn differences(path: &str, ours: &Json, theirs: &Json, into: &mut Vec<String>) {
    match (ours, theirs) {
        (Json::Object(a), Json::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let inner = format!("{path}.{name}");
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => differences(&inner, a, b, into),
                    (Some(_), None) => into.push(format!("{inner}: not in Terraform's")),
                    (None, _) => into.push(format!("{inner}: missing")),
                }
            }
        }
        _ if ours == theirs => {}
        _ => into.push(format!("{path}: {ours}, in Terraform's {theirs}")),
    }
}

fn compare(name: &str, schema: &Schema, file: &Path, into: &mut Vec<String>) {
    let text = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let facts: Json = serde_json::from_slice(&text).expect("the facts are JSON");
    let mut ours = block_json(&schema.block);
    ours.insert("version".to_owned(), schema.version.into());
    let keys = ["version", "attributes", "blocks"];
    let theirs = keys.iter().map(|key| ((*key).to_owned(), facts[*key].clone())).collect();
    ours.retain(|key, _| keys.contains(&key.as_str()));
    differences(name, &Json::Object(ours), &Json::Object(theirs), into);
}

#[test]
fn schemas_equal_terraforms() {
    let Some(facts) = facts() else {
        eprintln!("skipped: no facts about Terraform's schemas here (set WINDLASS_SHARED)");
        return;
    };
    let provider = AwsProvider;
    let schema = provider.schema();
    let mut found = Vec::new();
    compare("provider", &schema.provider, &facts.join("provider.json"), &mut found);
    for (kind, schemas) in
        [("resource", &schema.resources), ("data", &schema.data_sources), ("ephemeral", &schema.ephemeral_resources)]
    {
        for (name, schema) in schemas {
            compare(name, schema, &facts.join(kind).join(format!("{name}.json")), &mut found);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
