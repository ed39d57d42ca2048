//! The DynamoDB table: a lock for each state, and its checksum.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_session::{CallError, call};

/// The table.
pub(crate) struct Table<'a> {
    pub name: &'a str,
    pub client: &'a aws_sdk_dynamodb::Client,
}

impl Table<'_> {
    /// Makes the lock of a state, unless there is one.
    pub(crate) async fn lock(&self, place: &str, info: &str) -> Result<(), CallError> {
        let request = self
            .client
            .put_item()
            .table_name(self.name)
            .item("LockID", text(place))
            .item("Info", text(info))
            .condition_expression("attribute_not_exists(LockID)");
        request.send().await.map(drop).map_err(call("DynamoDB", "PutItem"))
    }

    /// Replaces the lock of a state, if it is exactly this one.
    pub(crate) async fn replace(&self, place: &str, info: &str, old: &str) -> Result<(), CallError> {
        let request = self
            .client
            .put_item()
            .table_name(self.name)
            .item("LockID", text(place))
            .item("Info", text(info))
            .condition_expression("Info = :old")
            .expression_attribute_values(":old", text(old));
        request.send().await.map(drop).map_err(call("DynamoDB", "PutItem"))
    }

    /// What the lock of a state says.
    pub(crate) async fn info(&self, place: &str) -> Result<Option<String>, CallError> {
        self.get(place, "Info").await
    }

    /// Removes an item, if it is there.
    pub(crate) async fn delete(&self, id: &str) -> Result<(), CallError> {
        let request = self.client.delete_item().table_name(self.name).key("LockID", text(id));
        request.send().await.map(drop).map_err(call("DynamoDB", "DeleteItem"))
    }

    /// The checksum of a state, in hexadecimal.
    pub(crate) async fn digest(&self, place: &str) -> Result<Option<String>, CallError> {
        self.get(&digest_id(place), "Digest").await
    }

    /// Stores the checksum of a state.
    pub(crate) async fn set_digest(&self, place: &str, digest: &str) -> Result<(), CallError> {
        let request = self.client.put_item().table_name(self.name);
        let request = request.item("LockID", text(&digest_id(place))).item("Digest", text(digest));
        request.send().await.map(drop).map_err(call("DynamoDB", "PutItem"))
    }

    /// Forgets the checksum of a state.
    pub(crate) async fn delete_digest(&self, place: &str) -> Result<(), CallError> {
        self.delete(&digest_id(place)).await
    }

    async fn get(&self, id: &str, attribute: &str) -> Result<Option<String>, CallError> {
        let request = self.client.get_item().table_name(self.name).key("LockID", text(id));
        let request = request.projection_expression(format!("LockID, {attribute}")).consistent_read(true);
        let answer = request.send().await.map_err(call("DynamoDB", "GetItem"))?;
        let mut item: HashMap<String, AttributeValue> = answer.item.unwrap_or_default();
        Ok(match item.remove(attribute) {
            Some(AttributeValue::S(text)) => Some(text),
            _ => None,
        })
    }
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn digest_id(place: &str) -> String {
    format!("{place}-md5")
}

/// Whether a lock was refused because there is one.
pub(crate) fn is_conflict(error: &CallError) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}
