//! The `windlass` program.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use planner::ProviderRegistry;
use windlass::io::{Environment, Io};
use windlass::remote_states::RemoteStates;

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).collect();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let environment = environment();
    for warning in windlass::logging::start(&environment) {
        eprintln!("{warning}");
    }
    let providers = providers(&environment);
    let code = runtime.block_on(windlass::run(arguments, environment, streams(), providers));
    ExitCode::from(code)
}

/// The providers that are linked in.
fn providers(environment: &Environment) -> ProviderRegistry {
    ProviderRegistry::new([
        Arc::new(provider_utility::Builtin::default().with_states(Arc::new(RemoteStates::new(environment.clone()))))
            as Arc<dyn sdk::Provider>,
        #[cfg(feature = "aws")]
        Arc::new(provider_aws::AwsProvider),
    ])
}

fn environment() -> Environment {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Environment {
        variables: std::env::vars_os().filter_map(text).collect(),
        working_directory: std::env::current_dir().unwrap_or_default(),
        ..Environment::default()
    }
}

fn streams() -> Io {
    Io {
        stdin_is_terminal: std::io::stdin().is_terminal(),
        stdout_is_terminal: std::io::stdout().is_terminal(),
        stdout: Box::new(std::io::stdout()),
        stderr: Box::new(std::io::stderr()),
        stdin: Box::new(std::io::BufReader::new(std::io::stdin())),
        columns: 78,
    }
}
