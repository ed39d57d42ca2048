//! Laying out differences.

use serde_json::Value as Json;

use super::change::Change;
use super::diff::{Action, Diff, Kind};
use super::dynamic::dynamic;
use super::sequence::pair;
use super::strings::{attribute_name, pad};
use crate::style::Style;
use lang::quoting::go_quote;

/// How differences are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Colours.
    pub style: Style,
    /// States show values without the column of `+`, `-` and `~`.
    pub symbols: bool,
    /// What does not change is shown, too.
    pub unchanged: bool,
    /// Removals end with `-> null`.
    pub null_suffix: bool,
    /// Everything on this level says that it forces a replacement.
    pub all_replace: bool,
    /// Nothing on this level says so.
    pub no_replace: bool,
}

impl Layout {
    /// The layout of plans.
    pub fn plan(style: Style) -> Layout {
        Layout { style, symbols: true, unchanged: false, null_suffix: true, all_replace: false, no_replace: false }
    }

    /// The layout of states.
    pub fn state(style: Style) -> Layout {
        Layout { style, symbols: false, unchanged: true, null_suffix: true, all_replace: false, no_replace: false }
    }

    fn symbol(self, action: Action) -> String {
        if self.symbols { format!("{} ", symbol(self.style, action)) } else { String::new() }
    }

    fn forces_replacement(self, replace: bool) -> String {
        if (replace || self.all_replace) && !self.no_replace {
            self.style.red(" # forces replacement")
        } else {
            String::new()
        }
    }

    fn null_suffix(self, action: Action) -> String {
        if self.null_suffix && action == Action::Delete { self.style.gray(" -> null") } else { String::new() }
    }

    fn arrow(self) -> String {
        self.style.yellow("->")
    }

    fn hidden(self, what: &str, count: usize) -> String {
        let plural = if count == 1 { "" } else { "s" };
        self.style.gray(&format!("# ({count} unchanged {what}{plural} hidden)"))
    }

    fn children(self) -> Layout {
        Layout { all_replace: false, no_replace: false, ..self }
    }
}

/// The symbol of an action, three columns wide.
pub fn symbol(style: Style, action: Action) -> String {
    match action {
        Action::NoOp => "   ".to_owned(),
        Action::Create => format!("  {}", style.green("+")),
        Action::Update => format!("  {}", style.yellow("~")),
        Action::Delete => format!("  {}", style.red("-")),
    }
}

fn indentation(indent: usize) -> String {
    "    ".repeat(indent)
}

/// Attributes that are shown even when they don't change: they tell which object it is.
const ALWAYS_SHOWN: [&str; 3] = ["id", "name", "tags"];

/// The text of a difference, `indent` levels deep; the first line without indentation, no line break at the end.
pub fn render(diff: &Diff, indent: usize, layout: Layout) -> String {
    match &diff.kind {
        Kind::Primitive(before, after) => primitive(diff, before.as_ref(), after.as_ref(), indent, layout),
        Kind::Unknown(None) => format!("(known after apply){}", layout.forces_replacement(diff.replace)),
        Kind::Unknown(Some(before)) => {
            // The whole says it.
            let of_before = Layout { null_suffix: false, no_replace: diff.replace, ..layout.children() };
            let before = render(before, indent, of_before);
            format!("{before} {} (known after apply){}", layout.arrow(), layout.forces_replacement(diff.replace))
        }
        Kind::Sensitive { .. } => {
            let (null, replace) = (layout.null_suffix(diff.action), layout.forces_replacement(diff.replace));
            format!("(sensitive value){null}{replace}")
        }
        Kind::WriteOnly => {
            let (null, replace) = (layout.null_suffix(diff.action), layout.forces_replacement(diff.replace));
            format!("(write-only attribute){null}{replace}")
        }
        Kind::SensitiveBlock { .. } => {
            let (outer, inner) = (indentation(indent), indentation(indent + 1));
            let blank = layout.symbol(Action::NoOp);
            let replace = layout.forces_replacement(diff.replace);
            format!(
                "{{{replace}\n{inner}{blank}# At least one attribute in this block is (or was) sensitive,\n\
                 {inner}{blank}# so its contents will not be displayed.\n{outer}{blank}}}"
            )
        }
        Kind::TypeChange(before, after) => {
            let layout = Layout { null_suffix: false, ..layout };
            let (before, after) = (render(before, indent, layout), render(after, indent, layout));
            format!("{before} {} {after}", layout.arrow())
        }
        Kind::Object(attributes) => object(diff, attributes, indent, layout),
        Kind::Map(elements) => map(diff, elements, indent, layout),
        Kind::List(elements) => list(diff, elements, indent, layout),
        Kind::Set(elements) => set(diff, elements, indent, layout),
        Kind::Block { attributes, blocks } => block(diff, attributes, blocks, indent, layout),
    }
}

