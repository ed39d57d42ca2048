//! `provisioner` and `connection` blocks.

use std::sync::LazyLock;

use lang::ast::{Block, Body, BodySchema, StepKind, Traversal};

use crate::module::Provisioner;
use crate::overrides::{append, merge};
use crate::reader::{Reader, schema};

static PROVISIONER: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(&[("when", false), ("on_failure", false)], &[("_", &[]), ("connection", &[]), ("lifecycle", &[])])
});

/// The connection of a provisioner: its own arguments in the place of those that its resource has for all.
pub fn connection_body(resource: Option<&Block>, provisioner: &Provisioner) -> Option<Body> {
    match (resource, &provisioner.connection) {
        (Some(resource), Some(own)) => {
            let mut body = resource.body.clone();
            merge(&mut body, own.body.clone());
            Some(body)
        }
        (resource, own) => own.as_ref().or(resource).map(|block| block.body.clone()),
    }
}

impl Reader<'_> {
    /// A `provisioner` block; `None` for types that are gone.
    pub fn provisioner(&mut self, block: &Block) -> Option<Provisioner> {
        let label = block.labels.first()?;
        let (content, mut body) = self.partial_content(&block.body, &PROVISIONER);
        let kind = label.text.clone();
        if let "chef" | "habitat" | "puppet" | "salt-masterless" = kind.as_str() {
            let detail = format!(
                "The \"{kind}\" provisioner was deprecated in Terraform 0.13.4 has been removed from Terraform. Visit \
                 https://learn.hashicorp.com/collections/terraform/provision for alternatives to using provisioners \
                 that are a better fit for the Terraform workflow."
            );
            self.error(format!("The \"{kind}\" provisioner has been removed"), detail, label.range);
            return None;
        }
        let mut on_destroy = false;
        if let Some(attribute) = content.attribute("when") {
            match self.keyword(&attribute.expr).as_deref() {
                Some("create") => {}
                Some("destroy") => on_destroy = true,
                _ => self.error(
                    "Invalid \"when\" keyword",
                    "The \"when\" argument requires one of the following keywords: create or destroy.",
                    attribute.expr.range,
                ),
            }
        }
        if on_destroy {
            self.check_destroy_references(&body);
        }
        let mut continue_on_failure = false;
        if let Some(attribute) = content.attribute("on_failure") {
            match self.keyword(&attribute.expr).as_deref() {
                Some("continue") => continue_on_failure = true,
                Some("fail") => {}
                _ => self.error(
                    "Invalid \"on_failure\" keyword",
                    "The \"on_failure\" argument requires one of the following keywords: continue or fail.",
                    attribute.expr.range,
                ),
            }
        }
        let mut connection = None;
        let mut escape = None;
        for inner in &content.blocks {
            match inner.kind.as_str() {
                "_" => {
                    if self.escape_block(&mut escape, inner, "provisioner-type-specific", "provisioner") {
                        append(&mut body, inner.body.clone());
                    }
                }
                "connection" => {
                    let detail = |place: &str| format!("This provisioner already has a connection block at {place}.");
                    if self.single(&mut connection, inner, "Duplicate connection block", detail) && on_destroy {
                        self.check_destroy_references(&inner.body);
                    }
                }
                _ => self.reserved_block("provisioner", inner),
            }
        }
        Some(Provisioner {
            kind,
            body,
            on_destroy,
            continue_on_failure,
            connection: connection.cloned(),
            range: block.header,
        })
    }

    /// What runs on destroy may look at its own resource only.
    pub fn check_destroy_references(&mut self, body: &Body) {
        // Blocks among the attributes are the business of whoever knows the schema.
        let (attributes, _) = body.just_attributes();
        for attribute in &attributes {
            for traversal in attribute.expr.traversals() {
                if !is_own(traversal) {
                    self.error(
                        "Invalid reference from destroy provisioner",
                        "Destroy-time provisioners and their connection configurations may only reference attributes \
                         of the related resource, via 'self', 'count.index', or 'each.key'.\n\nReferences to other \
                         resources during the destroy phase can cause dependency cycles and interact poorly with \
                         create_before_destroy.",
                        attribute.expr.range,
                    );
                }
            }
        }
    }
}

fn is_own(traversal: &Traversal) -> bool {
    let only = |name: &str| match &*traversal.steps {
        [step] => matches!(&step.kind, StepKind::Attribute(found) if found == name),
        _ => false,
    };
    match traversal.root.as_str() {
        "self" | "path" | "terraform" => true,
        "count" => only("index"),
        "each" => only("key"),
        _ => false,
    }
}
