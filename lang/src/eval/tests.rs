use super::*;
use crate::functions::table;
use crate::source::Sources;
use crate::syntax::parse_expression;
use crate::values::Refinement;

fn run(text: &str) -> (Value, Diagnostics) {
    let (expr, mut diagnostics) = parse_expression(&Sources::new(), "t.tf", text);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    let object = Value::object([("a", Value::from(1i64)), ("b", "x".into())]);
    let names = BTreeMap::from([
        ("o".into(), object.clone()),
        ("list".into(), Value::list(object.ty(), [object.clone(), object])),
        ("none".into(), Value::null(Type::String)),
        ("flag".into(), Value::unknown_not_null(Type::Bool)),
        ("text".into(), Value::unknown_not_null(Type::String)),
        ("any".into(), Value::dynamic()),
        ("secret".into(), Value::from("s").with_marks(Marks::SENSITIVE)),
    ]);
    let functions = table(CallContext::default());
    let scope = Locals::new(names).with_functions(&functions);
    let value = evaluate(&expr, &scope, &mut diagnostics);
    (value, diagnostics)
}

/// The value as JSON; `?` where it is unknown, `!` in front of a sensitive one.
fn shown(text: &str) -> String {
    let (value, diagnostics) = run(text);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    let mark = if value.is_sensitive() { "!" } else { "" };
    format!("{mark}{}", value.to_json().map_or_else(|_| "?".to_owned(), |json| json.to_string()))
}

#[test]
fn values() {
    let table = [
        ("1 + 2 * 3", "7"),
        ("0.1 + 0.2 == 0.3", "true"),
        ("\"5\" + 1", "6"),
        ("7 % 3 - -1", "2"),
        ("!(1 > 2 || false)", "true"),
        ("flag && false", "?"),
        ("[o.a, o[\"b\"], list[0].a, list[*].a]", "[1,\"x\",1,[1,1]]"),
        ("none[*]", "[]"),
        ("o[*].a", "[1]"),
        ("any.x[0]", "?"),
        ("flag ? 1 : \"a\"", "?"),
        ("true ? 1 : \"a\"", "\"1\""),
        ("true ? null : 1", "null"),
        ("[for i, v in [\"a\", \"b\"] : \"${i}${v}\" if i > 0]", "[\"1b\"]"),
        ("{for k, v in {a = 1, b = 1} : v => k...}", "{\"1\":[\"a\",\"b\"]}"),
        ("{(secret) = 1, a = 2}", "!{\"a\":2,\"s\":1}"),
        ("\"a${1 + 1}b%{ if true }c%{ endif }%{ for x in [1, 2] }${x}%{ endfor }\"", "\"a2bc12\""),
        ("\"pre-${text}\" == \"xre\"", "false"),
        ("\"${secret}!\"", "!\"s!\""),
        ("true ? \"a\" : secret", "!\"a\""),
        ("try(o.nope, \"d\")", "\"d\""),
        ("can(o.nope)", "false"),
        ("max([1, 3]...)", "3"),
        ("length(format(\"%.70000f\", 1.5))", "70002"),
        ("length(format(\"%.70000e\", 1.5))", "70006"),
    ];
    for (text, wanted) in table {
        assert_eq!(shown(text), wanted, "{text}");
    }
}

#[test]
fn mistakes() {
    // Expression, summary, and the text that the diagnostic points at.
    let table = [
        ("o.nope", "Unsupported attribute", ".nope"),
        ("none.a", "Attempt to get attribute from null value", ".a"),
        ("[1][5]", "Invalid index", "[5]"),
        ("list.a", "Unsupported attribute", ".a"),
        ("nope", "Unknown variable", "nope"),
        ("1 + true", "Invalid operand", "true"),
        ("1 + null", "Operation failed", "1 + null"),
        ("-\"a\"", "Invalid operand", "\"a\""),
        ("true ? 1 : []", "Inconsistent conditional result types", "1 : []"),
        ("null ? 1 : 2", "Null condition", "null"),
        ("\"a${none}\"", "Invalid template interpolation value", "none"),
        ("[for x in 5 : x]", "Iteration over non-iterable value", "5"),
        ("{for x in [1, 1] : x => x}", "Duplicate object key", "x"),
        ("floor()", "Not enough function arguments", ")"),
        ("floor(1, 2)", "Too many function arguments", "2"),
        ("floor(\"a\")", "Invalid function argument", "a"),
        ("flor(1)", "Call to unknown function", "flor"),
        ("{o.a = 1}", "Ambiguous attribute key", "o.a"),
    ];
    for (text, summary, place) in table {
        let (_, diagnostics) = run(text);
        let first = diagnostics.iter().next().unwrap_or_else(|| panic!("{text}: no error"));
        let range = first.subject().unwrap();
        let pointed = &text[range.start as usize..range.end as usize];
        assert_eq!((first.summary(), pointed), (summary, place), "{text}");
    }
}

#[test]
fn an_expression_that_breaks_off_says_so_again() {
    for text in ["o.", "[o.]", "{ a = o. }", "f::(1)", "f::g + 1"] {
        let (expr, parsing) = parse_expression(&Sources::new(), "t.tf", text);
        let mut evaluation = Diagnostics::new();
        evaluate(&expr, &Locals::new(BTreeMap::new()), &mut evaluation);
        let broken = |diagnostics: &Diagnostics| {
            let errors = diagnostics.iter().map(|d| (d.summary().to_owned(), d.subject()));
            errors.filter(|(summary, _)| summary.starts_with("Missing") || summary.starts_with("Invalid")).collect()
        };
        let (parsing, evaluation): (Vec<_>, Vec<_>) = (broken(&parsing), broken(&evaluation));
        assert!(!parsing.is_empty(), "{text}");
        assert_eq!(parsing, evaluation, "{text}");
    }
}

#[test]
fn a_diagnostic_shows_the_values_of_references() {
    let (_, diagnostics) = run("o.b + 1");
    let values = diagnostics.iter().next().unwrap().values();
    assert_eq!(values, [("o.b".to_owned(), Value::from("x"))]);
    let (_, diagnostics) = run("o.b.c + o.b.d");
    let values = diagnostics.iter().map(|diagnostic| diagnostic.values().to_vec()).collect::<Vec<_>>();
    let found = [("o.b".to_owned(), Value::from("x"))];
    assert_eq!(values, [found.clone(), found]);
}

#[test]
fn an_unknown_template_knows_its_beginning() {
    let (value, _) = run("\"abc-${text}\"");
    assert_eq!(value.refinement(), Some(&Refinement::with_safe_prefix("abc-")));
}

#[test]
fn hostile_expressions_are_bounded() {
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(run(&deep).1.iter().next().map(Diagnostic::summary), Some("Expression too deep"));
    let sum = format!("1{}", " + 1".repeat(20_000));
    assert_eq!(shown(&sum), "20001");
    let many = "[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : 0]]]";
    assert!(run(many).1.iter().any(|d| d.summary() == "Result too large"));
}
