//! `output` blocks.

use std::sync::{Arc, LazyLock};

use lang::ast::{Block, BodySchema, Expr, ExprKind};

use crate::module::Output;
use crate::reader::{Reader, schema};

static OUTPUT: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[("description", false), ("value", true), ("depends_on", false), ("sensitive", false), ("ephemeral", false)],
        &[("precondition", &[]), ("postcondition", &[])],
    )
});

impl Reader<'_> {
    /// An `output` block; `None` without a name.
    pub fn output(&mut self, block: &Block) -> Option<Output> {
        let name = block.labels.first()?.text.clone();
        let content = self.content(&block.body, &OUTPUT);
        self.check_name(block, 0, "Invalid output name");
        let description = content.attribute("description").and_then(|a| self.string(a)).map(String::from);
        let sensitive = content.attribute("sensitive").and_then(|a| self.bool(a)).unwrap_or(false);
        let ephemeral = content.attribute("ephemeral").and_then(|a| self.bool(a)).unwrap_or(false);
        let depends_on = self.depends_on(content.attribute("depends_on"));
        let mut preconditions = Vec::new();
        for rule in &content.blocks {
            if rule.kind == "postcondition" {
                self.error(
                    "Postconditions are not allowed",
                    "Output values can only have preconditions, not postconditions.",
                    rule.kind_range,
                );
            } else {
                preconditions.extend(self.check_rule(rule));
            }
        }
        // An output without a value is one all the same: there may be another of its name.
        let missing = || Arc::new(Expr::new(block.header, ExprKind::Invalid));
        let value = content.attribute("value").map_or_else(missing, |attribute| attribute.expr.clone());
        Some(Output { name, value, description, sensitive, ephemeral, depends_on, preconditions, range: block.header })
    }
}
