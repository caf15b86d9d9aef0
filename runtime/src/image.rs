//! What an image is: its configuration, its layers and how they are written down.
//!
//! The configuration types keep everything Docker writes and every field they do not know, so an image that
//! passes through comes out with nothing lost. Writing is deterministic: the same values give the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::digest::Digest;

/// Media types of the OCI and Docker formats.
pub mod media {
    /// OCI image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// OCI image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// OCI image configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// Layer, uncompressed tar.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// Layer, gzip.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// Layer, zstd.
    pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker image manifest, version 2 schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker image configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker layer, uncompressed tar.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
    /// Docker layer, gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Annotation that holds an image's name in an index.
    pub const REF_NAME: &str = "org.opencontainers.image.ref.name";

    /// Whether this names an image manifest of either format.
    pub fn is_manifest(media_type: &str) -> bool {
        media_type == MANIFEST || media_type == DOCKER_MANIFEST
    }

    /// Whether this names an index or manifest list.
    pub fn is_index(media_type: &str) -> bool {
        media_type == INDEX || media_type == DOCKER_INDEX
    }

    /// Whether this names an uncompressed layer, whose digest is its diff ID.
    pub fn is_plain_layer(media_type: &str) -> bool {
        media_type == LAYER || media_type == DOCKER_LAYER
    }
}

/// A blob by its digest and size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlobRef {
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// Number of bytes.
    pub size: u64,
}

/// One layer of an image, in its place (the chain ID depends on what is below).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// Digest of this layer together with all below it.
    pub chain_id: Digest,
    /// Size of the uncompressed tar, the bytes that `diff_id` hashes.
    pub size: u64,
    /// Media type of the blob.
    pub media_type: String,
    /// Where its bytes are in the store.
    pub blob: Option<BlobRef>,
    /// The instruction that made it.
    pub created_by: Option<String>,
}

/// An image whose manifest, configuration and layers are in a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Digest of the manifest: what names the image.
    pub manifest: Digest,
    /// Digest of the configuration blob: the image ID as docker shows it.
    pub config_digest: Digest,
    /// The configuration.
    pub config: ImageConfig,
    /// Layers, lowest first.
    pub layers: Vec<Layer>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
}

impl Image {
    /// Sum of the layers' uncompressed sizes.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// Chain ID of all layers together; none for an image without layers.
    pub fn chain_id(&self) -> Option<Digest> {
        self.layers.last().map(|layer| layer.chain_id)
    }

    /// Operating system and architecture.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.config.os.clone(),
            architecture: self.config.architecture.clone(),
            variant: self.config.variant.clone(),
            other: BTreeMap::new(),
        }
    }
}

/// An image configuration, `application/vnd.oci.image.config.v1+json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When the image was made, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it (`MAINTAINER`).
    #[serde(default, skip_serializing_if = "is_blank")]
    pub author: Option<String>,
    /// CPU architecture in Go's words.
    #[serde(default)]
    pub architecture: String,
    /// Variant of the architecture, such as `v8`.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub variant: Option<String>,
    /// Operating system in Go's words.
    #[serde(default)]
    pub os: String,
    /// How containers of this image start.
    #[serde(default, deserialize_with = "null_as_default")]
    pub config: ContainerConfig,
    /// The layers.
    #[serde(default)]
    pub rootfs: RootFs,
    /// How each layer came to be.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// The `config` part of an image configuration: what a container inherits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// User, or `user:group`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Ports such as `80/tcp`.
    #[serde(default, with = "set_as_map", skip_serializing_if = "BTreeSet::is_empty")]
    pub exposed_ports: BTreeSet<String>,
    /// `NAME=value` in order.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Entrypoint; an empty list is not the same as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Command; an empty list is not the same as none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// Volume paths.
    #[serde(default, with = "set_as_map", skip_serializing_if = "BTreeSet::is_empty")]
    pub volumes: BTreeSet<String>,
    /// Working directory.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Labels.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Signal that stops the container.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub stop_signal: Option<String>,
    /// Health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Triggers for images built from this one.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// Shell of the shell forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Whether the command is escaped already (written by `CMD` and `ENTRYPOINT`).
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub args_escaped: bool,
    /// Seconds between the stop signal and the kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// `HEALTHCHECK`; times in nanoseconds, zero meaning inherited.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", text]`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// Time between two checks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// Time one check may take.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Time the container may take to start.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Time between two checks while starting.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// The layers of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Digests of the uncompressed tars, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> RootFs {
        RootFs { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

/// One entry of the history: an instruction.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The instruction.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub created_by: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub author: Option<String>,
    /// A remark, `buildkit.dockerfile.v0` for instance.
    #[serde(default, skip_serializing_if = "is_blank")]
    pub comment: Option<String>,
    /// True for an instruction that made no layer.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A descriptor: what an index or a manifest says of a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the blob.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// Platform of a manifest inside an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Annotations.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Descriptor {
    /// A descriptor without platform and annotations.
    pub fn new(media_type: &str, blob: BlobRef) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: blob.digest,
            size: blob.size,
            platform: None,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }

    /// Digest and size alone.
    pub fn blob(&self) -> BlobRef {
        BlobRef { digest: self.digest, size: self.size }
    }
}

