//! Whatever a state holds, its file says the same, and is written the same way again.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic like the test")]

use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use state::model::sorted_dependencies;
use state::{
    AttributePath, AttributeStep, CheckObject, CheckResult, CheckStatus, DeposedKey, InstanceObject, InstanceState,
    Json, ObjectStatus, OutputValue, ResourceState, Serial, State, v4,
};

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    let tree = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Into::into),
            btree_map(".*", inner, 0..4).prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    tree.prop_map(|value| Json::from_value(&value))
}

fn any_object() -> impl Strategy<Value = InstanceObject> {
    let path = vec(
        prop_oneof![
            "[a-z]{1,4}".prop_map(|name| AttributeStep::Attribute(name.into())),
            any::<u64>().prop_map(AttributeStep::index),
            ".{0,4}".prop_map(|key| AttributeStep::key(&key)),
        ],
        0..3,
    );
    let dependency = "(module\\.[a-z]\\.)?(data\\.)?aws_[a-z]\\.[a-z]".prop_map(|text| Arc::new(text.parse().unwrap()));
    (
        any_json(),
        vec(path.prop_map(AttributePath), 0..3),
        vec(dependency, 0..3),
        any::<(u64, bool, bool)>(),
        proptest::option::of("[A-Za-z0-9+/]{4}"),
        proptest::option::of(any_json()),
    )
        .prop_map(
            |(attributes, sensitive_attributes, dependencies, (schema_version, tainted, cbd), private, identity)| {
                InstanceObject {
                    schema_version,
                    attributes,
                    sensitive_attributes,
                    identity_schema_version: identity.as_ref().map(|_| 1),
                    // `null` is how a file says that there is none.
                    identity: identity.filter(|identity| !identity.is_null()),
                    private: private.map(Into::into),
                    dependencies: sorted_dependencies(dependencies),
                    status: if tainted { ObjectStatus::Tainted } else { ObjectStatus::Ready },
                    create_before_destroy: cbd,
                    ..InstanceObject::default()
                }
            },
        )
        .prop_map(|mut object| {
            if object.attributes.is_null() {
                object.attributes = Json::empty_object();
            }
            object
        })
}

fn any_state() -> impl Strategy<Value = State> {
    let module = "(module\\.[a-c](\\[(0|2|10|\"x\")\\])?\\.){0,2}";
    let address = (module, "(data\\.)?aws_[ab]\\.[ab]").prop_map(|(module, resource)| format!("{module}{resource}"));
    let key = prop_oneof![
        Just(lang::addr::InstanceKey::None),
        any::<u64>().prop_map(lang::addr::InstanceKey::Index),
        any::<String>().prop_map(|name| lang::addr::InstanceKey::Name(name.into())),
    ];
    let deposed = btree_map(
        "[0-9a-f]{8}".prop_map(|key| DeposedKey::parse(&key).unwrap()),
        any_object().prop_map(Arc::new),
        0..2,
    );
    let instance = (proptest::option::of(any_object().prop_map(Arc::new)), deposed)
        .prop_map(|(current, deposed)| InstanceState { current, deposed })
        .prop_filter("an instance has objects", |instance| !instance.is_empty());
    let resource = btree_map(key, instance, 0..3).prop_map(|instances| {
        let provider = "module.m.provider[\"example.com/a/b\"].c".parse().unwrap();
        Arc::new(ResourceState { provider, instances })
    });
    let output = (any_json(), any::<bool>()).prop_map(|(value, sensitive)| OutputValue {
        value,
        ty: Json::parse("\"dynamic\"").unwrap(),
        sensitive,
    });
    let resources = btree_map(address.prop_map(|text| text.parse().unwrap()), resource, 0..5);
    (any::<u64>(), btree_map(any::<String>().prop_map(Into::into), output, 0..3), resources, vec(".*", 0..2)).prop_map(
        |(serial, outputs, resources, messages)| State {
            serial: Serial(serial),
            outputs,
            resources,
            check_results: Some(vec![CheckResult {
                object_kind: "check".into(),
                config_addr: "check.a".into(),
                status: CheckStatus::Fail,
                objects: Some(vec![CheckObject {
                    object_addr: "check.a".into(),
                    status: CheckStatus::Fail,
                    failure_messages: messages,
                }]),
            }]),
            ..State::new()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn a_state_survives_its_file(state in any_state()) {
        let bytes = v4::write(&state);
        let read = v4::read(&bytes).unwrap().unwrap();
        prop_assert_eq!(&read, &state);
        prop_assert_eq!(v4::write(&read), bytes);
    }
}
