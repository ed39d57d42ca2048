//! What all readers of blocks need: schemas, constants, static lists and references, places in messages.

use std::borrow::Cow;

use lang::ast::{Attribute, Block, Body, BodySchema, Content, Expr, ExprKind, Traversal};
use lang::eval;
use lang::syntax::is_identifier;
use lang::{Diagnostic, Diagnostics, Range, Sources, Str, Type, Value};

/// The hint after every "this is no name".
pub(crate) const BAD_IDENTIFIER: &str =
    "A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.";

const NO_STATIC_REFERENCE: &str = "A single static variable reference is required: only attribute access and indexing \
                                   with constant keys. No calculations, function calls, template expressions, etc are \
                                   allowed here.";

/// Reads blocks into the module model. Mistakes are collected, and reading goes on.
pub(crate) struct Reader<'a> {
    pub sources: &'a Sources,
    /// Mistakes in what blocks hold.
    pub diagnostics: Diagnostics,
    /// What the parser says of the files.
    pub syntax: Diagnostics,
    /// Whether blocks of an override file are read, in which no argument is required and no condition may stand.
    pub overriding: bool,
}

/// A schema from names; attributes come with whether they are required.
pub(crate) fn schema(attributes: &[(&str, bool)], blocks: &[(&str, &[&str])]) -> BodySchema {
    BodySchema {
        attributes: attributes.iter().map(|(name, required)| (Str::from(*name), *required)).collect(),
        blocks: blocks
            .iter()
            .map(|(kind, labels)| (Str::from(*kind), labels.iter().map(|label| Str::from(*label)).collect()))
            .collect(),
    }
}

/// What a native string holds where a reference is meant.
pub(crate) enum Quoted {
    /// A reference.
    Reference(Traversal),
    /// Something that only begins like one.
    Damaged,
    /// Not even a name.
    Nothing,
}

