//! Help texts, made from what clap knows of a command.

use crate::render::wrap::word_wrap;

/// The help of a command: usage, description, options.
pub fn render(command: &clap::Command, usage: &str) -> String {
    let mut out = format!("Usage: terraform [global options] {usage}\n");
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        out.push('\n');
        for line in word_wrap(&about.to_string(), 78).lines() {
            out.push_str(&if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") });
        }
    }
    let options: Vec<(String, String)> = command.get_arguments().filter_map(option).collect();
    if options.is_empty() {
        return out;
    }
    out.push_str("\nOptions:\n");
    let width = options.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, help) in &options {
        let margin = " ".repeat(width + 4);
        let text = word_wrap(help, 78usize.saturating_sub(width + 4)).replace('\n', &format!("\n{margin}"));
        out.push_str(&format!("\n  {name:width$}  {text}\n"));
    }
    out
}

fn option(argument: &clap::Arg) -> Option<(String, String)> {
    let long = argument.get_long()?;
    let is_bool = argument.get_value_parser().type_id() == std::any::TypeId::of::<bool>();
    let value = argument.get_value_names().and_then(|names| names.first()).map(|n| n.to_string());
    let name = match value {
        Some(value) if value.starts_with('\'') => format!("-{long} {value}"),
        Some(value) if !is_bool || value == "false" => format!("-{long}={value}"),
        _ => format!("-{long}"),
    };
    Some((name, argument.get_help().map(ToString::to_string).unwrap_or_default()))
}
