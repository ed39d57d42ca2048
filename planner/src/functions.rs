//! The functions that expressions of a configuration may call.

use config::module::Module;
use lang::functions::{CallContext, Functions};

use crate::ProviderRegistry;

/// The table of a module: the language's functions, and those of the providers that it requires under the names that it has
/// for them.
pub(crate) fn table(module: &Module, providers: &ProviderRegistry, context: CallContext) -> Functions {
    let mut functions = lang::functions::table(context);
    for (name, required) in &module.required_providers {
        let provided = providers.get(&required.source).map(|provider| provider.functions());
        provided.into_iter().flatten().for_each(|function| functions.provide(name, function));
    }
    functions
}
