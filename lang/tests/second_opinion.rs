//! What `hcl-rs`, another reader of the same syntax, sees in texts that both take: the structure and the literals must be the same.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail as the test does")]

use std::path::{Path, PathBuf};

use hcl::expr::{Expression, ObjectKey as TheirKey, Operation, TemplateExpr, TraversalOperator};
use hcl::structure::Structure;
use hcl::template::{Directive, Element, Template};
use lang::Sources;
use lang::ast::{Body, Expr, ExprKind, ObjectKey, Step, StepKind, TemplatePart};
use lang::syntax::{parse_expression, parse_file};

/// A tree with names, the form in which both are compared.
fn node(name: &str, parts: impl IntoIterator<Item = String>) -> String {
    format!("({name} {})", parts.into_iter().collect::<Vec<_>>().join(" "))
}

fn number(value: f64) -> String {
    format!("{value:?}")
}

fn our_body(body: &Body) -> String {
    let Body::Native(body) = body else { panic!("native syntax expected") };
    let attributes = body.attributes.iter().map(|a| (a.range.start, node(&a.name, [ours(&a.expr)])));
    let blocks = body.blocks.iter().map(|block| {
        let labels: Vec<String> = block.labels.iter().map(|label| format!("{:?}", label.text.as_str())).collect();
        (block.range.start, node("block", [block.kind.to_string(), labels.join(" "), our_body(&block.body)]))
    });
    let mut items: Vec<_> = attributes.chain(blocks).collect();
    items.sort();
    node("body", items.into_iter().map(|(_, item)| item))
}

fn their_body(body: &hcl::Body) -> String {
    node(
        "body",
        body.iter().map(|item| match item {
            Structure::Attribute(attribute) => node(&attribute.key, [theirs(&attribute.expr)]),
            Structure::Block(block) => {
                let labels: Vec<String> = block.labels.iter().map(|label| format!("{:?}", label.as_str())).collect();
                node("block", [block.identifier.to_string(), labels.join(" "), their_body(&block.body)])
            }
        }),
    )
}

