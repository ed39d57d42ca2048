//! `show`

use std::fs::File;

use clap::ArgAction;
use lang::{Diagnostic, Diagnostics};

use super::Exit;
use crate::json_views::state::state_document;
use crate::providers::RegistrySchemas;
use crate::render::state::render_state;
use crate::session::Session;

/// Reads and outputs a Terraform state or plan file in a human-readable form. If no path is specified, the current state
/// will be shown.
#[derive(Debug, clap::Parser)]
pub struct ShowArgs {
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// If specified, output the Terraform plan or state in a machine-readable form.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// The file.
    pub path: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &ShowArgs) -> Exit {
    if args.path.len() > 1 {
        return super::misuse::refuse(session, "show", &crate::args::FlagError::UnexpectedArgument);
    }
    if let Some(path) = args.path.first().filter(|path| crate::saved_plan::is_plan(path).unwrap_or(false)) {
        return show_plan(session, args, path);
    }
    let state = match args.path.first() {
        None => session.read_state(None).await,
        Some(path) => read_file(session, path).map(Some),
    };
    let state = match state {
        Ok(state) => state,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let schemas = RegistrySchemas(&session.providers);
    let Some(state) = state else {
        session.ui.print(if args.json { "{\"format_version\":\"1.0\"}\n" } else { "No state.\n" });
        return Exit::Success;
    };
    let document = state_document(&state, &schemas);
    if args.json {
        session.ui.print(&format!("{}\n", serde_json::to_string(&document).unwrap_or_default()));
    } else {
        session.ui.print(&render_state(&document, &schemas, session.ui.style));
    }
    Exit::Success
}

fn show_plan(session: &Session, args: &ShowArgs, path: &str) -> Exit {
    let saved = match crate::saved_plan::read(session, path) {
        Ok(saved) => saved,
        Err(diagnostic) => {
            session.show(&diagnostic.into());
            return Exit::Failure;
        }
    };
    if !args.json {
        super::operation::show_plan(session, &saved.plan);
        return Exit::Success;
    }
    let schemas = RegistrySchemas(&session.providers);
    let configuration = match crate::saved_plan::workspace(session, &saved) {
        Ok(workspace) => crate::json_views::config::configuration(&workspace),
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let document = crate::json_views::plan::plan_document(&saved.plan, &schemas, Some(configuration));
    session.ui.print(&format!("{}\n", serde_json::to_string(&document).unwrap_or_default()));
    Exit::Success
}

fn read_file(session: &Session, path: &str) -> Result<state::State, Diagnostics> {
    let problem = |what: String| {
        let detail = format!("State read error: Error loading statefile: {what}");
        Diagnostic::error("Failed to read the given file as a state or plan file", detail)
    };
    let file = File::open(path).map_err(|error| {
        let reason = format!("open {path}: {}", crate::io::reason(&error));
        problem(format!(
            "{reason}\n\nPlan read error: couldn't load the provided path as either a local plan file ({reason}) or a saved cloud plan \
             ({reason})"
        ))
    })?;
    match session.encryption()?.state().read_from(file) {
        Ok(state) => Ok(state.unwrap_or_default()),
        Err(error) => Err(problem(crate::session::chain(&error)).into()),
    }
}
