//! Short texts that would fill the memory or take hours: each gets a diagnostic with its place.

use std::collections::BTreeMap;
use std::path::Path;

use lang::eval::{Locals, evaluate};
use lang::functions::{CallContext, table};
use lang::syntax::{parse_expression, parse_file, parse_json_file, parse_template};
use lang::{Diagnostics, Sources, Str, Value};

/// The summaries of all mistakes, each with its place.
fn mistakes(text: &str) -> Vec<String> {
    with(BTreeMap::new(), text).1
}

fn with(values: BTreeMap<Str, Value>, text: &str) -> (Value, Vec<String>) {
    let (expr, mut diagnostics) = parse_expression(&Sources::new(), "hostile.tf", text);
    let functions = table(CallContext::default());
    let scope = Locals::new(values).with_functions(&functions);
    let value = evaluate(&expr, &scope, &mut diagnostics);
    (value, shown(&diagnostics))
}

fn shown(diagnostics: &Diagnostics) -> Vec<String> {
    let shown = |d: &lang::Diagnostic| {
        let place = d.subject().map_or_else(|| "nowhere".to_owned(), |range| range.start.to_string());
        format!("{place}: {}: {}", d.summary(), d.detail())
    };
    diagnostics.iter().map(shown).collect()
}

/// Asserts that something is said about `text` that has a place and holds `words`.
fn refused(text: &str, words: &str) {
    let start: String = text.chars().take(100).collect();
    let found = mistakes(text);
    assert!(found.iter().any(|m| m.contains(words) && !m.starts_with("nowhere")), "{start}: {:?}", found.first());
}

/// Asserts that `text` is evaluated without a word.
fn accepted(text: &str) {
    let start: String = text.chars().take(100).collect();
    assert_eq!(mistakes(text), Vec::<String>::new(), "{start}");
}

/// A string of `length` bytes, as an expression.
fn long(length: usize) -> String {
    format!("format(\"%{length}s\", \"x\")")
}

#[test]
fn nesting_is_bounded() {
    let depth = 100_010;
    for open in ["(", "!", "\"${", "<<E\n${"] {
        refused(&open.repeat(depth), "Nesting too deep");
    }
    let blocks = "a {\n".repeat(depth);
    let (_, _, diagnostics) = parse_file(&Sources::new(), Path::new("hostile.tf"), blocks.as_bytes());
    assert!(shown(&diagnostics).iter().any(|m| m.contains("Nesting too deep")));
    let arrays = format!("{{\"a\": {}", "[".repeat(depth));
    let (_, _, diagnostics) = parse_json_file(&Sources::new(), Path::new("hostile.tf.json"), arrays.as_bytes());
    assert!(shown(&diagnostics).iter().any(|m| m.contains("Nesting too deep")));
    let directives = "%{ if true }".repeat(3000);
    let (_, diagnostics) = parse_template(&Sources::new(), "hostile.tftpl", &directives);
    assert!(diagnostics.has_errors());
}

#[test]
fn mistakes_are_bounded() {
    let texts = ["a = 1\n", "\u{1}", "a = \"\n", "a { b { c = 1 }\n"].map(|text| text.repeat(50_000));
    for text in texts {
        let (_, _, diagnostics) = parse_file(&Sources::new(), Path::new("hostile.tf"), text.as_bytes());
        assert!(
            (1..2000).contains(&diagnostics.len()),
            "{}: {}",
            text.get(..10).unwrap_or_default(),
            diagnostics.len()
        );
    }
    let found = mistakes("[for a in range(1000) : [for b in range(1000) : null.x]]");
    assert!((1..5000).contains(&found.len()), "{}", found.len());
}

#[test]
fn reading_takes_linear_time() {
    let names: String = (0..50_000).map(|i| format!("a{i} = 1\n")).collect();
    let again = "a49999 = 1\n".repeat(900);
    for text in [
        "/* ".repeat(300_000),
        "/*/".repeat(300_000),
        "<<E ".repeat(300_000),
        "<<E\n".repeat(300_000),
        "a = <<E\n".repeat(100_000),
        "$".repeat(300_000),
        "\"${".repeat(50_000),
        "${".repeat(300_000),
        "a = 1e999999\n".repeat(300),
        names + &again,
    ] {
        let (_, _, diagnostics) = parse_file(&Sources::new(), Path::new("hostile.tf"), text.as_bytes());
        drop(diagnostics);
        let (_, diagnostics) = parse_template(&Sources::new(), "hostile.tftpl", &text);
        drop(diagnostics);
        lang::syntax::format(text.as_bytes());
    }
}