/// An expression as we read it. Brackets around expressions are left out: they show in how others nest.
fn ours(expr: &Expr) -> String {
    let all = |items: &[Expr]| items.iter().map(ours).collect::<Vec<_>>();
    match &expr.kind {
        ExprKind::Null => "null".to_owned(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Number(value) => number(value.to_string().parse().unwrap()),
        ExprKind::String(text) => format!("{:?}", text.as_str()),
        ExprKind::Template(parts) => match &**parts {
            [TemplatePart::Literal(text, _)] => format!("{:?}", text.as_str()),
            parts => our_template(parts),
        },
        ExprKind::TemplateWrap(inner) => node("template", [node("$", [ours(inner)])]),
        ExprKind::Traversal(traversal) => our_steps(traversal.root.to_string(), &traversal.steps),
        ExprKind::RelativeTraversal(relative) => our_steps(ours(&relative.source), &relative.steps),
        ExprKind::Index(index) => node("[]", [ours(&index.collection), ours(&index.key)]),
        ExprKind::Splat(splat) => {
            // What follows a splat is read from inside out; the other reader has one list of steps.
            let marker = splat.marker.end - splat.marker.start;
            let each = ours(&splat.each);
            each.replacen("_item", &node(if marker == 2 { ".*" } else { "[*]" }, [ours(&splat.source)]), 1)
        }
        ExprKind::SplatItem => "_item".to_owned(),
        ExprKind::Call(call) => {
            let expand = call.expand_last.then(|| "...".to_owned());
            node("call", [call.name.to_string()].into_iter().chain(all(&call.arguments)).chain(expand))
        }
        ExprKind::Unary(unary) => node(&format!("{:?}", unary.operator), [ours(&unary.operand)]),
        ExprKind::Binary(binary) => node(&format!("{:?}", binary.operator), [ours(&binary.left), ours(&binary.right)]),
        ExprKind::Conditional(c) => node("if", [ours(&c.condition), ours(&c.then), ours(&c.otherwise)]),
        ExprKind::For(each) => {
            let names = each.key_name.iter().chain([&each.value_name]).map(|name| name.to_string());
            let parts = [&each.key, &Some(each.value.clone()), &each.condition]
                .map(|part| part.as_ref().map_or("-".to_owned(), ours));
            let group = if each.group { "..." } else { "" };
            node("for", names.chain([ours(&each.collection)]).chain(parts).chain([group.to_owned()]))
        }
        ExprKind::Tuple(elements) => node("tuple", all(elements)),
        ExprKind::Object(items) => node(
            "object",
            items.iter().map(|item| {
                let key = match &item.key {
                    ObjectKey::Name(name, _) => format!("{:?}", name.as_str()),
                    ObjectKey::Expr(key) => ours(key),
                };
                node(&key, [ours(&item.value)])
            }),
        ),
        ExprKind::Parens(inner) => ours(inner),
        ExprKind::JsonTemplate(_) | ExprKind::Invalid | ExprKind::Broken(_) => panic!("not in sound native syntax"),
    }
}

fn our_steps(source: String, steps: &[Step]) -> String {
    steps.iter().fold(source, |source, step| match &step.kind {
        StepKind::Attribute(name) => node(".", [source, name.to_string()]),
        StepKind::Key(key) => node("[]", [source, format!("{:?}", key.as_str())]),
        StepKind::Index(index) => node("[]", [source, number(index.to_string().parse().unwrap())]),
    })
}

fn our_template(parts: &[TemplatePart]) -> String {
    node(
        "template",
        parts.iter().map(|part| match part {
            TemplatePart::Literal(text, _) => format!("{:?}", text.as_str()),
            TemplatePart::Interpolation(inner) => node("$", [ours(inner)]),
            TemplatePart::If(part) => {
                node("%if", [ours(&part.condition), our_template(&part.then), our_template(&part.otherwise)])
            }
            TemplatePart::For(part) => {
                let names = part.key.iter().chain([&part.value]).map(|name| name.to_string());
                node("%for", names.chain([ours(&part.collection), our_template(&part.body)]))
            }
        }),
    )
}

/// An expression as `hcl-rs` reads it.
fn theirs(expr: &Expression) -> String {
    match expr {
        Expression::Null => "null".to_owned(),
        Expression::Bool(value) => value.to_string(),
        Expression::Number(value) => number(value.as_f64().unwrap()),
        Expression::String(text) => format!("{text:?}"),
        Expression::TemplateExpr(template) => match (&**template, Template::from_expr(template).unwrap()) {
            (TemplateExpr::Heredoc(_), template) if template.elements().len() == 1 => match &template.elements()[0] {
                Element::Literal(text) => format!("{text:?}"),
                _ => their_template(&template),
            },
            (_, template) => their_template(&template),
        },
        Expression::Variable(name) => name.to_string(),
        Expression::Traversal(traversal) => {
            traversal.operators.iter().fold(theirs(&traversal.expr), |source, step| match step {
                TraversalOperator::GetAttr(name) => node(".", [source, name.to_string()]),
                TraversalOperator::Index(key) => node("[]", [source, theirs(key)]),
                TraversalOperator::LegacyIndex(index) => node("[]", [source, number(*index as f64)]),
                TraversalOperator::AttrSplat => node(".*", [source]),
                TraversalOperator::FullSplat => node("[*]", [source]),
            })
        }
        Expression::FuncCall(call) => {
            let expand = call.expand_final.then(|| "...".to_owned());
            node("call", [call.name.to_string()].into_iter().chain(call.args.iter().map(theirs)).chain(expand))
        }
        Expression::Parenthesis(inner) => theirs(inner),
        Expression::Conditional(c) => node("if", [&c.cond_expr, &c.true_expr, &c.false_expr].map(theirs)),
        Expression::Operation(operation) => match &**operation {
            Operation::Unary(unary) => {
                let name = if unary.operator == hcl::expr::UnaryOperator::Neg { "Negate" } else { "Not" };
                // A minus before a number is a part of the number for some readers.
                node(name, [theirs(&unary.expr)])
            }
            Operation::Binary(binary) => {
                use hcl::expr::BinaryOperator as B;
                let name = match binary.operator {
                    B::Eq => "Equal",
                    B::NotEq => "NotEqual",
                    B::LessEq => "LessOrEqual",
                    B::GreaterEq => "GreaterOrEqual",
                    B::Less => "Less",
                    B::Greater => "Greater",
                    B::Plus => "Add",
                    B::Minus => "Subtract",
                    B::Mul => "Multiply",
                    B::Div => "Divide",
                    B::Mod => "Modulo",
                    B::And => "And",
                    B::Or => "Or",
                };
                node(name, [theirs(&binary.lhs_expr), theirs(&binary.rhs_expr)])
            }
        },
        Expression::ForExpr(each) => {
            let names = each.key_var.iter().chain([&each.value_var]).map(|name| name.to_string());
            let parts = [each.key_expr.as_ref(), Some(&each.value_expr), each.cond_expr.as_ref()];
            let parts = parts.map(|part| part.map_or("-".to_owned(), theirs));
            let group = if each.grouping { "..." } else { "" };
            node("for", names.chain([theirs(&each.collection_expr)]).chain(parts).chain([group.to_owned()]))
        }
        Expression::Array(elements) => node("tuple", elements.iter().map(theirs)),
        Expression::Object(items) => node(
            "object",
            items.iter().map(|(key, value)| {
                let key = match key {
                    TheirKey::Identifier(name) => format!("{:?}", name.as_str()),
                    TheirKey::Expression(key) => theirs(key),
                    other => panic!("{other:?}"),
                };
                node(&key, [theirs(value)])
            }),
        ),
        other => panic!("{other:?}"),
    }
}

fn their_template(template: &Template) -> String {
    node(
        "template",
        template.elements().iter().map(|element| match element {
            Element::Literal(text) => format!("{text:?}"),
            Element::Interpolation(inner) => node("$", [theirs(&inner.expr)]),
            Element::Directive(directive) => match &**directive {
                Directive::If(part) => {
                    let otherwise = part.false_template.as_ref().map_or_else(|| node("template", []), their_template);
                    node("%if", [theirs(&part.cond_expr), their_template(&part.true_template), otherwise])
                }
                Directive::For(part) => {
                    let names = part.key_var.iter().chain([&part.value_var]).map(|name| name.to_string());
                    node("%for", names.chain([theirs(&part.collection_expr), their_template(&part.template)]))
                }
            },
        }),
    )
}

/// Where two trees part.
fn difference(text: &str, source: &str, ours: String, theirs: String) -> Option<String> {
    // What `~` takes away they take away when they evaluate: white space tells nothing then.
    let has_markers = source.contains("~}") || source.contains("{~");
    let bare = |tree: String| match has_markers {
        true => tree.replace("\\n", "").replace(' ', "").replace("\"\"", ""),
        false => tree,
    };
    let (ours, theirs) = (bare(ours), bare(theirs));
    let at = ours.bytes().zip(theirs.bytes()).position(|(a, b)| a != b);
    let at = at.or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())))?;
    let around = |tree: &str| {
        String::from_utf8_lossy(&tree.as_bytes()[at.saturating_sub(60)..(at + 60).min(tree.len())]).into_owned()
    };
    Some(format!("{text}\n  ours:   {}\n  theirs: {}", around(&ours), around(&theirs)))
}

