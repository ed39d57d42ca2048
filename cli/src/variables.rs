//! Values of root input variables: from the environment, from files, from the command line, from answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::module::Module;
use config::tfvars::parse_tfvars;
use lang::quoting::go_quote;
use lang::{Diagnostic, Diagnostics, Range, Str};
use planner::{GivenVariable, VariableValue};
use testing::Globals;

use crate::args::groups::GivenVariable as Flag;
use crate::session::Session;

/// Collects values in Terraform's order, in which a later one wins: `TF_VAR_name`, `terraform.tfvars`,
/// `terraform.tfvars.json`, `*.auto.tfvars` and `*.auto.tfvars.json` by name, then the flags from left to right.
pub fn collect(session: &Session, module: &Module, flags: &[Flag]) -> (BTreeMap<Str, GivenVariable>, Diagnostics) {
    let (given, undeclared, diagnostics) = Default::default();
    let mut collected = Collected { declared: Some(module), given, undeclared, diagnostics };
    collected.environment(session);
    for file in automatic_files(Path::new("")) {
        collected.file(session, &file, true);
    }
    collected.flags(session, flags);
    collected.report_undeclared();
    (collected.given, collected.diagnostics)
}

/// Collects what is given to test files, which may name what no module declares: for all of them, and for those in a directory.
pub fn collect_for_tests(session: &Session, flags: &[Flag], directory: &str) -> (Globals, Diagnostics) {
    let new = || Collected {
        declared: None,
        given: BTreeMap::new(),
        undeclared: Vec::new(),
        diagnostics: Diagnostics::new(),
    };
    let mut everywhere = new();
    everywhere.environment(session);
    for file in automatic_files(Path::new("")) {
        everywhere.file(session, &file, true);
    }
    everywhere.flags(session, flags);
    let mut inside = new();
    for file in automatic_files(Path::new(directory)) {
        inside.file(session, &file, true);
    }
    let mut diagnostics = everywhere.diagnostics;
    diagnostics.append(inside.diagnostics);
    let directory = PathBuf::from(directory);
    (Globals { everywhere: everywhere.given, in_directory: inside.given, directory }, diagnostics)
}

/// The variables files of a directory that are read without being asked for.
fn automatic_files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        ["terraform.tfvars", "terraform.tfvars.json"].into_iter().map(|name| directory.join(name)).collect();
    files.retain(|file| file.exists());
    let listed = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut auto: Vec<PathBuf> = std::fs::read_dir(listed)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| directory.join(entry.file_name()))
        .filter(|name| {
            let name = name.to_string_lossy();
            name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json")
        })
        .collect();
    auto.sort();
    files.extend(auto);
    files
}

struct Collected<'m> {
    /// The module whose variables they are; none: whatever is given is kept.
    declared: Option<&'m Module>,
    given: BTreeMap<Str, GivenVariable>,
    /// Names, and the files that set them.
    undeclared: Vec<(Str, String)>,
    diagnostics: Diagnostics,
}

impl Collected<'_> {
    fn is_declared(&self, name: &str) -> bool {
        self.declared.is_none_or(|module| module.variables.contains_key(name))
    }

    fn environment(&mut self, session: &Session) {
        for (name, value) in &session.environment.variables {
            if let Some(name) = name.strip_prefix("TF_VAR_")
                && self.is_declared(name)
            {
                let origin = format!("using the TF_VAR_{name} environment variable");
                let value = VariableValue::Text(value.clone());
                self.given.insert(name.into(), GivenVariable { value, origin, range: Range::NONE, automatic: true });
            }
        }
    }

    fn flags(&mut self, session: &Session, flags: &[Flag]) {
        for flag in flags {
            match flag {
                Flag::File(file) => self.file(session, Path::new(file), false),
                Flag::Setting(setting) => self.setting(setting),
            }
        }
    }

    fn file(&mut self, session: &Session, file: &Path, automatic: bool) {
        let (attributes, diagnostics) = parse_tfvars(&session.sources, Path::new(""), file);
        self.diagnostics.append(diagnostics);
        for attribute in attributes {
            if !self.is_declared(&attribute.name) {
                self.undeclared.push((attribute.name, file.display().to_string()));
                continue;
            }
            let range = attribute.expr.range;
            let value = VariableValue::Expr(attribute.expr);
            self.given.insert(
                attribute.name,
                GivenVariable { value, origin: format!("in {}", file.display()), range, automatic },
            );
        }
    }

    fn setting(&mut self, setting: &str) {
        let Some((name, value)) = setting.split_once('=') else {
            let detail = format!(
                "The given -var option {setting:?} is not correctly specified. Must be a variable name and value separated \
                 by an equals sign, like -var=\"key=value\"."
            );
            self.diagnostics.push(Diagnostic::error("Invalid -var option", detail));
            return;
        };
        if let trimmed = name.trim_end()
            && trimmed.len() < name.len()
        {
            let detail = format!(
                "Variable name {} is invalid due to trailing space. Did you mean -var=\"{trimmed}={}\"?",
                go_quote(name),
                value.trim_start()
            );
            self.diagnostics.push(Diagnostic::error("Invalid -var option", detail));
            return;
        }
        if !self.is_declared(name) {
            let detail = format!(
                "A variable named \"{name}\" was assigned on the command line, but the root module does not declare a \
                 variable of that name. To use this value, add a \"variable\" block to the configuration."
            );
            self.diagnostics.push(Diagnostic::error("Value for undeclared variable", detail));
            return;
        }
        let value = VariableValue::Text(value.to_owned());
        self.given.insert(
            name.into(),
            GivenVariable { value, origin: format!("using -var=\"{name}=...\""), range: Range::NONE, automatic: false },
        );
    }

    /// Values of files for variables that don't exist are only warned about: files are shared between configurations.
    fn report_undeclared(&mut self) {
        let total = self.undeclared.len();
        for (name, file) in self.undeclared.drain(..).take(2) {
            let detail = format!(
                "The root module does not declare a variable named \"{name}\" but a value was found in file {}. If you meant \
                 to use this value, add a \"variable\" block to the configuration.\n\nTo silence these warnings, use TF_VAR_... \
                 environment variables to provide certain \"global\" settings to all configurations in your organization. \
                 To reduce the verbosity of these warnings, use the -compact-warnings option.",
                go_quote(&file)
            );
            self.diagnostics.push(Diagnostic::warning("Value for undeclared variable", detail));
        }
        if total > 2 {
            let detail = format!(
                "In addition to the other similar warnings shown, {} other variable(s) defined without being declared.",
                total - 2
            );
            self.diagnostics.push(Diagnostic::warning("Values for undeclared variables", detail));
        }
    }
}

/// Asks for the variables that have neither value nor default.
pub fn ask(session: &Session, module: &Module, given: &mut BTreeMap<Str, GivenVariable>) {
    for (name, variable) in &module.variables {
        if given.contains_key(name) || variable.default.is_some() {
            continue;
        }
        let style = session.ui.style;
        session.ui.print(&style.bold(&format!("var.{name}")));
        session.ui.print("\n");
        if let Some(description) = &variable.description {
            session.ui.print(&format!("  {description}\n\n"));
        }
        session.ui.print(&format!("  {} ", style.bold("Enter a value:")));
        let Some(answer) = session.ui.read_line() else { return };
        session.ui.print("\n");
        let value = VariableValue::Text(answer);
        given.insert(
            name.clone(),
            GivenVariable {
                value,
                origin: "using an interactive prompt".to_owned(),
                range: Range::NONE,
                automatic: false,
            },
        );
    }
}
