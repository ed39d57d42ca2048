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
