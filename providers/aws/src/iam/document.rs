//! Policy documents as Terraform's provider reads, merges and writes them: not every JSON survives unchanged, names are
//! matched without case, and the order of what is written matters to the byte.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::policy::{self, json_text, write_string};

/// A policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Document {
    pub(crate) version: String,
    pub(crate) id: String,
    pub(crate) statements: Vec<Statement>,
}

/// A statement. Actions and resources are kept as they were written.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sid: String,
    pub(crate) effect: String,
    pub(crate) actions: Option<Json>,
    pub(crate) not_actions: Option<Json>,
    pub(crate) resources: Option<Json>,
    pub(crate) not_resources: Option<Json>,
    pub(crate) principals: Principals,
    pub(crate) not_principals: Principals,
    pub(crate) conditions: Conditions,
}

/// Identifiers by type; a type may come several times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Principals(pub(crate) Vec<(String, Scalar)>);

/// Operator, variable, values; the first two may come several times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Conditions(pub(crate) Vec<(String, String, Vec<String>)>);

/// A single string or a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar {
    One(String),
    Many(Vec<String>),
}

impl Scalar {
    /// From strings in ascending order: one stands alone, more are written in descending order.
    pub(crate) fn of_sorted(texts: impl DoubleEndedIterator<Item = String>) -> Scalar {
        let mut texts: Vec<String> = texts.rev().collect();
        match texts.pop() {
            Some(only) if texts.is_empty() => Scalar::One(only),
            Some(last) => {
                texts.push(last);
                Scalar::Many(texts)
            }
            None => Scalar::Many(texts),
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Scalar::One(text) => Json::from(text.as_str()),
            Scalar::Many(texts) => Json::from(texts.clone()),
        }
    }
}

impl Document {
    /// Lays another document over this one: its statements replace those with the same Sid.
    pub(crate) fn merge(&mut self, other: Document) {
        if !other.id.is_empty() {
            self.id = other.id;
        }
        if other.version > self.version {
            self.version = other.version;
        }
        for statement in other.statements {
            let same = |known: &&mut Statement| !statement.sid.is_empty() && known.sid == statement.sid;
            match self.statements.iter_mut().find(same) {
                Some(known) => *known = statement,
                None => self.statements.push(statement),
            }
        }
    }

    /// As JSON without white space.
    pub(crate) fn minified(&self) -> String {
        let mut out = String::new();
        write(&mut out, &self.node(), None);
        out
    }

    /// As JSON, indented by two spaces.
    pub(crate) fn indented(&self) -> String {
        let mut out = String::new();
        write(&mut out, &self.node(), Some(0));
        out
    }

    fn node(&self) -> Node {
        let mut entries = Vec::new();
        push_text(&mut entries, "Version", &self.version);
        push_text(&mut entries, "Id", &self.id);
        if !self.statements.is_empty() {
            entries.push(("Statement".to_owned(), Node::Array(self.statements.iter().map(Statement::node).collect())));
        }
        Node::Object(entries)
    }
}

impl Statement {
    fn node(&self) -> Node {
        let mut entries = Vec::new();
        push_text(&mut entries, "Sid", &self.sid);
        push_text(&mut entries, "Effect", &self.effect);
        let parts = [
            ("Action", &self.actions),
            ("NotAction", &self.not_actions),
            ("Resource", &self.resources),
            ("NotResource", &self.not_resources),
        ];
        for (name, value) in parts {
            if let Some(value) = value {
                entries.push((name.to_owned(), Node::from(value)));
            }
        }
        for (name, principals) in [("Principal", &self.principals), ("NotPrincipal", &self.not_principals)] {
            if !principals.0.is_empty() {
                entries.push((name.to_owned(), principals.node()));
            }
        }
        if !self.conditions.0.is_empty() {
            entries.push(("Condition".to_owned(), self.conditions.node()));
        }
        Node::Object(entries)
    }
}

