//! Rules between the arguments of one block, from the derive to what a configuration is told.

use sdk::{Context, Model, Pace, Registry, TagPolicy, Value};

struct Nowhere(TagPolicy);

impl Context for Nowhere {
    fn tag_policy(&self) -> &TagPolicy {
        &self.0
    }

    fn pace(&self) -> Pace {
        Pace::EMULATOR
    }
}

#[derive(Clone, Debug, Default, Model)]
#[model(conflicts("a", "b"), exactly_one_of("c", "d"), at_least_one_of("a", "b", "e"), required_with("e", "f"))]
struct Ruled {
    #[attr(optional)]
    a: Option<String>,
    #[attr(optional)]
    b: Option<String>,
    #[attr(optional)]
    c: Option<String>,
    #[attr(optional)]
    d: Option<String>,
    #[attr(optional)]
    e: Option<String>,
    #[attr(optional)]
    f: Option<String>,
}

/// What is said of a configuration with these arguments; `?` after a name: its value is not known yet.
fn said(arguments: &[&str]) -> Vec<String> {
    let registry: Registry<Nowhere> = Registry::new(Ruled::schema());
    let value = |name: &str| {
        if arguments.contains(&name) {
            Value::string("x")
        } else if arguments.iter().any(|argument| argument.strip_suffix('?') == Some(name)) {
            Value::unknown(sdk::Type::String)
        } else {
            Value::null(sdk::Type::String)
        }
    };
    let config = Value::object(["a", "b", "c", "d", "e", "f"].map(|name| (name, value(name))));
    registry
        .validate_provider(&config)
        .into_iter()
        .map(|found| format!("{}: {}", found.summary, found.detail))
        .collect()
}

#[test]
fn what_fits_is_let_pass() {
    assert_eq!(said(&["a", "c"]), Vec::<String>::new());
    assert_eq!(said(&["d", "e", "f"]), Vec::<String>::new());
}

#[test]
fn what_is_unknown_may_turn_out_right() {
    assert_eq!(said(&["a?", "c?", "e", "f?"]), Vec::<String>::new());
}

#[test]
fn each_rule_says_what_is_wrong() {
    assert_eq!(
        said(&["a", "b", "c"]),
        [
            "Conflicting configuration arguments: \"a\": conflicts with b",
            "Conflicting configuration arguments: \"b\": conflicts with a",
        ]
    );
    assert_eq!(said(&["a"]), ["Invalid combination of arguments: \"c\": one of `c,d` must be specified"]);
    assert_eq!(
        said(&["a", "c", "d"]),
        ["Invalid combination of arguments: \"c\": only one of `c,d` can be specified, but `c,d` were specified."]
    );
    assert_eq!(said(&["c"]), ["Missing required argument: \"a\": one of `a,b,e` must be specified"]);
    assert_eq!(said(&["c", "e"]), ["Missing required argument: \"e\": all of `e,f` must be specified"]);
}

#[derive(Clone, Debug, Default, Model)]
struct Aged {
    #[attr(optional, deprecated = "old is deprecated.")]
    old: Option<String>,
    #[block(list)]
    part: Vec<OldPart>,
}

#[derive(Clone, Debug, Default, Model)]
#[model(deprecated = "part is deprecated.")]
struct OldPart {
    #[attr(optional)]
    name: Option<String>,
}

#[test]
fn what_is_deprecated_is_warned_of_once_where_it_is_set() {
    let registry: Registry<Nowhere> = Registry::new(Aged::schema());
    let part = || Value::object([("name", Value::string("x"))]);
    let told = |old: Value, parts: Vec<Value>| -> Vec<(bool, String, String)> {
        let config = Value::object([("old", old), ("part", Value::list(part().ty(), parts))]);
        let found = registry.validate_provider(&config).into_iter();
        found.map(|found| (found.severity == lang::Severity::Warning, found.summary, found.detail)).collect()
    };
    assert_eq!(told(Value::null(sdk::Type::String), vec![]), []);
    assert_eq!(told(Value::unknown(sdk::Type::String), vec![]), []);
    let warning = |text: &str| (true, "Argument is deprecated".to_owned(), text.to_owned());
    assert_eq!(
        told(Value::string("x"), vec![part(), part()]),
        [warning("old is deprecated."), warning("part is deprecated.")]
    );
}
