//! `--mount=` of RUN.

use plimsoll_parser::TextRange;
use plimsoll_parser::syntax::Mount;

use super::values::{is_false, parse_size};
use super::{Globals, PlanError, Result, State, join};

/// One `--mount=`, understood.
#[derive(Clone, Debug)]
pub struct MountSpec {
    /// What is mounted.
    pub kind: MountType,
    /// Where; empty for a secret that is only a variable.
    pub target: String,
    /// `from=`
    pub from: Option<String>,
    /// `source=`, absolute.
    pub source: String,
    /// Whether writes are refused.
    pub read_only: bool,
    /// `id=`
    pub id: Option<String>,
    /// `mode=`
    pub mode: Option<u32>,
    /// `uid=`
    pub uid: u32,
    /// `gid=`
    pub gid: u32,
    /// `required=true`
    pub required: bool,
    /// `env=`
    pub env: Option<String>,
    /// `size=` in bytes
    pub size: Option<u64>,
    /// `sharing=`
    pub sharing: Sharing,
    /// Where it is written.
    pub range: TextRange,
}

/// `type=` of a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountType {
    /// Files of the context, a stage or an image.
    Bind,
    /// A directory that outlives the build.
    Cache,
    /// Memory.
    Tmpfs,
    /// A file or variable that is not recorded.
    Secret,
    /// An SSH agent.
    Ssh,
}

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Everybody.
    Shared,
    /// Each a copy of their own.
    Private,
    /// One after the other.
    Locked,
}

impl State {
    /// What a `--mount=` asks for.
    pub(super) fn mount(&self, mount: &Mount<'_>, globals: &Globals) -> Result<MountSpec> {
        let wrong = |message: String| PlanError { message, range: mount.range };
        let get = |keys: &[&str]| -> Result<Option<String>> {
            mount.get(keys).map(|text| self.expand(text, globals, mount.range)).transpose()
        };
        let number = |key: &str, radix: u32| -> Result<Option<u32>> {
            let Some(text) = get(&[key])? else { return Ok(None) };
            u32::from_str_radix(&text, radix).map(Some).map_err(|_| wrong(format!("invalid value {text} for {key}")))
        };
        let kind_text = get(&["type"])?.unwrap_or_else(|| "bind".to_owned());
        let kind = match kind_text.to_lowercase().as_str() {
            "bind" => MountType::Bind,
            "cache" => MountType::Cache,
            "tmpfs" => MountType::Tmpfs,
            "secret" => MountType::Secret,
            "ssh" => MountType::Ssh,
            _ => return Err(wrong(format!("unsupported mount type {kind_text:?}"))),
        };
        let id = get(&["id"])?;
        let env = get(&["env"])?;
        let source = get(&["source", "src"])?;
        let mut target = get(&["target", "dst", "destination"])?.unwrap_or_default();
        // A secret's or agent's `source` is another spelling of `id`.
        let id = match kind {
            MountType::Secret | MountType::Ssh => id.or_else(|| source.clone()),
            _ => id,
        };
        if target.is_empty() {
            match kind {
                MountType::Secret if env.is_some() => {}
                MountType::Secret => match &id {
                    Some(id) => target = format!("/run/secrets/{}", id.rsplit('/').next().unwrap_or(id)),
                    None => return Err(wrong("a secret mount needs id= or target=".to_owned())),
                },
                MountType::Ssh => target = "/run/buildkit/ssh_agent.0".to_owned(),
                _ => return Err(wrong("target= is required for this mount".to_owned())),
            }
        } else {
            target = join(self.cwd(), &target);
            if target == "/" {
                return Err(wrong(format!("invalid mount target {target:?}")));
            }
        }
        let id = match (kind, id) {
            (MountType::Cache, None) => Some(target.clone()),
            (MountType::Secret, None) => target.rsplit('/').next().map(str::to_owned),
            (MountType::Ssh, None) => Some("default".to_owned()),
            (_, id) => id,
        };
        let read_write = mount.is_set(&["rw", "readwrite"])
            || ["ro", "readonly"].iter().any(|key| mount.get(&[key]).is_some_and(|value| is_false(value)));
        let read_only = match kind {
            MountType::Bind => !read_write,
            _ => mount.is_set(&["ro", "readonly"]),
        };
        let sharing = match get(&["sharing"])?.as_deref() {
            None | Some("shared") => Sharing::Shared,
            Some("private") => Sharing::Private,
            Some("locked") => Sharing::Locked,
            Some(other) => return Err(wrong(format!("unsupported sharing value {other:?}"))),
        };
        let size = match get(&["size"])? {
            Some(text) => Some(parse_size(&text).ok_or_else(|| wrong(format!("invalid value {text} for size")))?),
            None => None,
        };
        Ok(MountSpec {
            kind,
            target,
            from: mount.get(&["from"]).map(|text| text.to_string()).filter(|from| !from.is_empty()),
            source: join("/", source.as_deref().unwrap_or_default()),
            read_only,
            id,
            mode: number("mode", 8)?,
            uid: number("uid", 10)?.unwrap_or(0),
            gid: number("gid", 10)?.unwrap_or(0),
            required: mount.is_set(&["required"]),
            env,
            size,
            sharing,
            range: mount.range,
        })
    }
}
