//! What can go wrong with a registry. Messages are worded to follow "failed to".

use std::time::Duration;

use crate::export::ExportError;
use crate::reference::ReferenceError;
use crate::store::StoreError;

/// The reason of a connection that was given up.
pub(super) const TIMED_OUT: &str = "it does not answer in time";

/// What went wrong with a registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No answer.
    #[error("reach {registry}: {reason}")]
    Unreachable {
        /// Host.
        registry: String,
        /// Why not.
        reason: String,
    },
    /// The image is not there.
    #[error("find {0} in its registry")]
    NotFound(String),
    /// The registry wants somebody else.
    #[error("{action} {reference}: {registry} denies it{detail}")]
    Denied {
        /// What was tried.
        action: &'static str,
        /// Of what.
        reference: String,
        /// Host.
        registry: String,
        /// What it said, after a colon, or nothing.
        detail: String,
    },
    /// An answer that is none.
    #[error("{action} {reference}: {registry} answered {status}{detail}")]
    Status {
        /// What was tried.
        action: &'static str,
        /// Of what.
        reference: String,
        /// Host.
        registry: String,
        /// HTTP status.
        status: u16,
        /// What it said, after a colon, or nothing.
        detail: String,
        /// Seconds after which it wants to be asked again.
        retry_after: Option<u64>,
    },
    /// An answer that contradicts the protocol or itself.
    #[error("{action} {reference}: {reason}")]
    Protocol {
        /// What was tried.
        action: &'static str,
        /// Of what.
        reference: String,
        /// What is wrong.
        reason: String,
    },
    /// No image for this platform.
    #[error("pull {reference}: it has no image for {platform}, only for {present}")]
    Platform {
        /// Which image.
        reference: String,
        /// What was wanted.
        platform: String,
        /// What there is.
        present: String,
    },
    /// A credential helper.
    #[error("get credentials for {registry} from {helper}: {reason}")]
    Helper {
        /// For which host.
        registry: String,
        /// Which program.
        helper: String,
        /// Why not.
        reason: String,
    },
    /// Name or password are not taken.
    #[error("log in to {registry}: it does not take this name and password{detail}")]
    Login {
        /// Host.
        registry: String,
        /// What it said, after a colon, or nothing.
        detail: String,
    },
    /// What names no registry.
    #[error("log in to {host}: this is no host name of a registry")]
    NoHost {
        /// What was named.
        host: String,
    },
    /// The file of credentials.
    #[error("keep credentials in {}: {reason}", path.display())]
    Keep {
        /// Which file.
        path: std::path::PathBuf,
        /// Why not.
        reason: String,
    },
    /// The reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer could not be compressed.
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl RegistryError {
    /// What to do about it, when that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            RegistryError::Unreachable { reason, .. } if reason.contains("certificate") => Some(
                "name the bundle of your proxy's certificate authority in SSL_CERT_FILE".to_owned(),
            ),
            RegistryError::Unreachable { .. } => Some(
                "check the network and HTTPS_PROXY; without a registry, load an archive (`plimsoll load`) or make a base of that name in the store".to_owned(),
            ),
            RegistryError::NotFound(_) => {
                Some("check the name and tag; a private repository may hide from whoever is not logged in".to_owned())
            }
            RegistryError::Denied { registry, .. } => Some(format!(
                "log in with `plimsoll login {registry}`; credentials of docker and podman are used too"
            )),
            RegistryError::NoHost { host } => Some(format!("write it with its domain or port, as {host}:443")),
            RegistryError::Login { .. } => Some("many registries want a token in place of the password".to_owned()),
            RegistryError::Keep { .. } => Some("mend the file, or name another with REGISTRY_AUTH_FILE".to_owned()),
            RegistryError::Platform { .. } => Some("choose one of them with --platform".to_owned()),
            RegistryError::Store(error) => error.help(),
            RegistryError::Export(error) => error.help(),
            _ => None,
        }
    }

    /// Whether nobody answered in time.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, RegistryError::Unreachable { reason, .. } if reason == TIMED_OUT)
    }

    /// How long to wait before another try: as long as the registry says, within reason.
    pub(super) fn pause(&self, otherwise: Duration) -> Duration {
        match self {
            RegistryError::Status { retry_after: Some(seconds), .. } => Duration::from_secs((*seconds).min(60)),
            _ => otherwise,
        }
    }

    /// Whether another mirror or another try may do better.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            RegistryError::Unreachable { .. } => true,
            RegistryError::Status { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}
