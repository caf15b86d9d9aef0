//! Platforms: `os`, `arch`, `os/arch` and `os/arch/variant`.

use crate::quote::quote;

const SYSTEMS: [&str; 18] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "macos",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const MACHINES: [&str; 30] = [
    "386",
    "i386",
    "aarch64",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "armel",
    "armhf",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
    "x86-64",
    "x86_64",
];

/// What is wrong with a platform, in the words of the library that BuildKit asks.
pub(super) fn check(text: &str) -> Result<(), String> {
    let whole = quote(text);
    if text.contains('*') {
        return Err(format!("{whole}: wildcards not yet supported: invalid argument"));
    }
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    let parts: Vec<&str> = text.split('/').collect();
    for (index, part) in parts.iter().enumerate() {
        // Windows is written with its version: windows(10.0.17763).
        let name = part.split_once('(').filter(|(_, version)| index == 0 && version.ends_with(')'));
        if !is_part(name.map_or(part, |(name, _)| name)) {
            let (whole, part) = (quote(text), quote(part));
            return Err(format!("{part} is an invalid component of {whole}: invalid argument"));
        }
    }
    match parts.as_slice() {
        [one] => {
            let name = one.split('(').next().unwrap_or_default().to_lowercase();
            if SYSTEMS.contains(&name.as_str()) || MACHINES.contains(&name.as_str()) {
                return Ok(());
            }
            Err(format!("{whole}: unknown operating system or architecture: invalid argument"))
        }
        [_, _] | [_, _, _] => Ok(()),
        _ => Err(format!("{whole}: cannot parse platform specifier: invalid argument")),
    }
}
