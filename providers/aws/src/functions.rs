//! The provider's functions: `arn_parse`, `arn_build`, `trim_iam_role_path`.

use std::sync::{Arc, LazyLock};

use lang::functions::{CallError, Function, Param};
use lang::{Type, Value};

/// An ARN has so many sections; the last one may have colons.
const SECTIONS: usize = 6;
const ROLE: &str = "role/";

/// All of them.
pub(crate) static ALL: LazyLock<Vec<Arc<Function>>> = LazyLock::new(all);

fn all() -> Vec<Arc<Function>> {
    let text = |name, about| Param::new(name, Type::String).about(about);
    let sections = ["partition", "service", "region", "account_id", "resource"].map(|name| (name, Type::String));
    let parse =
        Function::new("arn_parse", "Parses an ARN into its constituent parts.", Type::object(sections), |a, _, _| {
            let arn = Arn::parse(argument(a, 0))?;
            let parts = [
                ("partition", arn.partition),
                ("service", arn.service),
                ("region", arn.region),
                ("account_id", arn.account),
                ("resource", arn.resource),
            ];
            Ok(Value::object(parts.map(|(name, part)| (name, Value::from(part)))))
        })
        .param(text("arn", "The ARN."));
    let build = Function::new("arn_build", "Builds an ARN from its constituent parts.", Type::String, |a, _, _| {
        let arn = Arn {
            partition: argument(a, 0),
            service: argument(a, 1),
            region: argument(a, 2),
            account: argument(a, 3),
            resource: argument(a, 4),
        };
        Ok(Value::string(arn.text()))
    })
    .param(text("partition", "The partition, like `aws`."))
    .param(text("service", "The namespace of the service."))
    .param(text("region", "The code of the region."))
    .param(text("account_id", "The id of the account."))
    .param(text("resource", "The resource, with its type where the service wants it."));
    let about = "Removes the path from the ARN of an IAM role, for interfaces that take ARNs without one.";
    let trim = Function::new("trim_iam_role_path", about, Type::String, |a, _, _| {
        let mut arn = Arn::parse(argument(a, 0))?;
        if arn.service != "iam" {
            return Err(CallError::new("service must be \"iam\""));
        }
        if !arn.region.is_empty() {
            return Err(CallError::new("region must be empty"));
        }
        if !arn.resource.starts_with(ROLE) {
            return Err(CallError::new(format_args!("resource must begin with {ROLE:?}")));
        }
        let (_, name) = arn.resource.rsplit_once('/').unwrap_or_default();
        let resource = format!("{ROLE}{name}");
        arn.resource = &resource;
        Ok(Value::string(arn.text()))
    })
    .param(text("arn", "The ARN of the role."));
    [build, parse, trim].into_iter().map(Arc::new).collect()
}

/// The text of an argument that the evaluator has converted.
fn argument(arguments: &[Value], index: usize) -> &str {
    arguments.get(index).and_then(Value::as_str).map_or("", |text| text.as_str())
}

struct Arn<'a> {
    partition: &'a str,
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    fn parse(text: &'a str) -> Result<Arn<'a>, CallError> {
        if !text.starts_with("arn:") {
            return Err(CallError::new("arn: invalid prefix"));
        }
        let sections: Vec<&str> = text.splitn(SECTIONS, ':').collect();
        let &[_, partition, service, region, account, resource] = sections.as_slice() else {
            return Err(CallError::new("arn: not enough sections"));
        };
        Ok(Arn { partition, service, region, account, resource })
    }

    fn text(&self) -> String {
        let Arn { partition, service, region, account, resource } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lang::functions::{CallContext, table};

    fn call(name: &str, arguments: &[&str]) -> Result<Value, CallError> {
        let function = ALL.iter().find(|function| function.name == name).unwrap();
        let arguments: Vec<Value> = arguments.iter().map(|argument| Value::from(*argument)).collect();
        function.call(&arguments, &table(CallContext::default()))
    }

    #[test]
    fn arns_are_taken_apart_and_built() {
        let parts = call("arn_parse", &["arn:aws-cn:iam::444455556666:role:a/b"]).unwrap();
        let expected = [
            ("account_id", "444455556666"),
            ("partition", "aws-cn"),
            ("region", ""),
            ("resource", "role:a/b"),
            ("service", "iam"),
        ];
        assert_eq!(parts, Value::object(expected.map(|(name, part)| (name, Value::from(part)))));
        let built = call("arn_build", &["aws", "s3", "", "", "bucket/key"]).unwrap();
        assert_eq!(built, Value::from("arn:aws:s3:::bucket/key"));
    }

    #[test]
    fn roles_lose_their_path() {
        let trimmed = |arn| call("trim_iam_role_path", &[arn]);
        assert_eq!(trimmed("arn:aws:iam::4:role/with/path/example").unwrap(), "arn:aws:iam::4:role/example".into());
        assert_eq!(trimmed("arn:aws:iam::4:role/example").unwrap(), "arn:aws:iam::4:role/example".into());
    }

    #[test]
    fn what_is_no_arn_is_refused_in_terraforms_words() {
        let message = |name, arn| call(name, &[arn]).unwrap_err().to_string();
        assert_eq!(message("arn_parse", "x"), "arn: invalid prefix");
        assert_eq!(message("arn_parse", "arn:aws:iam"), "arn: not enough sections");
        assert_eq!(message("trim_iam_role_path", "arn:aws:s3::4:role/a/b"), "service must be \"iam\"");
        assert_eq!(message("trim_iam_role_path", "arn:aws:iam:x:4:role/a"), "region must be empty");
        assert_eq!(message("trim_iam_role_path", "arn:aws:iam::4:user/a"), "resource must begin with \"role/\"");
    }
}
