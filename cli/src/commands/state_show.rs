//! `state show`

use clap::ArgAction;
use lang::addr::ResourceInstance;

use super::Exit;
use crate::json_views::state::object_document;
use crate::providers::RegistrySchemas;
use crate::render::state::render_resource;
use crate::session::Session;

/// Shows the attributes of a resource in the Terraform state.
///
/// This command shows the attributes of a single resource in the Terraform
/// state. The address argument must be used to specify a single resource.
/// You can view the list of available resources with "terraform state list".
#[derive(Debug, clap::Parser)]
pub struct StateShowArgs {
    /// Path to a Terraform state file to use to look up Terraform-managed resources. By default it will use the state "terraform.tfstate" if it exists.
    #[arg(long, value_name = "statefile")]
    pub state: Option<String>,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// The instance.
    pub address: Vec<String>,
}

/// Runs the command.
pub async fn run(session: &Session, args: &StateShowArgs) -> Exit {
    let [address] = args.address.as_slice() else {
        session.ui.eprint("Exactly one argument expected.\n");
        session.ui.print(include_str!("usage/state_show.txt"));
        return Exit::Failure;
    };
    let Ok(address) = address.parse::<ResourceInstance>() else {
        session.ui.eprint(&format!("Error parsing instance address: {address}\n\nThis command requires that the address references one specific instance.\nTo view the available instances, use \"terraform state list\". Please modify \nthe address to reference a specific instance.\n"));
        return Exit::Failure;
    };
    let state = match session.read_state(args.state.as_deref()).await {
        Ok(state) => state,
        Err(diagnostics) => {
            session.show(&diagnostics);
            return Exit::Failure;
        }
    };
    let Some(state) = state else {
        session.ui.eprint("No state file was found!\n\nState management commands require a state file. Run this command\nin a directory where Terraform has been run or use the -state flag\nto point the command to a specific state location.\n");
        return Exit::Failure;
    };
    let found = state.resource(&address.abs_resource()).and_then(|resource| {
        let object = state.current(&address)?;
        Some((resource.provider.source.to_string(), object))
    });
    let Some((provider, object)) = found else {
        session.ui.eprint("No instance found for the given address!\n\nThis command requires that the address references one specific instance.\nTo view the available instances, use \"terraform state list\". Please modify \nthe address to reference a specific instance.\n");
        return Exit::Failure;
    };
    let schemas = RegistrySchemas(&session.providers);
    let document = object_document(&address, &provider, object, None, &schemas);
    session.ui.print(&render_resource(&document, &schemas, session.ui.style));
    Exit::Success
}
