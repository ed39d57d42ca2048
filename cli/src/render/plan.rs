//! Plans as `plan`, `apply` and `show` print them.

use std::io::{self, Write};

use super::Schemas;
use super::change::{Change, Marker, Paths};
use super::diff::{Action as ValueAction, Diff};
use super::dynamic::dynamic;
use super::human::{Layout, render, symbol};
use super::resource::{Action, Cause, Resource};
use super::strings::{attribute_name, pad};
use super::wrap::{horizontal_rule, word_wrap};
use crate::json_views::document::{self, Plan, ResourceChange};
use crate::style::Style;

/// What kind of plan it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Brings objects to what the configuration says.
    Normal,
    /// Removes all objects.
    Destroy,
    /// Brings the state to what the objects are.
    RefreshOnly,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What kind of plan it is.
    pub mode: Mode,
    /// Colours.
    pub style: Style,
    /// Columns of the output.
    pub width: usize,
    /// Whether hints about commands to run are left out.
    pub in_automation: bool,
}

/// What is done with one object, without its values.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// What is done.
    pub action: Action,
    /// Whether the object has another address than before.
    pub moved: bool,
    /// Whether it is imported.
    pub imported: bool,
}

/// The changes of a plan. Their documents are made one at a time: together those of a large plan take more room than the plan.
pub trait Changes {
    /// What is done, in the order of addresses.
    fn outlines(&self) -> Vec<Outline>;
    /// The documents of the same changes.
    fn documents(&self) -> Box<dyn Iterator<Item = ResourceChange> + '_>;
}

/// Writes the text of a plan, whose document doesn't have the changes.
///
/// # Errors
/// What `out` says.
pub fn render_plan(
    plan: &Plan,
    changes: &dyn Changes,
    schemas: &dyn Schemas,
    settings: Settings,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Settings { style, width, .. } = settings;
    let shown = changes.outlines();
    let outputs = render_outputs(plan, style);
    let empty = shown.iter().all(|r| r.action == Action::NoOp && !r.moved) && outputs.is_empty();
    let drift = render_drift(plan, schemas, settings, empty);
    let have_drift = !drift.is_empty();
    let mut head = drift;

    let nothing = shown.is_empty() && outputs.is_empty();
    if nothing {
        no_changes(plan, settings, have_drift, &mut head);
        if plan.deferred_changes.is_empty() {
            return out.write_all(head.as_bytes());
        }
    } else if have_drift {
        head.push_str(&horizontal_rule(style, width));
    }
    head.push_str(&render_deferred(plan, schemas, settings));
    if nothing {
        return out.write_all(head.as_bytes());
    }
    let count = |action: Action| shown.iter().filter(|r| r.action == action).count();
    if shown.iter().any(|r| r.action != Action::NoOp) {
        let legend = "\nTerraform used the selected providers to generate the following execution plan. Resource actions \
                      are indicated with the following symbols:";
        head.push_str(&word_wrap(legend, width));
        head.push('\n');
        let order = [
            Action::Create,
            Action::Update,
            Action::Delete,
            Action::DeleteThenCreate,
            Action::CreateThenDelete,
            Action::Read,
        ];
        for action in order.into_iter().filter(|a| count(*a) > 0) {
            head.push_str(&action.legend(style));
            head.push('\n');
        }
    }
    if !shown.is_empty() {
        head.push_str(if plan.errored {
            "\nTerraform planned the following actions, but then encountered a problem:\n"
        } else {
            "\nTerraform will perform the following actions:\n"
        });
    }
    out.write_all(head.as_bytes())?;
    for document in changes.documents() {
        let resource = Resource::new(&document, schemas, Paths::All);
        writeln!(out, "\n{}", resource.render(Cause::Planned, style))?;
    }
    if !shown.is_empty() {
        let replaced = count(Action::DeleteThenCreate) + count(Action::CreateThenDelete);
        let imported = shown.iter().filter(|r| r.imported).count();
        let import = if imported > 0 { format!("{imported} to import, ") } else { String::new() };
        writeln!(
            out,
            "\n{} {import}{} to add, {} to change, {} to destroy.",
            style.bold("Plan:"),
            count(Action::Create) + replaced,
            count(Action::Update),
            count(Action::Delete) + replaced,
        )?;
    }
    if !outputs.is_empty() {
        writeln!(out, "\nChanges to Outputs:\n{outputs}")?;
        if shown.iter().all(|r| r.action == Action::NoOp) {
            let note = "\nYou can apply this plan to save these new output values to the Terraform state, without \
                        changing any real infrastructure.";
            writeln!(out, "{}", word_wrap(note, width))?;
        }
    }
    Ok(())
}

