//! The functions that expressions of a configuration may call.

use lang::addr::ProviderSource;
use lang::functions::{CallContext, Functions, terraform};

use crate::workspace::Workspace;

/// The table of a run: the language's functions, and those of the built-in provider under its local names.
pub(crate) fn table(workspace: &Workspace, context: CallContext) -> Functions {
    let mut functions = lang::functions::table(context);
    let builtin = ProviderSource::builtin();
    for module in workspace.config.tree() {
        let own = module.required_providers.iter().filter(|(_, required)| required.source == builtin);
        for (name, _) in own {
            terraform::functions().into_iter().for_each(|function| functions.provide(name, function));
        }
    }
    functions
}