impl<'a> Reader<'a> {
    pub fn new(sources: &'a Sources) -> Reader<'a> {
        Reader { sources, diagnostics: Diagnostics::new(), syntax: Diagnostics::new(), overriding: false }
    }

    pub fn error(&mut self, summary: impl Into<String>, detail: impl Into<String>, at: Range) {
        self.diagnostics.push(Diagnostic::error(summary, detail).at(at));
    }

    pub fn warning(&mut self, summary: impl Into<String>, detail: impl Into<String>, at: Range) {
        self.diagnostics.push(Diagnostic::warning(summary, detail).at(at));
    }

    /// All of a body; what the schema does not know is an error.
    pub fn content(&mut self, body: &Body, schema: &BodySchema) -> Content {
        let (content, diagnostics) = body.content(&self.required_or_not(schema));
        self.diagnostics.append(diagnostics);
        content
    }

    /// What the schema knows of a body, and the rest.
    pub fn partial_content(&mut self, body: &Body, schema: &BodySchema) -> (Content, Body) {
        let (content, rest, diagnostics) = body.partial_content(&self.required_or_not(schema));
        self.diagnostics.append(diagnostics);
        (content, rest)
    }

    fn required_or_not<'s>(&self, schema: &'s BodySchema) -> Cow<'s, BodySchema> {
        if !self.overriding {
            return Cow::Borrowed(schema);
        }
        let mut schema = schema.clone();
        schema.attributes.iter_mut().for_each(|(_, required)| *required = false);
        Cow::Owned(schema)
    }

    /// The only block of a kind; each further one is an error.
    pub fn single<'b>(
        &mut self,
        seen: &mut Option<&'b Block>,
        block: &'b Block,
        summary: &str,
        detail: impl FnOnce(&str) -> String,
    ) -> bool {
        match seen {
            Some(first) => {
                let place = self.place(first.header);
                self.error(summary, detail(&place), block.header);
                false
            }
            None => {
                *seen = Some(block);
                true
            }
        }
    }

    /// Says so when a label is not an identifier.
    pub fn check_name(&mut self, block: &Block, label: usize, summary: &str) {
        if let Some(label) = block.labels.get(label)
            && !is_identifier(&label.text)
        {
            self.error(summary, BAD_IDENTIFIER, label.range);
        }
    }

    /// A place in a message: `main.tf:3,1-9`.
    pub fn place(&self, range: Range) -> String {
        let Some(source) = self.sources.get(range.file) else { return "an unknown place".to_owned() };
        source.place(range)
    }

    /// Whether an expression is a quoted string or heredoc in native syntax.
    pub fn is_native_string(&self, expr: &Expr) -> bool {
        matches!(expr.kind, ExprKind::String(_) | ExprKind::Template(_)) && !expr.json
    }

    /// The value of an expression that may use neither references nor functions.
    pub fn constant(&mut self, expr: &Expr) -> Option<Value> {
        let mut diagnostics = Diagnostics::new();
        let value = constant(expr, &mut diagnostics);
        let failed = diagnostics.has_errors();
        self.diagnostics.append(diagnostics);
        (!failed).then_some(value)
    }

    /// A constant of a primitive type; null is refused.
    fn constant_of(&mut self, expr: &Expr, ty: &Type) -> Option<Value> {
        // What cannot be evaluated goes on as an unknown value, which is refused too.
        let value = constant(expr, &mut self.diagnostics);
        let problem = match value.convert(ty) {
            Ok(value) if value.is_null() => format!("{ty} required"),
            Ok(value) if !value.is_known() => "value must be known".to_owned(),
            Ok(value) => return Some(value),
            Err(error) => error.to_string(),
        };
        self.error("Unsuitable value type", format!("Unsuitable value: {problem}"), expr.start_range());
        None
    }

    /// A constant string.
    pub fn string(&mut self, attribute: &Attribute) -> Option<Str> {
        self.constant_of(&attribute.expr, &Type::String)?.as_str().cloned()
    }

    /// A constant bool.
    pub fn bool(&mut self, attribute: &Attribute) -> Option<bool> {
        self.constant_of(&attribute.expr, &Type::Bool)?.as_bool()
    }

    /// The elements of a list that is written out.
    pub fn static_list<'e>(&mut self, expr: &'e Expr) -> &'e [Expr] {
        let list = expr.static_list();
        if list.is_none() {
            self.error("Invalid expression", "A static list expression is required.", expr.start_range());
        }
        list.unwrap_or_default()
    }

    /// A reference without calculations. Strings count in JSON only.
    pub fn static_traversal(&mut self, expr: &Expr) -> Option<Traversal> {
        let found = match self.is_native_string(expr) {
            true => None,
            false => expr.as_traversal(),
        };
        if found.is_none() && !(expr.json && matches!(expr.kind, ExprKind::Invalid)) {
            self.error("Invalid expression", NO_STATIC_REFERENCE, expr.range);
        }
        found
    }

    /// Like [`Reader::static_traversal`], but takes a native string too, as Terraform 0.11 wanted it, with a warning.
    pub fn static_traversal_or_quoted(&mut self, expr: &Expr) -> Option<Traversal> {
        match self.quoted_reference(expr) {
            None => self.static_traversal(expr),
            Some(Quoted::Reference(traversal)) => Some(traversal),
            Some(Quoted::Damaged) => None,
            Some(Quoted::Nothing) => {
                self.error("Invalid expression", NO_STATIC_REFERENCE, expr.range);
                None
            }
        }
    }

    /// The reference that a native string holds, with a warning; `None` for any other expression.
    pub fn quoted_reference(&mut self, expr: &Expr) -> Option<Quoted> {
        let quoted = self.quoted(expr)?;
        self.warning(
            "Quoted references are deprecated",
            "In this context, references are expected literally rather than in quotes. Terraform 0.11 and earlier \
             required quotes, but quoted references are now deprecated and will be removed in a future version of \
             Terraform. Remove the quotes surrounding this reference to silence this warning.",
            expr.range,
        );
        Some(quoted)
    }

    /// A keyword, also in quotes, with a warning for these.
    pub fn keyword(&mut self, expr: &Expr) -> Option<Str> {
        let Some(quoted) = self.quoted(expr) else { return expr.as_keyword().map(Str::from) };
        self.warning(
            "Quoted keywords are deprecated",
            "In this context, keywords are expected literally rather than in quotes. Terraform 0.11 and earlier \
             required quotes, but quoted keywords are now deprecated and will be removed in a future version of \
             Terraform. Remove the quotes surrounding this keyword to silence this warning.",
            expr.range,
        );
        match quoted {
            Quoted::Reference(traversal) if traversal.steps.is_empty() => Some(traversal.root),
            _ => None,
        }
    }

    fn quoted(&mut self, expr: &Expr) -> Option<Quoted> {
        if !self.is_native_string(expr) {
            return None;
        }
        let mut ignored = Diagnostics::new();
        let value = constant(expr, &mut ignored);
        let text = value.as_str().filter(|_| !ignored.has_errors())?;
        match expr.quoted_traversal(text) {
            Ok(traversal) => Some(Quoted::Reference(traversal)),
            Err(problems) => {
                self.diagnostics.append(problems);
                let begins = text.chars().next().is_some_and(|c| is_identifier(c.encode_utf8(&mut [0; 4])));
                Some(if begins { Quoted::Damaged } else { Quoted::Nothing })
            }
        }
    }

    /// `depends_on`
    pub fn depends_on(&mut self, attribute: Option<&Attribute>) -> Vec<Traversal> {
        let Some(attribute) = attribute else { return Vec::new() };
        let exprs = self.static_list(&attribute.expr);
        exprs.iter().filter_map(|expr| self.static_traversal_or_quoted(expr)).collect()
    }
}

/// Evaluates without references and functions.
pub(crate) fn constant(expr: &Expr, diagnostics: &mut Diagnostics) -> Value {
    eval::evaluate(expr, &eval::NoScope, diagnostics)
}
