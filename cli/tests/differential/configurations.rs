//! Configurations: sound ones, with every kind of block, in which lines and words are then changed.

use serde_json::Value as Json;

use crate::random::Random;
use crate::tools::{BOTH, compare_diagnostics};

const BLOCKS: &[&str] = &[
    "variable \"a\" {\n  type        = string\n  default     = \"x\"\n  description = \"text\"\n  sensitive   = false\n  nullable    = true\n  validation {\n    condition     = length(var.a) > 0\n    error_message = \"Must not be empty.\"\n  }\n}\n",
    "variable \"b\" {\n  type    = object({ id = number, name = optional(string, \"n\"), tags = optional(map(string)) })\n  default = { id = 1 }\n}\n",
    "variable \"c\" {\n  type    = list(string)\n  default = [\"x\", \"y\"]\n}\n",
    "variable \"e\" {\n  ephemeral = true\n  default   = \"e\"\n}\n",
    "locals {\n  one = 1\n  two = local.one + 1\n  map = { k = \"v\" }\n}\n",
    "output \"o\" {\n  value       = terraform_data.one.id\n  description = \"d\"\n  sensitive   = true\n  depends_on  = [terraform_data.one]\n  precondition {\n    condition     = local.one > 0\n    error_message = \"No.\"\n  }\n}\n",
    "output \"plain\" {\n  value = { a = var.a, l = local.map[\"k\"], c = var.c[0] }\n}\n",
    "resource \"terraform_data\" \"one\" {\n  input            = var.a\n  triggers_replace = [local.one]\n  lifecycle {\n    create_before_destroy = true\n    prevent_destroy       = false\n    ignore_changes        = [input]\n    replace_triggered_by  = [terraform_data.two]\n    precondition {\n      condition     = var.a != \"\"\n      error_message = \"No.\"\n    }\n    postcondition {\n      condition     = self.id != \"\"\n      error_message = \"No.\"\n    }\n  }\n}\n",
    "resource \"terraform_data\" \"two\" {\n  count = 2\n  input = count.index\n}\n",
    "resource \"terraform_data\" \"three\" {\n  for_each   = toset(var.c)\n  input      = each.key\n  depends_on = [terraform_data.two]\n  provider   = terraform\n}\n",
    "resource \"terraform_data\" \"four\" {\n  input = \"x\"\n  connection {\n    type = \"ssh\"\n    host = \"h\"\n    user = self.id\n  }\n  provisioner \"local-exec\" {\n    command     = \"echo ${self.id}\"\n    when        = destroy\n    on_failure  = continue\n    environment = { A = \"b\" }\n  }\n  provisioner \"remote-exec\" {\n    inline = [\"a\"]\n    connection {\n      host = \"h2\"\n    }\n  }\n}\n",
    "data \"terraform_remote_state\" \"r\" {\n  backend   = \"local\"\n  workspace = \"w\"\n  config    = { path = \"x.tfstate\" }\n  defaults  = { a = 1 }\n  lifecycle {\n    postcondition {\n      condition     = self.outputs != null\n      error_message = \"No.\"\n    }\n  }\n}\n",
    "terraform {\n  required_version = \">= 1.0, < 2.0\"\n  required_providers {\n    terraform = {\n      source = \"terraform.io/builtin/terraform\"\n    }\n  }\n  backend \"local\" {\n    path = \"x\"\n  }\n}\n",
    "terraform {\n  experiments = []\n  provider_meta \"terraform\" {\n  }\n}\n",
    "provider \"terraform\" {\n}\n",
    "provider \"terraform\" {\n  alias = \"other\"\n}\n",
    "moved {\n  from = terraform_data.old\n  to   = terraform_data.one\n}\n",
    "moved {\n  from = module.old\n  to   = module.child\n}\n",
    "removed {\n  from = terraform_data.gone\n  lifecycle {\n    destroy = false\n  }\n}\n",
    "import {\n  to = terraform_data.one\n  id = \"some-id\"\n}\n",
    "check \"c\" {\n  data \"terraform_remote_state\" \"inner\" {\n    backend = \"local\"\n    config  = {}\n  }\n  assert {\n    condition     = data.terraform_remote_state.inner.outputs != null\n    error_message = \"No.\"\n  }\n}\n",
    "module \"child\" {\n  source     = \"./child\"\n  required   = var.a\n  optional   = 3\n  depends_on = [terraform_data.two]\n}\n",
    "module \"many\" {\n  source   = \"./child\"\n  for_each = { a = 1 }\n  required = each.key\n}\n",
];

