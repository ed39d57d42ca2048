//! Memory of one parse, in a process of its own: what an earlier one freed would be used again and not be seen.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use lang::Sources;
use lang::syntax::parse_file;

use crate::content;

/// The argument that makes this program report and end.
pub const MODE: &str = "--memory";

/// Peak bytes per byte of source while `parser` reads a file of about `size` bytes, without the text itself.
pub fn measure(parser: &str, size: usize) -> Result<f64, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?).args([MODE, parser, &size.to_string()]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Prints the figure.
pub fn report(parser: &str, size: usize) -> Result<(), Box<dyn Error>> {
    let text = content::configuration(size);
    let length = text.len() as f64;
    let before = status("VmRSS:")?;
    if parser == "windlass" {
        let bytes: std::sync::Arc<[u8]> = text.into_bytes().into();
        black_box(parse_file(&Sources::new(), Path::new("main.tf"), bytes));
    } else {
        black_box(hcl_edit::parser::parse_body(&text))?;
    }
    println!("{}", (status("VmHWM:")? - before) * 1024.0 / length);
    Ok(())
}

/// A figure in KiB that the kernel keeps of this process.
fn status(name: &str) -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no memory figures here")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse()?)
}
