//! What stands around a place in a file.

use config::loader::parse_named_file;
use lang::Sources;
use lang::ast::{Body, JsonKind, JsonNode, NativeBody};
use lang::source::{Range, Source};

/// Where in its file a byte is: the header of the top-level block that holds it (`resource "aws_vpc" "main"`), in JSON the way
/// to the innermost object or array that does (`resource.aws_vpc.main.timeouts[0]`). `None` outside of all of them.
pub fn around(source: &Source, byte: usize) -> Option<String> {
    // `<import-address>` and its like are no files.
    if source.name.to_string_lossy().starts_with('<') {
        return None;
    }
    let (body, ..) = parse_named_file(&Sources::new(), &source.name, source.bytes.clone());
    let byte = byte as u32;
    match body {
        Body::Native(body) => enclosing_block(&body, byte),
        Body::Json(body) => json_path(&body.value, byte),
    }
}

/// A place that begins with the block itself is not inside of it: its line shows the header anyway.
fn holds(range: Range, byte: u32) -> bool {
    range.start < byte && byte <= range.end
}

fn enclosing_block(body: &NativeBody, byte: u32) -> Option<String> {
    let block = body.blocks.iter().find(|block| holds(block.range, byte))?;
    let labels: String = block.labels.iter().map(|l| format!(" {}", lang::quoting::go_quote(&l.text))).collect();
    Some(format!("{}{labels}", block.kind))
}

fn json_path(root: &JsonNode, byte: u32) -> Option<String> {
    let holds = |node: &JsonNode| {
        matches!(node.kind, JsonKind::Object(_) | JsonKind::Array(_)) && self::holds(node.range, byte)
    };
    let mut path = String::new();
    let mut node = root;
    loop {
        let step = match &node.kind {
            JsonKind::Object(properties) => properties
                .iter()
                .find(|property| holds(&property.value))
                .map(|property| (format!(".{}", property.name), &property.value)),
            JsonKind::Array(elements) => {
                let found = elements.iter().enumerate().find(|(_, element)| holds(element));
                found.map(|(i, element)| (format!("[{i}]"), element))
            }
            _ => None,
        };
        let Some((step, inner)) = step else { break };
        path.push_str(&step);
        node = inner;
    }
    let path = path.strip_prefix('.').unwrap_or(&path);
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around_text(name: &str, text: &str, part: &str) -> Option<String> {
        let sources = Sources::new();
        let file = sources.add(name, text.as_bytes());
        around(&sources.get(file).unwrap(), text.find(part).unwrap())
    }

    #[test]
    fn a_place_in_native_syntax_is_in_a_top_level_block() {
        let text = "locals { a = 1 }\nresource \"x\" \"y\" {\n  n { b = 2 }\n}\n";
        assert_eq!(around_text("main.tf", text, "a = 1").unwrap(), "locals");
        assert_eq!(around_text("main.tf", text, "2").unwrap(), "resource \"x\" \"y\"");
        assert_eq!(around_text("main.tf", text, "resource"), None);
        assert_eq!(around_text("<value for x>", text, "2"), None);
        // A header that breaks off encloses nothing.
        assert_eq!(around_text("main.tf", "removed in\n  from = a.b\n}\n", "in"), None);
    }

    #[test]
    fn a_place_in_json_is_in_the_innermost_object_or_array() {
        let text = r#"{"output": {"a": {"value": 1}}, "resource": {"x": {"y": [{"n": [2, 3]}, 4]}}}"#;
        assert_eq!(around_text("main.tf.json", text, "1").unwrap(), "output.a");
        assert_eq!(around_text("main.tf.json", text, "3").unwrap(), "resource.x.y[0].n");
        assert_eq!(around_text("main.tf.json", text, "4").unwrap(), "resource.x.y");
        assert_eq!(around_text("main.tf.json", text, "[{").unwrap(), "resource.x");
        assert_eq!(around_text("main.tf.json", text, "\"output\""), None);
    }
}