/// Operating system and architecture in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `amd64`, `arm64`, …
    #[serde(default)]
    pub architecture: String,
    /// `v7`, `v8`, …
    #[serde(default, skip_serializing_if = "is_blank")]
    pub variant: Option<String>,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Platform {
    /// The machine this program runs on.
    pub fn host() -> Platform {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "x86" => ("386", None),
            "aarch64" => ("arm64", None),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            "loongarch64" => ("loong64", None),
            other => (other, None),
        };
        Platform {
            os: "linux".to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
            other: BTreeMap::new(),
        }
    }

    /// Reads `linux/arm64`, `linux/arm/v7`, `arm64` or `linux`; common aliases are brought to Go's words.
    pub fn parse(text: &str) -> Option<Platform> {
        let host = Platform::host();
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [one] if matches!(*one, "linux" | "windows" | "darwin" | "freebsd") => {
                ((*one).to_owned(), host.architecture, host.variant)
            }
            [architecture] => ("linux".to_owned(), (*architecture).to_owned(), None),
            [os, architecture] => ((*os).to_owned(), (*architecture).to_owned(), None),
            [os, architecture, variant] => ((*os).to_owned(), (*architecture).to_owned(), Some((*variant).to_owned())),
            _ => return None,
        };
        let fine = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if !fine(&os) || !fine(&architecture) || !variant.as_deref().is_none_or(fine) {
            return None;
        }
        let (architecture, variant) = match (architecture.as_str(), variant.as_deref()) {
            ("x86_64" | "x86-64" | "amd64", v) => ("amd64".to_owned(), v.filter(|v| *v != "v1").map(str::to_owned)),
            ("i386" | "i686" | "x86", v) => ("386".to_owned(), v.map(str::to_owned)),
            ("aarch64" | "arm64", v) => {
                ("arm64".to_owned(), v.filter(|v| !matches!(*v, "v8" | "8")).map(str::to_owned))
            }
            ("armhf", _) => ("arm".to_owned(), Some("v7".to_owned())),
            ("armel", _) => ("arm".to_owned(), Some("v6".to_owned())),
            ("arm", None) => ("arm".to_owned(), Some("v7".to_owned())),
            (_, v) => (architecture, v.map(str::to_owned)),
        };
        Some(Platform { os, architecture, variant, other: BTreeMap::new() })
    }

    /// Whether an image for `self` is what `wanted` asks for.
    pub fn satisfies(&self, wanted: &Platform) -> bool {
        let variant = |platform: &Platform| match (platform.architecture.as_str(), platform.variant.as_deref()) {
            ("arm64", None) => Some("v8".to_owned()),
            ("arm", None) => Some("v7".to_owned()),
            (_, variant) => variant.filter(|v| !v.is_empty()).map(str::to_owned),
        };
        self.os == wanted.os && self.architecture == wanted.architecture && variant(self) == variant(wanted)
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            Some(variant) if !variant.is_empty() => write!(f, "/{variant}"),
            _ => Ok(()),
        }
    }
}