/// Notes that stand above a value when its sensitivity changes.
fn warnings(diff: &Diff, indent: usize, layout: Layout, out: &mut String) {
    let (inner, before, after, what) = match &diff.kind {
        Kind::Sensitive { inner, before, after } => (inner, *before, *after, "attribute value"),
        Kind::SensitiveBlock { inner, before, after } => (inner, *before, *after, "block"),
        _ => return,
    };
    if before == after || matches!(diff.action, Action::Create | Action::Delete) {
        return;
    }
    let margin = format!("{}  ", indentation(indent));
    let warning = layout.style.yellow("Warning");
    if before {
        out.push_str(&format!("{margin}# {warning}: this {what} will no longer be marked as sensitive\n"));
        out.push_str(&format!("{margin}# after applying this change."));
    } else {
        out.push_str(&format!("{margin}# {warning}: this {what} will be marked as sensitive and will not\n"));
        out.push_str(&format!("{margin}# display in UI output after applying this change."));
    }
    if inner.action == Action::NoOp {
        out.push_str(" The value is unchanged.");
    }
    out.push('\n');
}

fn object(diff: &Diff, attributes: &std::collections::BTreeMap<String, Diff>, indent: usize, layout: Layout) -> String {
    let (null, replace) = (layout.null_suffix(diff.action), layout.forces_replacement(diff.replace));
    if attributes.is_empty() {
        return format!("{{}}{null}{replace}");
    }
    let inner = Layout { null_suffix: false, ..layout.children() };
    let width = attributes.keys().map(|k| attribute_name(k).len()).max().unwrap_or(0);
    let margin = indentation(indent + 1);
    let mut out = format!("{{{replace}\n");
    let mut hidden = 0;
    for (name, attribute) in attributes {
        let always = ALWAYS_SHOWN.contains(&name.as_str());
        if attribute.action == Action::NoOp && !layout.unchanged && !always {
            hidden += 1;
            continue;
        }
        warnings(attribute, indent + 1, layout, &mut out);
        let (symbol, name) = (layout.symbol(attribute.action), pad(&attribute_name(name), width));
        let inner = Layout { unchanged: layout.unchanged || always, ..inner };
        out.push_str(&format!("{margin}{symbol}{name} = {}\n", render(attribute, indent + 1, inner)));
    }
    close(&mut out, hidden, "attribute", indent, layout);
    out + "}" + &null
}

/// The note about hidden children, and the indentation of the closing bracket.
fn close(out: &mut String, hidden: usize, what: &str, indent: usize, layout: Layout) {
    let blank = layout.symbol(Action::NoOp);
    if hidden > 0 {
        out.push_str(&format!("{}{blank}{}\n", indentation(indent + 1), layout.hidden(what, hidden)));
    }
    out.push_str(&indentation(indent));
    out.push_str(&blank);
}

fn map(diff: &Diff, elements: &std::collections::BTreeMap<String, Diff>, indent: usize, layout: Layout) -> String {
    let (null, replace) = (layout.null_suffix(diff.action), layout.forces_replacement(diff.replace));
    if elements.is_empty() {
        return format!("{{}}{null}{replace}");
    }
    // In a map that stays, the removal of an element says so; in one that goes, the map itself does.
    let inner = Layout { null_suffix: layout.null_suffix && diff.action != Action::Delete, ..layout.children() };
    let width = elements.keys().map(|k| go_quote(k).len()).max().unwrap_or(0);
    let margin = indentation(indent + 1);
    let mut out = format!("{{{replace}\n");
    let mut hidden = 0;
    for (key, element) in elements {
        if element.action == Action::NoOp && !layout.unchanged {
            hidden += 1;
            continue;
        }
        warnings(element, indent + 1, layout, &mut out);
        let comma = if matches!(element.kind, Kind::Object(_)) { "," } else { "" };
        let (symbol, key) = (layout.symbol(element.action), pad(&go_quote(key), width));
        out.push_str(&format!("{margin}{symbol}{key} = {}{comma}\n", render(element, indent + 1, inner)));
    }
    close(&mut out, hidden, "element", indent, layout);
    out + "}" + &null
}

