//! Expressions: each case is a file with an output of its own, and a plan tells what it is worth or why it is refused. Every eighth
//! is wrong on purpose where it would be parsed.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::random::Random;
use crate::signatures;
use crate::tools::{BOTH, Tool, compare_diagnostics, first_difference};

/// How many cases one plan takes.
const BATCH: usize = 150;

/// What the expressions can refer to.
const SURROUNDINGS: &str = r#"
variable "s" { default = "héllo wörld" }
variable "n" { default = 7 }
variable "f" { default = 2.75 }
variable "b" { default = true }
variable "l" { default = ["b", "a", "c", "a"] }
variable "nums" { default = [3, 1, 2] }
variable "m" { default = { a = 1, b = 2 } }
variable "o" { default = { name = "x", tags = { k = "v" }, list = [1, 2, 3], nested = [{ a = 1 }, { a = null }] } }
variable "nul" { default = null }
variable "secret" {
  default   = "hunter2"
  sensitive = true
}
variable "secrets" {
  type      = list(string)
  default   = ["p", "q"]
  sensitive = true
}
variable "set" {
  type    = set(string)
  default = ["x", "y", "z"]
}
variable "objs" {
  type    = list(object({ id = number, name = optional(string, "none"), tags = optional(map(string), {}) }))
  default = [{ id = 1 }, { id = 2, name = "two", tags = { a = "b" } }]
}
variable "mm" {
  type    = map(list(number))
  default = { one = [1], two = [1, 2] }
}
variable "empty" {
  type    = list(string)
  default = []
}
resource "terraform_data" "u" {}
resource "terraform_data" "many" {
  count = 2
  input = count.index
}
locals {
  unknown_list = split(",", terraform_data.u.id)
  partly       = [1, terraform_data.u.id, "x"]
  partly_map   = { known = 1, unknown = terraform_data.u.id }
}
"#;

