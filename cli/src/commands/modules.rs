//! `modules`

use clap::ArgAction;
use config::ModuleManifest;
use config::loader::manifest_path;
use config::module::Module;
use serde_json::{Value as Json, json};

use super::Exit;
use crate::session::Session;

/// Prints out a list of all declared Terraform modules and their resolved versions in a Terraform working directory.
#[derive(Debug, clap::Parser)]
pub struct ModulesArgs {
    /// If specified, output declared Terraform modules and their resolved versions in a machine-readable format.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub json: bool,
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// None.
    pub arguments: Vec<String>,
}

/// Runs the command.
pub fn run(session: &Session, args: &ModulesArgs) -> Exit {
    if !args.arguments.is_empty() {
        session.ui.error("Too many command line arguments", "Expected no positional arguments");
        session.ui.eprint("\nFor more help on using this command, run:\n  terraform modules -help\n");
        return Exit::Failure;
    }
    let (workspace, diagnostics) = session.load(false);
    let Some(workspace) = workspace.filter(|_| !diagnostics.has_errors()) else {
        session.show(&diagnostics);
        return Exit::Failure;
    };
    let manifest = ModuleManifest::read(&manifest_path(&session.environment.data_dir())).unwrap_or_default();
    let root = Listed { module: &workspace.config, manifest: &manifest };
    if args.json {
        let mut all = Vec::new();
        root.flatten(&mut all);
        // An empty list is none, as in Terraform's document.
        let modules = if all.is_empty() { Json::Null } else { Json::Array(all) };
        session.ui.print(&format!("{}\n", json!({"format_version": "1.0", "modules": modules})));
    } else if workspace.config.calls.is_empty() {
        session.ui.print("No modules found in configuration.\n");
    } else {
        let mut text = "\nModules declared by configuration:\n.\n".to_owned();
        root.tree("", &mut text);
        session.ui.print(&format!("{text}\n"));
    }
    Exit::Success
}

/// A module whose calls are listed.
struct Listed<'a> {
    module: &'a Module,
    manifest: &'a ModuleManifest,
}

impl<'a> Listed<'a> {
    fn child(&self, name: &str) -> Option<Listed<'a>> {
        let module = self.module.children.get(name)?;
        Some(Listed { module, manifest: self.manifest })
    }

    /// The source and the version that is installed for a call.
    fn installed(&self, name: &str) -> (&'a str, Option<&'a str>) {
        let record = self.manifest.get(&self.module.path.child(name));
        record.map_or(("", None), |record| (record.source.as_str(), record.version.as_deref()))
    }

    fn flatten(&self, all: &mut Vec<Json>) {
        for name in self.module.calls.keys() {
            let (source, version) = self.installed(name);
            all.push(json!({"key": name.as_str(), "source": source, "version": version.unwrap_or_default()}));
            if let Some(child) = self.child(name) {
                child.flatten(all);
            }
        }
    }

    fn tree(&self, margin: &str, text: &mut String) {
        let last = self.module.calls.len().saturating_sub(1);
        for (index, (name, call)) in self.module.calls.iter().enumerate() {
            let (head, below) = if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let (source, version) = self.installed(name);
            let version = version.map(|version| format!(" {version}")).unwrap_or_default();
            let wanted = call.version.as_ref().map(|wanted| format!(" ({})", wanted.value)).unwrap_or_default();
            text.push_str(&format!("{margin}{head}\"{name}\"[{source}]{version}{wanted}\n"));
            if let Some(child) = self.child(name) {
                child.tree(&format!("{margin}{below}"), text);
            }
        }
    }
}
