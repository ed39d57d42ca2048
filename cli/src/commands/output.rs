//! `output`

use clap::ArgAction;
use lang::{Diagnostic, Type, Value};
use serde_json::{Value as Json, json};
use state::OutputValue;

use super::Exit;
use crate::render::value::format_value;
use crate::session::Session;

/// Reads an output variable from a Terraform state file and prints the value. With no additional arguments, output will
/// display all the outputs for the root module. If NAME is not specified, all outputs are printed.
#[derive(Debug, clap::Parser)]
pub struct OutputArgs {
    /// Path to the state file to read. Defaults to "terraform.tfstate".
    #[arg(long, value_name = "path")]
    pub state: Option<String>,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// If specified, machine readable output will be printed in JSON format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// For value types that can be automatically converted to a string, will print the raw string directly, rather than a human-oriented representation of the value.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub raw: bool,
    /// The output.
    pub name: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &OutputArgs) -> Exit {
    let fail = |summary: &str, detail: &str| {
        session.ui.error(summary, detail);
        Exit::Failure
    };
    let misused = |summary: &str, detail: &str| {
        let exit = fail(summary, detail);
        super::misuse::hint(&session.ui, "output");
        exit
    };
    if args.json && args.raw {
        return misused("Invalid output format", "The -raw and -json options are mutually-exclusive.");
    }
    if args.name.len() > 1 {
        return misused(
            "Unexpected argument",
            "The output command expects exactly one argument with the name of an output variable or no arguments to show \
             all outputs.",
        );
    }
    if args.raw && args.name.is_empty() {
        return misused(
            "Output name required",
            "You must give the name of a single output value when using the -raw option.",
        );
    }
    let state = match session.read_state(args.state.as_deref()).await {
        Ok(state) => state.unwrap_or_default(),
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    match args.name.first() {
        Some(_) if state.outputs.is_empty() && !args.json => none(session),
        Some(name) => match state.outputs.get(name.as_str()) {
            Some(output) => one(session, args, name, output),
            None => fail(
                &format!("Output {name:?} not found"),
                "The output variable requested could not be found in the state file. If you recently added this to your \
                 configuration, be sure to run `terraform apply`, since the state won't be updated with new output \
                 variables until that command is run.",
            ),
        },
        None if args.json => {
            let documents = state.outputs.iter().map(|(name, output)| {
                let value = plain(output);
                let ty = output.ty.to_value().unwrap_or(Json::Null);
                (name.to_string(), json!({"sensitive": output.sensitive, "type": ty, "value": value}))
            });
            let all: serde_json::Map<_, _> = documents.collect();
            session.ui.print(&format!("{:#}\n", Json::Object(all)));
            Exit::Success
        }
        None if state.outputs.is_empty() => none(session),
        None => {
            session.ui.print(&all_outputs(state.outputs.iter().map(|(name, output)| (name.as_str(), output))));
            Exit::Success
        }
    }
}

fn none(session: &Session) -> Exit {
    let detail = "The state file either has no outputs defined, or all the defined outputs are empty. Please define an output \
                  in your configuration with the `output` keyword and run `terraform refresh` for it to become available. If \
                  you are using interpolation, please verify the interpolated value is not empty. You can use the \
                  `terraform console` command to assist.";
    session.show(&Diagnostic::warning("No outputs found", detail).into());
    Exit::Success
}

/// The lines of all outputs.
pub fn all_outputs<'a>(outputs: impl Iterator<Item = (&'a str, &'a OutputValue)>) -> String {
    let mut text = String::new();
    for (name, output) in outputs {
        let value = if output.sensitive { "<sensitive>".to_owned() } else { format_value(&value(output), 0) };
        text.push_str(&format!("{name} = {value}\n"));
    }
    text
}

fn value(output: &OutputValue) -> Value {
    let ty = output.ty.to_value().ok().and_then(|ty| Type::from_json(&ty).ok()).unwrap_or(Type::Dynamic);
    let json = output.value.to_value().unwrap_or(Json::Null);
    Value::from_json(&json, &ty).unwrap_or_else(|_| Value::from_plain_json(&json))
}

fn plain(output: &OutputValue) -> Json {
    crate::json_views::values::plain(&value(output)).unwrap_or(Json::Null)
}

fn one(session: &Session, args: &OutputArgs, name: &str, output: &OutputValue) -> Exit {
    let value = value(output);
    if args.json {
        session.ui.print(&format!("{}\n", state::Json::from_value(&plain(output))));
        return Exit::Success;
    }
    if !args.raw {
        session.ui.print(&format!("{}\n", format_value(&value, 0)));
        return Exit::Success;
    }
    match value.convert(&Type::String) {
        Ok(text) if !text.is_null() => {
            session.ui.print(text.as_str().map_or("", |s| s.as_str()));
            Exit::Success
        }
        Ok(_) => {
            let detail = format!("The value for output value \"{name}\" is null, so -raw mode cannot print it.");
            session.ui.error("Unsupported value for raw output", &detail);
            Exit::Failure
        }
        Err(_) => {
            let detail = format!(
                "The -raw option only supports strings, numbers, and boolean values, but output value \"{name}\" is {}.\n\n\
                 Use the -json option for machine-readable representations of output values that have complex types.",
                value.ty()
            );
            session.ui.error("Unsupported value for raw output", &detail);
            Exit::Failure
        }
    }
}
