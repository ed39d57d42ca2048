//! `terraform_data`: keeps a value in the state and is replaced when another value changes.

use lang::values::{Entries, Path, PathStep};
use lang::{Str, Type, Value};
use sdk::{
    ApplyRequest, ApplyResponse, Attribute, Block, MoveRequest, PlanRequest, PlanResponse, ProviderDiagnostic, Schema,
};
use serde_json::{Value as Json, json};

/// The name of the type.
pub const NAME: &str = "terraform_data";

/// Its schema.
pub fn schema() -> Schema {
    let attribute = |optional, computed, ty| Attribute { optional, computed, ..Attribute::new(ty) };
    let attributes = [
        ("id", attribute(false, true, Type::String)),
        ("input", attribute(true, false, Type::Dynamic)),
        ("output", attribute(false, true, Type::Dynamic)),
        ("triggers_replace", attribute(true, false, Type::Dynamic)),
    ];
    let attributes = attributes.into_iter().map(|(name, attribute)| (Str::new_static(name), attribute));
    Schema { version: 0, block: Block::new(attributes.collect(), Default::default()), ..Schema::default() }
}

/// What the provider alone decides cannot be configured.
pub fn validate(config: &Value) -> Vec<ProviderDiagnostic> {
    let set = ["id", "output"].into_iter().filter(|name| part(config, name).is_some_and(|value| !value.is_null()));
    set.map(|name| ProviderDiagnostic::error(format!("{name:?} attribute is read-only"), "").without_place()).collect()
}

fn part<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.get(name)
}

/// A new id where the object is new, an output that follows the input.
pub fn plan(request: &PlanRequest<'_>) -> PlanResponse {
    let mut planned = request.proposed.entries().map(Entries::to_map).unwrap_or_default();
    let input = part(request.proposed, "input").cloned().unwrap_or_else(|| Value::null(Type::Dynamic));
    let differs = |name: &str| match (part(request.prior, name), part(request.proposed, name)) {
        (Some(prior), Some(proposed)) => !prior.raw_equals(proposed),
        _ => true,
    };
    let replaced = !request.prior.is_null() && differs("triggers_replace");
    let new = request.prior.is_null() || replaced;
    if new {
        planned.insert(Str::new_static("id"), Value::unknown(Type::String).refine_not_null());
    }
    if new || differs("input") {
        // The output of a new object without input is known; an update leaves it to the apply in any case.
        let output = if new && input.is_null() { input } else { Value::unknown(input.ty()) };
        planned.insert(Str::new_static("output"), output);
    }
    let triggers = Path(vec![PathStep::Attribute(Str::new_static("triggers_replace"))]);
    PlanResponse {
        planned: Some(Value::object(planned)),
        requires_replace: replaced.then_some(triggers).into_iter().collect(),
        ..PlanResponse::default()
    }
}

/// Gives the object its id, and copies the input to the output.
pub fn apply(request: &ApplyRequest<'_>) -> ApplyResponse {
    let Some(planned) = request.planned.entries() else { return ApplyResponse::default() };
    let mut object = planned.to_map();
    if object.get("id").is_none_or(|id| !id.is_known()) {
        object.insert(Str::new_static("id"), Value::string(request.client_token));
    }
    if let Some(input) = planned.get("input").cloned() {
        object.insert(Str::new_static("output"), input);
    }
    ApplyResponse { object: Some(Value::object(object)), ..ApplyResponse::default() }
}

/// An object of which only the id is known.
pub fn imported(id: &str) -> Value {
    let null = || Value::null(Type::Dynamic);
    Value::object([("id", Value::string(id)), ("input", null()), ("output", null()), ("triggers_replace", null())])
}

