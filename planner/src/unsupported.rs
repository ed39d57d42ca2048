//! What the language has and this planner does not do yet is refused: passing over it could lose an object.

use config::module::Module;
use lang::{Diagnostic, Diagnostics, Range};

/// An error for every block that a plan can't honour.
pub(crate) fn refuse(module: &Module) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let mut add = |what: &str, way_out: &str, place: Range| {
        let detail = format!("This version of windlass does not carry out {what}. {way_out}");
        diagnostics.push(Diagnostic::error("Unsupported block", detail).at(place));
    };
    let provisioners = module.resources.values().flat_map(|block| &block.provisioners);
    for provisioner in provisioners.chain(module.removed.iter().flat_map(|removed| &removed.provisioners)) {
        if provisioner.kind != "local-exec" {
            let what = format!("provisioners of type {:?}", provisioner.kind);
            add(&what, "Remove the block, or use `ssh` and `scp` in a `local-exec`.", provisioner.range);
        }
    }
    module.children.values().for_each(|child| diagnostics.append(refuse(child)));
    diagnostics
}
