//! Systems Manager.

pub mod parameter;
pub mod parameter_data;
pub mod parameter_ephemeral;

use std::collections::HashMap;

use aws_sdk_ssm::types::{Parameter, ResourceTypeForTagging, Tag};
use sdk::{Cx, Registry, Result, ResultExt, TagChanges, Tags};

use crate::client::Aws;
use crate::errors::api;

pub(crate) fn register(registry: &mut Registry<Aws>) {
    registry.resource::<parameter::SsmParameter>();
    registry.data_source::<parameter_data::ParameterData>();
    registry.ephemeral_resource::<parameter_ephemeral::EphemeralParameter>();
}

/// A parameter with its value.
pub(crate) async fn parameter(cx: &Cx<Aws>, name: &str, decrypted: bool) -> Result<Option<Parameter>> {
    let request = cx.ssm().get_parameter().name(name).with_decryption(decrypted);
    let answer = request.send().await.map_err(api("SSM", "GetParameter")).if_found()?;
    Ok(answer.and_then(|answer| answer.parameter))
}

/// The parameters that there are of these, by name, with their values. At most ten.
pub(crate) async fn parameters(cx: &Cx<Aws>, names: Vec<String>) -> Result<HashMap<String, Parameter>> {
    let request = cx.ssm().get_parameters().set_names(Some(names)).with_decryption(true);
    let answer = request.send().await.map_err(api("SSM", "GetParameters"))?;
    let named = |parameter: Parameter| Some((parameter.name.clone()?, parameter));
    Ok(answer.parameters.unwrap_or_default().into_iter().filter_map(named).collect())
}

/// The tags of a parameter; `None` if there is no such parameter any more.
pub(crate) async fn tags(cx: &Cx<Aws>, name: &str) -> Result<Option<Tags>> {
    let request = cx.ssm().list_tags_for_resource().resource_id(name).resource_type(ResourceTypeForTagging::Parameter);
    // The service has a name of its own for an object that isn't there.
    let answer = match request.send().await.map_err(api("SSM", "ListTagsForResource")).if_found() {
        Err(error) if error.is_code("InvalidResourceId") => None,
        answer => answer.doing(format!("listing tags for SSM Parameter ({name})"))?,
    };
    Ok(answer.map(|answer| answer.tag_list.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

/// Tags as the API takes them; `None` if there are none.
pub(crate) fn to_tags(tags: &Tags) -> Option<Vec<Tag>> {
    // `key` and `value` are required and set, so building can't fail.
    let tags: Vec<Tag> = tags.iter().filter_map(|(k, v)| Tag::builder().key(k).value(v).build().ok()).collect();
    (!tags.is_empty()).then_some(tags)
}

/// Brings a parameter's tags to what is planned.
pub(crate) async fn update_tags(cx: &Cx<Aws>, name: &str, prior: &Tags, planned: &Tags) -> Result<()> {
    let changes = TagChanges::between(prior, planned);
    let doing = format!("updating tags for SSM Parameter ({name})");
    if !changes.removed.is_empty() {
        let request = cx.ssm().remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter);
        let request = request.resource_id(name).set_tag_keys(Some(changes.removed));
        request.send().await.map_err(api("SSM", "RemoveTagsFromResource")).doing(&doing)?;
    }
    if let Some(tags) = to_tags(&changes.set) {
        let request = cx.ssm().add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
        let request = request.resource_id(name).set_tags(Some(tags));
        request.send().await.map_err(api("SSM", "AddTagsToResource")).doing(&doing)?;
    }
    Ok(())
}
