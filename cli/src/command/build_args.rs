//! What `build`, `optimize` and `compare` share: the options that decide what a build gives.

use crate::config::Config;
use crate::report::progress::Style;
use miette::{Result, miette};
use plimsoll_runtime::engine::Engine;
use plimsoll_runtime::exec::Ulimit;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Options of a build, named as docker names them.
#[derive(clap::Args, Debug, Clone, Default)]
pub struct BuildArgs {
    /// The Dockerfile [default: CONTEXT/Dockerfile]; `-` reads it from standard input
    #[arg(short, long, value_name = "FILE", help_heading = "Build options")]
    pub file: Option<PathBuf>,
    /// The stage to build [default: the last one]
    #[arg(long, value_name = "STAGE", help_heading = "Build options")]
    pub target: Option<String>,
    /// Set an ARG; NAME alone takes the value of the environment variable
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]", help_heading = "Build options")]
    pub build_args: Vec<String>,
    /// Network of RUN steps: host, or none
    #[arg(long, value_name = "MODE", help_heading = "Build options")]
    pub network: Option<String>,
    /// Platform of the base images, os/arch[/variant]
    #[arg(long, value_name = "PLATFORM", help_heading = "Build options")]
    pub platform: Option<String>,
    /// A secret for RUN --mount=type=secret: id=ID,src=FILE or id=ID,env=NAME
    #[arg(long = "secret", value_name = "SPEC", help_heading = "Build options")]
    pub secrets: Vec<String>,
    /// An agent socket for RUN --mount=type=ssh: default, or ID=SOCKET
    #[arg(long = "ssh", value_name = "SPEC", help_heading = "Build options")]
    pub ssh: Vec<String>,
    /// Another line of /etc/hosts for RUN steps, NAME:ADDRESS
    #[arg(long, value_name = "NAME:ADDRESS", help_heading = "Build options")]
    pub add_host: Vec<String>,
    /// Allow RUN --security=insecure: security.insecure
    #[arg(long, value_name = "WHAT", help_heading = "Build options")]
    pub allow: Vec<String>,
    /// Stages that use no result of earlier builds
    #[arg(long, value_name = "STAGE", value_delimiter = ',', help_heading = "Build options")]
    pub no_cache_filter: Vec<String>,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto", help_heading = "Build options")]
    pub progress: Style,
    /// Do not use results of earlier builds
    #[arg(long, help_heading = "Build options")]
    pub no_cache: bool,
    /// Ask the registry even when the base image is in the store
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true",
        hide_default_value = true, hide_possible_values = true, help_heading = "Build options")]
    pub pull: bool,
    /// Another context, that FROM and --from find by its name: NAME=FOLDER, NAME=docker-image://REF, NAME=oci-layout://DIR
    #[arg(long, value_name = "NAME=SPEC", help_heading = "Build options")]
    pub build_context: Vec<String>,
    /// Size of /dev/shm in RUN steps
    #[arg(long, value_name = "SIZE", value_parser = crate::terminal::parse_ram, help_heading = "Build options")]
    pub shm_size: Option<u64>,
    /// A limit of RUN steps, NAME=SOFT[:HARD]
    #[arg(long = "ulimit", value_name = "SPEC", help_heading = "Build options")]
    pub ulimits: Vec<String>,
    /// Who builds; the result goes into the store in any case
    #[arg(long, value_enum, default_value = "embedded", help_heading = "Build options")]
    pub engine: EngineName,
    /// Certificates that RUN steps shall trust, for machines behind a TLS-intercepting proxy; no trace in the image
    #[arg(long, value_name = "FILE", env = "PLIMSOLL_CA_BUNDLE", help_heading = "Build options")]
    pub ca_bundle: Option<PathBuf>,
}

/// The engines by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineName {
    /// Plimsoll itself
    #[default]
    Embedded,
    /// A docker daemon (DOCKER_HOST)
    Docker,
    /// A podman service (CONTAINER_HOST)
    Podman,
    /// BuildKit, through docker buildx or buildctl
    Buildkit,
}

impl EngineName {
    /// The engine.
    pub fn engine(self) -> Engine {
        match self {
            Self::Embedded => Engine::Embedded,
            Self::Docker => Engine::Docker,
            Self::Podman => Engine::Podman,
            Self::Buildkit => Engine::Buildkit,
        }
    }
}

impl BuildArgs {
    /// The agent that `--ssh default` means.
    pub fn agent(&self) -> Option<PathBuf> {
        let default = self.ssh.iter().find(|spec| *spec == "default" || spec.starts_with("default="))?;
        let named = default.split_once('=').map(|(_, socket)| PathBuf::from(socket));
        named.or_else(|| std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from))
    }

    /// `--ulimit`
    pub fn ulimits(&self) -> Result<Vec<Ulimit>> {
        self.ulimits.iter().map(|spec| read_ulimit(spec)).collect()
    }

    /// `--build-arg` as names and values; a name whose variable is not set is left out, as docker does.
    pub fn build_args(&self, config: &Config) -> Result<BTreeMap<String, String>> {
        let mut args: BTreeMap<String, String> = config.build.args.clone();
        for arg in &self.build_args {
            match arg.split_once('=') {
                Some(("", _)) | None if arg.is_empty() || arg.starts_with('=') => {
                    return Err(miette!(
                        help = "write --build-arg NAME=VALUE",
                        "failed to read --build-arg {arg}: no name"
                    ));
                }
                Some((name, value)) => {
                    args.insert(name.to_owned(), value.to_owned());
                }
                None => {
                    if let Ok(value) = std::env::var(arg) {
                        args.insert(arg.clone(), value);
                    }
                }
            }
        }
        Ok(args)
    }
}

/// `nofile=1024:2048`, `core=0`; -1 is no limit.
pub fn read_ulimit(spec: &str) -> Result<Ulimit> {
    Ulimit::parse(spec).map_err(|why| {
        miette!(help = "write it as nofile=1024 or nofile=1024:2048", "failed to read --ulimit {spec}: {why}")
    })
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`
pub fn read_host(spec: &str) -> Result<(String, String)> {
    let wrong = |why: &str| miette!(help = "write it as NAME:ADDRESS", "failed to read --add-host {spec}: {why}");
    let (name, address) = spec.split_once(['=', ':']).ok_or_else(|| wrong("no address"))?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(wrong("no name"));
    }
    // The network is the host's, so its own address reaches it.
    let address = if address == "host-gateway" { "127.0.0.1" } else { address.trim_matches(['[', ']']) };
    if address.parse::<std::net::IpAddr>().is_err() {
        return Err(wrong(&format!("`{address}` is no address")));
    }
    Ok((name.to_owned(), address.to_owned()))
}
