//! Progress of plan and apply: lines for people, events for programs.

use std::sync::Arc;
use std::time::Duration;

use lang::Value;
use lang::addr::{Mode, ResourceInstance};
use planner::hooks::{EphemeralStep, Hooks};
use planner::plan::Action;
use serde_json::{Value as Json, json};

use crate::json_views::modules::index;
use crate::json_views::stream::Event;
use crate::ui::Ui;

/// Prints progress as lines.
pub struct HumanProgress {
    /// Where to.
    pub ui: Arc<Ui>,
}

/// Prints progress as JSON events.
pub struct JsonProgress {
    /// Where to.
    pub ui: Arc<Ui>,
}

/// `[id=…]` from an object, with a leading space; empty without an id.
fn id_suffix(id: Option<&str>) -> String {
    id.filter(|id| !id.is_empty()).map_or(String::new(), |id| format!(" [id={id}]"))
}

fn id_of(object: &Value) -> Option<&str> {
    let id = object.get("id").filter(|v| !v.is_sensitive())?;
    id.as_str().map(|s| s.as_str()).filter(|s| !s.is_empty())
}

fn subject(address: &ResourceInstance, deposed: Option<&str>) -> String {
    deposed.map_or_else(|| address.to_string(), |key| format!("{address} (deposed object {key})"))
}

/// Whole seconds as Go prints durations: `5s`, `1m5s`, `1h0m5s`.
fn seconds(elapsed: Duration) -> String {
    let total = elapsed.as_secs();
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// What is done with an ephemeral resource: in events, while it is done, and when it is done.
fn step_words(step: EphemeralStep) -> (&'static str, &'static str, &'static str) {
    match step {
        EphemeralStep::Open => ("open", "Opening", "Opening complete"),
        EphemeralStep::Renew => ("renew", "Renewing", "Renewal complete"),
        EphemeralStep::Close => ("close", "Closing", "Closing complete"),
    }
}

impl HumanProgress {
    fn line(&self, text: &str) {
        self.ui.print(&format!("{}\n", self.ui.style.bold(text)));
    }
}

impl Hooks for HumanProgress {
    fn refresh_start(&self, address: &ResourceInstance, deposed: Option<&str>, id: Option<&str>) {
        self.line(&format!("{}: Refreshing state...{}", subject(address, deposed), id_suffix(id)));
    }

    fn import_start(&self, address: &ResourceInstance, id: &str) {
        self.line(&format!("{address}: Preparing import... [id={id}]"));
    }

    fn import_applied(&self, address: &ResourceInstance, id: &str) {
        self.line(&format!("{address}: Importing... [id={id}]"));
        self.line(&format!("{address}: Import complete [id={id}]"));
    }

    fn data_read_start(&self, address: &ResourceInstance) {
        self.line(&format!("{address}: Reading..."));
    }

    fn data_read_complete(&self, address: &ResourceInstance, id: Option<&str>, elapsed: Duration) {
        self.line(&format!("{address}: Read complete after {}{}", seconds(elapsed), id_suffix(id)));
    }

    fn apply_start(&self, address: &ResourceInstance, deposed: Option<&str>, action: Action, prior: &Value) {
        let (verb, with_id) = match action {
            Action::Create => ("Creating", false),
            Action::Update => ("Modifying", true),
            Action::Delete => ("Destroying", true),
            Action::Read => ("Reading", false),
            Action::NoOp | Action::Forget | Action::DeleteThenCreate | Action::CreateThenDelete => return,
        };
        let id = if with_id { id_suffix(id_of(prior)) } else { String::new() };
        self.line(&format!("{}: {verb}...{id}", subject(address, deposed)));
    }

    fn apply_progress(&self, address: &ResourceInstance, action: Action, prior: &Value, elapsed: Duration) {
        let verb = match action {
            Action::Create => "creating",
            Action::Update => "modifying",
            Action::Delete => "destroying",
            _ => "reading",
        };
        let id = id_of(prior).map_or(String::new(), |id| format!("id={id}, "));
        self.line(&format!("{address}: Still {verb}... [{id}{} elapsed]", seconds(elapsed)));
    }

    fn apply_complete(&self, address: &ResourceInstance, action: Action, new: &Value, elapsed: Duration) {
        let (what, with_id) = match action {
            Action::Create => ("Creation complete", true),
            Action::Update => ("Modifications complete", true),
            Action::Delete => ("Destruction complete", false),
            Action::Read => ("Read complete", true),
            Action::NoOp | Action::Forget | Action::DeleteThenCreate | Action::CreateThenDelete => return,
        };
        let id = if with_id { id_suffix(id_of(new)) } else { String::new() };
        self.line(&format!("{address}: {what} after {}{id}", seconds(elapsed)));
    }

    fn ephemeral_start(&self, address: &ResourceInstance, step: EphemeralStep) {
        self.line(&format!("{address}: {}...", step_words(step).1));
    }

    fn ephemeral_complete(&self, address: &ResourceInstance, step: EphemeralStep, elapsed: Duration) {
        self.line(&format!("{address}: {} after {}", step_words(step).2, seconds(elapsed)));
    }

    fn provision_start(&self, address: &ResourceInstance, kind: &str) {
        self.line(&format!("{address}: Provisioning with '{kind}'..."));
    }

    fn provision_output(&self, address: &ResourceInstance, kind: &str, line: &str) {
        let prefix = self.ui.style.bold(&format!("{address} ({kind}):"));
        self.ui.print(&format!("{prefix} {line}\n"));
    }

    fn recovered(&self, address: &ResourceInstance, deposed: Option<&str>, what: &str) {
        self.line(&format!("{}: {what}", subject(address, deposed)));
    }
}

/// The `resource` part of events and of `planned_change`.
pub fn resource_part(address: &ResourceInstance) -> Json {
    let module = if address.module.is_root() { String::new() } else { address.module.to_string() };
    let resource = address.resource.clone();
    json!({
        "addr": address.to_string(),
        "module": module,
        "resource": format!("{resource}{}", address.key),
        "implied_provider": resource.kind.split('_').next().unwrap_or_default(),
        "resource_type": resource.kind.as_str(),
        "resource_name": resource.name.as_str(),
        "resource_key": index(&address.key),
    })
}

/// The action's name in events.
pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::NoOp => "noop",
        Action::Create => "create",
        Action::Read => "read",
        Action::Update => "update",
        Action::Delete => "delete",
        Action::DeleteThenCreate | Action::CreateThenDelete => "replace",
        Action::Forget => "remove",
    }
}

