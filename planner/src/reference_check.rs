//! Checks references before anything is evaluated: are they declared, may they stand where they stand, and does the schema
//! of a resource have the attribute that is asked for.

use std::sync::Arc;

use config::module::{Module, ResourceBlock};
use config::reference_checks::Place;
use config::references::{Reference, Subject};
use lang::ast::{Expr, StepKind, Traversal};
use lang::{Diagnostic, Diagnostics};

use crate::schema_path::check_steps;
use crate::workspace::Workspace;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum References {
    /// Every reference means something.
    Sound,
    /// Some name nothing, which leaves their values unknown.
    Undeclared,
    /// Some are so wrong that nothing is looked up: every name is unknown.
    Refused,
}

/// Checks the references that stand at one place of a module.
#[derive(Clone, Copy)]
pub(crate) struct ReferenceCheck<'a> {
    /// What the run works on.
    pub workspace: &'a Workspace,
    /// The module.
    pub module: &'a Module,
    /// Where the references stand.
    pub place: Place<'a>,
    /// What `self` names.
    pub self_resource: Option<&'a ResourceBlock>,
}

impl<'a> ReferenceCheck<'a> {
    /// A check for a place of a module.
    pub fn new(workspace: &'a Workspace, module: &'a Module, place: Place<'a>) -> ReferenceCheck<'a> {
        ReferenceCheck { workspace, module, place, self_resource: None }
    }

    /// Checks an expression.
    pub fn expr(&self, expr: &Expr, diagnostics: &mut Diagnostics) -> References {
        self.traversals(expr.traversals(), diagnostics)
    }

    /// Checks several traversals as one: mistakes that the structure of the configuration tells hide the others.
    pub fn traversals<'t>(
        &self,
        traversals: impl IntoIterator<Item = &'t Traversal>,
        diagnostics: &mut Diagnostics,
    ) -> References {
        let (mut refused, mut undeclared) = (Diagnostics::new(), Diagnostics::new());
        let mut unreadable = false;
        for traversal in traversals {
            let reference = match Reference::parse(traversal) {
                Ok(reference) => reference,
                Err(error) => {
                    diagnostics.push(error);
                    if let Some(unnamed) = Reference::unnamed(traversal) {
                        undeclared.extend(self.module.check_reference(&unnamed, self.place).err());
                    }
                    unreadable = true;
                    continue;
                }
            };
            match self.module.check_reference(&reference, self.place) {
                Ok(()) => self.attributes(&reference, &mut refused),
                Err(error) if self.is_structural(&reference.subject) => {
                    refused.push(error);
                    // A key that is missing or too much doesn't hide a wrong attribute.
                    self.attributes(&reference, &mut refused);
                }
                Err(error) => undeclared.push(error),
            }
        }
        let outcome = if refused.has_errors() {
            References::Refused
        } else if undeclared.has_errors() || unreadable {
            References::Undeclared
        } else {
            References::Sound
        };
        diagnostics.append(refused);
        if outcome != References::Refused {
            diagnostics.append(undeclared);
        }
        outcome
    }

    fn is_structural(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Resource(_) | Subject::ResourceInstance(..) | Subject::SelfObject => true,
            _ => subject.module_call().is_some_and(|call| !self.module.calls.contains_key(call)),
        }
    }

    /// Whether the schema has what is asked of a resource.
    fn attributes(&self, reference: &Reference<'_>, diagnostics: &mut Diagnostics) {
        let resource = match &reference.subject {
            Subject::SelfObject => self.self_resource,
            subject => subject.resource().and_then(|address| self.module.resources.get(address)).map(Arc::as_ref),
        };
        let Some(resource) = resource else { return };
        let Some(schema) = self.workspace.providers.block(&resource.provider_source, &resource.address) else { return };
        let steps = reference.remaining();
        if matches!(steps.first().map(|step| &step.kind), Some(StepKind::Attribute(name)) if name == "count") {
            let detail = format!(
                "The special \"count\" attribute is no longer supported after Terraform v0.12. Instead, use length({}) to \
                 count resource instances.",
                resource.address
            );
            diagnostics.push(Diagnostic::error("Invalid resource count attribute", detail).at(reference.range));
            return;
        }
        check_steps(schema, steps, diagnostics);
    }

    /// Checks what `depends_on` names.
    pub fn depends_on(&self, traversals: &[Traversal], diagnostics: &mut Diagnostics) {
        let mut own = Diagnostics::new();
        for traversal in traversals {
            let reference = match Reference::parse(traversal) {
                Ok(reference) => reference,
                Err(error) => {
                    own.push(error);
                    continue;
                }
            };
            // An output is an attribute of the module as far as this goes.
            let is_output = matches!(reference.subject, Subject::ModuleOutput(..));
            if let Some(step) = reference.remaining().first().filter(|_| !is_output) {
                let detail = "References in depends_on must be to a whole object (resource, etc), not to an attribute of \
                              an object.";
                let range = step.range.to(traversal.range.at_end());
                own.push(Diagnostic::error("Invalid depends_on reference", detail).at(range));
            }
            // After a mistake, whether the others exist is not asked.
            if !own.has_errors() {
                self.traversals([traversal], &mut own);
            }
        }
        diagnostics.append(own);
    }
}
