//! `metadata functions`

use std::path::PathBuf;

use clap::ArgAction;
use lang::Type;
use lang::functions::{CallContext, Function, FunctionTable, Special, table};
use serde_json::{Map, Value as Json, json};

use super::Exit;
use crate::json_views::functions::declaration;
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
    let signature = |function: &Function| {
        let return_type = match function.special {
            Some(Special::TemplateString) => Type::String,
            _ => function.signature_type(&table),
        };
        declaration(function, &return_type)
    };
    let signatures: Map<String, Json> = table
        .names()
        .into_iter()
        .filter_map(|name| Some((name.clone(), signature(table.get(&name)?.as_ref()))))
        .collect();
    let document = json!({"format_version": "1.0", "function_signatures": signatures});
    session.ui.print(&format!("{document}\n"));
    Exit::Success
}
