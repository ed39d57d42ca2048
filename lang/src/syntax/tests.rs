//! Tables of sharp cases.

use std::path::Path;

use crate::Diagnostics;
use crate::ast::{Body, Expr, ExprKind, ObjectKey, Step, StepKind, TemplatePart, Traversal};
use crate::source::{Range, Sources};

/// Summaries with `line:column` of where they are.
fn places(sources: &Sources, diagnostics: &Diagnostics) -> Vec<String> {
    let place = |range: Range| {
        let position = sources.get(range.file).unwrap().position(range.start);
        format!("{}:{}", position.line, position.column)
    };
    diagnostics.iter().map(|d| format!("{} {}", place(d.subject().unwrap()), d.summary())).collect()
}

fn native(text: &str) -> (Body, Vec<String>) {
    let sources = Sources::new();
    let (body, _, diagnostics) = super::parse_file(&sources, Path::new("main.tf"), text.as_bytes());
    (body, places(&sources, &diagnostics))
}

fn errors(text: &str) -> Vec<String> {
    native(text).1
}

fn expression(text: &str) -> Expr {
    let (expr, diagnostics) = super::parse_expression(&Sources::new(), "test", text);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    expr
}

/// The structure of an expression, fully bracketed.
fn shape(expr: &Expr) -> String {
    let list = |items: &[Expr]| items.iter().map(shape).collect::<Vec<_>>().join(", ");
    match &expr.kind {
        ExprKind::Null => "null".into(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Number(number) => number.to_string(),
        ExprKind::String(text) => format!("{text:?}"),
        ExprKind::Template(parts) => format!("`{}`", template_shape(parts)),
        ExprKind::JsonTemplate(template) => format!("json({})", shape(&template.template)),
        ExprKind::TemplateWrap(inner) => format!("wrap({})", shape(inner)),
        ExprKind::Traversal(traversal) => traversal_shape(traversal),
        ExprKind::RelativeTraversal(relative) => format!("{}{}", shape(&relative.source), steps_shape(&relative.steps)),
        ExprKind::Index(index) => format!("{}[{}]", shape(&index.collection), shape(&index.key)),
        ExprKind::Splat(splat) => format!("splat({}, {})", shape(&splat.source), shape(&splat.each)),
        ExprKind::SplatItem => "_".into(),
        ExprKind::Call(call) => {
            format!("{}({}{})", call.name, list(&call.arguments), if call.expand_last { "..." } else { "" })
        }
        ExprKind::Unary(unary) => format!("({:?} {})", unary.operator, shape(&unary.operand)),
        ExprKind::Binary(binary) => format!("({} {:?} {})", shape(&binary.left), binary.operator, shape(&binary.right)),
        ExprKind::Conditional(c) => format!("({} ? {} : {})", shape(&c.condition), shape(&c.then), shape(&c.otherwise)),
        ExprKind::For(each) => {
            let key = each.key.as_ref().map(|key| format!("{} => ", shape(key))).unwrap_or_default();
            let condition = each.condition.as_ref().map(|c| format!(" if {}", shape(c))).unwrap_or_default();
            let names =
                each.key_name.iter().chain([&each.value_name]).map(|n| n.as_str()).collect::<Vec<_>>().join(", ");
            let group = if each.group { "..." } else { "" };
            format!("<for {names} in {}: {key}{}{group}{condition}>", shape(&each.collection), shape(&each.value))
        }
        ExprKind::Tuple(elements) => format!("[{}]", list(elements)),
        ExprKind::Object(items) => {
            let item = |key: &ObjectKey| match key {
                ObjectKey::Name(name, _) => name.to_string(),
                ObjectKey::Expr(key) => shape(key),
            };
            let items: Vec<String> = items.iter().map(|i| format!("{} = {}", item(&i.key), shape(&i.value))).collect();
            format!("{{{}}}", items.join(", "))
        }
        ExprKind::Parens(inner) => format!("p({})", shape(inner)),
        ExprKind::Invalid | ExprKind::Broken(_) => "invalid".into(),
    }
}

fn template_shape(parts: &[TemplatePart]) -> String {
    let part = |part: &TemplatePart| match part {
        TemplatePart::Literal(text, _) => format!("<{text}>"),
        TemplatePart::Interpolation(inner) => format!("${{{}}}", shape(inner)),
        TemplatePart::If(directive) => format!(
            "%{{if {}}}{}%{{else}}{}%{{endif}}",
            shape(&directive.condition),
            template_shape(&directive.then),
            template_shape(&directive.otherwise)
        ),
        TemplatePart::For(directive) => {
            format!(
                "%{{for {} in {}}}{}",
                directive.value,
                shape(&directive.collection),
                template_shape(&directive.body)
            )
        }
    };
    parts.iter().map(part).collect()
}

fn traversal_shape(traversal: &Traversal) -> String {
    format!("{}{}", traversal.root, steps_shape(&traversal.steps))
}

fn steps_shape(steps: &[Step]) -> String {
    let step = |step: &Step| match &step.kind {
        StepKind::Attribute(name) => format!(".{name}"),
        StepKind::Key(key) => format!("[{key:?}]"),
        StepKind::Index(index) => format!("[{index}]"),
    };
    steps.iter().map(step).collect()
}

#[test]
fn expressions_have_hcl_structure() {
    for (text, expected) in [
        ("1 + 2 * 3 - 4", "((1 Add (2 Multiply 3)) Subtract 4)"),
        ("a || b && !c == d", "(a Or (b And ((Not c) Equal d)))"),
        ("-a.b + 1", "((Negate a.b) Add 1)"),
        ("a ? b : c ? d : e", "(a ? b : (c ? d : e))"),
        ("a\n? b\n: c", "(a ? b : c)"),
        ("a.b[0][\"k\"].0[x]", "a.b[0][\"k\"][0][x]"),
        ("f(x, y...).a", "f(x, y...).a"),
        ("f(x,\n y,\n)", "f(x, y)"),
        ("provider::t::f(1)", "provider::t::f(1)"),
        ("a.*.b[0]", "splat(a, _.b)[0]"),
        ("a[*].b[0].c", "splat(a, _.b[0].c)"),
        ("a.*.b.0", "splat(a, _.b[0])"),
        ("a[*].b[*].c", "splat(a, splat(_.b, _.c))"),
        ("[\n1,\n2\n]", "[1, 2]"),
        ("{ a = 1, \"b\" : 2\n(c) = 3\n null = 4 }", "{a = 1, \"b\" = 2, p(c) = 3, null = 4}"),
        ("[for\nk, v\nin m\n: v\nif v]", "<for k, v in m: v if v>"),
        ("{\nfor x in y : x.a\n=> x... }", "<for x in y: x.a => x...>"),
        ("(a\n+\nb)", "p((a Add b))"),
        ("true.a", "true.a"),
        ("\"a$${b}%%{c}\\u00e9\\n$ %\"", "\"a${b}%{c}é\\n$ %\""),
        ("\"$$${a}\"", "\"$${a}\""),
        ("\"${a}\"", "wrap(a)"),
        ("\"x${a}${b}y\"", "`<x>${a}${b}<y>`"),
        ("\" ${~ a ~} y\"", "`<>${a}<y>`"),
        ("\"%{ if a }b%{ else }c%{ endif }\"", "`%{if a}<b>%{else}<c>%{endif}`"),
        ("\"%{ for x in y ~} z%{ endfor }\"", "`%{for x in y}<z>`"),
        ("\"%{\nif a\n}b%{ endif }\"", "`%{if a}<b>%{else}%{endif}`"),
        ("\"\"", "\"\""),
        ("\"${\"${a}\"}b\"", "`${wrap(a)}<b>`"),
        ("<<EOT\na\n  b\nEOT\n", "`<a\n  b\n>`"),
        ("<<-EOT\n    a\n\n      b\n    EOT\n", "`<a\n\n  b\n>`"),
        ("<<-EOT\r\n  a${x}\r\n   b\r\n  EOT\r\n", "`<a>${x}<\r\n b\r\n>`"),
        ("<<EOT\nEOTX\n EOT\n", "`<EOTX\n>`"),
        ("\"e\u{301}\"", "\"é\""),
        ("1.5e3", "1500"),
    ] {
        assert_eq!(shape(&expression(text)), expected, "{text}");
    }
}

#[test]
fn mistakes_are_reported_where_hcl_reports_them() {
    for (text, expected) in [
        ("a = 1 b = 2\nc = 3", &["1:7 Missing newline after argument"][..]),
        ("a = 1,\n", &["1:6 Unexpected comma after argument"]),
        ("a = \nb = 1", &["1:5 Invalid expression"]),
        ("a =", &["1:4 Missing expression"]),
        ("a = \"x\n\"", &["1:7 Invalid multi-line string", "1:7 Unterminated template string"]),
        ("a {", &["1:3 Unclosed configuration block"]),
        ("a = 1\na = 2", &["2:1 Attribute redefined"]),
        ("a b\n{}", &["1:4 Invalid block definition"]),
        ("a { b = 1, c = 2 }\n", &["1:10 Invalid single-argument block definition"]),
        ("a { b {} }\n", &["1:5 Argument definition required"]),
        ("\"a\" = 1", &["1:1 Invalid argument name"]),
        ("a = [1 2]\nb = {c d}\n", &["1:8 Missing item separator"]),
        ("a = <<EOT\nx\nEOT", &["3:4 Unterminated template string"]),
        ("a = \"\\q\"\nb = 'x'", &["2:5 Invalid character", "1:6 Invalid escape sequence", "2:5 Invalid expression"]),
        ("a = b.0.1", &["1:7 Invalid legacy index syntax"]),
        ("a = b.*.c.*.d", &["1:11 Nested splat expression not allowed"]),
        ("a = f(1 2)", &["1:9 Missing argument separator"]),
        ("a = f(1", &["1:5 Unterminated function call"]),
        ("a = \"${b\"", &["1:6 Unclosed template interpolation sequence"]),
        ("a = \"%{ if x }y\"", &["1:16 Unexpected end of template"]),
        ("a = \"%{ fi x }y\"", &["1:9 Invalid template control keyword"]),
        ("a = 1.2.3", &["1:5 Invalid number literal"]),
    ] {
        assert_eq!(errors(text), expected, "{text}");
    }
}

#[test]
fn references_leave_out_bound_names() {
    let expr = expression(
        "[for k, v in var.m : \"${k}${v.x}${w.y}%{for a in b}${a}${k}%{endfor}\" if v] == f(k, local.z[i.j])",
    );
    let found: Vec<String> = expr.traversals().into_iter().map(traversal_shape).collect();
    assert_eq!(found, ["var.m", "w.y", "b", "k", "local.z", "i.j"]);
    assert_eq!(expr.function_calls().len(), 1);
}

#[test]
fn deep_nesting_neither_crashes_nor_overflows() {
    for (open, close) in [
        ("[", "]"),
        ("(", ")"),
        ("-", ""),
        ("{a=", "}"),
        ("f(", ")"),
        ("\"${", "}\""),
        ("a[", "]"),
        ("[for x in ", ":1]"),
    ] {
        let depth = 20_000;
        let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let expr = expression(&text);
        assert_eq!(expr.clone().traversals().len(), if open == "a[" { depth } else { 0 });
    }
    let sum = expression(&vec!["1"; 50_000].join("+"));
    assert!(sum.traversals().is_empty());
    let (_, found) = native(&format!("{}{}", "a {\n".repeat(20_000), "}\n".repeat(20_000)));
    assert!(found.is_empty(), "{found:?}");
    let (_, found) = native(&format!("a = {}", "[".repeat(300_000)));
    assert_eq!(found.first().map(String::as_str), Some("1:100005 Nesting too deep"));
}

#[test]
fn json_is_read_by_schema() {
    let sources = Sources::new();
    let text = r#"{"//": "x", "resource": {"a": {"b": {"n": "${var.x}", "l": ["p", 1]}, "c": [{}, {}]}}, "z": 1}"#;
    let (body, _, diagnostics) = super::parse_json_file(&sources, Path::new("main.tf.json"), text.as_bytes());
    assert!(diagnostics.is_empty());
    let blocks = vec![("resource".into(), vec!["type".into(), "name".into()])];
    let schema = crate::ast::BodySchema { attributes: Vec::new(), blocks };
    let (content, diagnostics) = body.content(&schema);
    assert_eq!(places(&sources, &diagnostics), ["1:88 Extraneous JSON object property"]);
    let labels: Vec<&str> = content.blocks.iter().map(|b| b.labels[1].text.as_str()).collect();
    assert_eq!(labels, ["b", "c", "c"]);
    let (attributes, _) = content.blocks[0].body.just_attributes();
    let shapes: Vec<String> = attributes.iter().map(|a| shape(&a.expr)).collect();
    assert_eq!(shapes, ["json(wrap(var.x))", "[\"p\", 1]"]);
}

#[test]
fn json_mistakes_are_reported_where_hcl_reports_them() {
    for (text, expected) in [
        ("{\"a\": 1,}", &["1:8 Trailing comma in object", "1:1 Root value must be object"][..]),
        ("{\"a\" = 1}", &["1:6 Missing property value colon", "1:1 Root value must be object"]),
        ("{\"a\": tru}", &["1:7 Invalid JSON keyword"]),
        ("{\"a\": 01}", &["1:7 Invalid JSON number"]),
        ("{} x", &["1:4 Extraneous data after value"]),
        ("", &["1:1 Missing value", "1:1 Root value must be object"]),
    ] {
        let sources = Sources::new();
        let (_, _, diagnostics) = super::parse_json_file(&sources, Path::new("x.tf.json"), text.as_bytes());
        assert_eq!(places(&sources, &diagnostics), expected, "{text}");
    }
}

#[test]
fn a_mistake_after_what_is_not_utf8_is_told_where_it_is() {
    let sources = Sources::new();
    let (_, _, diagnostics) = super::parse_file(&sources, Path::new("a.tf"), b"j\"\xc1\xa9\\q".to_vec());
    let ranges: Vec<(u32, u32)> = diagnostics
        .iter()
        .filter(|d| d.summary().contains("escape"))
        .filter_map(|d| Some((d.subject()?.start, d.subject()?.end)))
        .collect();
    assert_eq!(ranges, [(4, 6)]);
}

#[test]
fn random_damage_never_panics() {
    let samples = [
        "locals {\n  a = \"x${b ? 1 : [for k, v in c : k => v...]}%{ if d ~} e %{ endif }\" // f\n  g = <<-EOT\n    h ${i}\n  EOT\n}\nj \"k\" { l = m[*].n.0 }\n",
        "{\"a\": [1, \"b${c}\\u00e9\", {\"d\": null}], \"//\": \"%{ for x in y }${x}%{ endfor }\", \"e\": -1.5e3}",
    ];
    // A xorshift generator: the same damage each time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let spice = b"\"${}%[]()<EOT\n\r\\.*~=:,?#/\xff\xc3\xe2'`0e-+";
    for round in 0..4_000 {
        let mut bytes = samples[round % 2].as_bytes().to_vec();
        for _ in 0..=random(6) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = spice[random(spice.len())],
                1 => bytes.insert(at, spice[random(spice.len())]),
                _ => drop(bytes.remove(at)),
            }
        }
        let sources = Sources::new();
        let schema = crate::ast::BodySchema {
            attributes: vec![("a".into(), true)],
            blocks: vec![("j".into(), vec!["n".into()])],
        };
        let (body, _, _) = super::parse_file(&sources, Path::new("a.tf"), bytes.clone());
        body.content(&schema);
        let (body, _, _) = super::parse_json_file(&sources, Path::new("a.tf.json"), bytes.clone());
        body.content(&schema);
        let text = String::from_utf8_lossy(&bytes);
        super::parse_template(&sources, "t", &text).0.traversals();
        super::parse_expression(&sources, "e", &text);
        super::parse_traversal(&sources, "r", &text).ok();
    }
}

#[test]
fn formatting_is_canonical_and_stable() {
    for (text, expected) in [
        ("a=1\nbcd   =  [ 1,2 ]#x\n", "a   = 1\nbcd = [1, 2] #x\n"),
        ("a {\nb=\"${c}\"\nd={\ne=-1\n}\n}\n", "a {\n  b = c\n  d = {\n    e = -1\n  }\n}\n"),
        ("variable a {\ntype=\"list\"\n}\n", "variable \"a\" {\n  type = list(string)\n}\n"),
        ("a = <<EOT\n  x  ${ y+1 }\nEOT\n", "a = <<EOT\n  x  ${y + 1}\nEOT\n"),
        ("a = [for x in [1] : x.b [0]]", "a = [for x in [1] : x.b[0]]"),
        ("a = (\n", "a = (\n"),
        ("# x\n\t", "# x\n "),
        ("a = 1 # x\n  ", "a = 1 # x\n  "),
    ] {
        let once = super::format(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&once), expected);
        assert_eq!(super::format(&once), once);
    }
}