impl JsonProgress {
    fn send(&self, kind: &'static str, message: String, hook: Json) {
        self.ui.event(&Event::new(kind, message).with("hook", hook));
    }
}

fn hook(address: &ResourceInstance, parts: Json) -> Json {
    let mut hook = serde_json::Map::new();
    hook.insert("resource".to_owned(), resource_part(address));
    if let Json::Object(parts) = parts {
        hook.extend(parts.into_iter().filter(|(_, part)| !part.is_null()));
    }
    Json::Object(hook)
}

fn id_parts(id: Option<&str>) -> Json {
    json!({ "id_key": id.map(|_| "id"), "id_value": id })
}

fn merged(mut a: Json, b: Json) -> Json {
    if let (Json::Object(a), Json::Object(b)) = (&mut a, b) {
        a.extend(b);
    }
    a
}

impl Hooks for JsonProgress {
    fn refresh_start(&self, address: &ResourceInstance, _deposed: Option<&str>, id: Option<&str>) {
        let message = format!("{address}: Refreshing state...{}", id_suffix(id));
        self.send("refresh_start", message, hook(address, id_parts(id)));
    }

    fn refresh_complete(&self, address: &ResourceInstance, _deposed: Option<&str>, id: Option<&str>) {
        let message = format!("{address}: Refresh complete{}", id_suffix(id));
        self.send("refresh_complete", message, hook(address, id_parts(id)));
    }

    fn data_read_start(&self, address: &ResourceInstance) {
        self.send("apply_start", format!("{address}: Refreshing..."), hook(address, json!({"action": "read"})));
    }

    fn data_read_complete(&self, address: &ResourceInstance, id: Option<&str>, elapsed: Duration) {
        let message = format!("{address}: Refresh complete after {}{}", seconds(elapsed), id_suffix(id));
        let parts = merged(json!({"action": "read", "elapsed_seconds": elapsed.as_secs()}), id_parts(id));
        self.send("apply_complete", message, hook(address, parts));
    }

    fn apply_start(&self, address: &ResourceInstance, _deposed: Option<&str>, action: Action, prior: &Value) {
        if address.resource.mode == Mode::Data || matches!(action, Action::NoOp | Action::Forget) {
            return;
        }
        let verb = match action {
            Action::Create => "Creating",
            Action::Update => "Modifying",
            Action::Delete => "Destroying",
            _ => "Applying",
        };
        // What a new object replaces is another object.
        let id = id_of(prior).filter(|_| action != Action::Create);
        let message = format!("{address}: {verb}...{}", id_suffix(id));
        let parts = merged(json!({"action": action_name(action)}), id_parts(id));
        self.send("apply_start", message, hook(address, parts));
    }

    fn apply_progress(&self, address: &ResourceInstance, action: Action, _prior: &Value, elapsed: Duration) {
        let verb = match action {
            Action::Create => "creating",
            Action::Update => "modifying",
            Action::Delete => "destroying",
            _ => "applying",
        };
        let message = format!("{address}: Still {verb}... [{} elapsed]", seconds(elapsed));
        let parts = json!({"action": action_name(action), "elapsed_seconds": elapsed.as_secs()});
        self.send("apply_progress", message, hook(address, parts));
    }

