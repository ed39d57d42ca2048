//! Random configurations, and what becomes of them: values change, resources come, go, move and get other keys.

use std::fmt::Write as _;

use crate::random::Random;

/// A value as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// Whatever stands for itself.
    Plain(String),
    List(Vec<Written>),
    Map(Vec<(String, Written)>),
    /// `name(value)`
    Call(&'static str, Box<Written>),
}

const TEXTS: &[&str] = &[
    "",
    "a",
    "b c",
    "line one\nline two\nline three\n",
    "line one\nline 2\nline three\nline four",
    "  indented\n\ttab\n",
    "\u{e9}t\u{e9} \u{1f600}",
    "quote \" and \\ and ${x}",
    "{\"a\":1,\"b\":[1,2]}",
    "[1,{\"k\":\"v\"}]",
    "{}",
    "null",
    "12",
    "---\nyaml: true\n",
    "a long text that goes on for more than the width of a terminal line, so that whoever wraps it must show it here",
];

const PLAIN: &[&str] = &["1", "0", "-2.5", "100000000000000000000", "true", "false", "null", "3", "1e30", "0.1"];

const KEYS: &[&str] = &["a", "b", "c", "long_key", "with space", "0", "k.dot", "Z"];

pub struct Generator {
    pub random: Random,
}

impl Generator {
    fn value(&mut self, depth: usize, references: &[String]) -> Written {
        let kinds = if depth == 0 { 3 } else { 7 };
        match self.random.below(kinds) {
            0 => Written::Plain((*self.random.pick(PLAIN)).to_owned()),
            1 => Written::Plain(quoted(self.random.pick(TEXTS))),
            2 => match references.get(self.random.below(references.len() + 2)) {
                Some(reference) => Written::Plain(reference.clone()),
                None => Written::Plain(quoted(self.random.pick(TEXTS))),
            },
            3 => Written::List(self.several(depth, references)),
            4 => Written::Map(self.entries(depth, references)),
            5 => Written::Call("jsonencode", Box::new(self.value(depth - 1, references))),
            _ => match self.random.below(4) {
                0 => Written::Call("sensitive", Box::new(self.value(depth - 1, references))),
                1 => Written::Call("tomap", Box::new(self.map_of_texts())),
                2 => Written::Call("toset", Box::new(self.list_of_texts())),
                _ => Written::Call("tolist", Box::new(self.list_of_texts())),
            },
        }
    }

    fn several(&mut self, depth: usize, references: &[String]) -> Vec<Written> {
        (0..self.random.below(5)).map(|_| self.value(depth - 1, references)).collect()
    }

    fn entries(&mut self, depth: usize, references: &[String]) -> Vec<(String, Written)> {
        let mut entries: Vec<(String, Written)> = Vec::new();
        for _ in 0..self.random.below(5) {
            let key = (*self.random.pick(KEYS)).to_owned();
            if !entries.iter().any(|(name, _)| *name == key) {
                entries.push((key, self.value(depth - 1, references)));
            }
        }
        entries
    }

    fn list_of_texts(&mut self) -> Written {
        let texts = (0..self.random.below(6)).map(|_| Written::Plain(quoted(self.random.pick(TEXTS))));
        Written::List(texts.collect())
    }

    fn map_of_texts(&mut self) -> Written {
        let mut entries: Vec<(String, Written)> = Vec::new();
        for _ in 0..self.random.below(5) {
            let key = (*self.random.pick(KEYS)).to_owned();
            if !entries.iter().any(|(name, _)| *name == key) {
                entries.push((key, Written::Plain(quoted(self.random.pick(TEXTS)))));
            }
        }
        Written::Map(entries)
    }

    /// Something near it.
    fn changed(&mut self, value: &Written, references: &[String]) -> Written {
        if self.random.chance(12) {
            return self.value(2, references);
        }
        match value {
            Written::Plain(_) => self.value(0, references),
            Written::List(items) => {
                let mut items = items.clone();
                let at = self.random.below(items.len());
                match self.random.below(4) {
                    0 if !items.is_empty() => drop(items.remove(at)),
                    1 => items.insert(self.random.below(items.len() + 1), self.value(0, references)),
                    2 if items.len() > 1 => items.rotate_left(1),
                    _ if !items.is_empty() => items[at] = self.changed(&items[at].clone(), references),
                    _ => items.push(self.value(1, references)),
                }
                Written::List(items)
            }
            Written::Map(entries) => {
                let mut entries = entries.clone();
                let at = self.random.below(entries.len());
                match self.random.below(3) {
                    0 if !entries.is_empty() => drop(entries.remove(at)),
                    1 if !entries.is_empty() => entries[at].1 = self.changed(&entries[at].1.clone(), references),
                    _ => {
                        let key = self.random.pick(KEYS);
                        entries.retain(|(name, _)| *name != key);
                        entries.push((key.to_owned(), self.value(1, references)));
                    }
                }
                Written::Map(entries)
            }
            Written::Call("sensitive", inner) if self.random.chance(30) => (**inner).clone(),
            Written::Call(name @ ("tomap" | "toset" | "tolist"), _) => {
                let inner = if *name == "tomap" { self.map_of_texts() } else { self.list_of_texts() };
                Written::Call(name, Box::new(inner))
            }
            Written::Call(name, inner) => Written::Call(name, Box::new(self.changed(inner, references))),
        }
    }

