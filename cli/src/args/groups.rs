//! Flags that several commands share.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

/// How state files are found and locked.
#[derive(Clone, Debug, Args)]
pub struct StateArgs {
    /// Don't hold a state lock during the operation. This is dangerous if others might concurrently run commands against the same workspace.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub lock: bool,
    /// Duration to retry a state lock.
    #[arg(long, default_value = "0s", value_name = "0s", value_parser = duration)]
    pub lock_timeout: std::time::Duration,
    /// Path to read and save state, for the local backend only. Defaults to "terraform.tfstate".
    #[arg(long, value_name = "path")]
    pub state: Option<String>,
}

/// Where an apply writes its state.
#[derive(Clone, Debug, Args)]
pub struct StateOutArgs {
    /// Path to write state to that is different than "-state". This can be used to preserve the old state.
    #[arg(long, value_name = "path")]
    pub state_out: Option<String>,
    /// Path to backup the existing state file before modifying. Defaults to the "-state-out" path with ".backup" extension. Set to "-" to disable backup.
    #[arg(long, value_name = "path")]
    pub backup: Option<String>,
}

/// How messages are shown.
#[derive(Clone, Copy, Debug, Args)]
pub struct ViewArgs {
    /// If specified, output won't contain any color.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub no_color: bool,
    /// If there are warnings but no errors, shows them in a more compact form that includes only the summary messages.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub compact_warnings: bool,
}

/// What is planned, and how.
#[derive(Clone, Debug, Args)]
pub struct PlanningArgs {
    /// Select the "destroy" planning mode: remove all objects that the configuration manages.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub destroy: bool,
    /// Select the "refresh only" planning mode: only check whether objects still match the last apply.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub refresh_only: bool,
    /// Skip checking for external changes to objects.
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "false")]
    pub refresh: bool,
    /// Force replacement of a particular resource instance. May be given several times.
    #[arg(long, value_name = "resource", action = ArgAction::Append)]
    pub replace: Vec<String>,
    /// Limit the operation to the given module, resource or resource instance and all of its dependencies. May be given several times.
    #[arg(long, value_name = "resource", action = ArgAction::Append)]
    pub target: Vec<String>,
    /// Leave out the given module, resource or resource instance and all that depends on it. May be given several times, but not together with -target.
    #[arg(long, value_name = "resource", action = ArgAction::Append)]
    pub exclude: Vec<String>,
    /// Leave to the next plan what can't be planned before something else is applied: resources and modules whose "count" or "for_each" is not known yet, and what depends on them.
    #[arg(long, action = ArgAction::Set, default_value_t = false)]
    pub allow_deferral: bool,
    /// Limit the number of concurrent operations.
    #[arg(long, default_value_t = 10, value_name = "n")]
    pub parallelism: usize,
    /// Values of input variables.
    #[command(flatten)]
    pub variables: VariableArgs,
}

impl Default for PlanningArgs {
    fn default() -> PlanningArgs {
        PlanningArgs {
            destroy: false,
            refresh_only: false,
            refresh: true,
            replace: Vec::new(),
            target: Vec::new(),
            exclude: Vec::new(),
            allow_deferral: false,
            parallelism: 10,
            variables: VariableArgs::default(),
        }
    }
}

/// A value for an input variable, or a file of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GivenVariable {
    /// `-var NAME=VALUE`, as written.
    Setting(String),
    /// `-var-file PATH`
    File(String),
}

/// `-var` and `-var-file`. A later one wins over an earlier one of either kind, so they are kept in one list.
#[derive(Clone, Debug, Default)]
pub struct VariableArgs {
    /// In the order of the command line.
    pub given: Vec<GivenVariable>,
}

impl FromArgMatches for VariableArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let of = |name: &str, make: fn(String) -> GivenVariable| -> Vec<(usize, GivenVariable)> {
            let values = matches.get_many::<String>(name).unwrap_or_default().cloned().map(make);
            matches.indices_of(name).unwrap_or_default().zip(values).collect()
        };
        let mut all = of("var", GivenVariable::Setting);
        all.extend(of("var-file", GivenVariable::File));
        all.sort_by_key(|(index, _)| *index);
        Ok(VariableArgs { given: all.into_iter().map(|(_, given)| given).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = VariableArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for VariableArgs {
    fn augment_args(command: Command) -> Command {
        let var = Arg::new("var")
            .long("var")
            .action(ArgAction::Append)
            .value_name("'foo=bar'")
            .help("Set a value for one of the input variables in the root module. May be given several times.");
        let file = Arg::new("var-file").long("var-file").action(ArgAction::Append).value_name("filename").help(
            "Load variable values from the given file, in addition to terraform.tfvars and *.auto.tfvars. May be given several times.",
        );
        command.arg(var).arg(file)
    }

    fn augment_args_for_update(command: Command) -> Command {
        VariableArgs::augment_args(command)
    }
}

/// A duration in Go's notation: `0s`, `1m30s`, `500ms`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    if text == "0" {
        return Ok(std::time::Duration::ZERO);
    }
    let invalid = || format!("invalid duration {text:?}");
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
        let (number, tail) = rest.split_at(digits);
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let factor = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(invalid()),
        };
        seconds += number.parse::<f64>().map_err(|_| invalid())? * factor;
        rest = tail;
    }
    if text.is_empty() {
        return Err(invalid());
    }
    std::time::Duration::try_from_secs_f64(seconds).map_err(|_| invalid())
}
