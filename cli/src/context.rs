//! The block around a place in a file.

use lang::Sources;
use lang::ast::Body;
use lang::source::Source;

/// The header of the top-level block that holds a byte of a file: `resource "aws_vpc" "main"`. `None` between blocks and
/// in files that are not native syntax.
pub fn enclosing_block(source: &Source, byte: usize) -> Option<String> {
    // `<import-address>` and its like are no files.
    let is_text = source.name.to_string_lossy().starts_with('<');
    if is_text || source.name.extension().is_some_and(|e| e == "json") {
        return None;
    }
    let (body, _, _) = lang::syntax::parse_file(&Sources::new(), &source.name, source.bytes.clone());
    let Body::Native(body) = body else { return None };
    let byte = byte as u32;
    // A place that begins with the block itself is not inside of it: its line shows the header anyway.
    let block = body.blocks.iter().find(|b| b.range.start < byte && byte <= b.range.end)?;
    let labels: String = block.labels.iter().map(|l| format!(" {}", lang::quoting::go_quote(&l.text))).collect();
    Some(format!("{}{labels}", block.kind))
}