    fn apply_complete(&self, address: &ResourceInstance, action: Action, new: &Value, elapsed: Duration) {
        if matches!(action, Action::NoOp | Action::Forget) {
            return;
        }
        let what = match action {
            Action::Create => "Creation",
            Action::Update => "Modifications",
            Action::Delete => "Destruction",
            _ => "Apply",
        };
        let id = id_of(new);
        let message = format!("{address}: {what} complete after {}{}", seconds(elapsed), id_suffix(id));
        let parts = merged(json!({"action": action_name(action), "elapsed_seconds": elapsed.as_secs()}), id_parts(id));
        self.send("apply_complete", message, hook(address, parts));
    }

    fn apply_errored(&self, address: &ResourceInstance, action: Action, elapsed: Duration) {
        let what = match action {
            Action::Create => "Creation",
            Action::Update => "Modifications",
            Action::Delete => "Destruction",
            _ => "Apply",
        };
        let message = format!("{address}: {what} errored after {}", seconds(elapsed));
        let parts = json!({"action": action_name(action), "elapsed_seconds": elapsed.as_secs()});
        self.send("apply_errored", message, hook(address, parts));
    }

    fn ephemeral_start(&self, address: &ResourceInstance, step: EphemeralStep) {
        let (action, doing, _) = step_words(step);
        self.send("ephemeral_op_start", format!("{address}: {doing}..."), hook(address, json!({ "action": action })));
    }

    fn ephemeral_complete(&self, address: &ResourceInstance, step: EphemeralStep, elapsed: Duration) {
        let (action, _, done) = step_words(step);
        let parts = json!({"action": action, "elapsed_seconds": elapsed.as_secs()});
        let message = format!("{address}: {done} after {}", seconds(elapsed));
        self.send("ephemeral_op_complete", message, hook(address, parts));
    }

    fn ephemeral_errored(&self, address: &ResourceInstance, step: EphemeralStep, elapsed: Duration) {
        let (action, doing, _) = step_words(step);
        let parts = json!({"action": action, "elapsed_seconds": elapsed.as_secs()});
        let message = format!("{address}: {doing} errored after {}", seconds(elapsed));
        self.send("ephemeral_op_errored", message, hook(address, parts));
    }

    fn provision_start(&self, address: &ResourceInstance, kind: &str) {
        let message = format!("{address}: Provisioning with '{kind}'...");
        self.send("provision_start", message, hook(address, json!({ "provisioner": kind })));
    }

    fn provision_output(&self, address: &ResourceInstance, kind: &str, line: &str) {
        let message = format!("{address}: ({kind}): {line}");
        self.send("provision_progress", message, hook(address, json!({"provisioner": kind, "output": line})));
    }

    fn provision_complete(&self, address: &ResourceInstance, kind: &str) {
        let message = format!("{address}: ({kind}) Provisioning complete");
        self.send("provision_complete", message, hook(address, json!({ "provisioner": kind })));
    }

    fn provision_errored(&self, address: &ResourceInstance, kind: &str) {
        let message = format!("{address}: ({kind}) Provisioning errored");
        self.send("provision_errored", message, hook(address, json!({ "provisioner": kind })));
    }

    fn recovered(&self, address: &ResourceInstance, deposed: Option<&str>, what: &str) {
        let message = format!("{}: {what}", subject(address, deposed));
        self.send("recovered", message, hook(address, json!({"deposed": deposed, "result": what})));
    }
}

/// Prints the progress of the import command.
pub struct ImportProgress {
    /// Where to.
    pub ui: Arc<Ui>,
}

impl Hooks for ImportProgress {
    fn import_start(&self, address: &ResourceInstance, id: &str) {
        let line = format!("{address}: Importing from ID {}...", lang::addr::quote(id));
        self.ui.print(&format!("{}\n", self.ui.style.bold(&line)));
    }

    fn import_found(&self, address: &ResourceInstance) {
        let style = self.ui.style;
        let found = style.bold_green(&format!("{address}: Import prepared!"));
        let prepared = style.green(&format!("  Prepared {} for import", address.resource.kind));
        self.ui.print(&format!("{found}\n{prepared}\n"));
    }

    fn refresh_start(&self, address: &ResourceInstance, _deposed: Option<&str>, id: Option<&str>) {
        let line = format!("{address}: Refreshing state...{}", id_suffix(id));
        self.ui.print(&format!("{}\n", self.ui.style.bold(&line)));
    }

    fn recovered(&self, address: &ResourceInstance, deposed: Option<&str>, what: &str) {
        let line = format!("{}: {what}", subject(address, deposed));
        self.ui.print(&format!("{}\n", self.ui.style.bold(&line)));
    }
}