/// A list shows the elements right before and after a change for orientation.
fn list(diff: &Diff, elements: &[Diff], indent: usize, layout: Layout) -> String {
    let (null, replace) = (layout.null_suffix(diff.action), layout.forces_replacement(diff.replace));
    if elements.is_empty() {
        return format!("[]{null}{replace}");
    }
    let inner = Layout { null_suffix: false, ..layout.children() };
    let context = Layout { unchanged: true, ..inner };
    let margin = indentation(indent + 1);
    let line = |element: &Diff, layout: Layout, out: &mut String| {
        warnings(element, indent + 1, layout, out);
        let symbol = layout.symbol(element.action);
        out.push_str(&format!("{margin}{symbol}{},\n", render(element, indent + 1, layout)));
    };
    let mut out = format!("[{replace}\n");
    let mut skipped: Vec<&Diff> = Vec::new();
    let mut show_next = false;
    for element in elements {
        if element.action == Action::NoOp && !show_next && !layout.unchanged {
            skipped.push(element);
            continue;
        }
        if let Some((last, rest)) = skipped.split_last() {
            if !rest.is_empty() {
                let note = layout.hidden("element", rest.len());
                out.push_str(&format!("{margin}{}{note}\n", layout.symbol(Action::NoOp)));
            }
            line(last, context, &mut out);
            skipped.clear();
        }
        show_next = element.action != Action::NoOp;
        line(element, if show_next { inner } else { context }, &mut out);
    }
    close(&mut out, skipped.len(), "element", indent, layout);
    out + "]" + &null
}

fn set(diff: &Diff, elements: &[Diff], indent: usize, layout: Layout) -> String {
    let (null, replace) = (layout.null_suffix(diff.action), layout.forces_replacement(diff.replace));
    if elements.is_empty() {
        return format!("[]{null}{replace}");
    }
    let inner = Layout { null_suffix: false, ..layout.children() };
    let margin = indentation(indent + 1);
    let mut out = format!("[{replace}\n");
    let mut hidden = 0;
    for element in elements {
        if element.action == Action::NoOp && !layout.unchanged {
            hidden += 1;
            continue;
        }
        warnings(element, indent + 1, layout, &mut out);
        let symbol = layout.symbol(element.action);
        out.push_str(&format!("{margin}{symbol}{},\n", render(element, indent + 1, inner)));
    }
    close(&mut out, hidden, "element", indent, layout);
    out + "]" + &null
}

fn block(
    diff: &Diff,
    attributes: &std::collections::BTreeMap<String, Diff>,
    blocks: &std::collections::BTreeMap<String, super::diff::NestedBlocks>,
    indent: usize,
    layout: Layout,
) -> String {
    let replace = layout.forces_replacement(diff.replace);
    if attributes.is_empty() && blocks.is_empty() {
        return format!("{{}}{replace}");
    }
    let inner = layout.children();
    let margin = indentation(indent + 1);
    let blank = layout.symbol(Action::NoOp);
    let width = attributes.keys().map(|k| attribute_name(k).len()).max().unwrap_or(0);
    let mut out = format!("{{{replace}\n");
    let mut hidden = 0;
    for (name, attribute) in attributes {
        let always = ALWAYS_SHOWN.contains(&name.as_str());
        if attribute.action == Action::NoOp && !layout.unchanged && !always {
            hidden += 1;
            continue;
        }
        warnings(attribute, indent + 1, layout, &mut out);
        let (symbol, name) = (layout.symbol(attribute.action), pad(&attribute_name(name), width));
        let inner = Layout { unchanged: layout.unchanged || always, ..inner };
        out.push_str(&format!("{margin}{symbol}{name} = {}\n", render(attribute, indent + 1, inner)));
    }
    if hidden > 0 {
        out.push_str(&format!("{margin}{blank}{}\n", layout.hidden("attribute", hidden)));
    }
    let mut hidden_blocks = 0;
    for (name, group) in blocks {
        let mut first = true;
        let unknown = Diff { action: diff.action, replace: false, kind: Kind::Unknown(None) };
        let unknown = group.unknown.then_some((&None, &unknown));
        for (label, item) in unknown.into_iter().chain(group.items.iter().map(|(label, item)| (label, item))) {
            let item = concealed(item, group);
            if item.action == Action::NoOp && !layout.unchanged {
                hidden_blocks += 1;
                continue;
            }
            if first && !attributes.is_empty() {
                out.push('\n');
            }
            first = false;
            warnings(&item, indent + 1, layout, &mut out);
            let (symbol, name) = (layout.symbol(item.action), attribute_name(name));
            let label = label.as_ref().map_or(String::new(), |l| format!(" {}", go_quote(l)));
            let inner = Layout { all_replace: group.replace, ..layout };
            out.push_str(&format!("{margin}{symbol}{name}{label} {}\n", render(&item, indent + 1, inner)));
        }
    }
    if hidden_blocks > 0 {
        out.push_str(&format!("\n{margin}{blank}{}\n", layout.hidden("block", hidden_blocks)));
    }
    format!("{out}{}{blank}}}", indentation(indent))
}

