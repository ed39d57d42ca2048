//! The lines above and around the change of one object.

use super::Schemas;
use super::change::{Change, Marker, Paths};
use super::diff::{Action as ValueAction, Diff, Kind};
use super::human::{Layout, render, symbol};
use super::{compute, dynamic};
use crate::json_views::document::ResourceChange;
use crate::style::Style;
use lang::quoting::go_quote;

/// What is done to an object, from the action names of the plan's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Nothing.
    NoOp,
    /// It is made.
    Create,
    /// A data source is read.
    Read,
    /// It is changed in place.
    Update,
    /// It is removed.
    Delete,
    /// It is removed, then made.
    DeleteThenCreate,
    /// It is made, then removed.
    CreateThenDelete,
    /// The state forgets it.
    Forget,
}

impl Action {
    /// Reads the names.
    pub fn of(names: &[String]) -> Action {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names.as_slice() {
            ["create"] => Action::Create,
            ["read"] => Action::Read,
            ["update"] => Action::Update,
            ["delete"] => Action::Delete,
            ["delete", "create"] => Action::DeleteThenCreate,
            ["create", "delete"] => Action::CreateThenDelete,
            ["forget"] => Action::Forget,
            _ => Action::NoOp,
        }
    }

    fn is_replace(self) -> bool {
        matches!(self, Action::DeleteThenCreate | Action::CreateThenDelete)
    }

    /// The symbol in front of the object, three columns wide.
    pub fn symbol(self, style: Style) -> String {
        match self {
            Action::NoOp => symbol(style, ValueAction::NoOp),
            Action::Create => symbol(style, ValueAction::Create),
            Action::Update => symbol(style, ValueAction::Update),
            Action::Delete => symbol(style, ValueAction::Delete),
            Action::Read => format!(" {}", style.cyan("<=")),
            Action::Forget => format!(" {}", style.red(".")),
            Action::DeleteThenCreate => format!("{}/{}", style.red("-"), style.green("+")),
            Action::CreateThenDelete => format!("{}/{}", style.green("+"), style.red("-")),
        }
    }

    /// The line of the legend.
    pub fn legend(self, style: Style) -> String {
        let text = match self {
            Action::Create => "create",
            Action::Read => "read (data resources)",
            Action::Update => "update in-place",
            Action::Delete => "destroy",
            Action::DeleteThenCreate => "destroy and then create replacement",
            Action::CreateThenDelete => "create replacement and then destroy",
            Action::Forget | Action::NoOp => "",
        };
        format!("{} {text}", self.symbol(style))
    }
}

/// Whether a change is planned or was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It is going to be made.
    Planned,
    /// It was made outside of the tool.
    Drift,
}

/// The change of an object with its difference.
pub struct Resource<'a> {
    /// The document.
    pub document: &'a ResourceChange,
    /// What is done.
    pub action: Action,
    /// The difference.
    pub diff: Diff,
}

