//! How the binary is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=order.ld");
    println!("cargo::rerun-if-env-changed=WINDLASS_LINK_MAP");
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let target = |part: &str| variable(&format!("CARGO_CFG_TARGET_{part}"));
    if target("OS") == "linux" && target("ENV") == "gnu" {
        // At a fixed address, like Terraform's own binary: the SDKs bring 150,000 relocations, which cost every run 6 MB of memory
        // (16 in a debug build) and milliseconds before it begins.
        println!("cargo::rustc-link-arg-bins=-no-pie");
        if target("ARCH") == "x86_64" && variable("PROFILE") == "release" {
            // There rustc links with LLD. What is mapped of a binary counts as memory of a run, in pieces of 64 KiB or more: the
            // functions that every run needs are put side by side (`cargo xtask order`), not among those of the SDKs.
            println!("cargo::rustc-link-arg-bins=-T{}/order.ld", variable("CARGO_MANIFEST_DIR"));
        }
    }
    let map = variable("WINDLASS_LINK_MAP");
    if !map.is_empty() {
        println!("cargo::rustc-link-arg-bins=-Wl,-Map={map}");
    }
}
