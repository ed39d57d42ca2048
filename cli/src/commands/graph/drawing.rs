//! A graph in the DOT language, laid out as Terraform does: sorted, and without edges that follow from others.

use std::collections::{BTreeMap, BTreeSet};

use lang::quoting::go_quote;

/// How a node is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A resource or one of its steps.
    Box,
    /// A provider configuration.
    Diamond,
    /// A root input variable.
    Note,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Box => "box",
            Shape::Diamond => "diamond",
            Shape::Note => "note",
        }
    }
}

/// Nodes by name, and what each needs.
#[derive(Debug, Default)]
pub struct Drawing {
    shapes: BTreeMap<String, (String, Shape)>,
    needs: BTreeMap<String, BTreeSet<String>>,
    shown: BTreeMap<String, String>,
}

impl Drawing {
    /// Adds a node; only nodes with a shape have a line of their own.
    pub fn node(&mut self, name: &str, shape: Option<(String, Shape)>) {
        self.needs.entry(name.to_owned()).or_default();
        if let Some(shape) = shape {
            self.shapes.insert(name.to_owned(), shape);
        }
    }

    /// Gives a node another name in the text, which several may have.
    pub fn show_as(&mut self, name: &str, shown: String) {
        self.shown.insert(name.to_owned(), shown);
    }

    /// Adds an edge from a node to what it needs.
    pub fn edge(&mut self, from: &str, to: &str) {
        if from != to {
            self.node(to, None);
            self.needs.entry(from.to_owned()).or_default().insert(to.to_owned());
        }
    }

    /// Takes a node out; what needed it needs what it needed.
    pub fn take_out(&mut self, name: &str) {
        let Some(needed) = self.needs.remove(name) else { return };
        for needs in self.needs.values_mut() {
            if needs.remove(name) {
                needs.extend(needed.iter().cloned());
            }
        }
    }

    /// What the boxes need of each other, by their labels and through whatever is between them, without what follows from the rest.
    pub fn boxes<'d>(&'d self) -> BTreeMap<&'d str, BTreeSet<&'d str>> {
        let label = |name: &'d String| match self.shapes.get(name) {
            Some((label, Shape::Box)) => Some(label.as_str()),
            _ => None,
        };
        let mut boxes: BTreeMap<&'d str, BTreeSet<&'d str>> = BTreeMap::new();
        for name in self.needs.keys() {
            let Some(own) = label(name) else { continue };
            let needed = self.below(name).into_iter().filter_map(label).filter(|needed| *needed != own);
            boxes.entry(own).or_default().extend(needed);
        }
        let thinned = |needs: &BTreeSet<&'d str>| -> BTreeSet<&'d str> {
            let implied: BTreeSet<&str> = needs.iter().filter_map(|via| boxes.get(via)).flatten().copied().collect();
            needs.difference(&implied).copied().collect()
        };
        boxes.iter().map(|(name, needs)| (*name, thinned(needs))).collect()
    }

    /// Adds a node that needs all that nothing else needs.
    pub fn add_root(&mut self) {
        let needed: BTreeSet<&String> = self.needs.values().flatten().collect();
        let last: BTreeSet<String> = self.needs.keys().filter(|name| !needed.contains(name)).cloned().collect();
        self.needs.insert("root".to_owned(), last);
    }

    /// The text.
    pub fn text(&self) -> String {
        let shown = |name: &str| self.shown.get(name).cloned().unwrap_or_else(|| name.to_owned());
        let quoted = |name: &str| go_quote(&format!("[root] {}", shown(name)));
        let mut text = "digraph {\n\tcompound = \"true\"\n\tnewrank = \"true\"\n\tsubgraph \"root\" {\n".to_owned();
        let mut lines = Vec::new();
        for (name, (label, shape)) in &self.shapes {
            let attributes = format!("[label = {}, shape = {:?}]", go_quote(label), shape.name());
            lines.push(format!("\t\t{} {attributes}\n", quoted(name)));
        }
        lines.sort();
        text.extend(lines);
        let mut edges = BTreeSet::new();
        for (from, all) in &self.needs {
            let implied: BTreeSet<&String> = all.iter().flat_map(|via| self.below(via)).collect();
            let all = all.iter().filter(|to| !implied.contains(to));
            edges.extend(all.map(|to| format!("\t\t{} -> {}\n", quoted(from), quoted(to))));
        }
        text.extend(edges);
        text + "\t}\n}\n"
    }

    /// Everything that a node needs through others.
    fn below<'d>(&'d self, name: &str) -> BTreeSet<&'d String> {
        let mut found = BTreeSet::new();
        let mut stack: Vec<&String> = self.needs.get(name).into_iter().flatten().collect();
        while let Some(name) = stack.pop() {
            if found.insert(name) {
                stack.extend(self.needs.get(name).into_iter().flatten());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_that_follow_from_others_are_left_out() {
        let mut drawing = Drawing::default();
        drawing.node("a", Some(("a".to_owned(), Shape::Box)));
        for (from, to) in [("c", "b"), ("b", "a"), ("c", "a"), ("d", "mid"), ("mid", "b")] {
            drawing.edge(from, to);
        }
        drawing.take_out("mid");
        drawing.add_root();
        let text = drawing.text();
        let edges: Vec<&str> = text.lines().map(str::trim).filter(|line| line.contains("->")).collect();
        let expected = [
            "\"[root] b\" -> \"[root] a\"",
            "\"[root] c\" -> \"[root] b\"",
            "\"[root] d\" -> \"[root] b\"",
            "\"[root] root\" -> \"[root] c\"",
            "\"[root] root\" -> \"[root] d\"",
        ];
        assert_eq!(edges, expected);
        assert!(text.contains("\t\t\"[root] a\" [label = \"a\", shape = \"box\"]\n"), "{text}");
    }
}
