//! `version`

use clap::ArgAction;

use super::Exit;
use crate::ui::Ui;

/// Displays the version of Terraform that this program stands for, and of the providers in it.
#[derive(Debug, clap::Parser)]
pub struct VersionArgs {
    /// Output the version information as a JSON object.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// Accepted and ignored.
    pub rest: Vec<String>,
}

/// Runs the command.
pub fn run(ui: &Ui, args: &VersionArgs) -> Exit {
    let version = state::model::TERRAFORM_VERSION;
    let platform = platform();
    if args.json {
        let document = serde_json::json!({
            "terraform_version": version,
            "platform": platform,
            "provider_selections": {},
            "terraform_outdated": false,
        });
        ui.print(&format!("{document:#}\n"));
    } else {
        let own = env!("CARGO_PKG_VERSION");
        ui.print(&format!("Terraform v{version}\non {platform}\n+ windlass v{own}\n"));
    }
    Exit::Success
}

/// This platform as provider packages name it: `linux_amd64`.
pub fn platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}_{arch}")
}