    /// A configuration to begin with.
    pub fn stack(&mut self) -> Stack {
        let mut stack = Stack::default();
        for index in 0..2 + self.random.below(3) {
            let references = stack.references();
            let resource = self.resource(&format!("r{index}"), &references);
            stack.resources.push(resource);
        }
        for index in 0..self.random.below(4) {
            let references = stack.references();
            let output = Output {
                name: format!("o{index}"),
                value: self.value(3, &references),
                sensitive: self.random.chance(60),
            };
            stack.outputs.push(output);
        }
        stack
    }

    fn resource(&mut self, name: &str, references: &[String]) -> Resource {
        Resource {
            name: name.to_owned(),
            input: self.value(3, references),
            triggers: self.random.chance(40).then(|| self.value(1, references)),
            repetition: self.repetition(),
            lifecycle: self.lifecycle(references),
            depends_on: self.random.chance(12).then(|| self.resource_of(references)).flatten(),
            in_module: self.random.chance(25),
        }
    }

    fn repetition(&mut self) -> Repetition {
        match self.random.below(5) {
            0 => Repetition::Count(self.random.below(4)),
            1 => {
                let keys = KEYS.iter().filter(|_| self.random.chance(35)).map(|key| (*key).to_owned()).collect();
                Repetition::ForEach(keys)
            }
            _ => Repetition::None,
        }
    }

    fn lifecycle(&mut self, references: &[String]) -> Vec<String> {
        let mut lines = Vec::new();
        if self.random.chance(20) {
            lines.push("create_before_destroy = true".to_owned());
        }
        if self.random.chance(12) {
            lines.push((*self.random.pick(&["ignore_changes = [input]", "ignore_changes = all"])).to_owned());
        }
        if self.random.chance(6) {
            lines.push("prevent_destroy = true".to_owned());
        }
        if self.random.chance(25)
            && let Some(resource) = self.resource_of(references)
        {
            lines.push(format!("replace_triggered_by = [{resource}]"));
        }
        if self.random.chance(12) {
            let condition = self.random.pick(&["true", "var.text == \"first\"", "length(var.list) < 9"]);
            lines.push(format!(
                "precondition {{\n      condition     = {condition}\n      error_message = \"before\"\n    }}"
            ));
        }
        if self.random.chance(15) {
            lines.push(format!(
                "postcondition {{\n      condition     = self.input != {}\n      error_message = \"no: ${{jsonencode(self.input)}}\"\n    }}",
                quoted(self.random.pick(TEXTS))
            ));
        }
        lines
    }

    /// One of the resources that are spoken of.
    fn resource_of(&mut self, references: &[String]) -> Option<String> {
        let at = references.iter().filter(|name| name.starts_with("terraform_data")).nth(self.random.below(9))?;
        let resource: Vec<&str> = at.trim_end_matches("[*].id").split('.').take(2).collect();
        Some(resource.join("."))
    }

    /// The options of a plan for the next version of a stack.
    pub fn options(&mut self, stack: &Stack) -> Vec<String> {
        let resource = match stack.resources.get(self.random.below(stack.resources.len())) {
            Some(resource) => resource.address(),
            None => "terraform_data.none".to_owned(),
        };
        let options: &[String] = match self.random.below(16) {
            0 => &["-destroy".to_owned()],
            1 => &["-refresh-only".to_owned()],
            2 => &["-refresh=false".to_owned()],
            3 => &[format!("-target={resource}")],
            4 => &[format!("-target={resource}"), "-target=terraform_data.added".to_owned()],
            5 => &["-destroy".to_owned(), format!("-target={resource}")],
            6 if resource.starts_with('t') => &[format!("-replace={resource}")],
            7 if resource.starts_with('t') => &[format!("-replace={resource}[0]")],
            8 => &["-var=text=third".to_owned(), "-var=list=[\"x\"]".to_owned()],
            _ => &[],
        };
        options.to_vec()
    }