const STRINGS: &[&str] = &[
    r#""""#,
    r#""a""#,
    r#""abc""#,
    r#""ABC def""#,
    r#""héllo""#,
    r#""a,b,,c""#,
    r#""12""#,
    r#""-3.50""#,
    r#""1e3""#,
    r#""true""#,
    r#""null""#,
    r#""%s-%d""#,
    r#""%5.2f|%-6s|%06d""#,
    r#""%v %#v %q %t %x""#,
    r#""%[2]s %[1]s""#,
    r#""%%""#,
    r#""%""#,
    r#""%z""#,
    r#""[a-z]+""#,
    r#""(\\w)(\\d*)""#,
    r#""(?P<first>[a-z]+)-?(?P<second>\\d+)?""#,
    r#""/[aeiou]/""#,
    r#""(""#,
    r#""10.0.0.0/16""#,
    r#""192.168.1.77/28""#,
    r#""fd00::/48""#,
    r#""10.0.0.1""#,
    r#""2024-02-29T23:59:59Z""#,
    r#""2023-11-05T01:30:00-07:00""#,
    r#""DD MMM YYYY hh:mm:ss ZZZ""#,
    r#""EEEE, h'h' aa""#,
    r#""-36h15m""#,
    r#""1.5h""#,
    r#""{\"a\":[1,2.5,null,true],\"b\":{\"c\":\"d\"}}""#,
    r#""[1, 2""#,
    r#""a: 1\nb: [x, y]\nc:\n  - 1\n  - ~\n""#,
    r#""x,y\n1,2\n3,4\n""#,
    r#""aGVsbG8=""#,
    r#""not base64!""#,
    r#""  padded \t""#,
    r#""line1\r\nline2\n""#,
    r#""/a/b/../c.txt""#,
    r#""~/x""#,
    r#""a b&c=d/é""#,
    r#""UTF-16LE""#,
    r#""ff""#,
    r#""0b101""#,
    r#""\u00e9e\u0301 👩‍👩‍👧""#,
    r#""$${x} %%{y}""#,
    r#""name=${var.s}""#,
    r#""${var.n}""#,
    r#""n: ${var.n}, f: ${var.f}, b: ${var.b}""#,
    r#""%{ if var.b }yes%{ else }no%{ endif }""#,
    r#""%{ for x in var.l ~} ${x} %{ endfor }""#,
    r#""${terraform_data.u.id}""#,
    r#""pre-${terraform_data.u.id}""#,
    r#""${var.secret}!""#,
    "var.s",
    "var.secret",
    "terraform_data.u.id",
    "terraform_data.u.output",
    "var.o.name",
    "var.l[0]",
    "path.module",
    "terraform.workspace",
    "<<EOT\nline ${var.n}\n  two\nEOT\n",
    "<<-EOT\n    a\n      b ${upper(var.s)}\n    %{ if var.b }c%{ endif }\n    EOT\n",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "3.5",
    "-0.25",
    "1e3",
    "100",
    "1024",
    "9007199254740993",
    "1e100",
    "0.1",
    "1/3",
    "var.n",
    "var.f",
    "var.nums[1]",
    "length(var.l)",
    "tonumber(terraform_data.u.output)",
    "255",
    "16",
    "1.5e-7",
    "999999999999999999999",
    "-7 % 3",
    "length(local.unknown_list)",
];
const BOOLS: &[&str] = &[
    "true",
    "false",
    "var.b",
    "!var.b",
    "var.n > 3",
    "var.s == \"x\"",
    "can(var.o.zip)",
    "issensitive(var.secret)",
    "terraform_data.u.id == \"a\"",
    "var.secret == \"x\"",
];
const LISTS: &[&str] = &[
    "[]",
    "[1, 2, 3]",
    r#"["a", "b", "a"]"#,
    r#"["b", null, "c"]"#,
    "[1, \"a\", true]",
    "[[1, 2], [3]]",
    "[[], [\"x\"]]",
    "var.l",
    "var.nums",
    "var.set",
    "var.secrets",
    "var.objs",
    "var.empty",
    "local.unknown_list",
    "local.partly",
    "toset([\"q\", \"r\"])",
    "tolist([\"t\"])",
    "range(4)",
    "[for x in var.l : upper(x)]",
    "[for i, x in var.l : i if x != \"a\"]",
    "var.o.nested[*].a",
    "terraform_data.many[*].id",
    "[var.secret, \"x\"]",
    "[terraform_data.u.id]",
    "[{ a = 1 }, { a = 2, b = \"c\" }]",
    "values(var.m)",
    "keys(var.o)",
    "var.objs[*].tags",
    "var.nul[*]",
    "var.s[*]",
];
const MAPS: &[&str] = &[
    "{}",
    "{ a = 1, b = 2 }",
    r#"{ a = "x", "b c" = "y" }"#,
    "{ a = [1], b = [\"x\"] }",
    "var.m",
    "var.o",
    "var.mm",
    "local.partly_map",
    "tomap({ k = \"v\" })",
    "{ (var.s) = var.n }",
    "{ for k, v in var.m : k => v * 2 }",
    "{ for o in var.objs : o.name => o.id... }",
    "{ for x in var.l : x => x... }",
    "{ s = var.secret }",
    "{ a = null }",
    "{ u = terraform_data.u.id }",
    "var.objs[1]",
    "var.o.tags",
    "zipmap(var.l, [1, 2, 3, 4])",
    "{ for x in var.l : x => 1 }",
    "{ 1 = 2, true = 3 }",
];
const ANYTHING: &[&str] = &[
    "null",
    "var.nul",
    "tostring(null)",
    "tolist(null)",
    "terraform_data.u",
    "var.missing",
    "local.missing",
    "var.o.missing",
    "terraform_data.u.missing",
    "jsondecode(terraform_data.u.id)",
    "sensitive({ a = 1 })",
    "self",
    "each.key",
    "count.index",
];
/// Functions whose result is another at each call (of several wrong elements of a map, Terraform's `transpose` names any), whose
/// cost is high, or which need files and keys.
const LEFT_OUT: &[&str] = &[
    "transpose",
    "timestamp",
    "plantimestamp",
    "uuid",
    "bcrypt",
    "rsadecrypt",
    "templatefile",
    "file",
    "filebase64",
    "abspath",
    "pathexpand",
    "ephemeralasnull",
];

