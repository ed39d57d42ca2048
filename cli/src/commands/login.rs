//! `login`

use clap::ArgAction;
use lang::{Diagnostic, Diagnostics};
use serde_json::Value as Json;

use super::Exit;
use crate::cli_config::CliConfig;
use crate::credentials::{Location, TokenStore};
use crate::session::{Session, chain};

/// The host that is meant where none is named.
const DEFAULT_HOST: &str = "app.terraform.io";

const RULE: &str = "\n---------------------------------------------------------------------------------\n\n";

/// Retrieves an authentication token for the given hostname (app.terraform.io unless given) and saves it in a credentials file
/// in your home directory, or with the credentials helper of the CLI configuration. The token is made in a browser and read
/// from standard input.
#[derive(Debug, clap::Parser)]
pub struct LoginArgs {
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The host.
    pub host: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &LoginArgs) -> Exit {
    if args.host.len() > 1 {
        let message = "The login command expects at most one argument: the host to log in to.";
        return super::misused::<LoginArgs>(session, "login [hostname]", message, super::HelpGoes::ToStderr);
    }
    match login(session, args).await {
        Ok(()) => Exit::Success,
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

/// The host that a command line names, in its normal form.
pub fn host(given: &[String]) -> Result<String, Diagnostic> {
    let given = given.first().map(String::as_str).unwrap_or(DEFAULT_HOST);
    config::provider_source::host_name(given).ok_or_else(|| {
        let detail =
            format!("The given hostname {given:?} is not valid: it must be a host name, with a port if need be.");
        Diagnostic::error("Invalid hostname", detail)
    })
}

async fn login(session: &Session, args: &LoginArgs) -> Result<(), Diagnostics> {
    if session.environment.input_disabled() {
        let detail = "The \"terraform login\" command uses interactive prompts to obtain and record credentials, so it can't be \
                      run with input disabled.\n\nTo configure credentials in a non-interactive context, write existing \
                      credentials directly to a CLI configuration file.";
        return Err(Diagnostic::error("Login is an interactive command", detail).into());
    }
    let host = host(&args.host)?;
    let fetcher = crate::downloads::fetcher(&session.environment);
    let discovered = fetcher.service(&host, "tfe.v2").await;
    let service = discovered.map_err(|error| {
        Diagnostic::error(format!("Service discovery failed for {host}"), format!("{}.", chain(&error)))
    })?;
    let config = CliConfig::load(&session.environment);
    let store = TokenStore::new(&session.environment, &config);
    let location = store.location(&host);
    let mut problems = Diagnostics::new();
    if service.is_none() {
        let detail = format!("The given hostname {host:?} does not support creating Terraform authorization tokens.");
        problems.push(Diagnostic::error("Host does not support Terraform tokens API", detail));
    }
    if location == Location::ByHand {
        let detail = "The \"terraform login\" command cannot log in because credentials for this host are already configured in a \
                      CLI configuration file.\n\nTo log in, first revoke the existing credentials and remove that block from \
                      the CLI configuration.";
        problems.push(Diagnostic::error(format!("Credentials for {host} are manually configured"), detail));
    }
    let Some(service) = service.filter(|_| !problems.has_errors()) else { return Err(problems) };
    let file = store.file().map(|file| file.display().to_string()).unwrap_or_default();
    let ui = &session.ui;
    let style = ui.style;
    ui.print(&format!("Terraform will request an API token for {host} using your browser.\n\n"));
    ui.print(&match (location, store.helper()) {
        (Location::Helper, Some(helper)) => format!(
            "If login is successful, Terraform will store the token in the configured\n{helper:?} credentials helper for use by \
             subsequent commands.\n\n"
        ),
        _ => format!(
            "If login is successful, Terraform will store the token in plain text in\nthe following file for use by \
             subsequent commands:\n    {file}\n\n"
        ),
    });
    let question = style.bold("Do you want to proceed?");
    let enter = style.bold("Enter a value:");
    ui.print(&format!("{question}\n  Only 'yes' will be accepted to confirm.\n\n  {enter} "));
    let answer = ui.read_line().unwrap_or_default();
    if !answer.trim().eq_ignore_ascii_case("yes") {
        return Err(Diagnostic::error("Login cancelled", "").into());
    }
    let page = service.host_str().unwrap_or(&host).to_owned();
    ui.print(&format!(
        "\n{RULE}Open the following URL to access the tokens page for {host}:\n    \
         https://{page}/app/settings/tokens?source=terraform-login\n\n{RULE}Generate a token using your browser, and copy-paste \
         it into this prompt.\n\n"
    ));
    ui.print(&match (location, store.helper()) {
        (Location::Helper, Some(helper)) => format!(
            "Terraform will store the token in the configured {helper:?} credentials helper\nfor use by subsequent commands.\n\n"
        ),
        _ => format!(
            "Terraform will store the token in plain text in the following file\nfor use by subsequent commands:\n    {file}\n\n"
        ),
    });
    ui.print(&format!("{}\n", style.bold(&format!("Token for {host}:"))));
    let token = crate::secret_input::ask(ui, &format!("  {enter} ")).unwrap_or_default();
    let token = token.trim();
    let user = user(&fetcher, &service, token).await?;
    ui.print(&format!("\n\nRetrieved token for user {}\n\n", style.bold(&user)));
    store.store(&host, token).map_err(|why| {
        let detail = format!("The given host returned an API token, but Terraform failed to save it: {why}.");
        Diagnostic::error("Failed to save API token", detail)
    })?;
    let place = match host.as_str() {
        DEFAULT_HOST => "Logged in to HCP Terraform".to_owned(),
        host => format!("Logged in to Terraform Enterprise ({host})"),
    };
    ui.print(&format!("{RULE}{} {}\n\n", style.bold_green("Success!"), style.bold(&place)));
    Ok(())
}

/// The user whom a token belongs to.
async fn user(fetcher: &fetch::Fetcher, service: &net::Url, token: &str) -> Result<String, Diagnostic> {
    let failed = |why: String| Diagnostic::error(format!("Failed to retrieve user account details: {why}"), "");
    let mut base = service.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", service.path()));
    }
    let url = base.join("account/details").map_err(|error| failed(error.to_string()))?;
    let (status, body) = fetcher.ask_with_token(url, token).await.map_err(|error| failed(chain(&error)))?;
    match status {
        200 => {}
        401 => return Err(Diagnostic::error("Token is invalid: unauthorized", "")),
        status => return Err(failed(net::NetError::status_text(status))),
    }
    let document: Json =
        serde_json::from_slice(&body).map_err(|_| failed("the answer is not valid JSON".to_owned()))?;
    let name = document.pointer("/data/attributes/username").and_then(Json::as_str);
    name.map(str::to_owned).ok_or_else(|| failed("the answer names no user".to_owned()))
}
