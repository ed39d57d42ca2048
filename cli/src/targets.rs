//! Addresses that users give: `-target`, `-replace`, arguments of the state commands.

use lang::addr::ResourceInstance;
use lang::{Diagnostic, Diagnostics, Sources};
use planner::Target;

/// Reads a module, resource or instance address.
pub fn parse(text: &str) -> Result<Target, Diagnostics> {
    match text.parse::<lang::addr_parse::Target>() {
        Ok(lang::addr_parse::Target::Module(module)) => Ok(Target::Module(module)),
        Ok(lang::addr_parse::Target::Resource(resource)) => Ok(Target::Resource(resource.module, resource.resource)),
        Ok(lang::addr_parse::Target::Instance(instance)) => Ok(Target::Instance(instance)),
        Err(error) => {
            // Where it is no traversal at all, the language's own message tells more.
            lang::syntax::parse_traversal(&Sources::new(), "", text)?;
            Err(Diagnostic::error("Invalid address", error.to_string()).into())
        }
    }
}

/// Whether a target covers an instance.
pub fn contains(target: &Target, instance: &ResourceInstance) -> bool {
    match target {
        Target::Module(module) => instance.module.0.starts_with(&module.0),
        Target::Resource(module, resource) => instance.module == *module && instance.resource == *resource,
        Target::Instance(address) => address == instance,
    }
}
