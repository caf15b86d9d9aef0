//! What a build is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::NamedContext;
use crate::exec::{Network, Ulimit};

/// What a build is asked for.
#[derive(Clone, Debug)]
pub struct BuildOptions {
    /// The build context.
    pub context: PathBuf,
    /// The Dockerfile; `Dockerfile` in the context when nothing.
    pub dockerfile: Option<PathBuf>,
    /// The Dockerfile's bytes where they are not those of the file.
    pub dockerfile_bytes: Option<Vec<u8>>,
    /// The ignore file's text where it is not that of the file.
    pub ignore_text: Option<String>,
    /// The stage to build; the last one when nothing.
    pub target: Option<String>,
    /// `--build-arg`
    pub build_args: BTreeMap<String, String>,
    /// `--label`
    pub labels: BTreeMap<String, String>,
    /// `--annotation`: of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// `--build-context`, by name.
    pub contexts: BTreeMap<String, NamedContext>,
    /// `--tag`
    pub tags: Vec<String>,
    /// `--platform`
    pub platform: Option<String>,
    /// The network of RUN.
    pub network: Network,
    /// Use no result of an earlier build.
    pub no_cache: bool,
    /// Stages that use none.
    pub no_cache_filter: Vec<String>,
    /// RUN steps of one lineage never use results of another: the same text again, carried out again, and kept.
    pub lineage: Option<String>,
    /// When base images are fetched.
    pub pull: Pull,
    /// Hosts asked for images before their own registry.
    pub mirrors: Vec<String>,
    /// Seconds since 1970 for everything that has no time of its own: `SOURCE_DATE_EPOCH`.
    pub epoch: Option<i64>,
    /// Certificate authorities shown to RUN, without a trace in the image.
    pub ca_bundle: Option<PathBuf>,
    /// `--secret`, by ID.
    pub secrets: BTreeMap<String, Secret>,
    /// `--ssh`: sockets of agents, by ID.
    pub ssh: BTreeMap<String, PathBuf>,
    /// `--add-host`: name and address.
    pub extra_hosts: Vec<(String, String)>,
    /// `--shm-size`: bytes of `/dev/shm`.
    pub shm_size: Option<u64>,
    /// `--ulimit`
    pub ulimits: Vec<Ulimit>,
    /// `--allow security.insecure`
    pub allow_insecure: bool,
}

/// When base images are fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pull {
    /// Those that are not in the store.
    #[default]
    Missing,
    /// All.
    Always,
    /// None.
    Never,
}

/// Where a secret comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file, read when it is needed.
    File(PathBuf),
    /// Its bytes.
    Value(Vec<u8>),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Value(_) => f.write_str("Value(not shown)"),
        }
    }
}

impl BuildOptions {
    /// A build of this directory as `docker build` does it without any option.
    pub fn new(context: impl Into<PathBuf>) -> Self {
        Self {
            context: context.into(),
            dockerfile: None,
            dockerfile_bytes: None,
            ignore_text: None,
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            contexts: BTreeMap::new(),
            tags: Vec::new(),
            platform: None,
            network: Network::Host,
            no_cache: false,
            no_cache_filter: Vec::new(),
            lineage: None,
            pull: Pull::default(),
            mirrors: Vec::new(),
            epoch: None,
            ca_bundle: None,
            secrets: BTreeMap::new(),
            ssh: BTreeMap::new(),
            extra_hosts: Vec::new(),
            shm_size: None,
            ulimits: Vec::new(),
            allow_insecure: false,
        }
    }

    /// Where the Dockerfile is.
    #[must_use]
    pub fn dockerfile_path(&self) -> PathBuf {
        self.dockerfile.clone().unwrap_or_else(|| self.context.join("Dockerfile"))
    }
}