#[test]
fn loops_are_bounded() {
    refused("[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : 0]]]", "Result too large");
    refused("{for a in range(1000) : a => [for b in range(1000) : [for c in range(1000) : 0]]}", "Result too large");
    refused(
        "\"%{ for a in range(1000) }%{ for b in range(1000) }%{ for c in range(1000) }x%{ endfor }%{ endfor }%{ endfor }\"",
        "Result too large",
    );
    refused(&format!("[for a in range(1000) : \"${{a}}${{{}}}\"]", long(1_000_000)), "Result too large");
    refused("[for a in range(1000) : setproduct(range(1000), range(1000))]", "Result too large");
    accepted("[for a in range(1000) : [for b in range(1000) : 0]]");
}

#[test]
fn doubling_is_bounded() {
    let grow = |expr: &str, rounds: usize| {
        let text = Value::from("abcd".repeat(16 << 20).as_str());
        let mut value = if expr.contains('"') { text } else { Value::tuple([text]) };
        for _ in 0..rounds {
            let (next, found) = with(BTreeMap::from([("x".into(), value)]), expr);
            if let Some(first) = found.first() {
                assert!(
                    first.contains("too large") || first.contains("too deep") || first.contains("longer than"),
                    "{first}"
                );
                return;
            }
            value = next;
        }
        panic!("{expr} grows without bounds");
    };
    grow("\"${x}${x}\"", 40);
    grow("join(\"\", [x, x])", 40);
    grow("[x, x]", 60);
    grow("[x]", 2000);
    let mut nested = "[0]".to_owned();
    for _ in 0..40 {
        nested = format!("[for x in [{nested}] : [x, x]]");
    }
    refused(&nested, "Result too large");
}

#[test]
fn functions_are_bounded() {
    refused("range(100000)", "more than 1024 values");
    refused("range(0, 1, 0.0000001)", "more than 1024 values");
    refused("setproduct(range(1000), range(1000), range(1000), range(1000))", "setproduct");
    refused("format(\"%999999999d\", 1)", "width");
    refused("format(\"%.999999999f\", 1)", "precision");
    refused("format(\"%*d\", 999999999, 1)", "");
    refused(&format!("replace({}, \"\", {})", long(100_000), long(100_000)), "longer than");
    refused(&format!("replace({}, \"/x*/\", {})", long(100_000), long(100_000)), "longer than");
    refused(&format!("join({}, range(1000))", long(1_000_000)), "longer than");
    refused(&format!("indent(1000000, replace({}, \" \", \"\\n\"))", long(100_000)), "longer than");
    refused("substr(\"x\", 0, 1e999999999)", "");
    refused("1e9999999999", "");
    refused("regexall(\"((((((a{1000}){1000}){1000}){1000}){1000}){1000})\", \"a\")", "");
    refused("bcrypt(\"x\", 31)", "at most 20");
    refused(&format!("jsondecode(\"{}\")", "[".repeat(100_000)), "jsondecode");
    refused(&format!("yamldecode(\"{}\")", "[".repeat(100_000)), "yamldecode");
    let mut aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\\n".to_owned();
    for i in 1..12 {
        let references = vec![format!("*a{}", i - 1); 10].join(",");
        aliases.push_str(&format!("a{i}: &a{i} [{references}]\\n"));
    }
    refused(&format!("yamldecode(\"{aliases}\")"), "yamldecode");
    refused("parseint(\"9\", 99)", "");
    refused("templatestring(\"x\", {})", "");
    refused("formatlist(\"%s\", setproduct(range(1000), range(1000), range(10)))", "");
}

#[test]
fn large_numbers_take_little_time() {
    accepted("pow(2, 1e9) > 1");
    accepted("pow(1e300, 1e300) > 1");
    accepted("tostring(1e999999)");
    accepted(&format!("[{}]", vec!["1e999999"; 50].join(",")));
    accepted(&format!("[{}]", vec!["1e-999999"; 50].join(",")));
    accepted(&format!("length([{}])", vec!["1e999999 * 1e-999999 + 1e-999999"; 20].join(",")));
    accepted(&format!("1{} > 1", " * 1e300000".repeat(1000)));
    accepted("7 % 1e-999999");
    accepted("1e999999 % 7");
    accepted(&format!("{} + 1", "9".repeat(1_000_000)));
    accepted("floor(1e999999) > ceil(1e-999999)");
    accepted("format(\"%d\", 1e999999) != format(\"%f\", 1e999999)");
}
