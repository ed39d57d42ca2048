//! The syntax tree: expressions and bodies, the same for native syntax and JSON, with a range on every node.

use std::sync::Arc;

use crate::source::Range;
use crate::syntax::with_stack;
use crate::values::Number;
use crate::{Diagnostic, Diagnostics, Str};

/// An expression. Trees may be very deep: cloning and dropping take care of the stack, what walks them must too.
#[derive(Debug)]
pub struct Expr {
    /// The whole expression, without surrounding white space.
    pub range: Range,
    /// Whether it comes from JSON, where a string may stand for a name, a reference or a call: see [`Expr::as_keyword`],
    /// [`Expr::as_traversal`] and [`Expr::from_json_text`].
    pub json: bool,
    /// What it is.
    pub kind: ExprKind,
}

impl Expr {
    /// An expression of native syntax.
    pub fn new(range: Range, kind: ExprKind) -> Expr {
        Expr { range, json: false, kind }
    }
}

impl Clone for Expr {
    fn clone(&self) -> Expr {
        with_stack(|| Expr { range: self.range, json: self.json, kind: self.kind.clone() })
    }
}

impl Drop for Expr {
    fn drop(&mut self) {
        if !self.kind.is_leaf() {
            let kind = std::mem::replace(&mut self.kind, ExprKind::Invalid);
            with_stack(move || drop(kind));
        }
    }
}

/// The kinds of expressions.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `1.5e3`
    Number(Number),
    /// A string without interpolation: quoted, heredoc or from JSON. Escapes are resolved, the text is NFC.
    String(Str),
    /// A quoted string or heredoc with interpolations or directives.
    Template(Box<[TemplatePart]>),
    /// A string of JSON with interpolations or directives.
    JsonTemplate(Box<JsonTemplate>),
    /// `"${x}"`: the value itself, not converted to a string.
    TemplateWrap(Box<Expr>),
    /// `aws_vpc.main["a"].id`: a root name and static steps.
    Traversal(Box<Traversal>),
    /// Static steps on any other expression: `f(x).a[0]`.
    RelativeTraversal(Box<RelativeTraversal>),
    /// `collection[key]` with a key that is not a literal.
    Index(Box<IndexExpr>),
    /// `source[*].a` or `source.*.a`.
    Splat(Box<SplatExpr>),
    /// The element that a splat iterates over; only inside [`SplatExpr::each`].
    SplatItem,
    /// `f(a, b...)`
    Call(Box<CallExpr>),
    /// `-x`, `!x`
    Unary(Box<UnaryExpr>),
    /// `a + b`
    Binary(Box<BinaryExpr>),
    /// `c ? a : b`
    Conditional(Box<ConditionalExpr>),
    /// `[for …]`, `{for …}`
    For(Box<ForExpr>),
    /// `[a, b]`
    Tuple(Box<[Expr]>),
    /// `{a = b}`
    Object(Box<[ObjectItem]>),
    /// `(a)`
    Parens(Box<Expr>),
    /// Where the parser found no expression: evaluates to unknown without a further message.
    Invalid,
    /// An expression that breaks off: evaluates to unknown, and says again what the parser said.
    Broken(Box<Diagnostic>),
}