const CHILD: &str = "terraform {\n  required_providers {\n    terraform = {\n      source = \"terraform.io/builtin/terraform\"\n    }\n  }\n}\nvariable \"required\" {}\nvariable \"optional\" {\n  type    = number\n  default = 1\n}\nresource \"terraform_data\" \"inner\" {\n  input = var.required\n}\noutput \"out\" {\n  value = terraform_data.inner.id\n}\n";

const VALUES: &[&str] = &[
    "null",
    "true",
    "\"false\"",
    "1",
    "-1",
    "\"text\"",
    "\"${var.a}\"",
    "[]",
    "[1]",
    "[\"a\"]",
    "{}",
    "{ a = 1 }",
    "var.a",
    "var.missing",
    "local.one",
    "local.missing",
    "local",
    "terraform_data.one",
    "terraform_data.one.id",
    "terraform_data.two",
    "terraform_data.two[0].id",
    "terraform_data.three[\"x\"]",
    "terraform_data.missing",
    "terraform_data.one.missing",
    "self.id",
    "self",
    "each.key",
    "each.value",
    "each.other",
    "count.index",
    "count.other",
    "module.child",
    "module.child.out",
    "module.child.missing",
    "module.missing",
    "module.many",
    "module.many[\"a\"].out",
    "data.terraform_remote_state.r",
    "data.terraform_remote_state.r.outputs.x",
    "data.terraform_remote_state.inner.outputs",
    "path.module",
    "path.other",
    "terraform.workspace",
    "terraform.other",
    "nosuch(1)",
    "upper(1, 2)",
    "upper([])",
    "1 / 0",
    "tonumber(\"x\")",
    "string",
    "number",
    "any",
    "list(string)",
    "list",
    "map(nosuch)",
    "object({ a = string, a = number })",
    "optional(string)",
    "set(any)",
    "tuple([string, any])",
    "\"string\"",
    "terraform",
    "terraform.other_alias",
    "nosuch.alias",
    "[terraform_data.one]",
    "[terraform_data.missing]",
    "[\"terraform_data.one\"]",
    "[input]",
    "all",
    "[all]",
    "[nosuch]",
    "[input.a]",
    "terraform_data.one[0]",
    "module.child.terraform_data.inner",
    "module.child[0]",
    "continue",
    "fail",
    "destroy",
    "create",
    "\"./child\"",
    "\"./nosuch\"",
    "\"\"",
    "\">= 99\"",
    "\"not a version\"",
    "\"~> 1.0\"",
    "sensitive(1)",
    "sensitive(\"x\")",
    "var.e",
    "ephemeralasnull(var.e)",
    "var.b",
    "var.b.name",
    "var.b.nosuch",
    "var.c",
    "var.c[9]",
    "[for x in var.c : x]",
    "{ for x in var.c : x => x }",
    "toset([\"a\", null])",
    "toset([1])",
    "timestamp()",
    "terraform_data.one.output",
    "var.a == \"x\" ? 1 : \"a\"",
    "<<EOT\n  text\nEOT",
    "\"%{ if true }a%{ endif }\"",
    "provider::terraform::encode_expr(1)",
    "provider::nosuch::f()",
    "terraform_data.one.*.id",
    "(var.a)",
    "!var.a",
    "-var.c",
    "var.a.b",
    "var.a[0]",
    "template.x",
    "arg",
];

