//! `metadata functions`

use std::path::PathBuf;

use clap::ArgAction;
use lang::Type;
use lang::functions::{CallContext, FunctionTable, Special, table};
use serde_json::{Map, Value as Json, json};

use super::Exit;
use crate::session::Session;

/// Prints out a json representation of the available function signatures.
#[derive(Debug, clap::Parser)]
pub struct MetadataFunctionsArgs {
    /// Required: the output is JSON.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// Accepted and ignored.
    pub rest: Vec<String>,
}

/// Runs the command.
pub fn run(session: &Session, args: &MetadataFunctionsArgs) -> Exit {
    if !args.json {
        let usage = "metadata functions -json";
        let message = "The `terraform metadata functions` command requires the `-json` flag.\n";
        return super::misused::<MetadataFunctionsArgs>(session, usage, message, super::HelpGoes::ToStderr);
    }
    let context = CallContext { base_dir: PathBuf::from("."), ..CallContext::default() };
    let table = table(context);
    let signatures: Map<String, Json> = table
        .names()
        .into_iter()
        .filter_map(|name| Some((name.clone(), signature(table.get(&name)?.as_ref(), &table))))
        .collect();
    let document = json!({"format_version": "1.0", "function_signatures": signatures});
    session.ui.print(&format!("{document}\n"));
    Exit::Success
}

fn signature(function: &lang::functions::Function, table: &dyn FunctionTable) -> Json {
    let parameter = |param: &lang::functions::Param| {
        let mut document = Map::new();
        document.insert("name".to_owned(), param.name.into());
        if !param.description.is_empty() {
            document.insert("description".to_owned(), param.description.into());
        }
        // A template is a string, though the call takes the reference that names it, whatever its value.
        let is_template = function.special == Some(Special::TemplateString) && param.name == "template";
        if param.allow_null && !is_template {
            document.insert("is_nullable".to_owned(), true.into());
        }
        document.insert("type".to_owned(), if is_template { Type::String } else { param.ty.clone() }.to_json());
        Json::Object(document)
    };
    let mut document = Map::new();
    document.insert("description".to_owned(), function.description.into());
    let return_type = match function.special {
        Some(Special::TemplateString) => Type::String,
        _ => function.signature_type(table),
    };
    document.insert("return_type".to_owned(), return_type.to_json());
    if !function.params.is_empty() {
        document.insert("parameters".to_owned(), function.params.iter().map(parameter).collect());
    }
    if let Some(variadic) = &function.variadic {
        document.insert("variadic_parameter".to_owned(), parameter(variadic));
    }
    document.into()
}
