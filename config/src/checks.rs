//! `check` blocks and the condition blocks of other blocks.

use std::sync::{Arc, LazyLock};

use lang::addr::Resource;
use lang::ast::{Block, BodySchema, Expr};

use crate::module::{Check, CheckRule, ResourceBlock};
use crate::reader::{Reader, schema};
use crate::references::Reference;

static RULE: LazyLock<BodySchema> = LazyLock::new(|| schema(&[("condition", true), ("error_message", true)], &[]));

static CHECK: LazyLock<BodySchema> = LazyLock::new(|| schema(&[], &[("data", &["type", "name"]), ("assert", &[])]));

impl Reader<'_> {
    /// `validation`, `precondition`, `postcondition` or `assert`; `None` when an argument is missing.
    pub fn check_rule(&mut self, block: &Block) -> Option<CheckRule> {
        let (condition, error_message) = self.rule_arguments(block);
        Some(CheckRule { condition: condition?, error_message: error_message?, range: block.header })
    }

    /// `condition` and `error_message`, as far as they are there.
    pub fn rule_arguments(&mut self, block: &Block) -> (Option<Arc<Expr>>, Option<Arc<Expr>>) {
        if self.overriding {
            self.error(
                format!("Can't override {} blocks", block.kind),
                format!("Override files cannot override {:?} blocks.", block.kind.as_str()),
                block.header,
            );
            return (None, None);
        }
        let content = self.content(&block.body, &RULE);
        let argument = |name| content.attribute(name).map(|attribute| attribute.expr.clone());
        let condition = argument("condition");
        if let Some(condition) = condition.as_ref().filter(|condition| condition.traversals().is_empty()) {
            self.error(
                format!("Invalid {} expression", block.kind),
                "The condition expression must refer to at least one object from elsewhere in the configuration, or \
                 else its result would not be checking anything.",
                condition.range,
            );
        }
        (condition, argument("error_message"))
    }

    /// A condition of a resource, which must not refer to the resource by its address.
    pub fn resource_rule(&mut self, block: &Block, owner: &Resource) -> Option<CheckRule> {
        let rule = self.check_rule(block)?;
        for expr in [&rule.condition, &rule.error_message] {
            let refers = expr
                .traversals()
                .into_iter()
                .any(|t| Reference::parse(t).is_ok_and(|reference| reference.subject.resource() == Some(owner)));
            if refers {
                let detail = format!("Configuration for {owner} may not refer to itself.");
                self.error(format!("Invalid reference in {}", block.kind), detail, expr.range);
            }
        }
        Some(rule)
    }

    /// A `check` block with the data source in it.
    pub fn check(&mut self, block: &Block) -> Option<(Check, Option<ResourceBlock>)> {
        let name = block.labels.first()?.text.clone();
        let content = self.content(&block.body, &CHECK);
        self.check_name(block, 0, "Invalid check block name");
        let mut data: Option<ResourceBlock> = None;
        let mut asserts = Vec::new();
        for inner in &content.blocks {
            let before = self.diagnostics.error_count();
            if inner.kind == "assert" {
                let rule = self.check_rule(inner);
                // Terraform counts an assert with a mistake as none, and says so.
                if self.diagnostics.error_count() == before {
                    asserts.extend(rule);
                }
            } else if let Some(first) = &data {
                let place = self.place(first.range);
                let detail = format!("This check block already has a data resource defined at {place}.");
                self.error("Multiple data resource blocks", detail, inner.header);
            } else {
                let found = self.scoped_data(inner, &name);
                if self.diagnostics.error_count() == before {
                    data = found;
                }
            }
        }
        if asserts.is_empty() {
            self.error("Zero assert blocks", "Check blocks must have at least one assert block.", block.header);
        }
        let check = Check { name, data: data.as_ref().map(|d| d.address.clone()), asserts, range: block.header };
        Some((check, data))
    }
}