fn no_changes(plan: &Plan, settings: Settings, have_drift: bool, out: &mut String) {
    let Settings { mode, style, width, in_automation } = settings;
    if have_drift && (plan.errored || mode != Mode::RefreshOnly) {
        out.push_str(&horizontal_rule(style, width));
        out.push('\n');
    }
    if plan.errored {
        let head = style.bold_red("Planning failed.");
        let rest = style.bold(" Terraform encountered an error while generating this plan.");
        out.push_str(&format!("\n{head}{rest}\n\n"));
        return;
    }
    if !plan.deferred_changes.is_empty() {
        let head = style.bold_green("No current changes.");
        let rest = style.bold(" This plan requires another plan to be applied first.");
        out.push_str(&format!("\n{head}{rest}\n\n"));
        return;
    }
    let mut say = |headline: &str, text: &str| {
        let head = style.bold_green("No changes.");
        out.push_str(&format!("\n{head}{}\n\n{}\n", style.bold(&format!(" {headline}")), word_wrap(text, width)));
    };
    match mode {
        Mode::RefreshOnly if have_drift => {}
        Mode::RefreshOnly => say(
            "Your infrastructure still matches the configuration.",
            "Terraform has checked that the real remote objects still match the result of your most recent changes, and \
             found no differences.",
        ),
        Mode::Destroy => say(
            "No objects need to be destroyed.",
            "Either you have not created any objects yet or the existing objects were already deleted outside of \
             Terraform.",
        ),
        Mode::Normal => {
            let text = if !have_drift {
                "Terraform has compared your real infrastructure against your configuration and found no differences, so \
                 no changes are needed."
                    .to_owned()
            } else if plan.applyable {
                "Your configuration already matches the changes detected above, so applying this plan will only update \
                 the state to include the changes detected above and won't change any real infrastructure."
                    .to_owned()
            } else {
                let hint = if in_automation { "." } else { ":\n  terraform apply -refresh-only" };
                format!(
                    "Your configuration already matches the changes detected above. If you'd like to update the \
                     Terraform state to match, create and apply a refresh-only plan{hint}"
                )
            };
            say("Your infrastructure matches the configuration.", &text);
        }
    }
}

fn render_drift(plan: &Plan, schemas: &dyn Schemas, settings: Settings, empty: bool) -> String {
    let Settings { mode, style, width, .. } = settings;
    if empty && mode != Mode::RefreshOnly {
        return String::new();
    }
    let drifted: Vec<Resource<'_>> = plan
        .resource_drift
        .iter()
        .filter_map(|change| {
            let relevant = if mode == Mode::RefreshOnly {
                Paths::All
            } else {
                let of_this = plan.relevant_attributes.iter().filter(|r| r.resource == change.address);
                let paths: Vec<_> = of_this.map(|r| r.attribute.as_slice()).collect();
                if paths.is_empty() {
                    return None;
                }
                Paths::below(paths)
            };
            Some(Resource::new(change, schemas, relevant))
        })
        .filter(|r| mode == Mode::RefreshOnly || r.diff.action != ValueAction::NoOp)
        .collect();
    if drifted.is_empty() {
        return String::new();
    }
    let mut out =
        format!("\n{}{}\n\n", style.bold_cyan("Note:"), style.bold(" Objects have changed outside of Terraform"));
    out.push_str(&word_wrap(
        "Terraform detected the following changes made outside of Terraform since the last \"terraform apply\" which may \
         have affected this plan:\n",
        width,
    ));
    for resource in drifted.iter().filter(|r| !r.is_silent()) {
        out.push('\n');
        out.push_str(&resource.render(Cause::Drift, style));
        out.push('\n');
    }
    let outlook = if mode == Mode::RefreshOnly {
        "\n\nThis is a refresh-only plan, so Terraform will not take any actions to undo these. If you were expecting these \
         changes then you can apply this plan to record the updated values in the Terraform state without changing any \
         remote objects."
    } else {
        "\n\nUnless you have made equivalent changes to your configuration, or ignored the relevant attributes using \
         ignore_changes, the following plan may include actions to undo or respond to these changes."
    };
    out.push_str(&word_wrap(outlook, width));
    out.push('\n');
    out
}

/// What is left to the next plan; empty where nothing is.
fn render_deferred(plan: &Plan, schemas: &dyn Schemas, settings: Settings) -> String {
    let Settings { style, width, .. } = settings;
    if plan.deferred_changes.is_empty() {
        return String::new();
    }
    let note = " This is a partial plan, parts can only be known in the next plan / apply cycle.";
    let mut out = format!("\n{}{}\n\n", style.bold_cyan("Note:"), style.bold(note));
    for deferred in &plan.deferred_changes {
        let resource = Resource::new(&deferred.resource_change, schemas, Paths::All);
        if !resource.is_silent() {
            out.push_str(&format!("\n{}\n", resource.render_deferred(&deferred.reason, style)));
        }
    }
    out.push_str(&horizontal_rule(style, width));
    out
}

/// The difference of an output.
fn output_diff(change: &document::Change) -> Diff {
    let not_null = |json| Some(json).filter(|j: &&serde_json::Value| !j.is_null());
    dynamic(Change {
        before: not_null(&change.before),
        after: change.after.as_ref().and_then(not_null),
        before_explicit: false,
        after_explicit: false,
        unknown: Marker::of(change.after_unknown.as_ref()),
        before_sensitive: Marker::of(change.before_sensitive.as_ref()),
        after_sensitive: Marker::of(change.after_sensitive.as_ref()),
        replace: Paths::none(),
        relevant: Paths::All,
    })
}

fn render_outputs(plan: &Plan, style: Style) -> String {
    let width = plan.output_changes.keys().map(|k| attribute_name(k).len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (name, change) in &plan.output_changes {
        let diff = output_diff(change);
        if diff.action != ValueAction::NoOp {
            let name = pad(&attribute_name(name), width);
            let value = render(&diff, 0, Layout::plan(style));
            lines.push(format!("{} {name} = {value}", symbol(style, diff.action)));
        }
    }
    lines.join("\n")
}
