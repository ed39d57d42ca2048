//! Write-only arguments: a provider sees them in the configuration; plan and state never hold them.

use lang::values::{Marks, Path};
use lang::{Str, Value};
use sdk::Block;

fn names(block: &Block) -> impl Iterator<Item = &Str> {
    block.attributes.iter().filter(|(_, attribute)| attribute.write_only).map(|(name, _)| name)
}

/// An object without its write-only arguments: they are null.
pub(crate) fn without(object: Value, block: &Block) -> Value {
    let Some(entries) = object.entries().filter(|_| names(block).next().is_some()) else { return object };
    let mut entries = entries.clone();
    for name in names(block) {
        if let Some(slot) = entries.get_mut(name) {
            *slot = Value::null(slot.ty());
        }
    }
    Value::object(entries).with_marks(object.marks)
}

/// The marks of what is stored.
pub(crate) fn stored_marks(mut marks: Vec<(Path, Marks)>, block: &Block) -> Vec<(Path, Marks)> {
    marks.retain(|(path, _)| !covers(block, path));
    marks
}

/// Whether a path lies in a write-only argument.
pub(crate) fn covers(block: &Block, path: &Path) -> bool {
    let attribute = path.0.first().and_then(|step| step.name()).and_then(|name| block.attributes.get(name));
    attribute.is_some_and(|attribute| attribute.write_only)
}