    /// The next version of a stack.
    pub fn next(&mut self, stack: &Stack) -> Stack {
        let mut next = Stack::default();
        for resource in &stack.resources {
            let references = next.references();
            let mut resource = resource.clone();
            resource.input = forget(&resource.input, &references);
            resource.triggers = resource.triggers.map(|triggers| forget(&triggers, &references));
            resource.lifecycle.retain(|line| !line.starts_with("replace_triggered_by"));
            resource.depends_on = resource.depends_on.filter(|on| references.iter().any(|name| name.starts_with(on)));
            match self.random.below(10) {
                0 => {
                    if self.random.chance(30) && !resource.in_module {
                        next.further.push(format!(
                            "removed {{\n  from = terraform_data.{}\n  lifecycle {{\n    destroy = false\n  }}\n}}\n",
                            resource.name
                        ));
                    }
                    continue;
                }
                1 | 2 if !resource.in_module => {
                    let name = format!("{}_new", resource.name);
                    next.further.push(format!(
                        "moved {{\n  from = terraform_data.{}\n  to   = terraform_data.{name}\n}}\n",
                        resource.name
                    ));
                    resource.name = name;
                }
                3 => {
                    let before = resource.repetition.first_key();
                    resource.repetition = self.repetition();
                    if let (Some(from), Some(to)) = (before, resource.repetition.first_key())
                        && from != to
                        && self.random.chance(40)
                    {
                        let address = resource.address();
                        next.further.push(format!("moved {{\n  from = {address}{from}\n  to   = {address}{to}\n}}\n"));
                    }
                }
                4..=7 => resource.input = self.changed(&resource.input, &references),
                _ => {}
            }
            if self.random.chance(15) {
                resource.triggers = Some(self.value(1, &references));
            }
            if self.random.chance(15) {
                resource.lifecycle = self.lifecycle(&references);
            }
            next.resources.push(resource);
        }
        if self.random.chance(40) {
            let references = next.references();
            let resource = self.resource("added", &references);
            next.resources.push(resource);
        }
        if self.random.chance(10) {
            let (input, repetition) = (Written::Plain("null".to_owned()), Repetition::None);
            let (lifecycle, in_module) = (Vec::new(), false);
            let (name, triggers, depends_on) = ("imported".to_owned(), None, None);
            next.resources.push(Resource { name, input, triggers, repetition, lifecycle, depends_on, in_module });
            next.further.push("import {\n  to = terraform_data.imported\n  id = \"an-id\"\n}\n".to_owned());
        }
        let references = next.references();
        if self.random.chance(12) {
            let condition = match references.get(self.random.below(references.len() * 2)) {
                Some(reference) => format!("{reference} != null"),
                None => "false".to_owned(),
            };
            next.further.push(format!(
                "check \"holds\" {{\n  assert {{\n    condition     = {condition}\n    error_message = \"it does not\"\n  }}\n}}\n"
            ));
        }
        for output in &stack.outputs {
            let mut output = output.clone();
            output.value = forget(&output.value, &references);
            match self.random.below(5) {
                0 => continue,
                1 | 2 => output.value = self.changed(&output.value, &references),
                3 => output.sensitive = self.random.chance(50),
                _ => {}
            }
            next.outputs.push(output);
        }
        next
    }
}

impl Written {
    /// With other words where `other` has some.
    fn replaced(&self, other: &dyn Fn(&str) -> Option<String>) -> Written {
        match self {
            Written::Plain(text) => Written::Plain(other(text).unwrap_or_else(|| text.clone())),
            Written::List(items) => Written::List(items.iter().map(|item| item.replaced(other)).collect()),
            Written::Map(entries) => {
                Written::Map(entries.iter().map(|(key, value)| (key.clone(), value.replaced(other))).collect())
            }
            Written::Call(name, inner) => {
                let name = other(name).map_or(*name, |_| "try");
                Written::Call(name, Box::new(inner.replaced(other)))
            }
        }
    }
}

/// Without references to what is not there.
fn forget(value: &Written, references: &[String]) -> Written {
    value.replaced(&|text| {
        let is_gone = text.contains("terraform_data.") && !references.iter().any(|reference| reference == text);
        is_gone.then(|| "\"gone\"".to_owned())
    })
}

/// Without secrets.
fn bare(value: &Written) -> Written {
    value.replaced(&|text| {
        let is_secret = text == "sensitive" || text == "var.secret" || text.contains("put");
        is_secret.then(|| "\"bare\"".to_owned())
    })
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '$' => quoted.push_str("$$"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Written::Plain(text) => f.write_str(text),
            Written::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Written::Map(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, value)| format!("{} = {value}", quoted(key))).collect();
                write!(f, "{{ {} }}", entries.join(", "))
            }
            Written::Call(name, inner) => write!(f, "{name}({inner})"),
        }
    }
}

#[derive(Clone, Debug)]
pub enum Repetition {
    None,
    Count(usize),
    ForEach(Vec<String>),
}

