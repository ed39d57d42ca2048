//! `providers`

use std::collections::BTreeSet;

use clap::ArgAction;
use config::module::Module;
use lang::addr::ProviderSource;
use planner::Workspace;
use serde_json::{Map, Value as Json};
use state::State;

use super::Exit;
use crate::json_views::schema::provider_schema;
use crate::requirements::{self, canonical_constraints};
use crate::session::Session;

/// Prints out a tree of modules in the referenced configuration annotated with their provider requirements.
#[derive(Debug, clap::Parser)]
pub struct ProvidersArgs {
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// Set the directory of the tests.
    #[arg(long, value_name = "path", default_value = "tests")]
    pub test_directory: String,
}

/// What names providers: the configuration and the state. `None` after messages.
async fn configuration_and_state(session: &Session) -> Option<(Workspace, Option<State>)> {
    let (workspace, diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else {
        session.show(&diagnostics);
        return None;
    };
    match session.read_state(None).await {
        Ok(state) => Some((workspace, state)),
        Err(diagnostics) => {
            session.show(&diagnostics);
            None
        }
    }
}

/// Runs the command.
pub async fn run(session: &Session) -> Exit {
    if session.is_bare() {
        let folder = session.environment.working_directory.display().to_string();
        let detail = format!("The directory {folder} contains no Terraform configuration files.");
        session.ui.error("No configuration files", &detail);
        return Exit::Failure;
    }
    let Some((workspace, state)) = configuration_and_state(session).await else { return Exit::Failure };
    let mut text = "\nProviders required by configuration:\n.\n".to_owned();
    tree(&workspace.config, "", &mut text);
    let mut sources: Vec<ProviderSource> =
        state.iter().flat_map(|state| state.resources.values()).map(|r| r.provider.source.clone()).collect();
    sources.sort();
    sources.dedup();
    if !sources.is_empty() {
        text.push_str("\nProviders required by state:\n\n");
        for source in &sources {
            text.push_str(&format!("    provider[{source}]\n\n"));
        }
    }
    session.ui.print(&format!("{text}\n"));
    Exit::Success
}

/// Prints out a json representation of the schemas for all providers used in the current configuration.
#[derive(Debug, clap::Parser)]
pub struct ProvidersSchemaArgs {
    /// Required: the output is JSON.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// Accepted and ignored.
    pub rest: Vec<String>,
}

/// Runs `providers schema`.
pub async fn schema(session: &Session, args: &ProvidersSchemaArgs) -> Exit {
    if !args.json {
        let message = "The `terraform providers schema` command requires the `-json` flag.\n";
        return super::misused::<ProvidersSchemaArgs>(
            session,
            "providers schema -json",
            message,
            super::HelpGoes::ToStderr,
        );
    }
    let Some((workspace, state)) = configuration_and_state(session).await else { return Exit::Failure };
    let stored = state.iter().flat_map(|state| state.resources.values()).map(|r| r.provider.source.clone());
    let sources: BTreeSet<ProviderSource> =
        requirements::requirements(&workspace.config).into_keys().chain(stored).collect();
    let schemas: Map<String, Json> = sources
        .iter()
        .filter_map(|source| Some((source.to_string(), provider_schema(session.providers.get(source)?.as_ref()))))
        .collect();
    let mut document = Map::new();
    document.insert("format_version".to_owned(), "1.0".into());
    if !schemas.is_empty() {
        document.insert("provider_schemas".to_owned(), schemas.into());
    }
    session.ui.print(&format!("{}\n", Json::Object(document)));
    Exit::Success
}

/// The lines below a module: its own requirements, then the modules it calls.
fn tree(module: &Module, margin: &str, text: &mut String) {
    let alone = Module { children: Default::default(), ..module.clone() };
    let own: Vec<String> = requirements::requirements(&alone)
        .iter()
        .map(|(source, requirement)| {
            let constraints: Vec<&str> = requirement.constraints.iter().map(|c| c.value.as_str()).collect();
            let constraints = canonical_constraints(&constraints);
            let gap = if constraints.is_empty() { "" } else { " " };
            format!("provider[{source}]{gap}{constraints}")
        })
        .collect();
    let total = own.len() + module.children.len();
    let branch = |index: usize| if index + 1 == total { ("└── ", "    ") } else { ("├── ", "│   ") };
    for (index, line) in own.iter().enumerate() {
        text.push_str(&format!("{margin}{}{line}\n", branch(index).0));
    }
    for (index, (name, child)) in module.children.iter().enumerate() {
        let (head, below) = branch(own.len() + index);
        text.push_str(&format!("{margin}{head}module.{name}\n"));
        tree(child, &format!("{margin}{below}"), text);
    }
}