/// A nested block, concealed if all blocks of its type are sensitive as a whole.
fn concealed<'a>(item: &'a Diff, group: &super::diff::NestedBlocks) -> std::borrow::Cow<'a, Diff> {
    let (before, after) = (group.before_sensitive, group.after_sensitive);
    let conceal = match item.action {
        Action::Create => after,
        Action::Delete => before,
        Action::Update | Action::NoOp => before || after,
    };
    if !conceal {
        return std::borrow::Cow::Borrowed(item);
    }
    let action = if item.action == Action::NoOp && before != after { Action::Update } else { item.action };
    let kind = Kind::SensitiveBlock { inner: Box::new(item.clone()), before, after };
    std::borrow::Cow::Owned(Diff { action, replace: item.replace, kind })
}

/// A string as it is shown: JSON in it is shown as such.
struct Text<'a> {
    text: &'a str,
    json: Option<Json>,
}

impl<'a> Text<'a> {
    fn of(text: &'a str) -> Text<'a> {
        let looks_like_json = text.starts_with('{') || text.starts_with('[');
        let json = if looks_like_json { serde_json::from_str(text).ok() } else { None };
        let text = if text.contains('\n') { text.trim() } else { text };
        Text { text, json }
    }

    fn is_multiline(text: &str) -> bool {
        text.contains('\n')
    }
}

fn primitive(diff: &Diff, before: Option<&Json>, after: Option<&Json>, indent: usize, layout: Layout) -> String {
    let is_text = |v: Option<&Json>| v.is_none_or(Json::is_string);
    if is_text(before) && is_text(after) && (before.is_some() || after.is_some()) {
        return string(diff, before.and_then(Json::as_str), after.and_then(Json::as_str), indent, layout);
    }
    let replace = layout.forces_replacement(diff.replace);
    let show = |value: Option<&Json>| value.map_or_else(|| layout.style.gray("null"), plain);
    match diff.action {
        Action::Create | Action::NoOp => format!("{}{replace}", show(after)),
        Action::Delete if before.is_none() => format!("{}{replace}", show(None)),
        Action::Delete => format!("{}{}{replace}", show(before), layout.null_suffix(diff.action)),
        Action::Update => format!("{} {} {}{replace}", show(before), layout.arrow(), show(after)),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => go_quote(text),
        other => other.to_string(),
    }
}

fn string(diff: &Diff, before: Option<&str>, after: Option<&str>, indent: usize, layout: Layout) -> String {
    let replace = layout.forces_replacement(diff.replace);
    let null = layout.null_suffix(diff.action);
    let quoted = |text: Option<&str>| text.map_or_else(|| layout.style.gray("null"), go_quote);
    let (old, new) = (before.map(Text::of), after.map(Text::of));
    let lines: Vec<(Action, &str)> = match (diff.action, &old, &new) {
        (Action::Create | Action::NoOp, _, None) | (Action::Delete, None, _) => {
            return format!("{}{replace}", quoted(None));
        }
        (Action::Create | Action::NoOp, _, Some(text)) | (Action::Delete, Some(text), _) => {
            if let Some(json) = &text.json {
                let (b, a) = match diff.action {
                    Action::Create => (None, Some(json)),
                    Action::Delete => (Some(json), None),
                    _ => (Some(json), Some(json)),
                };
                return encoded(diff, b, a, indent, layout);
            }
            let raw = if diff.action == Action::Delete { before } else { after };
            if !raw.is_some_and(Text::is_multiline) {
                return format!("{}{null}{replace}", quoted(raw));
            }
            text.text.split('\n').map(|line| (Action::NoOp, line)).collect()
        }
        (Action::Update, old, new) => {
            let json = (old.as_ref().and_then(|t| t.json.as_ref()), new.as_ref().and_then(|t| t.json.as_ref()));
            match json {
                (Some(b), Some(a)) => return encoded(diff, Some(b), Some(a), indent, layout),
                (None, None) => {}
                _ => {
                    let side = |action, before: Option<&str>, after: Option<&str>| {
                        let json = |t: Option<&str>| t.map(|t| Json::String(t.to_owned()));
                        let kind = Kind::Primitive(json(before), json(after));
                        Box::new(Diff { action, replace: false, kind })
                    };
                    let kind = Kind::TypeChange(side(Action::Delete, before, None), side(Action::Create, None, after));
                    return render(&Diff { action: diff.action, replace: diff.replace, kind }, indent, layout);
                }
            }
            if !before.is_some_and(Text::is_multiline) && !after.is_some_and(Text::is_multiline) {
                return format!("{} {} {}{replace}", quoted(before), layout.arrow(), quoted(after));
            }
            let split = |text: &Option<Text<'_>>| -> Vec<String> {
                text.as_ref().map_or("null", |t| t.text).split('\n').map(str::to_owned).collect()
            };
            return multiline(diff, &changed_lines(&split(old), &split(new)), indent, layout);
        }
    };
    multiline(diff, &lines, indent, layout)
}

