//! Layouts: sources whose white space, line breaks and comments were shuffled, and what `fmt` makes of them.

use crate::random::Random;
use crate::tools::BOTH;

const SOURCES: &[&str] = &[
    "a = 1\nbb = [1, 2, 3]\nccc = { x = 1, yy = \"two\" }\n",
    "resource \"t\" \"n\" {\n  count = var.n > 1 ? 2 : 0\n  name = \"x-${var.a}-${ b }\"\n  list = [\n    \"a\",\n    \"b\",\n  ]\n  nested {\n    k = v\n    longer = f(a, b...)\n  }\n}\n",
    "locals {\n  a = [for x in y : x.z if x != null]\n  b = { for k, v in m : k => v... }\n  c = a.b[0].*.d[*].e\n  d = !x && -y < 3 || (z >= 4)\n}\n",
    "output \"x\" {\n  value = <<-EOT\n    text ${x}\n      more\n    EOT\n  other = <<EOT\nraw\nEOT\n  z = 1\n}\n",
    "variable \"v\" {\n  type = object({ a = string, b = optional(list(number), []) })\n  default = {\n    a = \"x\"\n    \"q\" = 1\n    (k) = 2\n  }\n}\n",
    "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\", version = \"~> 5.0\" }\n  }\n}\nmodule \"m\" { source = \"./x\" }\nb \"l\" m \"n\" {}\n",
    "x = f(\n  a,\n  {\n    k = v\n  },\n  [\n    1, 2\n  ]\n)\ny = a ? b : c\nz = \"%{ if a }b%{ else }c%{ endif }\"\nn = 1e3 + 0.5 % 2\ns = a::b(c)\nt = \"${x}\"\nu = \"${x.y[0]}\"\n",
    "moved {\n  from = a.b\n  to = c.d[\"k\"]\n}\nresource t n {\n  lifecycle { ignore_changes = [a, b] }\n  depends_on = [\n    a.b, # first\n    c.d,\n    // second\n  ]\n  /* block */ k = v /* after */\n}\n",
];

/// Cuts a source where white space may change without changing what it says: not inside of strings and heredocs.
fn pieces(source: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut current = String::new();
    let (mut in_string, mut marker) = (false, None::<String>);
    for line in source.split_inclusive('\n') {
        if let Some(end) = &marker {
            current.push_str(line);
            if line.trim() == end {
                marker = None;
                pieces.push(std::mem::take(&mut current));
            }
            continue;
        }
        if let Some(at) = line.find("<<") {
            marker = Some(line[at..].trim_start_matches(['<', '-']).trim().to_owned());
            current.push_str(line);
            continue;
        }
        if line.contains('#') || line.contains("//") {
            pieces.push(line.to_owned());
            continue;
        }
        for c in line.chars() {
            if c == '"' {
                in_string = !in_string;
            }
            current.push(c);
            if !in_string && (c == ' ' || c == '\n' || "=[](){},".contains(c)) {
                pieces.push(std::mem::take(&mut current));
            }
        }
    }
    pieces.push(current);
    pieces
}

fn shuffle(random: &mut Random, source: &str) -> String {
    let mut text = String::new();
    for piece in pieces(source) {
        text.push_str(&piece);
        if piece.contains("<<") {
            continue;
        }
        let inside = piece.ends_with(['[', '(', ',', '{', '\n']);
        match random.below(24) {
            0 => text.push_str("  "),
            1 => text.push('\t'),
            2 if inside => text.push('\n'),
            3 if inside => text.push_str("\n\n\n"),
            4 if inside => text.push_str("# note\n"),
            5 if inside => text.push_str(" //note\n"),
            6 => text.push_str("/* c */"),
            7 if piece.ends_with(' ') => drop(text.pop()),
            8 if piece.ends_with('\n') => {
                text.pop();
                text.push_str(random.pick(&["  \n", " # end\n", "\r\n", "\n      "]));
            }
            9 if random.chance(10) => {
                text.push_str(random.pick(&["\"", "{", "}", "[", ")", "é", "~", "\u{feff}", "<<X\n"]))
            }
            _ => {}
        }
    }
    if random.chance(10) {
        text.truncate(text.trim_end().len());
    }
    text
}

#[test]
fn formatted_sources_are_the_same() {
    let Some((cases, seed)) = crate::volume(600) else { return };
    let mut random = Random::new(seed);
    let sources: Vec<String> = (0..cases)
        .map(|_| {
            let first = random.pick(SOURCES);
            let both = if random.chance(40) { format!("{first}{}", random.pick(SOURCES)) } else { first.to_owned() };
            shuffle(&mut random, &both)
        })
        .collect();
    let results = BOTH.map(|tool| {
        let folder = tempfile::tempdir().unwrap();
        for (index, source) in sources.iter().enumerate() {
            std::fs::write(folder.path().join(format!("case{index}.tf")), source).unwrap();
        }
        // What cannot be parsed is reported and left alone; the other files are written.
        tool.run(folder.path(), &["fmt", "-list=false"]);
        let read = |index| std::fs::read_to_string(folder.path().join(format!("case{index}.tf"))).unwrap();
        (0..sources.len()).map(read).collect::<Vec<String>>()
    });
    let [want, got] = results;
    let mut differences = Vec::new();
    for ((source, want), got) in sources.iter().zip(&want).zip(&got) {
        if want != got {
            differences.push(format!("{source}\n--- want\n{want}\n--- got\n{got}"));
        }
    }
    crate::report(&differences);
}
