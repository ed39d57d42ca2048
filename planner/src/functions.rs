//! The functions that expressions of a configuration may call.

use config::module::Module;
use lang::addr::ProviderSource;
use lang::functions::{CallContext, Functions, terraform};

/// The table of a module: the language's functions, and those of the built-in provider under the names that the module has
/// for it.
pub(crate) fn table(module: &Module, context: CallContext) -> Functions {
    let mut functions = lang::functions::table(context);
    let builtin = ProviderSource::builtin();
    for (name, _) in module.required_providers.iter().filter(|(_, required)| required.source == builtin) {
        terraform::functions().into_iter().for_each(|function| functions.provide(name, function));
    }
    functions
}
