//! Writing: a piece goes to its sink as soon as it is there.

use std::fmt::Write;
use std::io;

use lang::addr::{AbsResource, InstanceKey, Mode};
use lang::go_json::push_string;

use super::FORMAT_VERSION;
use crate::json::{Json, push_indented, push_line};
use crate::model::{
    AttributePath, AttributeStep, CheckObject, CheckResult, DeposedKey, InstanceObject, ObjectStatus, ResourceState,
    State,
};

/// How much text is collected for the sink.
const CHUNK: usize = 64 << 10;

/// The file, as Terraform would write it.
pub fn write(state: &State) -> Vec<u8> {
    let mut out = Writer::default();
    write_file(&mut out, state);
    out.out.into_bytes()
}

/// The same into a file or connection.
///
/// # Errors
/// Those of the sink.
pub fn write_to(state: &State, sink: &mut dyn io::Write) -> io::Result<()> {
    let mut out = Writer { sink: Some(sink), ..Writer::default() };
    write_file(&mut out, state);
    out.pass_on();
    match out.failure {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn write_file(out: &mut Writer<'_>, state: &State) {
    out.open('{');
    out.number("version", FORMAT_VERSION);
    out.string("terraform_version", &state.terraform_version);
    out.number("serial", state.serial.0);
    out.string("lineage", &state.lineage.0);
    out.key("outputs");
    out.open('{');
    for (name, output) in &state.outputs {
        out.key(name);
        out.open('{');
        out.json("value", &output.value);
        out.json("type", &output.ty);
        out.flag("sensitive", output.sensitive);
        out.close('}');
    }
    out.close('}');
    out.key("resources");
    out.open('[');
    for (module, address, resource) in sorted_resources(state) {
        out.element();
        write_resource(out, &module, address, resource);
    }
    out.close(']');
    out.key("check_results");
    match state.check_results.as_deref() {
        None | Some([]) => out.raw("null"),
        Some(results) => write_checks(out, results),
    }
    out.close('}');
    out.out.push('\n');
}

/// Terraform sorts by the texts of module, mode, type and name: `module.a[10]` before `module.a[2]`.
fn sorted_resources(state: &State) -> Vec<(String, &AbsResource, &ResourceState)> {
    let mut resources: Vec<_> = state
        .resources
        .iter()
        .map(|(address, resource)| (address.module.to_string(), address, resource.as_ref()))
        .collect();
    resources.sort_by(|(module_a, a, _), (module_b, b, _)| {
        let (a, b) = (&a.resource, &b.resource);
        module_a
            .cmp(module_b)
            .then_with(|| (a.mode == Mode::Managed).cmp(&(b.mode == Mode::Managed)))
            .then_with(|| a.kind.cmp(&b.kind))
            .then_with(|| a.name.cmp(&b.name))
    });
    resources
}

fn write_resource(out: &mut Writer<'_>, module: &str, address: &AbsResource, resource: &ResourceState) {
    out.open('{');
    if !module.is_empty() {
        out.string("module", module);
    }
    out.string("mode", if address.resource.mode == Mode::Data { "data" } else { "managed" });
    out.string("type", &address.resource.kind);
    out.string("name", &address.resource.name);
    out.string("provider", &resource.provider.to_string());
    out.key("instances");
    write_instances(out, resource);
    out.close('}');
}

/// The instances of a resource as they stand in the file, in compact form.
pub fn instances_to_json(resource: &ResourceState) -> Json {
    let mut out = Writer::default();
    write_instances(&mut out, resource);
    Json::from_valid(&out.out)
}

fn write_instances(out: &mut Writer<'_>, resource: &ResourceState) {
    out.open('[');
    for (key, instance) in &resource.instances {
        if let Some(object) = &instance.current {
            out.element();
            write_object(out, key, None, object);
        }
        for (deposed, object) in &instance.deposed {
            out.element();
            write_object(out, key, Some(deposed), object);
        }
    }
    out.close(']');
}

/// An object as it stands among its resource's instances in the file, in compact form.
pub fn object_to_json(object: &InstanceObject) -> Json {
    let mut out = Writer::default();
    write_object(&mut out, &InstanceKey::None, None, object);
    Json::from_valid(&out.out)
}

fn write_object(out: &mut Writer<'_>, key: &InstanceKey, deposed: Option<&DeposedKey>, object: &InstanceObject) {
    out.open('{');
    match key {
        // No object has an unknown key.
        InstanceKey::None | InstanceKey::Unknown => {}
        InstanceKey::Index(index) => out.number("index_key", *index),
        InstanceKey::Name(name) => out.string("index_key", name),
    }
    if object.status == ObjectStatus::Tainted {
        out.string("status", "tainted");
    }
    if let Some(deposed) = deposed {
        out.string("deposed", deposed.as_str());
    }
    out.number("schema_version", object.schema_version);
    match &object.attributes_flat {
        Some(flat) => out.json("attributes_flat", flat),
        None => out.json("attributes", &object.attributes),
    }
    out.key("sensitive_attributes");
    out.open('[');
    for AttributePath(steps) in &object.sensitive_attributes {
        out.element();
        out.open('[');
        for step in steps {
            out.element();
            out.open('{');
            match step {
                AttributeStep::Attribute(name) => {
                    out.string("type", "get_attr");
                    out.string("value", name);
                }
                AttributeStep::Index(key) => {
                    out.string("type", "index");
                    out.json("value", key);
                }
            }
            out.close('}');
        }
        out.close(']');
    }
    out.close(']');
    if let Some(version) = object.identity_schema_version {
        out.number("identity_schema_version", version);
    }
    if let Some(identity) = &object.identity {
        out.json("identity", identity);
    }
    if let Some(private) = &object.private {
        out.string("private", private);
    }
    if !object.dependencies.is_empty() {
        out.key("dependencies");
        out.open('[');
        let mut text = String::new();
        for dependency in object.dependencies.iter() {
            out.element();
            text.clear();
            // A string takes whatever is written.
            let _ = write!(text, "{dependency}");
            push_string(&mut out.out, &text);
        }
        out.close(']');
    }
    out.flag("create_before_destroy", object.create_before_destroy);
    out.close('}');
}

fn write_checks(out: &mut Writer<'_>, results: &[CheckResult]) {
    out.open('[');
    for result in results {
        out.element();
        out.open('{');
        out.string("object_kind", &result.object_kind);
        out.string("config_addr", &result.config_addr);
        out.string("status", result.status.as_str());
        out.key("objects");
        match result.objects.as_deref() {
            None | Some([]) => out.raw("null"),
            Some(objects) => {
                out.open('[');
                for object in objects {
                    out.element();
                    write_check_object(out, object);
                }
                out.close(']');
            }
        }
        out.close('}');
    }
    out.close(']');
}

fn write_check_object(out: &mut Writer<'_>, object: &CheckObject) {
    out.open('{');
    out.string("object_addr", &object.object_addr);
    out.string("status", object.status.as_str());
    if !object.failure_messages.is_empty() {
        out.key("failure_messages");
        out.open('[');
        for message in &object.failure_messages {
            out.element();
            push_string(&mut out.out, message);
        }
        out.close(']');
    }
    out.close('}');
}

/// Writes indented JSON; commas and line breaks follow from the calls.
struct Writer<'s> {
    out: String,
    depth: usize,
    first: bool,
    sink: Option<&'s mut dyn io::Write>,
    /// What the sink said first. Nothing is written from then on.
    failure: Option<io::Error>,
}

impl Default for Writer<'_> {
    fn default() -> Self {
        Writer { out: String::new(), depth: 0, first: true, sink: None, failure: None }
    }
}

