//! An account of its own for each test, and raw calls in its name.

use std::hash::{BuildHasher, RandomState};

use serde_json::Value;

use crate::HarnessError;
use crate::wire;

/// An account at an endpoint. By LocalStack's convention, which our launcher teaches moto, an access key id of twelve
/// digits names the account: nothing has to be made first, and nothing is left over for another test to trip on.
#[derive(Debug, Clone)]
pub struct Account {
    /// Where calls go: an emulator's endpoint, or a proxy's.
    pub endpoint: String,
    /// Twelve digits; also the access key id.
    pub id: String,
    /// Region of all calls.
    pub region: String,
}

impl Account {
    /// An account with a random id in `eu-west-1`. Random, not counted: several test binaries may share one endpoint.
    pub fn fresh(endpoint: &str) -> Account {
        let random = RandomState::new().hash_one(endpoint);
        let id = format!("{:012}", 100_000_000_000 + random % 800_000_000_000);
        Account { endpoint: endpoint.to_owned(), id, region: "eu-west-1".to_owned() }
    }

    /// The same account by way of another endpoint, such as a proxy's.
    pub fn through(&self, endpoint: &str) -> Account {
        Account { endpoint: endpoint.to_owned(), ..self.clone() }
    }

    /// The variables that point any AWS client at this account.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", self.id.clone()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", self.region.clone()),
            // the older name, the only one that version 1 of the AWS CLI knows
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Calls an action of a query service (EC2, IAM, ELB v2): a form goes out, XML comes back.
    pub fn query(&self, service: &str, action: &str, parameters: &[(&str, &str)]) -> Result<String, HarnessError> {
        let version = match service {
            "ec2" => "2016-11-15",
            "iam" => "2010-05-08",
            "elasticloadbalancing" => "2015-12-01",
            _ => "2011-06-15",
        };
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let mut body = format!("Action={action}&Version={version}");
        for (name, value) in parameters {
            body.push_str(&format!("&{}={}", encode(name), encode(value)));
        }
        let headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        self.call(service, action, "POST", "/", &headers, body)
    }

    /// Calls an action of a JSON service (CloudWatch Logs, KMS), which a header names, such as `Logs_20140328.DescribeLogGroups`.
    pub fn json(&self, service: &str, target: &str, body: &Value) -> Result<Value, HarnessError> {
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target)];
        parse(target, &self.call(service, target, "POST", "/", &headers, body.to_string())?)
    }

    /// Reads a path of a REST service (EKS).
    pub fn get(&self, service: &str, path: &str) -> Result<Value, HarnessError> {
        parse(path, &self.call(service, path, "GET", path, &[], String::new())?)
    }

    /// Makes a bucket of a name that no other account has, and returns its name.
    pub fn make_bucket(&self) -> Result<String, HarnessError> {
        let name = format!("bucket-{}", self.id);
        let region = &self.region;
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        );
        self.call("s3", "CreateBucket", "PUT", &format!("/{name}"), &[], body)?;
        Ok(name)
    }

    /// Makes a DynamoDB table as Terraform's s3 backend wants it.
    pub fn make_lock_table(&self, name: &str) -> Result<(), HarnessError> {
        let table = serde_json::json!({
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        });
        self.json("dynamodb", "DynamoDB_20120810.CreateTable", &table).map(drop)
    }

    /// The objects of a bucket.
    pub fn objects(&self, bucket: &str) -> Result<Vec<String>, HarnessError> {
        let listed = self.call("s3", "ListObjects", "GET", &format!("/{bucket}?list-type=2"), &[], String::new())?;
        let keys = listed.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
        Ok(keys.map(str::to_owned).collect())
    }

    /// Puts an object into a bucket.
    pub fn put_object(&self, bucket: &str, key: &str, body: &str) -> Result<(), HarnessError> {
        self.call("s3", "PutObject", "PUT", &format!("/{bucket}/{key}"), &[], body.to_owned()).map(drop)
    }

    fn call(
        &self,
        service: &str,
        what: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<String, HarnessError> {
        let failed = |reason: String| HarnessError::Request { request: format!("{service} {what}"), reason };
        // Emulators read account, region and service from the credential's scope and leave the signature alone.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            self.id, self.region
        );
        let mut headers = headers.to_vec();
        headers.push(("authorization", &authorization));
        let (status, text) = wire::call(&self.endpoint, method, path, &headers, body).map_err(failed)?;
        if (200..300).contains(&status) { Ok(text) } else { Err(failed(format!("status {status}: {text}"))) }
    }
}

fn parse(what: &str, text: &str) -> Result<Value, HarnessError> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text)
        .map_err(|error| HarnessError::Request { request: what.to_owned(), reason: format!("{error}: {text}") })
}