/// What an expression should be.
#[derive(Clone, Copy)]
enum Kind {
    String,
    Number,
    Bool,
    List,
    Map,
    Any,
}

struct Generator {
    random: Random,
    functions: Vec<(String, Json)>,
}

impl Generator {
    fn expression(&mut self, kind: Kind, depth: usize) -> String {
        let kind = if self.random.chance(8) { self.kind() } else { kind };
        if depth == 0 || self.random.chance(30) {
            return self.leaf(kind);
        }
        match self.random.below(10) {
            0..=4 => self.call(depth - 1),
            5 => self.operation(kind, depth - 1),
            6 => self.conditional(kind, depth - 1),
            7 => self.step(depth - 1),
            8 => self.for_expression(depth - 1),
            _ => self.collection(kind, depth - 1),
        }
    }

    fn kind(&mut self) -> Kind {
        [Kind::String, Kind::Number, Kind::Bool, Kind::List, Kind::Map, Kind::Any][self.random.below(6)]
    }

    fn leaf(&mut self, kind: Kind) -> String {
        let pool = match kind {
            Kind::String => STRINGS,
            Kind::Number => NUMBERS,
            Kind::Bool => BOOLS,
            Kind::List => LISTS,
            Kind::Map => MAPS,
            Kind::Any => [STRINGS, NUMBERS, BOOLS, LISTS, MAPS, ANYTHING][self.random.below(6)],
        };
        let text = self.random.pick(pool);
        // A heredoc ends with its line, so it can stand where a line may end.
        if text.starts_with("<<") { format!("(\n{text})") } else { text.to_owned() }
    }

    fn call(&mut self, depth: usize) -> String {
        let (name, signature) = self.functions[self.random.below(self.functions.len())].clone();
        let fixed = signature["parameters"].as_array().cloned().unwrap_or_default();
        let mut arguments: Vec<String> = fixed.iter().map(|param| self.argument(&param["type"], depth)).collect();
        if let Some(variadic) = signature.get("variadic_parameter") {
            for _ in 0..self.random.below(4) {
                arguments.push(self.argument(&variadic["type"], depth));
            }
        }
        if self.random.chance(2) {
            arguments.pop();
        }
        let expansion = if !arguments.is_empty() && self.random.chance(3) { "..." } else { "" };
        format!("{name}({}{expansion})", arguments.join(", "))
    }

    fn argument(&mut self, ty: &Json, depth: usize) -> String {
        let kind = match ty.as_str().or_else(|| ty[0].as_str()) {
            Some("string") => Kind::String,
            Some("number") => Kind::Number,
            Some("bool") => Kind::Bool,
            Some("list" | "set") => Kind::List,
            Some("map" | "object") => Kind::Map,
            _ => [Kind::List, Kind::Map, Kind::Any][self.random.below(3)],
        };
        self.expression(kind, depth)
    }

    fn operation(&mut self, kind: Kind, depth: usize) -> String {
        let (operators, operands): (&[&str], _) = match kind {
            Kind::Number => (&["+", "-", "*", "/", "%"], Kind::Number),
            _ => match self.random.below(3) {
                0 => (&["==", "!="], self.kind()),
                1 => (&["<", ">", "<=", ">="], Kind::Number),
                _ => (&["&&", "||"], Kind::Bool),
            },
        };
        let operator = self.random.pick(operators);
        let (a, b) = (self.expression(operands, depth), self.expression(operands, depth));
        match self.random.below(8) {
            0 => format!("!({a} {operator} {b})"),
            1 => format!("-({a}) {operator} {b}"),
            2 => format!("{a} {operator} {b} {operator} {}", self.leaf(operands)),
            _ => format!("{a} {operator} {b}"),
        }
    }

    fn conditional(&mut self, kind: Kind, depth: usize) -> String {
        let condition = self.expression(Kind::Bool, depth);
        let (a, b) = (self.expression(kind, depth), self.expression(kind, depth));
        format!("({condition} ? {a} : {b})")
    }

