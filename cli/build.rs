//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    // At a fixed address: a program that may be anywhere has 24,000 addresses of its own to correct at each start, which takes
    // longer than most of what it is started for. Libraries, heap and stack stay at random ones.
    if target("OS") == "linux" && target("ENV") == "gnu" && std::env::var("PROFILE").is_ok_and(|name| name == "release")
    {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