impl<'a> Resource<'a> {
    /// Computes the difference. `relevant` says which attributes are worth showing.
    pub fn new(document: &'a ResourceChange, schemas: &dyn Schemas, relevant: Paths<'a>) -> Resource<'a> {
        let change = &document.change;
        let not_null = |json: &'a serde_json::Value| (!json.is_null()).then_some(json);
        let action = Action::of(&change.actions);
        // What is forgotten stays as it is.
        let (after, after_sensitive) = match action {
            Action::Forget => (not_null(&change.before), &change.before_sensitive),
            _ => (change.after.as_ref().and_then(not_null), &change.after_sensitive),
        };
        let value = Change {
            before: not_null(&change.before),
            after,
            before_explicit: false,
            after_explicit: false,
            unknown: Marker::of(change.after_unknown.as_ref()),
            before_sensitive: Marker::of(change.before_sensitive.as_ref()),
            after_sensitive: Marker::of(after_sensitive.as_ref()),
            replace: Paths::exact(&change.replace_paths),
            relevant,
        };
        let diff = match schemas.schema(&document.provider_name, document.mode == "data", &document.kind) {
            Some(schema) => compute::block(value, &schema.block),
            // A type that this build does not know can still be shown, by the types that its JSON has.
            None => as_block(dynamic::dynamic(value)),
        };
        Resource { document, action, diff }
    }

    /// Whether it moved.
    pub fn moved(&self) -> bool {
        self.document.previous_address.as_ref().is_some_and(|p| *p != self.document.address)
    }

    /// Whether it is imported.
    pub fn imported(&self) -> bool {
        self.document.change.importing.is_some()
    }

    /// Whether there is nothing to say about it.
    pub fn is_silent(&self) -> bool {
        self.action == Action::NoOp && !self.moved() && !self.imported()
    }

    /// The whole text, without a line break at the end.
    pub fn render(&self, cause: Cause, style: Style) -> String {
        let header = header(&self.document.mode, &self.document.kind, &self.document.name);
        let body = render(&self.diff, 0, self.layout(style));
        format!("{}{} {header} {body}", self.comment(cause, style), self.action.symbol(style))
    }

    /// The text of a change that is left to the next plan. `reason` is its name in the plan's JSON.
    pub fn render_deferred(&self, reason: &str, style: Style) -> String {
        let why = match reason {
            "instance_count_unknown" => "because the number of resource instances is unknown",
            "resource_config_unknown" => "because the resource configuration is unknown",
            "provider_config_unknown" => "because the provider configuration is unknown",
            "deferred_prereq" => "because a prerequisite for this resource is deferred",
            "absent_prereq" => "because a prerequisite for this resource has not yet been created",
            _ => "for an unknown reason",
        };
        let title = style.bold(&format!("  # {}", self.document.address));
        let header = header(&self.document.mode, &self.document.kind, &self.document.name);
        let body = render(&self.diff, 0, self.layout(style));
        format!("{title} was deferred\n  # ({why})\n{} {header} {body}", self.action.symbol(style))
    }

    /// Of what is imported everything is shown.
    fn layout(&self, style: Style) -> Layout {
        Layout { unchanged: self.imported(), ..Layout::plan(style) }
    }

    fn comment(&self, cause: Cause, style: Style) -> String {
        let document = self.document;
        let address = match &document.deposed {
            Some(key) => format!("{} (deposed object {key})", document.address),
            None => document.address.clone(),
        };
        let previous = document.previous_address.as_deref().unwrap_or_default();
        let reason = document.action_reason.as_deref().unwrap_or_default();
        let indent = if self.action == Action::Forget { " " } else { "  " };
        let title = style.bold(&format!("{indent}# {address}"));
        let (mut told_move, mut told_import) = (false, false);
        let mut out = match self.action {
            Action::Create => format!("{title} will be created"),
            Action::Read => format!("{title} will be read during apply{}", read_reason(reason)),
            Action::Update if cause == Cause::Drift => format!("{title} has changed"),
            Action::Update => format!("{title} will be updated in-place"),
            Action::DeleteThenCreate | Action::CreateThenDelete => {
                let replaced = style.bold_red("replaced");
                match reason {
                    "replace_because_tainted" => format!("{title} is tainted, so must be {replaced}"),
                    "replace_by_request" => format!("{title} will be {replaced}, as requested"),
                    "replace_by_triggers" => {
                        format!("{title} will be {replaced} due to changes in replace_triggered_by")
                    }
                    _ => format!("{title} must be {replaced}"),
                }
            }
            Action::Delete if cause == Cause::Drift => format!("{title} has been deleted"),
            Action::Delete => {
                format!("{title} will be {}{}", style.bold_red("destroyed"), self.delete_reason(reason, previous))
            }
            Action::Forget => {
                let not_destroyed = style.bold_red("will not be destroyed");
                let what = match &document.deposed {
                    Some(_) => {
                        let left_over =
                            style.bold(" # (left over from a partially-failed replacement of this instance)");
                        format!("will be removed from Terraform state, but {not_destroyed}\n{left_over}")
                    }
                    None => format!("will no longer be managed by Terraform, but {not_destroyed}"),
                };
                format!("{title} {what}\n # (destroy = false is set in the configuration)")
            }
            Action::NoOp if self.moved() => {
                told_move = true;
                format!("{} has moved to {}", style.bold(&format!("  # {previous}")), style.bold(&document.address))
            }
            Action::NoOp => {
                told_import = true;
                let generated = document.change.generated_config.is_some();
                format!("{title} will be imported{}", if generated { "\n  # (config will be generated)" } else { "" })
            }
        };
        out.push('\n');
        if self.moved() && !told_move {
            out.push_str(&format!("  # (moved from {previous})\n"));
        }
        if let Some(importing) = &document.change.importing
            && !told_import
        {
            if importing.id.is_empty() {
                out.push_str("  # (will be imported first)\n");
            } else {
                out.push_str(&format!("  # (imported from \"{}\")\n", importing.id));
            }
            if self.action.is_replace() {
                let warning = style.yellow("Warning: this will destroy the imported resource");
                out.push_str(&format!("  # {warning}\n"));
            }
        }
        out
    }

    fn delete_reason(&self, reason: &str, previous: &str) -> String {
        let document = self.document;
        let bare = || format!("{}.{}", document.kind, document.name);
        let mut note = match reason {
            "delete_because_no_resource_config" => format!("\n  # (because {} is not in configuration)", bare()),
            "delete_because_no_move_target" => {
                format!("\n  # (because {previous} was moved to {}, which is not in configuration)", document.address)
            }
            "delete_because_no_module" => format!(
                "\n  # (because {} is not in configuration)",
                document.module_address.as_deref().unwrap_or_default()
            ),
            "delete_because_wrong_repetition" => match &document.index {
                None | Some(serde_json::Value::Null) => "\n  # (because resource uses count or for_each)".to_owned(),
                Some(serde_json::Value::Number(_)) => "\n  # (because resource does not use count)".to_owned(),
                Some(_) => "\n  # (because resource does not use for_each)".to_owned(),
            },
            "delete_because_count_index" => {
                let index = document.index.as_ref().map_or(String::new(), ToString::to_string);
                format!("\n  # (because index [{index}] is out of range for count)")
            }
            "delete_because_each_key" => {
                let key = document.index.as_ref().and_then(|i| i.as_str()).unwrap_or_default();
                format!("\n  # (because key [{}] is not in for_each map)", go_quote(key))
            }
            _ => String::new(),
        };
        if document.deposed.is_some() {
            note.push_str("\n  # (left over from a partially-failed replacement of this instance)");
        }
        note
    }
}

fn read_reason(reason: &str) -> &'static str {
    match reason {
        "read_because_config_unknown" => "\n  # (config refers to values not yet known)",
        "read_because_dependency_pending" => "\n  # (depends on a resource or a module with changes pending)",
        "read_because_check_nested" => "\n  # (config will be reloaded to verify a check block)",
        _ => "",
    }
}

/// `resource "type" "name"`
pub fn header(mode: &str, kind: &str, name: &str) -> String {
    let keyword = if mode == "data" { "data" } else { "resource" };
    format!("{keyword} {} {}", go_quote(kind), go_quote(name))
}

/// Lays an object out as a block.
pub fn as_block(diff: Diff) -> Diff {
    match diff.kind {
        Kind::Object(attributes) => Diff { kind: Kind::Block { attributes, blocks: Default::default() }, ..diff },
        _ => diff,
    }
}