fn changed_lines<'a>(before: &'a [String], after: &'a [String]) -> Vec<(Action, &'a str)> {
    let mut lines = Vec::new();
    for step in pair(before, after, |_| false) {
        let old = step.before.and_then(|i| before.get(i)).map(String::as_str);
        let new = step.after.and_then(|i| after.get(i)).map(String::as_str);
        if let (Some(old), true) = (old, old == new) {
            lines.push((Action::NoOp, old));
            continue;
        }
        lines.extend(old.map(|line| (Action::Delete, line)));
        lines.extend(new.map(|line| (Action::Create, line)));
    }
    lines
}

fn multiline(diff: &Diff, lines: &[(Action, &str)], indent: usize, layout: Layout) -> String {
    let mut out = format!("<<-EOT{}\n", layout.forces_replacement(diff.replace));
    for (action, line) in lines {
        out.push_str(&format!("{}{}{line}\n", indentation(indent + 1), layout.symbol(*action)));
    }
    let (margin, blank) = (indentation(indent), layout.symbol(Action::NoOp));
    format!("{out}{margin}{blank}EOT{}", layout.null_suffix(diff.action))
}

fn encoded(diff: &Diff, before: Option<&Json>, after: Option<&Json>, indent: usize, layout: Layout) -> String {
    let value = dynamic(Change::plain(before, after));
    let mut note = "";
    let mut replace = layout.forces_replacement(diff.replace);
    if value.action == Action::NoOp && diff.action == Action::Update {
        // Only white space differs: without a word about it nobody would understand the diff.
        note = if diff.replace { " # whitespace changes force replacement" } else { " # whitespace changes" };
        replace = String::new();
    }
    let inner = Layout { null_suffix: false, unchanged: layout.unchanged || !note.is_empty(), ..layout.children() };
    let text = render(&value, indent + 1, inner);
    let null = layout.null_suffix(diff.action);
    if !text.contains('\n') {
        return format!("jsonencode({text}){note}{replace}");
    }
    let symbol =
        layout.symbol(if note.is_empty() && diff.action == Action::Update { diff.action } else { Action::NoOp });
    let (outer, margin, blank) = (indentation(indent), indentation(indent + 1), layout.symbol(Action::NoOp));
    format!("jsonencode({note}{replace}\n{margin}{symbol}{text}\n{outer}{blank}){null}")
}
