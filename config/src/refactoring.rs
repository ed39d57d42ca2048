//! `moved`, `removed` and `import` blocks.

use std::sync::LazyLock;

use lang::addr::{ConfigResource, Mode};
use lang::ast::{Block, BodySchema, Expr, ExprKind, Traversal};
use lang::{Diagnostic, Range};

use crate::addresses::{AbsoluteAddress, ConfigAddress};
use crate::module::{Import, Moved, Removed};
use crate::reader::{Reader, schema};

static MOVED: LazyLock<BodySchema> = LazyLock::new(|| schema(&[("from", true), ("to", true)], &[]));

static REMOVED: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("from", true)], &[("lifecycle", &[]), ("connection", &[]), ("provisioner", &["type"])]));

static REMOVED_LIFECYCLE: LazyLock<BodySchema> = LazyLock::new(|| schema(&[("destroy", false)], &[]));

static IMPORT: LazyLock<BodySchema> =
    LazyLock::new(|| schema(&[("provider", false), ("for_each", false), ("id", true), ("to", true)], &[]));

impl Reader<'_> {
    /// A `moved` block.
    pub fn moved(&mut self, block: &Block) -> Option<Moved> {
        let content = self.content(&block.body, &MOVED);
        let mut end = |name: &str| {
            let traversal = self.static_traversal(&content.attribute(name)?.expr)?;
            match AbsoluteAddress::parse(&traversal) {
                Ok(address) => Some((traversal, address)),
                Err(error) => {
                    self.diagnostics.push(error);
                    None
                }
            }
        };
        let (from, to) = (end("from"), end("to"));
        let ((from, from_address), (to, to_address)) = (from?, to?);
        if !may_move(&from_address, &to_address) {
            self.error(
                "Invalid \"moved\" addresses",
                "The \"from\" and \"to\" addresses must either both refer to resources or both refer to modules.",
                block.header,
            );
        }
        Some(Moved { from, from_address, to, to_address, range: block.header })
    }

    /// A `removed` block.
    pub fn removed(&mut self, block: &Block) -> Option<Removed> {
        let content = self.content(&block.body, &REMOVED);
        let from = content.attribute("from").and_then(|a| self.static_traversal(&a.expr));
        let address = from.as_ref().and_then(|from| match ConfigAddress::parse(from) {
            Ok(address) => Some(address),
            Err(error) => {
                self.diagnostics.push(error);
                None
            }
        });
        let mode = match &address {
            Some(ConfigAddress::Resource(resource)) => Some(resource.resource.mode),
            _ => None,
        };
        if mode == Some(Mode::Data) {
            self.error(
                "Data source address not allowed",
                "Data sources are never destroyed, so they are not valid targets of removed blocks. To remove the data \
                 source from state, remove the data source block from configuration.",
                from.as_ref().map_or(block.header, |from| from.range),
            );
        }
        let mut destroy = true;
        let mut provisioners = Vec::new();
        let mut connection = None;
        for inner in &content.blocks {
            if inner.kind == "lifecycle" {
                let lifecycle = self.content(&inner.body, &REMOVED_LIFECYCLE);
                if let Some(attribute) = lifecycle.attribute("destroy") {
                    destroy = self.bool(attribute).unwrap_or(true);
                }
            } else if mode != Some(Mode::Managed) {
                let (what, noun) = match inner.kind.as_str() {
                    "connection" => ("connection", "Provisioner connection configuration is valid"),
                    _ => ("provisioner", "Provisioners are valid"),
                };
                self.error(
                    format!("Invalid {what} block"),
                    format!("{noun} only when a removed block targets a managed resource."),
                    inner.header,
                );
            } else if inner.kind == "connection" {
                self.single(&mut connection, inner, "Duplicate connection block", |place| {
                    format!("This \"removed\" block already has a connection block at {place}.")
                });
            } else if let Some(provisioner) = self.provisioner(inner) {
                if !provisioner.on_destroy {
                    self.error(
                        "Invalid provisioner block",
                        "Only destroy-time provisioners are valid in \"removed\" blocks. To declare a destroy-time \
                         provisioner, use:\n    when = destroy",
                        inner.header,
                    );
                }
                provisioners.push(provisioner);
            }
        }
        Some(Removed {
            from: from?,
            address: address?,
            destroy,
            provisioners,
            connection: connection.cloned(),
            range: block.header,
        })
    }

    /// An `import` block.
    pub fn import(&mut self, block: &Block) -> Option<Import> {
        let before = self.diagnostics.len();
        let content = self.content(&block.body, &IMPORT);
        let id = content.attribute("id").map(|a| a.expr.clone());
        let to_attribute = content.attribute("to")?;
        let to = self.reference_expression(&to_attribute.expr)?;
        if self.diagnostics.len() > before {
            return None;
        }
        let for_each = content.attribute("for_each").map(|a| a.expr.clone());
        // Only `for_each` gives keys that have to be calculated a meaning.
        if for_each.is_none() && without_keys(&to).is_some() && to.as_traversal().is_none() {
            let detail = "A resource instance address is required here. The module path must be followed by a resource \
                          instance specification.";
            self.diagnostics.push(Diagnostic::error("Invalid address", detail));
            self.static_traversal(&to);
            return None;
        }
        let resource = self.import_target(&to);
        // Terraform takes the address that it could not read for one of a resource without a mode.
        if resource.as_ref().is_none_or(|r| r.resource.mode != Mode::Managed) {
            self.error("Invalid import address", "Only managed resources can be imported.", to_attribute.range);
        }
        let mut provider = None;
        if let Some(attribute) = content.attribute("provider") {
            if resource.as_ref().is_some_and(|r| !r.module.is_root()) {
                self.error(
                    "Invalid import provider argument",
                    "The provider argument can only be specified in import blocks that will generate \
                     configuration.\n\nUse the providers argument within the module block to configure providers for \
                     all resources within a module, including imported resources.",
                    attribute.range,
                );
            }
            provider = self.provider_reference(&attribute.expr, "provider");
        }
        Some(Import { to: to.into(), resource: resource?, id: id?, for_each, provider, range: block.header })
    }

    /// The resource that `to` names, instance keys aside: these may be expressions.
    fn import_target(&mut self, to: &Expr) -> Option<ConfigResource> {
        let traversal = match without_keys(to) {
            Some(traversal) => traversal,
            None => self.static_traversal(to)?,
        };
        match AbsoluteAddress::parse(&traversal) {
            Ok(AbsoluteAddress::Resource(resource)) => Some(resource.config()),
            Ok(AbsoluteAddress::Module(_)) => {
                self.error(
                    "Invalid address",
                    "A resource address is required here. The module path must be followed by a resource \
                     specification.",
                    to.range,
                );
                None
            }
            Err(error) => {
                self.diagnostics.push(error);
                None
            }
        }
    }
}

/// Whether both are of one kind. Whether the move makes sense is found out when the state is known.
fn may_move(from: &AbsoluteAddress, to: &AbsoluteAddress) -> bool {
    std::mem::discriminant(from) == std::mem::discriminant(to)
}

/// The static steps of an expression whose keys may be calculated: `module.a[each.key].x.y[each.value]` without both.
fn without_keys(expr: &Expr) -> Option<Traversal> {
    match &expr.kind {
        ExprKind::Traversal(traversal) => Some((**traversal).clone()),
        ExprKind::Index(index) => without_keys(&index.collection),
        ExprKind::RelativeTraversal(relative) => {
            let mut traversal = without_keys(&relative.source)?;
            let end = relative.steps.last().map_or(Range::NONE, |step| step.range);
            traversal.range = traversal.range.to(end);
            traversal.steps = traversal.steps.iter().chain(&*relative.steps).cloned().collect();
            Some(traversal)
        }
        _ => None,
    }
}