    fn step(&mut self, depth: usize) -> String {
        let kind = [Kind::List, Kind::Map][self.random.below(2)];
        let object = self.expression(kind, depth);
        let step = match self.random.below(9) {
            0 => "[0]".to_owned(),
            1 => "[*]".to_owned(),
            2 => ".a".to_owned(),
            3 => "[*].a".to_owned(),
            4 => ".*.name".to_owned(),
            5 => "[\"b\"]".to_owned(),
            6 => ".0".to_owned(),
            7 => "[*][0]".to_owned(),
            _ => format!("[{}]", self.expression(Kind::Number, depth)),
        };
        format!("({object}){step}")
    }

    fn for_expression(&mut self, depth: usize) -> String {
        let source = [Kind::List, Kind::Map][self.random.below(2)];
        let over = self.expression(source, depth);
        let body = match self.random.below(6) {
            0 => "v".to_owned(),
            1 => "k".to_owned(),
            2 => "\"${k}=${v}\"".to_owned(),
            3 => "[k, v]".to_owned(),
            4 => "v.a".to_owned(),
            _ => self.expression(Kind::Any, depth),
        };
        let filter = ["", "", " if v != null", " if k != 0", " if var.b", " if terraform_data.u.id != \"\""]
            [self.random.below(6)];
        if self.random.chance(50) {
            format!("[for k, v in {over} : {body}{filter}]")
        } else {
            let group = ["", "", "..."][self.random.below(3)];
            let key = self.random.pick(&["k", "v", "\"k${k}\"", "upper(k)", "\"same\""]);
            format!("{{ for k, v in {over} : {key} => {body}{group}{filter} }}")
        }
    }

    fn collection(&mut self, kind: Kind, depth: usize) -> String {
        match kind {
            Kind::List => {
                let items: Vec<String> = (0..self.random.below(4)).map(|_| self.expression(Kind::Any, depth)).collect();
                format!("[{}]", items.join(", "))
            }
            Kind::Map => {
                let names = ["a", "b", "name", "\"x y\"", "(var.s)"];
                let members: Vec<String> = (0..self.random.below(4))
                    .map(|_| format!("{} = {}", self.random.pick(&names), self.expression(Kind::Any, depth)))
                    .collect();
                format!("{{ {} }}", members.join(", "))
            }
            _ => {
                let inner = self.expression(Kind::Any, depth);
                let inner = inner.strip_prefix("(\n<<").map_or(inner.clone(), |_| "var.s".to_owned());
                self.random
                    .pick(&[
                        "\"a${X}b\"",
                        "\"${X}\"",
                        "\"%{ if X }y%{ else }n%{ endif }\"",
                        "\"%{ for i in X }${i},%{ endfor }\"",
                        "\"${~ X ~} z\"",
                    ])
                    .replace('X', &inner)
            }
        }
    }
}

/// Breaks an expression in a way that its syntax shows.
fn damage(random: &mut Random, text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = random.below(characters.len());
    let (before, after): (String, String) = (characters[..at].iter().collect(), characters[at..].iter().collect());
    match random.below(4) {
        0 => format!("{before}{}", after.chars().skip(1).collect::<String>()),
        1 => format!(
            "{before}{}{after}",
            random.pick(&[
                "\"", "(", "]", "}", "${", "%{", ",", "\n", "'", "#", "&", "=", "...", ":", "?", ".", "*", "0x", "\\",
                "~", "`", ";", "=>", "\u{a0}", "é"
            ])
        ),
        2 => before,
        _ => format!("{after}{before}"),
    }
}

fn file(index: usize) -> String {
    format!("case{index}.tf")
}

fn write(folder: &Path, index: usize, expression: &str) {
    let text = format!("output \"o{index}\" {{\n  sensitive = true\n  value = [\n    {expression}\n  ]\n}}\n");
    std::fs::write(folder.join(file(index)), text).unwrap();
}

