//! `-v`, `--tmpfs` and `--mount`.

use crate::terminal;
use miette::{Report, Result, miette};
use plimsoll_runtime::exec::{Mount, MountKind};
use std::path::Path;

/// `HOST:CONTAINER[:ro]`
pub fn volume(spec: &str) -> Result<Mount> {
    const HELP: &str = "write it as HOST:CONTAINER or HOST:CONTAINER:ro";
    let wrong = |why: &str| -> Report { miette!(help = HELP, "failed to read -v {spec}: {why}") };
    let parts: Vec<&str> = spec.split(':').collect();
    let (host, target, options) = match parts.as_slice() {
        [host, target] => (*host, *target, ""),
        [host, target, options] => (*host, *target, *options),
        _ => return Err(wrong("two paths are needed")),
    };
    if !target.starts_with('/') {
        return Err(wrong("the path in the container must be absolute"));
    }
    let mut read_only = false;
    for option in options.split(',') {
        match option {
            // Labels are for SELinux, and how mounts spread is for daemons.
            "" | "rw" | "z" | "Z" | "cached" | "delegated" | "consistent" | "rprivate" | "private" | "rslave"
            | "slave" => {}
            "ro" => read_only = true,
            other => return Err(wrong(&format!("`{other}` is not known"))),
        }
    }
    // As docker does: a folder that is not there yet is made.
    if host.contains('/') && std::fs::symlink_metadata(host).is_err() {
        std::fs::create_dir_all(host).map_err(|error| wrong(&format!("{host} cannot be made: {error}")))?;
    }
    bind(host, target, read_only, &wrong)
}

fn bind(host: &str, target: &str, read_only: bool, wrong: &dyn Fn(&str) -> Report) -> Result<Mount> {
    let path = Path::new(host);
    if !host.contains('/') && host != "." && host != ".." && !path.exists() {
        return Err(wrong(&format!("`{host}` is no folder here, and no volumes are kept by name: write ./{host}")));
    }
    let source = std::fs::canonicalize(path).map_err(|error| crate::files::unreadable(path, &error))?;
    Ok(Mount::bind(source, target, read_only))
}

/// `PATH[:size=64m,mode=1777]`
pub fn tmpfs(spec: &str) -> Result<Mount> {
    let (path, options) = spec.split_once(':').unwrap_or((spec, ""));
    let wrong = |why: &str| {
        miette!(help = "write it as /run or /run:size=64m,mode=755", "failed to read --tmpfs {spec}: {why}")
    };
    if !path.starts_with('/') {
        return Err(wrong("the path must be absolute"));
    }
    // As docker has it.
    let (mut size, mut mode, mut exec) = (None, 0o1777, false);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("size", text)) => size = Some(terminal::parse_ram(text).map_err(|why| wrong(&why))?),
            Some(("mode", text)) => mode = octal(text).ok_or_else(|| wrong(&format!("`{text}` is no mode")))?,
            None if option == "exec" => exec = true,
            None if option == "noexec" => exec = false,
            None if ["rw", "nosuid", "nodev"].contains(&option) => {}
            _ => return Err(wrong(&format!("`{option}` is not known"))),
        }
    }
    Ok(Mount { target: path.to_owned(), kind: MountKind::Tmpfs { size, mode, exec }, read_only: false })
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// `type=bind,src=HOST,dst=CONTAINER[,readonly]` or `type=tmpfs,dst=CONTAINER[,tmpfs-size=SIZE][,tmpfs-mode=MODE]`
pub fn mount(spec: &str) -> Result<Mount> {
    const HELP: &str =
        "write it as type=bind,src=HOST,dst=CONTAINER[,readonly] or type=tmpfs,dst=CONTAINER[,tmpfs-size=64m]";
    let wrong = |why: &str| -> Report { miette!(help = HELP, "failed to read --mount {spec}: {why}") };
    let (mut kind, mut source, mut target, mut read_only, mut size, mut mode) =
        ("volume", None, None, false, None, 0o1777);
    for part in spec.split(',') {
        match part.split_once('=').unwrap_or((part, "")) {
            ("type", name) => kind = name,
            ("src" | "source", path) => source = Some(path),
            ("dst" | "destination" | "target", path) => target = Some(path),
            ("readonly" | "ro", "" | "true" | "1") => read_only = true,
            ("readonly" | "ro", "false" | "0") => read_only = false,
            ("tmpfs-size", text) => size = Some(terminal::parse_ram(text).map_err(|why| wrong(&why))?),
            ("tmpfs-mode", text) => mode = octal(text).ok_or_else(|| wrong(&format!("`{text}` is no mode")))?,
            ("bind-propagation" | "consistency", _) => {}
            _ => return Err(wrong(&format!("`{part}` is not known"))),
        }
    }
    let target = target.ok_or_else(|| wrong("dst= is missing"))?;
    if !target.starts_with('/') {
        return Err(wrong("the path in the container must be absolute"));
    }
    match kind {
        "bind" => bind(source.ok_or_else(|| wrong("src= is missing"))?, target, read_only, &wrong),
        "tmpfs" => {
            Ok(Mount { target: target.to_owned(), kind: MountKind::Tmpfs { size, mode, exec: true }, read_only })
        }
        "volume" => Err(wrong("no volumes are kept by name; a folder of the host is type=bind")),
        other => Err(wrong(&format!("type {other} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_as_docker_writes_them() {
        let seen = |mount: Result<Mount>| {
            mount.map(|mount| (mount.target, mount.kind, mount.read_only)).map_err(|e| e.to_string())
        };
        let is_bind = |mount: Result<Mount>, read_only: bool| {
            let (target, kind, ro) = seen(mount).expect("well written");
            assert_eq!((target.as_str(), ro), ("/x", read_only));
            assert!(matches!(kind, MountKind::Bind { .. }));
        };
        is_bind(volume("/:/x"), false);
        is_bind(volume(".:/x:ro,z"), true);
        is_bind(mount("type=bind,source=/,target=/x,readonly"), true);
        let (_, kind, _) = seen(tmpfs("/t:size=1m,mode=755,noexec")).expect("well written");
        assert!(matches!(kind, MountKind::Tmpfs { size: Some(1_048_576), mode: 0o755, exec: false }));
        let (_, kind, _) = seen(mount("type=tmpfs,dst=/t,tmpfs-size=2k")).expect("well written");
        assert!(matches!(kind, MountKind::Tmpfs { size: Some(2048), mode: 0o1777, exec: true }));
        for (wrong, why) in [
            (volume("data:/var/lib"), "by name"),
            (volume("/a"), "two paths"),
            (volume("/:x"), "absolute"),
            (volume("/:/x:wat"), "wat"),
            (tmpfs("t"), "absolute"),
            (tmpfs("/t:mode=9"), "no mode"),
            (mount("src=v,dst=/x"), "by name"),
            (mount("type=bind,dst=/x"), "src="),
            (mount("type=npipe,dst=/x"), "npipe"),
        ] {
            let error = seen(wrong).expect_err(why);
            assert!(error.contains(why), "{error}");
        }
    }
}