const LINES: &[&str] = &[
    "nosuch = 1",
    "nosuch {\n}",
    "input = 1",
    "count = 1",
    "count = \"x\"",
    "count = -1",
    "count = 1.5",
    "for_each = {}",
    "for_each = [1]",
    "for_each = terraform_data.one.id",
    "depends_on = []",
    "depends_on = [var.a]",
    "lifecycle {\n}",
    "lifecycle {\n  nosuch = 1\n}",
    "provider = terraform",
    "provider = \"terraform.other\"",
    "provisioner \"local-exec\" {\n  command = 1\n}",
    "provisioner \"nosuch\" {\n}",
    "provisioner \"file\" {\n  source = 1\n}",
    "provisioner {\n}",
    "connection {\n}",
    "connection {\n  host = 1\n  nosuch = 2\n}",
    "dynamic \"x\" {\n  for_each = []\n  content {}\n}",
    "dynamic \"timeouts\" {\n  for_each = [1]\n  iterator = it\n  content {\n    a = it.value\n  }\n}",
    "dynamic {\n}",
    "validation {\n  condition = true\n}",
    "validation {\n  condition = var.a == 1\n  error_message = 1\n}",
    "precondition {\n  condition = 1\n  error_message = \"\"\n}",
    "postcondition {\n  condition = self.x\n  error_message = \"x ${var.a}\"\n}",
    "source = 1",
    "version = \"1\"",
    "providers = {}",
    "providers = {\n  terraform = terraform\n}",
    "providers = []",
    "providers = {\n  nosuch = terraform\n}",
    "sensitive = 1",
    "sensitive = \"yes\"",
    "ephemeral = true",
    "nullable = null",
    "nullable = false",
    "type = any",
    "default = []",
    "default = { id = \"x\" }",
    "default = var.a",
    "description = 1",
    "description = var.a",
    "value = 1",
    "alias = \"x\"",
    "alias = 1",
    "required_version = 1",
    "backend \"local\" {\n}",
    "backend \"nosuch\" {\n}",
    "backend \"s3\" {\n  bucket = 1\n}",
    "cloud {\n}",
    "cloud {\n  organization = \"x\"\n  workspaces {\n    name = \"y\"\n  }\n}",
    "required_providers {\n  terraform = {\n    source = \"a/b/c/d\"\n  }\n}",
    "required_providers {\n  aws = \"~> 5.0\"\n}",
    "experiments = [nosuch]",
    "experiments = [module_variable_optional_attrs]",
    "for_each = toset([\"a\"])",
    "id = \"x\"",
    "id = var.missing",
    "to = terraform_data.one",
    "from = terraform_data.one",
    "from = module.child",
    "assert {\n  condition = var.a\n  error_message = \"x\"\n}",
    "data \"terraform_remote_state\" \"again\" {\n}",
    "_ = 1",
    "\"quoted\" = 1",
    "a.b = 1",
    "block label \"two\" {}",
    "escape \"x\" {}",
    "lifecycle = 1",
    "variable = 1",
    "workspaces {\n}",
    "resource = 1",
    "prevent_destroy = var.a",
    "create_before_destroy = \"yes\"",
    "ignore_changes = input",
    "replace_triggered_by = [var.a]",
    "replace_triggered_by = [terraform_data.two[count.index]]",
    "destroy = \"x\"",
    "}",
    "{",
];

const WORDS: &[&str] = &[
    "variable",
    "output",
    "resource",
    "data",
    "module",
    "locals",
    "terraform",
    "provider",
    "moved",
    "import",
    "removed",
    "check",
    "ephemeral",
    "nosuch",
    "lifecycle",
    "validation",
    "precondition",
    "terraform_data",
    "terraform_remote_state",
    "one",
    "a",
    "count",
    "each",
    "self",
    "var",
    "local",
    "\"x\"",
    "\"\"",
    "\"with space\"",
    "\"1x\"",
    "\"source\"",
    "\"count\"",
    "\"provider\"",
    "\"${var.a}\"",
];

