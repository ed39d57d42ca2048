//! Provider schemas as `providers schema -json` shows them (format 1.0).

use std::collections::BTreeSet;
use std::sync::Arc;

use lang::addr::ProviderSource;
use lang::functions::Function;
use planner::ProviderRegistry;
use sdk::provider::Provider;
use sdk::schema::{Attribute, Block, NestedBlock, Nesting, Schema};
use serde_json::{Map, Value as Json, json};

use super::functions::declaration;

/// The schemas of those providers that are linked in, by their addresses.
pub fn provider_schemas(providers: &ProviderRegistry, sources: &BTreeSet<ProviderSource>) -> Map<String, Json> {
    let schema = |source: &ProviderSource| Some((source.to_string(), provider_schema(providers.get(source)?.as_ref())));
    sources.iter().filter_map(schema).collect()
}

/// All schemas of a provider, with the signatures of its functions.
fn provider_schema(provider: &dyn Provider) -> Json {
    let schema = provider.schema();
    let mut document = Map::new();
    document.insert("provider".to_owned(), one(&schema.provider));
    let groups = [
        ("resource_schemas", &schema.resources),
        ("data_source_schemas", &schema.data_sources),
        ("ephemeral_resource_schemas", &schema.ephemeral_resources),
    ];
    for (name, schemas) in groups {
        let all: Map<String, Json> = schemas.iter().map(|(kind, schema)| (kind.to_string(), one(schema))).collect();
        if !all.is_empty() {
            document.insert(name.to_owned(), all.into());
        }
    }
    let of = |function: &Arc<Function>| declaration(function, &function.declared_type());
    let functions: Map<String, Json> =
        provider.functions().iter().map(|function| (function.name.to_owned(), of(function))).collect();
    if !functions.is_empty() {
        document.insert("functions".to_owned(), functions.into());
    }
    document.into()
}

fn one(schema: &Schema) -> Json {
    json!({"version": schema.version, "block": block(&schema.block)})
}

fn block(block: &Block) -> Json {
    let mut document = Map::new();
    if !block.attributes.is_empty() {
        document.insert("attributes".to_owned(), attributes(block).into());
    }
    if !block.blocks.is_empty() {
        let types: Map<String, Json> =
            block.blocks.iter().map(|(name, nested)| (name.to_string(), nested_block(nested))).collect();
        document.insert("block_types".to_owned(), types.into());
    }
    document.insert("description_kind".to_owned(), "plain".into());
    if block.deprecated.is_some() {
        document.insert("deprecated".to_owned(), true.into());
    }
    document.into()
}

fn nested_block(nested: &NestedBlock) -> Json {
    let nesting = match nested.nesting {
        Nesting::Single => "single",
        Nesting::Group => "group",
        Nesting::List => "list",
        Nesting::Set => "set",
        Nesting::Map => "map",
    };
    let mut document = Map::new();
    document.insert("nesting_mode".to_owned(), nesting.into());
    document.insert("block".to_owned(), block(&nested.block));
    for (name, bound) in [("min_items", nested.min), ("max_items", nested.max)] {
        if bound > 0 {
            document.insert(name.to_owned(), bound.into());
        }
    }
    document.into()
}

fn attributes(block: &Block) -> Map<String, Json> {
    block.attributes.iter().map(|(name, item)| (name.to_string(), attribute(item))).collect()
}

fn attribute(attribute: &Attribute) -> Json {
    let mut document = Map::new();
    // Nested attributes are told as what their type is: so does Terraform with these providers, who have them of old.
    document.insert("type".to_owned(), attribute.ty.to_json());
    document.insert("description_kind".to_owned(), "plain".into());
    let flags = [
        ("required", attribute.required),
        ("optional", attribute.optional),
        ("computed", attribute.computed),
        ("sensitive", attribute.sensitive),
        ("write_only", attribute.write_only),
        ("deprecated", attribute.deprecated.is_some()),
    ];
    for (name, _) in flags.iter().filter(|(_, set)| *set) {
        document.insert((*name).to_owned(), true.into());
    }
    document.into()
}