impl Principals {
    fn node(&self) -> Node {
        if let [(kind, ids)] = self.0.as_slice() {
            let all = match ids {
                Scalar::One(id) => id == "*",
                Scalar::Many(ids) => matches!(ids.as_slice(), [id] if id == "*"),
            };
            if kind == "*" && all {
                return Node::Text("*".to_owned());
            }
        }
        let mut by_type: BTreeMap<&str, Scalar> = BTreeMap::new();
        for (kind, ids) in &self.0 {
            let before = by_type.remove(kind.as_str());
            let together = match (before, ids.clone()) {
                (None, Scalar::One(id)) => Scalar::One(id),
                (before, ids) => {
                    let mut all = before.map(Scalar::into_list).unwrap_or_default();
                    match ids {
                        Scalar::One(id) => all.push(id),
                        Scalar::Many(mut ids) => {
                            ids.sort_by(|a, b| b.cmp(a));
                            all.extend(ids);
                        }
                    }
                    Scalar::Many(all)
                }
            };
            by_type.insert(kind, together);
        }
        let entries = by_type.into_iter().map(|(kind, ids)| (kind.to_owned(), Node::from(&ids.to_json())));
        Node::Object(entries.collect())
    }
}

impl Scalar {
    fn into_list(self) -> Vec<String> {
        match self {
            Scalar::One(text) => vec![text],
            Scalar::Many(texts) => texts,
        }
    }
}

impl Conditions {
    fn node(&self) -> Node {
        let mut by_test: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for (test, variable, values) in &self.0 {
            let known = by_test.entry(test).or_default().entry(variable).or_default();
            known.extend(values.iter().map(String::as_str));
        }
        let entries = by_test.into_iter().map(|(test, variables)| {
            let variables = variables.into_iter().map(|(variable, values)| {
                let values = match values.as_slice() {
                    [only] => Node::Text((*only).to_owned()),
                    many => Node::Array(many.iter().map(|value| Node::Text((*value).to_owned())).collect()),
                };
                (variable.to_owned(), values)
            });
            (test.to_owned(), Node::Object(variables.collect()))
        });
        Node::Object(entries.collect())
    }
}

/// Reads a document.
pub(crate) fn parse(text: &str) -> Result<Document, String> {
    let Json::Object(entries) = json_text(text)? else {
        return Err("json: cannot unmarshal a value that is no object into a policy document".to_owned());
    };
    let statements = match member(&entries, "Statement") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(statements)) => statements.iter().map(statement).collect::<Result<_, _>>()?,
        Some(other) => {
            return Err(format!(
                "json: cannot unmarshal {} into Go struct field IAMPolicyDoc.Statement of type \
                 []*iam.IAMPolicyStatement",
                kind(other)
            ));
        }
    };
    Ok(Document { version: string(&entries, "Version")?, id: string(&entries, "Id")?, statements })
}

fn statement(json: &Json) -> Result<Statement, String> {
    let entries = match json {
        Json::Object(entries) => entries,
        Json::Null => return Ok(Statement::default()),
        other => {
            return Err(format!(
                "json: cannot unmarshal {} into Go struct field IAMPolicyDoc.Statement of type iam.IAMPolicyStatement",
                kind(other)
            ));
        }
    };
    let any = |name: &str| member(entries, name).filter(|value| !value.is_null()).cloned();
    Ok(Statement {
        sid: string(entries, "Sid")?,
        effect: string(entries, "Effect")?,
        actions: any("Action"),
        not_actions: any("NotAction"),
        resources: any("Resource"),
        not_resources: any("NotResource"),
        principals: principals(member(entries, "Principal"))?,
        not_principals: principals(member(entries, "NotPrincipal"))?,
        conditions: conditions(member(entries, "Condition"))?,
    })
}

