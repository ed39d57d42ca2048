//! `providers`

use std::collections::BTreeSet;

use clap::ArgAction;
use config::module::Module;
use config::test_file::{Run, TestFile};
use lang::Diagnostics;
use lang::addr::ProviderSource;
use serde_json::{Map, Value as Json};
use state::State;

use super::Exit;
use crate::json_views::schema::provider_schemas;
use crate::requirements::{self, canonical_constraints};
use crate::session::{Session, Tested};

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

/// What was loaded of a configuration, with the state: both name providers. `None` after messages.
async fn with_state<T>(
    session: &Session,
    (loaded, diagnostics): (Option<T>, Diagnostics),
) -> Option<(T, Option<State>)> {
    let Some(loaded) = loaded.filter(|_| !diagnostics.has_errors()) else {
        session.show(&diagnostics);
        return None;
    };
    match session.read_state(None).await {
        Ok(state) => Some((loaded, state)),
        Err(diagnostics) => {
            session.show(&diagnostics);
            None
        }
    }
}

/// Runs the command.
pub async fn run(session: &Session, args: &ProvidersArgs) -> Exit {
    if session.is_bare() {
        let folder = session.environment.working_directory.display().to_string();
        let detail = format!("The directory {folder} contains no Terraform configuration files.");
        session.ui.error("No configuration files", &detail);
        return Exit::Failure;
    }
    let (loaded, warnings) = session.load_with_tests(&args.test_directory);
    let loaded = (loaded, warnings.clone());
    let Some((tested, state)) = with_state(session, loaded).await else { return Exit::Failure };
    let mut text = "\nProviders required by configuration:\n.\n".to_owned();
    Branch::draw(&below(&tested.workspace.config, tests(&tested)), "", &mut text);
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
    session.show(&warnings);
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
    let Some((workspace, state)) = with_state(session, session.load(false)).await else { return Exit::Failure };
    let stored = state.iter().flat_map(|state| state.resources.values()).map(|r| r.provider.source.clone());
    let sources: BTreeSet<ProviderSource> =
        requirements::requirements(&workspace.config).into_keys().chain(stored).collect();
    let schemas = provider_schemas(&session.providers, &sources);
    let mut document = Map::new();
    document.insert("format_version".to_owned(), "1.0".into());
    if !schemas.is_empty() {
        document.insert("provider_schemas".to_owned(), schemas.into());
    }
    session.ui.print(&format!("{}\n", Json::Object(document)));
    Exit::Success
}

/// A line of the tree and those below it.
struct Branch {
    text: String,
    below: Vec<Branch>,
}

impl Branch {
    fn draw(branches: &[Branch], margin: &str, text: &mut String) {
        for (index, branch) in branches.iter().enumerate() {
            // Beside a line that goes on Terraform has no-break spaces.
            let (head, below) =
                if index + 1 == branches.len() { ("└── ", "    ") } else { ("├── ", "│\u{a0}\u{a0} ") };
            text.push_str(&format!("{margin}{head}{}\n", branch.text));
            Branch::draw(&branch.below, &format!("{margin}{below}"), text);
        }
    }
}

/// What is below a module: its own requirements, then its tests, then the modules it calls.
fn below(module: &Module, tests: Vec<Branch>) -> Vec<Branch> {
    let alone = Module { children: Default::default(), ..module.clone() };
    let own = requirements::requirements(&alone).into_iter().map(|(source, requirement)| {
        let constraints: Vec<&str> = requirement.constraints.iter().map(|c| c.value.as_str()).collect();
        let constraints = canonical_constraints(&constraints);
        let gap = if constraints.is_empty() { "" } else { " " };
        Branch { text: format!("provider[{source}]{gap}{constraints}"), below: Vec::new() }
    });
    let called = module.children.iter();
    let called = called.map(|(name, child)| Branch { text: format!("module.{name}"), below: below(child, Vec::new()) });
    own.chain(tests).chain(called).collect()
}

/// The test files with the runs that test other modules.
fn tests(tested: &Tested) -> Vec<Branch> {
    let run = |file: &TestFile, run: &Run| {
        let module = tested.modules.get(&file.module_path(run))?;
        Some(Branch { text: format!("run.{}", run.name), below: below(module, Vec::new()) })
    };
    let file = |file: &TestFile| {
        let name = file.name.strip_suffix(".tftest.hcl").unwrap_or(&file.name).replace('/', ".");
        Branch { text: format!("test.{name}"), below: file.runs.iter().filter_map(|found| run(file, found)).collect() }
    };
    tested.files.iter().map(file).collect()
}