impl ExprKind {
    /// Whether it holds no other expression.
    fn is_leaf(&self) -> bool {
        matches!(
            self,
            ExprKind::Null
                | ExprKind::Bool(_)
                | ExprKind::Number(_)
                | ExprKind::String(_)
                | ExprKind::Traversal(_)
                | ExprKind::SplatItem
                | ExprKind::Invalid
                | ExprKind::Broken(_)
        )
    }
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum TemplatePart {
    /// Literal text, escapes resolved, strip markers and heredoc indentation applied.
    Literal(Str, Range),
    /// `${x}`
    Interpolation(Expr),
    /// `%{ if c }…%{ else }…%{ endif }`
    If(Box<TemplateIf>),
    /// `%{ for k, v in c }…%{ endfor }`
    For(Box<TemplateFor>),
}

impl Expr {
    /// Where HCL says that an expression starts: diagnostics about arguments and settings point there.
    pub fn start_range(&self) -> Range {
        let first_byte = Range { end: (self.range.start + 1).min(self.range.end), ..self.range };
        match &self.kind {
            ExprKind::For(_) | ExprKind::Tuple(_) | ExprKind::Object(_) => first_byte,
            _ if self.json => self.range,
            // The text begins after the quote; the end stands for one without text.
            ExprKind::String(text) if text.is_empty() => self.range.at_end(),
            ExprKind::String(_) if self.range.end - self.range.start >= 2 => {
                Range { start: self.range.start + 1, end: self.range.end - 1, ..self.range }
            }
            ExprKind::Template(parts) => match parts.first() {
                Some(TemplatePart::Literal(_, range)) => *range,
                Some(TemplatePart::Interpolation(expr)) => expr.start_range(),
                Some(TemplatePart::If(part)) => part.condition.start_range(),
                Some(TemplatePart::For(part)) => part.directive,
                None => self.range,
            },
            ExprKind::Parens(inner) => inner.start_range(),
            ExprKind::Binary(binary) => binary.left.start_range(),
            ExprKind::Conditional(conditional) => conditional.condition.start_range(),
            ExprKind::Unary(unary) => unary.operator_range,
            ExprKind::Splat(splat) => splat.marker,
            ExprKind::Index(index) => Range { end: index.brackets.start + 1, ..index.brackets },
            ExprKind::Call(call) => Range { end: call.name_range.end + 1, ..call.name_range },
            _ => self.range,
        }
    }
}

/// A string of JSON that is a template where names mean something. Where only constants may stand it is plain text.
#[derive(Clone, Debug)]
pub struct JsonTemplate {
    /// The text as it is.
    pub text: Str,
    /// What it is as a template; [`ExprKind::Invalid`] if it is none.
    pub template: Expr,
    /// Why it is none: told when it is evaluated, not before.
    pub problems: Diagnostics,
}

/// A conditional directive.
#[derive(Clone, Debug)]
pub struct TemplateIf {
    /// From `%{ if` to the end of `%{ endif }`.
    pub range: Range,
    /// The condition.
    pub condition: Expr,
    /// Parts when true.
    pub then: Box<[TemplatePart]>,
    /// Parts when false.
    pub otherwise: Box<[TemplatePart]>,
}

/// A loop directive.
#[derive(Clone, Debug)]
pub struct TemplateFor {
    /// `%{ for … }` alone.
    pub directive: Range,
    /// From `%{ for` to the end of `%{ endfor }`.
    pub range: Range,
    /// Name of the key variable.
    pub key: Option<Str>,
    /// Name of the value variable.
    pub value: Str,
    /// What is iterated over.
    pub collection: Expr,
    /// Parts of each round.
    pub body: Box<[TemplatePart]>,
}

/// A root name followed by static steps.
#[derive(Clone, Debug)]
pub struct Traversal {
    /// The whole of it.
    pub range: Range,
    /// `aws_vpc`
    pub root: Str,
    /// The range of the root name.
    pub root_range: Range,
    /// `.main`, `["a"]`, `.id`
    pub steps: Box<[Step]>,
}

/// One static step.
#[derive(Clone, Debug)]
pub struct Step {
    /// With its dot or brackets.
    pub range: Range,
    /// What it is.
    pub kind: StepKind,
}

/// The kinds of static steps.
#[derive(Clone, Debug, PartialEq)]
pub enum StepKind {
    /// `.name`
    Attribute(Str),
    /// `["name"]`
    Key(Str),
    /// `[0]`, and the legacy `.0`
    Index(Number),
}

/// Steps on an expression.
#[derive(Clone, Debug)]
pub struct RelativeTraversal {
    /// The expression.
    pub source: Expr,
    /// The steps.
    pub steps: Box<[Step]>,
}

/// `collection[key]`
#[derive(Clone, Debug)]
pub struct IndexExpr {
    /// What is indexed.
    pub collection: Expr,
    /// The key.
    pub key: Expr,
    /// From `[` to `]`.
    pub brackets: Range,
}

/// A splat.
#[derive(Clone, Debug)]
pub struct SplatExpr {
    /// What is iterated over.
    pub source: Expr,
    /// What is done with each element, on [`ExprKind::SplatItem`].
    pub each: Expr,
    /// `[*]` or `.*`
    pub marker: Range,
}

/// A function call.
#[derive(Clone, Debug)]
pub struct CallExpr {
    /// `cidrsubnet`, `provider::terraform::encode_tfvars`
    pub name: Str,
    /// The range of the name.
    pub name_range: Range,
    /// The arguments.
    pub arguments: Box<[Expr]>,
    /// Whether the last argument is followed by `...`.
    pub expand_last: bool,
    /// The closing parenthesis.
    pub close: Range,
}

/// `-` and `!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// `-`
    Negate,
    /// `!`
    Not,
}

/// A unary operation.
#[derive(Clone, Debug)]
pub struct UnaryExpr {
    /// Which.
    pub operator: UnaryOperator,
    /// Where the operator stands.
    pub operator_range: Range,
    /// On what.
    pub operand: Expr,
}

/// Binary operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A binary operation.
#[derive(Clone, Debug)]
pub struct BinaryExpr {
    /// Which.
    pub operator: BinaryOperator,
    /// The left operand.
    pub left: Expr,
    /// The right operand.
    pub right: Expr,
}

/// `condition ? then : otherwise`
#[derive(Clone, Debug)]
pub struct ConditionalExpr {
    /// The condition.
    pub condition: Expr,
    /// When true.
    pub then: Expr,
    /// When false.
    pub otherwise: Expr,
}

/// A `for` expression; with `key` it makes an object, without a tuple.
#[derive(Clone, Debug)]
pub struct ForExpr {
    /// Name of the key variable.
    pub key_name: Option<Str>,
    /// Name of the value variable.
    pub value_name: Str,
    /// What is iterated over.
    pub collection: Expr,
    /// `key =>`
    pub key: Option<Expr>,
    /// The value of each round.
    pub value: Expr,
    /// `if`
    pub condition: Option<Expr>,
    /// Whether `...` groups the values of equal keys.
    pub group: bool,
}

