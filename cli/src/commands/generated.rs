//! `plan -generate-config-out`: configuration for what is imported without any.

use std::io::Write;
use std::path::Path;

use lang::{Diagnostic, Diagnostics};
use planner::plan::{GeneratedConfig, PlanMode};

use super::operation::Prepared;
use crate::render::wrap::word_wrap;

const HEADER: &str = "# __generated__ by Terraform\n# Please review these resources and move them into your main configuration \
                      files.\n";

/// Has the plan generate configuration for a new file.
///
/// # Errors
/// The file is there already, or the plan is none that imports.
pub fn prepare(mut prepared: Prepared, path: Option<&str>) -> Result<Prepared, Diagnostics> {
    let Some(path) = path else { return Ok(prepared) };
    if prepared.options.mode != PlanMode::Normal {
        let detail = "Config can only be generated during a normal plan operation, and not during a refresh-only or destroy \
                      plan.";
        return Err(Diagnostic::error("Invalid generate-config-out flag", detail).into());
    }
    if Path::new(path).exists() {
        let detail = "Terraform can only write generated config into a new file. Either choose a different target location \
                      or move all existing configuration out of the target file, delete it and try again.";
        return Err(Diagnostic::error("Target generated file already exists", detail).into());
    }
    prepared.options.generate_config = Some(path.into());
    Ok(prepared)
}

/// Writes the file. Whether there was anything to write.
///
/// # Errors
/// The file can't be created or written.
pub fn write(path: &str, generated: &[GeneratedConfig]) -> Result<bool, Diagnostic> {
    if generated.is_empty() {
        return Ok(false);
    }
    let failed = |error: std::io::Error| {
        let reason = crate::io::reason(&error);
        let detail = format!(
            "Terraform could not create the generated file ({path}) in the target directory: open {path}: {reason}. \
             Depending on the error message, this may be a bug in Terraform itself. If so, please report it!"
        );
        Diagnostic::error("Failed to create target generated file", detail)
    };
    let mut text = HEADER.to_owned();
    for resource in generated {
        let origin = resource.id.as_deref().map(|id| format!(" from {}", lang::addr::quote(id))).unwrap_or_default();
        text.push_str(&format!("\n# __generated__ by Terraform{origin}\n{}\n", resource.text));
    }
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(true)
}

/// The warning of every plan that may generate.
pub fn experimental() -> Diagnostic {
    let detail = "Generating configuration during import is currently experimental, and the generated configuration format \
                  may change in future versions.";
    Diagnostic::warning("Config generation is experimental", detail)
}

/// What is told when there is a new file.
pub fn written(path: &str, width: usize) -> String {
    let text = format!(
        "Terraform has generated configuration and written it to {path}. Please review the configuration and edit it as \
         necessary before adding it to version control."
    );
    word_wrap(&text, width)
}
