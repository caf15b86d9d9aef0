//! A company's certificate authorities, shown to the steps of a build without a trace in the image.

use std::path::Path;

use super::Mount;

/// Where the bundle is shown inside the container.
pub const CA_BUNDLE_PATH: &str = "/run/plimsoll/ca.pem";

/// apt knows no variable for a bundle, but one for a further configuration file.
const APT_CONFIG_PATH: &str = "/run/plimsoll/apt.conf";

/// The files that are mounted.
pub const CA_BUNDLE_POINTS: [&str; 2] = [CA_BUNDLE_PATH, APT_CONFIG_PATH];

/// The variables by which programs are told of a bundle.
const VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "DENO_CERT",
    "NIX_SSL_CERT_FILE",
    "BUNDLE_SSL_CA_CERT",
    "COMPOSER_CAFILE",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HEX_CACERTS_PATH",
    "NPM_CONFIG_CAFILE",
];

/// The mounts and variables by which a process sees a bundle of certificate authorities.
#[derive(Debug, Clone)]
pub struct CaBundle {
    /// The bundle, read-only, at [`CA_BUNDLE_PATH`], and apt's pointer to it.
    pub mounts: Vec<Mount>,
    /// Variables to add where the image has not set them itself.
    pub env: Vec<(String, String)>,
}

/// Shows the bundle at `path` of the host to a process: the mounts and the variables, for [`Process`](super::Process).
///
/// Neither is part of the image or of a step's cache key. Programs that read their own trust store alone (Java) are not reached.
pub fn ca_bundle_mounts(path: &Path) -> CaBundle {
    let mut env: Vec<(String, String)> =
        VARIABLES.iter().map(|name| ((*name).to_owned(), CA_BUNDLE_PATH.to_owned())).collect();
    env.push(("APT_CONFIG".to_owned(), APT_CONFIG_PATH.to_owned()));
    let apt = format!("Acquire::https::CAInfo \"{CA_BUNDLE_PATH}\";\n");
    let mounts = vec![Mount::bind(path, CA_BUNDLE_PATH, true), Mount::file(APT_CONFIG_PATH, apt, 0o444, 0, 0)];
    CaBundle { mounts, env }
}

impl CaBundle {
    /// Adds the mounts, and the variables that are not set yet.
    pub fn apply(&self, process: &mut super::Process) {
        process.mounts.extend(self.mounts.iter().cloned());
        for (name, value) in &self.env {
            if process.env_value(name).is_none() {
                process.env.push((name.clone(), value.clone()));
            }
        }
    }
}
