//! Builds by another engine; what comes of them is brought into the store, where everything else goes on as usual.

mod api;
mod buildkit;
mod http;

use std::path::PathBuf;

use crate::build::{BuildOptions, Built, Progress, Results};
use crate::context::Context;
use crate::image::Image;
use crate::store::{Store, StoreError};

pub use http::Address;

/// Who builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// This program.
    #[default]
    Embedded,
    /// A docker daemon.
    Docker,
    /// A podman service.
    Podman,
    /// BuildKit, through `docker buildx` or `buildctl`.
    Buildkit,
}

/// Why another engine gave no image. Worded to follow "failed to".
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nobody is there.
    #[error("reach the engine at {address}: {source}")]
    Unreachable {
        /// Where it should be.
        address: Address,
        /// What came instead.
        source: std::io::Error,
    },
    /// The program that speaks to it is not there.
    #[error("start BuildKit: neither `docker buildx` nor `buildctl` works here")]
    NoProgram,
    /// It refused or failed.
    #[error("build with {engine}: {reason}")]
    Build {
        /// Who.
        engine: &'static str,
        /// Its own words.
        reason: String,
    },
    /// It does not give an image.
    #[error("get {name} from {engine}: {reason}")]
    Save {
        /// Who.
        engine: &'static str,
        /// The image.
        name: String,
        /// Its own words.
        reason: String,
    },
    /// It cannot do what was asked.
    #[error("build with {engine}: it cannot do {what}")]
    Unsupported {
        /// Who.
        engine: &'static str,
        /// What.
        what: &'static str,
    },
    /// The context.
    #[error("read the build context {}: {source}", path.display())]
    Context {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Its image cannot be read.
    #[error(transparent)]
    Load(#[from] crate::export::ExportError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EngineError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unreachable { address: Address::Unix(path), .. } if path.to_string_lossy().contains("podman") => {
                Some("start it with `podman system service -t 0`, or name it with CONTAINER_HOST".to_owned())
            }
            Self::Unreachable { .. } => Some(
                "start the daemon, name it with DOCKER_HOST, or leave --engine out: plimsoll needs none".to_owned(),
            ),
            Self::NoProgram => Some("install docker-buildx or buildkit, or leave --engine out".to_owned()),
            Self::Unsupported { .. } => Some("leave --engine out, or take --engine buildkit".to_owned()),
            Self::Load(error) => error.help(),
            Self::Store(error) => error.help(),
            Self::Build { .. } | Self::Save { .. } | Self::Context { .. } => None,
        }
    }
}

type Result<T, E = EngineError> = std::result::Result<T, E>;

/// Builds with that engine. Its steps are not known one by one.
pub fn build(engine: Engine, store: &Store, options: &BuildOptions, progress: &mut dyn Progress) -> Result<Built> {
    let image = match engine {
        Engine::Docker => api::build("docker", &docker_address(), store, options, progress)?,
        Engine::Podman => api::build("podman", &podman_address(), store, options, progress)?,
        Engine::Buildkit | Engine::Embedded => buildkit::build(store, options, progress)?,
    };
    for tag in &options.tags {
        store.tag(tag, &image.manifest)?;
    }
    Ok(Built { image, steps: Vec::new(), results: Results::default() })
}

/// An image of a docker or podman engine as a docker archive, through its API: for machines without its command.
pub(crate) fn saved(podman: bool, name: &str) -> Result<impl std::io::Read + Send> {
    let (engine, address) = if podman { ("podman", podman_address()) } else { ("docker", docker_address()) };
    Ok(api::saved(engine, &address, name)?.body)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn address(text: &str) -> Address {
    match text.strip_prefix("tcp://").or_else(|| text.strip_prefix("http://")) {
        Some(host) => Address::Tcp(host.trim_end_matches('/').to_owned()),
        None => Address::Unix(text.strip_prefix("unix://").unwrap_or(text).into()),
    }
}

fn docker_address() -> Address {
    if let Some(host) = variable("DOCKER_HOST") {
        return address(&host);
    }
    let rootless = variable("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("docker.sock"));
    let system = PathBuf::from("/var/run/docker.sock");
    Address::Unix(rootless.filter(|path| path.exists() && !system.exists()).unwrap_or(system))
}

fn podman_address() -> Address {
    if let Some(host) = variable("CONTAINER_HOST") {
        return address(&host);
    }
    let rootless = variable("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("podman/podman.sock"));
    Address::Unix(rootless.filter(|path| path.exists()).unwrap_or_else(|| "/run/podman/podman.sock".into()))
}

/// The context and the Dockerfile of a build.
struct Input {
    context: Context,
    dockerfile: Vec<u8>,
    ignore: Option<String>,
}

impl Input {
    fn read(options: &BuildOptions) -> Result<Self> {
        let path = options.dockerfile_path();
        let fail = |path: PathBuf| move |source| EngineError::Context { path, source };
        let dockerfile = match &options.dockerfile_bytes {
            Some(bytes) => bytes.clone(),
            None => std::fs::read(&path).map_err(fail(path.clone()))?,
        };
        let ignore = match &options.ignore_text {
            Some(text) => Some(text.clone()),
            None => {
                let mut own = path.into_os_string();
                own.push(".dockerignore");
                let candidates = [PathBuf::from(own), options.context.join(".dockerignore")];
                candidates
                    .iter()
                    .find_map(|path| std::fs::read(path).ok())
                    .map(|b| String::from_utf8_lossy(&b).into_owned())
            }
        };
        let context = Context::open(&options.context, ignore.as_deref()).map_err(fail(options.context.clone()))?;
        Ok(Self { context, dockerfile, ignore })
    }
}

/// The one image of an archive, with no name in the store.
fn load_only(store: &Store, archive: &std::path::Path) -> Result<Image> {
    let loaded = crate::export::load(store, archive, None)?;
    for one in &loaded {
        if let Some(reference) = &one.reference {
            store.untag(reference)?;
        }
    }
    loaded
        .into_iter()
        .next()
        .map(|loaded| loaded.image)
        .ok_or_else(|| EngineError::Build { engine: "it", reason: "it gave an archive without an image".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_docker_writes_them() {
        assert_eq!(address("unix:///run/x.sock"), Address::Unix("/run/x.sock".into()));
        assert_eq!(address("tcp://127.0.0.1:2375"), Address::Tcp("127.0.0.1:2375".to_owned()));
        assert_eq!(address("/run/x.sock").to_string(), "unix:///run/x.sock");
    }
}