/// Changes one thing.
fn change(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let at = random.below(lines.len());
    match random.below(12) {
        0 => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => {
            let other = random.below(lines.len());
            lines.swap(at, other);
        }
        3..=6 => {
            let with_value: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].contains(" = ")).collect();
            if let Some(&at) = with_value.get(random.below(with_value.len())) {
                let name = lines[at].split_once(" = ").map(|(name, _)| name.to_owned()).unwrap_or_default();
                lines[at] = format!("{name} = {}", random.pick(VALUES));
            }
        }
        7..=9 => {
            let after: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].ends_with('{')).collect();
            let after =
                if random.chance(90) { after.get(random.below(after.len())).copied().unwrap_or(at) } else { at };
            lines.insert(after + 1, random.pick(LINES).to_owned());
        }
        10 => {
            let mut words: Vec<String> = lines[at].split(' ').map(str::to_owned).collect();
            let word = random.below(words.len());
            words[word] = random.pick(WORDS).to_owned();
            lines[at] = words.join(" ");
        }
        _ => {
            let mut words: Vec<String> = lines[at].split(' ').map(str::to_owned).collect();
            let word = random.below(words.len());
            if random.chance(50) {
                words.remove(word);
            } else {
                words.insert(word, random.pick(WORDS).to_owned());
            }
            lines[at] = words.join(" ");
        }
    }
    lines.join("\n") + "\n"
}

/// Values and members that stand in for others in JSON.
fn json_pieces() -> Vec<Json> {
    let texts = [
        "null",
        "true",
        "1",
        "1.5",
        "\"x\"",
        "\"${var.a}\"",
        "\"${\"",
        "\"${var.missing}\"",
        "[]",
        "[1]",
        "[\"a\"]",
        "{}",
        "[{}]",
        "{\"a\": 1}",
        "[[]]",
        "\"terraform_data.one\"",
        "[\"terraform_data.one\"]",
        "[\"terraform_data.missing\"]",
        "\"string\"",
        "\"list(string)\"",
        "\"nosuch\"",
        "{\"b\": {\"c\": 1}}",
        "[{\"condition\": \"${true}\"}]",
        "\"${count.index}\"",
    ];
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

const JSON: &str = r#"{
  "//": "comment",
  "variable": {"a": {"type": "string", "default": "x", "validation": [{"condition": "${var.a != \"\"}", "error_message": "No."}]}, "c": {"default": ["x"]}},
  "locals": {"one": 1, "two": "${local.one + 1}"},
  "output": {"o": {"value": "${terraform_data.one.id}", "sensitive": true, "depends_on": ["terraform_data.one"]}},
  "resource": {"terraform_data": {
    "one": {"input": "${var.a}", "lifecycle": {"ignore_changes": ["input"], "create_before_destroy": true}},
    "two": {"count": 2, "input": "${count.index}"},
    "three": [{"for_each": "${toset(var.c)}", "input": {"k": "${each.key}"}, "provisioner": [{"local-exec": {"command": "true"}}]}]
  }},
  "data": {"terraform_remote_state": {"r": {"backend": "local", "config": {"path": "x"}}}},
  "terraform": {"required_version": ">= 1.0", "backend": {"local": {"path": "p"}}, "required_providers": {"terraform": {"source": "terraform.io/builtin/terraform"}}},
  "provider": {"terraform": [{}, {"alias": "other"}]},
  "moved": [{"from": "terraform_data.old", "to": "terraform_data.one"}],
  "removed": [{"from": "terraform_data.gone", "lifecycle": {"destroy": false}}],
  "import": {"to": "terraform_data.one", "id": "i"},
  "check": {"c": {"assert": [{"condition": "${var.a != null}", "error_message": "No."}]}},
  "module": {"child": {"source": "./child", "required": "${var.a}"}}
}"#;