impl Repetition {
    /// The first of its keys, as it is written behind an address.
    fn first_key(&self) -> Option<String> {
        match self {
            Repetition::None => Some(String::new()),
            Repetition::Count(count) => (*count > 0).then(|| "[0]".to_owned()),
            Repetition::ForEach(keys) => keys.first().map(|key| format!("[{}]", quoted(key))),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Resource {
    name: String,
    input: Written,
    triggers: Option<Written>,
    repetition: Repetition,
    lifecycle: Vec<String>,
    depends_on: Option<String>,
    in_module: bool,
}

impl Resource {
    /// The address of it, or of the module that has it.
    fn address(&self) -> String {
        let kind = if self.in_module { "module" } else { "terraform_data" };
        format!("{kind}.{}", self.name)
    }
}

#[derive(Clone, Debug)]
pub struct Output {
    name: String,
    value: Written,
    sensitive: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Stack {
    resources: Vec<Resource>,
    outputs: Vec<Output>,
    /// Blocks `moved` and `removed`.
    further: Vec<String>,
}

/// A module whose resource keeps what it is given; and the same with another name for its resource, told or not.
pub const MODULES: [&str; 3] = [
    "variable \"input\" {}\nresource \"terraform_data\" \"inner\" {\n  input = var.input\n}\noutput \"kept\" {\n  value = terraform_data.inner.output\n  sensitive = true\n}\n",
    "variable \"input\" {}\nresource \"terraform_data\" \"other\" {\n  input = var.input\n}\nmoved {\n  from = terraform_data.inner\n  to = terraform_data.other\n}\noutput \"kept\" {\n  value = terraform_data.other.output\n  sensitive = true\n}\n",
    "variable \"input\" {}\nresource \"terraform_data\" \"other\" {\n  count = 1\n  input = var.input\n}\noutput \"kept\" {\n  value = one(terraform_data.other[*].output)\n  sensitive = true\n}\n",
];

impl Stack {
    /// Expressions that others may use.
    fn references(&self) -> Vec<String> {
        let mut references = vec!["var.text".to_owned(), "var.secret".to_owned(), "var.list".to_owned()];
        for resource in self.resources.iter().filter(|resource| !resource.in_module) {
            let address = format!("terraform_data.{}", resource.name);
            match resource.repetition {
                Repetition::None => {
                    references.extend([
                        format!("{address}.output"),
                        format!("{address}.id"),
                        format!("{address}.input"),
                    ]);
                }
                Repetition::Count(_) => references.push(format!("{address}[*].id")),
                Repetition::ForEach(_) => references.push(format!("[for o in {address} : o.output]")),
            }
        }
        references
    }

    /// Its text, behind the declarations of its variables.
    pub fn text(&self, variables: &str) -> String {
        let mut text = variables.to_owned();
        for resource in &self.resources {
            let repetition = match &resource.repetition {
                Repetition::None => String::new(),
                Repetition::Count(count) => format!("  count = {count}\n"),
                Repetition::ForEach(keys) => {
                    let keys: Vec<String> = keys.iter().map(|key| quoted(key)).collect();
                    format!("  for_each = toset([{}])\n", keys.join(", "))
                }
            };
            let (name, input) = (&resource.name, &resource.input);
            if resource.in_module {
                write!(text, "module \"{name}\" {{\n  source = \"./module\"\n{repetition}  input = {input}\n}}\n")
                    .unwrap();
                continue;
            }
            let triggers = resource
                .triggers
                .as_ref()
                .map(|triggers| format!("  triggers_replace = {triggers}\n"))
                .unwrap_or_default();
            write!(text, "resource \"terraform_data\" \"{name}\" {{\n{repetition}  input = {input}\n{triggers}")
                .unwrap();
            if let Some(on) = &resource.depends_on {
                writeln!(text, "  depends_on = [{on}]").unwrap();
            }
            if !resource.lifecycle.is_empty() {
                write!(text, "  lifecycle {{\n    {}\n  }}\n", resource.lifecycle.join("\n    ")).unwrap();
            }
            text.push_str("}\n");
        }
        for output in &self.outputs {
            // A secret is refused in an output that isn't sensitive.
            let value = if output.sensitive { output.value.clone() } else { bare(&output.value) };
            write!(text, "output \"{}\" {{\n  value = {value}\n  sensitive = {}\n}}\n", output.name, output.sensitive)
                .unwrap();
        }
        self.further.iter().for_each(|block| text.push_str(block));
        text
    }
}

/// The declarations of its variables, at first and then.
pub const VARIABLES: [&str; 2] = [
    "variable \"text\" {\n  default = \"first\"\n}\nvariable \"secret\" {\n  default   = \"hidden\"\n  sensitive = true\n}\nvariable \"list\" {\n  default = [\"x\", \"y\"]\n}\n",
    "variable \"text\" {\n  default = \"second\"\n}\nvariable \"secret\" {\n  default   = \"hidden too\"\n  sensitive = true\n}\nvariable \"list\" {\n  default = [\"y\", \"x\", \"z\"]\n}\n",
];