impl Writer<'_> {
    /// Gives the sink what is there.
    fn pass_on(&mut self) {
        let Some(sink) = self.sink.as_mut() else { return };
        if self.failure.is_none() {
            self.failure = sink.write_all(self.out.as_bytes()).err();
        }
        self.out.clear();
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.depth += 1;
        self.first = true;
    }

    fn close(&mut self, bracket: char) {
        self.depth = self.depth.saturating_sub(1);
        if !self.first {
            push_line(&mut self.out, self.depth);
        }
        self.out.push(bracket);
        self.first = false;
    }

    fn element(&mut self) {
        if self.out.len() > CHUNK {
            self.pass_on();
        }
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        push_line(&mut self.out, self.depth);
    }

    fn key(&mut self, name: &str) {
        self.element();
        push_string(&mut self.out, name);
        self.out.push_str(": ");
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn string(&mut self, name: &str, value: &str) {
        self.key(name);
        push_string(&mut self.out, value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.key(name);
        self.out.push_str(&value.to_string());
    }

    /// Left out if false.
    fn flag(&mut self, name: &str, value: bool) {
        if value {
            self.key(name);
            self.raw("true");
        }
    }

    fn json(&mut self, name: &str, value: &Json) {
        self.key(name);
        push_indented(&mut self.out, value, self.depth);
    }
}