/// Compares a batch: first what is refused, then the values of the rest.
fn compare(expressions: &[String]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("main.tf"), SURROUNDINGS).unwrap();
    for (index, expression) in expressions.iter().enumerate() {
        write(folder, index, expression);
    }
    let mut differences = Vec::new();
    let mut left: Vec<usize> = (0..expressions.len()).collect();
    // What one stage refuses hides what the next one would; each round takes the refused ones out.
    loop {
        let [want, got] = BOTH.map(|tool| tool.plan(folder));
        let refused: Vec<usize> =
            left.iter().copied().filter(|&i| want.contains_key(&file(i)) || got.contains_key(&file(i))).collect();
        // An infinite output cannot be stored, which is said of no file.
        let stray = [&want, &got].into_iter().filter_map(|found| found.get(""));
        let stray: Vec<&str> = stray.flatten().filter_map(|diagnostic| diagnostic["detail"].as_str()).collect();
        let refused: Vec<usize> = if refused.is_empty() && !stray.is_empty() {
            left.iter().copied().filter(|i| stray.iter().any(|text| text.contains(&format!("\"o{i}\"")))).collect()
        } else {
            refused
        };
        if refused.is_empty() {
            assert_eq!(want, got, "diagnostics that belong to no case");
            break;
        }
        for index in refused {
            let none = Vec::new();
            let (want, got) = (want.get(&file(index)).unwrap_or(&none), got.get(&file(index)).unwrap_or(&none));
            // Where Terraform itself panics there is nothing to agree on.
            let panicked =
                want.iter().any(|d| d["detail"].as_str().is_some_and(|text| text.contains("panic in function")));
            if let Some(difference) = compare_diagnostics(want, got).filter(|_| !panicked) {
                differences.push(format!("{}\n  {difference}", expressions[index]));
            }
            std::fs::remove_file(folder.join(file(index))).unwrap();
            left.retain(|i| *i != index);
        }
    }
    let plans = BOTH.map(|tool| {
        tool.plan(folder);
        tool.show(folder)
    });
    for index in left {
        let [want, got] = plans.each_ref().map(|plan| {
            let name = format!("o{index}");
            let change = &plan["output_changes"][&name];
            json!({"after": change["after"], "after_unknown": change["after_unknown"], "type": plan["planned_values"]["outputs"][&name]["type"]})
        });
        if let Some(difference) = first_difference("", &want, &got) {
            differences.push(format!("{}\n  {difference}", expressions[index]));
        }
    }
    differences
}

fn generator(seed: u64) -> Generator {
    let signatures = signatures::of(Tool::Terraform);
    let functions = signatures["function_signatures"].as_object().unwrap().iter();
    let functions = functions.filter(|(name, _)| !LEFT_OUT.contains(&name.trim_start_matches("core::")));
    let functions = functions.filter(|(name, _)| !name.starts_with("core::") || name.len() % 7 == 0);
    Generator {
        random: Random::new(seed),
        functions: functions.map(|(name, signature)| (name.clone(), signature.clone())).collect(),
    }
}

#[test]
fn expressions_are_worth_the_same() {
    let Some((cases, seed)) = crate::volume(300) else { return };
    let mut generator = generator(seed);
    let mut differences = Vec::new();
    for start in (0..cases).step_by(BATCH) {
        let number = BATCH.min(cases - start);
        let expressions: Vec<String> = (0..number)
            .map(|_| {
                let kind = generator.kind();
                let depth = 1 + generator.random.below(3);
                generator.expression(kind, depth)
            })
            .collect();
        differences.extend(compare(&expressions));
    }
    crate::report(&differences);
}

#[test]
fn syntax_errors_are_the_same() {
    let Some((cases, seed)) = crate::volume(300) else { return };
    let mut generator = generator(seed);
    let mut differences = Vec::new();
    for start in (0..cases).step_by(BATCH) {
        let folder = tempfile::tempdir().unwrap();
        let mut texts = Vec::new();
        for index in 0..BATCH.min(cases - start) {
            let kind = generator.kind();
            let expression = generator.expression(kind, 2);
            texts.push(damage(&mut generator.random, &expression));
            write(folder.path(), index, &texts[index]);
        }
        let [want, got] = BOTH.map(|tool| tool.validate(folder.path()));
        for (index, text) in texts.iter().enumerate() {
            let of_case = |list: &[Json]| -> Vec<Json> {
                list.iter().filter(|d| d["range"]["filename"] == json!(file(index))).cloned().collect()
            };
            if let Some(difference) = compare_diagnostics(&of_case(&want), &of_case(&got)) {
                differences.push(format!("{text}\n  {difference}"));
            }
        }
    }
    crate::report(&differences);
}
