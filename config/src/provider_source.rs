//! Provider source addresses: `aws`, `hashicorp/aws`, `registry.terraform.io/hashicorp/aws`.

use lang::Str;
use lang::addr::{ProviderSource, Resource};

use crate::module::Module;

/// The normal form of a provider's name or namespace (lower case), or what is wrong with it.
pub fn check_part(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("must have at least one character");
    }
    if !text.chars().all(|c| c == '-' || c.is_alphanumeric()) || text.starts_with('-') || text.ends_with('-') {
        return Err("must contain only letters, digits, and dashes, and may not use leading or trailing dashes");
    }
    if text.contains("--") {
        return Err("cannot use multiple consecutive dashes");
    }
    Ok(text.to_lowercase())
}

/// Reads a source address. The error is summary and detail of the message to show.
pub fn parse_provider_source(text: &str) -> Result<ProviderSource, (&'static str, String)> {
    let format_error = (
        "Invalid provider source string",
        "The \"source\" attribute must be in the format \"[hostname/][namespace/]name\"".to_owned(),
    );
    let parts: Vec<&str> = text.split('/').collect();
    let (host, namespace, name) = match parts.as_slice() {
        [name] => (None, None, *name),
        [namespace, name] => (None, Some(*namespace), *name),
        [host, namespace, name] => (Some(*host), Some(*namespace), *name),
        _ => return Err(format_error),
    };
    if parts.iter().any(|part| part.is_empty()) {
        return Err(format_error);
    }
    let name = check_part(name).map_err(|problem| {
        ("Invalid provider type", format!("Invalid provider type {name:?} in source {text:?}: {problem}\""))
    })?;
    let namespace = match namespace {
        None => "hashicorp".to_owned(),
        Some("-") => {
            return Err((
                "Invalid provider namespace",
                "The namespace \"-\" is a legacy one that cannot be used in a source address.".to_owned(),
            ));
        }
        Some(namespace) => check_part(namespace).map_err(|problem| {
            (
                "Invalid provider namespace",
                format!("Invalid provider namespace {namespace:?} in source {text:?}: {problem}\""),
            )
        })?,
    };
    let host = match host {
        None => ProviderSource::DEFAULT_HOST.to_owned(),
        Some(host) => check_host(host).ok_or_else(|| {
            (
                "Invalid provider source hostname",
                format!("Invalid provider source hostname {host:?} in source {text:?}: not a valid hostname."),
            )
        })?,
    };
    // The binary's own name for its plugins is a common slip.
    if let Some(rest) = name.strip_prefix("terraform-") {
        let suggestion = rest.strip_prefix("provider-").unwrap_or(rest);
        return Err((
            "Invalid provider type",
            format!(
                "Provider source {text:?} has a type with the prefix \"terraform-\", which isn't valid. Although that \
                 prefix is often used in the names of version control repositories for Terraform providers, provider \
                 source strings should not include it.\n\nDid you mean {suggestion:?}?"
            ),
        ));
    }
    Ok(ProviderSource { host: host.into(), namespace: namespace.into(), name: name.into() })
}

/// A host name with an optional port, in its normal form (lower case).
pub fn host_name(text: &str) -> Option<String> {
    check_host(text)
}

/// A host name with an optional port, in lower case.
pub(crate) fn check_host(text: &str) -> Option<String> {
    let (name, port) = match text.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let port_is_fine = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let label_is_fine = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c == '-' || c.is_alphanumeric())
    };
    let is_local = name.eq_ignore_ascii_case("localhost");
    (port_is_fine && (is_local || name.contains('.')) && name.split('.').all(label_is_fine))
        .then(|| text.to_lowercase())
}

/// What a local name means that `required_providers` does not list.
pub fn implied_source(local_name: &str) -> ProviderSource {
    match local_name {
        // The resources of this one are part of the tool.
        "terraform" => ProviderSource::builtin(),
        name => ProviderSource::hashicorp(name),
    }
}

/// How a source is shown to people: without the host when it is the public registry.
pub fn display_source(source: &ProviderSource) -> String {
    if source.host == ProviderSource::DEFAULT_HOST {
        format!("{}/{}", source.namespace, source.name)
    } else {
        source.to_string()
    }
}

/// The local name of the provider that a resource type belongs to: `aws` of `aws_vpc`.
pub fn implied_provider(resource: &Resource) -> Str {
    resource.kind.split_once('_').map_or_else(|| resource.kind.clone(), |(provider, _)| provider.into())
}

impl Module {
    /// The source that a local provider name stands for in this module.
    pub fn provider_source(&self, local_name: &str) -> ProviderSource {
        self.required_providers.get(local_name).map_or_else(|| implied_source(local_name), |r| r.source.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources() {
        for (text, expected) in [
            ("aws", Ok("registry.terraform.io/hashicorp/aws")),
            ("Foo/bar", Ok("registry.terraform.io/foo/bar")),
            ("example.com:8080/a/b", Ok("example.com:8080/a/b")),
            ("a/b/c/d", Err("Invalid provider source string")),
            ("", Err("Invalid provider source string")),
            ("a_b/c", Err("Invalid provider namespace")),
            ("h/b/c", Err("Invalid provider source hostname")),
            ("a/terraform-provider-x", Err("Invalid provider type")),
        ] {
            let found = parse_provider_source(text);
            assert_eq!(found.as_ref().map(ToString::to_string).map_err(|e| e.0), expected.map(str::to_owned), "{text}");
        }
    }
}
