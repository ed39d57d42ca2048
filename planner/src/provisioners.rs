//! Provisioners: what their blocks hold.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use config::module::ResourceBlock;
use config::provisioners::connection_body;
use lang::eval::Scope;
use lang::{Diagnostic, Diagnostics, Str, Type, Value};
use sdk::{Attribute, Block};

use crate::reference_check::ReferenceCheck;
use crate::validation::validate_body;

fn block(attributes: &[(&'static str, Type, bool)]) -> Block {
    let attributes = attributes.iter().map(|(name, ty, required)| {
        let attribute = Attribute { required: *required, optional: !required, ..Attribute::new(ty.clone()) };
        (Str::new_static(name), attribute)
    });
    Block::new(attributes.collect(), BTreeMap::new())
}

static LOCAL_EXEC: LazyLock<Block> = LazyLock::new(|| {
    block(&[
        ("command", Type::String, true),
        ("interpreter", Type::list(Type::String), false),
        ("working_dir", Type::String, false),
        ("environment", Type::map(Type::String), false),
        ("quiet", Type::Bool, false),
    ])
});

static FILE: LazyLock<Block> = LazyLock::new(|| {
    block(&[("source", Type::String, false), ("content", Type::String, false), ("destination", Type::String, true)])
});

static REMOTE_EXEC: LazyLock<Block> = LazyLock::new(|| {
    block(&[
        ("inline", Type::list(Type::String), false),
        ("script", Type::String, false),
        ("scripts", Type::list(Type::String), false),
    ])
});

static CONNECTION: LazyLock<Block> = LazyLock::new(|| {
    let texts = [
        "type",
        "user",
        "password",
        "timeout",
        "script_path",
        "target_platform",
        "private_key",
        "certificate",
        "host_key",
        "agent_identity",
        "proxy_scheme",
        "proxy_host",
        "proxy_user_name",
        "proxy_user_password",
        "bastion_host",
        "bastion_host_key",
        "bastion_user",
        "bastion_password",
        "bastion_private_key",
        "bastion_certificate",
        "cacert",
    ];
    let mut attributes: Vec<_> = texts.into_iter().map(|name| (name, Type::String, false)).collect();
    attributes.extend(["agent", "https", "insecure", "use_ntlm"].map(|name| (name, Type::Bool, false)));
    attributes.extend(["port", "proxy_port", "bastion_port"].map(|name| (name, Type::Number, false)));
    attributes.push(("host", Type::String, true));
    block(&attributes)
});

/// The schema of a provisioner, if there is one of that name.
pub(crate) fn schema(kind: &str) -> Option<&'static Block> {
    match kind {
        "local-exec" => Some(&LOCAL_EXEC),
        "file" => Some(&FILE),
        "remote-exec" => Some(&REMOTE_EXEC),
        _ => None,
    }
}

/// The schema of a `connection` block.
pub(crate) fn connection_schema() -> &'static Block {
    &CONNECTION
}

/// What of a provisioner's arguments does not go together: headline, and the beginning of the explanation.
fn contradiction(kind: &str, config: &Value) -> Option<(&'static str, &'static str)> {
    let set = |name: &str| config.get(name).is_some_and(|value| !value.is_null());
    match kind {
        "file" => match (set("source"), set("content")) {
            (true, true) => Some(("Cannot set both 'source' and 'content'", "")),
            (false, false) => Some(("Must provide one of 'source' or 'content'", "")),
            _ => None,
        },
        "remote-exec" if ["inline", "script", "scripts"].into_iter().filter(|name| set(name)).count() != 1 => Some((
            "Invalid remote-exec provisioner configuration",
            "Only one of \"inline\", \"script\", or \"scripts\" must be set\n\n",
        )),
        _ => None,
    }
}

/// Checks the provisioners of a resource up to the first with a mistake; `failed`: there were mistakes before.
pub(crate) fn validate(
    check: &ReferenceCheck<'_>,
    resource: &ResourceBlock,
    scope: &dyn Scope,
    failed: bool,
    diagnostics: &mut Diagnostics,
) {
    for provisioner in &resource.provisioners {
        if let Some(schema) = schema(&provisioner.kind) {
            let config = validate_body(check, &provisioner.body, schema, scope, diagnostics);
            let problem = config.and_then(|config| contradiction(&provisioner.kind, &config));
            diagnostics.extend(problem.map(|(summary, detail)| {
                // As in Terraform without a range of its own; the text tells where.
                let place = check.workspace.place(provisioner.range);
                Diagnostic::error(summary, format!("{detail}The {} provisioner is at {place}.", provisioner.kind))
            }));
        }
        if let Some(connection) = connection_body(resource.connection.as_ref(), provisioner) {
            validate_body(check, &connection, &CONNECTION, scope, diagnostics);
        }
        if failed || diagnostics.has_errors() {
            return;
        }
    }
}