/// An image manifest of either format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Media type; optional in OCI.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// Layers, lowest first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// An image index or manifest list; also `index.json` of a layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Media type; optional in OCI.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// Manifests or nested indexes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
    /// Fields this program does not use.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Default for Index {
    fn default() -> Index {
        Index { schema_version: 2, media_type: media::INDEX.to_owned(), manifests: Vec::new(), other: BTreeMap::new() }
    }
}

/// What `time` is in RFC 3339, in UTC, to the nanosecond as Docker writes it (trailing zeros left out).
pub fn rfc3339(time: std::time::SystemTime) -> String {
    let (seconds, nanos) = match time.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(_) => (0, 0),
    };
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since 0000-03-01, so that the leap day is the last of its year.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_shifted + 2) / 5 + 1;
    let month = if month_shifted < 10 { month_shifted + 3 } else { month_shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        let fraction = format!("{nanos:09}");
        text.push('.');
        text.push_str(fraction.trim_end_matches('0'));
    }
    text.push('Z');
    text
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn is_blank(text: &Option<String>) -> bool {
    text.as_deref().is_none_or(str::is_empty)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Go's `map[string]struct{}`.
mod set_as_map {
    use super::{BTreeMap, BTreeSet, Deserialize, Deserializer, Serializer, Value};

    pub(super) fn serialize<S: Serializer>(set: &BTreeSet<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(set.iter().map(|key| (key, Value::Object(serde_json::Map::new()))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
        let map = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?;
        Ok(map.unwrap_or_default().into_keys().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn what_docker_writes_comes_back_whole() {
        let text = r#"{"architecture":"arm64","variant":"v8","os":"linux","created":"2024-01-02T03:04:05.6Z","author":"Me",
            "config":{"Hostname":"","User":"u","ExposedPorts":{"80/tcp":{}},"Env":["A=1"],"Cmd":null,"Entrypoint":[],
            "Volumes":{"/v":{}},"WorkingDir":"/w","Labels":null,"OnBuild":["RUN true"],"Shell":["/bin/sh","-ec"],
            "ArgsEscaped":true,"StopSignal":"SIGINT","Healthcheck":{"Test":["CMD","true"],"Interval":5,"New":1}},
            "rootfs":{"type":"layers","diff_ids":null},"history":[{"created_by":"x","empty_layer":true,"odd":[1]}],
            "container_config":{"Tty":false},"docker_version":"20"}"#;
        let config: ImageConfig = serde_json::from_str(text).expect("a configuration");
        assert_eq!(config.config.entrypoint, Some(vec![]));
        assert_eq!(config.config.cmd, None);
        let value = serde_json::to_value(&config).expect("JSON");
        assert_eq!(value["config"]["Healthcheck"]["New"], 1);
        assert_eq!(value["config"]["ExposedPorts"]["80/tcp"], serde_json::json!({}));
        assert_eq!(value["container_config"]["Tty"], false);
        assert_eq!(value["history"][0]["odd"][0], 1);
        let again: ImageConfig = serde_json::from_value(value).expect("its own JSON");
        assert_eq!(again, config);
    }

    #[test]
    fn times() {
        let at = |seconds, nanos| rfc3339(UNIX_EPOCH + Duration::new(seconds, nanos));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400, 120_000_000), "2000-02-29T00:00:00.12Z");
        assert_eq!(at(1_795_321_337, 1), "2026-11-22T04:22:17.000000001Z");
        assert_eq!(at(4_102_444_799, 0), "2099-12-31T23:59:59Z");
    }

    #[test]
    fn platforms() {
        let same = |a: &str, b: &str| {
            Platform::parse(a).expect("a platform").satisfies(&Platform::parse(b).expect("a platform"))
        };
        assert!(same("linux/arm64/v8", "aarch64"));
        assert!(same("linux/x86_64", "amd64"));
        assert!(!same("linux/arm/v6", "linux/arm"));
        assert_eq!(Platform::parse("a/b/c/d"), None);
        assert_eq!(Platform::parse(""), None);
    }
}
