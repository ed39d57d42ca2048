//! Variable files: `terraform.tfvars`, `*.auto.tfvars`, `-var-file`, and the same in JSON.

use std::path::Path;

use lang::ast::{Attribute, Body};
use lang::{Diagnostic, Diagnostics, Sources};

use crate::loader::parse_named_file;
use crate::reader::constant;

/// Reads a variable file from `dir`. Diagnostics name it by `file`; names that end in `.json` are read as JSON.
///
/// Values may not use references or functions, which is said here; whether the variables are declared is the caller's
/// question.
pub fn parse_tfvars(sources: &Sources, dir: &Path, file: &Path) -> (Vec<Attribute>, Diagnostics) {
    let Ok(bytes) = std::fs::read(dir.join(file)) else {
        let detail = format!("Given variables file {} does not exist.", file.display());
        return (Vec::new(), Diagnostic::error("Failed to read variables file", detail).into());
    };
    parse_tfvars_text(sources, file, bytes)
}

/// Reads the text of a variable file.
pub fn parse_tfvars_text(sources: &Sources, file: &Path, text: Vec<u8>) -> (Vec<Attribute>, Diagnostics) {
    let (body, _, mut diagnostics) = parse_named_file(sources, file, text);
    if diagnostics.has_errors() {
        return (Vec::new(), diagnostics);
    }
    // A declaration is a common mistake that deserves better than what is said of blocks in general.
    let blocks = if let Body::Native(native) = &body { native.blocks.as_slice() } else { &[] };
    for block in blocks.iter().filter(|block| block.kind == "variable") {
        let Some(name) = block.labels.first().map(|label| &label.text) else { continue };
        let detail = format!(
            "A .tfvars file is used to assign values to variables that have already been declared in .tf files, not to \
             declare new variables. To declare variable {name:?}, place this block in one of your .tf files, such as \
             variables.tf.\n\nTo set a value for this variable in {}, use the definition syntax instead:\n    {name} = \
             <value>",
            file.display()
        );
        diagnostics.push(Diagnostic::error("Variable declaration in .tfvars file", detail).at(block.kind_range));
    }
    if diagnostics.has_errors() {
        return (Vec::new(), diagnostics);
    }
    let (attributes, problems) = body.just_attributes();
    diagnostics.append(problems);
    for attribute in &attributes {
        constant(&attribute.expr, &mut diagnostics);
    }
    (attributes, diagnostics)
}
