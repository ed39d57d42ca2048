//! How the binary is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // At a fixed address, like Terraform's own binary: the SDKs bring 150,000 relocations, which cost every run 6 MB of memory
        // (16 in a debug build) and milliseconds before it begins.
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
