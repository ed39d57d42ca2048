//! Provisioners: what their blocks hold.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use config::module::ResourceBlock;
use config::provisioners::connection_body;
use lang::eval::Scope;
use lang::{Diagnostic, Diagnostics, Str, Type, Value};
use sdk::{Attribute, Block};

use crate::decode::decode_body;
use crate::reference_check::ReferenceCheck;
use crate::validation::{body_is_sound, validate_body};

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
            let config = match body_is_sound(check, &provisioner.body, schema, diagnostics) {
                true => decode_body(&provisioner.body, schema, scope, diagnostics),
                false => Value::unknown(schema.implied_type().clone()),
            };
            if let Some((summary, detail)) = unsuitable(&provisioner.kind, &config) {
                // As in Terraform without a range of its own; the text tells where.
                let place = check.workspace.place(provisioner.range);
                let detail = format!("{detail}The {} provisioner is at {place}.", provisioner.kind);
                diagnostics.push(Diagnostic::error(summary, detail));
            }
        }
        if let Some(connection) = connection_body(resource.connection.as_ref(), provisioner) {
            validate_body(check, &connection, &CONNECTION, scope, diagnostics);
        }
        if failed || diagnostics.has_errors() {
            return;
        }
    }
}

/// What a provisioner has against its arguments together: the headline, and the beginning of the explanation. An unknown one counts
/// as given, also where a mistake made it unknown.
fn unsuitable(kind: &str, config: &Value) -> Option<(&'static str, &'static str)> {
    let given = |names: &[&str]| {
        let is_given = |name: &&&str| !config.get(name).is_some_and(Value::is_null);
        names.iter().filter(is_given).count()
    };
    match kind {
        "remote-exec" if given(&["inline", "script", "scripts"]) != 1 => Some((
            "Invalid remote-exec provisioner configuration",
            "Only one of \"inline\", \"script\", or \"scripts\" must be set\n\n",
        )),
        "file" => match given(&["source", "content"]) {
            0 => Some(("Must provide one of 'source' or 'content'", "")),
            1 => None,
            _ => Some(("Cannot set both 'source' and 'content'", "")),
        },
        _ => None,
    }
}
