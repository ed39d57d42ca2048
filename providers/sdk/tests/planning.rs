//! Planning as terraform-plugin-sdk v2 does it, through everything from the derive to the planner's trait.

#![expect(clippy::expect_used, clippy::panic, reason = "a test's helpers fail as the test does")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use lang::values::Path;
use sdk::{
    ApplyRequest, Change, Configured, Context, Created, Cx, Error, Found, Model, Observer, Operation, Pace,
    PlanRequest, PlanResponse, ReadRequest, RecoverRequest, RecoverResponse, Registry, Resource, Result, Running,
    Schema, TagPolicy, Tags, Timeouts, Type, Value, async_trait,
};
use serde_json::{Value as Json, json};

/// A made-up cloud: objects by id.
#[derive(Default)]
struct Cloud {
    policy: TagPolicy,
    objects: Mutex<BTreeMap<String, Thing>>,
    fail_after_create: bool,
    found_by: FoundBy,
}

/// How a thing whose creation was interrupted is found.
#[derive(Clone, Copy, Default)]
enum FoundBy {
    #[default]
    Token,
    Name,
    Content,
    Nothing,
}

impl Context for Cloud {
    fn tag_policy(&self) -> &TagPolicy {
        &self.policy
    }

    fn pace(&self) -> Pace {
        Pace::EMULATOR
    }
}

#[derive(Clone, Debug, Default, Model)]
struct Thing {
    #[attr(computed)]
    arn: Option<String>,
    #[attr(optional)]
    description: Option<String>,
    #[attr(optional, computed)]
    id: String,
    #[attr(required, force_new)]
    name: String,
    #[attr(optional, default = 3)]
    retries: Option<i64>,
    #[attr(optional, computed)]
    version: Option<String>,
    #[attr(optional, equivalent = "same_case")]
    kind: Option<String>,
    #[attr(optional)]
    subnets: Option<BTreeSet<String>>,
    #[attr(set, optional, computed)]
    ingress: Option<Vec<Rule>>,
    #[attr(optional)]
    tags: Option<Tags>,
    #[attr(optional, computed)]
    tags_all: Tags,
    #[block(list, max = 1)]
    logging: Option<Logging>,
    #[block(list, computed)]
    access: Vec<Logging>,
    #[block(set, force_new)]
    volume: Vec<Rule>,
    #[timeouts(create, delete)]
    timeouts: Timeouts,
}

#[derive(Clone, Debug, Default, PartialEq, Model)]
struct Logging {
    #[attr(optional)]
    enabled: Option<bool>,
    #[attr(optional, computed)]
    bucket: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Model)]
struct Rule {
    #[attr(required)]
    port: i64,
    #[attr(optional)]
    cidrs: Option<Vec<String>>,
    #[attr(optional)]
    description: Option<String>,
    #[attr(optional, default = false)]
    own: Option<bool>,
}