fn compare_body(name: &str, text: &str) -> Option<Option<String>> {
    let (body, _, diagnostics) = parse_file(&Sources::new(), Path::new(name), text.as_bytes());
    let theirs = hcl::parse(text).ok().filter(|_| diagnostics.is_empty())?;
    Some(difference(name, text, our_body(&body), their_body(&theirs)))
}

fn compare_expression(text: &str) -> Option<Option<String>> {
    let (expr, diagnostics) = parse_expression(&Sources::new(), "test", text);
    let theirs_read: Expression = text.trim().parse().ok().filter(|_| diagnostics.is_empty())?;
    Some(difference(text, text, ours(&expr), theirs(&theirs_read)))
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with(".terraform") {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

fn texts(folders: &[&str], ending: &str) -> Vec<(String, String)> {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("..");
    let mut found = Vec::new();
    folders.iter().for_each(|folder| files(&root.join(folder), ending, &mut found));
    found.sort();
    let read = |path: &PathBuf| Some((path.display().to_string(), std::fs::read_to_string(path).ok()?));
    found.iter().filter_map(read).collect()
}

fn report(outcomes: &[Option<Option<String>>], least: usize) {
    let compared = outcomes.iter().flatten().count();
    let differences: Vec<&String> = outcomes.iter().flatten().flatten().collect();
    differences.iter().for_each(|difference| println!("DIFFERENCE {difference}"));
    assert!(differences.is_empty(), "{} differences", differences.len());
    assert!(compared >= least, "only {compared} texts of {} were taken by both", outcomes.len());
}

#[test]
fn configurations_have_the_same_structure() {
    let texts = texts(&["examples", "modules", "fuzz/seeds"], ".tf");
    let outcomes: Vec<_> = texts.iter().map(|(name, text)| compare_body(name, text)).collect();
    report(&outcomes, texts.len() / 2);
}

#[test]
fn expressions_have_the_same_structure() {
    let mut all: Vec<String> = texts(&["fuzz/seeds/evaluate"], ".txt").into_iter().map(|(_, text)| text).collect();
    all.extend(EXPRESSIONS.iter().map(|text| (*text).to_owned()));
    // What stands alone also stands in others.
    let simple = ["a", "1.5", "\"x${a}\"", "f(1)", "[1]", "-b", "(c)", "d.e[0]", "!g"];
    for left in simple {
        for operator in ["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"] {
            for right in simple {
                all.push(format!("{left} {operator} {right} * 2 == {right} {operator} {left}"));
                all.push(format!("{left} {operator} {right} ? [{right}] : {{ k = {left} }}"));
            }
        }
    }
    let outcomes: Vec<_> = all.iter().map(|text| compare_expression(text)).collect();
    report(&outcomes, all.len() * 3 / 4);
}

const EXPRESSIONS: &[&str] = &[
    "null",
    "1e3",
    "0.1",
    "12345678901",
    r#""a\n\t\"\\\u00e9""#,
    r#""$${a} %%{b} $x""#,
    r#""${a}""#,
    r#""a${b}c${d.e}""#,
    r#""%{ if a }b%{ else }c%{ endif }""#,
    r#""%{ for k, v in m ~} ${k} %{~ endfor }""#,
    "a.b.c",
    "a[0].b[\"k\"][c]",
    "a.*.b",
    "a[*].b.c",
    "a[*][0]",
    "f(a).b",
    "f(a, b...)",
    "a::b::c(1)",
    "[for x in y : x]",
    "[for i, x in y : x if i > 0]",
    "{ for k, v in m : k => v }",
    "{ for k, v in m : v => k... if k != \"\" }",
    "{ a = 1, \"b c\" = 2, (d) = 3, e : 4 }",
    "a ? b : c ? d : e",
    "a || b && c == d",
    "!a && -b < c",
    "(1 + 2) * 3",
    "1 - 2 - 3",
    "2 * 3 % 4",
    "<<EOT\ntext ${a}\n  more\nEOT\n",
    "<<-EOT\n    text\n      more\n    EOT\n",
];
