//! Addresses that users give: `-target`, `-replace`, arguments of the state commands.

use lang::addr::ResourceInstance;
use lang::addr_parse::AddressError;
use lang::{Diagnostic, Diagnostics, Sources};
use planner::Target;

/// Reads a module, resource or instance address.
pub fn parse(text: &str) -> Result<Target, Diagnostics> {
    match text.parse::<lang::addr_parse::Target>() {
        Ok(lang::addr_parse::Target::Module(module)) => Ok(Target::Module(module)),
        Ok(lang::addr_parse::Target::Resource(resource)) => Ok(Target::Resource(resource.module, resource.resource)),
        Ok(lang::addr_parse::Target::Instance(instance)) => Ok(Target::Instance(instance)),
        Err(error) => Err(invalid(text, &error)),
    }
}

/// Reads the address of an instance.
pub fn parse_instance(text: &str) -> Result<ResourceInstance, Diagnostics> {
    text.parse().map_err(|error| invalid(text, &error))
}

fn invalid(text: &str, error: &AddressError) -> Diagnostics {
    match lang::syntax::parse_traversal(&Sources::new(), "", text) {
        Ok(_) => Diagnostic::error("Invalid address", error.to_string()).into(),
        // Where it is no traversal at all, the language's own message tells more; its place is in no file.
        Err(problems) => {
            problems.iter().map(|problem| Diagnostic::error(problem.summary(), problem.detail())).collect()
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