fn same_case(prior: &Value, configured: &Value) -> bool {
    matches!((prior.as_str(), configured.as_str()), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

#[async_trait]
impl Resource for Thing {
    const NAME: &'static str = "cloud_thing";
    type Context = Cloud;

    async fn create(cx: &Cx<Cloud>, mut planned: Thing, created: &Created<'_>) -> Result<Thing> {
        planned.id = format!("thing-{}", planned.name);
        created.hand_over(&planned).await;
        planned.arn = Some(format!("arn:{}", planned.id));
        planned.version = Some(planned.version.unwrap_or("1.0".to_owned()));
        if let Ok(mut objects) = cx.objects.lock() {
            objects.insert(planned.id.clone(), planned.clone());
        }
        if cx.fail_after_create { Err(Error::new("creating Thing: it broke")) } else { Ok(planned) }
    }

    async fn read(cx: &Cx<Cloud>, prior: Thing) -> Result<Option<Thing>> {
        let object = cx.objects.lock().ok().and_then(|objects| objects.get(&prior.id).cloned());
        Ok(object.map(|object| Thing { description: Some(object.description.unwrap_or_default()), ..object }))
    }

    async fn update(cx: &Cx<Cloud>, change: Change<Thing>) -> Result<Thing> {
        if let Ok(mut objects) = cx.objects.lock() {
            objects.insert(change.planned.id.clone(), change.planned.clone());
        }
        Ok(change.planned)
    }

    async fn delete(cx: &Cx<Cloud>, prior: Thing) -> Result<()> {
        cx.objects.lock().map(|mut objects| drop(objects.remove(&prior.id))).map_err(|_| Error::new("poisoned"))
    }

    async fn find(cx: &Cx<Cloud>, planned: &Thing, _: &str) -> Result<Found<Thing>> {
        let thing = Box::new(Thing { id: format!("thing-{}", planned.name), ..planned.clone() });
        Ok(match cx.found_by {
            FoundBy::Token => Found::Object(thing),
            FoundBy::Name => Found::Named(thing),
            FoundBy::Content => Found::Same(thing),
            FoundBy::Nothing => Found::Unclear("thing-1 and thing-2 bear its tag".to_owned()),
        })
    }
}

fn running(cloud: Cloud) -> Running<Cloud> {
    let mut registry = Registry::new(Schema::default());
    registry.resource::<Thing>();
    Running::new(Arc::new(registry), cloud)
}

/// An object of the type: missing attributes are null, missing blocks empty; `"<unknown>"` is unknown.
fn object(json: &Json) -> Value {
    let schema = Thing::schema();
    let Type::Object(ty) = schema.block.implied_type() else { panic!("a block is an object") };
    let empty = Thing::default().to_value();
    Value::object(ty.attributes.iter().map(|(name, ty)| {
        let value = match json.get(name.as_str()) {
            None if schema.block.blocks.contains_key(name) => empty.get(name).cloned().expect("a block"),
            json => value(json.unwrap_or(&Json::Null), ty),
        };
        (name.clone(), value)
    }))
}

fn value(json: &Json, ty: &Type) -> Value {
    match (json, ty) {
        (Json::Null, _) => Value::null(ty.clone()),
        (Json::String(text), _) if text == "<unknown>" => Value::unknown(ty.clone()),
        (Json::Array(elements), Type::List(of)) => Value::list((**of).clone(), elements.iter().map(|e| value(e, of))),
        (Json::Array(elements), Type::Set(of)) => Value::set((**of).clone(), elements.iter().map(|e| value(e, of))),
        (Json::Object(_), Type::Object(object)) => Value::object(
            object.attributes.iter().map(|(n, ty)| (n.clone(), value(json.get(n.as_str()).unwrap_or(&Json::Null), ty))),
        ),
        _ => Value::from_json(json, ty).expect("a value of the type"),
    }
}

/// What [`object`] was made of: nulls and empty blocks are left out.
fn plain(value: &Value) -> Json {
    let entries = value.entries().expect("an object").iter();
    let shown = entries.filter_map(|(name, value)| {
        let json = if !value.is_wholly_known() && value.elements().is_none() && value.entries().is_none() {
            json!("<unknown>")
        } else {
            let known = value.transform(&mut |_, v| if v.is_known() { v } else { Value::string("<unknown>") });
            known.to_json().expect("a known value")
        };
        let empty_block = Thing::schema().block.blocks.contains_key(name) && json == json!([]);
        (!json.is_null() && !empty_block).then(|| (name.to_string(), json))
    });
    Json::Object(shown.collect())
}

async fn plan(running: &Running<Cloud>, prior: &Value, config: &Value) -> PlanResponse {
    // As the planner proposes: the configuration over the computed attributes of the prior object.
    let block = Thing::schema().block;
    let proposed = Value::object(config.entries().expect("an object").iter().map(|(name, value)| {
        let computed = block.attributes.get(name).is_some_and(|attribute| attribute.computed);
        let kept = prior.get(name).filter(|_| computed && value.is_null());
        (name.clone(), kept.unwrap_or(value).clone())
    }));
    let request = PlanRequest { type_name: Thing::NAME, prior, proposed: &proposed, config, private: None };
    running.plan(request).await
}

fn paths(paths: &[Path]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_create_fills_defaults_and_leaves_the_rest_to_be_known_later() {
    let null = Value::null(Thing::schema().block.implied_type().clone());
    let config = object(&json!({
        "name": "a", "subnets": [], "logging": [{}], "volume": [{"port": 1}], "tags": {"x": "y"},
        "timeouts": {"create": "5m"}
    }));
    let response = plan(&running(Cloud::default()), &null, &config).await;
    assert_eq!(response.diagnostics, []);
    assert_eq!(
        plain(&response.planned.expect("a plan")),
        json!({
            "arn": "<unknown>", "id": "<unknown>", "name": "a", "retries": 3, "version": "<unknown>",
            "ingress": "<unknown>", "tags": {"x": "y"}, "tags_all": {"x": "y"}, "access": "<unknown>",
            "logging": [{"enabled": null, "bucket": "<unknown>"}],
            "volume": [{"port": 1, "cidrs": [], "description": "", "own": false}],
            "timeouts": {"create": "5m", "delete": null},
        })
    );
}

#[tokio::test]
async fn updates_follow_the_table() {
    let prior = json!({
        "arn": "arn:thing-a", "id": "thing-a", "name": "a", "retries": 3, "version": "1.0", "description": "",
        "kind": "Large", "subnets": ["s1"], "tags": {}, "tags_all": {},
        "ingress": [{"port": 1, "cidrs": [], "description": "", "own": false}],
        "logging": [{"enabled": true, "bucket": "b"}], "access": [{"enabled": false, "bucket": "c"}],
        "volume": [{"port": 9, "cidrs": [], "description": "", "own": false}],
    });
    let config = json!({
        "name": "a", "kind": "Large", "subnets": ["s1"], "logging": [{"enabled": true}], "volume": [{"port": 9}]
    });
    let cases = [
        // what, changes to the configuration, changes to the prior object, paths that replace it
        ("nothing configured anew changes nothing", json!({}), json!({}), vec![]),
        ("equivalent texts are no change", json!({"kind": "LARGE"}), json!({}), vec![]),
        ("empty is null", json!({"description": "", "tags": {}}), json!({}), vec![]),
        ("another name replaces", json!({"name": "b"}), json!({"name": "b"}), vec![".name"]),
        ("a removed collection is empty", json!({"subnets": null}), json!({"subnets": []}), vec![]),
        ("a computed value stays when it isn't configured", json!({"version": null}), json!({}), vec![]),
        ("a default comes back", json!({"retries": 5}), json!({"retries": 5}), vec![]),
        ("a block that goes is gone", json!({"logging": []}), json!({"logging": null}), vec![]),
        (
            "a block keeps what it computed",
            json!({"logging": [{"enabled": false}]}),
            json!({"logging": [{"enabled": false, "bucket": "b"}]}),
            vec![],
        ),
        (
            "elements of sets are zero where they aren't configured",
            json!({"volume": [{"port": 9, "cidrs": ["x"]}]}),
            json!({"volume": [{"port": 9, "cidrs": ["x"], "description": "", "own": false}]}),
            vec![".volume"],
        ),
        (
            "what stays in a set that changes loses what isn't configured",
            json!({"ingress": [{"port": 1}, {"port": 2}]}),
            json!({"ingress": [
                {"port": 2, "cidrs": [], "description": "", "own": false},
                {"port": 1, "cidrs": [], "description": null, "own": false},
            ]}),
            vec![],
        ),
        ("an attribute of blocks can be emptied", json!({"ingress": []}), json!({"ingress": []}), vec![]),
        ("an unknown value is unknown", json!({"subnets": "<unknown>"}), json!({"subnets": "<unknown>"}), vec![]),
        (
            "tags bring tags_all along",
            json!({"tags": {"a": "b"}}),
            json!({"tags": {"a": "b"}, "tags_all": {"a": "b"}}),
            vec![],
        ),
    ];
    let running = running(Cloud::default());
    let with = |base: &Json, changes: &Json| {
        let mut base = base.as_object().expect("an object").clone();
        for (name, value) in changes.as_object().expect("an object") {
            base.insert(name.clone(), value.clone());
        }
        base.retain(|_, value| !value.is_null());
        Json::Object(base)
    };
    for (what, configured, planned, replace) in cases {
        let response = plan(&running, &object(&prior), &object(&with(&config, &configured))).await;
        assert_eq!(response.diagnostics, [], "{what}");
        assert_eq!(plain(&response.planned.expect("a plan")), with(&prior, &planned), "{what}");
        assert_eq!(paths(&response.requires_replace), replace, "{what}");
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<Value>>);

#[async_trait]
impl Observer for Seen {
    async fn created(&self, partial: Value) {
        self.0.lock().expect("no panic").push(partial);
    }
}

async fn apply(running: &Running<Cloud>, prior: &Value, planned: &Value, seen: &Seen) -> sdk::ApplyResponse {
    let request = ApplyRequest {
        type_name: Thing::NAME,
        prior,
        planned,
        config: planned,
        private: None,
        client_token: "token",
        observer: seen,
    };
    running.apply(request).await
}

#[tokio::test]
async fn a_life_ends_where_it_began() {
    let defaults = BTreeMap::from([("team".to_owned(), "platform".to_owned())]);
    let running = running(Cloud { policy: TagPolicy { defaults, ..TagPolicy::default() }, ..Cloud::default() });
    let null = Value::null(Thing::schema().block.implied_type().clone());
    let config = object(&json!({"name": "a", "timeouts": {"create": "5m"}}));
    let planned = plan(&running, &null, &config).await.planned.expect("a plan");
    let seen = Seen::default();
    let made = apply(&running, &null, &planned, &seen).await;
    assert_eq!(made.diagnostics, []);
    let object = made.object.expect("an object");
    let expected = json!({
        "arn": "arn:thing-a", "id": "thing-a", "name": "a", "retries": 3, "version": "1.0", "description": "",
        "tags_all": {"team": "platform"}, "timeouts": {"create": "5m", "delete": null},
    });
    assert_eq!(plain(&object), expected);
    assert_eq!(seen.0.lock().expect("no panic").len(), 1, "the id is handed over once");

    let read = running.read_many(Thing::NAME, vec![ReadRequest { prior: object.clone(), private: None }]).await;
    let read = read[0].object.clone().expect("it is still there");
    let again = plan(&running, &read, &config).await;
    assert_eq!(plain(&again.planned.expect("a plan")), plain(&read), "nothing is left to do");

    let gone = apply(&running, &read, &null, &seen).await;
    assert!(gone.object.is_none() && gone.diagnostics.is_empty());
    let read = running.read_many(Thing::NAME, vec![ReadRequest { prior: object, private: None }]).await;
    assert!(read[0].object.is_none());
}

#[tokio::test]
async fn a_failed_create_leaves_what_was_handed_over() {
    let running = running(Cloud { fail_after_create: true, ..Cloud::default() });
    let null = Value::null(Thing::schema().block.implied_type().clone());
    let planned = plan(&running, &null, &object(&json!({"name": "a"}))).await.planned.expect("a plan");
    let response = apply(&running, &null, &planned, &Seen::default()).await;
    assert_eq!(response.diagnostics[0].summary, "creating Thing: it broke");
    assert_eq!(response.object.expect("the half-made object").get("id"), Some(&Value::string("thing-a")));
}

#[tokio::test]
async fn a_lost_answer_is_found_again() {
    let running = running(Cloud::default());
    let null = Value::null(Thing::schema().block.implied_type().clone());
    let planned = object(&json!({"name": "a"}));
    let request = RecoverRequest {
        type_name: Thing::NAME,
        operation: Operation::Create,
        prior: &null,
        planned: &planned,
        handed_over: None,
        client_token: "token",
    };
    assert!(matches!(running.recover(request.clone()).await, RecoverResponse::Absent));
    apply(&running, &null, &planned, &Seen::default()).await;
    assert!(matches!(running.recover(request).await, RecoverResponse::Found { complete: true, .. }));
}

/// What becomes of a create without outcome: there is such an object, and it is found in this way.
async fn recovered(found_by: FoundBy, there: &Json, planned: &Json) -> RecoverResponse {
    let running = running(Cloud { found_by, ..Cloud::default() });
    let null = Value::null(Thing::schema().block.implied_type().clone());
    apply(&running, &null, &object(there), &Seen::default()).await;
    let planned = object(planned);
    let request = RecoverRequest {
        type_name: Thing::NAME,
        operation: Operation::Create,
        prior: &null,
        planned: &planned,
        handed_over: None,
        client_token: "token",
    };
    running.recover(request).await
}

#[tokio::test]
async fn an_object_of_the_planned_name_is_adopted_only_if_it_is_as_planned() {
    let (there, tagged) = (json!({"name": "a"}), json!({"name": "a", "tags": {"team": "x"}}));
    let same = recovered(FoundBy::Name, &there, &there).await;
    assert!(matches!(same, RecoverResponse::Found { complete: true, warnings, .. } if warnings.is_empty()));
    let RecoverResponse::Unclear(problems) = recovered(FoundBy::Name, &there, &tagged).await else {
        panic!("an object with other tags is not the planned one");
    };
    assert!(problems[0].detail.contains(r#"cloud_thing (name = "a")"#), "{}", problems[0].detail);
    assert!(problems[0].detail.contains("differs from the plan in tags"), "{}", problems[0].detail);
}

#[tokio::test]
async fn an_object_found_by_its_content_is_adopted_with_a_warning() {
    let there = json!({"name": "a"});
    let RecoverResponse::Found { warnings, .. } = recovered(FoundBy::Content, &there, &there).await else {
        panic!("it is there");
    };
    assert_eq!(warnings[0].severity, lang::Severity::Warning);
    assert!(warnings[0].detail.contains(r#"cloud_thing (name = "a")"#), "{}", warnings[0].detail);
}

#[tokio::test]
async fn what_can_not_be_told_names_the_object() {
    let there = json!({"name": "a"});
    let RecoverResponse::Unclear(problems) = recovered(FoundBy::Nothing, &there, &there).await else {
        panic!("it can't be told");
    };
    assert!(problems[0].detail.contains(r#"cloud_thing (name = "a")"#), "{}", problems[0].detail);
    assert!(problems[0].detail.contains("thing-1 and thing-2"), "{}", problems[0].detail);
}
