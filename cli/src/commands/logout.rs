//! `logout`

use clap::ArgAction;
use lang::{Diagnostic, Diagnostics};

use super::{Exit, login};
use crate::cli_config::CliConfig;
use crate::credentials::{Location, TokenStore};
use crate::session::Session;

/// Removes locally-stored credentials for the given hostname (app.terraform.io unless given). The API token is only removed from
/// local storage, not destroyed on the remote server, so it will remain valid until manually revoked.
#[derive(Debug, clap::Parser)]
pub struct LogoutArgs {
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The host.
    pub host: Vec<String>,
}

/// Runs the command.
pub fn run(session: &Session, args: &LogoutArgs) -> Exit {
    if args.host.len() > 1 {
        let message = "The logout command expects at most one argument: the host to log out of.";
        return super::misused::<LogoutArgs>(session, "logout [hostname]", message, super::HelpGoes::ToStderr);
    }
    match logout(session, args) {
        Ok(()) => Exit::Success,
        Err(diagnostics) => {
            session.show(&diagnostics);
            Exit::Failure
        }
    }
}

fn logout(session: &Session, args: &LogoutArgs) -> Result<(), Diagnostics> {
    let host = login::host(&args.host)?;
    let config = CliConfig::load(&session.environment);
    let store = TokenStore::new(&session.environment, &config);
    let ui = &session.ui;
    match store.location(&host) {
        Location::ByHand => {
            let detail = "The \"terraform logout\" command cannot log out because credentials for this host are manually \
                          configured in a CLI configuration file.\n\nTo log out, revoke the existing credentials and remove \
                          that block from the CLI configuration.";
            let summary = format!("Credentials for {host} are manually configured");
            return Err(Diagnostic::error(summary, detail).into());
        }
        Location::Nowhere => {
            ui.print(&format!("No credentials for {host} are stored.\n\n"));
            return Ok(());
        }
        Location::Helper => {
            let helper = store.helper().unwrap_or_default();
            ui.print(&format!(
                "Removing the stored credentials for {host} from the configured\n{helper:?} credentials helper.\n\n"
            ));
        }
        Location::File => {
            let file = store.file().map(|file| file.display().to_string()).unwrap_or_default();
            ui.print(&format!("Removing the stored credentials for {host} from the following file:\n    {file}\n\n"));
        }
    }
    store.forget(&host).map_err(|why| {
        Diagnostic::error("Failed to remove API token", format!("Unable to remove stored API token: {why}"))
    })?;
    let style = ui.style;
    let done = format!("Terraform has removed the stored API token for {host}.");
    ui.print(&format!("{} {}\n\n", style.bold_green("Success!"), style.bold(&done)));
    Ok(())
}
