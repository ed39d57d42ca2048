//! Deferred changes in a saved plan. Their addresses may have unknown keys, which no text of an address has, so they are
//! stored in parts.

use lang::Str;
use lang::addr::{AbsResource, InstanceKey, ModuleInstance};
use serde_json::{Value as Json, json};

use super::{array, decode_change_of, encode_change, field, parsed, text};
use crate::plan::{DeferredChange, DeferredReason};
use crate::value_codec::Malformed;

pub(super) fn encode(deferred: &DeferredChange) -> Json {
    let address = &deferred.change.address;
    json!({
        "reason": deferred.reason.as_str(),
        "module": address.module.0.iter().map(|(name, key)| json!([name.as_str(), encode_key(key)])).collect::<Vec<_>>(),
        "resource": address.resource.to_string(),
        "key": encode_key(&address.key),
        "change": encode_change(&deferred.change),
    })
}

/// The deferred changes of a plan; a plan that knows nothing of such has none.
pub(super) fn decode_all(plan: &Json) -> Result<Vec<DeferredChange>, Malformed> {
    match plan.get("deferred") {
        None => Ok(Vec::new()),
        Some(_) => array(plan, "deferred")?.iter().map(decode).collect(),
    }
}

fn decode(json: &Json) -> Result<DeferredChange, Malformed> {
    let name = text(json, "reason")?;
    let reason = DeferredReason::ALL.into_iter().find(|reason| reason.as_str() == name).ok_or(Malformed)?;
    let steps = array(json, "module")?.iter().map(|step| match step.as_array().map(Vec::as_slice) {
        Some([Json::String(name), key]) => Ok((Str::new(name), decode_key(key)?)),
        _ => Err(Malformed),
    });
    let module = ModuleInstance(steps.collect::<Result<Vec<_>, Malformed>>()?.into());
    let plain: AbsResource = parsed(text(json, "resource")?)?;
    let address = AbsResource { module, ..plain }.instance(decode_key(field(json, "key")?)?);
    Ok(DeferredChange { reason, change: decode_change_of(address, field(json, "change")?)? })
}

fn encode_key(key: &InstanceKey) -> Json {
    match key {
        InstanceKey::None => Json::Null,
        InstanceKey::Index(index) => json!(index),
        InstanceKey::Name(name) => json!(name.as_str()),
        InstanceKey::Unknown => json!({ "unknown": true }),
    }
}

fn decode_key(json: &Json) -> Result<InstanceKey, Malformed> {
    Ok(match json {
        Json::Null => InstanceKey::None,
        Json::String(name) => InstanceKey::Name(Str::new(name)),
        Json::Object(_) => InstanceKey::Unknown,
        key => InstanceKey::Index(key.as_u64().ok_or(Malformed)?),
    })
}