fn principals(json: Option<&Json>) -> Result<Principals, String> {
    let entries = match json {
        None => return Ok(Principals::default()),
        // Whatever the text is.
        Some(Json::String(_)) => {
            return Ok(Principals(vec![("*".to_owned(), Scalar::Many(vec!["*".to_owned()]))]));
        }
        Some(Json::Object(entries)) => entries,
        Some(other) => return Err(format!("Unsupported data type {} for IAMPolicyStatementPrincipalSet", kind(other))),
    };
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let read = |(name, value): (&String, &Json)| {
        let ids = match value {
            Json::String(id) => Scalar::One(id.clone()),
            Json::Array(ids) => {
                let id = |id: &Json| {
                    id.as_str().map(str::to_owned).ok_or_else(|| {
                        format!(
                            "Unsupported element type {} for IAMPolicyStatementPrincipalSet.Identifiers (principal type \
                             {name:?}): must be string",
                            kind(id)
                        )
                    })
                };
                Scalar::Many(ids.iter().map(id).collect::<Result<_, String>>()?)
            }
            other => {
                return Err(format!(
                    "Unsupported data type {} for IAMPolicyStatementPrincipalSet.Identifiers",
                    kind(other)
                ));
            }
        };
        Ok((name.clone(), ids))
    };
    Ok(Principals(sorted.into_iter().map(read).collect::<Result<_, _>>()?))
}

fn conditions(json: Option<&Json>) -> Result<Conditions, String> {
    let wrong = |json: &Json| format!("json: cannot unmarshal {} into a policy's condition", kind(json));
    let operators = match json {
        None | Some(Json::Null) => return Ok(Conditions::default()),
        Some(Json::Object(operators)) => operators,
        Some(other) => return Err(wrong(other)),
    };
    let mut read = Vec::new();
    for (test, variables) in operators {
        let variables = match variables {
            Json::Object(variables) => variables,
            Json::Null => continue,
            other => return Err(wrong(other)),
        };
        for (variable, values) in variables {
            let values = match values {
                Json::String(value) => vec![value.clone()],
                Json::Bool(value) => vec![value.to_string()],
                Json::Array(values) => {
                    let text = |value: &Json| value.as_str().map(str::to_owned).ok_or_else(|| wrong(value));
                    values.iter().map(text).collect::<Result<_, _>>()?
                }
                // Terraform's provider drops what it doesn't know.
                _ => continue,
            };
            read.push((test.clone(), variable.clone(), values));
        }
    }
    Ok(Conditions(read))
}

/// A member by its name, or else by its name in any case: the last one in the order of names.
fn member<'a>(entries: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    entries.get(name).or_else(|| entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn string(entries: &Map<String, Json>, name: &str) -> Result<String, String> {
    match member(entries, name) {
        None | Some(Json::Null) => Ok(String::new()),
        Some(Json::String(text)) => Ok(text.clone()),
        Some(other) => {
            Err(format!("json: cannot unmarshal {} into Go struct field .{name} of type string", kind(other)))
        }
    }
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// JSON whose members have an order.
enum Node {
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
    /// A number, a boolean, null.
    Plain(Json),
}

impl From<&Json> for Node {
    fn from(json: &Json) -> Node {
        match json {
            Json::String(text) => Node::Text(text.clone()),
            Json::Array(elements) => Node::Array(elements.iter().map(Node::from).collect()),
            Json::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().map(|(name, v)| (name.clone(), Node::from(v))).collect();
                entries.sort_by(|(a, _), (b, _)| a.cmp(b));
                Node::Object(entries)
            }
            plain => Node::Plain(plain.clone()),
        }
    }
}

fn push_text(entries: &mut Vec<(String, Node)>, name: &str, text: &str) {
    if !text.is_empty() {
        entries.push((name.to_owned(), Node::Text(text.to_owned())));
    }
}

/// Writes as Go does; `indent` is the depth, or `None` for no white space.
fn write(out: &mut String, node: &Node, indent: Option<usize>) {
    let deeper = indent.map(|depth| depth + 1);
    let line = |out: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", depth));
        }
    };
    match node {
        Node::Text(text) => write_string(out, text),
        Node::Plain(json) => policy::write_json(out, json),
        Node::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(out, deeper);
                write(out, element, deeper);
            }
            if !elements.is_empty() {
                line(out, indent);
            }
            out.push(']');
        }
        Node::Object(entries) => {
            out.push('{');
            for (index, (name, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                line(out, deeper);
                write_string(out, name);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(out, value, deeper);
            }
            if !entries.is_empty() {
                line(out, indent);
            }
            out.push('}');
        }
    }
}