/// The attributes of a `null_resource`, which is the same under an older name; nothing else can become a `terraform_data`.
pub fn moved(request: &MoveRequest<'_>) -> Result<Json, ProviderDiagnostic> {
    // Mirrors have other hosts.
    if (request.source.namespace.as_str(), request.source.name.as_str()) != ("hashicorp", "null") {
        return Err(ProviderDiagnostic::error(
            "Unsupported source provider for move operation",
            "Only moving from the official hashicorp/null provider to terraform_data is supported.",
        ));
    }
    if request.source_type != "null_resource" {
        return Err(ProviderDiagnostic::error(
            "Unsupported source resource type for move operation",
            "Only moving from the null_resource managed resource to terraform_data is supported.",
        ));
    }
    let attribute = |name: &str| request.attributes.get(name).cloned().unwrap_or(Json::Null);
    // Triggers are a map there, and mostly written as an object: as such they don't differ from the configuration.
    let triggers = match attribute("triggers") {
        Json::Object(triggers) => {
            let types: serde_json::Map<_, _> = triggers.keys().map(|name| (name.clone(), json!("string"))).collect();
            json!({ "value": triggers, "type": ["object", types] })
        }
        _ => Json::Null,
    };
    Ok(json!({ "id": attribute("id"), "input": null, "output": null, "triggers_replace": triggers }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: Value, input: Value, output: Value, triggers: Value) -> Value {
        Value::object([("id", id), ("input", input), ("output", output), ("triggers_replace", triggers)])
    }

    fn planned(prior: &Value, proposed: &Value) -> PlanResponse {
        plan(&PlanRequest { type_name: NAME, prior, proposed, config: proposed, private: None })
    }

    #[test]
    fn output_is_unknown_only_while_the_input_changes() {
        let null = || Value::null(Type::Dynamic);
        let prior = object(Value::string("1"), Value::string("a"), Value::string("a"), null());
        let same = planned(&prior, &prior);
        assert!(same.planned.unwrap().raw_equals(&prior));
        let changed = object(Value::string("1"), Value::number(2), Value::string("a"), null());
        let response = planned(&prior, &changed).planned.unwrap();
        assert!(response.get("output").unwrap().raw_equals(&Value::unknown(Type::Number)));
        assert!(response.get("id").unwrap().raw_equals(&Value::string("1")));
        let cleared = object(Value::string("1"), null(), Value::string("a"), null());
        assert!(!planned(&prior, &cleared).planned.unwrap().get("output").unwrap().is_known());
        assert!(planned(&Value::null(Type::Dynamic), &cleared).planned.unwrap().get("output").unwrap().is_null());
    }

    #[test]
    fn a_new_trigger_replaces() {
        let null = || Value::null(Type::Dynamic);
        let prior = object(Value::string("1"), null(), null(), null());
        let triggered = object(Value::string("1"), null(), null(), Value::string("x"));
        let response = planned(&prior, &triggered);
        assert_eq!(response.requires_replace.len(), 1);
        assert!(!response.planned.unwrap().get("id").unwrap().is_known());
    }
    #[test]
    fn a_null_resource_and_nothing_else_becomes_a_terraform_data() {
        let ask = |provider: &str, kind: &str, attributes: Json| {
            let source = lang::addr::ProviderSource::hashicorp(provider);
            moved(&MoveRequest { source: &source, source_type: kind, target_type: NAME, attributes })
        };
        let object = ask("null", "null_resource", json!({ "id": "7", "triggers": { "a": "b" } })).unwrap();
        let value = Value::from_json(&object, schema().block.implied_type()).unwrap();
        assert!(value.get("id").unwrap().raw_equals(&Value::string("7")));
        let triggers = Value::object([("a", Value::string("b"))]);
        assert!(value.get("triggers_replace").unwrap().raw_equals(&triggers));
        let without = ask("null", "null_resource", json!({ "id": "7", "triggers": null })).unwrap();
        assert_eq!(without["triggers_replace"], Json::Null);
        let summary = |provider, kind| ask(provider, kind, json!({})).unwrap_err().summary;
        assert_eq!(summary("aws", "null_resource"), "Unsupported source provider for move operation");
        assert_eq!(summary("null", "null_data"), "Unsupported source resource type for move operation");
    }
}
