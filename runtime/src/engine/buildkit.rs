//! BuildKit by its own programs: `docker buildx`, which knows local and remote builders, or else `buildctl`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::{EngineError, Input, Result, load_only};
use crate::build::{BuildOptions, Event, Progress, Pull, Secret};
use crate::exec::Network;
use crate::image::Image;
use crate::store::Store;

const ENGINE: &str = "buildkit";

fn works(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Builds there; the image comes back as an OCI archive.
pub(super) fn build(store: &Store, options: &BuildOptions, progress: &mut dyn Progress) -> Result<Image> {
    let input = Input::read(options)?;
    let scratch = store.scratch()?;
    let fail = |error: std::io::Error| EngineError::Build { engine: ENGINE, reason: error.to_string() };
    let folder = scratch.path();
    std::fs::write(folder.join("Dockerfile"), &input.dockerfile).map_err(fail)?;
    if let Some(ignore) = &input.ignore {
        std::fs::write(folder.join("Dockerfile.dockerignore"), ignore).map_err(fail)?;
    }
    let archive = folder.join("image.tar");
    let context = std::fs::canonicalize(&options.context).map_err(fail)?;
    let mut command = if works("docker", &["buildx", "version"]) {
        let mut command = Command::new("docker");
        command
            .args(["buildx", "build", "--progress=plain", "--provenance=false", "--file"])
            .arg(folder.join("Dockerfile"));
        for (flag, value) in shared(options) {
            command.arg(format!("--{flag}={value}"));
        }
        command.args((options.pull == Pull::Always).then_some("--pull"));
        command.args(options.no_cache.then_some("--no-cache"));
        command.arg(format!("--output=type=oci,dest={}", archive.display())).arg(context);
        command
    } else if works("buildctl", &["--version"]) {
        let mut command = Command::new("buildctl");
        command.args(["build", "--progress=plain", "--frontend=dockerfile.v0"]);
        command
            .arg(format!("--local=context={}", context.display()))
            .arg(format!("--local=dockerfile={}", folder.display()));
        for (flag, value) in shared(options) {
            match flag {
                "secret" | "ssh" => command.arg(format!("--{flag}={value}")),
                "build-arg" | "label" => {
                    let (name, value) = value.split_once('=').unwrap_or((&value, ""));
                    command.arg(format!("--opt={flag}:{name}={value}"))
                }
                "network" => command.arg(format!("--opt=force-network-mode={value}")),
                "add-host" => command.arg(format!("--opt=add-hosts={}", value.replacen(':', "=", 1))),
                _ => command.arg(format!("--opt={flag}={value}")),
            };
        }
        if options.pull == Pull::Always {
            command.arg("--opt=image-resolve-mode=pull");
        }
        command.args(options.no_cache.then_some("--no-cache"));
        command.arg(format!("--output=type=oci,dest={}", archive.display()));
        command
    } else {
        return Err(EngineError::NoProgram);
    };
    for (id, secret) in &options.secrets {
        if let Secret::Value(value) = secret {
            command.env(secret_variable(id), String::from_utf8_lossy(value).into_owned());
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(fail)?;
    let mut last: Vec<String> = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            let line = line.map_err(fail)?;
            let line = String::from_utf8_lossy(&line);
            progress.event(Event::Output { number: 0, stderr: true, line: &line });
            if last.len() == 30 {
                last.remove(0);
            }
            last.push(line.into_owned());
        }
    }
    let status = child.wait().map_err(fail)?;
    if !status.success() {
        let reason = format!("it ended with {status}; its last lines:\n  {}", last.join("\n  "));
        return Err(EngineError::Build { engine: ENGINE, reason });
    }
    load_only(store, &archive)
}

/// Where a secret's value is handed over: no argument, which everybody on the machine could read.
fn secret_variable(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("PLIMSOLL_SECRET_{}", id.chars().map(plain).collect::<String>())
}

/// Flags and values that both programs take in some form.
fn shared(options: &BuildOptions) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    found.extend(options.build_args.iter().map(|(name, value)| ("build-arg", format!("{name}={value}"))));
    found.extend(options.labels.iter().map(|(name, value)| ("label", format!("{name}={value}"))));
    found.extend(options.target.clone().map(|target| ("target", target)));
    found.extend(options.platform.clone().map(|platform| ("platform", platform)));
    found.extend((options.network == Network::None).then(|| ("network", "none".to_owned())));
    found.extend(options.extra_hosts.iter().map(|(name, address)| ("add-host", format!("{name}:{address}"))));
    found.extend(options.secrets.iter().map(|(id, secret)| {
        let from = match secret {
            Secret::File(path) => format!("src={}", path.display()),
            Secret::Value(_) => format!("env={}", secret_variable(id)),
        };
        ("secret", format!("id={id},{from}"))
    }));
    found.extend(options.ssh.iter().map(|(id, socket)| ("ssh", format!("{id}={}", socket.display()))));
    found
}