/// `key = value` in an object.
#[derive(Clone, Debug)]
pub struct ObjectItem {
    /// The key. A bare name is [`ExprKind::Traversal`] without steps inside [`ObjectKey::Name`].
    pub key: ObjectKey,
    /// The value.
    pub value: Expr,
}

/// The key of an object item.
#[derive(Clone, Debug)]
pub enum ObjectKey {
    /// A bare name, taken literally.
    Name(Str, Range),
    /// Anything else: a string, a template, `(expression)`; also a bare traversal like `a.b`, which is an error
    /// ("Ambiguous attribute key") on evaluation.
    Expr(Expr),
}

/// A body: the content of a file or block.
#[derive(Clone, Debug)]
pub enum Body {
    /// From native syntax: what is an attribute and what is a block is plain from the text.
    Native(Arc<NativeBody>),
    /// From JSON: a property is an attribute or a block as the reader's schema says. See [`Body::content`].
    Json(JsonBody),
}

/// A native body, items in source order.
#[derive(Clone, Debug)]
pub struct NativeBody {
    /// From the opening to the closing brace, or the whole file.
    pub range: Range,
    /// `name = value`
    pub attributes: Vec<Attribute>,
    /// `name "label" { … }`
    pub blocks: Vec<Block>,
    /// Set where another body was merged over it: the arguments that this one alone has. A required argument must be in the
    /// first body all the same, and what no schema asks for is passed over.
    pub merged: Option<Arc<[Str]>>,
}

impl Drop for NativeBody {
    fn drop(&mut self) {
        if !self.blocks.is_empty() {
            with_stack(|| self.blocks.clear());
        }
    }
}

/// A JSON object (or array of objects) read as a body.
#[derive(Clone, Debug)]
pub struct JsonBody {
    /// The object or array.
    pub range: Range,
    /// Its value.
    pub value: Arc<JsonNode>,
    /// Names that an earlier [`Body::partial_content`] took.
    pub hidden: Arc<[Str]>,
    /// Whether it was put together from several bodies: what no schema asks for is passed over then.
    pub merged: bool,
}

/// JSON with ranges. Cloning shares what is inside.
#[derive(Clone, Debug)]
pub struct JsonNode {
    /// The node.
    pub range: Range,
    /// What it is.
    pub kind: JsonKind,
}

impl Drop for JsonNode {
    fn drop(&mut self) {
        if matches!(self.kind, JsonKind::Array(_) | JsonKind::Object(_)) {
            let kind = std::mem::replace(&mut self.kind, JsonKind::Invalid);
            with_stack(move || drop(kind));
        }
    }
}

/// The kinds of JSON nodes.
#[derive(Clone, Debug)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string, escapes resolved; read as a template when it is evaluated.
    String(Str),
    /// An array.
    Array(Arc<[JsonNode]>),
    /// An object in source order, duplicates kept.
    Object(Arc<[JsonProperty]>),
    /// What could not be read; a message was given.
    Invalid,
}

/// A property of a JSON object.
#[derive(Clone, Debug)]
pub struct JsonProperty {
    /// Its name.
    pub name: Str,
    /// The name's range, with quotes.
    pub name_range: Range,
    /// Its value.
    pub value: JsonNode,
}

/// `name = expression`
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Str,
    /// The name's range.
    pub name_range: Range,
    /// The whole attribute.
    pub range: Range,
    /// Its value.
    pub expr: Arc<Expr>,
}

/// `kind "label" { … }`
#[derive(Clone, Debug)]
pub struct Block {
    /// `resource`
    pub kind: Str,
    /// The range of the kind.
    pub kind_range: Range,
    /// The labels.
    pub labels: Vec<Label>,
    /// From the kind to the last label: what diagnostics point at.
    pub header: Range,
    /// From the kind to the closing brace.
    pub range: Range,
    /// What is inside.
    pub body: Body,
}

/// A label of a block.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its text.
    pub text: Str,
    /// With quotes, if it has them.
    pub range: Range,
}

/// What a reader expects in a body.
#[derive(Clone, Debug, Default)]
pub struct BodySchema {
    /// Attributes: name and whether it must be there.
    pub attributes: Vec<(Str, bool)>,
    /// Blocks: type and names of the labels.
    pub blocks: Vec<(Str, Vec<Str>)>,
}

/// What was found in a body.
#[derive(Clone, Debug)]
pub struct Content {
    /// Attributes in source order.
    pub attributes: Vec<Attribute>,
    /// Blocks in source order.
    pub blocks: Vec<Block>,
    /// Where to say that something is missing.
    pub missing: Range,
}

impl Content {
    /// The attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name == name)
    }

    /// The blocks of type `kind`.
    pub fn blocks<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> + 'a {
        self.blocks.iter().filter(move |b| b.kind == kind)
    }
}
