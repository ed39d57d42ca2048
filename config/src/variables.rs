//! `variable`, `locals` and `validation`.

use std::sync::LazyLock;

use lang::ast::{Attribute, Block, BodySchema, Expr, ExprKind};
use lang::syntax::is_identifier;
use lang::types::{Defaults, parse_constraint};
use lang::{Str, Type, Value};

use crate::module::{CheckRule, Variable};
use crate::module_calls::MODULE;
use crate::reader::{BAD_IDENTIFIER, Reader, constant, schema};
use crate::references::{Reference, Subject};

/// What is said of a default value that the variable doesn't take.
pub(crate) const BAD_DEFAULT: &str = "Invalid default value for variable";

static VARIABLE: LazyLock<BodySchema> = LazyLock::new(|| {
    schema(
        &[
            ("description", false),
            ("default", false),
            ("type", false),
            ("sensitive", false),
            ("ephemeral", false),
            ("nullable", false),
        ],
        &[("validation", &[])],
    )
});

impl Reader<'_> {
    /// A `variable` block.
    pub fn variable(&mut self, block: &Block) -> Option<Variable> {
        let label = block.labels.first()?;
        let content = self.content(&block.body, &VARIABLE);
        self.check_name(block, 0, "Invalid variable name");
        let name = label.text.clone();
        let reserved = MODULE.attributes.iter().map(|(name, _)| name).chain(MODULE.blocks.iter().map(|(name, _)| name));
        if reserved.clone().any(|reserved| *reserved == name) {
            let detail =
                format!("The variable name {name:?} is reserved due to its special meaning inside module blocks.");
            self.error("Invalid variable name", detail, label.range);
        }

        let description = content.attribute("description").and_then(|a| self.string(a)).map(String::from);
        let (ty, defaults, is_typed) = match content.attribute("type") {
            Some(attribute) => {
                let (ty, defaults) = self.variable_type(&attribute.expr);
                (ty, defaults, true)
            }
            None => (Type::Dynamic, Defaults::default(), false),
        };
        let sensitive = content.attribute("sensitive").and_then(|a| self.bool(a)).unwrap_or(false);
        let ephemeral = content.attribute("ephemeral").and_then(|a| self.bool(a)).unwrap_or(false);
        let nullable = content.attribute("nullable").and_then(|a| self.bool(a)).unwrap_or(true);
        let default = content.attribute("default").map(|a| self.variable_default(&a.expr, &ty, &defaults, nullable));
        let mut validations = Vec::new();
        for validation in &content.blocks {
            let (condition, error_message) = self.rule_arguments(validation);
            let Some(condition) = condition else { continue };
            self.check_validation(&name, &condition);
            let Some(error_message) = error_message else { continue };
            let rule = CheckRule { condition, error_message, range: validation.header };
            validations.push(rule);
        }
        Some(Variable {
            name,
            parse_literally: ty.is_primitive() || !is_typed,
            ty,
            defaults,
            default,
            description,
            sensitive,
            ephemeral,
            nullable,
            validations,
            range: block.header,
        })
    }

    fn variable_type(&mut self, expr: &Expr) -> (Type, Defaults) {
        let unknown = (Type::Dynamic, Defaults::default());
        if self.is_native_string(expr) {
            let hint = match &expr.kind {
                ExprKind::String(text) => text.as_str(),
                _ => "",
            };
            let advice = match hint {
                "string" => "Remove the quotes around \"string\".".to_owned(),
                "list" | "map" => format!(
                    "Remove the quotes around \"{hint}\" and write {hint}(string) instead to explicitly indicate that \
                     the {hint} elements are strings."
                ),
                _ => {
                    self.error(
                        "Invalid legacy variable type hint",
                        "To provide a full type expression, remove the surrounding quotes and give the type \
                         expression directly.",
                        expr.range,
                    );
                    return unknown;
                }
            };
            let detail = format!(
                "Terraform 0.11 and earlier required type constraints to be given in quotes, but that form is now \
                 deprecated and will be removed in a future version of Terraform. {advice}"
            );
            self.error("Invalid quoted type constraints", detail, expr.range);
            return unknown;
        }
        // Bare `list` and `map` are what they were before Terraform 0.12.
        match expr.as_keyword() {
            Some("list") => return (Type::list(Type::Dynamic), Defaults::default()),
            Some("map") => return (Type::map(Type::Dynamic), Defaults::default()),
            _ => {}
        }
        let (ty, defaults, diagnostics) = parse_constraint(expr);
        let failed = diagnostics.has_errors();
        self.diagnostics.append(diagnostics);
        if failed { unknown } else { (ty, defaults) }
    }

    fn variable_default(&mut self, expr: &Expr, ty: &Type, defaults: &Defaults, nullable: bool) -> Value {
        // What cannot be evaluated may still be seen to be of another type.
        let given = constant(expr, &mut self.diagnostics);
        let given = if given.is_null() { given } else { defaults.apply(given) };
        let value = given.convert(ty).unwrap_or_else(|error| {
            let detail = format!("This default value is not compatible with the variable's type constraint: {error}.");
            self.error(BAD_DEFAULT, detail, expr.range);
            Value::dynamic()
        });
        if !nullable && value.is_null() {
            self.error(BAD_DEFAULT, "A null default value is not valid when nullable=false.", expr.range);
        }
        value
    }

    /// A validation must look at its variable.
    fn check_validation(&mut self, name: &Str, condition: &Expr) {
        let refers = condition.traversals().into_iter().any(|traversal| {
            matches!(Reference::parse(traversal), Ok(Reference { subject: Subject::Variable(v), .. }) if v == *name)
        });
        if !refers {
            let detail = format!(
                "The condition for variable {name:?} must refer to var.{name} in order to test incoming values."
            );
            self.error("Invalid variable validation condition", detail, condition.range);
        }
    }

    /// The entries of a `locals` block.
    pub fn locals(&mut self, block: &Block) -> Vec<Attribute> {
        let (attributes, diagnostics) = block.body.just_attributes();
        self.diagnostics.append(diagnostics);
        for attribute in &attributes {
            if !is_identifier(&attribute.name) {
                self.error("Invalid local value name", BAD_IDENTIFIER, attribute.name_range);
            }
        }
        attributes
    }
}
