//! Whatever was applied before, and whatever went wrong: the last configuration is what stands in the end.

use std::fmt::Write;

use proptest::prelude::*;
use sdk::provider::Operation;

use crate::cloud::Fault;
use crate::run::Stack;

/// What a thing's value may refer to: things that are made before they are destroyed, so that a reference never stands in the
/// way of a replacement (the simulated cloud refuses to delete what is in use).
const SHARED: usize = 3;
const THINGS: usize = 6;

#[derive(Clone, Debug)]
struct Thing {
    name: u8,
    refers_to: Option<usize>,
    tag: u8,
}

/// A configuration: single things, some with `count`, some with `for_each` in a module's stead.
#[derive(Clone, Debug)]
struct Wanted {
    things: Vec<Option<Thing>>,
    count: usize,
    keys: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Step {
    wanted: Wanted,
    faults: Vec<(Operation, String, Fault)>,
    destroy: bool,
}

fn name(index: usize, variant: u8) -> String {
    format!("n{index}-{variant}")
}

impl Wanted {
    fn text(&self) -> String {
        let mut text = String::new();
        for (index, thing) in self.things.iter().enumerate() {
            let Some(thing) = thing else { continue };
            let lifecycle = if index < SHARED { "lifecycle {\n    create_before_destroy = true\n  }" } else { "" };
            let target = thing.refers_to.filter(|target| *target < index && self.things[*target].is_some());
            let value = target.map_or("null".to_owned(), |target| format!("sim_thing.n{target}.id"));
            let (name, tag) = (name(index, thing.name), thing.tag);
            writeln!(
                text,
                "resource \"sim_thing\" \"n{index}\" {{\n  name = \"{name}\"\n  value = {value}\n  tags = {{ v = \"{tag}\" }}\n  {lifecycle}\n}}"
            )
            .unwrap();
        }
        let keys: Vec<String> = self.keys.iter().map(|key| format!("\"{key}\"")).collect();
        writeln!(
            text,
            "resource \"sim_thing\" \"row\" {{\n  count = {}\n  name = \"row-${{count.index}}\"\n}}\n\
             resource \"sim_thing\" \"set\" {{\n  for_each = toset([{}])\n  name = \"set-${{each.key}}\"\n  value = \
             length(sim_thing.row) > 0 ? \"many\" : null\n}}",
            self.count,
            keys.join(", ")
        )
        .unwrap();
        text
    }

    /// The names of everything that it makes, sorted.
    fn names(&self) -> Vec<String> {
        let things = self.things.iter().enumerate();
        let things = things.filter_map(|(index, thing)| Some(name(index, thing.as_ref()?.name)));
        let rows = (0..self.count).map(|index| format!("row-{index}"));
        let keys: std::collections::BTreeSet<u8> = self.keys.iter().copied().collect();
        let set = keys.into_iter().map(|key| format!("set-{key}"));
        let mut names: Vec<String> = things.chain(rows).chain(set).collect();
        names.sort();
        names
    }
}

fn thing() -> impl Strategy<Value = Thing> {
    (0..3u8, proptest::option::of(0..SHARED), 0..3u8).prop_map(|(name, refers_to, tag)| Thing { name, refers_to, tag })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let things = proptest::collection::vec(proptest::option::weighted(0.7, thing()), THINGS);
    (things, 0..3usize, proptest::collection::vec(0..4u8, 0..3)).prop_map(|(things, count, keys)| Wanted {
        things,
        count,
        keys,
    })
}

fn fault() -> impl Strategy<Value = (Operation, String, Fault)> {
    let operation = prop_oneof![Just(Operation::Create), Just(Operation::Update), Just(Operation::Delete)];
    let names = prop_oneof![
        4 => (0..THINGS, 0..3u8).prop_map(|(index, variant)| name(index, variant)),
        1 => (0..3u8).prop_map(|index| format!("row-{index}")),
    ];
    let fault = prop_oneof![
        Just(Fault::Refused),
        Just(Fault::Broken),
        Just(Fault::DiesBefore),
        Just(Fault::DiesUnanswered),
        Just(Fault::DiesWaiting),
        Just(Fault::DiesAfterOutcome),
    ];
    (operation, names, fault)
}

fn step() -> impl Strategy<Value = Step> {
    (wanted(), proptest::collection::vec(fault(), 0..6), proptest::bool::weighted(0.1))
        .prop_map(|(wanted, faults, destroy)| Step { wanted, faults, destroy })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_last_configuration_stands_whatever_went_wrong_before(
        steps in proptest::collection::vec(step(), 1..6),
        last in wanted(),
    ) {
        let stack = Stack::new();
        for Step { wanted, faults, destroy } in &steps {
            for (operation, name, fault) in faults {
                stack.cloud.order(*operation, name, *fault);
            }
            // What comes of it doesn't matter here.
            if *destroy { stack.destroy(&wanted.text()) } else { stack.apply(&wanted.text()) };
            stack.cloud.forget_faults();
        }
        let text = last.text();
        let ran = stack.apply(&text);
        prop_assert!(ran.problems.is_empty(), "{:?}", ran.problems);
        let names = last.names();
        stack.assert_settled(&names.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(stack.plan(&text).planned, Vec::<String>::new());
    }
}