/// Changes one node of a document.
fn change_json(random: &mut Random, pieces: &[Json], node: &mut Json) {
    let children = match node {
        Json::Object(members) => members.len(),
        Json::Array(items) => items.len(),
        _ => 0,
    };
    if children > 0 && random.chance(75) {
        let at = random.below(children);
        match node {
            Json::Object(members) => {
                let name = members.keys().nth(at).unwrap().clone();
                if random.chance(8) {
                    members.remove(&name);
                } else if random.chance(8) {
                    let value = members.remove(&name).unwrap();
                    let names =
                        ["nosuch", "count", "//", "dynamic", "lifecycle", "1x", "for_each", "depends_on", "a", ""];
                    members.insert(random.pick(&names).to_owned(), value);
                } else {
                    change_json(random, pieces, members.get_mut(&name).unwrap());
                }
            }
            Json::Array(items) => change_json(random, pieces, &mut items[at]),
            _ => {}
        }
        return;
    }
    *node = match random.below(3) {
        0 => Json::Array(vec![node.clone()]),
        1 => Json::Array(vec![node.clone(), node.clone()]),
        _ => pieces[random.below(pieces.len())].clone(),
    };
}

/// What the two tools say of a folder with these files, if they differ.
fn compare(files: &[(&str, &str)]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("child")).unwrap();
    std::fs::write(folder.path().join("child/main.tf"), CHILD).unwrap();
    // What `init` would leave: `validate` wants to see the module installed.
    let modules = folder.path().join(".terraform/modules");
    std::fs::create_dir_all(&modules).unwrap();
    let manifest = r#"{"Modules":[{"Key":"","Source":"","Dir":"."},{"Key":"child","Source":"./child","Dir":"child"},{"Key":"many","Source":"./child","Dir":"child"}]}"#;
    std::fs::write(modules.join("modules.json"), manifest).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let [want, got] = BOTH.map(|tool| tool.validate(folder.path()));
    let texts: String = files.iter().map(|(name, text)| format!("--- {name}\n{text}")).collect();
    compare_diagnostics(&want, &got).map(|difference| format!("{texts}  {difference}"))
}

#[test]
fn configurations_are_refused_at_the_same_place() {
    let Some((cases, seed)) = crate::volume(40) else { return };
    let mut random = Random::new(seed);
    let mut differences = Vec::new();
    for _ in 0..cases {
        let mut text: String = BLOCKS.iter().filter(|block| !block.starts_with("terraform {")).copied().collect();
        if random.chance(30) {
            text.insert_str(0, random.pick(&[BLOCKS[12], BLOCKS[13]]));
        }
        for _ in 0..1 + random.below(3) {
            text = change(&mut random, &text);
        }
        let block = random.pick(BLOCKS);
        let other = if random.chance(20) { change(&mut random, block) } else { String::new() };
        let files = [("main.tf", text.as_str()), ("main_override.tf", other.as_str())];
        differences.extend(compare(if other.is_empty() { &files[..1] } else { &files }));
    }
    crate::report(&differences);
}

#[test]
fn json_configurations_are_refused_at_the_same_place() {
    let Some((cases, seed)) = crate::volume(60) else { return };
    let mut random = Random::new(seed);
    let pieces = json_pieces();
    let mut differences = Vec::new();
    for _ in 0..cases {
        let mut document: Json = serde_json::from_str(JSON).unwrap();
        for _ in 0..1 + random.below(2) {
            change_json(&mut random, &pieces, &mut document);
        }
        let text = serde_json::to_string_pretty(&document).unwrap();
        differences.extend(compare(&[("main.tf.json", text.as_str())]));
    }
    crate::report(&differences);
}

