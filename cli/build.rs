//! How the binary is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let target = |part: &str| variable(&format!("CARGO_CFG_TARGET_{part}"));
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // At a fixed address, like Terraform's own binary: the SDKs bring 150,000 relocations, which cost every run 6 MB of memory
        // (16 in a debug build) and milliseconds before it begins.
        println!("cargo::rustc-link-arg-bins=-no-pie");
        if target("ARCH") == "x86_64" && variable("PROFILE") == "release" {
            // There rustc links with LLD, which keeps one of several functions with the same code: the SDKs have many, and what
            // is mapped of them counts as memory of a run.
            println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        }
    }
}
