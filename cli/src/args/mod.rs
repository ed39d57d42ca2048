//! Command lines as Terraform writes them.
//!
//! Terraform's flags have one dash, `-flag=value` or `-flag value`, and end at the first argument that is none. clap knows no
//! such flags, so every command line is first brought into clap's form by what clap itself knows of the command.

pub mod groups;
pub mod help;
pub mod words;

use std::any::TypeId;

/// A command line that can't be read; the texts are those of Go's flag package.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No such flag.
    #[error("flag provided but not defined: -{0}")]
    Undefined(String),
    /// A flag at the end without the value that it needs.
    #[error("flag needs an argument: -{0}")]
    MissingValue(String),
    /// A bool flag with another value.
    #[error("invalid boolean value {value:?} for -{flag}: parse error")]
    InvalidBool {
        /// The flag.
        flag: String,
        /// What was given.
        value: String,
    },
    /// A value that the flag does not take.
    #[error("invalid value {value:?} for flag -{flag}: {reason}")]
    InvalidValue {
        /// The flag.
        flag: String,
        /// What was given.
        value: String,
        /// Why not.
        reason: String,
    },
    /// `-`, `-=x` and their like.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
    /// An argument to a command that takes none.
    #[error("too many arguments")]
    UnexpectedArgument,
    /// `-help`
    #[error("help requested")]
    Help,
}

/// Reads the arguments of a command, flags and the rest.
pub fn parse<T: clap::Parser>(arguments: &[String]) -> Result<T, FlagError> {
    let command = T::command();
    let normal = normalise(&command, arguments)?;
    let matches = T::command().no_binary_name(true).try_get_matches_from(&normal).map_err(|error| convert(&error))?;
    T::from_arg_matches(&matches).map_err(|error| convert(&error))
}

fn convert(error: &clap::Error) -> FlagError {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    if error.kind() == ErrorKind::UnknownArgument {
        return FlagError::UnexpectedArgument;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let flag = text(ContextKind::InvalidArg);
    let flag = flag.trim_start_matches('-').split([' ', '=']).next().unwrap_or_default().to_owned();
    FlagError::InvalidValue { flag, value: text(ContextKind::InvalidValue), reason: "parse error".to_owned() }
}

/// Brings flags into the form `--flag=value`; `--` separates them from the rest.
fn normalise(command: &clap::Command, arguments: &[String]) -> Result<Vec<String>, FlagError> {
    let mut normal = Vec::with_capacity(arguments.len() + 1);
    let mut rest = arguments.iter();
    let mut positional = Vec::new();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            break;
        }
        let Some(flag) = argument.strip_prefix('-').filter(|f| !f.is_empty()) else {
            positional.push(argument.clone());
            break;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned())));
        if name.is_empty() || name.starts_with('-') {
            return Err(FlagError::Syntax(argument.clone()));
        }
        if matches!(name, "help" | "h") {
            return Err(FlagError::Help);
        }
        let Some(known) = command.get_arguments().find(|a| a.get_long() == Some(name)) else {
            return Err(FlagError::Undefined(name.to_owned()));
        };
        let is_bool = known.get_value_parser().type_id() == TypeId::of::<bool>();
        let value = match value {
            Some(value) if is_bool => bool_value(name, &value)?.to_string(),
            Some(value) => value,
            None if is_bool => "true".to_owned(),
            None => rest.next().cloned().ok_or_else(|| FlagError::MissingValue(name.to_owned()))?,
        };
        normal.push(format!("--{name}={value}"));
    }
    normal.push("--".to_owned());
    normal.append(&mut positional);
    normal.extend(rest.cloned());
    Ok(normal)
}

fn bool_value(flag: &str, value: &str) -> Result<bool, FlagError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(FlagError::InvalidBool { flag: flag.to_owned(), value: value.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Sample {
        #[arg(long, action = ArgAction::Set, default_value_t = true)]
        refresh: bool,
        #[arg(long, action = ArgAction::Set, default_value_t = 10)]
        parallelism: usize,
        #[arg(long)]
        out: Option<String>,
        #[command(flatten)]
        variables: groups::VariableArgs,
        rest: Vec<String>,
    }

    fn read(line: &[&str]) -> Result<Sample, FlagError> {
        let line: Vec<String> = line.iter().map(|a| (*a).to_owned()).collect();
        parse(&line)
    }

    #[test]
    fn one_dash_two_dashes_with_and_without_equals_sign() {
        let sample = read(&["-out=a", "-refresh=false", "--parallelism", "3", "file", "-out=b"]).unwrap();
        assert_eq!(sample.out.as_deref(), Some("a"));
        assert!(!sample.refresh);
        assert_eq!(sample.parallelism, 3);
        assert_eq!(sample.rest, ["file", "-out=b"]);
        assert!(read(&["-refresh"]).unwrap().refresh);
    }

    #[test]
    fn order_of_variables_and_files_is_kept() {
        use groups::GivenVariable::{File, Setting};
        let sample = read(&["-var", "a=1=2", "-var-file=x.tfvars", "-var=b= "]).unwrap();
        let expected = [Setting("a=1=2".into()), File("x.tfvars".into()), Setting("b= ".into())];
        assert_eq!(sample.variables.given, expected);
    }

    #[test]
    fn mistakes_are_told_as_go_tells_them() {
        let message = |line: &[&str]| read(line).unwrap_err().to_string();
        assert_eq!(message(&["-nope"]), "flag provided but not defined: -nope");
        assert_eq!(message(&["-out"]), "flag needs an argument: -out");
        assert_eq!(message(&["-refresh=x"]), "invalid boolean value \"x\" for -refresh: parse error");
        assert_eq!(message(&["-parallelism=x"]), "invalid value \"x\" for flag -parallelism: parse error");
        assert_eq!(read(&["-h"]).unwrap_err(), FlagError::Help);
    }
}