/// What random cases found: a file, and an override file of it.
const FOUND: &[(&str, &str)] = &[
    (
        "removed {\n  from = self.id\n}\nremoved {\n  from = var.b.nosuch\n}\nremoved {\n  from = resource.self.id\n}\n",
        "",
    ),
    ("moved {\n  from = module.old\n  to   =\n}\nimport {\n  id = \"x\"\n  to = a.\n}\n", ""),
    ("moved {\n  from = module.old\n  to   = data.a.b.c.d\n}\n", ""),
    ("provider \"terraform\" {\n}\nprovider \"terraform\" {\n  alias = [\"x\"]\n}\n", ""),
    ("resource \"terraform_data\" \"a\" {\n  provider = \"not a version\"\n  depends_on = [\"\"]\n}\n", ""),
    ("variable \"a\" {\n  sensitive = \"\"\n  nullable = <<EOT\n  text\n more\nEOT\n}\n", ""),
    ("terraform {\n  provider_meta \"terraform\" {\n    a = terraform_data.x\n    b {\n    }\n  }\n}\n", ""),
    ("output \"a\" {\n  value = list(1)\n}\noutput \"b\" {\n  value = map(\"a\", 1)\n}\n", ""),
    (
        "output \"a\" {\n  value = [module.child[0], module.child[\"a\"].b, upper(module.child), upper(module.many)]\n}\nmodule \"child\" {\n  source = \"./child\"\n  required = 1\n}\nmodule \"many\" {\n  source = \"./child\"\n  for_each = {}\n  required = 1\n}\n",
        "",
    ),
    ("module \"child\" {\n  source = \"./child\"\n  required = provider::terraform::encode_expr(1)\n}\n", ""),
    ("resource \"terraform_data\" \"two\" {\n  from = terraform_data.two\n  nosuch {\n    a = self.x\n  }\n}\n", ""),
    ("resource \"terraform_data\" \"a\" {\n  provisioner \"remote-exec\" {\n    inline = [input]\n  }\n}\n", ""),
    ("resource \"terraform_data\" \"a\" {\n  provisioner \"file\" {\n    destination = \"a\"\n  }\n}\n", ""),
    (
        "resource \"terraform_data\" \"a\" {\n  connection {\n    host = \"h\"\n  }\n  provisioner \"local-exec\" {\n    command = \"x\"\n    connection {\n      nosuch = 1\n    }\n  }\n}\n",
        "",
    ),
    (
        "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"x\"\n    dynamic \"x\" {\n      for_each = []\n      content {}\n    }\n  }\n}\n",
        "",
    ),
    (
        "data \"terraform_remote_state\" \"r\" {\n  backend = \"local\"\n  config  = { path = [] }\n}\ndata \"terraform_remote_state\" \"s\" {\n  backend = \"local\"\n  config  = { nosuch = 1 }\n}\n",
        "",
    ),
    (
        "locals {\n  a = 1\n}\noutput \"a\" {\n  value = 1\n  precondition {\n    condition     = local.a != number\n    error_message = [\"a\"]\n  }\n}\ncheck \"b\" {\n  assert {\n    condition     = path.other == local.a\n    error_message = count.other\n  }\n}\n",
        "",
    ),
    (
        "variable \"a\" {\n  validation {\n    condition     = var.a != \"\"\n    error_message = set(number)\n  }\n}\n",
        "",
    ),
    (
        "variable \"a\" {\n  default = terraform.other\n}\n",
        "variable \"a\" {\n  _ = 1\n  default = 1\n  validation {\n    condition = count.index\n    nosuch = 1\n  }\n}\n",
    ),
    ("variable \"a\" {\n  type = string\n  default = \"x\"\n}\n", "variable \"a\" {\n  type = number\n}\n"),
    ("module \"child\" {\n  source = \"./child\"\n}\n", "module \"child\" {\n  required = 1\n  nosuch = 2\n}\n"),
    (
        "resource \"terraform_data\" \"r\" {\n  count = 1\n  nosuch = 1\n}\n",
        "resource \"terraform_data\" \"r\" {\n  for_each = {}\n  lifecycle {\n    precondition {\n      condition = -1\n    }\n    validation {\n    }\n  }\n}\noutput \"o\" {\n  depends_on = [a.b]\n}\n",
    ),
];

#[test]
fn what_was_found_stays_found() {
    if crate::volume(1).is_none() {
        return;
    }
    let cases = FOUND.iter().map(|(text, over)| {
        let files = [("main.tf", *text), ("main_override.tf", *over)];
        compare(if over.is_empty() { &files[..1] } else { &files })
    });
    crate::report(&cases.flatten().collect::<Vec<_>>());
}
