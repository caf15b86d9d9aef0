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

/// What a part after the first has to match, and what the first one has to.
const PART: &str = "^[A-Za-z0-9_.-]+$";
const SYSTEM: &str = r"^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)((?:\+[A-Za-z0-9_.-]+)*)\))?$";

/// What is wrong with a platform, in the words of the library that BuildKit asks.
pub(super) fn check(text: &str) -> Result<(), String> {
    let whole = quote(text);
    if text.contains('*') {
        return Err(format!("{whole}: wildcards not yet supported: invalid argument"));
    }
    let parts: Vec<&str> = text.splitn(4, '/').collect();
    for (index, part) in parts.iter().enumerate() {
        let (wrong, what, must) = match index {
            0 => (
                !is_system(part),
                "an invalid OS component",
                format!("OSAndVersion specifier component must match {}", quote(SYSTEM)),
            ),
            _ => (
                !is_part(part),
                "an invalid component",
                format!("platform specifier component must match {}", quote(PART)),
            ),
        };
        if wrong {
            return Err(format!("{} is {what} of {whole}: {must}: invalid argument", quote(part)));
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

fn is_word(text: &str, signs: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

fn is_part(text: &str) -> bool {
    !text.is_empty() && is_word(text, "_.-")
}

/// A system, perhaps with its version and features: `windows(10.0.17763+win32k)`.
fn is_system(text: &str) -> bool {
    let (name, version) = match text.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')')),
        None => (text, Some("")),
    };
    let Some(version) = version else { return false };
    let mut parts = version.split('+');
    let base = parts.next().unwrap_or_default();
    !name.is_empty() && is_word(name, "_-") && is_word(base, "_.-") && parts.all(is_part)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn platforms() {
        for good in [
            "linux",
            "amd64",
            "linux/amd64",
            "linux/arm/v7",
            "windows(10.0.17763)/amd64",
            "Linux",
            "x86_64",
            "any/thing",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        assert_eq!(
            check("linux/"),
            Err(r#""" is an invalid component of "linux/": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument"#.to_owned())
        );
        assert!(check("nowhere").unwrap_err().ends_with("unknown operating system or architecture: invalid argument"));
        assert!(check("a/b/c/d").unwrap_err().ends_with("cannot parse platform specifier: invalid argument"));
        assert!(check("a b/c").unwrap_err().starts_with("\"a b\" is an invalid OS component of"));
    }
}
