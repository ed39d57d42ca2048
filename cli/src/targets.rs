//! Addresses that users give: `-target`, `-replace`, arguments of the state commands.

use lang::addr::{InstanceKey, ModuleInstance, ResourceInstance};
use lang::addr_parse::{AddressError, AddressErrorKind};
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
        Ok(_) => Diagnostic::error("Invalid address", worded(error)).into(),
        // Where it is no traversal at all, the language's own message tells more; its place is in no file.
        Err(problems) => {
            problems.iter().map(|problem| Diagnostic::error(problem.summary(), problem.detail())).collect()
        }
    }
}

/// The error of a text that is a traversal, in Terraform's words.
fn worded(error: &AddressError) -> String {
    let before = error.input.get(..error.offset).unwrap_or_default();
    let after = error.input.get(error.offset..).unwrap_or_default();
    let ends_with_module = before.strip_suffix("module").is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    match error.kind {
        AddressErrorKind::Truncated | AddressErrorKind::ExpectedName | AddressErrorKind::ExpectedDot
            if ends_with_module =>
        {
            "Prefix \"module.\" must be followed by a module name.".to_owned()
        }
        AddressErrorKind::ExpectedDot if before.ends_with(']') => {
            "Module address prefix must be followed by dot and then a name.".to_owned()
        }
        AddressErrorKind::Truncated | AddressErrorKind::ExpectedName | AddressErrorKind::ExpectedDot => {
            "Resource specification must include a resource type and name.".to_owned()
        }
        AddressErrorKind::Trailing if after.starts_with('.') && !before.ends_with(']') => {
            "Resource instance key must be given in square brackets.".to_owned()
        }
        AddressErrorKind::Trailing => "Unexpected extra operators after address.".to_owned(),
        AddressErrorKind::InvalidKey => {
            "Invalid resource instance key: value must be a whole number, between -9223372036854775808 and \
             9223372036854775807."
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// Whether a module lies in the one that was named, or is it. A name that ends without a key stands for all instances of its call.
fn is_below(address: &ModuleInstance, named: &ModuleInstance) -> bool {
    let Some(((name, key), callers)) = named.0.split_last() else { return true };
    let of_call =
        |(step, step_key): &(lang::Str, InstanceKey)| step == name && (*key == InstanceKey::None || key == step_key);
    address.0.starts_with(callers) && address.0.get(callers.len()).is_some_and(of_call)
}

/// Whether a target covers an instance.
pub fn contains(target: &Target, instance: &ResourceInstance) -> bool {
    match target {
        Target::Module(module) => is_below(&instance.module, module),
        Target::Resource(module, resource) => instance.module == *module && instance.resource == *resource,
        Target::Instance(address) => address == instance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_refused_in_terraforms_words() {
        let told = |text| parse(text).unwrap_err().iter().map(|d| d.detail().to_owned()).collect::<String>();
        for text in ["x", "data", "data.x", "module.m.x", "module.m[0].a"] {
            assert_eq!(told(text), "Resource specification must include a resource type and name.", "{text}");
        }
        for text in ["module", "module.a.module", "module[\"x\"].a.b"] {
            assert_eq!(told(text), "Prefix \"module.\" must be followed by a module name.", "{text}");
        }
        for text in ["a.b.c", "data.x.y.z"] {
            assert_eq!(told(text), "Resource instance key must be given in square brackets.", "{text}");
        }
        for text in ["a.b[0][1]", "a.b[\"x\"].c"] {
            assert_eq!(told(text), "Unexpected extra operators after address.", "{text}");
        }
        let key = told("a.b[1.5]");
        assert!(key.starts_with("Invalid resource instance key: value must be a whole number"), "{key}");
        assert_eq!(told("module.m[0][1].a.b"), "Module address prefix must be followed by dot and then a name.");
    }
}
